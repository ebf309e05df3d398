"""Mail that is in the dataset under another unique-id: after a migration, servers list all of it anew.

Two ways to know it again. By its bytes, once fetched: a stored row with the same hash whose unique-id is not
listed any more is that mail. Before that by a hint: the header as TOP shows it and the LISTed size fit one
row and one message only; a sample that is fetched must then hash to what the rows say. Either way the row
gets the new unique-id (`frames/renumbering.py`): nothing is stored twice. Nothing is deleted on a hint.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pop3frames.client.session import Session, log
from pop3frames.errors import POP3Error
from pop3frames.export.selection import Listing
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.keys import KeySet
from pop3frames.frames.ledger import Known
from pop3frames.frames.schema import column_name
from pop3frames.parsing.parser import parse_headers

RENUMBERED = 5  # a mailbox of at least so many mails, hardly one of them known, may have been renumbered
PROBE = 20  # headers looked at first: whether this is worth the others
MOST_ATTEMPTS = 2  # sessions of a run in which hints are looked for: a TOP may be what breaks them

_HASH, _SIZE = column_name("content_hash"), column_name("size")
_KEY = [column_name("uidl"), _HASH]
_HINTS = ("message_id_header", "received_at", "subject", "from_")  # what TOP shows and a row holds

Row = tuple[Any, ...]  # the key of a row: its unique-id and its content hash


class Renumbering:
    """What one run finds out about rows whose unique-ids are not listed any more."""

    def __init__(self, dataset: Dataset, known: Known) -> None:
        self._dataset, self._known = dataset, known
        self._arrived: dict[str, str] = {}  # hashes by unique-id, since the last commit
        self._listing: Listing | None = None
        self._listed: KeySet | None = None
        self._attempts = 0

    def begin(self, listing: Listing) -> None:
        """A session with this listing."""
        self._listing, self._listed = listing, None

    @property
    def _ids(self) -> KeySet:
        """The unique-ids of the session at hand."""
        if self._listed is None:
            self._listed = KeySet(self._listing.every.values() if self._listing else ())
        return self._listed

    def _stale(self) -> int:
        """How many rows have a unique-id that is not listed, or none."""
        return len(self._known.loose) + (self._listing.unlisted if self._listing else 0)

    # By its bytes

    def arrived(self, uidl: str | None, digest: str | None) -> None:
        """A mail was fetched and is to be stored."""
        if uidl is not None and digest is not None:
            self._arrived[uidl] = digest

    def settle(self) -> None:
        """Before a commit: rows of mail that has just arrived get its unique-ids, and are no duplicates."""
        arrived, self._arrived = self._arrived, {}
        if not arrived or not self._stale():
            return
        rows: dict[str | None, list[Row]] = {}
        for row in self._dataset.rows_with(self._known.account, _HASH, set(arrived.values()), _KEY):
            if row[0] not in self._ids:
                rows.setdefault(row[1], []).append(row)
        self._record({rows[digest].pop(0): uidl for uidl, digest in arrived.items() if rows.get(digest)})

    # By a hint

    def recognise(
        self, session: Session, listing: Listing, waiting: list[int], goes_on: Callable[[], bool]
    ) -> int:
        """Look for the rows of waiting messages, where hardly one is known; the octets of the sample fetched.

        Whatever is not recognised is to be fetched, and is known again by its bytes.
        """
        if not self._stale():
            return 0
        waiting = [number for number in waiting if number in listing.uidls]
        if len(waiting) < RENUMBERED or 10 * len(waiting) < 9 * len(listing.numbers):
            return 0
        if self._attempts == MOST_ATTEMPTS or 2 * self._stale() < len(waiting):
            return 0
        self._attempts += 1
        found = self._hinted(session, listing, waiting, goes_on)
        provable = [number for number, (_, digest) in found.items() if digest is not None]
        if not provable:
            return 0
        count = max(3, min(20, len(provable) // 20))
        sample = random.sample(provable, min(len(provable), count))
        octets, other = 0, False
        for number, raw in session.retrieve(sample, listing.sizes):
            octets += len(raw) if isinstance(raw, bytes) else 0
            other = other or _digest(raw) != found[number][1]
        if other:
            log.warning("%s: it is other mail after all: all of it is fetched", self._known.account)
        else:
            self._record({row: listing.uidls[number] for number, row in found.items()})
        return octets

    def _hinted(
        self, session: Session, listing: Listing, waiting: list[int], goes_on: Callable[[], bool]
    ) -> dict[int, Row]:
        """The row of each message that fits exactly one; none where the first few say it is in vain."""
        probe = waiting[:: len(waiting) // PROBE or 1][:PROBE]
        hints: dict[bytes, list[int]] = {}

        def look(numbers: Iterable[int]) -> bool:
            for number, header in session.headers(list(numbers), listing.sizes):
                if isinstance(header, bytes):
                    hints.setdefault(_shown(header, listing.sizes.get(number)), []).append(number)
                if not goes_on():
                    return False
            return bool(hints)  # none: there is no TOP

        if not look(probe[:1]) or not look(probe[1:]):
            return {}
        if 2 * len(self._fitting(hints, listing)) < len(probe):
            return {}
        log.warning("%s: hardly a unique-id is known, but the mail is: renumbered?", self._known.account)
        return self._fitting(hints, listing) if look(sorted(set(waiting) - set(probe))) else {}

    def _fitting(self, hints: Mapping[bytes, list[int]], listing: Listing) -> dict[int, Row]:
        """By number, the row of those hints that are one message's and one stale row's."""
        sizes = {listing.sizes.get(number) for numbers in hints.values() for number in numbers}
        rows: dict[bytes, list[Row]] = {}
        for uidl, digest, size, *shown in self._dataset.rows_with(
            self._known.account, _SIZE, sizes, [*_KEY, _SIZE, *map(column_name, _HINTS)]
        ):
            hint = _hint(size, shown)
            if hint in hints and uidl not in self._ids:
                rows.setdefault(hint, []).append((uidl, digest))
        return {
            hints[hint][0]: fitting[0]
            for hint, fitting in rows.items()
            if len(fitting) == len(hints[hint]) == 1
        }

    def _record(self, names: Mapping[Row, str]) -> None:
        if names and (count := self._dataset.renumber(self._known, names)):
            log.warning("%s: %d rows have the new unique-ids of their mail", self._known.account, count)


def _digest(raw: bytes | POP3Error) -> str:
    return hashlib.sha256(raw).hexdigest() if isinstance(raw, bytes) else "not fetched"


def _shown(header: bytes, size: int | None) -> bytes:
    message = parse_headers(header)
    return _hint(size, [getattr(message, name) for name in _HINTS])


def _hint(size: int | None, shown: Sequence[object]) -> bytes:
    """What tells one mail from another as far as TOP and LIST show it; short, as there may be a million."""
    return hashlib.blake2b(repr((size, *shown)).encode(errors="replace"), digest_size=16).digest()
