"""Mail whose original bytes are safe: in a committed part, read back from the disk now, and unchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Container
from pathlib import Path

import pyarrow.parquet as pq

from pop3frames.frames.ledger import ACCOUNT, CONTENT_HASH, UIDL, make_durable
from pop3frames.frames.parquet import storage_errors
from pop3frames.frames.schema import column_name
from pop3frames.frames.snapshot import folder_name

_RAW = column_name("raw")
_KEYS = [ACCOUNT, UIDL, CONTENT_HASH]


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
        if safe:  # whoever wrote the part may have died before it synced, and mail is deleted on our word
            make_durable(path.parent)
    return safe
