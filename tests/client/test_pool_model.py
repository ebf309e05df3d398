"""The pool against a model, in any order of calls, with connections that die, age or cannot be made."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from client.pool_clients import Client, a_pool, fake_clients
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.errors import POP3ConnectionError, POP3UsageError

IDLE = 60.0  # seconds that a connection nobody uses is kept


class PoolAgainstModel(RuleBasedStateMachine):
    """The pool lends as a counter with a limit would, and forgets what was idle too long."""

    leased = Bundle("leased")
    returned = Bundle("returned")

    @initialize(size=st.integers(1, 3))
    def open(self, size: int) -> None:
        self._patch = fake_clients()
        self.clients = self._patch.__enter__()
        self.now = 1e6
        self.pool, self.size = a_pool(size, idle_seconds=IDLE, clock=lambda: self.now), size
        self.lent: dict[POP3ProtocolHandler, Client | None] = {}
        self.since: dict[Client, float] = {}  # when a client was given back

    def teardown(self) -> None:
        if hasattr(self, "pool"):
            self.pool.close_all()
            assert [] == self.clients.living
            self._patch.__exit__(None, None, None)

    def _take(self, handler: POP3ProtocolHandler) -> POP3ProtocolHandler:
        client = handler._session.client  # type: ignore[union-attr]
        assert client not in self.lent.values()
        assert client.alive
        assert client.marks == set()
        assert client.user_name in ("", "ann")
        assert self.now - self.since.pop(client, self.now) <= IDLE
        self._nobody_is_idle_too_long()
        self.lent[handler] = client
        return handler

    def _nobody_is_idle_too_long(self) -> None:
        for client, since in self.since.items():
            if self.now - since > IDLE:
                assert client.closed
                assert client.quits == client.alive

    def _cannot_lend(self) -> bool:
        """Whether a connection would have to be made, and cannot."""
        idle = [each for each, since in self.since.items() if not each.closed and self.now - since <= IDLE]
        return self.clients.refusing and not (idle and idle[-1].alive)

    @rule(target=leased)
    def acquire(self) -> Any:
        full = len(self.lent) == self.size
        if not full and self._cannot_lend():
            with pytest.raises(POP3ConnectionError, match="refused"):
                self.pool.acquire()
            self._nobody_is_idle_too_long()
            return multiple()
        handler = self.pool.acquire()
        assert full == (handler is None)
        return multiple() if handler is None else self._take(handler)

    @rule(target=leased)
    def lease_without_waiting(self) -> Any:
        lease = self.pool.lease(timeout=0)
        if len(self.lent) < self.size and self._cannot_lend():
            with pytest.raises(POP3ConnectionError, match="refused"):
                lease.__enter__()
            return multiple()
        if len(self.lent) == self.size:
            with pytest.raises(POP3ConnectionError, match="became free"):
                lease.__enter__()
            return multiple()
        handler = self._take(lease.__enter__())
        handler.lease = lease  # type: ignore[attr-defined]  # kept alive: its end would give the handler back
        return handler

    @rule(target=returned, handler=consumes(leased), seconds=st.sampled_from([0.0, IDLE / 2, IDLE + 1]))
    def release_and_wait(self, handler: POP3ProtocolHandler, seconds: float) -> POP3ProtocolHandler:
        self.pool.release(handler)
        client = self.lent.pop(handler, None)
        if client is not None:
            assert not client.closed or not client.alive or client.user_name == "bob"
            if not client.closed:
                self.since[client] = self.now
        self.now += seconds
        return handler

    @rule(handler=returned)
    def release_again(self, handler: POP3ProtocolHandler) -> None:
        self.pool.release(handler)

    @rule(handler=returned)
    def use_after_release(self, handler: POP3ProtocolHandler) -> None:
        for use in (handler.connect, handler.authenticate, handler.reset, handler.list_messages):
            with pytest.raises(POP3UsageError, match="given back"):
                use()
        assert handler.test_connection() is False
        assert handler.disconnect() is True

    @rule(handler=leased, number=st.integers(1, 9))
    def mark(self, handler: POP3ProtocolHandler, number: int) -> None:
        if self.lent.get(handler) is not None:
            with contextlib.suppress(POP3ConnectionError):
                handler.delete_message(number)

    @rule(handler=leased)
    def log_in_as_somebody_else(self, handler: POP3ProtocolHandler) -> None:
        if self.lent.get(handler) is not None:
            with contextlib.suppress(POP3ConnectionError, POP3UsageError):
                handler.authenticate("bob", "other")

    @rule(handler=leased)
    def disconnect(self, handler: POP3ProtocolHandler) -> None:
        if handler in self.lent:
            handler.disconnect()
            self.lent[handler] = None

    @rule(handler=leased)
    def use(self, handler: POP3ProtocolHandler) -> None:
        client = self.lent.get(handler)
        if client is not None and client.alive:
            assert (0, 0) == handler.get_mailbox_stat()
        elif client is not None:
            with pytest.raises(POP3ConnectionError):
                handler.get_mailbox_stat()

    @rule(refusing=st.sampled_from([False, False, True]))
    def server_goes_or_comes(self, refusing: bool) -> None:
        self.clients.refusing = refusing

    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        if self.clients.living:
            data.draw(st.sampled_from(self.clients.living)).alive = False

    @rule()
    def close_all(self) -> None:
        self.pool.close_all()
        self.lent.clear()
        assert [] == self.clients.living

    @invariant()
    def never_more_connections_than_allowed(self) -> None:
        if hasattr(self, "pool"):
            assert len(self.clients.living) <= self.size

    @invariant()
    def the_repr_counts(self) -> None:
        if hasattr(self, "pool"):
            assert repr(self.pool).startswith(f"<POP3ConnectionPool {len(self.lent)} leased, ")


PoolAgainstModel.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
test_any_order_of_calls_agrees_with_the_model = PoolAgainstModel.TestCase
