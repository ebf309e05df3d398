"""Python values to Arrow arrays, straight into Arrow's buffers.

`pyarrow.array` would do, but its first call imports pandas: half a second that an export has no use for. The
layouts are those of the Arrow columnar format, "Physical memory layout". No column names here, no messages,
no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa


def array(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """`values` as an Arrow array of `type_`; None is null.

    Structs come as tuples in field order, timestamps as integers in their unit. All bytes of one array
    together must stay under 2 GiB (32-bit offsets); the caller cuts.
    """
    if pa.types.is_string(type_):
        return strings(values)
    if pa.types.is_struct(type_):
        each = zip(*values, strict=True) if values else ((),) * type_.num_fields
        children = [array(part, field.type) for part, field in zip(each, type_, strict=True)]
        return pa.Array.from_buffers(type_, len(values), [None], children=children)
    validity, children = _validity(values), []
    present = values if validity is None else list(filter(None, values))
    if pa.types.is_list(type_):
        children = [array(list(chain.from_iterable(present)), type_.value_type)]
        buffers = [_offsets(values)]
    elif pa.types.is_binary(type_):
        buffers = [_offsets(values), pa.py_buffer(b"".join(present))]
    else:
        buffers = [_fixed(values, type_)]
    return pa.Array.from_buffers(type_, len(values), [validity, *buffers], children=children)


def strings(values: Sequence[str | None]) -> pa.Array:
    """Strings as an Arrow array; None is null. A lone surrogate becomes its escape: one cell looks odd."""
    validity = _validity(values)
    texts: Sequence[Any] = values if validity is None else [value or "" for value in values]
    if all(map(str.isascii, texts)):
        ends, data = _ends(map(len, texts), len(values)), "".join(texts).encode()
    else:
        cells = _utf8(texts)
        ends, data = _ends(map(len, cells), len(values)), b"".join(cells)
    return pa.Array.from_buffers(pa.string(), len(values), [validity, ends, pa.py_buffer(data)])


def _utf8(texts: Sequence[str]) -> list[bytes]:
    try:
        return list(map(str.encode, texts))
    except UnicodeEncodeError:
        return [text.encode("utf-8", "backslashreplace") for text in texts]


def mask(keep: Iterable[bool]) -> pa.Array:
    """A boolean array for `Table.filter`."""
    bits = np.fromiter(keep, bool)
    return pa.Array.from_buffers(pa.bool_(), len(bits), [None, _bitmap(bits)])


def _fixed(values: Sequence[Any], type_: pa.DataType) -> pa.Buffer:
    if pa.types.is_boolean(type_):
        return _bitmap(np.fromiter(values, bool, len(values)))
    try:
        return pa.py_buffer(np.fromiter(values, np.int64, len(values)))
    except TypeError:  # None among them
        return pa.py_buffer(np.fromiter((value or 0 for value in values), np.int64, len(values)))


def _offsets(values: Sequence[Any]) -> pa.Buffer:
    return _ends([len(value) if value else 0 for value in values], len(values))


def _ends(lengths: Iterable[int], count: int) -> pa.Buffer:
    offsets = np.zeros(count + 1, np.int32)
    np.cumsum(np.fromiter(lengths, np.int32, count), out=offsets[1:])
    return pa.py_buffer(offsets)


def _validity(values: Sequence[Any]) -> pa.Buffer | None:
    if None not in values:
        return None
    return _bitmap(np.fromiter((value is not None for value in values), bool, len(values)))


def _bitmap(bits: np.ndarray[Any, np.dtype[np.bool_]]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(bits, bitorder="little"))


def texts(column: pa.ChunkedArray) -> Iterator[str]:
    """The strings of a column that are not null; many times faster than `to_pylist` where all are ASCII."""
    for chunk in column.chunks:
        _, offsets, data = chunk.buffers()
        try:
            joined = str(data or b"", "ascii")
        except UnicodeDecodeError:
            joined = None
        if joined is None or chunk.null_count:
            yield from (text for text in chunk.to_pylist() if text is not None)
        elif len(chunk):
            ends = memoryview(offsets).cast("i")[chunk.offset : chunk.offset + len(chunk) + 1].tolist()
            yield from map(joined.__getitem__, map(slice, ends, ends[1:]))
