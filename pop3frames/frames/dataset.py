"""The Parquet dataset: a folder of parts by account, which is the data and the record of what is stored.

    DATASET/<account, URL-encoded>/part-<number>.parquet      DATASET/.staging/   (empty between commits)

The door to it: reading is here, the keys are in `ledger.py`, the commit is in `parts.py`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa

from pop3frames.errors import POP3UsageError
from pop3frames.frames.batches import to_dataframe
from pop3frames.frames.ledger import Known, folder_name, numbered_parts, read_part, row_count
from pop3frames.frames.parquet import storage_errors
from pop3frames.frames.parts import Commit, PartWriter, sweep
from pop3frames.frames.schema import SCHEMA
from pop3frames.message import Message

if TYPE_CHECKING:
    import pandas

PART_BYTES = 128 << 20  # of a file; readers like 64 to 256 MB
ONE_DAY = 86_400.0


class Dataset:
    """A dataset in a local folder. Opening one touches nothing; the first message staged creates it.

    Any number of Dataset objects, threads (each with a writer of its own) and processes may share the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if "://" in os.fspath(path):
            raise POP3UsageError(
                "a dataset lives in a local folder: object stores cannot promise exactly-once"
            )
        self.path = Path(path).expanduser().absolute()

    def __repr__(self) -> str:
        return f"Dataset({str(self.path)!r})"

    def check_writable(self) -> None:
        """Raises POP3ExportError, with advice, when nothing could be committed here. Creates nothing."""
        with storage_errors(f"use {self.path} as a dataset", "Nothing was changed."):
            folder = self.path
            while not os.path.lexists(folder):
                folder = folder.parent
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "a file is in the way", str(folder))
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "not writable", str(folder))

    def known(self, account: str) -> Known:
        """What is committed for the account, read when asked: `uidls`, `hashes`, `holds(uidl, hash)`."""
        return Known(self.path / folder_name(account), account)

    def writer(self, account: str, known: Known | None = None) -> PartWriter:
        """A PartWriter for the account. `known` saves reading the ledger again where the caller has it."""
        if known is not None and known.account != account:
            raise POP3UsageError("`known` is of another account: its keys would hide this one's mail")
        self.check_writable()
        self.sweep()
        return PartWriter(self.path, known or self.known(account))

    def append(self, messages: Iterable[Message], account: str) -> list[Commit]:
        """Adds the messages that are new, in parts of about 128 MB, and returns the commits."""
        with self.writer(account) as writer:
            for message in messages:
                writer.add((message,))
                if writer.nbytes >= PART_BYTES:
                    writer.commit()
        return writer.commits

    def accounts(self) -> list[str]:
        """Names of the accounts that have committed parts, sorted."""
        with storage_errors(f"read {self.path}", "Nothing was changed."):
            folders = [entry for entry in self.path.iterdir() if entry.is_dir()] if self.path.exists() else []
        shown = (folder for folder in folders if folder.name[0] not in "._" and numbered_parts(folder))
        return sorted(unquote(folder.name) for folder in shown)

    def parts(self, account: str | None = None) -> list[Path]:
        """The committed files of one account, or of all, in the order of their numbers."""
        names = self.accounts() if account is None else [account]
        return [path for name in names for path in numbered_parts(self.path / folder_name(name)).values()]

    def count(self, account: str) -> int:
        """Committed rows of the account, from the files' footers."""
        return sum(row_count(path) for path in self.parts(account))

    def to_table(self, columns: Sequence[str] | None = None, account: str | None = None) -> pa.Table:
        """The committed rows as an Arrow table: all columns or those named, all accounts or one."""
        names = SCHEMA.names if columns is None else list(columns)
        if unknown := [name for name in names if name not in SCHEMA.names]:
            raise POP3UsageError(f"no such columns: {unknown}; there are {SCHEMA.names}")
        empty = pa.Table.from_batches([], SCHEMA).select(names)
        return pa.concat_tables(
            [empty, *(read_part(path, names).select(names) for path in self.parts(account))]
        )

    def read(self, columns: Sequence[str] | None = None, account: str | None = None) -> pandas.DataFrame:
        """The same as a DataFrame: strings without a copy, times as `datetime64[ms, UTC]`, lists nested."""
        return to_dataframe(self.to_table(columns, account))

    def sweep(self, older_than: float = ONE_DAY) -> int:
        """Removes what killed writers left in `.staging/` over `older_than` seconds ago; returns how many."""
        return sweep(self.path, older_than)
