"""On the way to a server a password is in no error, log or traceback."""

from __future__ import annotations

import base64
import logging
import poplib
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from client.canaries import CANARY, everything
from lab.scripted import CLOSE, GREETING, NO_CAPA, RESET, STALL, ScriptedServer

from pop3frames.client.credentials import Secret
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pool import POP3ConnectionPool
from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3AuthenticationError, POP3Error, POP3UsageError
from pop3frames.protocol import sasl
from pop3frames.protocol.grammar import Limits
from pop3frames.server.embedded import EmbeddedServer


def _login_with(port: int, **options: Any) -> None:
    POP3ProtocolHandler("127.0.0.1", port, "ann", CANARY, "none", timeout=1, **options).list_messages()


def _authenticate_with(port: int) -> None:
    with POP3ProtocolHandler("127.0.0.1", port, "ann", "other", "none", timeout=1) as handler:
        handler.authenticate("bob", CANARY)


def _lease_with(port: int) -> None:
    pool = POP3ConnectionPool("127.0.0.1", port, "ann", CANARY, encryption="none", timeout=1)
    with pool.lease() as handler:
        handler.list_messages()


def _pop3_with(port: int) -> None:
    limits = Limits(login_patience=0)
    with POP3("127.0.0.1", port, timeout=0.3, limits=limits) as client:
        client.user("ann")
        client.pass_(CANARY)


LOGINS = {
    "USER and PASS": _login_with,
    "AUTH PLAIN": lambda port: _login_with(port, auth="PLAIN"),
    "authenticate": _authenticate_with,
    "pool": _lease_with,
    "POP3": _pop3_with,
}


@pytest.mark.parametrize("login", LOGINS.values(), ids=LOGINS)
def test_a_wrong_password_is_in_no_error_log_or_traceback(
    login: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the string nor an encoding of it, with logging at its loudest and all frames turned out."""
    caplog.set_level(logging.DEBUG)
    with EmbeddedServer(username="ann") as server, pytest.raises(POP3AuthenticationError) as raised:
        login(server.port)
    shown = everything(raised.value) + caplog.text

    assert "wrong user name or password" in shown  # the positive control
    assert CANARY not in shown
    assert "Y2FuYXJ5" not in shown  # base64 of "canary"


@pytest.mark.parametrize(
    "ending",
    [
        b"-ERR bad password %s for ann\r\n",
        b"",
        b"what?\r\n",
        b"PASS %s\r\n",
        b"-ERR bad %s\n",
        b"+OK[%s]\r\n",
    ],
)
@pytest.mark.parametrize(
    ("login", "then"), [(_login_with, CLOSE), (_authenticate_with, RESET), (_pop3_with, STALL)]
)
def test_a_server_that_echoes_stalls_or_leaves_brings_no_password_into_an_error(
    login: Callable[[int], None], ending: bytes, then: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Some servers repeat what they refuse."""
    caplog.set_level(logging.DEBUG)
    answer = ending.replace(b"%s", CANARY.encode())
    script = [GREETING, NO_CAPA, ("USER .*", b"+OK\r\n"), ("PASS .*", answer, then)]
    with ScriptedServer(script) as server:
        with pytest.raises(POP3Error) as raised:
            login(server.port)
        assert CANARY.encode() in server.received

    assert CANARY not in everything(raised.value) + caplog.text


@pytest.mark.parametrize(
    "wrong", [{"encryption": "starttls"}, {"port": "995"}, {"auth": "XOAUTH"}, {"pool_size": 0}]
)
def test_a_wrong_argument_does_not_turn_the_password_out(wrong: dict[str, Any]) -> None:
    """The frames that refuse it hold no plain string any more."""
    arguments = {"hostname": "h", "port": 995, "username": "ann", "password": CANARY} | wrong
    make = POP3ConnectionPool if "pool_size" in wrong else POP3ProtocolHandler
    with pytest.raises(POP3UsageError) as raised:
        make(**arguments)

    assert CANARY not in everything(raised.value)


@pytest.mark.parametrize("password", [CANARY.encode(), [CANARY]])
@pytest.mark.parametrize(
    "use",
    [
        Secret,
        lambda password: POP3ProtocolHandler("h", 995, "ann", password),
        lambda password: POP3ConnectionPool("h", 995, "ann", password),
        lambda password: POP3ProtocolHandler("h", 995, "ann", "x").authenticate("ann", password),
    ],
)
def test_a_password_of_a_wrong_type_is_refused_without_showing_it(
    use: Callable[[Any], object], password: Any
) -> None:
    """Octets, as poplib's users may have them: no frame holds them either."""
    with pytest.raises(POP3UsageError, match="must be a string") as raised:
        use(password)

    assert CANARY not in everything(raised.value)


@pytest.mark.parametrize("host", ["pops://ann:{}@pop.example.org:995", "ann:{}@h", "https://h/?key={}", ""])
def test_a_host_that_is_a_url_is_refused_and_not_quoted(host: str) -> None:
    """Other mail programs take such a line, password and all. Nor does none mean this machine."""
    with pytest.raises(POP3UsageError, match="a name or an address alone") as raised:
        POP3ProtocolHandler(host.format(CANARY), 995, "ann", "x")

    assert CANARY not in str(raised.value)


@pytest.mark.parametrize("password", [CANARY + "\r\nDELE 1", CANARY + "\0", CANARY * 40, CANARY + "\ud800"])
@pytest.mark.parametrize("login", ["pass_", "auth_plain"])
def test_a_password_that_cannot_be_sent_is_refused_without_showing_it(
    server: EmbeddedServer, password: str, login: str
) -> None:
    """The error names the rule; SASL takes any string, and the server refuses it."""
    logins: dict[str, Callable[[POP3], object]] = {
        "pass_": lambda client: client.pass_(password),
        "auth_plain": lambda client: client.authenticate("PLAIN", "ann", password),
    }
    with POP3("127.0.0.1", server.port, timeout=5) as client, pytest.raises(POP3Error) as raised:
        logins[login](client)

    assert CANARY not in everything(raised.value)


@pytest.mark.parametrize("password", ["wrong", "a", "AUTH"])
def test_an_echoed_password_is_not_told_by_a_gap_in_the_text(password: str) -> None:
    """`[AUTH] *** user name or password` would be as good as the word: the whole text goes."""
    with ScriptedServer(
        [GREETING, NO_CAPA, ("USER .*", b"+OK\r\n"), ("PASS .*", b"-ERR [AUTH] wrong one\r\n")]
    ) as server:
        client = POP3("127.0.0.1", server.port, timeout=5)
        client.user("ann")
        with pytest.raises(POP3AuthenticationError) as raised:
            client.pass_(password)
        client.close()

    told = raised.value.text
    assert ("not shown" in told) == (password in "[AUTH] wrong one")
    assert "***" not in told


@pytest.mark.parametrize("ending", [b"-ERR bad %s\r\n", b"%s\r\n", b"-ERR %s\n"])
def test_the_response_of_auth_plain_is_not_shown_either(ending: bytes) -> None:
    """Base64 hides nothing."""
    response = base64.b64encode(next(sasl.plain("ann", lambda: CANARY)))
    script = [GREETING, NO_CAPA, ("AUTH PLAIN", b"+ \r\n"), (".*", ending.replace(b"%s", response))]
    with ScriptedServer(script) as server:
        client = POP3("127.0.0.1", server.port, timeout=5)
        with pytest.raises(POP3Error) as raised:
            client.authenticate("PLAIN", "ann", CANARY)
        client.close()

    assert response.decode() not in everything(raised.value)


def test_a_foreign_clients_words_are_not_passed_on_when_they_hold_the_password() -> None:
    """Not even as the cause, which a traceback prints."""
    with patch("pop3frames.client.handler.POP3_SSL") as client:
        client.return_value.pass_.side_effect = poplib.error_proto(f"-ERR bad {CANARY}")
        handler = POP3ProtocolHandler("h", 995, "ann", CANARY)
        handler.connect()
        with pytest.raises(POP3AuthenticationError) as raised:
            handler.authenticate()

    assert CANARY not in str(raised.value)
    assert raised.value.__suppress_context__
