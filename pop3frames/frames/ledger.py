"""What a dataset already holds: the keys of an account's rows, and how they are read back.

Only reading. The live parts are the ledger; nothing is kept beside them that could disagree. A row's key is
its UIDL, or its content hash where the server gave no usable UIDL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pop3frames.errors import POP3ExportError, printable
from pop3frames.frames.keys import KeySet
from pop3frames.frames.parquet import storage_errors, sync_folder
from pop3frames.frames.schema import column_name
from pop3frames.frames.snapshot import OTHERS, Part, Snapshot, settled

ACCOUNT, UIDL, CONTENT_HASH = column_name("account"), column_name("uidl"), column_name("content_hash")


def read_part(path: Path, columns: list[str] | None = None) -> pa.Table:
    """One part (all columns by default). POP3ExportError when it cannot be read."""
    with storage_errors(f"read {path}", OTHERS), pq.ParquetFile(path) as file:
        return file.read(columns)


def keys_of(table: pa.Table) -> Iterator[tuple[str | None, str | None]]:
    """(uidl, content hash) of each row."""
    return zip(table.column(UIDL).to_pylist(), table.column(CONTENT_HASH).to_pylist(), strict=True)


class Keys:
    """Keys of a part's rows: `uidls`, content `hashes`, and `loose`, the hashes of rows without a UIDL."""

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


@dataclass
class Columns:
    """Keys as parts hold them; `loose` are the content hashes of rows without a UIDL."""

    uidls: list[pa.Array] = field(default_factory=list)
    loose: list[pa.Array] = field(default_factory=list)
    hashes: list[pa.Array] = field(default_factory=list)


class Known:
    """What the committed parts of one account hold, read when first asked for.

    `uidls`, `hashes` and `loose` are sets to test membership in; `holds` applies the rule for duplicates;
    `refresh` reads the parts that appeared since. Whatever it says is on the disk to stay: it syncs before it
    answers. `parts` are those that it speaks of.
    """

    def __init__(self, folder: Path, account: str) -> None:
        self.folder, self.account = folder, account
        self._uidls, self._hashes, self._loose = KeySet(), KeySet(), KeySet()
        self.parts: dict[int, Part] = {}
        self._numbers: set[int] = set()  # of parts whose keys are here, and of those that they replaced
        self._fresh = False
        self._hashes_read = False

    @property
    def uidls(self) -> KeySet:
        """Every UIDL in the committed parts."""
        self._ensure()
        return self._uidls

    @property
    def hashes(self) -> KeySet:
        """Every content hash in the committed parts; a second column to read, so ask only when needed."""
        self._ensure()
        if not self._hashes_read:
            self._hashes.add(settled(self.folder, self._hashes_of, self.parts))
            self._hashes_read = True
        return self._hashes

    @property
    def loose(self) -> KeySet:
        """Content hashes of rows without a UIDL."""
        self._ensure()
        return self._loose

    def holds(self, uidl: str | None, content_hash: str | None) -> bool:
        """True when a row with these keys would be a duplicate.

        That is: its UIDL is known; or it has none, and its content is known from any row; or it has one, and
        its content was stored before under no UIDL at all.
        """
        self._ensure()
        if uidl is None:
            return content_hash in self.hashes
        return uidl in self._uidls or content_hash in self._loose

    def clashes(self, keys: Keys) -> bool:
        """True when any row behind `keys` would be a duplicate."""
        self._ensure()
        if not (self._uidls.isdisjoint(keys.uidls) and self._loose.isdisjoint(keys.hashes)):
            return True
        return bool(keys.loose) and not self.hashes.isdisjoint(keys.loose)

    def refresh(self) -> int:
        """Reads the parts that appeared since the last time; returns the highest part number, 0 for none.

        A part that replaced only parts read before holds their rows, and is not read, unless keys changed.
        """
        self.parts, fresh = settled(self.folder, self._read_new, self.parts)
        self._uidls.add(fresh.uidls)
        self._loose.add(fresh.loose)
        self._hashes.add(fresh.hashes)
        del fresh
        pa.default_memory_pool().release_unused()  # or what a million keys came in stays beside them
        self._numbers.update(*({part.number, *part.replaces} for part in self.parts.values()))
        self._fresh = True
        return max(self.parts, default=0)

    def learn(self, part: Part, keys: Keys) -> None:
        """Takes up a part that was just committed, without reading it."""
        self.parts[part.number] = part
        self._numbers.add(part.number)
        self._uidls.update(keys.uidls)
        self._loose.update(keys.loose)
        if self._hashes_read:
            self._hashes.update(keys.hashes)

    def _ensure(self) -> None:
        if not self._fresh:
            self.refresh()

    def _is_new(self, part: Part) -> bool:
        if part.number in self._numbers:
            return False
        return part.renumbered or not part.replaces <= self._numbers or not part.replaces

    def _read_new(self, snapshot: Snapshot) -> tuple[dict[int, Part], Columns]:
        fresh = Columns()
        if not snapshot.live.keys() <= self._numbers:
            # Their writer may have died before it synced, and a message may be deleted on our word.
            with storage_errors(f"sync {self.folder}", "Nothing was changed."):
                make_durable(self.folder)
        for part in filter(self._is_new, snapshot.live.values()):
            self._read_keys(part.path, fresh)
            if self._hashes_read:
                fresh.hashes += _hashes_in(part.path)
        return snapshot.live, fresh

    def _read_keys(self, path: Path, fresh: Columns) -> None:
        uidls: list[pa.Array] = []
        with storage_errors(f"read {path}", OTHERS), pq.ParquetFile(path) as file:
            _check_columns(path, file.schema.names)
            accounts = set[str | None]()
            # Not from statistics: pyarrow ends the whole process when it looks at those of a damaged footer.
            # In batches, and not the whole file: that leaves twice the memory to Arrow's allocator.
            for batch in file.iter_batches(10_000, columns=[ACCOUNT, UIDL], use_threads=False):
                accounts.update(batch.column(ACCOUNT).unique().to_pylist())
                uidls.append(batch.column(UIDL))
        # A part in the wrong folder (copied, or names that differ only in case) would hide another's mail.
        if not accounts <= {self.account}:
            raise POP3ExportError(
                f"{path} holds mail of another account than {printable(self.account)}: "
                "move it to that account's folder"
            )
        fresh.uidls += uidls
        if any(each.null_count for each in uidls):
            rows = read_part(path, [UIDL, CONTENT_HASH])
            fresh.loose += rows.column(CONTENT_HASH).filter(rows.column(UIDL).is_null()).chunks

    def _hashes_of(self, snapshot: Snapshot) -> list[pa.Array]:
        # Not of parts added since the last refresh; but what was rewritten since may hold rows of those too.
        parts = (p for p in snapshot.live.values() if p.number in self._numbers or p.replaces)
        return [each for part in parts for each in _hashes_in(part.path)]


def _hashes_in(path: Path) -> list[pa.Array]:
    chunks: list[pa.Array] = read_part(path, [CONTENT_HASH]).column(CONTENT_HASH).chunks
    return chunks


def key_columns(path: Path) -> pa.Table:
    """Account, UIDL and content hash of a part's rows. POP3ExportError when pop3frames did not write it."""
    rows = read_part(path, [ACCOUNT, UIDL, CONTENT_HASH])
    _check_columns(path, rows.column_names)
    return rows


def _check_columns(path: Path, names: Collection[str]) -> None:
    if not {ACCOUNT, UIDL, CONTENT_HASH} <= set(names):
        raise POP3ExportError(f"{path} was not written by pop3frames: move it out of the dataset")


def make_durable(folder: Path) -> None:
    """The names in an account's folder, and the folder's own name in the dataset, survive a power cut."""
    sync_folder(folder)
    sync_folder(folder.parent)
