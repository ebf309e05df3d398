"""What a row does not hold, read from the raw bytes when somebody asks: parts, attachments, all headers.

Nothing here is paid for by parse_message. Nothing raises for any bytes that parse_message accepts; where the
structure breaks a limit, it ends there as the row does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pop3frames.parsing.bodies import body_text
from pop3frames.parsing.filenames import safe_filename
from pop3frames.parsing.headers import all_fields, top_block, top_fields
from pop3frames.parsing.limits import DEFAULT_LIMITS, Limits, Notes, Raw
from pop3frames.parsing.mime import PLAIN, Part, described, leaves
from pop3frames.parsing.transfer import decoded_bytes
from pop3frames.parsing.words import header_text


@dataclass(frozen=True, slots=True)
class MailPart:
    """One leaf of a message. It keeps the message's bytes; content is decoded anew at each call."""

    raw: bytes
    part: Part

    @property
    def content_type(self) -> str:
        """Media type in lower case, without parameters."""
        return self.part.content_type.media_type

    @property
    def filename(self) -> str:
        """The decoded file name as it was sent, '' when there is none. Not safe as a path."""
        return self.part.filename

    @property
    def is_body(self) -> bool:
        """Whether it is part of text_body or html_body; every other part is an attachment."""
        return self.part.is_body

    @property
    def content_id(self) -> str:
        """The Content-ID without its angle brackets, which "cid:" links name (RFC 2392); '' without one."""
        block = b"\n" + self.raw[self.part.head : self.part.head_end]
        for name, value in all_fields(block):
            if name.lower() == b"content-id":
                return header_text(value, DEFAULT_LIMITS, set()).strip("<> ")
        return ""

    def content(self) -> bytes:
        """The bytes without their transfer encoding."""
        return decoded_bytes(self.raw[self.part.start : self.part.end], self.part.encoding, set())

    def text(self) -> str:
        """The content as text, by the rules for bodies. Never raises, whatever the part holds."""
        return body_text(self.raw, self.part, set())


class AttachedFile(NamedTuple):
    """An attachment with its bytes. `name` is safe as a file name, and may occur twice in one message."""

    name: str
    content_type: str
    content: bytes


def iter_parts(raw: Raw, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[MailPart]:
    """The leaves of a message in order. A message/rfc822 is one leaf: its content() is a message again."""
    notes: Notes = set()
    data = bytes(raw)
    if not data or data.isspace() or len(data) > limits.message:
        return
    block, head, body = top_block(data, limits, notes)
    offsets = (head, body, body, len(data))
    root = described(top_fields(block), offsets, PLAIN, limits, notes)
    for part in leaves(data, root, limits, notes):
        yield MailPart(data, part)


def attachments(raw: Raw, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[AttachedFile]:
    """The attachments of a message, decoded one at a time: those of the row, in its order."""
    attached = (part for part in iter_parts(raw, limits=limits) if not part.is_body)
    for number, part in enumerate(attached, 1):
        name = safe_filename(part.filename, f"attachment-{number}")
        yield AttachedFile(name, part.content_type, part.content())


def headers(raw: Raw, *, limits: Limits = DEFAULT_LIMITS) -> list[tuple[str, str]]:
    """Every header field in order as (name, decoded value): repeated ones too, names spelled as sent."""
    notes: Notes = set()
    block, *_ = top_block(bytes(raw), limits, notes)
    return [(name.decode("ascii"), header_text(value, limits, notes)) for name, value in all_fields(block)]
