"""Arrays built from buffers are those that pyarrow builds, for any values."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pop3frames.frames.columns import array, mask, strings, texts

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
INT64 = st.integers(-(2**63), 2**63 - 1)
STRUCT = pa.struct([pa.field("a", pa.string(), False), pa.field("n", pa.int64(), False)])


def _same(expected: pa.Array, actual: pa.Array) -> None:
    actual.validate(full=True)
    assert expected.equals(actual)
    assert expected.null_count == actual.null_count


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (st.none() | TEXT, pa.string()),
        (st.none() | st.binary(), pa.binary()),
        (st.none() | INT64, pa.int64()),
        (st.none() | INT64, pa.timestamp("ms", tz="UTC")),
        (st.none() | st.booleans(), pa.bool_()),
        (st.none() | st.lists(TEXT), pa.list_(pa.field("element", pa.string(), False))),
        (st.lists(st.tuples(TEXT, INT64)), pa.list_(pa.field("element", STRUCT, False))),
    ],
)
@settings(deadline=None)
@given(data=st.data())
def test_any_values_give_the_array_that_pyarrow_gives(
    values: st.SearchStrategy[Any], type_: pa.DataType, data: st.DataObject
) -> None:
    """Nulls, empty cells, characters of one to four bytes, no rows at all."""
    rows = data.draw(st.lists(values, max_size=20))
    _same(pa.array(rows, type_), array(rows, type_))


@settings(deadline=None)
@given(st.lists(st.none() | TEXT) | st.lists(st.none() | st.text("ab")))
def test_strings_give_the_array_that_pyarrow_gives(values: list[str | None]) -> None:
    """ASCII and not, nulls, empty ones, none at all."""
    _same(pa.array(values, pa.string()), strings(values))


def test_a_lone_surrogate_becomes_its_escape() -> None:
    """The other cells are as they were."""
    assert strings(["ä", "a\udcff", "b", None]).to_pylist() == ["ä", "a\\udcff", "b", None]


@settings(deadline=None)
@given(st.lists(st.booleans()))
def test_a_mask_is_a_boolean_array(keep: list[bool]) -> None:
    """Of any length, also no multiple of eight."""
    _same(pa.array(keep, pa.bool_()), mask(keep))


@settings(deadline=None)
@given(
    st.lists(st.lists(st.text("abc"), max_size=5) | st.lists(st.none() | TEXT, max_size=5), max_size=4),
    st.data(),
)
def test_texts_are_the_strings_of_a_column_without_its_nulls(
    chunks: list[list[str | None]], data: st.DataObject
) -> None:
    """Over chunks and slices, ASCII or not."""
    column = pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks], pa.string())
    column = column.slice(data.draw(st.integers(0, len(column))), data.draw(st.integers(0, 9)))
    assert [text for text in column.to_pylist() if text is not None] == list(texts(column))
