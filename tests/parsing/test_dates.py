"""Dates: the usual shape, the tolerated ones, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from parsing.mails import mail

from pop3frames.parsing.dates import milliseconds
from pop3frames.parsing.parser import parse_message


def at(*moment: int) -> int:
    """Milliseconds of a moment in UTC."""
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1000  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Mon, 01 Jan 2024 10:20:30 +0200", at(2024, 1, 1, 8, 20, 30)),
        ("1 Jan 2024 10:20 -0530 (IST)", at(2024, 1, 1, 15, 50)),
        ("Mon, 1 Jan 2024 10:20:30 EST", at(2024, 1, 1, 15, 20, 30)),
        ("Mon, 1 Jan 2024 10:20:30 PDT", at(2024, 1, 1, 17, 20, 30)),
        ("Mon, 1 Jan 2024 10:20:30 GMT", at(2024, 1, 1, 10, 20, 30)),
        ("Mon, 1 Jan 2024 10:20:30 A", at(2024, 1, 1, 10, 20, 30)),
        ("Mon, 1 Jan 2024 10:20:30 CEST", at(2024, 1, 1, 10, 20, 30)),
        ("Mon, 1 Jan 2024 10:20:30", at(2024, 1, 1, 10, 20, 30)),
        ("Monday, 1 January 2024 10:20:30 +0000", at(2024, 1, 1, 10, 20, 30)),
        ("01-Jan-24 10:20:30 GMT", at(2024, 1, 1, 10, 20, 30)),
        ("Mon, 1 Jan 49 00:00:00 +0000", at(2049, 1, 1)),
        ("Thu, 1 Jan 70 00:00:00 +0000", 0),
        ("Mon, 1 Jan 104 00:00:00 +0000", at(2004, 1, 1)),
        ("Sat, 31 Dec 2016 23:59:60 +0000", at(2017, 1, 1)),
        ("Mon Jan  1 10:20:30 2024", at(2024, 1, 1, 10, 20, 30)),
        ("Mon (day), 1 (first) Jan 2024 10:20:30 +0000 (a (b) c)", at(2024, 1, 1, 10, 20, 30)),
        ("Mon,\r\n 1 Jan 2024\r\n 10:20:30 +0000", at(2024, 1, 1, 10, 20, 30)),
        ("Fri, 31 Dec 9999 23:59:59 +0000", at(9999, 12, 31, 23, 59, 59)),
        ("Mon, 1 Jan 1900 00:00:00 +0000", at(1900, 1, 1)),
        ("Fri, 21 Nov 97 09(comment):   55  :  06 -0600", at(1997, 11, 21, 15, 55, 6)),
        ("Mon, 1 Jan 2024 (a\\) b) 10:20:30 +0000", at(2024, 1, 1, 10, 20, 30)),
        ("Mon,1 Jan 2024 10:20:30+0000", at(2024, 1, 1, 10, 20, 30)),
        ("Mon, 1 Jan 2024 10:20:30 -0000", at(2024, 1, 1, 10, 20, 30)),
        ("Mon, 1 Jan 2024 10:20:30.250 +0000", at(2024, 1, 1, 10, 20, 30)),
        ("Mon, 1 Jan 2024 04:20:30 cst", at(2024, 1, 1, 10, 20, 30)),
        ("Thu, 29 Feb 2024 10:00 Z", at(2024, 2, 29, 10)),
        ("2024-01-01T10:20:30Z", at(2024, 1, 1, 10, 20, 30)),
        ("2024-01-01T12:20:30.5+02:00", at(2024, 1, 1, 10, 20, 30)),
        ("2024-01-01 05:20 -0500", at(2024, 1, 1, 10, 20)),
    ],
)
def test_a_date_is_read_as(value: str, expected: int) -> None:
    """RFC 5322 sections 3.3 and 4.3."""
    assert milliseconds(value.encode()) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "Mon, 30 Feb 2024 10:20:30 +0000",
        "Mon, 1 Jan 2024 24:00:00 +0000",
        "Mon, 1 Jan 2024 10:60:00 +0000",
        "Mon, 1 Jan 2024 10:20:61 +0000",
        "Mon, 1 Jan 2024 10:20:30 +9999",
        "Mon, 1 Jan 2024 10:20:30 -2400",
        "Mon, 1 Jan 0001 10:20:30 +0000",
        "Mon, 1 Jan 1899 10:20:30 +0000",
        "Mon, 1 Jan 9999999 10:20:30 +0000",
        "Fri, 31 Dec 9999 23:59:59 -0100",
        "Mon, 1 Jan 2024 10:20:30 +" + "9" * 400,
        "Mon, 1 Foo 2024 10:20:30 +0000",
        "Wed, 29 Feb 2023 10:00:00 +0000",
        "Mon, 1 Jan 2024",
        "2024-01-01",
        "2024-13-01T10:20:30Z",
        "2024-01-01T24:00:00Z",
        "\xff\xfe",
    ],
)
def test_what_cannot_be_a_date_is_none(value: str) -> None:
    """Never a guess, never an exception."""
    assert milliseconds(value.encode("latin-1")) is None


def test_two_digits_from_50_on_are_of_the_last_century_in_every_shape() -> None:
    """RFC 5322 section 4.3; the standard library draws the line elsewhere."""
    assert milliseconds(b"Mon Jan  1 10:20:30 55") == milliseconds(b"1 Jan 1955 10:20:30")


def test_received_counts_when_date_does_not() -> None:
    """The topmost Received that has a time after its last semicolon."""
    row = parse_message(
        mail(
            "Received: by a; with; nonsense",
            "Received: by b (x; y);\n Mon, 1 Jan 2024 10:20:30 +0000",
            "Received: by c; Tue, 2 Jan 2024 10:20:30 +0000",
            "Date: not a date",
        )
    )
    assert row.received_at == at(2024, 1, 1, 10, 20, 30)


def test_no_date_at_all_is_null_and_not_now() -> None:
    """The same bytes give the same row at any time."""
    assert parse_message(mail("Subject: x", "Received: by a")).received_at is None
