"""Messages to record batches, cut by rows and by bytes, and to pandas.

Nothing here touches a file. pandas is imported only by `to_dataframe`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
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
_texts_of = attrgetter(*(column.attribute for column in COLUMNS if column.type == "string"))
_lists_of = attrgetter(*(column.attribute for column in COLUMNS if column.type == "strings"))
_attachment_texts_of = attrgetter(*(c.attribute for c in ATTACHMENT_COLUMNS if c.type == "string"))
_ATTACHMENTS = [i for i, column in enumerate(COLUMNS) if column.type == "attachments"]
_ROW_BYTES = 8 * len(COLUMNS)  # numbers and offsets of one row, rounded up
_ELEMENT_BYTES = 8 * len(ATTACHMENT_COLUMNS)  # the same for one element of a list


class BatchBuilder:
    """Collects the values of messages; `finish` turns them into one record batch.

    `rows` and `nbytes` say what is waiting: at most so many bytes, since text that is not ASCII is not
    encoded to be counted.
    """

    def __init__(self, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES) -> None:
        if max_rows < 1 or max_bytes < 1:
            raise POP3UsageError(
                "a batch holds at least one row and one byte: max_rows and max_bytes are >= 1"
            )
        self.max_rows, self.max_bytes = max_rows, min(max_bytes, CELL_LIMIT)
        self._rows: list[tuple[Any, ...]] = []
        self.nbytes = 0

    @property
    def rows(self) -> int:
        return len(self._rows)

    def append(self, message: Message) -> pa.RecordBatch | None:
        """Takes one message; returns the batch before it when that one is full.

        Raises POP3ExportError for a message over 2 GiB, which no cell can hold; the others are not affected.
        """
        nbytes = _bytes_of(message)
        full = None
        if self._rows and (len(self._rows) >= self.max_rows or self.nbytes + nbytes > self.max_bytes):
            full = self.finish()
        self._rows.append(_values_of(message))
        self.nbytes += nbytes
        return full

    def finish(self) -> pa.RecordBatch:
        """What was collected since the last call, as one batch (perhaps of no rows)."""
        columns: list[Sequence[Any]] = list(zip(*self._rows, strict=True)) or [()] * len(COLUMNS)
        for i in _ATTACHMENTS:
            columns[i] = [list(map(_attachment_values_of, each)) for each in columns[i]]
        arrays = [array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
        self._rows, self.nbytes = [], 0
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _bytes_of(message: Message) -> int:
    """What the cells of a message take in Arrow, or more: four octets a character where not all are ASCII."""
    texts = [*filter(None, _texts_of(message)), *chain.from_iterable(filter(None, _lists_of(message)))]
    for attachment in message.attachments:
        texts += _attachment_texts_of(attachment)
    width = 1 if all(map(str.isascii, texts)) else 4
    nbytes = _ROW_BYTES + _ELEMENT_BYTES * len(texts) + width * sum(map(len, texts)) + len(message.raw or b"")
    if nbytes > CELL_LIMIT:
        raise POP3ExportError(
            f"message {message.message_id} holds up to {nbytes / 2**30:.1f} GiB, a table cell at most 2 GiB: "
            "leave it out, or export without the raw bytes"
        )
    return nbytes


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
