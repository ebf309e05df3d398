"""Which of the messages that a session lists are to be fetched: the rules of one run, and the order.

What the dataset holds is not asked here; how a message is fetched and stored is in `mailbox.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import compress
from typing import Self

from pop3frames.client.session import Session, log
from pop3frames.errors import POP3ConnectionError, POP3UsageError
from pop3frames.frames.ledger import Known
from pop3frames.parsing.parser import parse_headers

HEADERS_AHEAD = 500  # TOPs between one RETR and the next, where the date decides
MOST_HEADERLESS = 3  # TOPs refused one after another: a server that has none hangs up on whoever asks on
MOST_HEADER_LOSSES = 2  # connections that broke in a TOP, before a run does without


@dataclass(frozen=True)
class Listing:
    """What one session lists, by number: unique-ids that occur once (`uidls`), `every` unique-id, octets.

    Compared with what is known: `fresh` are the numbers whose unique-id was not, or that have none of their
    own; `unlisted` says how many unique-ids are known and not listed.
    """

    numbers: Sequence[int]
    uidls: Mapping[int, str]
    every: Mapping[int, str]
    sizes: Mapping[int, int]
    fresh: set[int]
    unlisted: int

    @classmethod
    def of(cls, session: Session, known: Known) -> Self:
        """UIDL and LIST of the session, compared with the unique-ids that are known."""
        every, sizes = session.unique_ids(), session.sizes()
        lacking, met = known.uidls.sift(every.values())
        # As many known ones as messages with them, and all others different: no unique-id is there twice.
        others = set(map(hash, compress(every.values(), lacking))) if any(lacking) else ()
        uidls = every if met + len(others) == len(every) else session.usable_ids()
        numbers = session.numbers(sizes)
        fresh = _fresh(numbers, uidls, every, lacking)
        return cls(numbers, uidls, every, sizes, fresh, len(known.uidls) - met)

    def compared(self, known: Known) -> Self:
        """The same, as more is known by now."""
        lacking, met = known.uidls.sift(self.every.values())
        fresh = _fresh(self.numbers, self.uidls, self.every, lacking)
        return replace(self, fresh=fresh, unlisted=len(known.uidls) - met)

    def key(self, number: int) -> str | int:
        """What a message is remembered by in one run: its unique-id, else its number, which may shift."""
        return self.uidls.get(number) or number

    @cached_property
    def largest(self) -> int:
        """LISTed octets of the largest message; 0 where there is none."""
        return max(self.sizes.values(), default=0)

    def octets(self, numbers: Iterable[int]) -> int:
        """LISTed octets of these messages together."""
        return sum(self.sizes.get(number, 0) for number in numbers)


def _fresh(
    numbers: Sequence[int], uidls: Mapping[int, str], every: Mapping[int, str], lacking: Iterable[int]
) -> set[int]:
    fresh = set(compress(every, lacking))
    if len(uidls) < len(numbers):
        fresh.update(number for number in numbers if number not in uidls)
    return fresh


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The rules of a run, as `export_mailbox` takes them. POP3UsageError for what cannot be meant."""

    since: datetime | None = None
    max_size: int | None = None
    limit: int | None = None
    newest_first: bool = False
    uidls: Collection[str] | None = None

    def __post_init__(self) -> None:
        if self.since is not None and not isinstance(self.since, datetime):
            raise POP3UsageError("`since` must be a datetime: datetime(2024, 1, 1, tzinfo=timezone.utc)")
        if self.since is not None and self.since.tzinfo is None:
            raise POP3UsageError("`since` needs a time zone: datetime(2024, 1, 1, tzinfo=timezone.utc)")
        for name in ("max_size", "limit"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise POP3UsageError(f"`{name}` must be a whole number of at least 1, not {value!r}")
        if self.uidls is not None:
            if isinstance(self.uidls, str) or not all(isinstance(uidl, str) for uidl in self.uidls):
                raise POP3UsageError("`uidls` must be a collection of strings")
            if not self.uidls:
                raise POP3UsageError("no `uidls` would mean no mail: leave it out if all is meant")
            object.__setattr__(self, "uidls", frozenset(self.uidls))

    def admitted(self, listing: Listing, numbers: Iterable[int]) -> list[int]:
        """Those that no rule leaves out, as far as the listing tells; in the order in which to fetch.

        A message that LIST names no size of is not too large: it is not known to be.
        """
        within = list(numbers)
        if self.max_size is not None or self.uidls is not None:
            within = [number for number in within if self._admits(listing, number)]
        return within[::-1] if self.newest_first else within

    def _admits(self, listing: Listing, number: int) -> bool:
        if self.max_size is not None and listing.sizes.get(number, 0) > self.max_size:
            return False
        return self.uidls is None or listing.every.get(number) in self.uidls

    def is_old(self, received_at: int | None) -> bool:
        """Whether a mail of that date (ms since the epoch) is too old; one without a readable date is not."""
        return self.since is not None and received_at is not None and received_at < self._milliseconds

    @property
    def _milliseconds(self) -> float:
        assert self.since is not None
        return self.since.timestamp() * 1000


@dataclass
class Ages:
    """Which messages are older than the rules allow, found out by TOP: for that nothing is RETRed.

    Where TOP does not tell, the message is to be fetched, and its own date decides. The unique-ids that were
    too old are remembered for the next session of the run.
    """

    selection: Selection
    old: set[str] = field(default_factory=set)
    _proven: bool = False  # the server has answered a TOP
    _refused: int = 0  # TOPs one after another
    _losses: int = 0  # of the connection, while TOP was asked

    def recent(
        self, session: Session, listing: Listing, numbers: list[int], goes_on: Callable[[], bool]
    ) -> list[int]:
        """Those of the messages that are not too old; fewer when it is not to go on."""
        if self.selection.since is None:
            return numbers
        found: list[int] = []
        for number, header in self._headers(session, listing, numbers):
            if header is None or not self.selection.is_old(parse_headers(header).received_at):
                found.append(number)
            elif number in listing.uidls:
                self.old.add(listing.uidls[number])
            if not goes_on():
                break
        return found

    def _headers(
        self, session: Session, listing: Listing, numbers: list[int]
    ) -> Iterator[tuple[int, bytes | None]]:
        """Number and header, or None where there is none; ahead of the replies once one was good."""
        done = 0
        while done < len(numbers):
            if self._refused >= MOST_HEADERLESS or self._losses >= MOST_HEADER_LOSSES:
                log.info("no headers by TOP: mail is fetched to learn its date")
                yield from ((number, None) for number in numbers[done:])
                return
            some = numbers[done:] if self._proven else numbers[done : done + 1]
            try:
                for number, header in session.headers(some, listing.sizes):
                    done += 1
                    good = isinstance(header, bytes)
                    self._proven, self._refused = self._proven or good, 0 if good else self._refused + 1
                    yield number, header if isinstance(header, bytes) else None
                    if self._refused >= MOST_HEADERLESS:
                        break
            except POP3ConnectionError:
                self._losses += 1
                raise
