"""Odd dates and header blocks, and identities that are missing or shared."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from samples.building import Sample, header_block, milliseconds
from samples.oddity import odd
from samples.people import GRACE, INES, OSKAR, RAFAEL, SUNNIVA, TOMASZ, UWE, WATCH


def _utc(*numbers: int) -> int:
    year, month, day, hour, minute, second = numbers
    return milliseconds(datetime(year, month, day, hour, minute, second, tzinfo=UTC))


RECEIVED = (
    "from mail.porthollow.example ([192.0.2.25])\r\n\tby mx.saltmark.example with ESMTP id 5A17;"
    " Wed, 18 Mar 2026 09:30:12 +0000"
)
LONG_REFERENCES = "\r\n ".join(
    f"<letter-{number:03d}.of.the.quay@porthollow.example>" for number in range(60)
)

DATES: tuple[Sample, ...] = (
    odd(
        "date-missing-but-received",
        "no Date header; the time of the topmost Received counts",
        GRACE,
        "Tide table for the notice board",
        "Sent from the old machine in the shed.\n",
        headers={"Received": RECEIVED, "Date": None},
        received_at=_utc(2026, 3, 18, 9, 30, 12),
    ),
    odd(
        "date-missing",
        "neither Date nor Received: no time at all, and never now",
        GRACE,
        "Second page",
        "The shed again.\n",
        headers={"Date": None},
        received_at=None,
    ),
    odd(
        "date-two-digit-year-and-named-zone",
        "a year of two digits and the zone EST",
        RAFAEL,
        "Loan of the levelling staff",
        "You can have it for a week.\n",
        headers={"Date": "12 Feb 26 16:30:00 EST"},
        received_at=_utc(2026, 2, 12, 21, 30, 0),
    ),
    odd(
        "date-impossible",
        "31 February, 25:61 o'clock, and no Received",
        WATCH,
        "[OK] clock of PH-03 set",
        "It was off a little.\n",
        headers={"Date": "Tue, 31 Feb 2026 25:61:00 +0100"},
        received_at=None,
    ),
    odd(
        "date-impossible-but-received",
        "the same impossible date, with a Received that has a good one",
        WATCH,
        "[OK] clock of PH-03 set again",
        "It was off a little more.\n",
        headers={"Received": RECEIVED, "Date": "Tue, 31 Feb 2026 25:61:00 +0100"},
        received_at=_utc(2026, 3, 18, 9, 30, 12),
    ),
    odd(
        "date-unknown-zone",
        "a zone nobody knows: read as UTC",
        GRACE,
        "Local mean time",
        "Our old clock keeps its own.\n",
        headers={"Date": "Mon, 4 May 2026 10:15:00 LMT"},
        received_at=_utc(2026, 5, 4, 10, 15, 0),
    ),
    odd(
        "date-with-comment",
        "a comment after the zone, a day without its leading nought, no name of the day",
        SUNNIVA,
        "Slides",
        "As promised.\n",
        headers={"Date": "8 Jun 2026 09:05:07 +0200 (Central European Summer Time)"},
        received_at=_utc(2026, 6, 8, 7, 5, 7),
    ),
    odd(
        "date-in-1904",
        "the date of a scanner whose battery is flat, before 1970",
        OSKAR,
        "Scan from the workshop",
        "Page one of one.\n",
        headers={"Date": "Fri, 1 Jan 1904 00:00:00 +0000"},
        received_at=_utc(1904, 1, 1, 0, 0, 0),
    ),
)

BLOCKS: tuple[Sample, ...] = (
    odd(
        "message-id-missing",
        "no Message-ID",
        GRACE,
        "Key for the shed",
        "Under the third pot.\n",
        headers={"Message-ID": None},
        message_id_header=None,
    ),
    odd(
        "message-id-of-another-mail",
        "a Message-ID that another message of this mailbox has too",
        TOMASZ,
        "Key for the shed, again",
        "Not there.\n",
        headers={"Message-ID": "<new-year-order-book.20260105@saltmark.example>"},
        message_id_header="<new-year-order-book.20260105@saltmark.example>",
    ),
    odd(
        "header-raw-8-bit",
        "unencoded octets in two headers: the name in windows-1252, the subject in UTF-8",
        UWE,
        "",
        "Das alte Programm kann es nicht anders.\n",
        headers={
            "From": b"J\xfcrgen M\xf6ller <j.moeller@hafenamt-nordsiel.example>",
            "Subject": "Schlüssel für den Außenhafen".encode(),
        },
        from_="Jürgen Möller <j.moeller@hafenamt-nordsiel.example>",
        subject="Schlüssel für den Außenhafen",
    ),
    odd(
        "header-mbox-from-line",
        "the From_ line of an mbox file left over before the first header",
        RAFAEL,
        "Old thread, rescued",
        "From the archive of 2019.\n",
        first=b"From rafael@okafor.example.net Thu Jan 22 10:31:00 2026\r\n",
    ),
    odd(
        "header-empty-line-first",
        "an empty line before the first header",
        WATCH,
        "[OK] self-test passed",
        "Eleven stations of eleven.\n",
        first=b"\r\n",
    ),
    odd(
        "header-blank-before-colon",
        "a blank between the name of a header and its colon",
        GRACE,
        "Pilot boat at nine",
        "Mind the wash.\n",
        headers={"Subject": None, "Subject ": "Pilot boat at nine"},
        subject="Pilot boat at nine",
    ),
    odd(
        "header-line-without-colon",
        "a line among the headers that is no header",
        WATCH,
        "[OK] modem of PH-02 updated",
        "Version 7.\n",
        headers={"X-Gateway": "shed\r\nthis line was added by the gateway"},
    ),
    odd(
        "header-long-and-folded",
        "References with sixty entries on sixty lines",
        GRACE,
        "Re: Re: Re: the quay, the whole story",
        "We should have talked.\n",
        headers={"References": LONG_REFERENCES},
    ),
    Sample(
        "odd-header-only-without-empty-line.eml",
        header_block(
            [
                ("Date", "Thu, 21 May 2026 08:00:00 +0200"),
                ("From", "Tomasz <tomasz.wojcik@saltmark.example>"),
                ("To", "Ines Albrecht <ines.albrecht@saltmark.example>"),
                ("Subject", "Running late (eom)"),
            ]
        ),
        {
            "from_": "Tomasz <tomasz.wojcik@saltmark.example>",
            "to": [INES.shown],
            "subject": "Running late (eom)",
            "message_id_header": None,
            "received_at": _utc(2026, 5, 21, 6, 0, 0),
            "text_starts": "",
            "html_starts": None,
            "attachments": [],
        },
        "headers up to the end of the file: no empty line, no body",
    ),
)


def _twin(name: str) -> Sample:
    """A warning that the gateway sent twice: the same octets whatever the file is called."""
    warning = odd(
        "duplicate",
        "the same octets as the other duplicate",
        WATCH,
        "[WARN] disk of the gateway at 91 %",
        "Old readings can be moved to the archive.\n",
    )
    return replace(warning, name=f"odd-{name}.eml")


DUPLICATES = (_twin("duplicate-first"), _twin("duplicate-second"))

ODD_HEADERS: tuple[Sample, ...] = (*DATES, *BLOCKS, *DUPLICATES)
