"""Bytes to lines and dot-stuffed blocks, and back (RFC 1939 section 3). No verbs, no state of a session.

A reader consumes and returns, returns None when it needs more, or raises; any way of cutting the same bytes
into pieces gives the same results.
"""

from __future__ import annotations

from pop3frames.errors import POP3ProtocolError
from pop3frames.protocol.grammar import CRLF

_DOTTED = b"\r\n."
_TERMINATOR = b"\r\n.\r\n"
_EMPTY_BLOCK = b".\r\n"
_SPACE = 256 << 10  # octets of a buffer, unless a message needs more
_LEAST = 64 << 10  # room for one read, at least


class ReceiveBuffer:
    """Bytes that came and were not consumed yet. Written in place, so that each octet is copied out once."""

    def __init__(self) -> None:
        self._bytes = bytearray(_SPACE)
        self._start = self._end = 0  # what is here
        self._searched = 0  # no end of a block lies before: a long body is searched once, not again
        self._stuffed = False  # a line of the block at hand starts with a dot

    def __len__(self) -> int:
        return self._end - self._start

    def __bytes__(self) -> bytes:
        return bytes(self._bytes[self._start : self._end])

    def space(self, least: int = _LEAST) -> memoryview:
        """Where the next octets go, at least so many. To be released before anything else is called."""
        if self._start == self._end or (
            len(self._bytes) - self._end < least and self._start > len(self._bytes) // 2
        ):
            self._move_to_the_front()
        if len(self._bytes) - self._end < least:
            self._bytes += bytes(max(len(self._bytes), least))
        return memoryview(self._bytes)[self._end :]

    def filled(self, count: int) -> None:
        """So many octets were written into `space`."""
        self._end += count

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Append what came from the peer."""
        with self.space(len(data)) as view:
            view[: len(data)] = data
        self.filled(len(data))

    def clear(self) -> None:
        """Forget everything, as STLS demands (RFC 2595 section 4)."""
        self._start = self._end = self._searched = 0
        self._stuffed = False

    def take_line(self, limit: int) -> bytes | None:
        """The next line with its line end (CRLF, or a bare LF for the caller to refuse); None: not whole yet.

        Raises POP3ProtocolError when the line is longer than `limit` octets.
        """
        end = self._bytes.find(b"\n", self._searched, min(self._end, self._start + limit)) + 1
        if not end:
            if len(self) >= limit:
                raise POP3ProtocolError(f"a line longer than {limit} octets: this is not POP3")
            self._searched = self._end
            return None
        line = bytes(self._bytes[self._start : end])
        self._start = self._searched = end
        return line

    def take_block(self, limit: int) -> bytes | None:
        """A multi-line reply's lines, unstuffed, without the final dot; b"" when there are none; None: more.

        The end is exactly CRLF "." CRLF: bare CR, bare LF and NUL are data, or a mail could forge replies.
        Raises POP3ProtocolError when the block is longer than `limit` octets.
        """
        if self._bytes.startswith(_EMPTY_BLOCK, self._start, self._end):
            self._start = self._searched = self._start + len(_EMPTY_BLOCK)
            return b""
        found = self._find_terminator()
        # Where the last line ends, at the earliest: all of the terminator but its last octet may be here.
        end = (found if found >= 0 else self._end - len(_TERMINATOR) + 1) + len(CRLF)
        if end - self._start > limit:
            raise POP3ProtocolError(f"a reply longer than {limit} octets")
        if found < 0:
            return None
        with memoryview(self._bytes) as view:  # one copy, not a bytearray slice and another
            block = bytes(view[self._start : end])
        stuffed, self._stuffed = self._stuffed, False
        self._start = self._searched = end + len(_EMPTY_BLOCK)
        return unstuff(block) if stuffed else _unstuffed_start(block)

    def _find_terminator(self) -> int:
        """Its offset, or -1. Most mails have no line that starts with a dot: their octets are seen once."""
        at = self._searched
        if not self._stuffed:
            at = self._bytes.find(_DOTTED, at, self._end)
            if at < 0:
                self._searched = max(self._searched, self._end - len(_DOTTED) + 1)
                return -1
            if self._end - at < len(_TERMINATOR):
                self._searched = at
                return -1
            if self._bytes.startswith(_TERMINATOR, at):
                return at
            self._stuffed = True
        found = self._bytes.find(_TERMINATOR, at, self._end)
        if found < 0:
            self._searched = max(at, self._end - len(_TERMINATOR) + 1)
        return found

    def _move_to_the_front(self) -> None:
        """What is here moves to the beginning, and what a large message needed is given back."""
        rest = self._bytes[self._start : self._end]
        if len(self._bytes) > _SPACE:
            self._bytes = bytearray(max(_SPACE, 2 * len(rest)))
        self._bytes[: len(rest)] = rest
        self._start, self._end, self._searched = 0, len(rest), self._searched - self._start


def unstuff(block: bytes) -> bytes:
    """Take the first dot off every line that starts with one."""
    block = _unstuffed_start(block)
    return block.replace(b"\r\n.", CRLF) if b"\r\n." in block else block


def _unstuffed_start(block: bytes) -> bytes:
    # Dovecot 2.3 and Courier do not stuff a dot at the start of a mail: a single one there is the mail's.
    return block[1:] if block.startswith(b"..") else block


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
