"""What a preview shows of one mail: made from its bytes once, and the larger pieces only when asked for.

No widgets here. Everything is data for a page that makes text of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, islice
from typing import Any

from pop3frames.message import Message
from pop3frames.parsing.addresses import addresses
from pop3frames.parsing.contents import headers, iter_parts
from pop3frames.parsing.filenames import safe_filename
from pop3frames.parsing.headers import all_fields, top_block
from pop3frames.parsing.limits import DEFAULT_LIMITS
from pop3frames.parsing.parser import parse_message
from pop3frames.widgets.mailhtml import SafeDocument, plain_text, safe_document
from pop3frames.widgets.spoofing import Mailbox, doubts, mailbox
from pop3frames.widgets.visible import visible, visible_line

_LONGEST_TEXT = 1 << 19  # characters of text or source that are shown
_RECIPIENTS = 200
_ATTACHMENTS = 500

TOO_MUCH = (
    "The HTML of this mail is too long or too deeply nested to be shown safely. The source shows it as it is."
)
_ONLY_HTML = "(This mail has no text beside its HTML.)"

_versions = count(1)


@dataclass(frozen=True, eq=False)
class Reading:
    """One mail as it is read. `raw` may be its beginning only (`partial`)."""

    row: Message
    raw: bytes
    partial: bool
    version: int = field(default_factory=_versions.__next__)

    @cached_property
    def message(self) -> Message:
        """What the bytes at hand say, whatever the row knows."""
        return parse_message(self.raw, number=self.row.message_id)

    def content(self) -> dict[str, Any]:
        """What a page needs at first: headers, doubts, text, and what else there is."""
        message, row = self.message, self.row
        authors, reply_to = self._boxes(b"from"), self._boxes(b"reply-to")
        text = visible(self._text())
        return {
            "subject": visible_line(message.subject or ""),
            "from": _shown(authors),
            "replyTo": _shown(reply_to)
            if {box.address for box in reply_to} - {b.address for b in authors}
            else [],
            "to": _shown([mailbox(each) for each in message.to]),
            "cc": _shown([mailbox(each) for each in message.cc]),
            "date": visible_line(
                next((value for name, value in headers(self.raw) if name.lower() == "date"), "")
            ),
            "seconds": None if message.received_at is None else message.received_at // 1000,
            "size": max(row.size, len(self.raw)),
            "loaded": len(self.raw),
            "partial": self.partial,
            "doubts": doubts(authors, reply_to),
            "text": text[:_LONGEST_TEXT],
            "cut": len(text) > _LONGEST_TEXT,
            "html": message.html_body is not None,
            "attachments": list(self._attachments()),
        }

    def document(self) -> SafeDocument | None:
        """The HTML as a harmless document; None: it cannot be made harmless."""
        return safe_document(self.message.html_body or "", self._picture)

    def source(self) -> str:
        """The bytes as they came, as text; control characters can be seen."""
        text = self.raw[:_LONGEST_TEXT].decode("utf-8", "backslashreplace").replace("\r\n", "\n")
        cut = len(self.raw) > _LONGEST_TEXT
        return visible(text) + (f"\n… cut here: {len(self.raw)} octets were loaded" if cut else "")

    def file(self, number: int) -> bytes:
        """The content of an attachment, by its place in the list. IndexError when there is none."""
        attached = (part for part in iter_parts(self.raw) if not part.is_body)
        for part in islice(attached, number, number + 1):
            return part.content()
        raise IndexError("no such attachment")

    def _boxes(self, name: bytes) -> list[Mailbox]:
        block, *_ = top_block(self.raw, DEFAULT_LIMITS, set())
        values = [value for each, value in all_fields(block) if each.lower() == name]
        found = [each for value in values[:10] for each in addresses(value, DEFAULT_LIMITS, set())]
        return [mailbox(each) for each in found]

    def _text(self) -> str:
        message = self.message
        if message.text_body is not None or message.html_body is None:
            return message.text_body or ""
        text = plain_text(message.html_body)
        return TOO_MUCH if text is None else f"{_ONLY_HTML}\n\n{text}"

    def _attachments(self) -> Iterator[dict[str, Any]]:
        for number, each in enumerate(self.message.attachments[:_ATTACHMENTS], 1):
            name = safe_filename(each.filename, f"attachment-{number}")
            sent_as = visible_line(each.filename, 200)
            yield {"name": name, "type": visible_line(each.content_type, 100), "size": each.size} | (
                {"sentAs": sent_as} if sent_as not in ("", name) else {}
            )

    def _picture(self, content_id: str) -> bytes | None:
        part = self._pictures.get(content_id)
        return part.content() if part else None

    @cached_property
    def _pictures(self) -> dict[str, Any]:
        parts = (part for part in iter_parts(self.raw) if part.content_type.startswith("image/"))
        return {part.content_id: part for part in parts if part.content_id}


def _shown(boxes: list[Mailbox]) -> list[dict[str, str]]:
    shown = [
        {"name": visible_line(b.name, 300), "address": visible_line(b.address, 300)}
        for b in boxes[:_RECIPIENTS]
    ]
    more = len(boxes) - _RECIPIENTS
    return [*shown, {"name": f"and {more} more", "address": ""}] if more > 0 else shown
