"""Clients without a server for the tests of the pool, and pools that connect to them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock, patch

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pool import POP3ConnectionPool
from pop3frames.client.retry import Retry


class Client:
    """A client without a server: knows its marks, whether it is alive, and that only one thread uses it."""

    def __init__(self, opened: list[Client]) -> None:
        self.alive, self.closed, self.user_name = True, False, ""
        self.quits = self.noops = self.resets = 0
        self.marks: set[int] = set()
        self.can_pipeline = False
        self._in_use = threading.Lock()
        opened.append(self)

    @contextlib.contextmanager
    def _used(self) -> Iterator[None]:
        assert self._in_use.acquire(blocking=False), "two threads use one connection"
        try:
            if self.closed or not self.alive:
                raise EOFError("the connection is gone")
            yield
        finally:
            self._in_use.release()

    def user(self, name: str) -> None:
        with self._used():
            self.user_name = name

    def pass_(self, password: str) -> None:
        with self._used():
            pass

    def noop(self) -> None:
        with self._used():
            self.noops += 1

    def stat(self) -> tuple[int, int]:
        with self._used():
            return 0, 0

    def dele(self, number: int) -> None:
        with self._used():
            self.marks.add(number)

    def rset(self) -> None:
        with self._used():
            self.resets += 1
            self.marks.clear()

    def quit(self) -> None:
        with self._used():
            self.quits += 1
        self.close()

    def close(self) -> None:
        self.closed = True


class Clients(list[Client]):
    """All clients that were made. While `refusing`, none can be."""

    refusing = False

    @property
    def living(self) -> list[Client]:
        """Those whose connection stands."""
        return [client for client in list(self) if client.alive and not client.closed]


@contextlib.contextmanager
def fake_clients() -> Iterator[Clients]:
    """Inside, connecting makes clients without a server."""
    opened = Clients()

    def connect(*_: object, **__: object) -> Client:
        if opened.refusing:
            raise ConnectionRefusedError("refused")
        return Client(opened)

    with patch("pop3frames.client.handler.POP3_SSL", connect):
        yield opened


def a_pool(size: int = 2, **options: Any) -> POP3ConnectionPool:
    """For the fake clients."""
    options = {"context": Mock(), "retry": Retry(sleep=lambda _: None)} | options
    return POP3ConnectionPool("pop.example.org", 995, "ann", "secret", pool_size=size, **options)


def got(handler: POP3ProtocolHandler | None) -> POP3ProtocolHandler:
    """The handler, which must be one."""
    assert handler is not None
    return handler
