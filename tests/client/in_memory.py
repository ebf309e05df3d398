"""A session without a socket: what the server says is a list, and comes in pieces of any size.

    client = in_memory([b"+OK ready\r\n", b"+OK 1 20\r\n"])
    client.stat()
    client.wire.lines   # what it sent

The first of the replies is the greeting; each line from the client releases the next one. When nothing more
is released, the connection is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3
from pop3frames.client.retry import Retry
from pop3frames.client.wire import Wire
from pop3frames.errors import POP3ConnectionError

FOREVER = 1 << 30


class MemoryWire(Wire):
    """In place of the client's wire; `pieces` are the most octets each read gives, the last one for ever."""

    is_loopback = True
    encrypted = False  # type: ignore[assignment]
    name = "memory"  # type: ignore[assignment]
    tls = None  # type: ignore[assignment]

    def __init__(self, replies: Sequence[bytes], pieces: Sequence[int] = ()) -> None:
        self._replies = iter(replies)
        self._pieces: Iterator[int] = iter([*pieces])
        self._forever = repeat(pieces[-1] if pieces else FOREVER)
        self._here = bytearray(next(self._replies, b""))
        self._unsent = bytearray()
        self.sent = bytearray()
        self.closed = False

    @property
    def lines(self) -> list[bytes]:
        """What the client sent."""
        return bytes(self.sent).split(b"\r\n")[:-1]

    def queue(self, data: bytes) -> None:
        self._unsent += data

    def receive(self, deadline: Any, into: memoryview) -> int:
        unsent, self._unsent = self._unsent, bytearray()
        self.sent += unsent
        for _ in range(unsent.count(b"\n")):
            self._here += next(self._replies, b"")
        count = self.arrived(into)
        if not count:
            self.closed = True
            raise POP3ConnectionError("the connection to memory was lost: the server closed it")
        return count

    def arrived(self, into: memoryview) -> int:
        if not self._here:
            return 0
        count = min(max(1, next(self._pieces, next(self._forever))), len(self._here), len(into))
        into[:count] = self._here[:count]
        del self._here[:count]
        return count

    def start_tls(self, context: Any, timeout: float) -> None:
        self.closed = True
        raise POP3ConnectionError("no TLS with memory")

    def close(self) -> None:
        self.closed = True


class InMemory(POP3):
    """POP3 on such a wire."""

    def __init__(self, wire: MemoryWire, **options: Any) -> None:
        self.wire = wire
        super().__init__("memory", 110, **{"pipelining": False} | options)

    def _open_wire(self, host: str, port: int, timeout: float) -> Wire:
        return self.wire


def in_memory(replies: Sequence[bytes], pieces: Sequence[int] = (), **options: Any) -> InMemory:
    """A client whose server says this, in pieces of so many octets."""
    return InMemory(MemoryWire(replies, pieces), **options)


GREETING = b"+OK ready <1896.697170952@memory>\r\n"


def logged_in(*replies: bytes, pieces: Sequence[int] = (), **options: Any) -> InMemory:
    """The same behind the login; the pieces count from the greeting."""
    client = in_memory([GREETING, b"+OK\r\n", b"+OK\r\n", *replies], pieces, **options)
    client.user("ann")
    client.pass_("secret")
    client.wire.sent.clear()
    return client


class HandlerInMemory(POP3ProtocolHandler):
    """A handler whose sessions say these lists of replies one after another, the last one again and again."""

    def __init__(self, *sessions: Sequence[bytes], pieces: Sequence[int] = (), **options: Any) -> None:
        super().__init__("memory", 110, "ann", "secret", "none", retry=Retry(sleep=lambda _: None), **options)
        self._sessions, self._chunks = sessions, pieces
        self.wires: list[MemoryWire] = []

    def _open_client(self) -> POP3:
        replies = self._sessions[min(len(self.wires), len(self._sessions) - 1)]
        self.wires.append(MemoryWire(replies, self._chunks))
        pipelining = False if self._serial else self._pipelining
        return InMemory(self.wires[-1], pipelining=pipelining, limits=self._limits)
