"""The parts of a message as offsets into its bytes (RFC 2046 section 5.1): nothing is copied or decoded here.

Multiparts are walked with an explicit stack: no mail can exhaust Python's, however deep the caller is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pop3frames.parsing.headers import Fields, block_end, part_fields, text_start
from pop3frames.parsing.limits import Limits, Notes
from pop3frames.parsing.parameters import ContentType, Disposition, content_type, disposition
from pop3frames.parsing.transfer import IDENTITY, encoding_of

PLAIN = ContentType(
    "text/plain", "", "", "", frozenset()
)  # RFC 2045 section 5.2: what is meant by saying nothing
_ENCLOSED = ContentType("message/rfc822", "", "", "", frozenset())  # the default inside a digest
_NO_DISPOSITION = Disposition("", "", frozenset())
_BODY_TYPES = ("text/plain", "text/html")
_STRIDE = 4096  # octets searched, more than a delimiter has; then the next "-" is jumped to
# After the boundary: "--" in the closing delimiter, then blanks to the line end. Else it is a longer line.
_DELIMITER_END = re.compile(rb"(--)?+[ \t]*+(?:\r?\n|\r?\Z)")


class Part(NamedTuple):
    """A part whose header block is raw[head:head_end] and whose content, still encoded, is raw[start:end]."""

    content_type: ContentType
    disposition: Disposition
    encoding: str
    head: int
    head_end: int
    start: int
    end: int

    @property
    def is_body(self) -> bool:
        """Text to read. A file name alone does not make it an attachment."""
        return self.content_type.media_type in _BODY_TYPES and self.disposition.kind != "attachment"

    @property
    def filename(self) -> str:
        """The decoded file name, '' when there is none. Not safe as a path."""
        return self.disposition.filename or self.content_type.name


def described(
    fields: Fields, offsets: tuple[int, int, int, int], default: ContentType, limits: Limits, notes: Notes
) -> Part:
    """A part from its Content-* fields and its offsets."""
    kind, place, encoding = default, _NO_DISPOSITION, IDENTITY
    if (value := fields.get(b"content-type")) is not None:
        kind = content_type(value, limits)
        notes.update(kind.notes)
    if (value := fields.get(b"content-disposition")) is not None:
        place = disposition(value, limits)
        notes.update(place.notes)
    if (value := fields.get(b"content-transfer-encoding")) is not None:
        encoding = encoding_of(value)
    return Part(kind, place, encoding, *offsets)


class _Walk:
    """One walk over one message, and the counters that its limits need."""

    def __init__(self, raw: bytes, limits: Limits, notes: Notes) -> None:
        self.raw, self.limits, self.notes = raw, limits, notes
        self.parts = self.false_delimiters = 0

    def leaves(self, root: Part) -> Iterator[Part]:
        """The parts without parts of their own, in the order they stand."""
        todo: list[tuple[Part | tuple[int, int, ContentType], int]] = [(root, 0)]
        while todo:
            each, depth = todo.pop()
            if self.parts > self.limits.parts:
                self.notes.add("limit:parts")
                return
            self.parts += 1
            part = each if isinstance(each, Part) else self._part(*each)
            if not part.content_type.media_type.startswith("multipart/"):
                yield part
            elif depth >= self.limits.depth:
                self.notes.add("limit:depth")
                yield part
            elif ranges := self._split(part):
                default = _ENCLOSED if part.content_type.media_type == "multipart/digest" else PLAIN
                todo += [((start, end, default), depth + 1) for start, end in reversed(ranges)]
            elif not self.raw[part.start : part.end].isspace() and part.start < part.end:
                self.notes.add("boundary")  # nothing can be told apart: all of it is shown, nothing is lost
                yield part._replace(content_type=PLAIN, encoding=IDENTITY)

    def _part(self, head: int, end: int, default: ContentType) -> Part:
        head_end, start = block_end(self.raw, head, end)
        fields = part_fields(self.raw, head, head_end, self.limits, self.notes)
        if head < head_end and (not fields or head_end == end):
            text = text_start(self.raw, head, head_end, ended=head_end < end)
            if text < head_end:  # somebody forgot the empty line before it
                head_end = start = text
        return described(fields, (head, head_end, start, end), default, self.limits, self.notes)

    def _split(self, part: Part) -> list[tuple[int, int]]:
        """Where the parts of a multipart begin and end; empty when its boundary is missing or never occurs.

        Preamble and epilogue are dropped. Without a closing delimiter the last part runs to the end. A
        delimiter in the header block counts: then the empty line before it was lost.
        """
        raw, boundary = self.raw, part.content_type.boundary
        if not 0 < len(boundary) <= self.limits.boundary:
            return []
        delimiter = b"\n--" + boundary.encode()
        ranges: list[tuple[int, int]] = []
        begun = -1
        at = _found(raw, delimiter, max(part.head - 1, 0), part.end)
        while at >= 0:
            line_end = _DELIMITER_END.match(raw, at + len(delimiter), part.end)
            if line_end is None:
                self.false_delimiters += 1
                if self.false_delimiters > self.limits.false_delimiters:
                    self.notes.add("limit:false_delimiters")
                    break
                at = _found(raw, delimiter, at + 1, part.end)
                continue
            if begun >= 0:  # RFC 2046: the line end before a delimiter belongs to it
                ranges.append((begun, max(begun, at - (raw[at - 1 : at] == b"\r"))))
            if line_end[1] or len(ranges) > self.limits.parts:
                return ranges
            begun = line_end.end()
            at = _found(raw, delimiter, begun - 1, part.end)
        if begun >= 0:
            ranges.append((begun, part.end))
        return ranges


def _found(raw: bytes, delimiter: bytes, at: int, end: int) -> int:
    """As raw.find(delimiter, at, end); but base64 has no "-", so that memchr passes it."""
    while True:
        until = min(at + _STRIDE, end)
        found = raw.find(delimiter, at, until)
        if found >= 0 or until == end:
            return found
        dash = raw.find(b"-", until - len(delimiter) + len(b"\n-"), end)
        if dash < 0:
            return -1
        at = dash - len(b"\n")


def leaves(raw: bytes, root: Part, limits: Limits, notes: Notes) -> list[Part]:
    """The leaves of a message in order, as far as the limits allow."""
    if not root.content_type.media_type.startswith("multipart/"):
        return [root]
    return list(_Walk(raw, limits, notes).leaves(root))
