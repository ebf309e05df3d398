"""Structured Content-* fields: the value and its parameters (RFC 2045 section 5.1, RFC 2183, RFC 2231).

Values repeat for ever ('text/plain; charset="utf-8"'), so results are cached; only short values are, because
a cache keeps what it saw. Reading raw header blocks is not done here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from pop3frames.parsing.charsets import decoded, raw_text
from pop3frames.parsing.limits import Limits, Notes
from pop3frames.parsing.words import clean, decoded_words, unfolded

_CACHED_VALUE = 1024  # octets

# One parameter: its name, a quoted value (its quotes undone by _unquoted) or a bare one up to the next ";".
_PARAMETER = re.compile(r';\s*+([^=;\s"]++)\s*+=\s*+(?:"((?:[^"\\]++|\\.)*+)"|([^;]*+))', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')  # others stand for themselves: C:\TEMP\a.txt is sent as it is
_MEDIA_TYPE = re.compile(
    r'\s*+(?:\([^()]*+\)\s*+)?+([^\s\x00-\x1f/;,"()=]++)\s*+/\s*+([^\s\x00-\x1f/;,"()=]++)'
)
_TOKEN = re.compile(r'\s*+"?+([^\s;=",()]++)"?+\s*+(?!=)')
_PIECE = re.compile(r"([^*]++)(?:\*(\d{1,6}))?+(\*)?+")  # RFC 2231: name*0*, name*1, name*


class ContentType(NamedTuple):
    """What a Content-Type says. `charset`, `boundary` and `name` are '' where it does not say."""

    media_type: str
    charset: str
    boundary: str
    name: str
    notes: frozenset[str]


class Disposition(NamedTuple):
    """What a Content-Disposition says: `kind` in lower case ('' when missing) and the decoded file name."""

    kind: str
    filename: str
    notes: frozenset[str]


def content_type(value: bytes, limits: Limits) -> ContentType:
    """A raw Content-Type value, read. Empty or without a slash: text/plain (RFC 2045 section 5.2)."""
    return _content_type(value, limits) if len(value) <= _CACHED_VALUE else _read_content_type(value, limits)


def disposition(value: bytes, limits: Limits) -> Disposition:
    """A raw Content-Disposition value, read."""
    return _disposition(value, limits) if len(value) <= _CACHED_VALUE else _read_disposition(value, limits)


def _read_content_type(value: bytes, limits: Limits) -> ContentType:
    notes: Notes = set()
    media_type, found = _parameters(value, _MEDIA_TYPE, limits, notes)
    return ContentType(
        f"{media_type[1]}/{media_type[2]}".lower() if media_type else "text/plain",
        found.get("charset", "").strip().partition(" ")[0],  # after the blank: a comment, or a lost ";"
        found.get("boundary", "").rstrip(),
        decoded_words(found.get("name", ""), limits, notes),
        frozenset(notes),
    )


def _read_disposition(value: bytes, limits: Limits) -> Disposition:
    notes: Notes = set()
    kind, found = _parameters(value, _TOKEN, limits, notes)
    filename = decoded_words(found.get("filename", ""), limits, notes)
    return Disposition(kind[1].lower() if kind else "", filename, frozenset(notes))


_content_type = lru_cache(maxsize=1024)(_read_content_type)
_disposition = lru_cache(maxsize=1024)(_read_disposition)


def _parameters(
    value: bytes, leading: re.Pattern[str], limits: Limits, notes: Notes
) -> tuple[re.Match[str] | None, dict[str, str]]:
    """What the value begins with, and its parameters by name in lower case: the first of a name wins."""
    value = unfolded(value)
    if len(value) > limits.header_value:
        notes.add("limit:header_value")
        value = value[: limits.header_value]
    text = raw_text(value)
    beginning = leading.match(text)
    rest = text[beginning.end() :] if beginning else text
    plain: list[tuple[str, str]] = []
    pieces: list[tuple[str, str]] = []
    for name, quoted, bare in _PARAMETER.findall(";" + rest.lstrip(", ")):  # a comma, or nothing: a lost ";"
        content = quoted or bare.strip().strip('"')
        if "\\" in quoted:
            content = _ESCAPE.sub(r"\1", quoted)
        (pieces if "*" in name else plain).append((name, content))
    if len(plain) > limits.parameters:
        notes.add("limit:parameters")
    found = {clean(name).lower(): content for name, content in reversed(plain[: limits.parameters])}
    if pieces:
        _add_pieces(found, pieces, limits, notes)
    return beginning, found


def _add_pieces(found: dict[str, str], pieces: list[tuple[str, str]], limits: Limits, notes: Notes) -> None:
    """Parameters sent in the form of RFC 2231, which wins over the plain one of the same name."""
    if len(pieces) > limits.pieces:
        notes.add("limit:pieces")
    numbered: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, content in pieces[: limits.pieces]:
        if piece := _PIECE.fullmatch(name):
            base, number, extended = piece.groups()
            numbered.setdefault(base.lower(), {}).setdefault(
                int(number or 0), (content, extended is not None)
            )
    for base, by_number in numbered.items():
        if 0 in by_number or base not in found:  # without a beginning it is a rest
            found[base] = _joined_pieces([by_number[number] for number in sorted(by_number)], notes)


def _joined_pieces(pieces: list[tuple[str, bool]], notes: Notes) -> str:
    """RFC 2231 sections 3 and 4: one byte string from all pieces, in the charset that the first one names."""
    first, extended = pieces[0]
    charset = ""
    if extended and first.count("'") >= 2:
        charset, _language, first = first.split("'", 2)
        pieces[0] = (first, True)
    if not any(extended for _content, extended in pieces):
        return "".join(content for content, _extended in pieces)
    content = b"".join(unquote_to_bytes(text) if escaped else text.encode() for text, escaped in pieces)
    return decoded(content, charset, notes)
