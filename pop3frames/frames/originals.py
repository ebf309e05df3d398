"""Mail whose original bytes are safe: in a committed part, read back from the disk now, and unchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Container
from pathlib import Path

import pyarrow.parquet as pq

from pop3frames.frames.parquet import storage_errors
from pop3frames.frames.schema import column_name

_UIDL, _HASH, _RAW = (column_name(name) for name in ("uidl", "content_hash", "raw"))


def safe_hashes(path: Path, wanted: Container[str]) -> dict[str, str]:
    """SHA-256 by unique-id, of those wanted whose `raw` in this part hashes to what the row says.

    Memory: a row group. POP3ExportError for a part that cannot be read.
    """
    safe: dict[str, str] = {}
    with (
        storage_errors(f"read {path}", "Nothing was deleted."),
        pq.ParquetFile(path, page_checksum_verification=True) as file,
    ):
        for group in range(file.num_row_groups):
            keys = file.read_row_group(group, columns=[_UIDL, _HASH]).to_pydict()
            rows = [row for row, uidl in enumerate(keys[_UIDL]) if uidl is not None and uidl in wanted]
            if not rows:
                continue
            originals = file.read_row_group(group, columns=[_RAW]).column(0)
            for row in rows:
                raw, told = originals[row], keys[_HASH][row]
                if raw.is_valid and told == hashlib.sha256(raw.as_buffer()).hexdigest():
                    safe[keys[_UIDL][row]] = told
    return safe
