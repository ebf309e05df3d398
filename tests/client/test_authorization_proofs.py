"""Logins that prove a password without saying it, APOP and SCRAM-SHA-256, and servers that cheat at them."""

from __future__ import annotations

import base64
import hashlib
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
import scramp
from client.canaries import CANARY, everything
from lab.scripted import GREETING, NO_CAPA, QUIT, ScriptedServer, Step

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.errors import POP3Error, POP3ProtocolError, POP3UsageError
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.features import Features

STATED: Step = ("STAT", b"+OK 1 20\r\n")


def to(port: int, auth: str | None, password: str = CANARY) -> POP3ProtocolHandler:
    """A handler in plain text."""
    return POP3ProtocolHandler("127.0.0.1", port, "ann", password, "none", 5, auth=auth)


def test_apop_is_used_only_where_it_is_asked_for() -> None:
    """A timestamp in the greeting changes nothing: MD5 is weak, and a server could choose it."""
    greeting: Step = (None, b"+OK ready <1.2@example.org>\r\n")
    login: list[Step] = [("USER ann", b"+OK\r\n"), ("PASS .*", b"+OK\r\n")]
    with ScriptedServer([greeting, NO_CAPA, *login, STATED, QUIT]) as server:
        to(server.port, None).get_mailbox_stat()
    digest = hashlib.md5(f"<1.2@example.org>{CANARY}".encode()).hexdigest()
    with ScriptedServer([greeting, (f"APOP ann {digest}", b"+OK\r\n"), NO_CAPA, STATED, QUIT]) as server:
        assert (1, 20) == to(server.port, "APOP").get_mailbox_stat()


def test_apop_without_a_timestamp_is_refused_before_anything_is_said() -> None:
    """There is nothing to make a digest of."""
    with ScriptedServer([GREETING]) as server:
        with pytest.raises(POP3UsageError, match="offers no APOP"):
            to(server.port, "APOP").get_mailbox_stat()
        assert b"" == server.received


def test_scram_without_its_package_is_refused_before_anything_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the extra that brings it."""
    monkeypatch.setitem(sys.modules, "scramp", None)
    with ScriptedServer([GREETING]) as server:
        with pytest.raises(POP3UsageError, match=r"pop3frames\[scram\]"):
            to(server.port, "SCRAM-SHA-256").get_mailbox_stat()
        assert b"" == server.received


def _scram_server(honest: bool) -> Callable[[Any], None]:
    """Answers AUTH SCRAM-SHA-256; it knows the password, or makes a proof without."""

    def answer(peer: Any) -> None:
        mechanism = scramp.ScramMechanism("SCRAM-SHA-256")
        known = mechanism.make_auth_info(CANARY)
        server = mechanism.make_server(lambda _name: known)

        def say(text: str) -> None:
            peer.send(b"+ " + base64.b64encode(text.encode()) + b"\r\n")

        server.set_client_first(base64.b64decode(peer.line()).decode())
        say(server.get_server_first())
        server.set_client_final(base64.b64decode(peer.line()).decode())
        if honest:
            say(server.get_server_final())
            assert peer.line() == b""
        peer.send(b"+OK welcome\r\n")

    return answer


@pytest.mark.parametrize("honest", [True, False])
def test_a_server_must_prove_itself_by_scram(honest: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Who says +OK without the last message does not know the password: the connection is closed."""
    caplog.set_level(logging.DEBUG)
    script = [GREETING, ("AUTH SCRAM-SHA-256", b"+ \r\n", _scram_server(honest)), NO_CAPA, STATED, QUIT]
    with ScriptedServer(script) as server:
        handler = to(server.port, "SCRAM-SHA-256")
        if honest:
            assert (1, 20) == handler.get_mailbox_stat()
            return
        with pytest.raises(POP3ProtocolError, match="SCRAM-SHA-256 failed") as raised:
            handler.get_mailbox_stat()
        assert 1 == len(server.peers)

    assert CANARY not in everything(raised.value) + caplog.text


@pytest.mark.parametrize("first", [b"+OK welcome\r\n", b"+ cj14LHM9eCxpPTE=\r\n", b"+ AAAA\r\n", b"+ !!\r\n"])
def test_a_server_that_does_not_keep_to_scram_gets_no_proof(first: bytes) -> None:
    """At once +OK, one iteration, no message at all, no base64: nothing made with the password is said."""
    name = r"[A-Za-z0-9+/]+=*"
    script = [GREETING, ("AUTH SCRAM-SHA-256", b"+ \r\n"), (name, first), ("?\\*", b"-ERR cancelled\r\n")]
    with ScriptedServer(script) as server:
        with pytest.raises(POP3ProtocolError) as raised:
            to(server.port, "SCRAM-SHA-256").get_mailbox_stat()
        said = [base64.b64decode(line) for line in server.commands[1:] if line != "*"]

    assert [True] == [line.startswith(b"n,,n=ann,r=") for line in said]
    assert CANARY not in everything(raised.value)


@pytest.mark.parametrize("password", [f"{CANARY}\ud800", f"{CANARY}\x07", f"{CANARY}\u0627x", "\u00ad"])
def test_a_password_that_scram_cannot_prepare_is_not_shown(password: str) -> None:
    """RFC 4013 forbids some characters; the error says so without the password."""
    features = Features(sasl=("SCRAM-SHA-256",))
    with (
        EmbeddedServer(username="ann", features=features) as server,
        pytest.raises(POP3Error) as raised,
    ):
        to(server.port, "SCRAM-SHA-256", password).get_mailbox_stat()

    assert CANARY not in everything(raised.value)
