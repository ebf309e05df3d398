"""Invented names, addresses, words and octets in place of real ones: the same for the same, under one key.

Everything is drawn from an HMAC of what it replaces, so nothing of that is left and, without the key, nobody
can check a guess. Only lengths are kept, about. No mail is read here.
"""

from __future__ import annotations

import hashlib
import hmac
import mimetypes
import re
import secrets
from collections.abc import Iterator
from functools import lru_cache

_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_LINE = 900  # characters; RFC 5322 section 2.1.1 allows 998
_REPLY = re.compile(r"\A(?:(?:re|fwd?|aw|antw|wg|sv|tr|rv)[ \t]*+:[ \t]*+)++", re.IGNORECASE | re.ASCII)
_QUOTES = re.compile(r"\A(?:>[ \t]?)*")
_MAILBOX = re.compile(r"\A(?P<name>[^<]*)<(?P<address>[^<>]*)>\Z", re.DOTALL)
_ENDS = ".?!,:;"
_SUFFIXES = frozenset(mimetypes.MimeTypes(()).types_map[True]) | {".docx", ".xlsx", ".pptx", ".ics", ".p7s"}
_SAFE_TYPES = frozenset(mimetypes.MimeTypes(()).types_map[True].values()) | {
    "application/pgp-encrypted",
    "application/pgp-signature",
    "application/pkcs7-mime",
    "application/pkcs7-signature",
    "application/ms-tnef",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "message/delivery-status",
    "message/disposition-notification",
    "text/calendar",
    "text/rfc822-headers",
}


class StandIns:
    """The stand-ins of one key of any length; None: a random one, which nobody learns."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)
        self._host = lru_cache(maxsize=4096)(self._new_host)

    def __repr__(self) -> str:
        return "<StandIns>"

    def octets(self, kind: str, content: bytes, count: int) -> bytes:
        """So many octets that stand for `content`; another `kind` gives others."""
        seed = hmac.digest(self._key, kind.encode() + b"\0" + content, "sha256")
        return hashlib.shake_256(seed).digest(count)

    def hexed(self, kind: str, text: str, length: int = 32) -> str:
        """A number in hex that stands for `text`."""
        return self.octets(kind, _encoded(text), length // 2).hex()

    def words(self, kind: str, text: str, length: int) -> str:
        """Words that nobody wrote, of `length` characters in all, in place of `text`."""
        stream = iter(self.octets(kind, _encoded(text), length + 16))
        shown = ""
        while len(shown) < length:
            shown += _word(stream, 2 + next(stream) % 8) + " "
        shown = shown[:length].rstrip()
        return shown + "e" * (length - len(shown))

    def line(self, text: str) -> str:
        """A line of text; how it is quoted stays, and the mark it ends with. Long ones are broken."""
        quotes = _QUOTES.match(text)
        marks = quotes[0] if quotes else ""
        content = text[len(marks) :].strip()
        if not content:
            return marks
        end = content[-1] if content[-1] in _ENDS else ""
        words = self.words("line", content, max(1, len(content) - len(end)))
        pieces = [words[at : at + _LINE] for at in range(0, len(words), _LINE)]
        return marks[:20] + "\n".join(pieces) + end

    def subject(self, text: str) -> str:
        """A subject; its "Re:" stays, so that a thread still hangs together."""
        reply = _REPLY.match(text)
        mark = reply[0] if reply else ""
        content = " ".join(text[len(mark) :].split())
        return (mark + self.words("subject", content.casefold(), min(len(content), 200))).strip()

    def name(self, name: str) -> str:
        """A person's name, in two words; '' for none."""
        if not name.strip():
            return ""
        stream = iter(self.octets("name", _encoded(name.strip().casefold()), 64))
        return " ".join(_word(stream, 4 + next(stream) % 4).capitalize() for _ in range(2))

    def address(self, address: str) -> str:
        """An address; those of one domain stay together. Domains end in .example (RFC 2606)."""
        address = address.strip().casefold()
        if not address:
            return "nobody@nowhere.example"
        local, at, domain = address.rpartition("@")
        host = self._host(domain if at else "")
        tail = self.hexed("local", address, 4)
        stream = iter(self.octets("address", _encoded(local if at else domain), 64))
        return f"{_word(stream, 6)}.{tail}@{host}"

    def _new_host(self, domain: str) -> str:
        stream = iter(self.octets("host", _encoded(domain), 64))
        return f"{_word(stream, 8)}{self.hexed('host', domain, 4)}.example"

    def mailbox(self, mailbox: str) -> str:
        """'Name <address>', or one of the two, as the parser gives it."""
        parts = _MAILBOX.match(mailbox)
        if parts is None:
            return self.address(mailbox)
        name, address = self.name(parts["name"]), self.address(parts["address"])
        return f"{name} <{address}>" if name else address

    def message_id(self, message_id: str) -> str:
        """A Message-ID, so that References still name it; without the angle brackets."""
        return f"{self.hexed('id', message_id.strip(' <>'))}@id.example"

    def filename(self, filename: str) -> str:
        """A file's name; its suffix stays if it is a usual one."""
        if not filename:
            return ""
        stem, dot, suffix = filename.rpartition(".")
        kept = f".{suffix.lower()}" if dot and f".{suffix.lower()}" in _SUFFIXES else ""
        stream = iter(self.octets("file", _encoded(stem if kept else filename), 64))
        return _word(stream, 8) + self.hexed("file", filename, 4) + kept


def media_type(named: str) -> str:
    """The same type if it is a usual one: a name can be hidden in a type as well."""
    if named in _SAFE_TYPES:
        return named
    return "text/plain" if named.startswith("text/") else "application/octet-stream"


def _word(stream: Iterator[int], length: int) -> str:
    """A word that can be spoken."""
    letters = (_VOWELS if at % 2 else _CONSONANTS for at in range(length))
    return "".join(choice[next(stream) % len(choice)] for choice in letters)


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
