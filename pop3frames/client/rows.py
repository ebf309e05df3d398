"""A fetched mail as a row: the parsed message with its provenance."""

from __future__ import annotations

import hashlib
import time

from pop3frames.message import Message
from pop3frames.parsing.parser import parse_headers, parse_message


def as_row(
    raw: bytes, number: int, *, account: str, uidl: str | None = None, keep_raw: bool = False
) -> Message:
    """Parse `raw`, and add the account, the unique-id, the SHA-256 of the bytes and the time of fetching."""
    message = parse_message(raw, number=number)
    message.account, message.uidl = account, uidl
    message.content_hash = hashlib.sha256(raw).hexdigest()
    message.fetched_at = time.time_ns() // 1_000_000
    message.raw = raw if keep_raw else None
    return message


def header_row(header: bytes, number: int, *, account: str, uidl: str | None, size: int) -> Message:
    """A row of what TOP tells: the header's columns and the LISTed size; no body, no attachments, no hash."""
    message = parse_headers(header, number=number)
    message.account, message.uidl, message.size = account, uidl, size
    message.fetched_at = time.time_ns() // 1_000_000
    return message


def oversized_row(header: bytes, number: int, *, account: str, uidl: str | None, size: int) -> Message:
    """A row for a mail too large to fetch, flagged as such."""
    message = header_row(header, number, account=account, uidl=uidl, size=size)
    message.parse_error = "limit:message"
    return message
