"""Run as a program: exports and deletions in forks of itself, each ended or disturbed at an I/O call.

A line of its input is a JSON object:

    task, port, password, folder    "export" (one that deletes), or "commit" of the unique-ids in `wanted`
    kind, at                        "kill": SIGKILL at that step; "refuse": the system call fails there
    octets                          of raw mail, after which an export commits
    pipelining, timeout             as for an Account

A step is the moment before a call of interest; for a refusal also the one behind it, where the call has
changed something. The answer is a line: how the fork ended ("done", "killed", or the name of the exception),
how many steps it took, and the report of the deletion, if it lived to tell.
"""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from export.mailboxes import account_at, account_of, mails

from pop3frames.client import connection
from pop3frames.client.retry import Retry
from pop3frames.errors import POP3Error
from pop3frames.export import mailbox
from pop3frames.export.deletion import commit_deletions
from pop3frames.export.report import DeletionReport
from pop3frames.server.embedded import EmbeddedServer

REFUSALS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE)
ON_DISK = ("fsync", "link", "listdir", "mkdir", "open", "unlink")
ON_THE_WIRE = ("connect", "recv_into", "send")
CHANGING = ("fsync", "link", "mkdir", "send", "unlink")


class Fault:
    """Counts the steps, and strikes at one of them."""

    def __init__(self, kind: str, at: int) -> None:
        self.kind, self.at, self.count = kind, at, 0

    def step(self, refusals: tuple[int, ...]) -> None:
        at, self.count = self.count, self.count + 1
        if at == self.at:
            if self.kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            refusal = refusals[at % len(refusals)]
            raise OSError(refusal, os.strerror(refusal))

    def behind(self) -> None:
        """A kill here would be one before the next call."""
        if self.kind != "kill":
            self.step(REFUSALS)

    def wrap(self, function: Callable[..., Any], refusals: tuple[int, ...] = REFUSALS) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.step(refusals)
            result = function(*arguments, **options)
            if function.__name__ in CHANGING:
                self.behind()
            return result

        return call

    def install(self) -> None:
        """Only in a fork: the real functions are gone afterwards."""
        fault = self

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                fault.step(REFUSALS)
                short = len(data) > 2000  # the system may take less than it is given
                taken = super().write(data[: len(data) // 2] if short else data)
                fault.behind()
                return int(taken or 0)

        def opened(path: Path, mode: str) -> Any:
            return io.BufferedWriter(File(path, mode))

        for name in ON_DISK:
            setattr(os, name, self.wrap(getattr(os, name)))
        for name in ON_THE_WIRE:
            setattr(socket.socket, name, self.wrap(getattr(socket.socket, name), (errno.ECONNRESET,)))
        pq.ParquetFile = self.wrap(pq.ParquetFile)
        pq.read_metadata = self.wrap(pq.read_metadata)
        Path.open = self.wrap(opened)  # type: ignore[method-assign]


def run(order: dict[str, Any]) -> tuple[str, int, list[Any] | None]:
    """One task: how it ended, the steps, and what its report says of deletions."""
    connection._RETRY = mailbox.PAUSES = Retry(sleep=lambda seconds: None)
    mailbox.COMMIT_OCTETS = order["octets"]
    fault = Fault(order["kind"], order["at"])
    account = account_at(
        order["port"], order["password"], pipelining=order["pipelining"], timeout=order["timeout"]
    )
    ended, report = "done", None
    fault.install()
    try:
        if order["task"] == "commit":
            report = commit_deletions(account, order["folder"], order["wanted"], empty_mailbox=True)
        else:
            report = mailbox.export_mailbox(
                account, order["folder"], keep_raw=True, delete=True, progress=False
            ).deleted
    except POP3Error as exc:
        ended, report = type(exc).__name__, getattr(exc, "report", None)
        if report is not None and not isinstance(report, DeletionReport):
            report = report.deleted
    told = report and [report.confirmed, list(report.refused), report.unknown]
    return ended, fault.count, told


def fork(order: dict[str, Any]) -> Any:
    """What `run` returns in a process of its own; ("killed", 0, None) when it did not live to say."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, json.dumps(run(order)).encode())
        except BaseException as exc:
            os.write(writing, json.dumps([f"{type(exc).__name__}: {exc}", 0, None]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(said) if said else ["killed", 0, None]


def warm_up() -> None:
    """Do it all once, so that no fork imports anything: that takes longer than the rest."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer(mails(2)) as server:
        for _ in range(2):  # the second one finds a part to read
            mailbox.export_mailbox(account_of(server), folder, keep_raw=True, progress=False)
        commit_deletions(account_of(server), folder, ["uid-00001"])


if __name__ == "__main__":
    warm_up()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(fork(json.loads(line))) + "\n")
        sys.stdout.flush()
