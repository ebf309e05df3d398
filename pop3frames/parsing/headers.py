"""Header blocks: where one begins and ends, the few fields a row needs, and the columns they fill.

Offsets, not lines: one expression picks the needed fields out of a block and nothing else is cut. What the
values of fields mean is said in words.py, addresses.py, dates.py and parameters.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from pop3frames.message import Message
from pop3frames.parsing.addresses import addresses
from pop3frames.parsing.dates import milliseconds, topmost_stamp
from pop3frames.parsing.limits import Limits, Notes
from pop3frames.parsing.words import header_text

Fields = dict[bytes, bytes]  # lower-case name -> raw value, folded as it came

# A value and its continuation lines (RFC 5322 section 2.2.3). Expressions begin with the line end before a
# field: a literal first byte is what makes the search quick.
_VALUE = rb"([^\n]*+(?:\n[ \t][^\n]*+)*+)"
_NEEDED = re.compile(  # the look-ahead refuses most lines before the names are tried one by one
    rb"\n(?=[FTCBSDM])(From|To|Cc|Bcc|Subject|Date|Message-ID"
    rb"|Content-(?:Type|Transfer-Encoding|Disposition))[ \t]*+:" + _VALUE,
    re.IGNORECASE,
)
_CONTENT = re.compile(rb"\n(Content-(?:Type|Transfer-Encoding|Disposition))[ \t]*+:" + _VALUE, re.IGNORECASE)
_RECEIVED = re.compile(rb"\nReceived[ \t]*+:" + _VALUE, re.IGNORECASE)
_FIELDS = re.compile(rb"(?:[!-9;-~]++[ \t]*+:[^\n]*+\n?+(?:[ \t][^\n]*+\n?+)*+)*+")
_ANY_FIELD = re.compile(rb"\n([!-9;-~]++)[ \t]*+:" + _VALUE)

# What may stand before the first field: a byte order mark, empty lines, mbox lines ("From alice Mon ..."),
# continuations of nothing.
_PROLOGUE = re.compile(rb"(?:\xef\xbb\xbf)?+(?:\r?\n)*+(?:>?From (?![ \t]*+:)[^\n]*+\n|[ \t][^\n]*+\n)*+")
_FIELD_START = re.compile(rb"[!-9;-~]++[ \t]*+:")
_ODD_FIRST_BYTES = b"\xef\r\n>F \t"
_EMPTY_LINE = re.compile(rb"\n\r?\n")


def block_start(raw: bytes) -> int:
    """Where the header block of a message begins: 0, or after what mail stores put in front of it."""
    if raw[:1] not in _ODD_FIRST_BYTES or not raw:
        return 0
    prologue = _PROLOGUE.match(raw)
    start = prologue.end() if prologue else 0
    return start if _FIELD_START.match(raw, start) else 0


def block_end(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the block at `start` ends and where the body begins: around the first empty line.

    Without an empty line everything is header. Line ends are CRLF or LF, mixed or not.
    """
    if raw.startswith((b"\r\n", b"\n"), start, end):
        return start, raw.index(b"\n", start) + 1
    empty_line = _EMPTY_LINE.search(raw, start, end)
    return (empty_line.start() + 1, empty_line.end()) if empty_line else (end, end)


def top_fields(block: bytes) -> Fields:
    """The needed fields of a message's block (which begins with a line end): the first of each name."""
    return _first_of_each(_NEEDED.findall(block))


def part_fields(raw: bytes, start: int, end: int, limits: Limits, notes: Notes) -> Fields:
    """The Content-* fields of a part's block at raw[start:end], which a line end precedes."""
    if end - start > limits.part_header_block:
        notes.add("limit:part_header_block")
        end = start + limits.part_header_block
    return _first_of_each(_CONTENT.findall(raw, start - 1, _looked_at(raw, start - 1, end, limits, notes)))


def text_start(raw: bytes, start: int, end: int, *, ended: bool) -> int:
    """Where the fields of a part's block raw[start:end] give way to text; `end` when they do not.

    A line that is no field is only skipped when fields follow. In a block that an empty line did not end,
    text may look like fields ("Note: ..."), so that only Content-* fields count there.
    """
    fields = _FIELDS.match(raw, start, end)
    at = fields.end() if fields else start
    more = _ANY_FIELD if ended else _CONTENT
    return end if at == end or more.search(raw, at - 1, end) else at


def _first_of_each(found: list[tuple[bytes, bytes]]) -> Fields:
    fields: Fields = {}
    for name, value in found:
        fields.setdefault(name.lower(), value)
    return fields


def _looked_at(block: bytes, start: int, end: int, limits: Limits, notes: Notes) -> int:
    """The end of the part of the block that holds the allowed number of fields."""
    if end - start <= limits.header_fields * 3:  # "a:" and a line end: there cannot be more
        return end
    surplus = next(islice(_ANY_FIELD.finditer(block, start, end), limits.header_fields, None), None)
    if surplus is None:
        return end
    notes.add("limit:header_fields")
    return surplus.start()


def top_block(raw: bytes, limits: Limits, notes: Notes) -> tuple[bytes, int, int]:
    """The message's header block with a line end in front, where it begins and where the body does."""
    start = block_start(raw)
    end, body = block_end(raw, start, len(raw))
    if end - start > limits.header_block:
        notes.add("limit:header_block")
        end = start + limits.header_block
    block = b"\n" + raw[start:end]
    if start < end and _ANY_FIELD.search(block) is None:
        return b"\n", start, start  # no field at all: what stands here is text
    return block[: _looked_at(block, 0, len(block), limits, notes)], start, body


def all_fields(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every field of a block (which begins with a line end) in order: raw names and values."""
    for field in _ANY_FIELD.finditer(block):
        yield field[1], field[2]


def fill_columns(message: Message, fields: Fields, block: bytes, limits: Limits, notes: Notes) -> None:
    """Set the columns that come from the message's own fields. Absent is None or an empty list."""
    get = fields.get
    if (value := get(b"from")) is not None:
        message.from_ = ", ".join(addresses(value, limits, notes))
    if (value := get(b"to")) is not None:
        message.to = addresses(value, limits, notes)
    if (value := get(b"cc")) is not None:
        message.cc = addresses(value, limits, notes)
    if (value := get(b"bcc")) is not None:
        message.bcc = addresses(value, limits, notes)
    if (value := get(b"subject")) is not None:
        message.subject = header_text(value, limits, notes)
    if (value := get(b"message-id")) is not None:
        message.message_id_header = header_text(value, limits, notes)
    if (value := get(b"date")) is not None:
        message.received_at = milliseconds(value)
    if message.received_at is None:
        message.received_at = topmost_stamp(field[1] for field in _RECEIVED.finditer(block))
