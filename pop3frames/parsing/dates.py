"""Dates of mail (RFC 5322 section 3.3 and 4.3) as milliseconds since 1970, UTC.

Never guesses from the clock and never raises: what cannot be a date is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from email.utils import parsedate_tz

_LONGEST = 256  # octets; no date is longer, and the tolerant reader splits and joins
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NUMBERS = {name: number for number, name in enumerate(_MONTHS, 1)}
# RFC 822 section 5.1, in minutes. A zone that is not here (RFC 5322 section 4.3: the letters too) is UTC.
_ZONES = {
    "edt": -240,
    "est": -300,
    "cdt": -300,
    "cst": -360,
    "mdt": -360,
    "mst": -420,
    "pdt": -420,
    "pst": -480,
}
_USUAL = re.compile(
    rb"\s*+(?:[A-Za-z]{3,9}+\s*+,?+\s*+)?+(\d{1,2}+)[\s-]++([A-Za-z]{3})[a-z]*+\.?+[\s-]++(\d{2,4}+)[\s,]++"
    rb"(\d{1,2}+):(\d{2}+)(?::(\d{2}+))?+(?:\s*+(?:([+-])(\d\d)(\d\d)|([A-Za-z]++)))?+\s*+(?:\(|\Z)"
)
_COMMENT = re.compile(rb"\((?:[^()\\]|\\.)*+\)")
# What programs that know no mail write: ISO 8601 (RFC 3339), with a blank for the "T" or without a zone.
_ISO_8601 = re.compile(
    rb"\s*+(\d{4})-(\d\d)-(\d\d)[Tt ]\s*+(\d\d):(\d\d)(?::(\d\d)(?:[.,]\d++)?+)?+"
    rb"\s*+(?:[Zz]|([+-])(\d\d):?+(\d\d))?+\s*+\Z"
)
_AROUND_COLON = re.compile(rb"\s*+:\s*+")
_FRACTION = re.compile(rb"(:\d\d)[.,]\d++")
_UNIX_EPOCH = date(1970, 1, 1).toordinal()
_EARLIEST = (date(1900, 1, 1).toordinal() - _UNIX_EPOCH) * 86_400  # seconds
_LATEST = (date(9999, 12, 31).toordinal() - _UNIX_EPOCH) * 86_400 + 86_399


def topmost_stamp(received_values: Iterable[bytes]) -> int | None:
    """The moment after the last ";" of the topmost Received value that has one, None when none has."""
    for value in received_values:
        _, separator, stamp = value.rpartition(b";")
        if separator and (moment := milliseconds(stamp)) is not None:
            return moment
    return None


def milliseconds(value: bytes) -> int | None:
    """The moment a date value names, in milliseconds since 1970 UTC."""
    usual = _USUAL.match(value)
    if usual is None:
        return _unusual(value)
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes, zone = usual.groups()
    offset = 0
    if sign:
        offset = int(zone_hours) * 60 + int(zone_minutes)
        offset = -offset if sign == b"-" else offset
    elif zone:
        offset = _ZONES.get(zone.decode("ascii").lower(), 0)
    return _moment(
        _year(int(year), len(year)),
        _MONTH_NUMBERS.get(month.decode("ascii").lower(), 0),
        int(day),
        (int(hour), int(minute), int(second or 0)),
        offset * 60,
    )


def _iso_8601(value: re.Match[bytes]) -> int | None:
    year, month, day, hour, minute, second, sign, zone_hours, zone_minutes = value.groups()
    offset = (int(zone_hours) * 60 + int(zone_minutes)) * 60 if sign else 0
    clock = (int(hour), int(minute), int(second or 0))
    return _moment(int(year), int(month), int(day), clock, -offset if sign == b"-" else offset)


def _unusual(value: bytes) -> int | None:
    """Other orders and spellings ("Thu Feb 13 09:02:03 1969"), by the standard library's tolerant reader."""
    value = value.strip()[:_LONGEST]
    for _ in range(3):  # comments, nested ones from the inside
        value = _COMMENT.sub(b" ", value)
    if iso_8601 := _ISO_8601.match(value):
        return _iso_8601(iso_8601)
    value = _FRACTION.sub(rb"\1", _AROUND_COLON.sub(b":", value))
    text = b" ".join(value.split()).replace(b" ,", b",").decode("ascii", "replace")
    try:
        found = parsedate_tz(text)
        if found is None:
            return None
        year, month, day, hour, minute, second, *_, offset = found
        if 2049 < year < 2069 and str(year) not in text:
            year -= 100  # it reads two digits by POSIX, not by RFC 5322
        return _moment(_year(year, 4), month, day, (hour, minute, second), offset or 0)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _year(year: int, digits: int) -> int:
    """RFC 5322 section 4.3: 00 to 49 are 2000 to 2049, 50 to 99 and three digits count from 1900."""
    if digits == 2 and year < 50:
        return year + 2000
    return year + 1900 if year < 1000 and digits < 4 else year


def _moment(year: int, month: int, day: int, clock: tuple[int, int, int], offset: int) -> int | None:
    """None for a day, time or offset that does not exist, or outside the years 1900 to 9999."""
    hour, minute, second = clock
    if hour > 23 or minute > 59 or second > 60 or not -86_400 < offset < 86_400:
        return None
    try:
        days = date(year, month, day).toordinal() - _UNIX_EPOCH
    except ValueError:
        return None
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
    return seconds * 1000 if _EARLIEST <= seconds <= _LATEST else None
