"""Servers that are slow, silent, or faster than anybody reads: an end in time, and no deadlock."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from client.in_memory import MemoryWire
from lab.relay import Relay
from lab.scripted import CLOSE, GREETING, LOGIN, QUIT, STALL, Peer, ScriptedServer, drip

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3
from pop3frames.client.wire import Deadline
from pop3frames.errors import POP3ConnectionError
from pop3frames.protocol.grammar import Limits

TIMEOUT = 0.3
LIMITS = Limits(login_patience=TIMEOUT)
MAIL = b"Subject: x\r\n\r\n"

pytestmark = pytest.mark.timeout(10)  # far behind any deadline here: a client that waits on fails by it

Use = Callable[[POP3], object]
PLACES: dict[str, tuple[str, Use, bytes]] = {
    "STAT": ("STAT", lambda client: client.stat(), b"+OK 1 20\r\n"),
    "LIST": ("LIST", lambda client: client.list(), b"+OK\r\n" + b"1 20\r\n" * 50),
    "RETR": ("RETR 1", lambda client: client.retr(1), b"+OK\r\n" + b"Subject: x\r\n" * 50),
    "RETRs": ("RETR 1", lambda client: list(client.retr_many([1])), b"+OK\r\n" + b"x\r\n" * 90),
    "NOOP": ("NOOP", lambda client: client.noop(), b"+OK" + b" x" * 90),
    "QUIT": ("QUIT", lambda client: client.quit(), b"+OK" + b" x" * 90),
}


def _logged_in(server: ScriptedServer) -> POP3:
    client = POP3("127.0.0.1", server.port, TIMEOUT, pipelining=False, limits=LIMITS)
    client.user("ann")
    client.pass_("secret")
    return client


@pytest.mark.parametrize("pace", ["silence", "silence in the middle", "an octet now and then"])
@pytest.mark.parametrize(("verb", "use", "reply"), PLACES.values(), ids=PLACES)
def test_a_server_that_does_not_finish_a_reply_is_left_at_the_deadline(
    verb: str, use: Use, reply: bytes, pace: str
) -> None:
    """0.3 s without an octet, or 0.3 s and a second a kibibyte in all. The connection is closed."""
    steps = {
        "silence": [STALL],
        "silence in the middle": [reply[:9], STALL],
        "an octet now and then": [drip(reply, 0.1), STALL],
    }[pace]
    with ScriptedServer([*LOGIN, (verb, *steps)]) as server:
        client = _logged_in(server)
        with pytest.raises(POP3ConnectionError, match=r"did not answer in time \(timeout 0.3 s\)"):
            use(client)
        assert client._wire._socket.fileno() == -1
        assert server.peers[0].sent < 100


@pytest.mark.parametrize("at", ["greeting", "USER", "PASS"])
def test_a_login_that_is_not_answered_ends_too(at: str) -> None:
    """PASS after `login_patience`, if that is longer."""
    steps: dict[str, list[Any]] = {
        "greeting": [(None, STALL)],
        "USER": [GREETING, ("USER ann", STALL)],
        "PASS": [GREETING, ("USER ann", b"+OK\r\n"), ("PASS secret", STALL)],
    }
    with (
        ScriptedServer(steps[at]) as server,
        pytest.raises(POP3ConnectionError, match="did not answer in time"),
    ):
        _logged_in(server)


@pytest.mark.parametrize("pipelining", [True, False], ids=["ahead", "one by one"])
@pytest.mark.parametrize("end", [STALL, CLOSE], ids=["silence", "closed"])
@pytest.mark.parametrize(
    ("whole", "told"), [(0, "no message had come whole"), (2, "the last whole message was 2")]
)
def test_a_stalled_fetch_says_which_message_came_whole_last(
    whole: int, told: str, end: Callable[[Peer], None], pipelining: bool
) -> None:
    """So that whoever reads the error knows where to look, and what is safe."""
    mail = b"+OK\r\nSubject: x\r\n\r\n.\r\n"
    asked = [(f"RETR {number}", mail) for number in range(1, whole + 1)]
    script = [*LOGIN, *asked, (f"RETR {whole + 1}", b"+OK\r\nSubject", end)]
    with ScriptedServer(script) as server:
        client = POP3("127.0.0.1", server.port, TIMEOUT, pipelining=pipelining, limits=LIMITS)
        client.user("ann")
        client.pass_("secret")
        with pytest.raises(POP3ConnectionError, match=f"; {told}$"):
            list(client.retr_many([1, 2, 3]))


def test_a_message_that_stalls_is_asked_for_again_and_the_rest_arrive() -> None:
    """In a new session, by the handler."""
    mail = b"+OK\r\nSubject: x\r\n\r\n.\r\n"
    listing = [("UIDL", b"-ERR\r\n"), ("LIST", b"+OK\r\n1 20\r\n2 20\r\n.\r\n")]
    first = [*LOGIN, *listing, ("RETR 1", mail), ("RETR 2", b"+OK\r\nSubject", STALL)]
    with ScriptedServer(first, [*LOGIN, listing[0], ("RETR 2", mail), QUIT]) as server:
        handler = POP3ProtocolHandler("127.0.0.1", server.port, "ann", "secret", "none", TIMEOUT)
        assert [1, 2] == [message["messageId"] for message in handler.fetch_messages()]


@pytest.mark.parametrize(
    ("octets", "pause", "expected"), [(1, 0.9, 30.9), (1, 29.0, 58.0), (1024, 0.9, None)]
)
def test_a_drip_ends_after_thirty_seconds_and_honest_slowness_does_not(
    octets: int, pause: float, expected: float | None
) -> None:
    """By a clock of its own: an octet in 0.9 s, one in 29 s; 1.1 KB/s may go on for an hour."""
    now = 0.0
    deadline = Deadline(30, 1024, clock=lambda: now)
    while deadline.remaining() > 0 and now < 3600:
        now += pause
        deadline.progress(octets)

    if expected is None:
        assert now >= 3600
    else:
        assert now == pytest.approx(expected, abs=1)


# Both ways at once


def _tiny_mails(count: int) -> Callable[[Peer], None]:
    """Answers every RETR with the same mail, as long as the client reads; else it stands still."""
    reply = b"+OK\r\n" + MAIL + b".\r\n"

    def action(peer: Peer) -> None:
        asked = 0
        while asked < count:
            data = peer.connection.recv(65536)
            if not data:
                return
            asked += data.count(b"\n")
            peer.send(reply * data.count(b"\n"))

    return action


@pytest.mark.timeout(60)
def test_a_hundred_thousand_mails_cross_small_buffers_in_flat_memory() -> None:
    """16 KB in either direction, and 1,000 commands ahead: nobody waits for the other."""
    count = 100_000
    sizes = dict.fromkeys(range(1, count + 1), 14)
    with (
        ScriptedServer([*LOGIN, (None, _tiny_mails(count)), QUIT]) as server,
        Relay(server.port, buffer=16 << 10) as relay,
    ):
        client = POP3("127.0.0.1", relay.port, 20, pipelining=True)
        client.user("ann")
        client.pass_("secret")
        replies = client.retr_many(range(1, count + 1), sizes)
        fetched = sum(next(replies).block == MAIL for _ in range(count // 2))
        tracemalloc.start()
        try:
            fetched += sum(next(replies).block == MAIL for _ in range(2000))
            grown = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        fetched += sum(reply.block == MAIL for reply in replies)
        client.quit()

    assert fetched == count
    assert grown < 8 << 20


def test_a_wire_in_memory_says_that_it_lost_its_server() -> None:
    """As the real one does; the tests in memory rest on it."""
    wire = MemoryWire([b"x"])
    into = memoryview(bytearray(10))
    assert 1 == wire.receive(None, into)
    with pytest.raises(POP3ConnectionError, match="was lost"):
        wire.receive(None, into)
