"""The pool, call by call: what is lent, what comes back, and which connections are used again."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from client.pool_clients import Clients, a_pool, fake_clients, got
from lab.scripted import GREETING, QUIT, ScriptedServer

from pop3frames.client.pool import POP3ConnectionPool
from pop3frames.errors import POP3CommandError, POP3ConnectionError, POP3UsageError
from pop3frames.server.embedded import EmbeddedServer


@pytest.fixture
def opened() -> Iterator[Clients]:
    """All clients without a server that were made."""
    with fake_clients() as clients:
        yield clients


def test_a_lent_handler_is_connected_and_not_logged_in(opened: Clients) -> None:
    """As documented: `authenticate()` follows, and is harmless where it is not needed."""
    pool = a_pool()
    handler = got(pool.acquire())

    assert handler.test_connection() is True
    assert handler.authenticate() is True
    pool.release(handler)
    again = got(pool.acquire())
    assert again.authenticate() is True
    assert len(opened) == 1


def test_an_exhausted_pool_lends_nothing(opened: Clients) -> None:
    """None, and no third connection."""
    pool = a_pool(2)

    assert [pool.acquire() is None for _ in range(4)] == [False, False, True, True]
    assert len(opened) == 2


def test_marks_are_taken_back_before_a_connection_is_lent_again(opened: Clients) -> None:
    """The next user's QUIT must not delete what this one marked."""
    pool = a_pool(1)
    handler = got(pool.acquire())
    handler.delete_message(7)
    pool.release(handler)

    assert opened[0].marks == set()
    assert got(pool.acquire()).test_connection() is True
    assert len(opened) == 1


def test_a_connection_that_cannot_take_its_marks_back_is_not_lent_again(
    opened: Clients, monkeypatch: pytest.MonkeyPatch
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


def test_a_connection_logged_in_as_somebody_else_is_not_lent_again(opened: Clients) -> None:
    """The next user would read the wrong mailbox."""
    pool = a_pool(1)
    handler = got(pool.acquire())
    handler.authenticate("bob", "other")
    pool.release(handler)
    again = got(pool.acquire())
    again.authenticate()

    assert [client.user_name for client in opened] == ["bob", "ann"]


def test_a_connection_that_died_while_idle_is_replaced(opened: Clients) -> None:
    """Nobody notices, but the log."""
    pool = a_pool(1)
    pool.release(got(pool.acquire()))
    opened[0].alive = False
    handler = got(pool.acquire())

    assert handler.test_connection() is True
    assert [len(opened), opened[0].closed] == [2, True]


def test_a_connection_that_was_idle_too_long_is_ended_at_the_next_lease(opened: Clients) -> None:
    """By QUIT, and it is not asked whether it still lives; who was idle for less is lent."""
    now = [1000.0]
    pool = a_pool(3, idle_seconds=60, clock=lambda: now[0])
    first, second = got(pool.acquire()), got(pool.acquire())
    pool.release(first)
    now[0] += 30
    pool.release(second)
    now[0] += 31
    pool.acquire()

    assert [(True, 1, 0), (False, 0, 1)] == [(each.closed, each.quits, each.noops) for each in opened]
    assert "<POP3ConnectionPool 1 leased, 0 idle, of 3>" == repr(pool)


def test_every_lease_of_a_used_connection_asks_whether_it_lives(opened: Clients) -> None:
    """NOOP when it is lent again, RSET when it comes back, and nothing else."""
    pool = a_pool(1)
    for _ in range(3):
        with pool.lease() as handler:
            handler.authenticate()

    assert [(2, 3)] == [(each.noops, each.resets) for each in opened]


def test_a_lease_that_ends_in_an_exception_does_not_give_its_connection_on(opened: Clients) -> None:
    """Who knows what it left half done; and it is closed without QUIT."""
    pool = a_pool(1)
    with contextlib.suppress(KeyError), pool.lease() as handler:
        handler.delete_message(7)
        raise KeyError("somebody's mistake")

    assert (opened[0].closed, opened[0].quits) == (True, 0)
    assert repr(pool) == "<POP3ConnectionPool 0 leased, 0 idle, of 1>"


def test_a_failed_connect_keeps_no_place(opened: Clients, naps: list[float]) -> None:
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


def test_a_with_block_around_the_pool_closes_it(opened: Clients) -> None:
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


def test_numbers_of_leases_add_up(opened: Clients) -> None:
    """A hundred in a row use one connection."""
    pool = a_pool(1)
    for number in itertools.islice(itertools.count(1), 100):
        with pool.lease() as handler:
            handler.delete_message(number)

    assert len(opened) == 1
