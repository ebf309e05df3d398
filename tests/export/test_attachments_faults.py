"""Killed or refused at any step: a committed row names only files that are there and whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from export.mailboxes import account_of, ids, stored
from export.test_attachments import digest, files_in, hashes_in, mail_with

from pop3frames.errors import POP3ExportError
from pop3frames.export import passes
from pop3frames.export.attachments import AttachmentStore
from pop3frames.export.mailbox import export_mailbox
from pop3frames.server.embedded import EmbeddedServer

CONTENTS = [b"%d" % number * 300 for number in range(3)]
MAILS = [
    mail_with(number, ("a", CONTENTS[number % 3]), ("b", CONTENTS[(number + 1) % 3])) for number in range(4)
]
FAULTS = [("kill", call) for call in ("mkdir", "open", "fsync", "link", "unlink")]
FAULTS += [("refuse", call) for call in ("mkdir", "open", "fsync", "link")]

Export = Callable[..., str]


@pytest.fixture(scope="module")
def stores(export: Callable[..., tuple[str, float]]) -> Export:
    """`stores(path, **order)`: an export of MAILS in a process of its own; how it ended."""

    def stores(path: Path, **order: Any) -> str:
        return export(path / "mail", MAILS, attachments=str(path / "files"), **order)[0]

    return stores


@pytest.mark.parametrize(("kind", "call"), FAULTS)
def test_a_fault_at_any_step_leaves_whole_files_and_rows_that_name_only_such(
    tmp_path: Path, stores: Export, kind: str, call: str
) -> None:
    """At each call in turn, until none is left to hit; the next run completes what was cut."""
    endings = []
    while not endings or endings[-1] != "done":
        path = tmp_path / str(len(endings))
        endings.append(stores(path, **{kind: [call, len(endings) + 1]}))
        store, folder = AttachmentStore(path / "files"), path / "mail"
        assert [] == store.verify(folder)
        left = stored(folder)
        assert sorted(set(left)) == left
        assert all(hashes_in(folder)), "a row without the hashes of its two attachments"
        assert len(list(path.glob("*/.staging/*"))) <= 1
        assert "done" == stores(path)
        assert ids(MAILS) == stored(folder)
        named = {each for hashes in hashes_in(folder) for each in hashes or ()}
        assert (
            {digest(each) for each in CONTENTS}
            == named
            == {each.stem for each in store.path.glob("??/*.bin")}
        )
        assert [] == store.verify(folder)
    assert {"kill": "killed", "refuse": "POP3ExportError"}[kind] in endings
    assert len(endings) > {"mkdir": 5, "unlink": 4, "link": 4, "open": 12, "fsync": 12}[call]


def test_files_are_durable_before_the_row_that_names_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut could do: content synced before its name, the name before the part."""
    events: list[tuple[str, Path]] = []
    fsync, link = os.fsync, os.link

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        events.append(("synced", Path(f"/proc/self/fd/{descriptor}").readlink()))

    def noted_link(source: Path, target: Path, **options: Any) -> None:
        link(source, target, **options)
        events.append((f"linked {source}", Path(target)))

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "link", noted_link)
    monkeypatch.setattr(passes, "COMMIT_OCTETS", 1500)
    with EmbeddedServer(MAILS) as server:
        export_mailbox(account_of(server), folder, attachments=tmp_path / "files")
    linked = {
        path: (at, Path(what.removeprefix("linked ")))
        for at, (what, path) in enumerate(events)
        if what[0] == "l"
    }
    files = {path: where for path, where in linked.items() if path.suffix == ".bin"}
    parts = sorted(at for path, (at, _) in linked.items() if path.suffix == ".parquet")
    assert (3, True) == (len(files), len(parts) > 1)
    for path, (at, staged) in files.items():
        synced = [when for when, event in enumerate(events) if event == ("synced", path.parent)]
        assert ("synced", staged) in events[:at]
        next_part = min(part for part in parts if part > at)
        assert any(at < when < next_part for when in synced)


def test_a_disk_that_is_full_in_the_middle_of_a_file_leaves_nothing_of_it(tmp_path: Path) -> None:
    """A real limit of the kernel on file sizes, in a process of its own: no half file under any name."""
    program = (
        "import resource, sys\n"
        "from pop3frames.errors import POP3ExportError\n"
        "from pop3frames.export.attachments import AttachmentStore\n"
        "store = AttachmentStore(sys.argv[1])\n"
        "small = store.put(b'small')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    store.put(b'large' * 10_000)\n"
        "except POP3ExportError as exc:\n"
        "    print(small, exc)\n"
    )
    path = tmp_path / "files"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert "" == done.stderr
    small, _, said = done.stdout.partition(" ")
    assert digest(b"small") == small
    assert "raise it (ulimit -f)" in said
    assert "Attachments stored before are complete." in said
    assert [AttachmentStore(path).file(small)] == files_in(path)


def test_a_copy_that_the_disk_refuses_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSPC behind the write: the name is free again."""
    store = AttachmentStore(tmp_path / "files")
    name = store.put(b"content")

    def refused(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(POP3ExportError, match="the disk is full"):
        store.save(name, tmp_path, "a.txt")
    assert not (tmp_path / "a.txt").exists()
