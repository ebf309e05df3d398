"""Replies to STAT, LIST, UIDL and CAPA as values. Numbers from a server are hints and are never trusted.

A line that cannot be read costs its entry and no more: real servers send `1 %!d(float64=5461)`. A listing of
a million messages stays the octets it came in, where it is one as nearly all are: plain, and without gaps.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain

from pop3frames.errors import POP3ProtocolError, printable
from pop3frames.protocol.framing import lines
from pop3frames.protocol.grammar import CRLF, DEFAULT_LIMITS, LARGEST_NUMBER, Limits
from pop3frames.protocol.numbered import Numbered

_STAT = re.compile(rb"\+OK +(\d{1,10}) +(\d{1,19})(?: |$)")
_SCAN = re.compile(rb" *(\d{1,10}) +(\d{1,10})(?: |$)")
_UNIQUE_ID = re.compile(rb" *(\d{1,10}) +([\x21-\x7e]+) *$")
# All lines of a plain listing; possessive, or a million of them would be remembered to go back to.
_PLAIN = rb"(?:\d{1,10} %s\r\n)*+"
_PLAIN_SCANS = re.compile(_PLAIN % rb"\d{1,10}")
_NEAR = 256  # unique-ids that are read together
_PIECE = 1 << 20  # octets of a listing that are made objects of at a time


def parse_stat(status: bytes) -> tuple[int, int]:
    """Message count and octets of a STAT reply (RFC 1939 section 5); POP3ProtocolError if it has none."""
    found = _STAT.match(status)
    if not found:
        raise POP3ProtocolError(f"the reply to STAT is not '+OK count octets': {printable(status, 60)!r}")
    return int(found[1]), int(found[2])


def parse_sizes(block: bytes) -> Mapping[int, int]:
    """Octets by message number, from the scan listings of LIST (RFC 1939 section 5)."""
    try:
        each = (words[1::2] for words in _plain_words(block, _PLAIN_SCANS))
        return Numbered(array("Q", map(int, chain.from_iterable(each))))
    except _NotPlainError:
        return {number: int(size) for number, size in _entries(_SCAN, lines(block))}


def parse_unique_ids(block: bytes, limits: Limits = DEFAULT_LIMITS) -> Mapping[int, str]:
    """Unique-ids by message number, from the listings of UIDL (RFC 1939 section 7).

    Left out, as if the server had none: ids with other octets than 0x21 to 0x7E, or longer than the limit.
    """
    try:
        return Numbered(_UniqueIds(block, re.compile(_PLAIN % rb"[\x21-\x7e]{1,%d}" % limits.unique_id)))
    except _NotPlainError:
        return {
            number: unique_id.decode("ascii")
            for number, unique_id in _entries(_UNIQUE_ID, lines(block))
            if len(unique_id) <= limits.unique_id
        }


def occurring_once(uidls: Mapping[int, str]) -> Mapping[int, str]:
    """Those unique-ids: RFC 1939 section 7 lets a server give one to several equal messages."""
    if len(set(map(hash, uidls.values()))) == len(uidls):  # as nearly everywhere; there may be a million
        return uidls
    times = Counter(uidls.values())
    return {number: uidl for number, uidl in uidls.items() if times[uidl] == 1}


def parse_capabilities(lines: Iterable[bytes]) -> dict[str, list[str]]:
    """Arguments by capability, names in upper case (RFC 2449 section 5: tags are case-insensitive)."""
    words = (line.decode("utf-8", "backslashreplace").split() for line in lines)
    return {name.upper(): arguments for name, *arguments in filter(None, words)}


def login_delay(capabilities: Mapping[str, Sequence[str]]) -> int | None:
    """Seconds from one login to the next (RFC 2449 section 6.5); None where no number is told."""
    told = [*capabilities.get("LOGIN-DELAY", ())][:1]
    return int(told[0]) if told and told[0].isdecimal() and len(told[0]) < 10 else None


class _UniqueIds:
    """Those of a plain listing, read from its octets when they are asked for, with their neighbours."""

    def __init__(self, block: bytes, form: re.Pattern[bytes]) -> None:
        self._block, self._count = block, 0
        self._starts = array("Q")  # of every _NEAR-th line, as if nothing stood between words
        total = 0
        for words in _plain_words(block, form):
            before = array("Q", accumulate(map(len, words), initial=total))
            total = before.pop()
            self._starts += before[2 * (-self._count % _NEAR) :: 2 * _NEAR]
            self._count += len(words) // 2
        self._held = (0, list[str]())

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> str:
        first, near = self._held
        if not 0 <= index - first < len(near):
            first, near = self._held = self._around(index)
        return near[index - first]

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(str(piece, "ascii").split()[1::2] for piece in _pieces(self._block))

    def _around(self, index: int) -> tuple[int, list[str]]:
        """The number of one of them, and those from it on that are near."""
        at = index // _NEAR
        ends = [self._starts[n] + 3 * _NEAR * n for n in (at, at + 1) if n < len(self._starts)]
        start, end = [*ends, len(self._block)][:2]
        return _NEAR * at, str(self._block[start:end], "ascii").split()[1::2]


class _NotPlainError(Exception):
    """The listing is to be read line by line."""


def _plain_words(block: bytes, form: re.Pattern[bytes]) -> Iterator[list[bytes]]:
    """Numbers and values in turn, of many lines at a time, if all lines have that form and count from 1."""
    if not form.fullmatch(block):
        raise _NotPlainError
    number = 0
    for piece in _pieces(block):
        words = piece.split()
        numbers = list(map(int, words[::2]))
        if numbers != list(range(number + 1, number + 1 + len(numbers))):
            raise _NotPlainError
        number += len(numbers)
        yield words


def _pieces(block: bytes) -> Iterator[bytes]:
    """The block, cut into pieces of whole lines."""
    start = 0
    while start < len(block):
        end = block.find(CRLF, start + _PIECE)
        end = len(block) if end < 0 else end + len(CRLF)
        yield block[start:end]
        start = end


def _entries(pattern: re.Pattern[bytes], lines: Iterable[bytes]) -> Iterable[tuple[int, bytes]]:
    seen: set[int] = set()
    for line in lines:
        found = pattern.match(line)
        if not found:
            continue
        number = int(found[1])
        if 1 <= number <= LARGEST_NUMBER and number not in seen:  # listed twice: the first counts
            seen.add(number)
            yield number, found[2]
