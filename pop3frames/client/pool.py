"""POP3ConnectionPool: connections lent and taken back. Policy is decided under the lock, I/O done outside it.

Most servers lock a mailbox for one session, so a pool on one mailbox usually lends one connection; another
login is a POP3BusyError: parallel work goes across mailboxes. Sessions themselves are in `session.py`.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Self

from pop3frames.client.connection import Password
from pop3frames.client.credentials import as_secret
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.session import Session, log
from pop3frames.errors import POP3CommandError, POP3ConnectionError, POP3Error, POP3UsageError


class POP3ConnectionPool:
    """At most `pool_size` connections to one mailbox, for many threads.

    `idle_seconds`: how long a connection nobody uses is kept; some servers drop one after a minute.
    `clock`: counts those seconds. `options` are those of POP3ProtocolHandler: encryption, timeout, auth, ...
    A child after a fork starts with an empty pool; the connections, lent ones too, stay the parent's.
    """

    def __init__(
        self,
        hostname: str,
        port: int,
        username: str,
        password: Password,
        pool_size: int = 3,
        *,
        idle_seconds: float = 60,
        clock: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        # First what a repr shows: tracebacks with locals ask for one, whatever raises below.
        self.pool_size, self._idle_seconds, self._clock = pool_size, idle_seconds, clock
        # `_free` guards the four below, and is notified when there is room.
        self._free = threading.Condition()
        self._idle: list[tuple[float, Session]] = []  # since when (clock), the longest idle first
        self._leased: set[POP3ProtocolHandler] = set()
        self._returning: set[POP3ProtocolHandler] = set()  # leased still, while its marks are taken back
        self._opening = 0
        try:
            secret = as_secret(password)
        finally:
            del password  # no frame that raises holds it as it was given
        self._username = username
        self._new_handler = partial(POP3ProtocolHandler, hostname, port, username, secret, **options)
        if type(pool_size) is not int or pool_size < 1:
            raise POP3UsageError("pool_size must be a positive integer")
        self._new_handler()  # a wrong argument is an error now, not at the first lease
        _pools.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close_all()

    def __repr__(self) -> str:
        with self._free:
            counts = f"{len(self._leased)} leased, {len(self._idle)} idle, of {self.pool_size}"
        return f"<POP3ConnectionPool {counts}>"

    @contextlib.contextmanager
    def lease(self, timeout: float | None = None) -> Iterator[POP3ProtocolHandler]:
        """A connected handler for a `with` block; after an exception its connection is not reused.

        Waits while all are lent; POP3ConnectionError after `timeout` seconds (None: for ever).
        """
        handler = self._lend(timeout, wait=True)
        if handler is None:
            raise POP3ConnectionError(
                f"no connection became free within {timeout} s: raise pool_size or timeout"
            )
        try:
            yield handler
        except BaseException:
            self._take_back(handler, reusable=False)
            raise
        self.release(handler)

    def acquire(self) -> POP3ProtocolHandler | None:
        """A connected handler, or None when all are lent. `authenticate()` logs in where that is missing."""
        return self._lend(None, wait=False)

    def release(self, handler: POP3ProtocolHandler) -> None:
        """Take a handler back, its marks undone. Releasing twice is harmless, using it afterwards raises."""
        self._take_back(handler, reusable=True)

    def close_all(self) -> None:
        """QUIT on idle connections and cut those still lent: nothing they marked is deleted."""
        with self._free:
            idle, self._idle = self._idle, []
            leased, self._leased = self._leased, set()
            self._free.notify_all()
        for _, session in idle:
            session.quit()
        for handler in leased:
            session_or_none = handler.detach()
            if session_or_none is not None:
                session_or_none.close()

    def _lend(self, timeout: float | None, *, wait: bool) -> POP3ProtocolHandler | None:
        end = None if timeout is None else time.monotonic() + timeout
        with self._free:
            while len(self._leased) + self._opening >= self.pool_size:
                remaining = None if end is None else end - time.monotonic()
                if not wait or (remaining is not None and remaining <= 0):
                    return None
                self._free.wait(remaining)
            expired = self._expired()
            session = self._idle.pop()[1] if self._idle else None
            places = 1 + len(expired)  # a connection that is being ended still has its place
            self._opening += places
        handler, connected = self._new_handler(), False
        try:
            for each in expired:
                each.quit()
            self._connect(handler, session)
            connected = True
        finally:
            with self._free:
                self._opening -= places
                if connected:
                    self._leased.add(handler)
                self._free.notify(places)
        return handler

    def _expired(self) -> list[Session]:
        """Take out the connections that nobody used for too long. The caller holds `_free`."""
        oldest = self._clock() - self._idle_seconds
        expired = [session for since, session in self._idle if since < oldest]
        self._idle = [(since, session) for since, session in self._idle if since >= oldest]
        return expired

    def _forked(self) -> None:
        """In a child: drop the copies of the parent's connections, and a lock that nobody here will free."""
        self._free = threading.Condition()
        idle, leased = self._idle, self._leased
        self._idle, self._leased, self._returning, self._opening = [], set(), set(), 0
        for _, session in idle:
            session.close()
        for handler in leased:
            handler.abandon()

    def _connect(self, handler: POP3ProtocolHandler, session: Session | None) -> None:
        """Give the handler the idle session if it still answers, else a new one."""
        if session is not None:
            handler.adopt(session)
            if handler.test_connection():
                return
            log.info("an idle connection had gone stale; opening another")
            session.close()
            handler.detach(usable=True)
        handler.connect()

    def _take_back(self, handler: POP3ProtocolHandler, *, reusable: bool) -> None:
        with self._free:
            if handler not in self._leased or handler in self._returning:
                log.info("released a handler that was not lent: ignored")
                return
            self._returning.add(handler)
        session, clean = handler.detach(), False
        try:
            clean = session is not None and reusable and self._cleaned(session)
        finally:
            if session is not None and not clean:
                session.close()  # before its place is free
            with self._free:
                self._returning.discard(handler)
                kept = clean and handler in self._leased  # if not, close_all came in between
                self._leased.discard(handler)
                if session is not None and kept:
                    self._idle.append((self._clock(), session))
                self._free.notify()
            if session is not None and clean and not kept:
                session.close()

    def _cleaned(self, session: Session) -> bool:
        """Take back the marks of the last user; whether the session can be lent again."""
        if session.lost or session.username not in (None, self._username):
            return False
        if session.username is None:
            return True
        try:
            session.reset()
        except POP3CommandError as exc:
            log.warning("a connection was not reused, its marks could not be taken back: %s", exc)
            return False
        except POP3Error:
            return False
        return True


_pools: weakref.WeakSet[POP3ConnectionPool] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in list(_pools):
        pool._forked()


os.register_at_fork(after_in_child=_after_fork)
