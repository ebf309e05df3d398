"""Messages to record batches, cut by rows and by bytes, and to pandas.

Nothing here touches a file. pandas is imported only by `to_dataframe`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pop3frames.errors import POP3ExportError, POP3UsageError
from pop3frames.frames.columns import array
from pop3frames.frames.schema import SCHEMA
from pop3frames.message import ATTACHMENT_COLUMNS, COLUMNS, Message

if TYPE_CHECKING:
    import pandas

MAX_ROWS = 10_000
MAX_BYTES = 64 << 20
CELL_LIMIT = (1 << 31) - 1  # Arrow's `string` and `binary` have 32-bit offsets

_values_of = attrgetter(*(column.attribute for column in COLUMNS))
_attachment_values_of = attrgetter(*(column.attribute for column in ATTACHMENT_COLUMNS))
_STRING = [i for i, column in enumerate(COLUMNS) if column.type == "string"]
_BINARY = [i for i, column in enumerate(COLUMNS) if column.type == "binary"]
_STRINGS = [i for i, column in enumerate(COLUMNS) if column.type == "strings"]
_ATTACHMENTS = [i for i, column in enumerate(COLUMNS) if column.type == "attachments"]
_ATTACHMENT_TEXTS = [i for i, column in enumerate(ATTACHMENT_COLUMNS) if column.type == "string"]
_ROW_BYTES = 8 * len(COLUMNS)  # numbers and offsets of one row, rounded up
_ELEMENT_BYTES = 8 * len(ATTACHMENT_COLUMNS)  # the same for one element of a list


def _utf8(text: str) -> bytes:
    # The parser promises clean text. Should a lone surrogate slip in, one cell looks odd; the run goes on.
    return text.encode("utf-8", "backslashreplace")


class BatchBuilder:
    """Collects messages as cells and counts their bytes; `finish` turns them into one record batch.

    `rows` and `nbytes` say what is waiting. Text is encoded as it is appended, so the count is exact and the
    message itself can be let go.
    """

    def __init__(self, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES) -> None:
        if max_rows < 1 or max_bytes < 1:
            raise POP3UsageError(
                "a batch holds at least one row and one byte: max_rows and max_bytes are >= 1"
            )
        self.max_rows, self.max_bytes = max_rows, min(max_bytes, CELL_LIMIT)
        self._rows: list[list[Any]] = []
        self.nbytes = 0

    @property
    def rows(self) -> int:
        return len(self._rows)

    def append(self, message: Message) -> pa.RecordBatch | None:
        """Takes one message; returns the batch before it when that one is full.

        Raises POP3ExportError for a message over 2 GiB, which no cell can hold; the others are not affected.
        """
        row, nbytes = _cells(message)
        full = None
        if self._rows and (len(self._rows) >= self.max_rows or self.nbytes + nbytes > self.max_bytes):
            full = self.finish()
        self._rows.append(row)
        self.nbytes += nbytes
        return full

    def finish(self) -> pa.RecordBatch:
        """What was collected since the last call, as one batch (perhaps of no rows)."""
        columns = zip(*self._rows, strict=True) if self._rows else ((),) * len(COLUMNS)
        arrays = [array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
        self._rows, self.nbytes = [], 0
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _cells(message: Message) -> tuple[list[Any], int]:
    row = list(_values_of(message))
    nbytes = _ROW_BYTES
    for i in _STRING:
        if row[i] is not None:
            row[i] = _utf8(row[i])
            nbytes += len(row[i])
    for i in _BINARY:
        nbytes += len(row[i] or b"")
    for i in _STRINGS:
        if row[i]:
            row[i] = [_utf8(text) for text in row[i]]
            nbytes += sum(map(len, row[i])) + _ELEMENT_BYTES * len(row[i])
    for i in _ATTACHMENTS:
        if row[i]:
            row[i] = [_attachment_cells(attachment) for attachment in row[i]]
            texts = (attachment[j] for attachment in row[i] for j in _ATTACHMENT_TEXTS)
            nbytes += sum(map(len, texts)) + _ELEMENT_BYTES * len(row[i])
    if nbytes > CELL_LIMIT:
        raise POP3ExportError(
            f"message {message.message_id} holds {nbytes / 2**30:.1f} GiB, a table cell at most 2 GiB: "
            "leave it out, or export without the raw bytes"
        )
    return row, nbytes


def _attachment_cells(attachment: Any) -> list[Any]:
    values = list(_attachment_values_of(attachment))
    for i in _ATTACHMENT_TEXTS:
        values[i] = _utf8(values[i])
    return values


class MessageStream:
    """Record batches of SCHEMA, made as they are asked for, from messages that are read as they are needed.

    Iterate it, or hand it to anything that speaks the Arrow C stream: `polars.DataFrame(stream)`,
    `duckdb.sql("from stream")`, `pyarrow.table(stream)`, `pandas.DataFrame.from_arrow(stream)`. It can be
    consumed once; a second time raises POP3UsageError. An error of the message source reaches whoever
    iterates as it is; through the C stream it arrives as the consumer's own exception, for C knows no Python
    types.
    """

    schema: pa.Schema = SCHEMA

    def __init__(self, messages: Iterable[Message], builder: BatchBuilder) -> None:
        self._messages: Iterable[Message] | None = messages
        self._builder = builder

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if self._messages is None:
            raise POP3UsageError(
                "this stream of messages was already consumed: ask for a new one, or keep its pyarrow.table()"
            )
        messages, self._messages = self._messages, None
        return self._cut(messages)

    def _cut(self, messages: Iterable[Message]) -> Iterator[pa.RecordBatch]:
        for message in messages:
            full = self._builder.append(message)
            if full is not None:
                yield full
        if self._builder.rows:
            yield self._builder.finish()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A PyCapsule, as the Arrow PyCapsule interface has it."""
        return pa.RecordBatchReader.from_batches(SCHEMA, iter(self)).__arrow_c_stream__(requested_schema)


def record_batches(
    messages: Iterable[Message], *, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES
) -> MessageStream:
    """Messages as a stream of record batches of at most `max_rows` rows and `max_bytes` bytes.

    A message bigger than `max_bytes` gets a batch of its own; over 2 GiB it raises POP3ExportError.
    """
    return MessageStream(messages, BatchBuilder(max_rows, max_bytes))


def to_dataframe(messages_or_table: Any) -> pandas.DataFrame:
    """Messages, or anything that speaks the Arrow C stream (a Table, a MessageStream), as a DataFrame.

    Strings share Arrow's memory, times are `datetime64[ms, UTC]`, lists and structs keep Arrow's type
    (accessors `.list` and `.struct`).
    """
    import pandas

    if isinstance(messages_or_table, MessageStream):
        table = pa.Table.from_batches(messages_or_table, SCHEMA)  # iterated, so that errors keep their type
    elif hasattr(messages_or_table, "__arrow_c_stream__"):
        table = pa.table(messages_or_table)
    else:
        table = pa.Table.from_batches(record_batches(messages_or_table), SCHEMA)
    frame: pandas.DataFrame = table.to_pandas(
        types_mapper=lambda type_: pandas.ArrowDtype(type_) if pa.types.is_nested(type_) else None
    )
    return frame
