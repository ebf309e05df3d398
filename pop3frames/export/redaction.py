"""A mail with everything invented but its shape: built anew from what the parser understood, never edited.

So nothing of the original can be left by oversight. Kept are the dates, how the parts are nested, usual media
types and suffixes, about the sizes, and who is the same as whom. What cannot be parsed is replaced whole.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

from pop3frames.export.standins import StandIns, media_type
from pop3frames.parsing.addresses import addresses
from pop3frames.parsing.bodies import body_text
from pop3frames.parsing.dates import milliseconds
from pop3frames.parsing.headers import all_fields, top_block, top_fields
from pop3frames.parsing.limits import DEFAULT_LIMITS
from pop3frames.parsing.mime import PLAIN, Part, described, leaves
from pop3frames.parsing.transfer import decoded_bytes
from pop3frames.parsing.words import header_text

_ONE_LEVEL = replace(DEFAULT_LIMITS, depth=1)  # `leaves` then gives the parts of a part, not theirs
_MOST_LEVELS = 32  # of parts in parts and mails in mails

_ADDRESSES = frozenset(
    b"""from to cc bcc sender reply-to resent-from resent-to resent-cc resent-sender return-path delivered-to
    x-original-to envelope-to errors-to disposition-notification-to mail-followup-to apparently-to""".split()
)
_IDS = frozenset(b"message-id in-reply-to references resent-message-id".split())
_DATES = frozenset(b"date resent-date delivery-date".split())
# Their names say nothing about anybody; what they hold is replaced.
_WORDS = frozenset(
    b"""comments keywords organization user-agent x-mailer list-id list-unsubscribe list-post list-help
    list-archive list-subscribe dkim-signature authentication-results arc-seal arc-message-signature
    arc-authentication-results received-spf thread-index thread-topic x-spam-status x-spam-score x-priority
    importance precedence auto-submitted""".split()
)
_MULTIPARTS = frozenset(
    ["mixed", "alternative", "related", "digest", "signed", "report", "parallel", "encrypted"]
)
_DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_ZONE = re.compile(rb"([+-](?:0\d|1[0-4]))([0-5]\d)(?!\d)")
_TAG = re.compile(r"<[^<>]*+>?")
_ID = re.compile(r"<[^<>]*+>")
# A UIDL that names a machine or a person, as those from Maildir files do.
_NAMING = re.compile(r"@|\.[A-Za-z][A-Za-z-]")


class Redactor:
    """Redacts mails under one key: the same input gives the same output. None: a random key.

    Whoever has the key can check guesses about what was there: keep it as you would keep the mail.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._stand_ins = StandIns(key)

    def mail(self, raw: bytes) -> bytes:
        """The mail with another content; b"" for b""."""
        return _Rebuilt(self._stand_ins).mail(raw, 0) if raw else b""

    def uidl(self, uidl: str) -> str:
        """The unique-id as it is, unless it may hold a name: then a number that stands for it."""
        return self._stand_ins.hexed("uidl", uidl) if _NAMING.search(uidl) else uidl


@dataclass
class _Rebuilt:
    """One mail on its way out."""

    stand_ins: StandIns
    boundaries: int = field(default=0, init=False)

    def mail(self, raw: bytes, level: int) -> bytes:
        block, head, body = top_block(raw, DEFAULT_LIMITS, set())
        root = described(top_fields(block), (head, body, body, len(raw)), PLAIN, DEFAULT_LIMITS, set())
        lines = [line for name, value in all_fields(block) if (line := self._field(name, value))]
        lines.append("MIME-Version: 1.0")
        shown = "".join(f"{line}\r\n" for line in lines).encode("ascii") + self._part(raw, root, level)
        return shown if level or shown.endswith(b"\r\n") else shown + b"\r\n"

    def _field(self, name: bytes, value: bytes) -> str:
        """A field of the header; '' for what the parts say themselves."""
        kind, text = name.lower(), header_text(value, DEFAULT_LIMITS, set())
        if kind.startswith(b"content-") or kind == b"mime-version":
            return ""
        shown = name.decode("ascii")
        if kind in _ADDRESSES:
            mailboxes = [self.stand_ins.mailbox(each) for each in addresses(value, DEFAULT_LIMITS, set())]
            return f"{shown}: " + ",\r\n ".join(mailboxes)
        if kind in _IDS:
            ids = [self.stand_ins.message_id(each) for each in _ID.findall(text) or [text] if each.strip()]
            return f"{shown}: " + "\r\n ".join(f"<{each}>" for each in ids)
        if kind in _DATES:
            return f"{shown}: {_date(value) or 'no date'}"
        if kind == b"received":
            date = _date(value.rpartition(b";")[2]) if b";" in value else None
            host = self.stand_ins.address(text).partition("@")[2]
            return f"{shown}: by {host}" + (f"; {date}" if date else "")
        if kind == b"subject":
            return _folded(f"{shown}: {self.stand_ins.subject(text)}")
        words = self.stand_ins.words("field", text, min(len(text), 2000))
        return _folded(f"{shown if kind in _WORDS else 'X-Redacted'}: {words}")

    def _part(self, raw: bytes, part: Part, level: int) -> bytes:
        """The part with its Content-* fields, the empty line and what it holds."""
        named = part.content_type.media_type
        if named.startswith("multipart/") and level < _MOST_LEVELS:
            return self._multipart(raw, part, level)
        if named == "message/rfc822" and level < _MOST_LEVELS:
            content = self.mail(decoded_bytes(raw[part.start : part.end], part.encoding, set()), level + 1)
            return self._headed(part, named, "7bit") + content
        if named.startswith(("text/", "message/", "multipart/")):
            text = body_text(raw, part, set())
            if named == "text/html":
                text = self._html(text)
            else:
                text = "\n".join(self.stand_ins.line(line) for line in text.split("\n"))
            content = text.replace("\n", "\r\n").encode("ascii")
            return self._headed(part, media_type(named), "7bit", "; charset=us-ascii") + content
        content = decoded_bytes(raw[part.start : part.end], part.encoding, set())
        content = self.stand_ins.octets("file", content, len(content))
        letters = base64.encodebytes(content).rstrip(b"\n").replace(b"\n", b"\r\n")
        return self._headed(part, media_type(named), "base64") + letters

    def _multipart(self, raw: bytes, part: Part, level: int) -> bytes:
        self.boundaries += 1
        boundary = f"=_part_{self.boundaries}"
        subtype = part.content_type.media_type.removeprefix("multipart/")
        subtype = subtype if subtype in _MULTIPARTS else "mixed"
        pieces = [self._headed(part, f"multipart/{subtype}", "7bit", f'; boundary="{boundary}"')]
        for child in leaves(raw, part, _ONE_LEVEL, set()):
            pieces.append(f"--{boundary}\r\n".encode() + self._part(raw, child, level + 1) + b"\r\n")
        return b"".join(pieces) + f"--{boundary}--".encode()

    def _headed(self, part: Part, named: str, encoding: str, parameters: str = "") -> bytes:
        lines = [f"Content-Type: {named}{parameters}", f"Content-Transfer-Encoding: {encoding}"]
        filename = self.stand_ins.filename(part.filename)
        kind = part.disposition.kind if part.disposition.kind in ("inline", "attachment") else ""
        if kind or filename:
            named = f'; filename="{filename}"' if filename else ""
            lines.append(f"Content-Disposition: {kind or 'inline'}{named}")
        return "".join(f"{line}\r\n" for line in lines).encode("ascii") + b"\r\n"

    def _html(self, html: str) -> str:
        """A page of paragraphs, about as long as the other."""
        lines = [line for line in _TAG.sub("\n", html).split("\n") if line.strip()]
        shown = [f"<p>{self.stand_ins.line(line.strip('> '))}</p>" for line in lines]
        page = ["<html><body>", *shown, "</body></html>"]
        missing = len(html) - sum(len(line) + 1 for line in page)
        seed = self.stand_ins.hexed("html", html)
        for at in range(0, missing - 80, 72):
            page.append(f"<!-- {self.stand_ins.words('fill', f'{seed}{at}', 62)} -->")
        return "\n".join(page)


def _date(value: bytes) -> str | None:
    """The same moment in the same zone, spelled as RFC 5322 does; None for what is no date."""
    moment = milliseconds(value)
    if moment is None:
        return None
    zone = _ZONE.search(value)
    east = timedelta(hours=int(zone[1]), minutes=int(zone[1][:1] + zone[2])) if zone else timedelta()
    try:
        there = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)
        there = there.astimezone(timezone(east))
    except OverflowError:  # the last day of the year 9999, further east
        return None
    return (
        f"{_DAYS[there.weekday()]}, {there.day} {_MONTHS[there.month - 1]} {there.year:04} "
        f"{there:%H:%M:%S %z}"
    )


def _folded(line: str) -> str:
    """RFC 5322 section 2.2.3: continued at blanks before 78 characters, where there are blanks."""
    return re.sub(r"(.{40,76}) (?=\S)", "\\1\r\n ", line)
