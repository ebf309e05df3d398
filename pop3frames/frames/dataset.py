"""The Parquet dataset: a folder of parts by account, which is the data and the record of what is stored.

    DATASET/<account, URL-encoded>/part-<number>.parquet      DATASET/.staging/   (empty between commits)

The door to it: which files count is in `snapshot.py`, the keys are in `ledger.py`, the commit in `parts.py`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import unquote

import pyarrow as pa

from pop3frames.errors import POP3UsageError
from pop3frames.frames.batches import to_dataframe
from pop3frames.frames.ledger import Known
from pop3frames.frames.originals import Originals
from pop3frames.frames.parquet import storage_errors
from pop3frames.frames.parts import STAGING, Commit, PartWriter, sweep
from pop3frames.frames.schema import SCHEMA, column_name
from pop3frames.frames.snapshot import Part, folder_name, numbered_parts, settled
from pop3frames.frames.versions import conformed_part
from pop3frames.frames.views import arrow_dataset, duckdb_view, renamed
from pop3frames.message import Message

if TYPE_CHECKING:
    import pandas

    from pop3frames.frames.pruning import Pruning
    from pop3frames.frames.renumbering import Key
    from pop3frames.frames.replacement import Replacement
    from pop3frames.frames.verification import Verification

Rename = Literal["snake"] | None
_T = TypeVar("_T")

PART_BYTES = 128 << 20  # of a file; readers like 64 to 256 MB
ONE_DAY = 86_400.0


def enclosing_dataset(path: Path) -> Path | None:
    """The dataset in which a file of this path would lie, where Parquet readers took it for a part."""
    folder = path.expanduser().absolute().parent
    for each in (folder, *folder.parents):
        if (each / STAGING).is_dir():
            return each
    if any(folder.glob("*/part-*.parquet")):  # a copy, made without the folder for staging
        return folder
    return folder.parent if any(folder.glob("part-*.parquet")) else None


class Dataset:
    """A dataset in a local folder. Opening one touches nothing; the first message staged creates it.

    Any number of Dataset objects, threads (each with a writer of its own) and processes may share the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        given = os.fspath(path)
        if "://" in given:
            raise POP3UsageError(
                "a dataset lives in a local folder: object stores cannot promise exactly-once"
            )
        if "\0" in given or given.encode(errors="ignore").decode() != given:
            raise POP3UsageError("a dataset's path must be text without NUL that UTF-8 can encode")
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
        sweep(self.path, ONE_DAY)
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

    def _folders(self, account: str | None) -> list[Path]:
        names = self.accounts() if account is None else [account]
        return [self.path / folder_name(name) for name in names]

    def _each(self, account: str | None, read: Callable[[list[Part]], list[_T]]) -> list[_T]:
        """What `read` makes of the live parts, account by account."""
        live = (
            settled(folder, lambda snapshot: read(list(snapshot.live.values())))
            for folder in self._folders(account)
        )
        return [each for found in live for each in found]

    def parts(self, account: str | None = None) -> list[Path]:
        """The files that count, of one account or of all, in the order of their numbers."""
        return self._each(account, lambda parts: [part.path for part in parts])

    def count(self, account: str) -> int:
        """Committed rows of the account, from the files' footers."""
        return sum(self._each(account, lambda parts: [part.rows for part in parts]))

    def to_table(
        self, columns: Sequence[str] | None = None, account: str | None = None, rename: Rename = None
    ) -> pa.Table:
        """The committed rows as an Arrow table: all columns or those named, all accounts or one.

        rename="snake" gives snake_case column names (`from_`, `to_`, `text_body`); `columns` are the stored
        ones all the same. Parts of other releases are read as far as possible: see `versions.py`.
        """
        names = SCHEMA.names if columns is None else list(columns)
        if unknown := [name for name in names if name not in SCHEMA.names]:
            raise POP3UsageError(f"no such columns: {unknown}; there are {SCHEMA.names}")
        empty = pa.Table.from_batches([], SCHEMA).select(names)
        tables = self._each(account, lambda parts: [conformed_part(part.path, names) for part in parts])
        return renamed(pa.concat_tables([empty, *tables]), rename)

    def read(
        self, columns: Sequence[str] | None = None, account: str | None = None, rename: Rename = None
    ) -> pandas.DataFrame:
        """The same as a DataFrame: strings without a copy, times as `datetime64[ms, UTC]`, lists nested."""
        return to_dataframe(self.to_table(columns, account, rename))

    def to_arrow_dataset(self, account: str | None = None) -> Any:
        """A `pyarrow.dataset.Dataset` over the parts that count now: for filters, and data beyond memory.

        It knows these files only: what is committed later it does not show, and when a compaction removes one
        of them a scan fails with FileNotFoundError; then ask again.
        """
        return arrow_dataset(self.parts(account))

    def scanner(
        self,
        columns: Sequence[str] | None = None,
        account: str | None = None,
        filter: Any = None,  # noqa: A002
    ) -> Any:
        """A `pyarrow.dataset.Scanner` of those rows and columns; `to_batches()` streams them."""
        return self.to_arrow_dataset(account).scanner(
            columns=None if columns is None else list(columns), filter=filter
        )

    def duckdb_view(self, name: str = "mail", account: str | None = None) -> str:
        """SQL for a DuckDB view over the parts that count now, with snake_case names (`from_`, `to_`).

        Like a table of contents, it must be made again after an export or a compaction.
        """
        return duckdb_view(name, self.parts(account))

    def sizes(self, account: str) -> dict[str, int]:
        """Octets by unique-id, of mail fetched under it: not from parts that `renumber` has changed."""
        names = [column_name("uidl"), column_name("size")]
        tables = self._each(
            account,
            lambda parts: [conformed_part(part.path, names) for part in parts if not part.renumbered],
        )
        rows = pa.concat_tables([SCHEMA.empty_table().select(names), *tables]).to_pydict()
        return dict(zip(*rows.values(), strict=True))

    def safe(self, account: str, uidls: Container[str]) -> dict[str, str]:
        """SHA-256 by unique-id, of those mails whose original bytes are here: read back now, and compared."""
        return self.originals(account, uidls).hashes

    def originals(self, account: str, uidls: Container[str]) -> Originals:
        """The same, and what becomes of them afterwards."""
        return Originals(self.path / folder_name(account), uidls)

    def rows_with(
        self, account: str, column: str, values: Collection[Any], columns: Sequence[str]
    ) -> list[tuple[Any, ...]]:
        """The cells `columns` of the rows whose `column` is one of `values`; times as integers."""
        from pop3frames.frames.renumbering import matching

        return self._each(
            account,
            lambda parts: [row for part in parts for row in matching(part.path, column, values, columns)],
        )

    def renumber(self, known: Known, names: Mapping[Key, str]) -> int:
        """Give rows, by unique-id and content hash, the unique-ids under which the server has them now.

        As safe as `compact`. How many rows changed; one whose new unique-id is stored already does not.
        """
        from pop3frames.frames.renumbering import renumber

        return renumber(self.path, known, names)

    def compact(self, account: str | None = None) -> list[Replacement]:
        """Merges the small parts of one account, or of all, into parts of about 128 MB.

        Safe at any moment, beside exports and readers of this package; other Parquet readers may see mail
        twice for an instant. Two at once do the work once. Rows move, none changes. Memory: two row groups;
        disk: one more part. POP3ExportError when the disk refuses or a part is damaged: nothing is lost then.
        """
        from pop3frames.frames.compaction import compact_account

        self.sweep()
        return [each for folder in self._folders(account) for each in compact_account(self.path, folder)]

    def prune(
        self, *, before: datetime, account: str | None = None, columns: Sequence[str] | None = None
    ) -> Pruning:
        """Strips text, HTML and raw bytes (or those of `columns`) from rows older than `before`.

        Older by the mail's own date, or where it has none by when it was fetched. The rows stay, with UIDL,
        hash and sizes, and get `pruned` as the last code of their parse error: no export fetches them again,
        and without raw bytes none of them can be deleted from the server. As safe as `compact`.
        POP3UsageError for a time without a zone or for other columns.
        """
        from pop3frames.frames.pruning import BODIES_AND_RAW, Pruning, checked, prune_account

        moment, names = checked(before, columns or BODIES_AND_RAW), columns or BODIES_AND_RAW
        self.sweep()
        done = [prune_account(self.path, folder, moment, names) for folder in self._folders(account)]
        return Pruning(
            sum(each.rows for each in done),
            sum(each.octets for each in done),
            tuple(replacement for each in done for replacement in each.replacements),
        )

    def verify(self) -> Verification:
        """Reads every page of every part; the report is true when nothing is damaged, missing or doubled."""
        from pop3frames.frames.verification import verify

        return verify(self.path)

    def sweep(self, older_than: float = ONE_DAY) -> int:
        """Removes what killed processes left; returns how many files.

        That is: in `.staging/`, what was not touched for `older_than` seconds; and parts that newer ones have
        replaced, whatever their age.
        """
        from pop3frames.frames.leftovers import remove_leftovers

        removed = sweep(self.path, older_than)
        with storage_errors(f"remove replaced parts in {self.path}", "They do not count any more."):
            return removed + sum(map(remove_leftovers, self._folders(None)))
