"""The Arrow schema of a table of messages, derived from `message.py`.

Only the translation of column types belongs here. Names, order and meanings stay in `message.py`; how values
become arrays is `columns.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from pop3frames.message import ATTACHMENT_COLUMNS, COLUMNS, DOCUMENTED_COLUMNS, Column, ColumnType

SCHEMA_VERSION = 1  # raised when a column changes its name, type or meaning


def _field(column: Column) -> pa.Field:
    return pa.field(
        column.name,
        _TYPES[column.type],
        nullable=column.nullable,
        metadata={"comment": column.meaning},
    )


def _list_of(element: pa.DataType) -> pa.DataType:
    # "element" is what the Parquet format calls it: the schema reads back equal to what was written.
    return pa.list_(pa.field("element", element, nullable=False))


def _struct_of(columns: Iterable[Column]) -> pa.DataType:
    return pa.struct([_field(column) for column in columns])


_TYPES: dict[ColumnType, pa.DataType] = {
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "binary": pa.binary(),
    "timestamp_ms": pa.timestamp("ms", tz="UTC"),
    "strings": _list_of(pa.string()),
}
_TYPES["attachments"] = _list_of(_struct_of(ATTACHMENT_COLUMNS))

SCHEMA: pa.Schema = pa.schema(
    [_field(column) for column in COLUMNS],
    metadata={"producer": "pop3frames", "pop3frames.schema_version": str(SCHEMA_VERSION)},
)

_NAMES = {column.attribute: column.name for column in (*ATTACHMENT_COLUMNS, *COLUMNS)}


def column_name(attribute: str) -> str:
    """The column's name for an attribute of Message or Attachment, so that no other file spells one."""
    return _NAMES[attribute]


def documented_columns() -> list[str]:
    """Names of the twenty documented columns, in their order, for `table.select(...)`."""
    return [column.name for column in DOCUMENTED_COLUMNS]
