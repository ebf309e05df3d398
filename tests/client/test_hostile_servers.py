"""Servers that say too much, the wrong thing or somebody else's: a typed error, and nothing misattributed."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from client.in_memory import GREETING, HandlerInMemory, InMemory, in_memory, logged_in
from lab.scripted import GREETING as GREETED
from lab.scripted import LOGIN, Peer, ScriptedServer, endless

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3
from pop3frames.errors import (
    POP3CommandError,
    POP3ConnectionError,
    POP3ProtocolError,
    POP3UsageError,
)
from pop3frames.protocol.grammar import DEFAULT_LIMITS, Limits
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Endless

MIB = 1 << 20
OCTET_BY_OCTET = [1]

# Every verb of a session, as one calls it.
BEFORE: dict[str, Callable[[InMemory], object]] = {
    "CAPA": lambda client: client.capa(),
    "STLS": lambda client: client.stls(),
    "UTF8": lambda client: client.utf8(),
    "LANG": lambda client: client.lang(),
    "USER": lambda client: client.user("ann"),
    "PASS": lambda client: client.pass_("secret"),
    "APOP": lambda client: client.apop("ann", "secret"),
    "AUTH": lambda client: client.authenticate("PLAIN", "ann", "secret"),
}
AFTER: dict[str, Callable[[InMemory], object]] = {
    "CAPA": lambda client: client.capa(),
    "STAT": lambda client: client.stat(),
    "LIST": lambda client: client.list(),
    "LIST 1": lambda client: client.list(1),
    "UIDL": lambda client: client.uidl(),
    "UIDL 1": lambda client: client.uidl(1),
    "RETR": lambda client: client.retr(1),
    "RETR, one of many": lambda client: list(client.retr_many([1])),
    "TOP": lambda client: client.top(1, 0),
    "DELE": lambda client: client.dele(1),
    "NOOP": lambda client: client.noop(),
    "RSET": lambda client: client.rset(),
    "QUIT": lambda client: client.quit(),
}
VERBS = [
    (in_memory_, use) for in_memory_, uses in (("before", BEFORE), ("after", AFTER)) for use in uses.values()
]
VERB_NAMES = [*(f"{name} before the login" for name in BEFORE), *AFTER]


def _client(state: str, *replies: bytes, **options: Any) -> InMemory:
    if state == "before":
        return in_memory([GREETING, *replies], **options)
    return logged_in(*replies, **options)


def assert_closed(client: InMemory) -> None:
    """The connection is gone, and nothing can be asked by mistake."""
    assert client.wire.closed
    with pytest.raises(POP3UsageError, match="ended"):
        client.noop()


# Too much


@pytest.mark.parametrize(("state", "use"), VERBS, ids=VERB_NAMES)
@pytest.mark.parametrize("indicator", [b"", b"+OK ", b"-ERR "], ids=["nothing", "ok", "err"])
def test_a_status_line_over_4_kib_ends_the_session_in_every_verb(
    state: str, use: Callable[[InMemory], object], indicator: bytes
) -> None:
    """RFC 1939 allows 512 octets; a challenge may be 16 KiB."""
    client = _client(state, indicator + b"x" * DEFAULT_LIMITS.challenge)
    with pytest.raises(POP3ProtocolError, match="a line longer than"):
        use(client)

    assert_closed(client)


def _peak(use: Callable[[], object], error: str) -> int:
    """Octets that this took, and gave back in an error."""
    tracemalloc.start()
    try:
        with pytest.raises(POP3ProtocolError, match=error):
            use()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("verb", ["greeting", "STAT", "RETR 1"])
def test_a_line_without_end_costs_less_than_a_mebibyte(verb: str) -> None:
    """The server would go on for ever."""
    steps = [(None,)] if verb == "greeting" else [*LOGIN, (verb,)]

    def use() -> None:
        client = POP3("127.0.0.1", server.port, timeout=5, pipelining=False)
        client.user("ann")
        client.pass_("secret")
        client.stat() if verb == "STAT" else client.retr(1)

    with ScriptedServer([*steps[:-1], (*steps[-1], endless(b"x" * 65536))]) as server:
        assert MIB > _peak(use, "4096")


def _lines(line: bytes, count: int) -> Callable[[Peer], None]:
    block = line * 10_000

    def action(peer: Peer) -> None:
        for _ in range(count // 10_000):
            peer.send(block)

    return action


@pytest.mark.parametrize(("verb", "line"), [("LIST", b"1234567 120\r\n"), ("UIDL", b"1234567 abc\r\n")])
def test_three_million_lines_of_a_listing_are_an_error_and_cost_bounded_memory(
    verb: str, line: bytes
) -> None:
    """One million is the limit; they are never made objects of."""
    with ScriptedServer([*LOGIN, (verb, b"+OK\r\n", _lines(line, 3_000_000), b".\r\n")]) as server:
        client = POP3("127.0.0.1", server.port, timeout=5, pipelining=False)
        client.user("ann")
        client.pass_("secret")
        assert 4 * 3_000_000 * len(line) > _peak(
            client.list if verb == "LIST" else client.uidl, "1000000 lines"
        )


def test_capabilities_without_end_are_an_error_at_once() -> None:
    """64 lines are the limit, and what 64 lines can hold: whichever is reached first, as reads cut it."""
    with ScriptedServer([GREETED, ("CAPA", b"+OK\r\n", endless(b"X-NOTHING\r\n" * 1000))]) as server:
        client = POP3("127.0.0.1", server.port, timeout=5)
        assert MIB > _peak(client.capa, "32768 octets|64 lines")


def test_an_honest_line_of_50_megabytes_arrives() -> None:
    """Lines inside a mail have no limit of their own."""
    mail = b"Subject: x\r\n\r\n" + b"y" * 50_000_000 + b"\r\n"
    with EmbeddedServer([mail], username="ann", password="secret") as server:
        handler = POP3ProtocolHandler("127.0.0.1", server.port, "ann", "secret", "none", timeout=20)
        assert [(1, mail)] == list(handler.iter_raw())


@pytest.mark.parametrize("pipelining", [None, False], ids=["pipelined", "one by one"])
@pytest.mark.parametrize("session", ["stateless", "connected"])
def test_an_endless_mail_fails_alone_and_the_rest_arrive(
    caplog: pytest.LogCaptureFixture, pipelining: bool | None, session: str
) -> None:
    """It ends its session each time; the second time it is left out, and it is said."""
    mails = [b"Subject: %d\r\n\r\nbody\r\n" % number for number in range(1, 7)]
    faults = [Endless("RETR", message=number) for number in (2, 3, 6)]
    with EmbeddedServer(mails, username="ann", password="secret", faults=faults) as server:
        options: dict[str, Any] = {"pipelining": pipelining, "limits": Limits(message=MIB)}
        handler = POP3ProtocolHandler("127.0.0.1", server.port, "ann", "secret", "none", 5, **options)
        if session == "connected":
            handler.connect()
        with pytest.warns(UserWarning, match=r"3 messages could not be fetched: \[2, 3, 6\]"):
            messages = handler.fetch_messages()
        assert handler.disconnect() is True

    assert ["1", "4", "5"] == [message["subject"] for message in messages]
    assert "message 2 was not fetched: a reply longer than" in caplog.text


def test_a_server_that_answers_every_retr_with_nonsense_is_given_up() -> None:
    """Not one login a message."""
    uidls = b"+OK\r\n" + b"".join(b"%d u%d\r\n" % (n, n) for n in range(1, 101)) + b".\r\n"
    sizes = b"+OK\r\n" + b"".join(b"%d 20\r\n" % n for n in range(1, 101)) + b".\r\n"
    login = [GREETING, b"-ERR\r\n", b"+OK\r\n", b"+OK\r\n"]
    nonsense = b"nonsense\r\n"
    handler = HandlerInMemory([*login, uidls, sizes, nonsense], [*login, uidls, nonsense])
    with pytest.raises(POP3ProtocolError, match="neither"):
        handler.fetch_messages()

    assert 6 == len(handler.wires)


# The wrong thing

FALSE_STATUS = [b"", b"+ERR", b"...", b".", b"OK", b"+OKAY", b"-ERRx", b"\0", b"+OK\0", b"* OK", b"220 ready"]


@pytest.mark.parametrize("status", FALSE_STATUS)
@pytest.mark.parametrize(("state", "use"), VERBS, ids=VERB_NAMES)
def test_a_reply_that_is_neither_ok_nor_err_ends_the_session_in_every_verb(
    state: str, use: Callable[[InMemory], object], status: bytes
) -> None:
    """What stands behind it is nobody's."""
    client = _client(state, status + b"\r\n+OK 1 2\r\n.\r\n", pieces=OCTET_BY_OCTET)
    with pytest.raises(POP3ProtocolError, match="neither"):
        use(client)

    assert_closed(client)


@pytest.mark.parametrize(("state", "use"), VERBS, ids=VERB_NAMES)
def test_a_challenge_where_none_was_asked_for_is_no_reply(
    state: str, use: Callable[[InMemory], object]
) -> None:
    """`+ ` is for AUTH alone; and there it takes an end."""
    client = _client(state, b"+ !\r\n", pieces=OCTET_BY_OCTET)
    with pytest.raises(POP3ConnectionError):
        use(client)

    assert_closed(client)


# Somebody else's

EXTRA = [b"+OK\r\n", b"-ERR no\r\n", b"+OK 9 999\r\n.\r\n", b"x", b"\r\n", b"\0"]
# How the replies of those verbs end honestly.
HONEST = {
    "CAPA": b"+OK\r\nTOP\r\n.\r\n",
    "LANG": b"+OK\r\n.\r\n",
    "LIST": b"+OK\r\n1 20\r\n.\r\n",
    "UIDL": b"+OK\r\n1 a\r\n.\r\n",
    "RETR": b"+OK\r\nx\r\n.\r\n",
    "RETR, one of many": b"+OK\r\nx\r\n.\r\n",
    "TOP": b"+OK\r\nx\r\n.\r\n",
    "STAT": b"+OK 1 20\r\n",
}
STEPS = [("before", name) for name in BEFORE if name not in ("STLS", "AUTH")] + [
    ("after", name) for name in AFTER if name != "QUIT"
]


@pytest.mark.parametrize("extra", EXTRA)
@pytest.mark.parametrize(("state", "name"), STEPS, ids=["-".join(step) for step in STEPS])
def test_what_no_command_asked_for_ends_the_session_before_the_next_one(
    state: str, name: str, extra: bytes
) -> None:
    """Behind any reply, in one piece with it or in as many as it has octets: the DELE is not even sent."""
    use = (BEFORE if state == "before" else AFTER)[name]
    login = 0 if state == "before" else len(GREETING) + 2 * len(b"+OK\r\n")
    honest = HONEST.get(name, b"+OK\r\n")
    for cut in range(1, len(honest) + len(extra)):
        pieces = [*[1] * login, cut, 1, 1 << 20]
        client = _client(state, honest + extra, b"+OK deleted\r\n", pieces=pieces)
        use(client)
        before = bytes(client.wire.sent)
        with pytest.raises(POP3ProtocolError, match="answer no command"):
            client.dele(1)
        assert before == client.wire.sent
        assert_closed(client)


def test_too_many_replies_in_a_pipeline_are_found_before_the_next_command() -> None:
    """Nothing more is believed behind it."""
    client = logged_in(b"+OK\r\none\r\n.\r\n", b"+OK\r\ntwo\r\n.\r\n+OK\r\nthree\r\n.\r\n", pipelining=True)

    assert [b"one\r\n", b"two\r\n"] == [reply.block for reply in client.retr_many([1, 2])]
    with pytest.raises(POP3ProtocolError, match="answer no command"):
        client.dele(1)
    assert_closed(client)


def test_a_greeting_with_more_behind_it_ends_before_the_name_is_told() -> None:
    """Cut anywhere."""
    greeting = b"+OK ready\r\n+OK\r\n+OK\r\n"
    for cut in range(1, len(greeting)):
        client = in_memory([greeting, b"+OK\r\n"], [cut, 1 << 20])
        with pytest.raises(POP3ProtocolError, match="answer no command"):
            client.user("ann")
        assert client.wire.sent == b""


# Mails that look like replies

FORGING = [
    b"x\n.\n+OK FAKE\r\n",
    b"x\r.\r+OK FAKE\r\n",
    b"\r\n\n.\r\n+OK FAKE\r\n",
    b"x\r\n.\n+OK FAKE\r\n",
    b"x\n.\r\n+OK FAKE\r\n",
    b"\0\r\n\0.\r\n.\0\r\n",
    b"no line end",
    b"+OK\r\n-ERR\r\n+OK 1 2\r\n",
    b".\r\n.\r\n..\r\n+OK FAKE\r\n",
    b"\r",
    b"\r\r\n.\r",
]


@pytest.mark.parametrize("body", FORGING)
def test_no_mail_forges_a_reply_wherever_the_network_cuts_it(body: bytes) -> None:
    """It arrives whole, and the DELE that is refused behind it stays refused."""
    stuffed = (b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:]
    wire = b"+OK\r\n" + stuffed + (b"" if body.endswith(b"\r\n") else b"\r\n") + b".\r\n"
    login = len(GREETING) + 2 * len(b"+OK\r\n")
    for cut in range(1, len(wire)):
        client = logged_in(wire, b"-ERR read-only\r\n", pieces=[*[1] * login, cut, 1 << 20])
        assert body.removesuffix(b"\r\n") == b"\r\n".join(client.retr(1)[1])
        with pytest.raises(POP3CommandError, match="read-only"):
            client.dele(1)


def test_a_body_whose_lines_end_with_lf_alone_never_ends() -> None:
    """Its dot is no end: the connection is given up, and no half mail is handed out."""
    client = logged_in(b"+OK\r\nSubject: x\n\nbody\n.\n")
    with pytest.raises(POP3ConnectionError, match="lost"):
        client.retr(1)
    assert_closed(client)


# The next session


@pytest.mark.parametrize("reply", [b"x" * 5000, b"nonsense\r\n", b"+OK -1 -1\r\n", b"+OK 1 2\n"])
def test_the_session_behind_a_broken_one_is_fine(reply: bytes) -> None:
    """Nothing of the first one is left in the second."""
    login = [GREETING, b"+OK\r\n", b"+OK\r\n"]
    handler = HandlerInMemory([*login, reply], [*login, b"+OK 1 20\r\n"], pipelining=False)
    with pytest.raises(POP3ProtocolError):
        handler.get_mailbox_stat()

    assert (1, 20) == handler.get_mailbox_stat()
    assert handler.wires[0].closed


def test_a_refused_greeting_is_no_login() -> None:
    """-ERR and more: nothing is sent."""
    handler = HandlerInMemory([b"-ERR go away\r\n+OK\r\n+OK\r\n"])
    with pytest.raises(POP3ConnectionError, match="go away"):
        handler.get_mailbox_stat()
    assert [b"", b"", b""] == [wire.sent for wire in handler.wires]
