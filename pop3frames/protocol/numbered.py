"""A listing without gaps, of the messages 1 to n: a mapping that takes a fraction of a dict's memory.

How such a listing is read is in `listings.py`.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, Sequence, ValuesView
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Row(Protocol[T_co]):
    """Values in a row, the first at 0."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> T_co: ...

    def __iter__(self) -> Iterator[T_co]: ...


class Numbered(Mapping[int, T]):
    """Reads like a dict with the keys 1 to n; the values stand in a row."""

    def __init__(self, row: Row[T]) -> None:
        self.numbers = range(1, len(row) + 1)
        self.row = row

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers)

    def __contains__(self, number: object) -> bool:
        return number in self.numbers

    def __getitem__(self, number: int) -> T:
        try:
            return self.row[self.numbers.index(number)]
        except ValueError:
            raise KeyError(number) from None

    def get(self, number: int, default: Any = None) -> Any:
        """As a dict's; every message of an export passes here several times."""
        if type(number) is int:
            return self.row[number - 1] if 0 < number <= len(self.numbers) else default
        return super().get(number, default)

    def values(self) -> ValuesView[T]:
        return _Values(self)

    def items(self) -> ItemsView[int, T]:
        return _Items(self)


class _Items(ItemsView[int, T]):
    _mapping: Numbered[T]

    def __iter__(self) -> Iterator[tuple[int, T]]:
        return zip(self._mapping, self._mapping.row, strict=True)


class _Values(ValuesView[T]):
    """All in a row: one look-up for each would cost several times that."""

    _mapping: Numbered[T]

    def __iter__(self) -> Iterator[T]:
        return iter(self._mapping.row)


def numbers_in(*listings: Mapping[int, object]) -> Sequence[int]:
    """Every message number that any of the listings names, in order."""
    plain = [each.numbers for each in listings if isinstance(each, Numbered)]
    if len(plain) == len(listings):
        return max(plain, key=len)
    return sorted(set[int]().union(*listings))
