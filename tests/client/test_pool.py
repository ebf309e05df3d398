"""The pool: never two users of one connection, never more than it may hold, nothing lost on the way."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock, patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from lab.scripted import GREETING, LOGIN, QUIT, STALL, ScriptedServer

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pool import POP3ConnectionPool
from pop3frames.errors import POP3CommandError, POP3ConnectionError, POP3UsageError
from pop3frames.server.embedded import EmbeddedServer


class Client:
    """A client without a server: knows its marks, whether it is alive, and that only one thread uses it."""

    def __init__(self, opened: list[Client]) -> None:
        self.alive, self.closed, self.quits, self.user_name = True, False, 0, ""
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
            pass

    def stat(self) -> tuple[int, int]:
        with self._used():
            return 0, 0

    def dele(self, number: int) -> None:
        with self._used():
            self.marks.add(number)

    def rset(self) -> None:
        with self._used():
            self.marks.clear()

    def quit(self) -> None:
        with self._used():
            self.quits += 1
        self.close()

    def close(self) -> None:
        self.closed = True


@contextlib.contextmanager
def fake_clients() -> Iterator[list[Client]]:
    """Inside, connecting makes clients without a server; all that were made."""
    opened: list[Client] = []
    with patch("pop3frames.client.handler.POP3_SSL", lambda *_, **__: Client(opened)):
        yield opened


@pytest.fixture
def opened() -> Iterator[list[Client]]:
    """All clients without a server that were made."""
    with fake_clients() as clients:
        yield clients


def a_pool(size: int = 2) -> POP3ConnectionPool:
    """For the fake clients."""
    return POP3ConnectionPool("pop.example.org", 995, "ann", "secret", pool_size=size, context=Mock())


def got(handler: POP3ProtocolHandler | None) -> POP3ProtocolHandler:
    """The handler, which must be one."""
    assert handler is not None
    return handler


# Against a model


class PoolAgainstModel(RuleBasedStateMachine):
    """Any order of calls: the pool lends as a counter with a limit would."""

    leased = Bundle("leased")
    returned = Bundle("returned")

    @initialize(size=st.integers(1, 3))
    def open(self, size: int) -> None:
        self._patch = fake_clients()
        self.clients = self._patch.__enter__()
        self.pool, self.size = a_pool(size), size
        self.lent: dict[POP3ProtocolHandler, Client | None] = {}

    def teardown(self) -> None:
        if hasattr(self, "pool"):
            self.pool.close_all()
            assert [client for client in self.clients if not client.closed and client.alive] == []
            self._patch.__exit__(None, None, None)

    def _take(self, handler: POP3ProtocolHandler) -> POP3ProtocolHandler:
        client = handler._session.client  # type: ignore[union-attr]
        assert client not in self.lent.values()
        assert client.alive
        assert client.marks == set()
        assert client.user_name in ("", "ann")
        self.lent[handler] = client
        return handler

    @rule(target=leased)
    def acquire(self) -> Any:
        handler = self.pool.acquire()
        assert (handler is None) == (len(self.lent) == self.size)
        return multiple() if handler is None else self._take(handler)

    @rule(target=leased)
    def lease_without_waiting(self) -> Any:
        lease = self.pool.lease(timeout=0)
        if len(self.lent) == self.size:
            with pytest.raises(POP3ConnectionError, match="became free"):
                lease.__enter__()
            return multiple()
        handler = self._take(lease.__enter__())
        handler.lease = lease  # type: ignore[attr-defined]  # kept alive: its end would give the handler back
        return handler

    @rule(target=returned, handler=consumes(leased))
    def release(self, handler: POP3ProtocolHandler) -> POP3ProtocolHandler:
        self.pool.release(handler)
        self.lent.pop(handler, None)
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

    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        living = [client for client in self.clients if client.alive and not client.closed]
        if living:
            data.draw(st.sampled_from(living)).alive = False

    @rule()
    def close_all(self) -> None:
        self.pool.close_all()
        self.lent.clear()
        assert [client for client in self.clients if client.alive and not client.closed] == []

    @invariant()
    def never_more_connections_than_allowed(self) -> None:
        if hasattr(self, "pool"):
            living = [client for client in self.clients if not client.closed and client.alive]
            assert len(living) <= self.size

    @invariant()
    def the_repr_counts(self) -> None:
        if hasattr(self, "pool"):
            assert repr(self.pool).startswith(f"<POP3ConnectionPool {len(self.lent)} leased, ")


PoolAgainstModel.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
test_any_order_of_calls_agrees_with_the_model = PoolAgainstModel.TestCase


# With threads


def test_sixteen_threads_never_share_a_connection_and_none_is_lost(opened: list[Client]) -> None:
    """Leases, early and double releases, dying connections: looked at by every thread at every step."""
    pool, size = a_pool(3), 3
    lock, in_hands = threading.Lock(), set[Client]()
    failures: list[BaseException] = []

    def use(handler: POP3ProtocolHandler, chance: random.Random) -> None:
        client = handler._session.client  # type: ignore[union-attr]
        with lock:
            assert client not in in_hands, "two leases of one connection"
            in_hands.add(client)
        try:
            assert sum(each.alive and not each.closed for each in list(opened)) <= size
            assert handler.delete_message(chance.randrange(1, 9)) is True
            if chance.random() < 0.1:
                client.alive = False
                handler.get_mailbox_stat()
        finally:
            with lock:
                in_hands.remove(client)
        if chance.random() < 0.2:
            pool.release(handler)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(60):
                with contextlib.suppress(POP3ConnectionError), pool.lease() as handler:
                    use(handler, chance)
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(seed,), daemon=True) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    shown_at_the_end = repr(pool)
    pool.close_all()

    assert failures == []
    assert shown_at_the_end.startswith("<POP3ConnectionPool 0 leased, ")
    assert [client for client in opened if client.alive and not client.closed] == []
    assert any(not client.alive for client in opened)


def test_a_release_from_two_threads_at_once_frees_one_place(opened: list[Client]) -> None:
    """Both see the same handler; only one of them gives it back."""
    for _ in range(20):
        pool = a_pool(1)
        handler = got(pool.acquire())
        handler.authenticate()
        both = threading.Barrier(2)

        def release(pool: Any = pool, handler: Any = handler, both: Any = both) -> None:
            both.wait()
            pool.release(handler)

        threads = [threading.Thread(target=release) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert repr(pool) == "<POP3ConnectionPool 0 leased, 1 idle, of 1>"
        pool.close_all()


def test_a_place_is_free_only_when_its_connection_is_done_with(
    opened: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one thread takes marks back, a second release makes no room for a connection too many."""
    pool = a_pool(1)
    handler = got(pool.acquire())
    handler.delete_message(7)
    begun, may_end = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        may_end.wait(10)

    monkeypatch.setattr(opened[0], "rset", slow)
    releasing = threading.Thread(target=pool.release, args=(handler,))
    releasing.start()
    begun.wait(10)
    pool.release(handler)

    assert pool.acquire() is None
    may_end.set()
    releasing.join(10)
    assert got(pool.acquire()).test_connection() is True
    assert len(opened) == 1


def test_a_connection_given_back_while_the_pool_closes_is_closed(
    opened: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would ever close it later."""
    pool = a_pool(1)
    handler = got(pool.acquire())
    handler.delete_message(7)
    monkeypatch.setattr(opened[0], "rset", pool.close_all)
    pool.release(handler)

    assert opened[0].closed is True
    assert repr(pool) == "<POP3ConnectionPool 0 leased, 0 idle, of 1>"


def test_a_connection_that_is_being_opened_counts() -> None:
    """Connecting takes time; meanwhile nobody may take the same place."""
    begun, may_end = threading.Event(), threading.Event()
    clients: list[Client] = []

    def slow(*_: object, **__: object) -> Client:
        begun.set()
        may_end.wait(10)
        return Client(clients)

    with patch("pop3frames.client.handler.POP3_SSL", slow):
        pool = a_pool(1)
        opening = threading.Thread(target=pool.acquire)
        opening.start()
        begun.wait(10)
        assert pool.acquire() is None
        may_end.set()
        opening.join(10)

    assert len(clients) == 1


def test_a_lease_waits_for_one_that_ends(opened: list[Client]) -> None:
    """And gets its connection."""
    pool = a_pool(1)
    lent, seen = threading.Event(), []

    def wait() -> None:
        lent.wait()
        with pool.lease() as handler:
            seen.append(handler)

    waiting = threading.Thread(target=wait)
    waiting.start()
    with pool.lease() as first:
        lent.set()
    waiting.join(10)

    assert len(seen) == 1
    assert seen[0] is not first
    assert len(opened) == 1


@pytest.mark.parametrize("attempt", range(5))  # who is faster is a matter of luck
def test_closing_the_pool_cuts_a_thread_that_waits_for_its_server(attempt: int) -> None:
    """It does not wait for its timeout; what it gets is a POP3Error."""
    ends: list[BaseException] = []
    waiting = threading.Event()
    script = [*LOGIN, ("STAT", lambda peer: waiting.set(), STALL)]
    with ScriptedServer(script) as server:
        pool = POP3ConnectionPool("127.0.0.1", server.port, "ann", "secret", encryption="none", timeout=600)

        def work() -> None:
            try:
                with pool.lease() as handler:
                    handler.get_mailbox_stat()
            except BaseException as exc:
                ends.append(exc)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        waiting.wait(10)
        pool.close_all()
        thread.join(10)

        assert not thread.is_alive()
    assert [type(end) for end in ends] == [POP3ConnectionError]


# One by one


def test_a_lent_handler_is_connected_and_not_logged_in(opened: list[Client]) -> None:
    """As documented: `authenticate()` follows, and is harmless where it is not needed."""
    pool = a_pool()
    handler = got(pool.acquire())

    assert handler.test_connection() is True
    assert handler.authenticate() is True
    pool.release(handler)
    again = got(pool.acquire())
    assert again.authenticate() is True
    assert len(opened) == 1


def test_an_exhausted_pool_lends_nothing(opened: list[Client]) -> None:
    """None, and no third connection."""
    pool = a_pool(2)

    assert [pool.acquire() is None for _ in range(4)] == [False, False, True, True]
    assert len(opened) == 2


def test_marks_are_taken_back_before_a_connection_is_lent_again(opened: list[Client]) -> None:
    """The next user's QUIT must not delete what this one marked."""
    pool = a_pool(1)
    handler = got(pool.acquire())
    handler.delete_message(7)
    pool.release(handler)

    assert opened[0].marks == set()
    assert got(pool.acquire()).test_connection() is True
    assert len(opened) == 1


def test_a_connection_that_cannot_take_its_marks_back_is_not_lent_again(
    opened: list[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused or lost, it is closed without QUIT."""
    for error in (POP3CommandError("RSET", "no"), EOFError()):
        pool = a_pool(1)
        handler = got(pool.acquire())
        handler.delete_message(7)

        def refuse(error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(opened[-1], "rset", refuse)
        pool.release(handler)

        assert (opened[-1].closed, opened[-1].quits) == (True, 0)
        assert repr(pool) == "<POP3ConnectionPool 0 leased, 0 idle, of 1>"


def test_a_connection_logged_in_as_somebody_else_is_not_lent_again(opened: list[Client]) -> None:
    """The next user would read the wrong mailbox."""
    pool = a_pool(1)
    handler = got(pool.acquire())
    handler.authenticate("bob", "other")
    pool.release(handler)
    again = got(pool.acquire())
    again.authenticate()

    assert [client.user_name for client in opened] == ["bob", "ann"]


def test_a_connection_that_died_while_idle_is_replaced(opened: list[Client]) -> None:
    """Nobody notices, but the log."""
    pool = a_pool(1)
    pool.release(got(pool.acquire()))
    opened[0].alive = False
    handler = got(pool.acquire())

    assert handler.test_connection() is True
    assert [len(opened), opened[0].closed] == [2, True]


def test_a_lease_that_ends_in_an_exception_does_not_give_its_connection_on(opened: list[Client]) -> None:
    """Who knows what it left half done; and it is closed without QUIT."""
    pool = a_pool(1)
    with contextlib.suppress(KeyError), pool.lease() as handler:
        handler.delete_message(7)
        raise KeyError("somebody's mistake")

    assert (opened[0].closed, opened[0].quits) == (True, 0)
    assert repr(pool) == "<POP3ConnectionPool 0 leased, 0 idle, of 1>"


def test_a_failed_connect_keeps_no_place(opened: list[Client], naps: list[float]) -> None:
    """The pool can lend as many as before."""
    pool = a_pool(1)
    with patch("pop3frames.client.handler.POP3_SSL", side_effect=OSError("refused")):
        for _ in range(3):
            with pytest.raises(POP3ConnectionError):
                pool.acquire()

    assert got(pool.acquire()).test_connection() is True


def test_an_iteration_begun_before_the_release_cannot_go_on_after_it(server: EmbeddedServer) -> None:
    """It would read from a connection that belongs to somebody else now."""
    pool = POP3ConnectionPool(
        "127.0.0.1", server.port, "ann", server.password, pool_size=1, encryption="none", timeout=5
    )
    handler = got(pool.acquire())
    messages = handler.iter_messages()
    next(messages)
    pool.release(handler)
    other = got(pool.acquire())

    with pytest.raises(POP3UsageError, match="given back"):
        next(messages)
    assert [message["subject"] for message in other.fetch_messages()] == ["mail 1", "mail 2", "mail 3"]
    pool.close_all()


def test_an_iteration_dropped_after_the_release_takes_no_reply_of_the_next_user(
    server: EmbeddedServer,
) -> None:
    """Garbage is collected at any moment, in the middle of another user's iteration too."""
    pool = POP3ConnectionPool(
        "127.0.0.1", server.port, "ann", server.password, pool_size=1, encryption="none", timeout=5
    )
    handler = got(pool.acquire())
    dropped = handler.iter_messages()
    next(dropped)
    pool.release(handler)
    messages = got(pool.acquire()).iter_messages()
    seen = [next(messages).subject]
    del dropped
    seen += [message.subject for message in messages]

    assert seen == ["mail 1", "mail 2", "mail 3"]
    pool.close_all()


def test_a_with_block_around_the_pool_closes_it(opened: list[Client]) -> None:
    """Idle connections by QUIT; after it the pool can be used again."""
    with a_pool(2) as pool:
        idle, lent = got(pool.acquire()), got(pool.acquire())
        pool.release(idle)

    assert sorted((client.closed, client.quits) for client in opened) == [(True, 0), (True, 1)]
    with pytest.raises(POP3UsageError):
        lent.list_messages()
    assert got(pool.acquire()).test_connection() is True


@pytest.mark.parametrize("size", [0, -1, True, 1.5, "3"])
def test_a_pool_holds_at_least_one_connection(size: Any) -> None:
    """Anything else is refused at once."""
    with pytest.raises(POP3UsageError, match="pool_size"):
        a_pool(size)


def test_a_pool_gives_its_options_to_its_handlers() -> None:
    """Over a real wire: plain text, and the time it may take."""
    with ScriptedServer([GREETING, ("NOOP", b"-ERR log in first\r\n"), QUIT]) as server:
        pool = POP3ConnectionPool("127.0.0.1", server.port, "ann", "secret", encryption="none", timeout=7)
        handler = got(pool.acquire())
        assert (handler.timeout, handler.test_connection()) == (7, True)
        pool.release(handler)
        pool.close_all()


def test_numbers_of_leases_add_up(opened: list[Client]) -> None:
    """A hundred in a row use one connection."""
    pool = a_pool(1)
    for number in itertools.islice(itertools.count(1), 100):
        with pool.lease() as handler:
            handler.delete_message(number)

    assert len(opened) == 1
