"""The door of the room: raw bytes in, one Message out. Always one, never an exception, never a stall.

The chain is: own core, then the standard library within limits, then a minimal row. What a mail means is
decided in the other files of this room.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

from pop3frames.message import Message
from pop3frames.parsing import fallback
from pop3frames.parsing.bodies import fill_contents
from pop3frames.parsing.headers import fill_columns, part_fields, top_block, top_fields
from pop3frames.parsing.limits import DEFAULT_LIMITS, Limits, Notes, Raw, joined
from pop3frames.parsing.mime import PLAIN, described, leaves

_log = logging.getLogger(__name__)

# What mails without attachments are, beside text. Pictures inside HTML are none to look for.
_BODIES_ONLY = ("multipart/alternative", "multipart/related")

_Maker = Callable[[bytes, int, Limits, Notes], Message]


def parse_message(raw: Raw, *, number: int = 0, limits: Limits = DEFAULT_LIMITS) -> Message:
    """The row of one mail: every documented column, and `parse_error`.

    `raw` is the message as POP3 delivers it, without dot-stuffing; `number` its number in the session. Never
    raises for any bytes. `account`, `uidl`, `content_hash`, `fetched_at` and `raw` are the caller's to fill.
    """
    data = bytes(raw)
    try:
        return _noted(_row, data, number, limits)
    except Exception as error:  # noqa: BLE001  RecursionError, MemoryError too: one mail must not stop a run
        _report(error, data)
    try:
        return _noted(fallback.compat32_row, data, number, limits)
    except Exception:  # noqa: BLE001
        return fallback.minimal_row(data, number)


def parse_headers(raw: Raw, *, number: int = 0, limits: Limits = DEFAULT_LIMITS) -> Message:
    """Only the columns that come from the header block, for a TOP preview or a message too large to fetch.

    Bodies are None and attachments empty, whatever follows the block. `size` is that of `raw`: callers who
    know the size of the whole message set it.
    """
    data = bytes(raw)
    try:
        return _noted(_header_row, data, number, limits)
    except Exception as error:  # noqa: BLE001
        _report(error, data)
        return fallback.minimal_row(data, number)


def expects_attachments(header: Raw, *, limits: Limits = DEFAULT_LIMITS) -> bool:
    """Whether a mail probably has attachments, as far as its header block tells: multipart/mixed, a lone PDF.

    Only the parts tell for sure: some are mixed for a footer's sake, and an alternative may hold a file.
    Never raises for any bytes.
    """
    data, notes = bytes(header), Notes()
    try:
        block, *_ = top_block(data, limits, notes)
        fields = part_fields(block, 1, len(block), limits, notes)
        part = described(fields, (0, 0, 0, 0), PLAIN, limits, notes)
    except Exception as error:  # noqa: BLE001
        _report(error, data)
        return False
    return not part.is_body and part.content_type.media_type not in _BODIES_ONLY


def _noted(make: _Maker, raw: bytes, number: int, limits: Limits) -> Message:
    notes: Notes = set()
    message = make(raw, number, limits, notes)
    message.parse_error = joined(notes)
    return message


def _row(raw: bytes, number: int, limits: Limits, notes: Notes) -> Message:
    if not raw or raw.isspace():
        notes.add("empty")
        return Message(message_id=number, pop_id=number, size=len(raw))
    if len(raw) > limits.message:
        notes.add("limit:message")
        return _header_row(raw, number, limits, notes)
    message = Message(message_id=number, pop_id=number, size=len(raw))
    block, head, body = top_block(raw, limits, notes)
    fields = top_fields(block)
    fill_columns(message, fields, block, limits, notes)
    root = described(fields, (head, body, body, len(raw)), PLAIN, limits, notes)
    parts = leaves(raw, root, limits, notes)
    fill_contents(message, ((raw, part) for part in parts), limits, notes)
    return message


def _header_row(raw: bytes, number: int, limits: Limits, notes: Notes) -> Message:
    message = Message(message_id=number, pop_id=number, size=len(raw))
    block, *_ = top_block(raw, limits, notes)
    fill_columns(message, top_fields(block), block, limits, notes)
    return message


def _report(error: Exception, raw: bytes) -> None:
    """A fallback is a bug of this room: the hash finds the mail again. The error's text may quote it."""
    kind, content_hash = type(error).__name__, hashlib.sha256(raw).hexdigest()
    _log.warning("%s: the mail with SHA-256 %s needed a fallback", kind, content_hash)
