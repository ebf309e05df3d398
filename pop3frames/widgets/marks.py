"""Marks: which messages should go, by unique-id and with the size that was seen. On our side only.

The server hears nothing of them until they are committed (`removal.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from traitlets import Bool, Dict

from pop3frames.errors import POP3UsageError
from pop3frames.message import Message
from pop3frames.widgets.guarded import Guarded

_ADDRESS = re.compile(r"<([^<>]*)>\s*$")
_Change = tuple[dict[str, int], dict[str, int]]  # what came, what went


class Marks(Guarded):
    """The marked messages, and the way back.

    marked               octets, as they were listed when the mark was made, by unique-id
    can_undo, can_redo   whether there is a change to take back, or to make again
    """

    marked = Dict()  # never changed in place
    can_undo = Bool()
    can_redo = Bool()

    def __init__(self) -> None:
        super().__init__()
        self._done: list[_Change] = []
        self._undone: list[_Change] = []

    @property
    def uidls(self) -> frozenset[str]:
        """The unique-ids of what is marked."""
        return frozenset(self.marked)

    @property
    def octets(self) -> int:
        """Of all that is marked."""
        return sum(self.marked.values())

    def mark(self, sizes: Mapping[str, int]) -> int:
        """Mark these too: octets by unique-id. How many are new; the others keep the size seen before."""
        with self.changing():
            came = {uidl: size for uidl, size in sizes.items() if uidl not in self.marked}
            self._change(came, {})
            return len(came)

    def unmark(self, uidls: Iterable[str]) -> None:
        """Take these marks away."""
        with self.changing():
            self._change({}, {uidl: self.marked[uidl] for uidl in uidls if uidl in self.marked})

    def replace(self, sizes: Mapping[str, int]) -> None:
        """Mark these and no others."""
        with self.changing():
            came = {uidl: size for uidl, size in sizes.items() if uidl not in self.marked}
            self._change(came, {uidl: size for uidl, size in self.marked.items() if uidl not in sizes})

    def clear(self) -> None:
        """Take all marks away; `undo` brings them back."""
        self.replace({})

    def undo(self) -> None:
        """Take the last change back."""
        with self.changing():
            if self._done:
                came, went = change = self._done.pop()
                self._undone.append(change)
                self._apply(went, came)

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        with self.changing():
            if self._undone:
                came, went = change = self._undone.pop()
                self._done.append(change)
                self._apply(came, went)

    def forget(self, uidls: Iterable[str] | None = None) -> None:
        """These messages, or all, are no longer there: no undo brings their marks back."""
        with self.changing():
            gone = set(self.marked if uidls is None else uidls)
            self._done, self._undone = [], []
            self._apply({}, gone)

    def _change(self, came: dict[str, int], went: dict[str, int]) -> None:
        if came or went:
            self._done.append((came, went))
            self._undone = []
            self._apply(came, went)

    def _apply(self, came: Mapping[str, int], went: Iterable[str]) -> None:
        gone = set(went)
        kept = {uidl: size for uidl, size in self.marked.items() if uidl not in gone}
        self.can_undo, self.can_redo = bool(self._done), bool(self._undone)
        self.marked = {**kept, **came}


# Rules: octets by unique-id of the rows that fit; one without a unique-id of its own is never among them


def sizes_of(rows: Iterable[Message], fits: Callable[[Message], bool] = lambda _: True) -> dict[str, int]:
    """Of these rows, those that fit."""
    return {row.uidl: row.size for row in rows if row.uidl is not None and fits(row)}


def from_sender(rows: Iterable[Message], sender: str) -> dict[str, int]:
    """Of this address, whatever name stands beside it; case does not count."""
    address = address_of(sender)
    if not address:
        raise POP3UsageError("this message names no sender: mark it by hand")
    return sizes_of(rows, lambda row: address_of(row.from_) == address)


def older_than(rows: Iterable[Message], moment: datetime) -> dict[str, int]:
    """By the mail's own date. One that has none stays."""
    milliseconds = moment.timestamp() * 1000
    return sizes_of(rows, lambda row: row.received_at is not None and row.received_at < milliseconds)


def larger_than(rows: Iterable[Message], octets: float) -> dict[str, int]:
    """As LIST told."""
    return sizes_of(rows, lambda row: row.size > octets)


def address_of(author: str | None) -> str:
    """The bare address of `Name <address>`, in lower case; "" where there is none."""
    text = (author or "").strip()
    found = _ADDRESS.search(text)
    return (found[1] if found else text).strip().casefold()
