"""How a message of the sample mailbox is put together: header lines, encodings and MIME parts, byte by byte.

Here are the bricks that ordinary and odd messages share. No message text belongs here, and nothing of the
standard library's `email`, so that the samples do not depend on the version of Python that writes them.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Person:
    """A sender or recipient; `agent` is what the person's mail program calls itself."""

    name: str
    address: str
    agent: str = ""

    @property
    def shown(self) -> str:
        """`Name <address>`, as a table shows it."""
        return f"{self.name} <{self.address}>" if self.name else self.address

    @property
    def domain(self) -> str:
        """The part after the @."""
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class File:
    """A file sent with a message, before any encoding."""

    name: str
    content_type: str
    content: bytes

    @property
    def described(self) -> tuple[str, str, int]:
        """Name, media type and size in octets: what a table says about it."""
        return self.name, self.content_type.partition(";")[0], len(self.content)


class Truth(TypedDict, total=False):
    """The right row for a message, by the attributes of `Message`. A column that is absent is not certain.

    `text_starts` and `html_starts` are how the bodies begin (line ends LF), or None for no such body;
    an attachment is (file name, media type, decoded octets); `received_at` is milliseconds since 1970 UTC.
    """

    message_id_header: str | None
    from_: str | None
    to: list[str]
    cc: list[str]
    bcc: list[str]
    subject: str | None
    text_starts: str | None
    html_starts: str | None
    received_at: int | None
    attachments: list[tuple[str, str, int]]
    parse_error: str | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One file of the mailbox: its name, its bytes, its truth, and for an odd one what is odd about it."""

    name: str
    raw: bytes
    truth: Truth
    oddity: str = ""


def date_line(moment: datetime) -> str:
    """The moment as RFC 5322 writes it; not by strftime, whose names of days follow the locale."""
    day, month = DAYS[moment.weekday()], MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02d} {month} {moment.year} {moment:%H:%M:%S %z}"


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970 UTC of a moment that knows its zone."""
    return int(moment.timestamp()) * 1000


def wire(text: str, charset: str = "utf-8") -> bytes:
    """A text as it travels: without the blank edges of its source, every line ended by CRLF."""
    return (text.strip("\n") + "\n").replace("\n", "\r\n").encode(charset)


def as_read(text: str) -> str:
    """A text as its reader gets it: the lines of `wire`, ended by LF, the last one open."""
    return text.strip("\n")


def base64_lines(content: bytes) -> bytes:
    """Base64 in lines of 76 letters, each ended by CRLF."""
    letters = base64.b64encode(content)
    return b"".join(letters[at : at + 76] + b"\r\n" for at in range(0, len(letters), 76))


def encoded_words(text: str, charset: str = "utf-8") -> str:
    """The text as encoded words (RFC 2047), one a line of a folded header, cut between characters."""
    pieces = [""]
    for character in text:
        if len((pieces[-1] + character).encode(charset)) > 40:  # so that no word is longer than 75
            pieces.append("")
        pieces[-1] += character
    words = (base64.b64encode(piece.encode(charset)).decode() for piece in pieces)
    return "\r\n ".join(f"=?{charset}?B?{word}?=" for word in words)


def header_text(text: str) -> str:
    """Free text for a header: as it is when it is ASCII, else as encoded words."""
    return text if text.isascii() else encoded_words(text)


def address_text(person: Person) -> str:
    """An address for a header: names with a comma or dot in quotes, names beyond ASCII as encoded words."""
    if not person.name:
        return person.address
    name = header_text(person.name)
    if any(sign in name for sign in ",.()") and name == person.name:
        name = f'"{name}"'
    return f"{name} <{person.address}>"


def address_list(people: Iterable[Person]) -> str:
    """Several addresses for a header, one a line."""
    return ",\r\n ".join(address_text(person) for person in people)


def header_block(headers: Iterable[tuple[str, str | bytes]]) -> bytes:
    """Header lines, each ended by CRLF; a value that is bytes goes in untouched."""
    block = b""
    for name, value in headers:
        block += name.encode() + b": " + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    return block


def transfer_encoded(content: bytes, transfer: str) -> bytes:
    """The bytes under a transfer encoding; any but base64 and quoted-printable leaves them as they are."""
    if transfer == "base64":
        return base64_lines(content)
    if transfer == "quoted-printable":
        return binascii.b2a_qp(content, istext=True)
    return content


def raw_part(content_type: str, body: bytes, *more: str) -> bytes:
    """A part from its Content-Type, further header lines, and a body that is already encoded."""
    lines = [f"Content-Type: {content_type}", *more]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def text_part(text: str, kind: str = "plain", charset: str = "utf-8", transfer: str = "8bit") -> bytes:
    """A text/* part: Content-* lines, the empty line, the body."""
    body = transfer_encoded(wire(text, charset), transfer)
    return raw_part(f"text/{kind}; charset={charset}", body, f"Content-Transfer-Encoding: {transfer}")


def percent_encoded(octets: bytes) -> str:
    """Octets of a file name as RFC 2231 writes them."""
    return "".join(
        chr(octet) if octet < 128 and chr(octet).isalnum() else f"%{octet:02X}" for octet in octets
    )


def file_part(file: File, disposition: str = "attachment", content_id: str = "") -> bytes:
    """A part that carries a file in base64."""
    name = (
        f'filename="{file.name}"'
        if file.name.isascii()
        else f"filename*=utf-8''{percent_encoded(file.name.encode())}"
    )
    more = ["Content-Transfer-Encoding: base64", f"Content-Disposition: {disposition}; {name}"]
    if content_id:
        more.append(f"Content-ID: <{content_id}>")
    return raw_part(file.content_type, base64_lines(file.content), *more)


def multipart(kind: str, boundary: str, parts: Sequence[bytes], *, parameters: str = "") -> bytes:
    """A multipart of finished parts, with its own Content-Type line."""
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
    closing = b"--%s--\r\n" % boundary.encode()
    return raw_part(f'multipart/{kind}; boundary="{boundary}"{parameters}', body + closing)


def documentation_address(name: str) -> str:
    """An IP address for a host name, always the same, from the ranges of RFC 5737."""
    number = zlib.crc32(name.encode())
    network = ("192.0.2", "198.51.100", "203.0.113")[number % 3]
    return f"{network}.{number // 3 % 254 + 1}"
