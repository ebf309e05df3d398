"""What the parts of a message become: text and HTML columns, and attachments described but not decoded."""

from __future__ import annotations

from collections.abc import Iterable

from pop3frames.message import Attachment, Message
from pop3frames.parsing.charsets import decoded_lines, lf_lines
from pop3frames.parsing.limits import Limits, Notes
from pop3frames.parsing.mime import Part
from pop3frames.parsing.transfer import QUOTED_PRINTABLE, decoded_bytes, decoded_size


def fill_contents(
    message: Message, pieces: Iterable[tuple[bytes, Part]], limits: Limits, notes: Notes
) -> None:
    """Set bodies and attachments from the leaves, each with the bytes its offsets point into."""
    texts: dict[str, list[str]] = {}
    room = limits.text
    for raw, part in pieces:
        media_type = part.content_type.media_type
        if part.is_body:
            text = body_text(raw, part, notes)
            if len(text) > room:
                notes.add("limit:text")
                text = text[:room]
            room -= len(text)
            texts.setdefault(media_type, []).append(text)
        else:
            size = decoded_size(raw, part.start, part.end, part.encoding, notes)
            message.attachments.append(Attachment(part.filename, media_type, size))
    message.attachment_count = len(message.attachments)
    if (plain := texts.get("text/plain")) is not None:
        message.text_body = "\n".join(plain)
    if (html := texts.get("text/html")) is not None:
        message.html_body = "\n".join(html)


def body_text(raw: bytes, part: Part, notes: Notes) -> str:
    """The text of a body part, line ends as LF. format=flowed is kept as it came (RFC 3676)."""
    data = raw[part.start : part.end]
    if part.encoding == QUOTED_PRINTABLE:
        data = lf_lines(data)  # not later: its decoder is quicker on it
    data = decoded_bytes(data, part.encoding, notes)
    kind = part.content_type
    return decoded_lines(data, kind.charset, notes, html=kind.media_type == "text/html")
