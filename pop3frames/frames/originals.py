"""Mail whose original bytes are safe: in a committed part, read back from the disk now, and unchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Container
from pathlib import Path

import pyarrow.parquet as pq

from pop3frames.frames.ledger import ACCOUNT, CONTENT_HASH, UIDL, make_durable
from pop3frames.frames.parquet import storage_errors, sync
from pop3frames.frames.schema import column_name
from pop3frames.frames.snapshot import Snapshot, folder_name, settled

_RAW = column_name("raw")
_KEYS = [ACCOUNT, UIDL, CONTENT_HASH]


class Originals:
    """Mails of one account whose original bytes are safe; `hashes` is their SHA-256 by unique-id.

    They are read back when this is made. `gone` tells what a pruning, or whoever removed or moved files, has
    taken since.
    """

    def __init__(self, folder: Path, wanted: Container[str]) -> None:
        self._folder = folder
        self._found = settled(folder, lambda snapshot: _found(snapshot, wanted))
        self.hashes = {uidl: digest for found in self._found.values() for uidl, digest in found.items()}

    def gone(self, uidls: Collection[str]) -> set[str]:
        """Those of the unique-ids whose bytes are not safe any more.

        A part never changes: what is in one that still counts is not read again.
        """
        live = settled(self._folder, lambda snapshot: {part.path for part in snapshot.live.values()})
        lost = [found for path, found in self._found.items() if path not in live]
        doubtful = {uidl for found in lost for uidl in found if uidl in uidls}
        if not doubtful:
            return doubtful
        moved = Originals(self._folder, doubtful).hashes  # by a compaction
        return {uidl for uidl in doubtful if moved.get(uidl) != self.hashes[uidl]}


def _found(snapshot: Snapshot, wanted: Container[str]) -> dict[Path, dict[str, str]]:
    return {part.path: safe_hashes(part.path, wanted) for part in snapshot.live.values()}


def safe_hashes(path: Path, wanted: Container[str]) -> dict[str, str]:
    """SHA-256 by unique-id, of those wanted whose `raw` in this part hashes to what the row says.

    Rows of another account than the folder's do not count. Memory: a row group. POP3ExportError for a part
    that cannot be read, or whose name may not survive a power cut.
    """
    safe: dict[str, str] = {}
    with storage_errors(f"read {path}", "Nothing was deleted."), pq.ParquetFile(path) as file:
        groups = file.num_row_groups if {*_KEYS, _RAW} <= set(file.schema_arrow.names) else 0
        for group in range(groups):
            keys = file.read_row_group(group, columns=_KEYS).to_pylist()
            rows = [row for row, key in enumerate(keys) if key[UIDL] is not None and key[UIDL] in wanted]
            if not rows:
                continue
            originals = file.read_row_group(group, columns=[_RAW]).column(0)
            for row in rows:
                raw, key = originals[row], keys[row]
                if not raw.is_valid or folder_name(key[ACCOUNT]) != path.parent.name:
                    continue
                if key[CONTENT_HASH] == hashlib.sha256(raw.as_buffer()).hexdigest():
                    safe[key[UIDL]] = key[CONTENT_HASH]
        if safe:  # whoever wrote or copied the part may not have synced it, and mail is deleted on our word
            sync(path)
            make_durable(path.parent)
    return safe
