"""The attachment store: each content once, whole, under its hash; what a mail calls it is never a path."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from export.mailboxes import account_of, counts

from pop3frames.errors import POP3ExportError, POP3UsageError
from pop3frames.export import attachments as attachments_room
from pop3frames.export.attachments import AttachmentStore, AttachmentWriter
from pop3frames.export.mailbox import export_mailbox
from pop3frames.frames.dataset import Dataset
from pop3frames.parsing.contents import MailPart
from pop3frames.parsing.parser import parse_message
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.maildrop import StoredMessage

PDF, CSV = b"%PDF-1.7\r\n" + bytes(range(256)), b"a,b\r\n1,2\r\n"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def mail_with(number: int, *files: tuple[str, bytes]) -> StoredMessage:
    """A mail with these files attached, under these names."""
    parts = [b"Content-Type: text/plain\r\n\r\nhello %d" % number]
    for name, content in files:
        parts.append(
            b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
            b'Content-Disposition: attachment; filename="'
            + name.encode()
            + b'"\r\n\r\n'
            + base64.encodebytes(content).replace(b"\n", b"\r\n")
        )
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    head = b"Subject: %d\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" % number
    return StoredMessage(head + body + b"--b--\r\n", f"uid-{number}")


def hashes_in(folder: Path) -> list[list[str] | None]:
    """The column of hashes in the dataset, in the order of storing."""
    found: list[list[str] | None] = Dataset(folder).to_table(["attachmentHashes"]).column(0).to_pylist()
    return found


def files_in(path: Path) -> list[Path]:
    return sorted(each for each in path.rglob("*") if not each.is_dir())


@pytest.fixture
def store(tmp_path: Path) -> AttachmentStore:
    return AttachmentStore(tmp_path / "files")


# One content, one file


def test_a_content_is_stored_once_under_its_hash_and_for_its_owner_alone(store: AttachmentStore) -> None:
    """Mode 0600; the ending says nothing about the mail; nothing is left in staging."""
    assert digest(PDF) == store.put(PDF) == store.put(PDF)
    path = store.file(digest(PDF))
    assert path == store.path / digest(PDF)[:2] / f"{digest(PDF)}.bin"
    assert [path] == files_in(store.path)
    assert 0o600 == path.stat().st_mode & 0o7777
    assert PDF == store.read(digest(PDF)) == path.read_bytes()
    assert digest(PDF) in store
    assert digest(CSV) not in store


def test_an_export_names_in_each_row_the_files_of_its_attachments(
    folder: Path, store: AttachmentStore
) -> None:
    """Parallel to `attachments`; the same file in two mails is stored once; without any the list is empty."""
    served = [
        mail_with(1, ("a.pdf", PDF), ("b.csv", CSV)),
        mail_with(2),
        mail_with(3, ("other name.pdf", PDF), ("empty", b"")),
    ]
    with EmbeddedServer(served) as server:
        assert (3, 3, 0, 0, 0) == counts(export_mailbox(account_of(server), folder, attachments=store.path))
    assert [[digest(PDF), digest(CSV)], [], [digest(PDF), digest(b"")]] == hashes_in(folder)
    assert sorted({digest(PDF), digest(CSV), digest(b"")}) == sorted(
        each.stem for each in files_in(store.path)
    )
    rows = Dataset(folder).to_table(["attachments", "attachmentHashes"]).to_pylist()
    for row in rows:
        sizes = [each["size"] for each in row["attachments"]]
        assert sizes == [len(store.read(each)) for each in row["attachmentHashes"]]
    assert [] == store.verify(folder)


def test_without_a_store_the_column_is_null(folder: Path) -> None:
    """Nobody can take it for a mail without attachments."""
    with EmbeddedServer([mail_with(1, ("a.pdf", PDF))]) as server:
        export_mailbox(account_of(server), folder)
    assert [None] == hashes_in(folder)


def test_rows_from_before_are_read_beside_those_with_hashes(folder: Path, store: AttachmentStore) -> None:
    """Two parts, and pandas reads both."""
    import pandas

    with EmbeddedServer([mail_with(1, ("a.pdf", PDF))]) as server:
        export_mailbox(account_of(server), folder)
        server.maildrop.add(mail_with(2, ("a.pdf", PDF)))
        export_mailbox(account_of(server), folder, attachments=store)
    assert [None, [digest(PDF)]] == hashes_in(folder)
    assert [None, [digest(PDF)]] == [
        None if each is None else list(each) for each in pandas.read_parquet(folder)["attachmentHashes"]
    ]


def test_two_processes_at_once_store_each_content_once(store: AttachmentStore) -> None:
    """The same hundred contents in different orders: none is missing, none is doubled, all are whole."""
    program = (
        "import random, sys\n"
        "from pop3frames.export.attachments import AttachmentStore\n"
        "contents = [b'%d' % number * 1000 for number in range(100)]\n"
        "random.Random(sys.argv[2]).shuffle(contents)\n"
        "store = AttachmentStore(sys.argv[1])\n"
        "print(all([store.put(content) for content in contents]))\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(store.path), seed], stdout=subprocess.PIPE)
        for seed in "ab"
    ]
    assert [b"True\n"] * 2 == [each.communicate()[0] for each in running]
    assert 100 == len(files_in(store.path))
    assert [] == store.verify()


def test_a_store_in_the_dataset_is_refused_before_the_server_is_asked(tmp_path: Path) -> None:
    """Through a link too: some readers refuse a folder with foreign files."""
    (tmp_path / "link").symlink_to(tmp_path / "mail")
    with EmbeddedServer([]) as server:
        for inside in (tmp_path / "mail", tmp_path / "mail" / "x" / "y", tmp_path / "link" / "files"):
            with pytest.raises(POP3UsageError, match="lies in the dataset"):
                export_mailbox(account_of(server), tmp_path / "mail", attachments=inside)
        assert 0 == server._accepted
    with pytest.raises(POP3UsageError, match="local folder"):
        AttachmentStore("s3://bucket/files")


# One bad attachment stops nothing


def test_an_attachment_that_is_too_large_or_cannot_be_decoded_costs_only_itself(
    store: AttachmentStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its place holds an empty text, so that the others keep theirs; the log tells of it."""
    raw = mail_with(1, ("big", PDF), ("bad", b"bad"), ("good", CSV)).raw
    original = MailPart.content

    def content(part: MailPart) -> bytes:
        if part.filename == "bad":
            raise MemoryError
        return original(part)

    monkeypatch.setattr(MailPart, "content", content)
    writer = AttachmentWriter(AttachmentStore(store.path, largest=len(CSV)))
    assert ["", "", digest(CSV)] == writer.keep(raw, parse_message(raw).attachments)
    assert ["limit", "MemoryError"] == [
        next(word for word in ("limit", "MemoryError") if word in record.getMessage())
        for record in caplog.records
    ]


def test_a_mail_whose_attachments_cannot_be_told_apart_has_none_stored(
    store: AttachmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong hash beside a name would be worse."""
    raw = mail_with(1, ("a", PDF), ("b", CSV)).raw
    described = parse_message(raw).attachments
    assert AttachmentWriter(store).keep(raw, described[:1]) is None

    def failing(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(attachments_room, "iter_parts", failing)
    assert AttachmentWriter(store).keep(raw, described) is None
    assert not store.path.exists()


# What somebody planted


@pytest.mark.parametrize("planted", ["link", "twin", "dangling", "other", "half", "empty", "fifo"])
def test_what_stands_under_a_name_and_is_not_its_content_is_replaced(
    store: AttachmentStore, tmp_path: Path, planted: str
) -> None:
    """Nothing is written through a link, nothing waits for a pipe; the file that it led to is unchanged."""
    victim = tmp_path / "victim"
    mine = PDF if planted == "twin" else b"mine"
    victim.write_bytes(mine)
    path = store.file(digest(PDF))
    path.parent.mkdir(parents=True)
    if planted in ("link", "twin", "dangling"):
        path.symlink_to(tmp_path / "new" if planted == "dangling" else victim)
    elif planted == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes({"other": CSV, "half": PDF[:9], "empty": b""}[planted])
    assert digest(PDF) == store.put(PDF)
    assert not path.is_symlink()
    assert PDF == path.read_bytes()
    assert mine == victim.read_bytes()
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_a_link_is_refused(store: AttachmentStore, tmp_path: Path) -> None:
    """What is stored stays in the store."""
    (tmp_path / "elsewhere").mkdir()
    store.path.mkdir()
    (store.path / digest(PDF)[:2]).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(POP3ExportError, match="symbolic link"):
        store.put(PDF)
    assert [] == list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "", "A" * 64, "ab" * 31, f"{'a' * 63}/", "ab/../" + "a" * 58]
)
def test_only_a_hash_names_a_file(store: AttachmentStore, name: str) -> None:
    """Whatever a dataset from elsewhere says."""
    for use in (store.file, store.read, lambda each: store.save(each, "/tmp")):
        with pytest.raises(POP3UsageError, match="SHA-256"):
            use(name)


# Copying one out


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("../../home/u/.bashrc", "bashrc"),
        ("/etc/passwd", "passwd"),
        ("C:\\Windows\\evil.exe", "evil.exe"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("a\0b\n.txt", "ab.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("..", f"{digest(PDF)[:16]}.bin"),
        ("", f"{digest(PDF)[:16]}.bin"),
    ],
)
def test_a_copy_gets_a_harmless_form_of_the_name_in_the_mail(
    store: AttachmentStore, tmp_path: Path, filename: str, expected: str
) -> None:
    """One component, in the folder that was named, mode 0600."""
    store.put(PDF)
    target = tmp_path / "out"
    target.mkdir()
    path = store.save(digest(PDF), target, filename)
    assert target / expected == path
    assert [path] == files_in(target)
    assert (PDF, 0o600) == (path.read_bytes(), path.stat().st_mode & 0o7777)


def test_a_copy_overwrites_nothing_and_follows_no_link(store: AttachmentStore, tmp_path: Path) -> None:
    """A name that is taken gets a number; a link that leads nowhere is taken too."""
    store.put(PDF)
    target = tmp_path / "out"
    target.mkdir()
    (target / "a.pdf").write_bytes(b"mine")
    (target / "a (2).pdf").symlink_to(tmp_path / "new")
    saved = [store.save(digest(PDF), target, name).name for name in ("a.pdf", "a.pdf", "b", "b", ".x")]
    assert ["a (3).pdf", "a (4).pdf", "b", "b (2)", "x"] == saved
    assert b"mine" == (target / "a.pdf").read_bytes()
    assert not (tmp_path / "new").exists()


def test_a_copy_of_what_is_missing_or_damaged_is_not_made(store: AttachmentStore, tmp_path: Path) -> None:
    """Each with its own error, and no file."""
    with pytest.raises(POP3UsageError, match="no attachment"):
        store.save(digest(PDF), tmp_path, "a.pdf")
    store.put(PDF)
    store.file(digest(PDF)).write_bytes(PDF[:-1])
    with pytest.raises(POP3ExportError, match="damaged"):
        store.save(digest(PDF), tmp_path, "a.pdf")
    with pytest.raises(POP3ExportError, match="create it first"):
        store.save(store.put(CSV), tmp_path / "missing", "a.csv")
    assert not (tmp_path / "a.pdf").exists()


# Looking after it


def test_verify_finds_what_is_damaged_foreign_or_missing(folder: Path, store: AttachmentStore) -> None:
    """With a dataset also what its rows name in vain; an empty list says that all is well."""
    with EmbeddedServer([mail_with(1, ("a.pdf", PDF), ("b.csv", CSV), ("c", b"c"))]) as server:
        export_mailbox(account_of(server), folder, attachments=store)
    assert [] == store.verify(folder)
    store.file(digest(PDF)).write_bytes(b"x")
    store.file(digest(CSV)).unlink()
    c = store.file(digest(b"c"))
    c.unlink()
    c.symlink_to(store.file(digest(PDF)))
    (store.path / "notes.txt").write_text("mine")
    moved = store.path / "zz"
    moved.mkdir()
    (moved / f"{digest(CSV)}.bin").write_bytes(CSV)
    (store.path / ".staging" / "x.staged").write_bytes(b"")
    found = {each.path.name: each.meaning for each in store.verify(folder)}
    foreign, damaged = "not a file of this store", "the content does not fit the name"
    assert {
        "notes.txt": foreign,
        f"{digest(CSV)}.bin": foreign,
        f"{digest(PDF)}.bin": damaged,
        f"{digest(b'c')}.bin": damaged,
        "files": f"attachment {digest(CSV)} is named by rows of {folder}, and missing",
    } == found


def test_a_store_that_no_attachment_came_to_is_well(store: AttachmentStore) -> None:
    """There is no folder yet, and nothing to do."""
    assert ([], 0) == (store.verify(), store.sweep(older_than=0))


def test_sweep_removes_what_killed_writers_left_and_only_that(store: AttachmentStore) -> None:
    """By age: a younger one may belong to a writer that is alive."""
    store.put(PDF)
    for name in ("a.staged", "b.staged"):
        (store.path / ".staging" / name).write_bytes(b"half")
    assert (0, 2, 0) == (store.sweep(), store.sweep(older_than=0), store.sweep(older_than=0))
    assert [store.file(digest(PDF))] == files_in(store.path)


def test_an_export_sweeps_what_is_a_day_old(folder: Path, store: AttachmentStore) -> None:
    """As the dataset does with its own."""
    store.put(PDF)
    old = store.path / ".staging" / "a.staged"
    old.write_bytes(b"half")
    os.utime(old, (1, 1))
    with EmbeddedServer([]) as server:
        export_mailbox(account_of(server), folder, attachments=store)
    assert not old.exists()
