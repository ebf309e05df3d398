"""What a dataset already holds: part names, the keys of an account's rows, and how they are read back.

Only reading. The parts are the ledger; nothing is kept beside them that could disagree. A row's key is its
UIDL, or its content hash where the server gave no usable UIDL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from pop3frames.errors import POP3ExportError, POP3UsageError, printable
from pop3frames.frames.columns import texts
from pop3frames.frames.parquet import storage_errors, sync_folder
from pop3frames.frames.schema import column_name

ACCOUNT, UIDL, CONTENT_HASH = column_name("account"), column_name("uidl"), column_name("content_hash")

_OTHERS = "The other parts are not affected."
_PART = re.compile(r"part-(\d{8,})\.parquet")


def folder_name(account: str) -> str:
    """The account's folder: URL-encoded, a leading `.` or `_` too, because readers skip such names."""
    if not account:
        raise POP3UsageError("an account needs a name: its rows are kept in a folder of that name")
    name = quote(account, safe="")
    return name if name[0] not in "._" else f"%{ord(name[0]):02X}{name[1:]}"


def part_name(number: int) -> str:
    return f"part-{number:08d}.parquet"


def numbered_parts(folder: Path) -> dict[int, Path]:
    """The committed parts of an account by number, in order; empty where there is no such folder."""
    with storage_errors(f"read {folder}", "Nothing was changed."):
        try:
            names = [entry.name for entry in folder.iterdir()]
        except FileNotFoundError:
            return {}
    found = {int(match[1]): folder / match[0] for match in map(_PART.fullmatch, names) if match}
    return dict(sorted(found.items()))


def read_part(path: Path, columns: list[str] | None = None) -> pa.Table:
    """One part (all columns by default). POP3ExportError when it cannot be read."""
    with storage_errors(f"read {path}", _OTHERS), pq.ParquetFile(path) as file:
        return file.read(columns)


def row_count(path: Path) -> int:
    """Rows of one part, from its footer. POP3ExportError when it cannot be read."""
    with storage_errors(f"read {path}", _OTHERS):
        return int(pq.read_metadata(path).num_rows)


def _accounts_in(metadata: pq.FileMetaData) -> set[str]:
    """From the statistics, where all rows of a part have the same account: half the time of reading it."""
    index = metadata.schema.names.index(ACCOUNT)
    found = [metadata.row_group(i).column(index).statistics for i in range(metadata.num_row_groups)]
    return {bound for each in found if each and each.has_min_max for bound in (each.min, each.max)}


def keys_of(table: pa.Table) -> Iterator[tuple[str | None, str | None]]:
    """(uidl, content hash) of each row."""
    return zip(table.column(UIDL).to_pylist(), table.column(CONTENT_HASH).to_pylist(), strict=True)


class Keys:
    """Keys of some rows: `uidls`, all content `hashes`, and `loose`, the hashes of rows without a UIDL."""

    def __init__(self) -> None:
        self.uidls: set[str] = set()
        self.hashes: set[str] = set()
        self.loose: set[str] = set()

    def add(self, uidl: str | None, content_hash: str | None) -> None:
        if content_hash is not None:
            self.hashes.add(content_hash)
            if uidl is None:
                self.loose.add(content_hash)
        if uidl is not None:
            self.uidls.add(uidl)

    def holds(self, uidl: str | None, content_hash: str | None) -> bool:
        if uidl is None:
            return content_hash in self.hashes
        return uidl in self.uidls or content_hash in self.loose


class Known:
    """What the committed parts of one account hold, read when first asked for.

    `uidls` and `hashes` are sets to test membership in; `holds` applies the rule for duplicates; `refresh`
    reads the parts that appeared since. Whatever it says is on the disk to stay: it syncs before it answers.
    """

    def __init__(self, folder: Path, account: str) -> None:
        self.folder, self.account = folder, account
        self._keys = Keys()
        self._parts: dict[int, Path] = {}
        self._fresh = False
        self._hashes_read = False

    @property
    def uidls(self) -> Set[str]:
        """Every UIDL in the committed parts."""
        self._ensure()
        return self._keys.uidls

    @property
    def hashes(self) -> Set[str]:
        """Every content hash in the committed parts; a second column to read, so ask only when needed."""
        self._ensure()
        if not self._hashes_read:
            for path in self._parts.values():
                self._read_hashes(path)
            self._hashes_read = True
        return self._keys.hashes

    def holds(self, uidl: str | None, content_hash: str | None) -> bool:
        """True when a row with these keys would be a duplicate.

        That is: its UIDL is known; or it has none, and its content is known from any row; or it has one, and
        its content was stored before under no UIDL at all.
        """
        self._ensure()
        if uidl is None:
            return content_hash in self.hashes
        return self._keys.holds(uidl, content_hash)

    def clashes(self, keys: Keys) -> bool:
        """True when any row behind `keys` would be a duplicate."""
        self._ensure()
        if not (self._keys.uidls.isdisjoint(keys.uidls) and self._keys.loose.isdisjoint(keys.hashes)):
            return True
        return bool(keys.loose) and not keys.loose.isdisjoint(self.hashes)

    def refresh(self) -> int:
        """Reads the parts that appeared since the last time; returns the highest part number, 0 for none."""
        new = {n: path for n, path in numbered_parts(self.folder).items() if n not in self._parts}
        if new:
            # Their writer may have died before it synced, and a message may be deleted on our word.
            with storage_errors(f"sync {self.folder}", "Nothing was changed."):
                make_durable(self.folder)
        for number, path in new.items():
            self._read_keys(path)
            if self._hashes_read:
                self._read_hashes(path)
            self._parts[number] = path
        self._fresh = True
        return max(self._parts, default=0)

    def learn(self, number: int, path: Path, keys: Keys) -> None:
        """Takes up a part that was just committed, without reading it."""
        self._parts[number] = path
        self._keys.uidls |= keys.uidls
        self._keys.loose |= keys.loose
        if self._hashes_read:
            self._keys.hashes |= keys.hashes

    def _ensure(self) -> None:
        if not self._fresh:
            self.refresh()

    def _read_keys(self, path: Path) -> None:
        with storage_errors(f"read {path}", _OTHERS), pq.ParquetFile(path) as file:
            if not {ACCOUNT, UIDL, CONTENT_HASH} <= set(file.schema.names):
                raise POP3ExportError(f"{path} was not written by pop3frames: move it out of the dataset")
            accounts, table = _accounts_in(file.metadata), file.read([UIDL], use_threads=False)
        # A part in the wrong folder (copied, or names that differ only in case) would hide another's mail.
        if not accounts <= {self.account}:
            raise POP3ExportError(
                f"{path} holds mail of another account than {printable(self.account)}: "
                "move it to that account's folder"
            )
        self._keys.uidls.update(texts(table.column(UIDL)))
        if table.column(UIDL).null_count:
            rows = keys_of(read_part(path, [UIDL, CONTENT_HASH]))
            self._keys.loose.update(digest for uidl, digest in rows if uidl is None and digest is not None)

    def _read_hashes(self, path: Path) -> None:
        self._keys.hashes.update(texts(read_part(path, [CONTENT_HASH]).column(CONTENT_HASH)))


def make_durable(folder: Path) -> None:
    """The names in an account's folder, and the folder's own name in the dataset, survive a power cut."""
    sync_folder(folder)
    sync_folder(folder.parent)
