"""A session as text: octets as lines that people can read and edit, and back to the octet.

Who writes them is in `recorder.py`, who plays them to a client in `replay.py`.

One line a protocol line:

    # a comment; the first line is always `# pop3frames transcript 1`
    C: USER ann         what the client sent; *** in place of a secret
    S: +OK              what the server sent
    -- TLS              TLS stands from here on
    -- omitted 5000     so many octets of a mail were not kept; a replay puts other ones in their place
    -- closed           the connection ended; what follows is the next one

Every line stands for one that ends with CRLF. Octets that do not print, and backslashes, are `\\xNN`, `\\n`,
`\\r` or `\\\\`; a backslash at the end says that no CRLF came here (a bare LF is therefore `\\n\\`).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pop3frames.errors import POP3UsageError
from pop3frames.protocol.grammar import CRLF

FIRST_LINE = "# pop3frames transcript 1"
TLS, CLOSED, OMITTED = "-- TLS", "-- closed", "-- omitted "
WITHHELD = b"***"
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|(.?))", re.DOTALL)
_LETTERS = {"n": b"\n", "r": b"\r", "\\": b"\\"}


# Text and octets


def encode(octets: bytes) -> list[str]:
    """Lines of text that stand for these octets."""
    return [_encode_line(line) for line in cut(octets)]


def cut(octets: bytes) -> list[bytes]:
    """Behind every LF."""
    return re.findall(rb"[^\n]*\n|[^\n]+", octets)


def said(who: Literal["C", "S"], octets: bytes) -> list[str]:
    """Lines of a file that say who sent these octets."""
    return [f"{who}: {text}".rstrip(" ") for text in encode(octets)]


def _encode_line(line: bytes) -> str:
    content = line.removesuffix(CRLF)
    text = content.decode("utf-8", "surrogateescape").replace("\\", "\\\\").replace("\n", "\\n")
    text = "".join(each if each.isprintable() else _escaped(each) for each in text.replace("\r", "\\r"))
    if text.endswith(" "):  # editors take blanks off the end of a line
        text = text[:-1] + "\\x20"
    return text if content != line else text + "\\"


def _escaped(character: str) -> str:
    return "".join(f"\\x{octet:02x}" for octet in character.encode("utf-8", "surrogateescape"))


def decode(text: str) -> bytes:
    """The octets that one line of text stands for; ValueError where it stands for none."""
    octets, at = bytearray(), 0
    for found in _ESCAPE.finditer(text):
        octets += text[at : found.start()].encode()
        at = found.end()
        if found[1] is None and found[2] == "" and at == len(text):
            return bytes(octets)
        octets += bytes.fromhex(found[1]) if found[1] else _LETTERS[found[2]]
    return bytes(octets) + text[at:].encode() + CRLF


# Reading


@dataclass
class Entry:
    """One line of a file: who sent what. "TLS" stands for the start of TLS."""

    number: int
    who: Literal["C", "S", "TLS"]
    octets: bytes = b""


@dataclass
class Recording:
    """One connection of a file, and the number of the line it ends at."""

    entries: list[Entry] = field(default_factory=list)
    end: int = 0


def read_transcript(path: str | os.PathLike[str]) -> list[Recording]:
    """The connections in a file, in their order; POP3UsageError names the line that cannot be read."""
    try:
        text = Path(path).read_bytes().decode()
    except (OSError, UnicodeDecodeError) as exc:
        raise POP3UsageError(f"the transcript {os.fspath(path)} cannot be read: {exc}") from exc
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    if lines[0] != FIRST_LINE:
        raise POP3UsageError(f"{os.fspath(path)} is no transcript: its first line is not {FIRST_LINE!r}")
    recordings: list[Recording] = []
    closed = True
    for number, line in enumerate(lines, start=1):
        if not line or line.startswith("#"):
            continue
        if closed:
            recordings.append(Recording())
        try:
            entry = _entry(number, line)
        except (ValueError, KeyError):
            raise POP3UsageError(f"{os.fspath(path)}, line {number} is no line of a transcript") from None
        closed = entry is None
        recordings[-1].end = number
        if entry is not None:
            recordings[-1].entries.append(entry)
    return recordings


def _entry(number: int, line: str) -> Entry | None:
    """What a line says; None for the end of a connection. ValueError or KeyError for what it cannot say."""
    if line == CLOSED:
        return None
    if line == TLS:
        return Entry(number, "TLS")
    if line.startswith(OMITTED):
        return Entry(number, "S", _stand_in(int(line.removeprefix(OMITTED))))
    who, separator, text = line.partition(":")
    if not separator or text[:1] not in ("", " "):
        raise ValueError(line)
    octets = decode(text[1:])
    if who == "C":
        return Entry(number, "C", octets)
    if who == "S":
        return Entry(number, "S", octets)
    raise ValueError(line)


def _stand_in(count: int) -> bytes:
    """So many octets that end a line and hold no dot."""
    return (b"x" * (count - len(CRLF)) + CRLF)[-count:] if count > 1 else b"x" * count
