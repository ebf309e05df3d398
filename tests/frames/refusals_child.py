"""Run as a program: writes a file where the system refuses, and prints the error and what was left."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

from pop3frames.errors import POP3ExportError
from pop3frames.frames.batches import record_batches
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.parquet import write_file
from pop3frames.message import Message

NOBODY = 65_534


def prepare(case: str, folder: Path) -> None:
    """Makes the system refuse."""
    if case == "read-only folder":
        folder.chmod(0o555)
        if os.geteuid() == 0:  # root may write anywhere
            os.setgid(NOBODY)
            os.setuid(NOBODY)
    else:
        kind, limit = {
            "file limit": (resource.RLIMIT_FSIZE, 100_000),
            "open files": (resource.RLIMIT_NOFILE, 3),
        }[case]
        resource.setrlimit(kind, (limit, resource.getrlimit(kind)[1]))


def attempt(name: str, folder: Path) -> None:
    """Writes one file, or to a dataset; the noise in `raw` does not compress."""
    mails = [Message(message_id=n, account="a", uidl=str(n), raw=os.urandom(50_000)) for n in range(20)]
    try:
        if name == "file":
            write_file(folder / "mail.parquet", record_batches(mails, max_rows=4))
        elif name == "door":
            Dataset(folder).check_writable()
        else:
            Dataset(folder).append(mails, "a")
    except POP3ExportError as error:
        sys.stdout.write(f"{error}\n")
    else:
        sys.stdout.write("no error\n")


def main(case: str) -> None:
    """Both ways, in a folder that holds an older file."""
    folder = Path(tempfile.mkdtemp())
    try:
        old = folder / "mail.parquet"
        write_file(old, record_batches([Message(message_id=7)]))
        before = old.read_bytes()
        if os.fork() == 0:
            try:
                prepare(case, folder)
                attempt("file", folder)
                attempt("dataset", folder)
                attempt("door", folder)
                sys.stdout.flush()
            finally:
                os._exit(0)
        os.wait()
        folder.chmod(0o755)
        left = [str(p) for p in folder.rglob("*") if p.is_file() and p != old]
        fate = "unchanged" if before == old.read_bytes() else "damaged"
        sys.stdout.write(f"left behind: {left} the old file is {fate}\n")
    finally:
        shutil.rmtree(folder)


main(sys.argv[1])
