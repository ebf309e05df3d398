"""Logins by token: which mechanism, how often the provider is asked, and where a token is never said."""

from __future__ import annotations

import base64
import logging
import threading
from typing import Any

import pytest
from client.canaries import CANARY, everything
from lab.relay import Relay
from lab.scripted import CLOSE, GREETING, NO_CAPA, QUIT, ScriptedServer, Step

from pop3frames.client.credentials import OAuth2, Secret
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pool import POP3ConnectionPool
from pop3frames.client.retry import Retry
from pop3frames.client.wire import Wire
from pop3frames.errors import (
    POP3AuthenticationError,
    POP3BusyError,
    POP3Error,
    POP3ProtocolError,
    POP3UsageError,
)
from pop3frames.protocol import sasl
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.features import Bounds

STATED: Step = ("STAT", b"+OK 1 20\r\n")
MAIL = b"Subject: x\r\n\r\nx\r\n"
PATIENT = Bounds(failed_logins=(0.0,) * 9)  # a second refusal costs no time


class Provider:
    """Gives the first of these, and the next one whenever it is forced; notes how it was asked."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.asked: list[bool] = []

    def __call__(self, *, force_refresh: bool = False) -> str:
        self.asked.append(force_refresh)
        if force_refresh and len(self.tokens) > 1:
            del self.tokens[0]
        return self.tokens[0]


def to(port: int, password: Any, **options: Any) -> POP3ProtocolHandler:
    """A handler in plain text, which is allowed on loopback."""
    options = {"encryption": "none", "timeout": 5, "retry": Retry(sleep=lambda _: None)} | options
    return POP3ProtocolHandler("127.0.0.1", port, "ann", password, **options)


def serving(token: str, **options: Any) -> EmbeddedServer:
    """A server that knows this token of ann's."""
    return EmbeddedServer([MAIL], username="ann", tokens={"ann": token}, bounds=PATIENT, **options)


def readable(capture: bytes) -> str:
    """What whoever reads along can read: the lines, and behind them what is base64 there."""
    lines = capture.split(b"\r\n")
    return "\n".join(repr(each) for line in lines for each in (line, sasl.decoded(line)))


# Which mechanism


@pytest.mark.parametrize(
    ("offered", "mechanism"),
    [
        (b"+OK\r\nSASL PLAIN XOAUTH2 OAUTHBEARER\r\n.\r\n", "OAUTHBEARER"),
        (b"+OK\r\nUSER\r\nSASL PLAIN XOAUTH2\r\n.\r\n", "XOAUTH2"),
        (b"+OK\r\nUSER\r\n.\r\n", "XOAUTH2"),
        (b"-ERR what?\r\n", "XOAUTH2"),
    ],
    ids=["both", "one", "none told", "no CAPA"],
)
@pytest.mark.parametrize("pipelining", [None, True])
def test_a_token_goes_by_the_better_mechanism_that_is_offered(
    offered: bytes, mechanism: str, pipelining: bool | None
) -> None:
    """OAUTHBEARER is the standard; XOAUTH2 is what servers have that tell nothing."""
    capa, login = ("?CAPA", offered), [(f"AUTH {mechanism}", b"+ \r\n"), (".*", b"+OK\r\n")]
    with ScriptedServer([GREETING, capa, *login, capa, STATED, QUIT]) as server:
        handler = to(server.port, OAuth2(Provider("token")), pipelining=pipelining)
        assert (1, 20) == handler.get_mailbox_stat()
        said = base64.b64decode(server.commands[2])

    known = {"OAUTHBEARER": sasl.parse_oauthbearer, "XOAUTH2": sasl.parse_xoauth2}
    assert ("ann", "token") == known[mechanism](said)


@pytest.mark.parametrize("auth", sasl.BEARERS)
def test_a_mechanism_that_was_asked_for_is_used_unseen(auth: str) -> None:
    """Without a look at CAPA; and a refusal does not lead to the other one."""
    with ScriptedServer([GREETING, (f"AUTH {auth}", b"-ERR unknown mechanism\r\n"), QUIT]) as server:
        with pytest.raises(POP3AuthenticationError, match="unknown mechanism"):
            to(server.port, "token", auth=auth).get_mailbox_stat()
        assert [f"AUTH {auth}"] == server.commands


@pytest.mark.parametrize("auth", ["USER", "PLAIN", "SCRAM-SHA-256", "APOP"])
def test_a_token_is_no_password(auth: str) -> None:
    """Said when the handler is made."""
    with pytest.raises(POP3UsageError, match="a token logs in by OAUTHBEARER or XOAUTH2"):
        to(110, OAuth2(Provider("token")), auth=auth)


@pytest.mark.parametrize("auth", sasl.BEARERS)
def test_a_long_token_goes_in_a_line_of_its_own(auth: str) -> None:
    """Microsoft's pass 2,000 octets; no command line may pass 255 (RFC 2449 section 4)."""
    token = "x" * 5000
    with serving(token) as server, Relay(server.port) as relay:
        assert (1, 17) == to(relay.port, token, auth=auth).get_mailbox_stat()
        lines = bytes(relay.from_clients[0]).split(b"\r\n")

    assert f"AUTH {auth}".encode() in lines
    assert [True] == [len(line) > 255 for line in lines if len(line) > 100]


# How often


@pytest.mark.parametrize("auth", [None, *sasl.BEARERS])
def test_a_refused_token_is_replaced_once_in_the_same_session(auth: str | None) -> None:
    """And the newer one is what the next login begins with."""
    provider = Provider("old", "new", "newest")
    with serving("new") as server:
        handler = to(server.port, OAuth2(provider), auth=auth)
        assert (1, 17) == handler.get_mailbox_stat()
        assert 1 == server._accepted
        assert (1, 17) == handler.get_mailbox_stat()

    assert [False, True, False] == provider.asked


@pytest.mark.parametrize(
    ("auth", "said"),
    [("XOAUTH2", "status 401, scope mail"), ("OAUTHBEARER", "status invalid_token, scope mail")],
)
def test_a_second_refusal_ends_the_login_with_what_the_server_said(auth: str, said: str) -> None:
    """Not a third time, however many attempts are allowed."""
    provider = Provider("old", "new", "right")
    with serving("right") as server, Relay(server.port) as relay:
        handler = to(relay.port, OAuth2(provider), auth=auth, retry=Retry(5, sleep=lambda _: None))
        with pytest.raises(POP3AuthenticationError, match=said):
            handler.get_mailbox_stat()
        assert 2 == relay.capture.count(b"AUTH ")

    assert [False, True] == provider.asked


def test_a_provider_without_another_token_is_asked_once_more_and_nothing_is_repeated() -> None:
    """What the server said against the first one is what is told."""
    provider = Provider("old")
    with serving("right") as server, Relay(server.port) as relay:
        with pytest.raises(POP3AuthenticationError, match=r"status invalid_token.*there is no newer one"):
            to(relay.port, OAuth2(provider)).get_mailbox_stat()
        assert 1 == relay.capture.count(b"AUTH ")

    assert [False, True] == provider.asked


def test_a_busy_mailbox_is_not_the_tokens_fault() -> None:
    """[IN-USE] forces no new token; each attempt asks for the one that is good then."""
    provider = Provider("right")
    with serving("right") as server, to(server.port, OAuth2(Provider("right"))) as other:
        other.authenticate()
        with pytest.raises(POP3BusyError):
            to(server.port, OAuth2(provider)).get_mailbox_stat()

    assert [False] * 3 == provider.asked


def test_a_provider_that_cannot_renew_ends_the_login_in_its_own_words() -> None:
    """It knows best what to do: sign in again, for example."""

    def provider(*, force_refresh: bool = False) -> str:
        if force_refresh:
            raise POP3UsageError("sign in again")
        return "old"

    with serving("right") as server, pytest.raises(POP3UsageError, match="sign in again"):
        to(server.port, OAuth2(provider)).get_mailbox_stat()


def test_many_logins_with_one_refused_token_renew_it_once() -> None:
    """Eight mailboxes, one credential: the second to be refused gets what the first one fetched."""
    provider = Provider("old", "new", "newest")
    credential = OAuth2(provider)
    names = [f"user{number}" for number in range(8)]
    refused = threading.Barrier(len(names))

    def good(_name: str, token: str) -> bool:
        if token == "old":
            refused.wait(20)  # all have said the old one before any is refused
        return token == "new"

    users: dict[str, Any] = {name: ("x", [MAIL]) for name in names}
    counts: list[int] = []
    with EmbeddedServer(users=users, tokens=good, bounds=PATIENT) as server:

        def login(name: str) -> None:
            handler = POP3ProtocolHandler("127.0.0.1", server.port, name, credential, "none", 20)
            counts.append(handler.get_mailbox_stat()[0])

        threads = [threading.Thread(target=login, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert [1] * 8 == counts
    assert [False] * 8 + [True] == sorted(provider.asked)


def test_a_pool_logs_in_by_token_too() -> None:
    """Once a connection, not once a lease."""
    provider = Provider("old", "right")
    with (
        serving("right") as server,
        POP3ConnectionPool(
            "127.0.0.1", server.port, "ann", OAuth2(provider), 1, encryption="none", timeout=5
        ) as pool,
    ):
        for _ in range(3):
            with pool.lease() as handler:
                assert (1, 17) == handler.get_mailbox_stat()

    assert [False, True] == provider.asked


# Never said


@pytest.mark.parametrize("auth", [None, *sasl.BEARERS])
def test_a_token_is_never_said_in_plain_text_beyond_this_machine(
    auth: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads along could use it: an error before AUTH, where a password would be warned of."""
    monkeypatch.setattr(Wire, "is_loopback", False)
    with serving(CANARY) as server, Relay(server.port) as relay:
        credential = OAuth2(Provider(CANARY)) if auth is None else CANARY
        with pytest.raises(POP3UsageError, match="never sent in plain text; use 'ssl' or 'tls'"):
            to(relay.port, credential, auth=auth).get_mailbox_stat()
        assert b"AUTH" not in bytes(relay.from_clients[0])


def test_a_token_crosses_under_tls_to_anywhere(monkeypatch: pytest.MonkeyPatch, certificates: Any) -> None:
    """By STLS, and from the first byte; the capture shows none."""
    monkeypatch.setattr(Wire, "is_loopback", False)
    context = certificates.server("127.0.0.1")
    with serving(CANARY, context=context) as server:
        for encryption, port in (("tls", server.port), ("ssl", server.tls_port)):
            with Relay(port) as relay:  # type: ignore[arg-type]
                handler = to(
                    relay.port, CANARY, auth="XOAUTH2", encryption=encryption, cafile=certificates.ca_file
                )
                assert (1, 17) == handler.get_mailbox_stat()
                assert CANARY not in readable(relay.capture)


@pytest.mark.parametrize(
    "answers",
    [
        (b"-ERR [AUTH] no: %s\r\n",),
        (b"-ERR [AUTH] no: %b\r\n",),
        (b"+ %j\r\n", b"-ERR [AUTH] no\r\n"),
        (b"%s\r\n",),
        (b"+ %b\r\n", b"-ERR\r\n"),
        (CLOSE,),
    ],
    ids=["the token", "its base64", "in JSON", "no reply", "as a challenge", "gone"],
)
@pytest.mark.parametrize("auth", sasl.BEARERS)
def test_a_server_that_repeats_a_token_brings_it_into_no_error(
    auth: str, answers: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither as it is nor in base64, in no message, log or frame."""
    caplog.set_level(logging.DEBUG)

    def filled(peer: Any) -> None:
        line = peer.line()
        in_json = base64.b64encode(b'{"status": "%s"}' % CANARY.encode())
        for answer in answers:
            if callable(answer):
                answer(peer)
                return
            for mark, text in ((b"%s", CANARY.encode()), (b"%b", line), (b"%j", in_json)):
                answer = answer.replace(mark, text)
            peer.send(answer)
            peer.line()

    with ScriptedServer([GREETING, ("AUTH .*", b"+ \r\n", filled)]) as server:
        with pytest.raises(POP3Error) as raised:
            to(server.port, Secret(CANARY), auth=auth, timeout=1).get_mailbox_stat()
        first = server.commands[1]

    shown = everything(raised.value) + caplog.text
    assert CANARY in readable(first.encode())
    assert [] == [each for each in (CANARY, first, first[8:40]) if each in shown]


@pytest.mark.parametrize("auth", sasl.BEARERS)
def test_a_server_that_asks_on_and_on_is_left(auth: str) -> None:
    """A refusal is one challenge; what never ends is no exchange of this mechanism."""

    def ask(peer: Any) -> None:
        said = base64.b64encode(b'{"status": "%s"}' % CANARY.encode())
        while peer.line() not in (b"*", None):
            peer.send(b"+ %s\r\n" % said)
        peer.send(b"-ERR cancelled\r\n")

    with ScriptedServer([GREETING, ("AUTH .*", b"+ \r\n", ask)]) as server:
        with pytest.raises(POP3ProtocolError, match="challenges do not belong") as raised:
            to(server.port, CANARY, auth=auth).get_mailbox_stat()
        assert "*" == server.commands[-1]
        assert 4 == len(server.commands)
    assert CANARY not in everything(raised.value)


def test_what_comes_at_once_is_no_login() -> None:
    """+OK to AUTH, before any token was said: the server has not looked at one."""
    with (
        ScriptedServer([GREETING, NO_CAPA, ("AUTH XOAUTH2", b"+OK welcome\r\n")]) as server,
        pytest.raises(POP3ProtocolError, match="before anything was proved"),
    ):
        to(server.port, OAuth2(Provider("token"))).get_mailbox_stat()
