"""Bytes and a charset label in, text out: which codec a label really means, and what to do when it lies.

Only the codecs of labels.py are ever looked up: a mail's label never reaches `codecs`. No MIME, no headers.
"""

from __future__ import annotations

import codecs
import io
import re
from functools import lru_cache

from pop3frames.parsing.labels import CODECS
from pop3frames.parsing.limits import Notes

# In these an ASCII byte does not always mean its letter, so the ASCII short cut must not be taken.
_SHIFTING = ("iso2022_jp_ext", "iso2022_jp_2", "iso2022_kr", "hz", "utf_7")
_WIDE = ("utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be")
_NOT_ASCII = frozenset((*_SHIFTING, *_WIDE))
# What a codec refuses a near relative may still read: NEC's row 13 (the circled digits) is in these alone.
_RELATIVES = {"euc_jp": "euc_jis_2004"}
_BOMS = ((codecs.BOM_UTF8, "utf_8"), (codecs.BOM_UTF16_LE, "utf_16_le"), (codecs.BOM_UTF16_BE, "utf_16_be"))
_BOMS_OF_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BARE_CR = re.compile(rb"\r[^\n]")  # quicker than a look-ahead; not at the end
_JIS_ESCAPES = (b"\x1b$B", b"\x1b$@", b"\x1b$(")
_META_TAG = re.compile(rb"<meta[^>]*+", re.IGNORECASE)
_META_CHARSET = re.compile(rb"charset\s*+=\s*+[\"']?+\s*+([A-Za-z0-9_.:-]++)", re.IGNORECASE)
_META_WITHIN = 1024  # octets, as browsers do


_PUNCTUATION = re.compile(r"[^a-z0-9]++")
# Unicode TR 22 section 1.4: case and punctuation make no other charset ("UTF_8", "windows1251").
_LOOSELY = {_PUNCTUATION.sub("", label): codec for label, codec in CODECS.items()}


@lru_cache(maxsize=512)
def _codec(label: str) -> str | None:
    label = label.strip(" \t\"'").lower()
    return CODECS.get(label) or _LOOSELY.get(_PUNCTUATION.sub("", label))


def codec_of(label: str) -> str | None:
    """The Python codec a charset label means, or None when the label is unknown."""
    return _codec(label) if len(label) <= 100 else None


def is_stateful(codec: str | None) -> bool:
    """Whether pieces of text in this codec must be decoded one by one (shift states, byte order marks)."""
    return codec in _NOT_ASCII


def decoded(data: bytes, label: str, notes: Notes, *, html: bool = False) -> str:
    """The text of `data`: never a surrogate, never a NUL. `label` is '' where none was given.

    Notes "charset" when a character was lost, or when the label was unknown or wrong beyond repair.
    """
    codec = codec_of(label) if label else None
    if data.isascii() and codec not in _NOT_ASCII and b"\x1b" not in data:
        if label and codec is None:
            notes.add("charset")
        text = data.decode("ascii")
    elif codec is None:
        if label:
            notes.add("charset")
        text = _guessed(data, html, notes)
    else:
        text = _labelled(data, codec, notes)
    return text.replace("\0", "") if "\0" in text else text


def lf_lines(data: bytes) -> bytes:
    """`data` with LF for CRLF, when all its line ends are one of these."""
    if b"\r" not in data or _BARE_CR.search(data) or data.endswith(b"\r"):
        return data
    return data.replace(b"\r", b"")


def decoded_lines(data: bytes, label: str, notes: Notes, *, html: bool = False) -> str:
    """`decoded`, with LF as the only line end."""
    if codec_of(label) not in _WIDE and not data.startswith(_BOMS_OF_UTF16):
        data = lf_lines(data)  # before decoding: ten times as quick as after
    text = decoded(data, label, notes, html=html)
    if "\r" in text:
        text = io.IncrementalNewlineDecoder(None, translate=True).decode(text, final=True)
    return text


def raw_text(data: bytes) -> str:
    """Header bytes as text. 8-bit bytes are UTF-8 (RFC 6532) if that nearly fits, else windows-1252."""
    if data.isascii() and b"\x1b" not in data:
        return data.decode("ascii")
    if data.find(b"\x1b$") >= 0:
        return _japanese(data)
    return _utf8(data, set())


def _labelled(data: bytes, codec: str, notes: Notes) -> str:
    if codec == "utf_8" and data.startswith(_BOMS_OF_UTF16):  # which no UTF-8 can hold
        codec = "utf_16"
    if codec == "utf_8":
        return _utf8(data, notes)
    text = None
    if codec in _WIDE and b"\0" not in data and not data.startswith(_BOMS_OF_UTF16):
        text = _strict(data, "utf_8")  # wide text with not one blank or line end: somebody's label is wrong
    if codec == "utf_16":
        codec = _byte_order(data)
    if codec == "cp1252":  # true Latin text almost never is valid UTF-8 by chance
        text = _strict(data, "utf_8")
    if text is None:
        text = _strict(data, codec)
    if text is None and codec in _RELATIVES:
        text = _strict(data, _RELATIVES[codec])
    if text is None and codec.startswith("iso2022_jp"):
        text = _noted(_japanese(data), notes)
    if text is None:
        text = _strict(data, "utf_8")
    if text is None:
        text = _noted(data.decode(codec, "replace"), notes)
    return _without_surrogates(text, notes) if codec == "utf_7" else text.removeprefix("\ufeff")


def _guessed(data: bytes, html: bool, notes: Notes) -> str:
    for bom, codec in _BOMS:
        if data.startswith(bom):
            return _labelled(data, codec, notes)
    if any(escape in data for escape in _JIS_ESCAPES):
        return _labelled(data, "iso2022_jp_ext", notes)
    text = _strict(data, "utf_8")
    if text is None and html and (named := _meta_codec(data)):
        text = _labelled(data, named, notes)
    return _noted(data.decode("cp1252", "replace"), notes) if text is None else text


def _noted(text: str, notes: Notes) -> str:
    if "\ufffd" in text:
        notes.add("charset")
    return text


def _meta_codec(data: bytes) -> str | None:
    for tag in _META_TAG.finditer(data, 0, _META_WITHIN):
        if found := _META_CHARSET.search(tag[0]):
            codec = codec_of(found[1].decode("ascii"))
            return None if codec in _WIDE else codec  # it was legible as ASCII, so it is not wide
    return None


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _utf8(data: bytes, notes: Notes) -> str:
    """UTF-8 although some bytes are bad; windows-1252 when hardly any sequence in it is valid."""
    try:
        return data.decode("utf_8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        notes.add("charset")
        # One octet alone proves nothing: the end of "caf\xe9" in Latin 1 looks like it too.
        cut_short = error.reason == "unexpected end of data" and error.end - error.start > 1
    text = data.decode("utf_8", "replace")
    bad = text.count("\ufffd")
    good = len(text) - bad - len(text.encode("ascii", "ignore"))
    if good * 4 < bad and not cut_short:
        return data.decode("cp1252", "replace")
    return text.removeprefix("\ufeff")


def _byte_order(data: bytes) -> str:
    """UTF-16 by its BOM (RFC 2781 section 4.3), else by the zero half of its first character, else little."""
    if data.startswith(codecs.BOM_UTF16_BE) or (data[:1] == b"\0" and data[1:2] != b"\0"):
        return "utf_16_be"
    return "utf_16_le"


def _without_surrogates(text: str, notes: Notes) -> str:
    """UTF-7 can spell lone surrogates ("+2AA-"); one of them would make a whole batch of rows fail."""
    clean = text.encode("utf_16_le", "surrogatepass").decode("utf_16_le", "replace")
    if clean != text:
        notes.add("charset")
    return clean


# RFC 1468: a shift lasts to the next one, and a line ends in ASCII, said or not.
_JIS_RUN = re.compile(rb"\x1b(\$[@B]|\$\([A-Z]|\([A-Z])([^\x1b\r\n]*+)")
_SET_HIGH_BIT = bytes(byte | 0x80 if 0x21 <= byte <= 0x7E else byte for byte in range(256))


def _japanese(data: bytes) -> str:
    """ISO-2022-JP with the characters of vendors, which Python knows only in EUC and Shift_JIS."""
    text = _strict(data, "iso2022_jp_ext")
    return _JIS_RUN.sub(_jis_run, data).decode("utf_8", "replace") if text is None else text


def _jis_run(run: re.Match[bytes]) -> bytes:
    """One run between two escapes, as UTF-8."""
    charset, content = run.groups()
    if charset in (b"(B", b"(J"):
        return content
    content = content.translate(_SET_HIGH_BIT)
    if charset == b"(I":  # half-width katakana
        return content.decode("cp932", "replace").encode()
    if charset == b"$(D":  # JIS X 0212, the supplement: EUC-JP wants a third byte before each pair
        content = b"".join(b"\x8f" + content[at : at + 2] for at in range(0, len(content), 2))
        return content.decode("euc_jp", "replace").encode()
    return content.decode("euc_jis_2004", "replace").encode()
