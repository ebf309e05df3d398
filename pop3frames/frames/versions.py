"""Parts written by older and newer releases: which can be read, and how their columns become ours.

A column may be added without a new version: older readers ignore it, newer ones fill it in. The version is
raised only by what an older reader would misread.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pop3frames.errors import POP3ExportError
from pop3frames.frames.columns import array
from pop3frames.frames.parquet import storage_errors
from pop3frames.frames.schema import SCHEMA, SCHEMA_VERSION
from pop3frames.message import COLUMNS, Message

_VERSION = b"pop3frames.schema_version"
_DEFAULTS = {column.name: attrgetter(column.attribute)(Message()) for column in COLUMNS}


def check_version(metadata: Mapping[bytes, bytes], path: Path) -> None:
    """POP3ExportError when the part's schema version is newer than this release understands."""
    text = metadata.get(_VERSION, b"1")
    if not text.isdigit() or int(text) > SCHEMA_VERSION:
        raise POP3ExportError(
            f"{path} has schema version {text.decode(errors='replace')!r}, and this release reads up to "
            f"{SCHEMA_VERSION}: upgrade pop3frames. Nothing was changed."
        )


def conform(table: pa.Table, names: Sequence[str], path: Path) -> pa.Table:
    """The columns of SCHEMA that are named, in that order, with our types.

    A column that the part does not have gets the default of a Message: null, or where that is not allowed 0,
    False, '' or an empty list. Columns we do not know are left out. POP3ExportError when a type cannot be
    turned into ours.
    """
    schema = pa.schema([SCHEMA.field(name) for name in names], metadata=SCHEMA.metadata)
    with storage_errors(f"read {path}", "The other parts are not affected."):
        return pa.Table.from_arrays([_column(table, field) for field in schema], schema=schema)


def conformed_part(path: Path, names: Sequence[str]) -> pa.Table:
    """Those columns of one part, as `conform` gives them."""
    with storage_errors(f"read {path}", "The other parts are not affected."), pq.ParquetFile(path) as file:
        there = [name for name in names if name in file.schema_arrow.names]
        table = file.read(there)
        rows = table if there else table.select([]).append_column("", pa.nulls(file.metadata.num_rows))
    return conform(rows, names, path)


def schemas_agree(file: pq.ParquetFile) -> bool:
    """Arrow's description of the columns in the footer against Parquet's own: the footer has no checksum."""
    stored = (file.metadata.metadata or {}).get(b"ARROW:schema")
    if stored is None:  # not every program writes it
        return True
    try:
        described = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(stored, validate=True)))
    except (ValueError, pa.ArrowException, OSError):
        return False
    return bool(described.equals(file.schema_arrow))


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name not in table.column_names:
        return array([_DEFAULTS[field.name]] * table.num_rows, field.type)
    column = table.column(field.name)
    return column if column.type.equals(field.type) else column.cast(field.type)


def extra_fields(path: Path) -> tuple[pa.Field, ...]:
    """The columns of a part that SCHEMA does not have: of a newer release, and kept when it is rewritten."""
    with storage_errors(f"read {path}", "The other parts are not affected."):
        return tuple(field for field in pq.read_schema(path) if field.name not in SCHEMA.names)
