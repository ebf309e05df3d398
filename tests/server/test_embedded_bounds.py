"""How much the server puts up with, for whom, and who can reach it: over real sockets."""

from __future__ import annotations

import contextlib
import logging
import queue
import resource
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pop3frames.errors import POP3UsageError
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.features import Bounds, Features
from pop3frames.server.maildrop import Maildrop

Dial = Callable[..., Any]


# Bounds


def test_one_connection_too_many_is_told_to_come_later(dial: Dial, server_tls: ssl.SSLContext) -> None:
    """On the port of TLS it is closed without a word; when one leaves there is room again."""
    with EmbeddedServer(context=server_tls, bounds=Bounds(connections=2)) as server:
        first, _second = dial(server), dial(server)
        late = dial(port=server.port)
        assert [b"-ERR [SYS/TEMP] too many connections\r\n", b""] == [late.line(), late.line()]
        assert b"" == dial(port=server.tls_port).line()
        assert first.ask(b"QUIT").startswith(b"+OK")
        assert b"" == first.line()
        assert b"+OK pop3frames ready\r\n" == dial(port=server.port).line()


class Warned(logging.Handler):
    """Knows when something was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.said: queue.Queue[str] = queue.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self.said.put(record.getMessage())


@pytest.fixture
def warned() -> Iterator[Warned]:
    """What the server logs."""
    handler, logger = Warned(), logging.getLogger("pop3frames.server.embedded")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_a_server_without_file_descriptors_goes_on_when_there_are_some(dial: Dial, warned: Warned) -> None:
    """EMFILE is logged, and who waited is served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with EmbeddedServer([b"x"]) as server, socket.socket() as waiting:
        waiting.settimeout(20)
        with socket.socket() as probe:
            unused = probe.fileno()
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (unused, hard))
            waiting.connect((server.host, server.port))
            assert "Too many open files" in warned.said.get(timeout=20)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert b"+OK pop3frames ready\r\n" == waiting.recv(100)


def test_a_server_without_threads_goes_on_when_there_are_some(dial: Dial, warned: Warned) -> None:
    """Whoever came meanwhile is closed."""
    with EmbeddedServer([b"x"]) as server:
        usual = threading.stack_size(1 << 46)  # more memory than there is
        try:
            assert b"" == dial(port=server.port).line()
            assert "thread" in warned.said.get(timeout=20)
        finally:
            threading.stack_size(usual)
        assert b"+OK pop3frames ready\r\n" == dial(port=server.port).line()


@pytest.mark.parametrize("mode", ["stls", "implicit"])
def test_a_handshake_that_takes_too_long_ends_the_connection(
    mode: str, dial: Dial, server_tls: ssl.SSLContext
) -> None:
    """However long `idle` is."""
    with EmbeddedServer(context=server_tls, bounds=Bounds(handshake=0.1)) as server:
        client = dial(server) if mode == "stls" else dial(port=server.tls_port)
        if mode == "stls":
            assert client.ask(b"STLS").startswith(b"+OK")
        assert b"" == client.line()


def test_octets_that_become_no_command_do_not_keep_a_mailbox_locked(dial: Dial) -> None:
    """An octet now and then, for ten times as long as `idle`: the session ends, and another one gets in."""
    with EmbeddedServer([b"x"], idle=0.2) as server:
        client = dial(server)
        assert client.login(server).startswith(b"+OK")
        client.sock.settimeout(0.05)
        for _ in range(40):
            try:
                client.send(b"x")
                if not client.sock.recv(1):
                    break
            except TimeoutError:
                pass
            except ConnectionError:
                break
        else:
            pytest.fail("the server still listens")
        assert dial(server).login(server).startswith(b"+OK")


def test_commands_keep_a_session_alive_longer_than_idle(dial: Dial) -> None:
    """Each whole one, in however many pieces it comes."""
    with EmbeddedServer([b"x"], idle=1.0) as server:
        client = dial(server)
        assert client.login(server).startswith(b"+OK")
        client.sock.settimeout(0.08)
        for octet in b"NOOP\r\n" * 3:
            client.send(bytes([octet]))
            with contextlib.suppress(TimeoutError):
                assert b"+" == client.sock.recv(1)
                client.sock.recv(100)
        client.sock.settimeout(20)
        assert client.ask(b"QUIT").startswith(b"+OK")


def test_wrong_passwords_end_the_session(dial: Dial) -> None:
    """The last one is answered; the next session may try again."""
    with EmbeddedServer(bounds=Bounds(failed_logins=(0, 0))) as server:
        client = dial(server)
        told = [client.ask(b"USER x") and client.ask(b"PASS y") for _ in range(2)]
        assert [b"-ERR [AUTH] wrong user name or password\r\n"] * 2 == told
        assert b"" == client.line()
        assert dial(server).login(server).startswith(b"+OK")


# Users


def test_each_user_has_a_mailbox_and_a_lock_of_their_own(dial: Dial) -> None:
    """And a password, random where none is given."""
    bobs = Maildrop([b"x", b"y"])
    with EmbeddedServer(users={"ann": ("a", [b"x"]), "bob": (None, bobs)}) as server:
        assert ("ann", "a", 1) == (server.username, server.password, len(server.maildrop))
        assert bobs is server.users["bob"].maildrop
        assert f"<EmbeddedServer {server.host}:{server.port}, 3 messages>" == repr(server)
        ann, bob, again = dial(server), dial(server), dial(server)

        def login(client: Any, name: str, password: str) -> bytes:
            client.ask(b"USER " + name.encode())
            return bytes(client.ask(b"PASS " + password.encode()))

        assert login(bob, "bob", "a").startswith(b"-ERR [AUTH]")
        assert login(ann, "ann", "a").startswith(b"+OK")
        assert login(bob, "bob", server.users["bob"].password).startswith(b"+OK")
        assert login(again, "ann", "a").startswith(b"-ERR [IN-USE]")
        assert [b"+OK 1 3\r\n", b"+OK 2 6\r\n"] == [ann.ask(b"STAT"), bob.ask(b"STAT")]


@pytest.mark.parametrize(
    "options",
    [
        {"users": {}},
        {"users": {"a": ("b", [])}, "password": "c"},
        {"users": {"a": ("b", [])}, "source": [b"x"]},
    ],
)
def test_users_are_given_in_one_way(options: dict[str, Any]) -> None:
    """Some, or the one with password and source."""
    with pytest.raises(POP3UsageError, match="either users="):
        EmbeddedServer(**options)


# Where it can be reached


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_other_machines_can_log_in_only_by_decision_under_tls_with_a_given_password(
    host: str, server_tls: ssl.SSLContext
) -> None:
    """Each of the three is asked for before anything listens."""
    safe: dict[str, Any] = {"host": host, "expose": True, "context": server_tls, "password": "given"}
    EmbeddedServer(**safe)
    EmbeddedServer(**safe | {"password": None, "users": {"a": ("b", ())}})
    for spoilt in (
        {"expose": False},
        {"context": None},
        {"password": None},
        {"features": Features(plaintext=True)},
        {"password": None, "users": {"a": ("b", ()), "c": (None, ())}},
    ):
        with pytest.raises(POP3UsageError, match=r"is not loopback|takes a certificate"):
            EmbeddedServer(**safe | spoilt)


def test_a_server_that_cannot_be_made_can_be_shown_by_a_traceback_with_locals() -> None:
    """Python 3.11 prints none at all where a repr fails."""
    with pytest.raises(POP3UsageError) as raised:
        EmbeddedServer("/no/such/mailbox")
    shown = traceback.TracebackException.from_exception(raised.value, capture_locals=True)

    assert "<EmbeddedServer stopped, 0 messages>" in "".join(shown.format())


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost", "::1"])
def test_any_loopback_address_will_do(host: str) -> None:
    """Of either family."""
    with EmbeddedServer(host=host) as server, socket.create_connection((host, server.port), 20) as client:
        assert b"+OK pop3frames ready\r\n" == client.recv(100)
