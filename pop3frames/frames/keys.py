"""Sets of strings by the million: as Arrow keeps them, and their hashes in order, to find one.

Of strings with 32 octets a Python set takes 130 octets each, this 48. No files here, and no rules for what is
a duplicate.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Set
from itertools import compress, islice
from typing import Any

import numpy as np
import pyarrow as pa

from pop3frames.frames.columns import array, strings, texts

_SOME = 1 << 15  # strings that are looked for at a time

Positions = np.ndarray[Any, np.dtype[np.int64]]


class KeySet(Set[str]):
    """A set that only grows. Equal hashes prove nothing: the strings are compared."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._clear()
        self.update(values)

    def _clear(self) -> None:
        self._strings = array([], pa.string())  # in the order in which they came
        self._hashes: Positions = np.empty(0, np.int64)  # sorted
        self._order = np.empty(0, np.uint32)  # where the string of each hash is

    def __len__(self) -> int:
        return len(self._strings)

    def __iter__(self) -> Iterator[str]:
        return texts(pa.chunked_array([self._strings]))

    def __contains__(self, string: object) -> bool:
        return len(self) > 0 and isinstance(string, str) and self._position(string) >= 0

    def isdisjoint(self, other: Iterable[Any]) -> bool:
        """Whether none of the strings is here."""
        return not (len(self) and self.sift(other)[1])

    def sift(self, values: Iterable[str]) -> tuple[bytearray, int]:
        """For each of the strings 1 if it is not here, else 0; and how many of this set are among them.

        Many times as fast as to ask for one after another.
        """
        waiting, lacking = iter(values), bytearray()
        among = np.zeros(len(self) + 1, np.bool_)  # the last one stands for whatever is not here
        while some := list(islice(waiting, _SOME)):
            positions = self._positions(some)
            lacking += (positions < 0).tobytes()
            among[positions] = True
        return lacking, int(among[:-1].sum())

    def update(self, values: Iterable[str]) -> None:
        """Adds the strings."""
        waiting = iter(values)
        self.add(map(strings, iter(lambda: list(islice(waiting, _SOME)), [])))

    def add(self, arrays: Iterable[pa.Array]) -> None:
        """Adds the strings of some arrays, without the nulls."""
        clean = (each.drop_null() if each.null_count else each for each in arrays)
        same = (each if each.type == pa.string() else each.cast(pa.string()) for each in clean)
        fresh = pa.chunked_array(list(same), pa.string())
        if not len(fresh):
            return
        count = len(self) + len(fresh)
        hashes = np.concatenate([self._hashes, _hashes(texts(fresh), len(fresh))])
        sort = np.argsort(hashes)
        self._hashes = hashes[sort]
        self._order = np.concatenate([self._order, np.arange(len(self), count, dtype=np.uint32)])[sort]
        del hashes, sort  # before as much is needed for the strings
        self._strings = pa.concat_arrays([self._strings, *fresh.chunks])
        if (self._hashes[1:] == self._hashes[:-1]).any():
            self._drop_repeated()

    def _drop_repeated(self) -> None:
        """A part that was rewritten is read again, and holds much that is here."""
        once = self._strings.unique()
        if len(once) < len(self):
            self._clear()
            self.add([once])

    def _position(self, string: str) -> int:
        """Where it is among the strings; -1: nowhere."""
        wanted, hashes = hash(string), self._hashes.data
        at = bisect_left(hashes, wanted)
        while at < len(hashes) and hashes[at] == wanted:
            position = int(self._order[at])
            if self._strings[position].as_py() == string:
                return position
            at += 1
        return -1

    def _positions(self, some: list[str]) -> Positions:
        """The same of each."""
        if not len(self):
            return np.full(len(some), -1)
        hashes = _hashes(some, len(some))
        sort = np.argsort(hashes)  # neighbours are found near each other: half the time
        at = np.empty_like(sort)
        at[sort] = np.searchsorted(self._hashes, hashes[sort])
        alike = self._hashes.take(at, mode="clip") == hashes
        positions = np.where(alike, self._order.take(at, mode="clip").astype(np.int64), -1)
        met, found = list(compress(some, alike)), positions[alike]
        there = pa.Array.from_buffers(pa.int64(), len(found), [None, pa.py_buffer(found)])
        if not self._strings.take(there).equals(strings(met)):  # another string has the hash of one of them
            positions[alike] = list(map(self._position, met))
        return positions


def _hashes(strings: Iterable[str], count: int) -> Positions:
    return np.fromiter(map(hash, strings), np.int64, count)
