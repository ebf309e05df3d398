"""Bytes to lines and dot-stuffed blocks, and back (RFC 1939 section 3). No verbs, no state of a session.

A reader consumes and returns, returns None when it needs more, or raises; any way of cutting the same bytes
into pieces gives the same results.
"""

from __future__ import annotations

import re

from pop3frames.errors import POP3ProtocolError
from pop3frames.protocol.grammar import CRLF

_DOTTED = b"\r\n."
_DOTTED_LINE = re.compile(re.escape(_DOTTED))  # twice as quick as bytes.find, which looks at every octet
_STRIDE = 4096  # octets looked at one by one; then the next dot is jumped to
_TERMINATOR = b"\r\n.\r\n"
_EMPTY_BLOCK = b".\r\n"
_DOT, _CR, _LF = b".\r\n"  # compared octet by octet where every mail passes: a slice costs ten times that
_SPACE = 256 << 10  # octets of a buffer, unless a message needs more
_KEPT = 8 << 20  # of a buffer that large messages needed, while they come one after another
_LEAST = 64 << 10  # room for one read, at least


class ReceiveBuffer:
    """Bytes that came and were not consumed yet. Written in place, so that each octet is copied out once."""

    def __init__(self) -> None:
        self._start = self._end = 0  # what is here
        self._searched = 0  # no end of a block lies before: a long body is searched once, not again
        self._stuffed = False  # a line of the block at hand starts with a dot
        self._last = 0  # octets of the last block
        self._lines = self._counted = 0  # lines of the block at hand, and up to where they were counted
        self._hold(bytearray(_SPACE))

    def _hold(self, octets: bytearray) -> None:
        self._bytes = octets
        self._view = memoryview(octets)  # kept: a slice of it is copied once, one of `octets` twice

    def __len__(self) -> int:
        return self._end - self._start

    def __bytes__(self) -> bytes:
        return self._view[self._start : self._end].tobytes()

    def space(self, least: int = _LEAST) -> memoryview:
        """Where the next octets go, at least so many. Good until anything else is called."""
        if self._start == self._end or (
            len(self._bytes) - self._end < least and self._start > len(self._bytes) // 2
        ):
            self._move_to_the_front()
        if len(self._bytes) - self._end < least:
            larger = bytearray(len(self._bytes) + max(len(self._bytes), least))
            larger[: self._end] = self._view[: self._end]
            self._hold(larger)
        return self._view[self._end :]

    def filled(self, count: int) -> None:
        """So many octets were written into `space`."""
        self._end += count

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Append what came from the peer."""
        self.space(len(data))[: len(data)] = data
        self.filled(len(data))

    def clear(self) -> None:
        """Forget everything, as STLS demands (RFC 2595 section 4)."""
        self._start = self._end = self._searched = self._lines = self._counted = 0
        self._stuffed = False

    def take_line(self, limit: int) -> bytes | None:
        """The next line with its line end (CRLF, or a bare LF for the caller to refuse); None: not whole yet.

        Raises POP3ProtocolError when the line is longer than `limit` octets.
        """
        start = self._start
        end = self._bytes.find(b"\n", self._searched, self._end) + 1
        if (end or self._end + 1) - start > limit:
            raise POP3ProtocolError(f"a line longer than {limit} octets: this is not POP3")
        if not end:
            self._searched = self._end
            return None
        self._start = self._searched = end
        return self._view[start:end].tobytes()

    def take_block(self, limit: int, most_lines: int | None = None) -> bytes | None:
        """A multi-line reply's lines, unstuffed, without the final dot; b"" when there are none; None: more.

        The end is exactly CRLF "." CRLF: bare CR, bare LF and NUL are data, or a mail could forge replies.
        Raises POP3ProtocolError when the block is longer than `limit` octets or has more than `most_lines`.
        """
        start = self._start
        starts_with_dot = start < self._end and self._bytes[start] == _DOT
        if starts_with_dot and self._bytes.startswith(_EMPTY_BLOCK, start, self._end):
            self._start = self._searched = start + len(_EMPTY_BLOCK)
            return b""
        found = self._find_terminator()
        # Where the last line ends, at the earliest: all of the terminator but its last octet may be here.
        end = (found if found >= 0 else self._end - len(_TERMINATOR) + 1) + len(CRLF)
        if end - start > limit:
            raise POP3ProtocolError(f"a reply longer than {limit} octets")
        if most_lines is not None:
            self._count_lines(end, most_lines)
        if found < 0:
            return None
        block = self._view[start:end].tobytes()
        if starts_with_dot or self._stuffed:
            block = unstuff(block)
        self._start = self._searched = end + len(_EMPTY_BLOCK)
        self._stuffed, self._lines, self._last = False, 0, end - start
        if self._start == self._end and len(self._bytes) > _SPACE:
            self._move_to_the_front()
        return block

    def _count_lines(self, end: int, most: int) -> None:
        """Count on, so that a listing without end is given up at its limit, not when all of it is here."""
        counted = max(self._counted, self._start)
        if end > counted:  # it may lie before the block, where hardly anything of that is here
            self._lines += self._bytes.count(b"\n", counted, end)
            self._counted = end
        if self._lines > most:
            raise POP3ProtocolError(f"a reply of more than {most} lines")

    def _find_terminator(self) -> int:
        """Its offset, or -1. Most mails have no line that starts with a dot: their octets are seen once."""
        at = self._searched
        if not self._stuffed:
            dotted = self._find_dotted_line(at)
            if dotted is None:
                self._searched = max(self._searched, self._end - len(_DOTTED) + 1)
                return -1
            at = dotted.start()
            if self._end - at < len(_TERMINATOR):
                self._searched = at
                return -1
            if self._bytes[at + 3] == _CR and self._bytes[at + 4] == _LF:
                return at
            self._stuffed = True
        found = self._bytes.find(_TERMINATOR, at, self._end)
        if found < 0:
            self._searched = max(at, self._end - len(_TERMINATOR) + 1)
        return found

    def _find_dotted_line(self, at: int) -> re.Match[bytes] | None:
        """The first line end with a dot behind it. base64 has no dots: memchr passes it."""
        while True:
            until = min(at + _STRIDE, self._end)
            dotted = _DOTTED_LINE.search(self._bytes, at, until)
            if dotted is not None or until == self._end:
                return dotted
            dot = self._bytes.find(b".", until, self._end)
            if dot < 0:
                return None
            at = dot - len(CRLF)

    def _move_to_the_front(self) -> None:
        """What is here moves to the beginning; space that is not needed any more is given back."""
        rest, held = bytes(self), len(self._bytes)
        if held > _KEPT or held > max(_SPACE, 4 * self._last, 4 * len(rest)):
            self._hold(bytearray(max(_SPACE, 2 * len(rest))))
        self._view[: len(rest)] = rest
        self._searched, self._counted = self._searched - self._start, self._counted - self._start
        self._start, self._end = 0, len(rest)


def unstuff(block: bytes) -> bytes:
    """Take the first dot off every line that starts with one; at the very start, off a doubled one only."""
    # Dovecot 2.3 and Courier do not stuff a dot at the start of a mail: a single one there is the mail's.
    return _DOTTED_LINE.sub(CRLF, block[block.startswith(b"..") :])


def stuff(content: bytes) -> bytes:
    """A block as it goes over the wire: dots doubled at line starts, the last line ended, the final dot.

    The very first line is stuffed too. Content must have CRLF line ends; bare CR and LF pass unchanged.
    """
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    if stuffed and not stuffed.endswith(CRLF):
        stuffed += CRLF
    return stuffed + _EMPTY_BLOCK


def lines(block: bytes) -> list[bytes]:
    """The lines of an unstuffed block without their line ends, cut at CRLF only."""
    return block.removesuffix(CRLF).split(CRLF) if block else []


def joined(parts: list[bytes]) -> bytes:
    """The inverse of `lines`: every line ended with CRLF."""
    return CRLF.join(parts) + CRLF if parts else b""
