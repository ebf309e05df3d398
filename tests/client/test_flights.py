"""How many round trips a session takes to its first message; and where running ahead breaks it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab.scripted import CLOSE, GREETING, QUIT, RESET, STALL, Peer, ScriptedServer, Step

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.errors import POP3AuthenticationError, POP3ConnectionError
from pop3frames.protocol import grammar
from pop3frames.protocol.grammar import Verb
from pop3frames.server.embedded import EmbeddedServer

PIPELINING = b"+OK\r\nUSER\r\nPIPELINING\r\n.\r\n"
MAIL = b"Subject: x\r\n\r\nbody\r\n"


class Flights:
    """Counts the times that a connection had to wait for the server before this verb was answered."""

    def __init__(self, until: Verb) -> None:
        self._until = until
        self.counts: list[int] = []  # one a connection
        self.closed()

    def sent(self, verb: Verb, line: bytes) -> None:
        if self._fresh and self._last is not self._until:
            self.counts[-1] += 1
        self._fresh, self._last = False, verb if self._last is not self._until else self._until

    def received(self, data: bytes) -> None:
        if not self._open:
            self.counts.append(1)  # the greeting
        self._open = self._fresh = True

    def secured(self) -> None:
        pass

    def closed(self) -> None:
        self._open, self._fresh = False, True
        self._last: Verb | None = None


def to(port: int, **options: object) -> POP3ProtocolHandler:
    """A handler in plain text."""
    options = {"timeout": 5} | options
    return POP3ProtocolHandler("127.0.0.1", port, "ann", "secret", "none", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("use", "until", "first", "next_time"),
    [
        (lambda handler: handler.fetch_messages(), grammar.RETR, 4, 3),
        (lambda handler: handler.fetch_message(1), grammar.RETR, 4, 3),
        (lambda handler: handler.list_messages(), grammar.LIST, 3, 2),
        (lambda handler: handler.get_mailbox_stat(), grammar.STAT, 3, 2),
    ],
    ids=["fetch", "fetch one", "list", "stat"],
)
def test_a_session_waits_for_its_server_as_seldom_as_it_can(
    use: Callable[[POP3ProtocolHandler], object], until: Verb, first: int, next_time: int
) -> None:
    """Greeting; CAPA; the login with all that is asked next; RETR. Known capabilities save the second."""
    with EmbeddedServer([MAIL] * 3, username="ann", password="secret") as server:
        flights = Flights(until)
        handler = to(server.port, observers=[flights])
        use(handler)
        use(handler)

    assert [first, next_time] == flights.counts


def test_a_server_that_pipelines_only_after_the_login_is_believed_then() -> None:
    """Gmail; the listings leave together, and so do the RETRs."""
    together: list[int] = []

    def answer(peer: Peer) -> None:
        lines = [peer.line(), peer.line()]
        together.append(len(lines))
        assert lines == [b"UIDL", b"LIST"]
        peer.send(b"+OK\r\n1 a\r\n.\r\n+OK\r\n1 20\r\n.\r\n")

    script: list[Step] = [
        GREETING,
        ("CAPA", b"+OK\r\nUSER\r\n.\r\n"),
        ("USER ann", b"+OK\r\n"),
        ("PASS secret", b"+OK\r\n"),
        ("CAPA", b"+OK\r\nPIPELINING\r\n.\r\n"),
        (None, answer),
        ("RETR 1", b"+OK\r\n" + MAIL + b".\r\n"),
        QUIT,
    ]
    with ScriptedServer(script) as server:
        assert ["x"] == [message["subject"] for message in to(server.port).fetch_messages()]
    assert [2] == together


def test_a_wrong_password_in_a_flight_is_sent_once() -> None:
    """What left behind it is refused too, and means nothing."""
    with EmbeddedServer([MAIL], username="ann", password="right") as server:
        flights = Flights(grammar.RETR)
        with pytest.raises(POP3AuthenticationError, match="wrong user name or password"):
            to(server.port, observers=[flights]).fetch_messages()

    assert [3] == flights.counts


@pytest.mark.parametrize("ending", [CLOSE, RESET], ids=["close", "reset"])
def test_a_login_that_breaks_because_commands_ran_ahead_is_tried_again_without(
    ending: object, caplog: pytest.LogCaptureFixture
) -> None:
    """PIPELINING that is offered and not meant (jstedfast/MailKit#174); once, and it is said."""
    false = [GREETING, ("CAPA", PIPELINING), ("USER ann", b"+OK\r\n", ending)]
    serial = [
        GREETING,
        ("USER ann", b"+OK\r\n"),
        ("PASS secret", b"+OK\r\n"),
        ("STAT", b"+OK 1 20\r\n"),
        QUIT,
    ]
    with ScriptedServer(false, serial) as server:
        assert (1, 20) == to(server.port).get_mailbox_stat()
        assert 2 == len(server.peers)
    assert "going on one by one" in caplog.text


def test_a_login_that_breaks_again_is_not_tried_a_third_time() -> None:
    """Who knows what the server made of the password."""
    false = [GREETING, ("?CAPA", PIPELINING), ("USER ann", b"+OK\r\n"), ("PASS secret", CLOSE)]
    with ScriptedServer(false) as server:
        with pytest.raises(POP3ConnectionError):
            to(server.port).get_mailbox_stat()
        assert 2 == len(server.peers)


@pytest.mark.parametrize("ending", [CLOSE, RESET], ids=["close", "reset"])
def test_a_server_that_breaks_off_every_login_hears_the_password_twice_and_later_once(ending: object) -> None:
    """Accounts are locked after a few wrong ones: what may have been refused unheard is not repeated."""
    hangs_up = [GREETING, ("?CAPA", PIPELINING), ("USER ann", b"+OK\r\n"), ("PASS secret", ending)]
    counts = []
    with ScriptedServer(hangs_up) as server:
        handler = to(server.port)
        for _ in range(3):
            with pytest.raises(POP3ConnectionError):
                handler.get_mailbox_stat()
            counts.append(len(server.peers))

    assert [2, 3, 4] == counts


def test_a_login_that_breaks_where_flights_were_answered_before_is_not_tried_again() -> None:
    """Then it did not break because commands ran ahead: somebody may have changed the password."""
    login = [("USER ann", b"+OK\r\n"), ("PASS secret", b"+OK\r\n"), ("STAT", b"+OK 1 20\r\n")]
    answers = [GREETING, ("CAPA", PIPELINING), *login, QUIT]
    hangs_up = [GREETING, ("USER ann", b"+OK\r\n"), ("PASS secret", CLOSE)]
    with ScriptedServer(answers, hangs_up) as server:
        handler = to(server.port)
        assert (1, 20) == handler.get_mailbox_stat()
        with pytest.raises(POP3ConnectionError):
            handler.get_mailbox_stat()
        assert 2 == len(server.peers)


@pytest.mark.parametrize("ending", [CLOSE, STALL], ids=["close", "silence"])
def test_a_first_window_that_breaks_is_fetched_again_one_by_one(
    ending: object, caplog: pytest.LogCaptureFixture
) -> None:
    """Every message arrives, each under its own number, none twice."""
    pipelined: list[Step] = [
        GREETING,
        ("CAPA", PIPELINING),
        ("USER ann", b"+OK\r\n"),
        ("PASS secret", b"+OK\r\n"),
        ("CAPA", PIPELINING),
        ("UIDL", b"+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n"),
        ("LIST", b"+OK\r\n1 22\r\n2 22\r\n3 22\r\n.\r\n"),
        ("RETR 1", b"+OK\r\nSubject: 1\r\n\r\nbody\r\n.\r\n"),
        ("RETR 2", ending),
    ]
    served: list[bytes | None] = []

    def one_by_one(peer: Peer) -> None:
        for number in (2, 3):
            served.append(peer.line())
            peer.connection.settimeout(0.05)
            with pytest.raises(TimeoutError):  # nothing more comes before the answer
                peer.receive()
            peer.connection.settimeout(None)
            peer.send(b"+OK\r\nSubject: %d\r\n\r\nbody\r\n.\r\n" % number)

    serial: list[Step] = [
        GREETING,
        *[pipelined[at] for at in (2, 3, 5)],
        ("?LIST", pipelined[6][1]),
        (None, one_by_one),
        ("?CAPA", PIPELINING),
        QUIT,
    ]
    with ScriptedServer(pipelined, serial) as server:
        messages = to(server.port, timeout=0.5).fetch_messages()

    assert [(1, "1"), (2, "2"), (3, "3")] == [(each["messageId"], each["subject"]) for each in messages]
    assert [b"RETR 2", b"RETR 3"] == served
    assert "going on one by one" in caplog.text


def test_pipelining_that_was_asked_for_is_not_given_up() -> None:
    """`pipelining=True` says that the caller knows."""
    broken = [GREETING, ("USER ann", CLOSE)]
    with ScriptedServer(broken) as server:
        with pytest.raises(POP3ConnectionError):
            to(server.port, pipelining=True).get_mailbox_stat()
        assert 1 == len(server.peers)


def test_what_was_asked_ahead_is_not_believed_behind_another_command() -> None:
    """A listing that was foreseen is from before the deletion: it is asked anew."""
    with EmbeddedServer([MAIL] * 3, username="ann", password="secret") as server, to(server.port) as handler:
        assert ([1, 2, 3], 60) == handler.list_messages()
        with handler.operation() as session:
            session.delete(2)
            assert {1: 20, 3: 20} == session.sizes()
            assert {1: 20, 3: 20} == session.sizes()
