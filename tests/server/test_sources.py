"""Mailboxes from files: what is served is what is in them, and the files are never touched."""

from __future__ import annotations

import mailbox
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lab import cpu

from pop3frames.errors import POP3UsageError
from pop3frames.frames.dataset import Dataset
from pop3frames.message import Message
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.maildrop import Maildrop, StoredMessage
from pop3frames.server.sources import read_mailbox


def _mbox(tmp_path: Path, content: bytes) -> list[bytes | StoredMessage]:
    path = tmp_path / "mail.mbox"
    path.write_bytes(content)
    return list(read_mailbox(path))


def test_a_folder_gives_its_eml_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    """Octet for octet; other files are none of them."""
    for name, raw in {"b.eml": b"B\n", "a.eml": b"A\r\n\x00\xff", "c.txt": b"no"}.items():
        (tmp_path / name).write_bytes(raw)

    assert [b"A\r\n\x00\xff", b"B\n"] == list(read_mailbox(tmp_path))
    assert [b"A\r\n\x00\xff", b"B\n"] == list(read_mailbox(str(tmp_path)))


def test_one_eml_file_is_a_mailbox_of_one_mail(tmp_path: Path) -> None:
    """Even if it looks like an mbox."""
    (tmp_path / "x.eml").write_bytes(b"From here\n\nFrom there\n")

    assert [b"From here\n\nFrom there\n"] == list(read_mailbox(tmp_path / "x.eml"))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_an_mbox_gives_its_mails(tmp_path: Path, end: bytes) -> None:
    """Without the From lines, the empty lines between mails, and one ">" of each quoted From."""
    lines = [
        b"From ann@example.org Thu Jan  1 00:00:00 2026",
        b"Subject: one",
        b"",
        b">From the start",
        b">>From twice, > From not, and From in a line",
        b"Fromage",
        b"From a body that forgot to quote",
        b"",
        b"",
        b"From bob@example.org Thu Jan  1 00:00:01 2026",
        b"Subject: two",
        b"",
        b"",
        b"From eve@example.org Thu Jan  1 00:00:02 2026",
        b"Subject: three",
        b"",
        b"no empty line behind me",
    ]

    expected = [
        [*lines[1:3], lines[3][1:], lines[4][1:], *lines[5:8]],
        lines[10:12],
        lines[14:],
    ]
    assert [b"".join(line + end for line in mail) for mail in expected] == _mbox(
        tmp_path, b"".join(line + end for line in lines)
    )


LINES = st.sampled_from([b"", b"x", b"From me", b">From me", b"Subject: y", b".", b"\xff"])


@settings(deadline=None)
@given(mails=st.lists(st.lists(LINES, max_size=6), min_size=1, max_size=4))
def test_an_mbox_that_the_standard_library_wrote_gives_the_mails_back(
    mails: list[list[bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An independent writer; it quotes From only, so a mail that holds a quoted one is not asked for."""
    raws = [
        b"Subject: s\n\n" + b"".join(line + b"\n" for line in lines if line != b">From me") for lines in mails
    ]
    path = tmp_path_factory.mktemp("mbox") / "mail"
    written = mailbox.mbox(path)
    for raw in raws:
        written.add(raw)
    written.close()

    assert raws == list(read_mailbox(path))


@pytest.mark.parametrize(
    "content", [b"", b"Subject: mail, but no mbox\n\nFrom me\n", b"\nFrom x\n", b">From x\n"]
)
def test_a_file_that_is_no_mbox_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    """It must begin with a From line."""
    with pytest.raises(POP3UsageError, match=r"mail\.mbox is not an mbox"):
        _mbox(tmp_path, content)


def test_what_is_not_there_or_holds_no_mail_is_refused_by_name(tmp_path: Path) -> None:
    """With what would be right."""
    with pytest.raises(POP3UsageError, match="nowhere does not exist: give a folder"):
        list(read_mailbox(tmp_path / "nowhere"))
    with pytest.raises(POP3UsageError, match=r"holds no \.eml files and is neither a snapshot nor a dataset"):
        list(read_mailbox(tmp_path))
    with pytest.raises(POP3UsageError, match="does not exist"):
        EmbeddedServer(tmp_path / "nowhere")


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_a_file_that_cannot_be_read_is_a_usage_error_that_names_it(tmp_path: Path, kind: str) -> None:
    """Among others that can: nothing is served in its stead."""
    odd = tmp_path / "odd.eml"
    odd.mkdir() if kind == "folder" else odd.symlink_to(tmp_path / "nowhere")
    (tmp_path / "fine.eml").write_bytes(b"x")
    for path in (tmp_path, odd):
        with pytest.raises(POP3UsageError, match=r"odd\.eml (cannot be read|holds no|does not exist)"):
            EmbeddedServer(path)


def _mail(number: int, account: str, uidl: str | None, raw: bytes | None) -> Message:
    return Message(message_id=number, account=account, uidl=uidl, content_hash=f"{account}{number}", raw=raw)


def test_a_dataset_gives_its_mails_and_their_unique_ids_back(tmp_path: Path) -> None:
    """Where a mail has none, or one that another account's mail has too, it gets one from its content."""
    dataset = Dataset(tmp_path)
    dataset.append([_mail(1, "ann", "1", b"A1\r\n"), _mail(2, "ann", None, b"A2\r\n")], "ann")
    dataset.append([_mail(1, "bob", "1", b"B1\r\n"), _mail(2, "bob", "2", b"B2\r\n")], "bob")
    served = Maildrop(read_mailbox(tmp_path)).messages

    assert [b"A1\r\n", b"A2\r\n", b"B1\r\n", b"B2\r\n"] == [message.raw for message in served]
    assert ["1", "2"] == [served[0].uidl, served[3].uidl]
    assert 4 == len({message.uidl for message in served})


def test_a_dataset_without_the_original_bytes_is_refused(tmp_path: Path) -> None:
    """One mail without them is enough: it could not be served."""
    dataset = Dataset(tmp_path)
    dataset.append([_mail(1, "ann", "1", b"A1\r\n"), _mail(2, "ann", "2", None)], "ann")
    with pytest.raises(POP3UsageError, match="keep_raw=True"):
        list(read_mailbox(tmp_path))


def test_deleting_from_a_served_folder_leaves_its_files(tmp_path: Path) -> None:
    """Only the mailbox in memory changes."""
    (tmp_path / "a.eml").write_bytes(b"A\n")
    maildrop = Maildrop(read_mailbox(tmp_path))
    session = maildrop.open()
    assert session is not None
    session.mark(1)
    session.update()

    assert 0 == len(maildrop)
    assert b"A\n" == (tmp_path / "a.eml").read_bytes()


def test_an_mbox_twice_as_long_costs_about_twice_the_time(tmp_path: Path) -> None:
    """Mails are cut out of the file, not the file out of the mails."""
    once, twice = tmp_path / "once", tmp_path / "twice"
    for path, count in ((once, 4_000), (twice, 8_000)):
        path.write_bytes((b"From x\nSubject: y\n\n" + b"body\n" * 100 + b"\n") * count)

    assert cpu.growth(lambda: list(read_mailbox(once)), lambda: list(read_mailbox(twice))) < 3
