"""Servers that flood, cheat or refuse a login, and how often they are asked again."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from client.canaries import everything
from client.in_memory import GREETING, HandlerInMemory, InMemory, in_memory
from lab.scripted import CLOSE, NO_CAPA, RESET, ScriptedServer
from lab.scripted import GREETING as GREETED

from pop3frames.client.credentials import Secret
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.retry import Retry
from pop3frames.errors import (
    POP3AuthenticationError,
    POP3BusyError,
    POP3CommandError,
    POP3ConnectionError,
    POP3Error,
    POP3ProtocolError,
    POP3UsageError,
)
from pop3frames.protocol.grammar import DEFAULT_LIMITS, Limits
from pop3frames.server.embedded import EmbeddedServer

MECHANISMS = ["PLAIN", "XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-256"]
EMPTY = b"+ \r\n"


def _log_in(mechanism: str, *replies: bytes, **options: Any) -> tuple[InMemory, POP3Error]:
    """The client after a login that fails, and the error."""
    client = in_memory([GREETING, *replies], **options)
    with pytest.raises(POP3Error) as raised:
        client.authenticate(mechanism, "ann", "secret")
    return client, raised.value


# SASL


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("before", [0, 1], ids=["first", "second"])
def test_a_challenge_of_a_mebibyte_ends_the_session(mechanism: str, before: int) -> None:
    """16 KiB is the limit; no word of it is kept."""
    flood = b"+ " + base64.b64encode(b"x" * (1 << 20)) + b"\r\n"
    client, error = _log_in(mechanism, *[EMPTY] * before, flood, pieces=[65536])

    assert isinstance(error, POP3ProtocolError)
    assert str(DEFAULT_LIMITS.challenge) in str(error)
    assert client.wire.closed


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_challenges_for_ever_are_cancelled(mechanism: str) -> None:
    """`*`, and the session ends, whatever the server says to it (RFC 5034 section 4)."""
    client, error = _log_in(mechanism, *[EMPTY] * 1000)

    assert isinstance(error, POP3ProtocolError)
    assert (b"*" in client.wire.lines) == (mechanism != "SCRAM-SHA-256")  # which fails at the first of them
    assert len(client.wire.lines) <= DEFAULT_LIMITS.challenges + 2
    assert client.wire.closed


def test_challenges_are_counted_too() -> None:
    """For a mechanism that would have an answer to each."""
    client, error = _log_in("XOAUTH2", *[EMPTY] * 9, limits=Limits(challenges=1))

    assert "do not belong to this mechanism" in str(error)
    assert [b"AUTH XOAUTH2", client.wire.lines[1], b"*"] == client.wire.lines


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("challenge", [b"!", b"YQ", b"YQ==YQ==", b"\xff", b"=", b"\0", b" YQ=="])
def test_a_challenge_that_is_no_base64_is_cancelled(mechanism: str, challenge: bytes) -> None:
    """Nothing is made of it."""
    client, error = _log_in(mechanism, EMPTY, b"+ " + challenge + b"\r\n", b"-ERR\r\n")

    assert isinstance(error, POP3ProtocolError)
    assert b"*" == client.wire.lines[-1]
    assert client.wire.closed


@pytest.mark.parametrize("count", [b"2147483648", b"9" * 40, b"1", b"-1", b"", b"1000001"])
def test_scram_iterations_that_would_take_hours_are_refused(count: bytes) -> None:
    """2**31 of them are; so are so few that the password could be guessed from what was said."""
    client = in_memory([GREETING, EMPTY])

    def first(line: bytes) -> bytes:
        nonce = base64.b64decode(line).rpartition(b"r=")[2]
        return b"+ " + base64.b64encode(b"r=%sxyz,s=c2FsdA==,i=%s" % (nonce, count)) + b"\r\n"

    queue = client.wire.queue

    def answered(data: bytes) -> None:
        queue(data)
        if not data.startswith(b"AUTH"):
            client.wire._replies = iter([first(data)])

    client.wire.queue = answered  # type: ignore[method-assign]
    with pytest.raises(POP3ProtocolError, match="iterations"):
        client.authenticate("SCRAM-SHA-256", "ann", "secret")

    assert 2 == len(client.wire.lines)  # nothing that depends on the password
    assert client.wire.closed


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_server_that_lets_in_without_proof_is_not_believed(mechanism: str) -> None:
    """+OK to AUTH itself; and nothing secret was said."""
    client, error = _log_in(mechanism, b"+OK welcome\r\n")

    assert "before anything was proved" in str(error)
    assert [b"AUTH " + mechanism.encode()] == client.wire.lines
    assert client.wire.closed


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_server_that_does_not_wait_for_the_answer_never_gets_it(mechanism: str) -> None:
    """Its +OK, in one piece with the challenge, is no answer to what was not yet sent."""
    client, error = _log_in(mechanism, EMPTY + b"+OK welcome\r\n")

    assert isinstance(error, POP3ProtocolError)
    assert [b"AUTH " + mechanism.encode()] == client.wire.lines


def test_scram_is_not_content_with_a_server_that_does_not_know_the_password() -> None:
    """+OK right after the client's first message: that server has proved nothing."""
    client, error = _log_in("SCRAM-SHA-256", EMPTY, b"+OK welcome\r\n")

    assert isinstance(error, POP3ProtocolError)
    assert client.wire.closed


# A secret that comes back

CANARY = "hunter2-canary"
AGAIN = {
    "a refusal": b"-ERR unknown command: PASS hunter2-canary",
    "a code": b"-ERR [HUNTER2-CANARY/hunter2-canary] no",
    "what SASL said": b"-ERR what is " + base64.b64encode(b"\0ann\0hunter2-canary"),
    "in base64": b"-ERR what is " + base64.b64encode(b"hunter2-canary"),
    "no reply at all": b"PASS hunter2-canary",
}


@pytest.mark.parametrize("said", AGAIN.values(), ids=AGAIN)
@pytest.mark.parametrize("login", ["PASS", "PLAIN", "at once"])
def test_a_secret_that_is_repeated_long_after_the_login_is_shown_nowhere(
    login: str, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """By a server that answers late, or out of step: not in the error, not in the log of the wire."""
    replies = {
        "PASS": [b"+OK\r\n", b"+OK\r\n"],
        "PLAIN": [EMPTY, b"+OK\r\n"],
        "at once": [b"+OK\r\n", b"+OK\r\n"],
    }[login]
    with caplog.at_level("DEBUG", "pop3frames.wire"):
        client = in_memory(
            [GREETING, *replies, b"+OK 1 20\r\n", said + b"\r\n"], pipelining=login == "at once"
        )
        client.log_in("ann", Secret(CANARY), "PLAIN" if login == "PLAIN" else None)
        assert (1, 20) == client.stat()
        with pytest.raises(POP3Error) as raised:
            client.noop()

    encoded = base64.b64encode(b"\0ann\0hunter2-canary").decode()
    alone = base64.b64encode(b"hunter2-canary").decode()
    shown = f"{raised.value} {raised.value!r} {vars(raised.value)} {caplog.text}"
    assert CANARY not in shown.lower()
    assert alone not in shown
    assert login != "PLAIN" or encoded not in shown
    assert "C: NOOP" in caplog.text


def test_a_reply_to_stat_that_repeats_a_secret_is_not_shown() -> None:
    """It is +OK, and what makes it an error is what it says; a number that is also the password counts."""
    login = [GREETING, b"+OK\r\n", b"+OK\r\n"]
    client = in_memory([*login, b"+OK hunter2-canary\r\n"])
    client.log_in("ann", Secret(CANARY))
    with pytest.raises(POP3ProtocolError, match="not shown") as raised:
        client.stat()
    numbers = in_memory([*login, b"+OK 1 20\r\n"])
    numbers.log_in("ann", Secret("1 20"))

    assert CANARY not in everything(raised.value)
    assert client.wire.closed
    assert (1, 20) == numbers.stat()


def test_a_refusal_that_does_not_repeat_it_keeps_its_words() -> None:
    """The positive control; and a mail may hold what it likes."""
    mail = b"+OK\r\nSubject: hunter2-canary\r\n\r\n.\r\n"
    client = in_memory([GREETING, b"+OK\r\n", b"+OK\r\n", b"-ERR [SYS/PERM] no such thing\r\n", mail])
    client.user("ann")
    client.pass_(CANARY)
    with pytest.raises(POP3CommandError, match=r"\[SYS/PERM\] no such thing"):
        client.noop()
    assert b"Subject: hunter2-canary" == client.retr(1)[1][0]


# How often


def _to(port: int, naps: list[float], **options: Any) -> POP3ProtocolHandler:
    retry = Retry(sleep=naps.append, chance=lambda: 0.0)
    return POP3ProtocolHandler("127.0.0.1", port, "ann", "secret", "none", timeout=5, retry=retry, **options)


@pytest.mark.parametrize("use", ["fetch_messages", "list_messages", "get_mailbox_stat", "uidl"])
def test_a_wrong_password_is_sent_once(naps: list[float], use: str) -> None:
    """Repeated, it would lock the account."""
    script = [GREETED, NO_CAPA, ("USER ann", b"+OK\r\n"), ("PASS secret", b"-ERR wrong\r\n")]
    with ScriptedServer(script) as server:
        with pytest.raises(POP3AuthenticationError):
            getattr(_to(server.port, naps), use)()
        assert (1, []) == (server.commands.count("PASS secret"), naps)


@pytest.mark.parametrize("code", ["IN-USE", "SYS/TEMP", "in-use"])
def test_a_mailbox_in_use_is_asked_for_three_times(naps: list[float], code: str) -> None:
    """After 2 and after 4 seconds, each time on a new connection."""
    refused = ("PASS secret", b"-ERR [%s] locked\r\n" % code.encode())
    script = [GREETED, NO_CAPA, ("USER ann", b"+OK\r\n"), refused]
    with ScriptedServer(script) as server:
        with pytest.raises(POP3BusyError):
            _to(server.port, naps).fetch_messages()
        assert (3, [2.0, 4.0]) == (server.commands.count("PASS secret"), naps)


@pytest.mark.parametrize(
    ("announced", "logins", "expected"),
    [(b"LOGIN-DELAY 30", 3, [30.0, 30.0]), (b"LOGIN-DELAY 999999", 1, []), (b"LOGIN-DELAY x", 3, [2.0, 4.0])],
)
def test_a_login_delay_is_respected(
    naps: list[float], announced: bytes, logins: int, expected: list[float]
) -> None:
    """As many seconds as the server wants; beyond a minute nobody waits."""
    capa = ("?CAPA", b"+OK\r\nUSER\r\n" + announced + b"\r\n.\r\n")
    script = [
        GREETED,
        capa,
        ("USER ann", b"+OK\r\n"),
        ("PASS secret", b"-ERR [LOGIN-DELAY] too soon\r\n"),
    ]
    with ScriptedServer(script) as server:
        with pytest.raises(POP3BusyError):
            _to(server.port, naps).fetch_messages()
        assert (logins, expected) == (server.commands.count("PASS secret"), naps)


def test_a_refused_connection_is_tried_three_times(naps: list[float]) -> None:
    """After half a second and after one."""
    with ScriptedServer([]) as server:
        port = server.port
    with pytest.raises(POP3ConnectionError, match="refused"):
        _to(port, naps).fetch_messages()

    assert [0.5, 1.0] == naps


@pytest.mark.parametrize("ending", [CLOSE, RESET], ids=["closed", "reset"])
def test_a_connection_cut_before_the_greeting_is_tried_three_times(naps: list[float], ending: Any) -> None:
    """And no name was told."""
    with ScriptedServer([(None, ending)]) as server:
        with pytest.raises(POP3ConnectionError):
            _to(server.port, naps).fetch_messages()
        assert (3, [0.5, 1.0], b"") == (len(server.peers), naps, server.received)


@pytest.mark.parametrize("ending", [CLOSE, RESET], ids=["closed", "reset"])
@pytest.mark.parametrize("session", ["stateless", "connected"])
def test_a_connection_cut_after_the_password_is_not_tried_again(
    naps: list[float], ending: Any, session: str
) -> None:
    """Who knows what the server made of it: the password is sent once."""
    script = [GREETED, NO_CAPA, ("USER ann", b"+OK\r\n"), ("PASS secret", ending)]
    with ScriptedServer(script) as server:
        handler = _to(server.port, naps)
        if session == "connected":
            handler.connect()
        with pytest.raises(POP3ConnectionError):
            handler.fetch_messages()
        assert (1, []) == (server.commands.count("PASS secret"), naps)


def test_a_server_that_cuts_after_every_login_sees_two_of_them(naps: list[float]) -> None:
    """One for the work, one to go on after the loss."""
    login: list[Any] = [GREETED, NO_CAPA, ("USER ann", b"+OK\r\n"), ("PASS secret", b"+OK\r\n")]
    first = [("UIDL", b"-ERR\r\n"), ("LIST", b"+OK\r\n1 20\r\n.\r\n"), ("RETR 1", CLOSE)]
    with ScriptedServer([*login, *first], [*login, first[0], first[2]]) as server:
        with pytest.raises(POP3ConnectionError):
            _to(server.port, naps).fetch_messages()
        assert 2 == server.commands.count("PASS secret")


def test_an_embedded_server_sees_one_login_an_operation(naps: list[float]) -> None:
    """The positive control of the counts above."""
    with EmbeddedServer([b"Subject: x\r\n\r\n"], username="ann", password="secret") as server:
        handler = _to(server.port, naps)
        assert 1 == len(handler.fetch_messages())
        assert (1, 14) == handler.get_mailbox_stat()
        assert 2 == server._accepted


def test_a_handler_that_lost_its_session_does_not_log_in_by_itself() -> None:
    """connect() is the caller's to say."""
    handler = HandlerInMemory([GREETING, b"+OK\r\n", b"+OK\r\n"], pipelining=False)
    handler.connect()
    for _ in range(3):
        with pytest.raises((POP3ConnectionError, POP3UsageError)):
            handler.get_mailbox_stat()

    assert 1 == len(handler.wires)
