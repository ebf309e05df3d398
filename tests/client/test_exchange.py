"""Commands that run ahead of their replies: the window, what comes in between, and no deadlock."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.relay import Relay
from lab.scripted import LOGIN, QUIT, Peer, ScriptedServer

from pop3frames.client.pop3 import POP3
from pop3frames.client.wire import Wire
from pop3frames.errors import POP3CommandError, POP3UsageError
from pop3frames.protocol.grammar import DEFAULT_LIMITS, Limits
from pop3frames.server.embedded import EmbeddedServer

MAILS = [b"Subject: %d\r\n\r\n%s\r\n" % (number, b"x" * number * 37) for number in range(1, 31)]
NUMBERS = range(1, 31)


def logged_in(port: int, password: str = "secret", **options: Any) -> POP3:
    """A client behind the login."""
    client = POP3("127.0.0.1", port, **{"timeout": 10} | options)
    client.user("ann")
    client.pass_(password)
    return client


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """Thirty mails, each of another size."""
    with EmbeddedServer(MAILS, username="ann", password="secret") as running:
        yield running


# The window


class Counting:
    """Answers RETRs one by one, once as many as expected came, and counts how many waited for an answer."""

    def __init__(self, total: int, expected: int) -> None:
        self.total, self.expected = total, expected
        self.most_waiting = 0

    def __call__(self, peer: Peer) -> None:
        """The rest of the session but QUIT."""
        asked = answered = 0
        pending = bytearray()
        while answered < self.total:
            enough = max(self.expected, answered + 1)
            while asked < enough or select.select([peer.connection], [], [], 0)[0]:
                data = peer.receive()
                if not data:
                    return
                pending += data
                asked = pending.count(b"\r\n")
            self.most_waiting = max(self.most_waiting, asked - answered)
            answered += 1
            peer.send(b"+OK\r\nmail %d\r\n.\r\n" % answered)


@pytest.mark.parametrize(
    ("limits", "size", "expected"),
    [
        (DEFAULT_LIMITS, 100, 2000),
        (Limits(window_commands=50), 100, 50),
        (Limits(window_bytes=10_000), 3000, 4),
        (DEFAULT_LIMITS, 1 << 20, 4),
        (DEFAULT_LIMITS, 1 << 30, 1),
    ],
)
def test_as_many_commands_wait_as_the_window_allows_and_no_more(
    limits: Limits, size: int, expected: int
) -> None:
    """The server answers nothing before that many came: fewer would hang, more are counted."""
    total = 3 * expected
    counting = Counting(total, expected)
    with ScriptedServer([*LOGIN, (None, counting), QUIT]) as server:
        client = logged_in(server.port, pipelining=True, limits=limits)
        numbers = range(1, total + 1)
        replies = [reply.block for reply in client.retr_many(numbers, dict.fromkeys(numbers, size))]
        client.quit()

    assert replies == [b"mail %d\r\n" % number for number in numbers]
    assert counting.most_waiting == expected


def test_a_window_is_refilled_when_a_quarter_of_it_is_answered() -> None:
    """After two answers of eight the server waits for two more commands: refilled later, this would hang."""
    refilled: list[int] = []

    def answer(peer: Peer) -> None:
        asked = 0
        for number in range(1, 17):
            while asked < min(16, 8 + 2 * ((number - 1) // 2)):
                data = peer.receive()
                if not data:
                    return
                asked += data.count(b"\r\n")
            refilled.append(asked)
            peer.send(b"+OK\r\nmail %d\r\n.\r\n" % number)

    with ScriptedServer([*LOGIN, (None, answer), QUIT]) as server:
        client = logged_in(server.port, pipelining=True, limits=Limits(window_commands=8))
        replies = [reply.block for reply in client.retr_many(range(1, 17), dict.fromkeys(range(1, 17), 100))]
        client.quit()

    assert replies == [b"mail %d\r\n" % number for number in range(1, 17)]
    assert refilled == [8, 8, 10, 10, 12, 12, 14, 14, *[16] * 8]


CAPABILITIES = {
    "none": b"-ERR unknown command\r\n",
    "others": b"+OK\r\nTOP\r\nUIDL\r\n.\r\n",
    "a wrong name": b"+OK\r\nPIPELINE\r\n.\r\n",  # Twisted 26.10
}


@pytest.mark.parametrize("answer", CAPABILITIES.values(), ids=CAPABILITIES)
def test_without_pipelining_one_command_goes_out_at_a_time(answer: bytes) -> None:
    """A server that does not promise it may lose what is sent ahead."""
    counting = Counting(20, 1)
    with ScriptedServer([*LOGIN, ("CAPA", answer), (None, counting), QUIT]) as server:
        client = logged_in(server.port)
        replies = [reply.block for reply in client.retr_many(range(1, 21))]
        client.quit()

    assert replies == [b"mail %d\r\n" % number for number in range(1, 21)]
    assert counting.most_waiting == 1


def test_pipelining_can_be_turned_off_where_it_is_promised_falsely() -> None:
    """Then nobody asks for capabilities either."""
    counting = Counting(20, 1)
    with ScriptedServer([*LOGIN, (None, counting), QUIT]) as server:
        client = logged_in(server.port, pipelining=False)
        assert len(list(client.retr_many(range(1, 21)))) == 20
        client.quit()

    assert counting.most_waiting == 1


def test_capabilities_are_asked_once_after_the_login(server: EmbeddedServer) -> None:
    """What was said before it is forgotten: Gmail announces PIPELINING only afterwards."""
    with Relay(server.port) as relay, POP3("127.0.0.1", relay.port, timeout=10) as client:
        client.capa()
        client.user("ann")
        client.pass_("secret")
        for _ in range(3):
            list(client.retr_many([1, 2]))

    assert relay.from_clients[0].count(b"CAPA\r\n") == 2


# In step


def test_every_reply_is_that_of_its_number(server: EmbeddedServer) -> None:
    """In the order asked for, a refusal in its place."""
    with logged_in(server.port, "secret") as client:
        replies = [reply.block for reply in client.retr_many([30, 99, 1, 2])]

    assert replies == [MAILS[29], None, MAILS[0], MAILS[1]]


def test_an_iteration_left_early_leaves_the_session_in_step(server: EmbeddedServer) -> None:
    """After any number of replies."""
    with logged_in(server.port) as client:
        for taken in (0, 1, 29):
            replies = client.retr_many(NUMBERS)
            for _ in range(taken):
                next(replies)
            replies.close()
            assert client.list(7) == b"+OK 7 %d" % len(MAILS[6])


def test_an_iteration_that_is_asked_for_nonsense_leaves_the_session_in_step(server: EmbeddedServer) -> None:
    """The bad number is refused before it is sent; what went before is answered."""
    with logged_in(server.port) as client:
        with pytest.raises(POP3UsageError):
            list(client.retr_many([1, 2, -3]))

        assert client.list(7) == b"+OK 7 %d" % len(MAILS[6])


def test_marks_and_headers_run_ahead_too(server: EmbeddedServer) -> None:
    """DELE and TOP by the window; RSET takes the marks back."""
    with logged_in(server.port) as client:
        assert [reply.block for reply in client.top_many([2, 1])] == [
            b"Subject: 2\r\n\r\n",
            b"Subject: 1\r\n\r\n",
        ]
        assert [reply.ok for reply in client.dele_many([1, 2, 1])] == [True, True, False]
        assert client.stat()[0] == 28
        client.rset()


OPERATIONS = st.lists(
    st.sampled_from(["next a", "next b", "next c", "close a", "close b", "retr", "list", "refused", "noop"]),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(operations=OPERATIONS, window=st.sampled_from([1, 2, 3, 7, 1000]))
def test_whatever_is_interleaved_every_reply_finds_its_command(
    server: EmbeddedServer, operations: list[str], window: int
) -> None:
    """Three iterations and single commands in any order: bodies never go to another number."""
    limits = Limits(window_commands=window)
    with logged_in(server.port, limits=limits) as client:
        iterations = {
            "a": (client.retr_many(NUMBERS), iter(MAILS)),
            "b": (client.retr_many(reversed(NUMBERS)), iter(MAILS[::-1])),
            "c": (client.top_many(NUMBERS), iter(mail[: mail.index(b"x")] for mail in MAILS)),
        }
        for operation in operations:
            verb, _, name = operation.partition(" ")
            if verb == "next":
                replies, expected = iterations[name]
                reply = next(replies, None)
                if reply is not None:
                    assert reply.block == next(expected)
            elif verb == "close":
                iterations[name][0].close()
            elif verb == "retr":
                assert b"\r\n".join(client.retr(5)[1]) + b"\r\n" == MAILS[4]
            elif verb == "list":
                assert client.list(6) == b"+OK 6 %d" % len(MAILS[5])
            elif verb == "refused":
                with pytest.raises(POP3CommandError):
                    client.retr(999)
            else:
                client.noop()
        assert client.stat() == (30, sum(map(len, MAILS)))


def test_a_reply_that_an_interrupted_call_left_behind_belongs_to_nobody(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in a NOOP between two messages: the iteration must not take its answer for a mail."""
    receive: Callable[..., Any] = Wire.receive

    def interrupted(wire: Wire, deadline: Any, into: memoryview) -> int:
        monkeypatch.undo()
        wire._flush()
        raise KeyboardInterrupt

    with logged_in(server.port, limits=Limits(window_commands=4)) as client:
        replies = client.retr_many(NUMBERS)
        received = [next(replies).block]
        client.noop()
        monkeypatch.setattr(Wire, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.noop()
        assert Wire.receive is receive
        received += [reply.block for reply in replies]

    assert received == MAILS


# No deadlock


@pytest.mark.timeout(60)
@pytest.mark.parametrize("buffer", [4 << 10, 16 << 10])
def test_full_buffers_in_both_directions_never_wait_for_each_other(buffer: int) -> None:
    """All 20,000 commands may go out ahead, and neither side's kernel takes more than a few of them.

    A client that writes all before it reads stands still here: the server writes until nobody takes more, and
    no longer reads.
    """
    mails = [b"Subject: %d\r\n\r\n" % number for number in range(20_000)]

    def shrink(each: socket.socket) -> None:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)

    limits = Limits(window_commands=100_000, window_bytes=1 << 40)
    with (
        EmbeddedServer(mails, username="ann", password="secret") as server,
        Relay(server.port, buffer=buffer) as relay,
    ):
        for listener, _ in server._listeners:
            shrink(listener)
        client = logged_in(relay.port, limits=limits)
        shrink(client._wire._socket)
        blocks = [reply.block for reply in client.retr_many(range(1, 20_001))]
        client.quit()

    assert blocks == mails
