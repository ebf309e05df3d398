"""Messages become record batches: the same rows, cut by rows and by bytes, as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pop3frames.errors import POP3ConnectionError, POP3ExportError, POP3UsageError
from pop3frames.frames import batches
from pop3frames.frames.batches import BatchBuilder, record_batches, to_dataframe
from pop3frames.frames.schema import SCHEMA
from pop3frames.message import Attachment, Message

Make = Callable[..., Message]


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_any_messages_become_the_rows_that_pyarrow_makes_of_them(
    data: st.DataObject, any_message: st.SearchStrategy[Message], row_of: Callable[[Message], dict[str, Any]]
) -> None:
    """However the batches are cut: same rows, same order, valid arrays."""
    messages = data.draw(st.lists(any_message, max_size=6))
    stream = record_batches(
        messages, max_rows=data.draw(st.integers(1, 4)), max_bytes=data.draw(st.integers(1, 2000))
    )
    found = list(stream)
    for batch in found:
        batch.validate(full=True)
    expected = pa.Table.from_pylist([row_of(message) for message in messages], SCHEMA)
    assert expected.equals(pa.Table.from_batches(found, SCHEMA), check_metadata=True)


def test_batches_are_cut_by_rows(message: Make) -> None:
    """The last one holds the rest."""
    sizes = [batch.num_rows for batch in record_batches(map(message, range(25)), max_rows=10)]
    assert sizes == [10, 10, 5]


def test_batches_are_cut_by_bytes_before_they_grow_too_big(message: Make) -> None:
    """Bytes of UTF-8, not characters: where a text is not ASCII, four for each are allowed for."""
    heavy = (message(n, text_body="😀" * 375) for n in range(9))
    found = list(record_batches(heavy, max_bytes=6000))
    assert [batch.num_rows for batch in found] == [2, 2, 2, 2, 1]
    assert all(3000 < batch.nbytes <= 6000 for batch in found[:-1])


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_the_bytes_counted_are_never_fewer_than_arrow_holds(
    data: st.DataObject, any_message: st.SearchStrategy[Message]
) -> None:
    """But for the first offset and the last bits of each buffer."""
    builder = BatchBuilder()
    for each in data.draw(st.lists(any_message, max_size=6)):
        builder.append(each)
    counted = builder.nbytes
    assert builder.finish().nbytes <= counted + 8 * len(SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"html_body": "x" * 10_000},
        {"raw": b"x" * 10_000},
        {"cc": ["x" * 10] * 1_000},
        {"attachments": [Attachment("x" * 10, "", 1)] * 1_000},
        {"bcc": [""] * 1_000},
    ],
)
def test_the_bytes_of_every_kind_of_cell_are_counted(message: Make, change: dict[str, Any]) -> None:
    """A mail to ten thousand people is a big one, even without a body."""
    builder = BatchBuilder()
    builder.append(message(1, **change))
    counted = builder.nbytes
    assert builder.finish().nbytes <= counted + 8 * len(SCHEMA)


def test_a_message_bigger_than_a_batch_gets_one_of_its_own(message: Make) -> None:
    """It is not refused, and it does not drag others along."""
    mails = [message(1), message(2, raw=b"x" * 9000), message(3)]
    found = list(record_batches(mails, max_bytes=5000))
    assert [batch.column("messageId").to_pylist() for batch in found] == [[1], [2], [3]]


def test_a_message_too_big_for_a_cell_is_a_typed_error(
    message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is 2 GiB; here it is lowered. What was collected before it can still be had."""
    monkeypatch.setattr(batches, "CELL_LIMIT", 10_000)
    builder = BatchBuilder()
    builder.append(message(1))
    with pytest.raises(POP3ExportError, match=r"message 2 holds .* leave it out"):
        builder.append(message(2, raw=b"x" * 10_001))
    assert builder.finish().column("messageId").to_pylist() == [1]


@pytest.mark.parametrize("limits", [{"max_rows": 0}, {"max_bytes": 0}])
def test_limits_below_one_are_refused(limits: dict[str, int]) -> None:
    """They would never let a batch end."""
    with pytest.raises(POP3UsageError, match="at least one row"):
        record_batches([], **limits)


def test_messages_are_read_only_as_batches_are_asked_for(message: Make) -> None:
    """One message beyond a batch is read, to see that it is full."""
    read = []

    def source() -> Iterator[Message]:
        for number in range(100):
            read.append(number)
            yield message(number)

    stream = iter(record_batches(source(), max_rows=10))
    assert read == []
    next(stream)
    assert len(read) == 11


def test_a_stream_is_consumed_once(message: Make) -> None:
    """A second time is an error, not an empty table."""
    stream = record_batches([message(1)])
    assert pa.table(stream).num_rows == 1
    with pytest.raises(POP3UsageError, match="already consumed"):
        pa.table(stream)
    with pytest.raises(POP3UsageError, match="already consumed"):
        iter(stream)


def test_a_stream_feeds_polars_duckdb_pyarrow_and_pandas(message: Make) -> None:
    """Each through the Arrow C stream, over several batches."""
    expected = list(range(25))

    def stream() -> object:
        return record_batches(map(message, expected), max_rows=10)

    mail = stream()
    assert mail is not None  # DuckDB finds it by its name
    assert [(n,) for n in expected] == duckdb.sql("select messageId from mail order by 1").fetchall()
    assert expected == pl.DataFrame(stream())["messageId"].to_list()
    assert expected == pa.table(stream())["messageId"].to_pylist()
    assert expected == pa.RecordBatchReader.from_stream(stream()).read_all()["messageId"].to_pylist()
    assert expected == pd.DataFrame.from_arrow(stream())["messageId"].to_list()


def test_no_messages_are_a_table_of_no_rows() -> None:
    """With all the columns."""
    assert SCHEMA.empty_table().equals(pa.table(record_batches([])), check_metadata=True)
    assert SCHEMA.names == list(to_dataframe([]).columns)


def test_an_error_of_the_source_reaches_the_caller_as_it_is(message: Make) -> None:
    """Whoever iterates, and whoever asks for a DataFrame, can still reconnect."""

    def source() -> Iterator[Message]:
        yield message(1)
        raise POP3ConnectionError("the connection was lost")

    with pytest.raises(POP3ConnectionError):
        list(record_batches(source()))
    with pytest.raises(POP3ConnectionError):
        to_dataframe(record_batches(source()))


def test_a_lone_surrogate_costs_one_odd_cell(message: Make) -> None:
    """The parser does not let one through; should it, the other rows are not lost with it."""
    mails = [message(1), message(2, subject="a\udcffb", to=["\ud800"]), message(3)]
    table = pa.table(record_batches(mails))
    assert table["subject"][1].as_py() == "a\\udcffb"
    assert table["to"][1].as_py() == ["\\ud800"]
    assert table.num_rows == 3


def test_a_dataframe_has_plain_types_and_nested_columns_that_work(message: Make) -> None:
    """The number in receivedAt is the documented one, nulls are nulls, lists answer to `.list`."""
    frame = to_dataframe([message(1), message(2, received_at=None, subject=None)])
    assert str(frame["subject"].dtype) == "str"
    assert str(frame["receivedAt"].dtype) == "datetime64[ms, UTC]"
    assert frame["receivedAt"].dropna().astype("int64").to_list() == [1_700_000_000_001]
    assert frame["subject"].isna().to_list() == [False, True]
    assert frame["to"].list.len().to_list() == [2, 2]
    assert frame["attachments"].list[0].struct.field("filename").to_list() == ["plan.pdf"] * 2


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_a_dataframe_turns_back_into_the_same_table(
    data: st.DataObject, any_message: st.SearchStrategy[Message]
) -> None:
    """Nothing is lost or changed in pandas."""
    table = pa.table(record_batches(data.draw(st.lists(any_message, min_size=1, max_size=5))))
    assert table.equals(pa.Table.from_pandas(to_dataframe(table), schema=SCHEMA))


def test_strings_reach_pandas_without_a_copy(message: Make) -> None:
    """100,000 bodies must not be held twice."""
    table = pa.table(record_batches(message(n, text_body="x" * 10_000) for n in range(100)))
    before = pa.total_allocated_bytes()
    frame = to_dataframe(table)
    assert pa.total_allocated_bytes() - before < 100_000
    assert len(frame) == 100
