"""An export whose disk refuses: what was committed stays, the report is right, the next run completes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from export.mailboxes import account_at, account_of, counts, digests, hashes, ids, mails, stored
from lab.scripted import ScriptedServer

from pop3frames.errors import POP3ExportError
from pop3frames.export import passes
from pop3frames.export.mailbox import export_mailbox
from pop3frames.server.embedded import EmbeddedServer

HERE = Path(__file__).parent


def test_a_dataset_path_that_is_a_file_is_refused_before_the_server_is_asked(tmp_path: Path) -> None:
    """The advice is to choose another path; the file is unchanged."""
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with ScriptedServer([]) as server:
        for wrong in (path, path / "below"):
            with pytest.raises(POP3ExportError, match="choose another path"):
                export_mailbox(account_at(server.port), wrong)
        assert [] == server.peers
    assert "mine" == path.read_text()


@pytest.mark.parametrize("path", ["/proc/mail", "/sys/mail", "/dev/null/mail"])
def test_a_folder_that_cannot_be_made_is_an_error_with_the_report(path: str) -> None:
    """File systems that refuse even root; nothing is counted as stored."""
    with (
        EmbeddedServer(mails(3)) as server,
        pytest.raises(POP3ExportError, match=r"cannot .*: .+:") as caught,
    ):
        export_mailbox(account_of(server), path)
    report = caught.value.report
    assert report is None or (3, 0, 0, 0, 3) == counts(report)
    assert not Path(path).exists()


def failing(original: Callable[..., Any], code: int, at: int) -> Callable[..., Any]:
    """A system call that the kernel refuses from the `at`-th time on."""
    count = 0

    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count >= at:
            raise OSError(code, os.strerror(code))
        return original(*arguments, **options)

    return call


@pytest.mark.parametrize(
    ("call", "code", "at", "advice"),
    [
        ("fsync", errno.ENOSPC, 1, "the disk is full: free some space and run it again"),
        ("fsync", errno.EIO, 10, "the disk reported an error: check it before running again"),
        ("link", errno.ENOSPC, 3, "the disk is full: free some space and run it again"),
        ("link", errno.EDQUOT, 1, "the disk quota is used up: free some space and run it again"),
        ("mkdir", errno.EROFS, 1, "it is mounted read-only: choose another folder"),
    ],
)
def test_a_disk_that_refuses_a_commit_ends_the_run_and_the_next_one_completes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, at: int, advice: str
) -> None:
    """New is what is in complete parts, the rest is left; nothing half-written stays behind."""
    monkeypatch.setattr(passes, "COMMIT_OCTETS", 2000)
    with EmbeddedServer(mails(40)) as server:
        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing(getattr(os, call), code, at))
            with pytest.raises(POP3ExportError) as caught:
                export_mailbox(account_of(server), folder)
        report, before = caught.value.report, stored(folder)
        listed, new, known, failed, left = counts(report)
        after = counts(export_mailbox(account_of(server), folder))
    assert advice in str(caught.value)
    assert "can be fetched again" in str(caught.value)
    assert (40, 0, 0) == (listed, known, failed)
    assert (new, 40 - new) == (len(before), left)
    assert (at > 1) == (new > 0)  # parts are committed as the run goes on
    assert (40, left, new, 0, 0) == after
    assert [] == list((folder / ".staging").iterdir())
    assert ids(mails(40)) == stored(folder)
    assert digests(mails(40)) == hashes(folder)


def test_a_part_that_is_linked_but_not_synced_is_there_and_not_doubled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what a power cut could do; the next run finds the part."""
    link, fsync = os.link, os.fsync
    linked: list[object] = []

    def counting_link(*arguments: Any, **options: Any) -> None:
        link(*arguments, **options)
        linked.append(arguments)

    def failing_fsync(descriptor: int) -> None:
        if linked:
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    with EmbeddedServer(mails(4)) as server:
        with monkeypatch.context() as patch:
            patch.setattr(os, "link", counting_link)
            patch.setattr(os, "fsync", failing_fsync)
            with pytest.raises(POP3ExportError, match="power cut") as caught:
                export_mailbox(account_of(server), folder)
        assert (4, 0, 0, 0, 4) == counts(caught.value.report)
        assert (4, 0, 4, 0, 0) == counts(export_mailbox(account_of(server), folder))
    assert ids(mails(4)) == stored(folder)


def test_the_kernels_own_refusal_of_a_large_part_leaves_nothing_behind(folder: Path) -> None:
    """A real limit on file sizes, in a child process: the error names it, and no file stays behind."""
    program = (
        "import resource, sys\n"
        "from export.mailboxes import account_at, counts\n"
        "from pop3frames.errors import POP3ExportError\n"
        "from pop3frames.export.mailbox import export_mailbox\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"  # imports may write larger files
        "try:\n"
        "    export_mailbox(account_at(int(sys.argv[1]), sys.argv[2]), sys.argv[3], keep_raw=True)\n"
        "except POP3ExportError as exc:\n"
        "    print(*counts(exc.report), exc)\n"
    )
    served = mails(60, octets=20_000)
    with EmbeddedServer(served) as server:
        run = subprocess.run(
            [sys.executable, "-c", program, str(server.port), server.password, str(folder)],
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(HERE.parent)},
            check=True,
        )
        assert "" == run.stderr
        assert run.stdout.startswith("60 0 0 0 60 cannot "), run.stdout
        assert "ulimit -f" in run.stdout
        assert [] == [path for path in folder.rglob("*") if path.is_file()]
        assert (60, 60, 0, 0, 0) == counts(export_mailbox(account_of(server), folder))
    assert digests(served) == hashes(folder)
