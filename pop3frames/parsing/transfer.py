"""Content-Transfer-Encoding (RFC 2045 section 6): bytes as sent in, bytes as meant out, or only how many.

Never raises: what is broken is read as far as it goes, and noted "encoding" when octets were lost.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from functools import lru_cache

from pop3frames.parsing.limits import Notes

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_LETTERS = bytes(set(range(256)) - set(_LETTERS))
_SLICE = 1 << 20  # octets counted at a time, so that counting a large attachment needs no memory

_CACHED_VALUE = 64  # octets; a cache keeps what it saw

IDENTITY, QUOTED_PRINTABLE = "identity", "quoted-printable"
_IDENTITIES = ("", "7bit", "8bit", "binary", "7-bit", "8-bit", "7bits", "8bits", "none")


def encoding_of(value: bytes) -> str:
    """The encoding a Content-Transfer-Encoding value names; "identity" for those that change nothing."""
    return _encoding_of(value) if len(value) <= _CACHED_VALUE else _read_encoding(value)


def _read_encoding(value: bytes) -> str:
    token = _TOKEN.search(_COMMENT.sub(b"", value, count=1))
    name = token[0].decode("ascii").lower() if token else ""
    return IDENTITY if name in _IDENTITIES else name


_encoding_of = lru_cache(maxsize=256)(_read_encoding)
_TOKEN = re.compile(rb"[A-Za-z0-9_-]++")
_COMMENT = re.compile(rb"\A\s*+\([^()]*+\)")


def decoded_bytes(data: bytes, encoding: str, notes: Notes) -> bytes:
    """`data` without its transfer encoding. An unknown encoding leaves it as it is, and is noted."""
    if encoding == IDENTITY:
        return data
    decoder = _DECODERS.get(encoding)
    if decoder is None:
        notes.add("encoding")
        return data
    return decoder(data, notes)


def decoded_size(raw: bytes, start: int, end: int, encoding: str, notes: Notes) -> int:
    """Octets of raw[start:end] after decoding; base64, the usual case, is counted and not decoded."""
    if encoding == IDENTITY:
        return end - start
    if encoding == "base64":
        size = _counted_base64(raw, start, end)
        if size is not None:
            return size
    return len(decoded_bytes(raw[start:end], encoding, notes))


def _counted_base64(raw: bytes, start: int, end: int) -> int | None:
    """The size of clean base64 without decoding it; None when only the decoder can tell.

    Clean means: letters in full quanta, line ends, and padding at the very end.
    """
    others = b"".join(
        [raw[at : min(at + _SLICE, end)].translate(None, _LETTERS) for at in range(start, end, _SLICE)]
    )
    letters = end - start - len(others)
    padding = others.translate(None, b"\r\n")
    if padding not in (b"", b"=", b"==") or (letters + len(padding)) % 4:
        return None
    if padding and not raw[max(start, end - 64) : end].rstrip(b"\r\n").endswith(padding):
        return None
    return letters * 3 // 4


def _base64(data: bytes, notes: Notes) -> bytes:
    """Foreign bytes are skipped, a lonely last letter is dropped, what follows the padding is ignored.

    Noted when octets were lost, and when the last group is not whole: cut there, as far as anybody can tell.
    """
    letters = data.translate(None, _NOT_LETTERS)
    try:
        content = binascii.a2b_base64(data)
    except binascii.Error:  # the padding is missing, or one letter is left over
        content = binascii.a2b_base64(letters[: len(letters) - (len(letters) % 4 == 1)] + b"==")
    cut = len(letters) % 4 == 1 or (len(letters) % 4 and b"=" not in data)
    if len(content) != len(letters) * 3 // 4 or cut:
        notes.add("encoding")
    return content


def _quoted_printable(data: bytes, notes: Notes) -> bytes:  # noqa: ARG001
    content = binascii.a2b_qp(data)
    longer_breaks = data.count(b"=\r\n") if b"\r" in data else 0
    if len(content) == len(data) - 2 * data.count(b"=") - longer_breaks:
        return content  # each "=" was an escape or a soft line break: nothing odd, and no search for it
    return binascii.a2b_qp(_NO_ESCAPE.sub(b"=3D", _SOFT_BREAK.sub(b"=\n", data)))


# What a2b_qp reads otherwise than RFC 2045 section 6.7: blanks behind the "=" of a soft line break belong to
# it, a bare CR there is no licence to drop the rest of the line, and "==" is two characters.
_SOFT_BREAK = re.compile(rb"=[ \t]*+(?:\r*+\n|\r|(?<=[ \t])\Z)")
_NO_ESCAPE = re.compile(rb"=(?==)")


def _uuencode(data: bytes, notes: Notes) -> bytes:
    """The lines between "begin MODE NAME" and "end" (POSIX uuencode); without a begin line it stays."""
    begin = _UU_BEGIN.search(data)
    if begin is None:
        notes.add("encoding")
        return data
    pieces = []
    for line in data[begin.end() :].splitlines():
        if line == b"end":
            break
        pieces.append(_uu_line(line, notes))
    return b"".join(pieces)


_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\r\n]*+\r?+\n", re.MULTILINE)


def _uu_line(line: bytes, notes: Notes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:  # some encoders pad the last line with rubbish; its length octet tells what counts
        count = ((line[0] - 32) & 63) * 4 // 3 + 1 if line else 0
        try:
            return binascii.a2b_uu(line[: count + 1])
        except binascii.Error:
            notes.add("encoding")
            return b""


_DECODERS: dict[str, Callable[[bytes, Notes], bytes]] = {
    "base64": _base64,
    QUOTED_PRINTABLE: _quoted_printable,
    "uuencode": _uuencode,
    "x-uuencode": _uuencode,
    "x-uue": _uuencode,
    "uue": _uuencode,
}
