"""The Arrow schema says what `message.py` says, and nothing else."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pop3frames.frames.schema import SCHEMA, column_name, documented_columns
from pop3frames.message import ATTACHMENT_COLUMNS, COLUMNS, Message


def test_the_schema_has_the_columns_of_a_message_in_their_order() -> None:
    """Names and order come from message.py."""
    assert [column.name for column in COLUMNS] == SCHEMA.names


def test_a_column_is_nullable_exactly_where_the_attribute_may_be_none() -> None:
    """Nothing inside a list is ever null."""
    assert [column.nullable for column in COLUMNS] == [field.nullable for field in SCHEMA]
    nested = [field.type.value_field for field in SCHEMA if pa.types.is_list(field.type)]
    assert [field.nullable for field in nested] == [False] * 5


def test_every_column_carries_its_meaning_as_a_comment() -> None:
    """Also inside the attachments' struct."""
    assert [c.meaning for c in COLUMNS] == [f.metadata[b"comment"].decode() for f in SCHEMA]
    struct = SCHEMA.field("attachments").type.value_type
    assert [c.meaning for c in ATTACHMENT_COLUMNS] == [f.metadata[b"comment"].decode() for f in struct]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("messageId", pa.int64()),
        ("isRead", pa.bool_()),
        ("subject", pa.string()),
        ("raw", pa.binary()),
        ("receivedAt", pa.timestamp("ms", tz="UTC")),
        ("to", pa.list_(pa.field("element", pa.string(), nullable=False))),
    ],
)
def test_a_column_type_has_one_arrow_type(name: str, expected: pa.DataType) -> None:
    """One example of each."""
    assert expected == SCHEMA.field(name).type


def test_attachments_are_structs_of_name_type_and_size() -> None:
    """Three non-null fields."""
    struct = SCHEMA.field("attachments").type.value_type
    expected = [("filename", pa.string()), ("contentType", pa.string()), ("size", pa.int64())]
    assert expected == [(field.name, field.type) for field in struct]
    assert not any(field.nullable for field in struct)


def test_the_schema_names_its_producer_and_version() -> None:
    """So that a file found years later says what it is."""
    assert SCHEMA.metadata == {b"producer": b"pop3frames", b"pop3frames.schema_version": b"1"}


def test_the_documented_columns_are_the_keys_of_the_documented_dict() -> None:
    """They come first, in the same order."""
    assert list(Message().to_dict()) == documented_columns() == SCHEMA.names[:20]


def test_column_name_translates_an_attribute() -> None:
    """Of a message or of an attachment."""
    assert tuple(map(column_name, ("content_hash", "from_", "content_type"))) == (
        "contentHash",
        "from",
        "contentType",
    )
