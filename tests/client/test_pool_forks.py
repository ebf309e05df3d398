"""What a child process does with connections that its parent opened: nothing, whatever it is told."""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from client.conftest import PASSWORD, Certificates
from client.pool_clients import got
from lab.relay import Relay

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pool import POP3ConnectionPool
from pop3frames.errors import POP3Error
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.features import Features


def in_child(work: Callable[[], Any]) -> Any:
    """What `work()` returns in a fork of this process; None if the fork did not come to an end."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: of a fork beside threads
        pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, json.dumps(work()).encode())
        except BaseException as exc:
            os.write(writing, json.dumps(f"{type(exc).__name__}: {exc}").encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        if not select.select([pipe], [], [], 20)[0]:
            os.kill(pid, signal.SIGKILL)
        said = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(said) if said else None


def refusal(use: Callable[[], object]) -> str:
    """The name of the error that this raises, and its words."""
    try:
        return f"nothing was raised, but given: {use()!r}"
    except POP3Error as exc:
        return f"{type(exc).__name__}: {exc}"


@pytest.fixture(params=["none", "ssl"])
def way(request: pytest.FixtureRequest, mails: list[bytes], certificates: Certificates) -> Iterator[Any]:
    """An embedded server with three mails, a relay before it, and how to reach it through that."""
    context = certificates.server("127.0.0.1")
    options = {"encryption": request.param, "timeout": 5, "cafile": certificates.ca_file}
    features = Features(plaintext=True)
    with (
        EmbeddedServer(
            mails, username="ann", password=PASSWORD, context=context, features=features
        ) as server,
        Relay(server.tls_port if request.param == "ssl" else server.port) as relay,  # type: ignore[arg-type]
    ):
        yield server, relay, ("127.0.0.1", relay.port, "ann", PASSWORD), options


def test_a_child_says_nothing_on_the_connections_of_its_parents_pool(way: Any) -> None:
    """Neither by leaving blocks nor by closing nor as garbage; the parent's lease and its marks go on."""
    server, relay, where, options = way
    with POP3ConnectionPool(*where, pool_size=2, **options) as pool:
        idle = got(pool.acquire())
        lease = pool.lease()
        lent = lease.__enter__()
        assert lent.delete_message(2) is True
        pool.release(idle)
        crossed = [len(each) for each in relay.from_clients]
        held: list[Any] = [lent]

        def child() -> list[object]:
            done: list[object] = [repr(pool), refusal(lent.list_messages), refusal(lent.authenticate)]
            done += [lent.test_connection(), lent.disconnect()]
            pool.release(lent)
            lease.__exit__(None, None, None)
            pool.close_all()
            pool.__exit__(None, None, None)
            held.clear()
            gc.collect()
            return [*done, repr(pool)]

        empty = "<POP3ConnectionPool 0 leased, 0 idle, of 2>"
        lost = "POP3ConnectionError: the session was lost: call connect() for a new one"
        assert [empty, lost, lost, False, False, empty] == in_child(child)

        assert crossed == [len(each) for each in relay.from_clients]
        assert "<POP3ConnectionPool 1 leased, 1 idle, of 2>" == repr(pool)
        assert [1, 3] == lent.list_messages()[0]
        lease.__exit__(None, None, None)
        assert got(pool.acquire()).list_messages()[0] == [1, 2, 3]
        assert 2 == len(relay.from_clients)
    assert 3 == len(server.maildrop)


def test_a_child_of_a_full_pool_can_lend_as_many_connections_of_its_own(way: Any) -> None:
    """They are new ones, and its to end."""
    _, relay, where, options = way
    with POP3ConnectionPool(*where, pool_size=2, **options) as pool:
        lent = [got(pool.acquire()), got(pool.acquire())]

        def child() -> list[object]:
            handlers = [pool.acquire() for _ in range(3)]
            alive = [None if handler is None else handler.test_connection() for handler in handlers]
            pool.close_all()
            return alive

        assert [True, True, None] == in_child(child)
        assert [True, True] == [handler.test_connection() for handler in lent]
        assert 4 == len(relay.from_clients)


def test_a_pool_that_was_in_use_at_the_fork_can_be_used_in_the_child(way: Any) -> None:
    """A thread of the parent held its lock; in the child nobody would ever free it."""
    _, _, where, options = way
    with POP3ConnectionPool(*where, pool_size=1, **options) as pool:
        locked, forked = threading.Event(), threading.Event()

        def hold() -> None:
            with pool._free:
                locked.set()
                forked.wait(20)

        holding = threading.Thread(target=hold)
        holding.start()
        locked.wait(20)
        assert "<POP3ConnectionPool 0 leased, 0 idle, of 1>" == in_child(lambda: repr(pool))
        forked.set()
        holding.join(20)


def test_a_handler_without_a_pool_is_its_parents_too(way: Any) -> None:
    """In the middle of an iteration: the child reads none of its mails, the parent all of them."""
    server, relay, where, options = way
    with POP3ProtocolHandler(*where, **options) as handler:
        assert handler.delete_message(3) is True
        messages = handler.iter_messages([1, 2])
        seen = [next(messages).subject]
        crossed = [len(each) for each in relay.from_clients]

        def child() -> list[object]:
            done = [refusal(handler.get_mailbox_stat), refusal(handler.reset)]
            handler.__exit__(None, None, None)
            gc.collect()
            return done

        first, second = in_child(child)
        assert "POP3ConnectionError" == first.partition(":")[0] == second.partition(":")[0]
        assert "belongs to the process that forked" in first
        assert crossed == [len(each) for each in relay.from_clients]
        assert 3 == len(server.maildrop)
        assert ["mail 1", "mail 2"] == [*seen, *(message.subject for message in messages)]

    assert 2 == len(server.maildrop)
