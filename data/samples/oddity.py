"""How an odd message is written: a plain one, with only what is odd about it said.

A column whose header is replaced loses its truth unless the caller states it, so that no truth is a guess.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Unpack

from samples.building import (
    Person,
    Sample,
    Truth,
    address_text,
    as_read,
    date_line,
    header_block,
    header_text,
    milliseconds,
    text_part,
)
from samples.people import INES

FIRST_DAY = datetime(2026, 1, 5, tzinfo=timezone(timedelta(hours=1)))
HEADER_OF = {
    "message_id_header": "Message-ID",
    "from_": "From",
    "to": "To",
    "cc": "Cc",
    "bcc": "Bcc",
    "subject": "Subject",
    "received_at": "Date",
}


def working_moment(name: str) -> datetime:
    """A working hour of January to June that belongs to the name, and stays when other files come or go."""
    number = zlib.crc32(name.encode())
    weeks, weekday = number % 25, number // 25 % 5
    minutes = number // 125 % 600  # a day from 8 to 18 o'clock
    return FIRST_DAY + timedelta(weeks=weeks, days=weekday, hours=8, minutes=minutes)


def odd(
    name: str,
    oddity: str,
    sender: Person,
    subject: str,
    body: str = "",
    /,
    *,
    headers: Mapping[str, str | bytes | None] | None = None,
    part: bytes | None = None,
    first: bytes = b"",
    unsure: Sequence[str] = (),
    **truth: Unpack[Truth],
) -> Sample:
    """One odd message and its truth.

    `headers` replaces header values (None removes the header) and adds further ones; `part` replaces the
    Content-* lines and the body; `first` stands before everything. `truth` says what a right reader finds
    there, `unsure` names the columns nobody can be sure of.
    """
    moment = working_moment(name)
    usual: dict[str, str | bytes | None] = {
        "Date": date_line(moment),
        "From": address_text(sender),
        "To": address_text(INES),
        "Subject": header_text(subject),
        "Message-ID": f"<{name}@{sender.domain}>",
        "MIME-Version": "1.0",
    }
    given = headers or {}
    lines = [(key, value) for key, value in {**usual, **given}.items() if value is not None]
    raw = first + header_block(lines) + (text_part(body) if part is None else part)
    right = Truth(
        message_id_header=f"<{name}@{sender.domain}>",
        from_=sender.shown,
        to=[INES.shown],
        cc=[],
        bcc=[],
        subject=subject,
        received_at=milliseconds(moment),
        parse_error=None,
    )
    if part is None:
        right |= Truth(text_starts=as_read(body), html_starts=None, attachments=[])
    kept = {column: value for column, value in right.items() if HEADER_OF.get(column) not in given}
    certain = {column: value for column, value in {**kept, **truth}.items() if column not in unsure}
    return Sample(f"odd-{name}.eml", raw, Truth(**certain), oddity)  # type: ignore[typeddict-item]
