"""How a login is chosen and said, before and beside the mailbox: mechanisms, UTF8, LANG, refusals."""

from __future__ import annotations

import base64
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from client.canaries import CANARY, everything
from lab.scripted import CLOSE, GREETING, NO_CAPA, QUIT, ScriptedServer, Step

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3
from pop3frames.client.retry import Retry
from pop3frames.errors import (
    POP3AuthenticationError,
    POP3BusyError,
    POP3CommandError,
    POP3ConnectionError,
    POP3UsageError,
)
from pop3frames.protocol import sasl
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.features import Features

STATED: Step = ("STAT", b"+OK 1 20\r\n")


def capa(*lines: str) -> Step:
    """What a server can do; it may also not be asked."""
    return ("?CAPA", b"+OK\r\n" + b"".join(line.encode() + b"\r\n" for line in lines) + b".\r\n")


def to(port: int, password: Any = CANARY, **options: Any) -> POP3ProtocolHandler:
    """A handler in plain text."""
    options = {"encryption": "none", "timeout": 5, "retry": Retry(sleep=lambda _: None)} | options
    return POP3ProtocolHandler("127.0.0.1", port, "ann", password, **options)


def descriptors() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def in_base64(response: Any) -> str:
    """What a mechanism says first."""
    return base64.b64encode(next(response)).decode()


# Which mechanism


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        (["USER", "SASL PLAIN"], "USER ann"),
        (["SASL LOGIN PLAIN"], "AUTH PLAIN"),
        (["SASL CRAM-MD5"], "USER ann"),  # who knows: it may do so without saying so
        (["TOP"], "USER ann"),
        ([], "USER ann"),
    ],
    ids=["both", "PLAIN alone", "neither", "not told", "nothing"],
)
def test_a_password_goes_by_user_and_pass_or_by_plain_where_only_that_is_offered(
    offered: list[str], said: str
) -> None:
    """Nobody has to know what his server calls it."""
    by_plain = [
        ("AUTH PLAIN", b"+ \r\n"),
        (in_base64(sasl.plain("ann", lambda: CANARY)), b"+OK\r\n"),
    ]
    by_user = [("USER ann", b"+OK\r\n"), (f"PASS {CANARY}", b"+OK\r\n")]
    login: list[Step] = by_plain if said == "AUTH PLAIN" else by_user
    with ScriptedServer([GREETING, capa(*offered), *login, capa(*offered), STATED, QUIT]) as server:
        assert (1, 20) == to(server.port).get_mailbox_stat()
        assert said in server.commands


def test_a_server_without_capabilities_is_logged_in_to_by_user_and_pass() -> None:
    """RFC 1939 alone; it is asked once for what it has not, not again behind the login."""
    login: list[Step] = [("USER ann", b"+OK\r\n"), (f"PASS {CANARY}", b"+OK\r\n")]
    with ScriptedServer([GREETING, NO_CAPA, *login, STATED, QUIT]) as server:
        assert (1, 20) == to(server.port).get_mailbox_stat()
        assert 1 == server.commands.count("CAPA")


def test_where_only_scram_is_offered_a_password_goes_by_scram() -> None:
    """The strongest last: it needs a package of its own."""
    features = Features(user=False, sasl=("SCRAM-SHA-256",))
    with EmbeddedServer([], username="ann", password=CANARY, features=features) as server:
        assert (0, 0) == to(server.port).get_mailbox_stat()


def test_a_mechanism_that_was_asked_for_is_not_replaced_by_another() -> None:
    """A refused PLAIN does not fall back to USER: that would be a second attempt."""
    with ScriptedServer([GREETING, ("AUTH PLAIN", b"-ERR unknown mechanism\r\n")]) as server:
        with pytest.raises(POP3AuthenticationError, match="unknown mechanism"):
            to(server.port, auth="PLAIN").get_mailbox_stat()
        assert ["AUTH PLAIN"] == server.commands


def test_a_password_waits_for_the_answer_to_a_user_that_is_not_offered() -> None:
    """Dovecot leaves USER out where it wants TLS first; a password in the same flight would be said."""
    script = [GREETING, capa("PIPELINING"), ("USER ann", b"-ERR [AUTH] not without TLS\r\n")]
    with ScriptedServer(script) as server:
        with pytest.raises(POP3AuthenticationError, match="not without TLS"):
            to(server.port).get_mailbox_stat()
        assert CANARY.encode() not in server.received


# UTF8 and LANG


def test_utf8_is_asked_for_behind_tls_and_before_the_login(certificates: Any) -> None:
    """RFC 6856 section 2.1: no STLS after it; then mail with 8-bit headers is given."""
    mail = "Subject: Größe\r\n\r\nx\r\n".encode()
    features = Features(utf8=True, needs_utf8=True)
    sent = Sent()
    context = certificates.server("127.0.0.1")
    with EmbeddedServer(
        [mail], username="ann", password=CANARY, features=features, context=context
    ) as server:
        with_it = to(server.port, encryption="tls", cafile=certificates.ca_file, utf8=True, observers=[sent])
        without = to(server.port, encryption="tls", cafile=certificates.ca_file)
        assert ["Größe"] == [message["subject"] for message in with_it.fetch_messages()]
        with pytest.warns(UserWarning, match="could not be fetched"):
            assert [] == without.fetch_messages()

    assert ["STLS", "UTF8", "CAPA", "USER"] == sent.verbs[:4]


class Sent:
    """An observer that keeps the verbs."""

    def __init__(self) -> None:
        self.verbs: list[str] = []

    def sent(self, verb: object, line: bytes) -> None:
        self.verbs.append(str(verb))

    def received(self, data: bytes) -> None: ...

    def secured(self) -> None: ...

    def closed(self) -> None: ...


@pytest.mark.parametrize("use", [POP3ProtocolHandler.connect, POP3ProtocolHandler.get_mailbox_stat])
def test_a_server_that_refuses_utf8_is_an_error_before_the_login(use: Callable[..., object]) -> None:
    """Whoever asked for it would miss mails otherwise; the connection does not stay open."""
    gc.collect()
    before = descriptors()
    with ScriptedServer([GREETING, ("UTF8", b"-ERR what?\r\n")]) as server:
        with pytest.raises(POP3CommandError, match="refused UTF8"):
            use(to(server.port, utf8=True))
        assert ["UTF8"] == server.commands
    assert before == descriptors()


def test_a_ca_file_that_cannot_be_used_leaves_no_connection_open(server: EmbeddedServer) -> None:
    """With STLS the connection would stand already."""
    handler = to(server.port, encryption="tls", cafile=__file__)
    with pytest.raises(POP3UsageError, match="must hold certificates"):
        handler.connect()

    assert 0 == server._accepted


def test_languages_are_listed_and_chosen() -> None:
    """RFC 6856 section 3, in poplib's shapes; an unknown one is refused and the session usable."""
    with (
        EmbeddedServer(username="ann", password=CANARY, features=Features(lang=True)) as server,
        POP3("127.0.0.1", server.port, timeout=5) as client,
    ):
        status, lines, octets = client.lang()
        assert (b"+OK", [b"en English", b"i-default English"]) == (status[:3], lines)
        assert sum(len(line) + 2 for line in lines) == octets
        with pytest.raises(POP3CommandError, match="no such language"):
            client.lang("tlh")
        assert b"+OK en " == client.lang("en")[:7]
        client.user("ann")
        client.pass_(CANARY)
        assert b"+OK i-default " == client.lang("i-default")[:14]


# Refusals of a whole flight


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (b"-ERR [AUTH] wrong\r\n", POP3AuthenticationError),
        (b"-ERR go away\r\n", POP3AuthenticationError),
        (b"-ERR [SYS/TEMP] later\r\n", POP3BusyError),
    ],
)
def test_a_server_that_hangs_up_behind_its_refusal_has_refused(
    refusal: bytes, error: type[Exception]
) -> None:
    """It is no lost connection, which would be tried again, and the password said again with it."""

    def refuse(peer: Any) -> None:
        assert [peer.line() for _ in range(2)] == [b"CAPA", b"UIDL"]
        peer.send(refusal)

    script = [
        GREETING,
        capa("USER", "PIPELINING"),
        ("USER ann", b"+OK\r\n"),
        (f"PASS {CANARY}", refuse, CLOSE),
    ]
    with ScriptedServer(script) as server:
        with pytest.raises(error):
            to(server.port, retry=Retry(1)).uidl()
        assert 1 == len(server.peers)


def test_a_session_that_ended_behind_a_refusal_says_so_until_connect() -> None:
    """An open session that the server hung up on is lost, whatever it said before."""
    refuses = [GREETING, capa("USER", "PIPELINING"), ("USER ann", b"-ERR no such user\r\n", CLOSE)]
    with ScriptedServer(refuses, [GREETING, QUIT]) as server:
        handler = to(server.port)
        handler.connect()
        with pytest.raises(POP3AuthenticationError, match="no such user"):
            handler.get_mailbox_stat()
        with pytest.raises(POP3ConnectionError, match=r"connect\(\) for a new one"):
            handler.get_mailbox_stat()
        assert handler.disconnect() is False
        assert handler.connect() is True
        assert handler.disconnect() is True


def test_a_refused_user_that_repeats_the_password_is_not_shown() -> None:
    """In one flight the server has read it already."""
    script = [
        GREETING,
        capa("USER", "PIPELINING"),
        ("USER ann",),
        (f"PASS {CANARY}", b"-ERR %s\r\n-ERR\r\n" % CANARY.encode()),
        ("?CAPA", b"-ERR\r\n"),
        ("?UIDL", b"-ERR\r\n"),
    ]
    with ScriptedServer(script) as server, pytest.raises(POP3AuthenticationError) as raised:
        to(server.port).uidl()

    assert CANARY not in everything(raised.value)
