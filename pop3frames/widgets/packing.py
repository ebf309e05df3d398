"""Rows and sets of rows as the bytes that travel between kernel and page.

To the page go deflated columns, all rows at once; from it come bitsets and orders, which are hostile input
until they are checked here. A page knows rows by their place, Python by their keys. No widgets.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count

from pop3frames.message import Message
from pop3frames.widgets.visible import visible_line

_SHOWN = 300  # characters of a subject or name: a row is one line
_RECIPIENTS = 20  # of a mail, for the filter
PROBABLY = -1  # attachments: nobody has counted them

_versions = count(1)


def row_keys(rows: Iterable[Message]) -> tuple[str, ...]:
    """A key for each row: its unique-id; "# 7" by its message number when it has none, or not alone.

    A unique-id holds no blank (RFC 1939 section 7), so that no server can forge the second kind.
    """
    rows = tuple(rows)
    uses = Counter(row.uidl for row in rows)
    keys: dict[str, None] = {}
    for place, row in enumerate(rows):
        key = row.uidl if row.uidl and uses[row.uidl] == 1 else f"# {row.message_id}"
        keys[f"{key} at {place}" if key in keys else key] = None
    return tuple(keys)


@dataclass(frozen=True, eq=False)
class Listing:
    """The rows of a list at one time. Never changed: another `show` makes another listing and version."""

    rows: tuple[Message, ...]
    maybe: frozenset[str] = frozenset()  # keys of those that probably have attachments, by their headers
    version: int = field(default_factory=_versions.__next__)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The key of each row."""
        return row_keys(self.rows)

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each key."""
        return {key: place for place, key in enumerate(self.keys)}

    @cached_property
    def markable(self) -> frozenset[str]:
        """The keys that name a mail on the server for good: unique-ids."""
        return frozenset(key for key, row in zip(self.keys, self.rows, strict=True) if key == row.uidl)

    @cached_property
    def newest_first(self) -> tuple[str, ...]:
        """The keys in the order a page shows at first; mails without a date come last."""
        dated = sorted(range(len(self.rows)), key=lambda place: _newest(self.rows[place]))
        return tuple(self.keys[place] for place in dated)

    def packed(self) -> bytes:
        """What a page shows of the rows: deflated JSON, a list for each column."""
        columns = {
            "from": [visible_line(row.from_ or "", _SHOWN) for row in self.rows],
            "subject": [visible_line(row.subject or "", _SHOWN) for row in self.rows],
            "to": [visible_line(", ".join(row.to[:_RECIPIENTS]), _SHOWN) for row in self.rows],
            "seconds": [None if row.received_at is None else row.received_at // 1000 for row in self.rows],
            "size": [row.size for row in self.rows],
            "attachments": [
                row.attachment_count or (PROBABLY if key in self.maybe else 0)
                for key, row in zip(self.keys, self.rows, strict=True)
            ],
            "unmarkable": [place for place, key in enumerate(self.keys) if key not in self.markable],
        }
        return zlib.compress(json.dumps(columns, ensure_ascii=False, separators=(",", ":")).encode(), 6)

    def bits(self, keys: Iterable[str]) -> bytes:
        """A set of rows: bit n % 8 of octet n // 8 stands for the row at place n."""
        octets = bytearray((len(self.rows) + 7) // 8)
        for key in keys:
            place = self.places[key]
            octets[place >> 3] |= 1 << (place & 7)
        return bytes(octets)

    def keys_of_bits(self, octets: bytes) -> tuple[str, ...]:
        """The keys of a set in the order of the rows. ValueError if it is no set of these rows."""
        if len(octets) != (len(self.rows) + 7) // 8:
            raise ValueError("a set of other rows")
        whole = int.from_bytes(octets, "little")
        if whole >> len(self.rows):
            raise ValueError("a set with rows that do not exist")
        return tuple(key for place, key in enumerate(self.keys) if octets[place >> 3] >> (place & 7) & 1)

    def keys_of_order(self, octets: bytes) -> tuple[str, ...]:
        """The keys of an order (32 bits a place, little-endian). ValueError for a place twice, or none."""
        if len(octets) % 4 or len(octets) > 4 * len(self.rows):
            raise ValueError("an order of other rows")
        places = struct.unpack(f"<{len(octets) // 4}I", octets)
        if len(set(places)) != len(places) or any(place >= len(self.rows) for place in places):
            raise ValueError("an order with rows that do not exist, or twice")
        return tuple(self.keys[place] for place in places)

    def key_at(self, place: object) -> str | None:
        """The key of a row; None for -1. ValueError for what is no place."""
        if type(place) is not int or not -1 <= place < len(self.rows):
            raise ValueError("no place of a row")
        return None if place < 0 else self.keys[place]


def _newest(row: Message) -> tuple[bool, int]:
    return row.received_at is None, -((row.received_at or 0) // 1000)


def in_order(keys: Sequence[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """Those of `keys` that are wanted, in their order."""
    chosen = frozenset(wanted)
    return tuple(key for key in keys if key in chosen)
