"""How much of a mail is looked at: the named numbers, and the closed list of notes a parse may leave.

Data only. The numbers bound what a hostile mail costs; a mail that reaches one gives a flagged row, never an
exception, and its raw bytes are unaffected.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB = 1 << 10, 1 << 20

# What the doors of this room accept.
Raw = bytes | bytearray | memoryview

# Notes are collected in a set while parsing: "charset", or "limit:depth".
Notes = set[str]

# Every code of parse_error, in the order they are joined. "limit" stands for "limit:<name of the limit>".
CODES = ("empty", "charset", "encoding", "boundary", "limit", "fallback", "minimal")


@dataclass(frozen=True, eq=False, slots=True)  # eq=False: hashing by identity makes it a cheap cache key
class Limits:
    """The named numbers. Sizes are octets unless said otherwise; counts are inclusive."""

    message: int = 64 * MIB  # beyond it only the headers are read
    header_block: int = MIB  # of the message; the rest is not looked at
    part_header_block: int = 64 * KIB  # of each part
    header_value: int = 16 * KIB  # cut there; address lists have their own limit
    header_fields: int = 2_000  # looked at in one block
    parts: int = 2_000  # parts of any kind, the message itself not counted; the walk ends there
    false_delimiters: int = 4_000  # lines that begin like a delimiter and are none; the rest is one part
    depth: int = 32  # nested multiparts; one that is deeper is kept as an attachment
    boundary: int = 200  # RFC 2046 section 5.1.1 allows 70; a longer one is as good as none
    addresses: int = 2_000  # in one field
    encoded_words: int = 500  # in one value; the rest stays as written
    parameters: int = 64  # of one field
    pieces: int = 100  # RFC 2231 section 3 continuations of one field
    text: int = 32 * MIB  # characters of text and HTML together


DEFAULT_LIMITS = Limits()


def joined(notes: Notes) -> str | None:
    """The value of parse_error: the codes in their fixed order, None when there is nothing to say."""
    if not notes:
        return None
    return ",".join(sorted(notes, key=lambda note: (CODES.index(note.partition(":")[0]), note)))
