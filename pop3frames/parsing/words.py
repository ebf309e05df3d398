"""Header text: unfolding, encoded words (RFC 2047), control characters.

Encoded words are decoded wherever they stand, also where RFC 2047 section 5 forbids them, because mail
programs put them there. Every expression is possessive: no header can make one backtrack.
"""

from __future__ import annotations

import binascii
import re

from pop3frames.parsing.charsets import codec_of, decoded, is_stateful, raw_text
from pop3frames.parsing.limits import Limits, Notes

# RFC 2047 section 2, with the language tag of RFC 2231 section 5. The encoded text may hold blanks, "=" and
# "?", but ends where the next word begins: else many unclosed words would cost the square of their number.
ENCODED_TEXT = r"[^?=]*+(?:(?:=(?!\?[^=])|\?(?!=))[^?=]*+)*+"
_WORD = re.compile(rf"=\?([^?*\s]++)(?:\*[^?\s]*+)?+\?([bBqQ])\?({ENCODED_TEXT})\?=")
_NOT_LETTERS = re.compile(r"[^A-Za-z0-9+/]++")
# Line ends and TAB become a blank, the other C0 controls go.
_CONTROLS: dict[int, str | None] = {**dict.fromkeys(range(0x20)), 9: " ", 10: " ", 13: " "}


def unfolded(value: bytes) -> bytes:
    """RFC 5322 section 2.2.3: the line end goes, the blank after it stays."""
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    return value.strip(b" \t\r")


def clean(text: str) -> str:
    """`text` on one line and without control characters, which no header value may hold."""
    if text.isprintable():
        return text
    return text.replace("\r\n", " ").translate(_CONTROLS).strip()


def header_text(value: bytes, limits: Limits, notes: Notes) -> str:
    """A header value as text to read: unfolded, decoded and clean. `value` is cut at the limit."""
    value = unfolded(value)
    if len(value) > limits.header_value:
        notes.add("limit:header_value")
        value = value[: limits.header_value]
    return decoded_words(raw_text(value), limits, notes)


def decoded_words(text: str, limits: Limits, notes: Notes) -> str:
    """`text` with its encoded words decoded, and clean."""
    if "=?" not in text:
        return text if text.isprintable() else clean(text)  # the usual case, without a call
    pieces: list[str] = []
    label, last = "", 0
    pending: list[bytes] = []  # neighbours in one charset are joined as bytes: a character may be cut in two
    for count, word in enumerate(_WORD.finditer(text)):
        if count == limits.encoded_words:
            notes.add("limit:encoded_words")
            break
        charset, encoding, encoded = word.groups()
        charset, gap = charset.lower(), text[last : word.start()]
        joins = pending and (not gap or gap.isspace())
        if not joins or charset != label or is_stateful(codec_of(label)):
            if pending:
                pieces.append(decoded(b"".join(pending), label, notes))
            if not joins:
                pieces.append(gap)
            pending, label = [], charset
        pending.append(_word_bytes(encoding, encoded))
        last = word.end()
    if pending:
        pieces.append(decoded(b"".join(pending), label, notes))
    pieces.append(text[last:])
    return clean("".join(pieces))


def _word_bytes(encoding: str, encoded: str) -> bytes:
    if encoding in "qQ":
        if encoded.endswith("="):  # there are no soft line breaks in a word: it stands for itself
            encoded += "3D"
        return binascii.a2b_qp(encoded.encode(), header=True)
    try:
        return binascii.a2b_base64(encoded, strict_mode=True)  # the usual case: nothing in it to correct
    except ValueError:
        pass
    letters = _NOT_LETTERS.sub("", encoded)
    return binascii.a2b_base64(letters[: len(letters) - (len(letters) % 4 == 1)] + "==")
