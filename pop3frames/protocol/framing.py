"""Bytes to lines and dot-stuffed blocks, and back (RFC 1939 section 3). No verbs, no state of a session.

A reader consumes and returns, returns None when it needs more, or raises; any way of cutting the same bytes
into pieces gives the same results.
"""

from __future__ import annotations

from pop3frames.errors import POP3ProtocolError
from pop3frames.protocol.grammar import CRLF

_TERMINATOR = b"\r\n.\r\n"
_EMPTY_BLOCK = b".\r\n"


class ReceiveBuffer:
    """Bytes that came and were not consumed yet."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._searched = 0  # no terminator begins before this offset: a long body is searched once, not again

    def __len__(self) -> int:
        return len(self._bytes)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Append what came from the peer."""
        self._bytes += data

    def clear(self) -> None:
        """Forget everything, as STLS demands (RFC 2595 section 4)."""
        self._bytes.clear()
        self._searched = 0

    def take_line(self, limit: int) -> bytes | None:
        """The next line with its line end (CRLF, or a bare LF for the caller to refuse); None: not whole yet.

        Raises POP3ProtocolError when the line is longer than `limit` octets.
        """
        end = self._bytes.find(b"\n", self._searched, limit) + 1
        if not end:
            if len(self._bytes) >= limit:
                raise POP3ProtocolError(f"a line longer than {limit} octets: this is not POP3")
            self._searched = len(self._bytes)
            return None
        return self._take(end)

    def take_block(self, limit: int) -> bytes | None:
        """A multi-line reply's lines, unstuffed, without the final dot; b"" when there are none; None: more.

        The end is exactly CRLF "." CRLF: bare CR, bare LF and NUL are data, or a mail could forge replies.
        Raises POP3ProtocolError when the block is longer than `limit` octets.
        """
        if self._bytes.startswith(_EMPTY_BLOCK):
            self._take(len(_EMPTY_BLOCK))
            return b""
        found = self._bytes.find(_TERMINATOR, self._searched)
        # Where the last line ends, at the earliest: all of the terminator but its last octet may be here.
        end = (found if found >= 0 else len(self._bytes) - len(_TERMINATOR) + 1) + len(CRLF)
        if end > limit:
            raise POP3ProtocolError(f"a reply longer than {limit} octets")
        if found < 0:
            self._searched = max(0, len(self._bytes) - len(_TERMINATOR) + 1)
            return None
        block = self._take(end)
        del self._bytes[:3]
        return unstuff(block)

    def _take(self, end: int) -> bytes:
        with memoryview(self._bytes) as view:  # one copy, not a bytearray slice and another
            taken = bytes(view[:end])
        del self._bytes[:end]
        self._searched = 0
        return taken


def unstuff(block: bytes) -> bytes:
    """Take the first dot off every line that starts with one."""
    if block.startswith(b"."):
        block = block[1:]
    return block.replace(b"\r\n.", CRLF) if b"\r\n." in block else block


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
