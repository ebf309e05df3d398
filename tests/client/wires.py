"""A wire without a socket, for tests: a function answers what the client sends, in pieces as wished."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from pop3frames.client.pop3 import POP3
from pop3frames.client.wire import Deadline, Wire
from pop3frames.errors import POP3ConnectionError

Answers = Callable[[bytes], bytes]  # to a line without its CRLF; to None: the greeting


class MemoryWire(Wire):
    """Delivers what `answers` says; the connection ends where it says nothing."""

    def __init__(self, greeting: bytes, answers: Answers, sizes: Iterable[int]) -> None:
        self._answers, self._sizes = answers, itertools.cycle(sizes)
        self._outgoing, self._incoming = bytearray(), bytearray(greeting)
        self._tls = False

    @property
    def name(self) -> str:
        return "memory"

    @property
    def encrypted(self) -> bool:
        return self._tls

    @property
    def is_loopback(self) -> bool:
        return True

    def start_tls(self, context: Any, timeout: float) -> None:
        self._tls = True

    def receive(self, deadline: Deadline, into: memoryview) -> int:
        lines = bytes(self._outgoing).split(b"\r\n")[:-1]
        self._outgoing.clear()
        for line in lines:
            self._incoming += self._answers(line)
        if not self._incoming:
            raise POP3ConnectionError("the connection to memory was lost")
        return self.arrived(into)

    def arrived(self, into: memoryview) -> int:
        data = self._incoming[: min(next(self._sizes), len(into))]
        into[: len(data)] = data
        del self._incoming[: len(data)]
        return len(data)

    def close(self) -> None:
        self._outgoing.clear()


class MemoryPOP3(POP3):
    """A client on a memory wire."""

    def __init__(
        self, greeting: bytes, answers: Answers, sizes: Iterable[int] = (1 << 16,), **options: Any
    ) -> None:
        self._opened = MemoryWire(greeting, answers, sizes)
        super().__init__("memory", **options)

    def _open_wire(self, host: str, port: int, timeout: float) -> Wire:
        return self._opened


def answering(replies: dict[bytes, bytes]) -> Answers:
    """Fixed replies by verb; -ERR to the rest."""
    return lambda line: replies.get(line.split(b" ")[0], b"-ERR\r\n")
