"""Replies to STAT, LIST, UIDL and CAPA as values. Numbers from a server are hints and are never trusted.

A line that cannot be read costs its entry and no more: real servers send `1 %!d(float64=5461)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from pop3frames.errors import POP3ProtocolError, printable
from pop3frames.protocol.grammar import DEFAULT_LIMITS, LARGEST_NUMBER, Limits

_STAT = re.compile(rb"\+OK +(\d{1,10}) +(\d{1,19})(?: |$)")
_SCAN = re.compile(rb" *(\d{1,10}) +(\d{1,10})(?: |$)")
_UNIQUE_ID = re.compile(rb" *(\d{1,10}) +([\x21-\x7e]+) *$")


def parse_stat(status: bytes) -> tuple[int, int]:
    """Message count and octets of a STAT reply (RFC 1939 section 5); POP3ProtocolError if it has none."""
    found = _STAT.match(status)
    if not found:
        raise POP3ProtocolError(f"the reply to STAT is not '+OK count octets': {printable(status, 60)!r}")
    return int(found[1]), int(found[2])


def parse_sizes(lines: Iterable[bytes]) -> dict[int, int]:
    """Octets by message number, from the scan listings of LIST (RFC 1939 section 5)."""
    return {number: int(size) for number, size in _entries(_SCAN, lines)}


def parse_unique_ids(lines: Iterable[bytes], limits: Limits = DEFAULT_LIMITS) -> dict[int, str]:
    """Unique-ids by message number, from the listings of UIDL (RFC 1939 section 7).

    Left out, as if the server had none: ids with other octets than 0x21 to 0x7E, or longer than the limit.
    """
    return {
        number: unique_id.decode("ascii")
        for number, unique_id in _entries(_UNIQUE_ID, lines)
        if len(unique_id) <= limits.unique_id
    }


def parse_capabilities(lines: Iterable[bytes]) -> dict[str, list[str]]:
    """Arguments by capability, names in upper case (RFC 2449 section 5: tags are case-insensitive)."""
    words = (line.decode("utf-8", "backslashreplace").split() for line in lines)
    return {name.upper(): arguments for name, *arguments in filter(None, words)}


def login_delay(capabilities: Mapping[str, Sequence[str]]) -> int | None:
    """Seconds from one login to the next (RFC 2449 section 6.5); None where no number is told."""
    told = [*capabilities.get("LOGIN-DELAY", ())][:1]
    return int(told[0]) if told and told[0].isdecimal() and len(told[0]) < 10 else None


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
