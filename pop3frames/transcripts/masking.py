"""What a recording may show of names and mail: other letters in the same places.

Masks keep lengths, line ends, dots, punctuation and the names of header fields, so that whatever is wrong
with the framing stays wrong. Nothing here hides a secret: secrets never come this far.
"""

from __future__ import annotations

import re

# A is X, z is x, 7 is 9; octets of UTF-8 become others of their kind, so that what was valid stays valid.
_MASK = bytes(
    ord("X") if 65 <= octet <= 90
    else ord("x") if 97 <= octet <= 122
    else ord("9") if 48 <= octet <= 57
    else octet if octet < 0x80
    else 0xA0 if octet < 0xC0
    else 0xC3 if octet < 0xE0
    else 0xE4 if octet < 0xF0
    else 0xF0 if octet < 0xF8
    else 0xFF
    for octet in range(256)
)  # fmt: skip

_FIELD = re.compile(rb"[!-9;-~]{1,76}[ \t]*:")
_MIME_FIELD = re.compile(rb"(?i)(?:content-[a-z-]+|mime-version)[ \t]*:")
_WORD = re.compile(rb"[A-Za-z0-9]+")
_BOUNDARY = re.compile(rb'(?i)boundary[ \t]*=[ \t]*(?:"([^"\r\n]{4,70})"|([^\s";]{4,70}))')
_MIME_WORDS = frozenset(
    b"""multipart mixed alternative related digest signed report parallel text plain html csv calendar
    rfc822 message delivery status partial image png jpeg gif svg xml audio video application octet stream
    pdf zip json charset boundary name filename format flowed delsp type start protocol micalg attachment
    inline base64 quoted printable 7bit 8bit binary utf 7 8 16 us ascii iso 8859 1 2 3 4 5 6 9 10 13 14 15
    windows 1250 1251 1252 1253 1254 1255 1256 1257 koi8 r u shift jis 2022 jp euc kr gb2312 gbk gb18030
    big5 0""".split()
)

_HOST_LABEL = rb"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST = rb"(?:%s\.)+[A-Za-z]{2,63}(?![A-Za-z0-9-])|\d{1,3}(?:\.\d{1,3}){3}" % _HOST_LABEL
_BLOB = rb"\[[A-Za-z0-9+/]{16,}={0,2}\]"  # Exchange's greeting ends with the name of a machine, in base64


def masked(octets: bytes) -> bytes:
    """The same with other letters and digits."""
    return octets.translate(_MASK)


class Names:
    """Users, hosts and addresses of one recording, each replaced by the same stand-in everywhere.

    Equal ones stay equal and different ones different, unique-ids that hold a host's name included.
    """

    def __init__(self) -> None:
        self._stand_ins: dict[tuple[bytes, bytes], bytes] = {}
        self._users: list[bytes] = []
        self._pattern = self._compiled()

    def user(self, name: bytes) -> bytes:
        """The stand-in of a user's name, which from now on is found in texts as well."""
        if name not in self._users and (len(name) > 3 or not name.isdigit()):
            self._users.append(name)
            self._pattern = self._compiled()
        return self._stand_in(b"user%d", name)

    def masked(self, text: bytes) -> bytes:
        """A line of a reply with stand-ins for all names in it."""
        return self._pattern.sub(self._replacement, text)

    def _compiled(self) -> re.Pattern[bytes]:
        users = b"|".join(rb"(?<!\w)%s(?!\w)" % re.escape(name) for name in self._users) or rb"(?!)"
        return re.compile(
            rb"(?P<user>%s)|(?P<address>[^\s<>@\[\]]+@[^\s<>@\[\]]+)|(?P<host>%s)|(?P<blob>%s)"
            % (users, _HOST, _BLOB)
        )

    def _replacement(self, found: re.Match[bytes]) -> bytes:
        if found["user"] is not None:
            return self._stand_in(b"user%d", found[0])
        if found["blob"] is not None:
            return b"[" + masked(found[0])[1:-1] + b"]"
        if found["address"] is not None:
            return self._stand_in(b"address%d@example.invalid", found[0])
        return self._stand_in(b"host%d.invalid", found[0])

    def _stand_in(self, form: bytes, name: bytes) -> bytes:
        key = (form, name)
        if key not in self._stand_ins:
            self._stand_ins[key] = form % (1 + sum(each == form for each, _ in self._stand_ins))
        return self._stand_ins[key]


class Mail:
    """One mail, line by line. Kept: names of header fields, and MIME's words for how it is built."""

    def __init__(self) -> None:
        self._boundaries: dict[bytes, bytes] = {}
        self._in_header, self._in_mime = True, False

    def line(self, line: bytes) -> bytes:
        """A line, with or without its end, in other letters; as long as before."""
        content = line.rstrip(b"\r\n")
        delimiter = self._delimiter(content)
        if delimiter is not None:
            self._in_header = True
            return delimiter + line[len(content) :]
        folded = content.startswith((b" ", b"\t"))
        field = _FIELD.match(content) if self._in_header and not folded else None
        if not folded:
            self._in_mime = self._in_header and _MIME_FIELD.match(content) is not None
        if not content:
            self._in_header = False
        start = field.end() if field else 0
        return content[:start] + self._value(content[start:]) + line[len(content) :]

    def _value(self, text: bytes) -> bytes:
        if not self._in_mime:
            return masked(text)
        shown, at = b"", 0
        for found in _BOUNDARY.finditer(text):
            group = 1 if found[1] is not None else 2
            shown += _mime_words(text[at : found.start(group)]) + self._boundary(found[group])
            at = found.end(group)
        return shown + _mime_words(text[at:])

    def _boundary(self, boundary: bytes) -> bytes:
        """Other letters, but no other boundary's."""
        if boundary not in self._boundaries:
            number = b"%d" % (len(self._boundaries) + 1)
            stand_in = masked(boundary)[: -len(number)] + number if len(number) < len(boundary) else boundary
            self._boundaries[boundary] = stand_in
        return self._boundaries[boundary]

    def _delimiter(self, content: bytes) -> bytes | None:
        if not content.startswith(b"--"):
            return None
        text = content[2:].rstrip()
        for named, closing in ((text, b""), (text.removesuffix(b"--"), b"--")):
            if named in self._boundaries:
                blanks = content[2 + len(text) :]
                return b"--" + self._boundaries[named] + (closing if named != text else b"") + blanks
        return None


def _mime_words(text: bytes) -> bytes:
    return _WORD.sub(
        lambda found: found[0] if found[0].lower() in _MIME_WORDS else masked(found[0]), _masked_8_bit(text)
    )


def _masked_8_bit(text: bytes) -> bytes:
    """Octets beyond ASCII in other ones."""
    return re.sub(rb"[\x80-\xff]+", lambda found: masked(found[0]), text)
