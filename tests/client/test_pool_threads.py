"""The pool in many threads at once: who waits, who gets what, and what is left at the end."""

from __future__ import annotations

import contextlib
import gc
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from client.pool_clients import Client, Clients, a_pool, fake_clients, got
from lab.dovecot import Dovecot
from lab.scripted import LOGIN, STALL, ScriptedServer

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pool import POP3ConnectionPool
from pop3frames.errors import POP3ConnectionError


@pytest.fixture
def opened() -> Iterator[Clients]:
    """All clients without a server that were made."""
    with fake_clients() as clients:
        yield clients


def test_sixteen_threads_never_share_a_connection_and_none_is_lost(opened: Clients) -> None:
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
            assert len(opened.living) <= size
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
    assert [] == opened.living
    assert any(not client.alive for client in opened)


def test_a_release_from_two_threads_at_once_frees_one_place(opened: Clients) -> None:
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
    opened: Clients, monkeypatch: pytest.MonkeyPatch
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
    opened: Clients, monkeypatch: pytest.MonkeyPatch
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


def test_connections_that_are_being_ended_for_their_age_still_count(
    opened: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server takes its time to answer QUIT; meanwhile nobody connects beside them."""
    now = [0.0]
    pool = a_pool(2, clock=lambda: now[0])
    for handler in [got(pool.acquire()), got(pool.acquire())]:
        pool.release(handler)
    now[0] = 61.0
    begun, may_end = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        may_end.wait(10)

    monkeypatch.setattr(opened[0], "quit", slow)
    lending = threading.Thread(target=pool.acquire)
    lending.start()
    begun.wait(10)

    assert pool.acquire() is None
    assert 2 == len(opened)
    may_end.set()
    lending.join(10)
    assert got(pool.acquire()).test_connection() is True
    assert "<POP3ConnectionPool 2 leased, 0 idle, of 2>" == repr(pool)


def test_a_connection_is_closed_before_its_place_is_free(
    opened: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the next one might meet the lock of this one."""
    pool = a_pool(1)
    meanwhile: list[object] = []
    monkeypatch.setattr(Client, "close", lambda client: meanwhile.append(pool.acquire()))
    with contextlib.suppress(KeyError), pool.lease():
        raise KeyError("somebody's mistake")

    assert [None] == meanwhile
    assert "<POP3ConnectionPool 0 leased, 0 idle, of 1>" == repr(pool)


@pytest.mark.dovecot
def test_sixteen_threads_leave_no_descriptor_behind(dovecot: Dovecot, dovecot_user: str) -> None:
    """Real connections under TLS; leases that end well, by an exception, and twice."""
    dovecot.deliver(dovecot_user, [b"Subject: one\r\n\r\n"])
    pool = POP3ConnectionPool(
        "localhost", dovecot.tls_port, dovecot_user, "secret", timeout=10, cafile=dovecot.ca_file
    )
    pool.acquire()  # so that all that is opened once a process is open
    pool.close_all()
    gc.collect()
    before = descriptors()
    seen: list[object] = []

    def work(seed: int) -> None:
        for step in range(6):
            with contextlib.suppress(KeyError), pool.lease() as handler:
                seen.append(handler.get_mailbox_stat()[0])
                if (seed + step) % 5 == 0:
                    raise KeyError("somebody's mistake")
                if (seed + step) % 7 == 0:
                    pool.release(handler)

    threads = [threading.Thread(target=work, args=(seed,), daemon=True) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    idle = descriptors() - before
    pool.close_all()

    assert [1] * 96 == seen
    assert 0 <= idle <= 2 * 3  # a socket and a selector each
    assert before == descriptors()


def descriptors() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_lease_waits_for_one_that_ends(opened: Clients) -> None:
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
