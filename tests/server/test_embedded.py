"""The server over real sockets: sessions, clients that misbehave, start and stop."""

from __future__ import annotations

import poplib
import socket
import ssl
import struct
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from server.playing import poplib_of

from pop3frames.errors import POP3UsageError
from pop3frames.server.embedded import EmbeddedServer, server_context
from pop3frames.server.maildrop import Maildrop

Dial = Callable[..., Any]


def test_a_certificate_that_is_not_trusted_ends_the_handshake_and_nothing_else(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    """The next client is served."""
    with EmbeddedServer([b"x"], context=server_tls) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            poplib.POP3_SSL(
                server.host, server.tls_port or 0, context=ssl.create_default_context(), timeout=20
            )
        client = poplib_of(server, "implicit", client_tls)
        assert (1, 3) == client.stat()
        client.quit()


# Sessions


def test_a_second_login_is_told_in_use_and_succeeds_after_the_first_has_quit(dial: Dial) -> None:
    """One session a mailbox; QUIT gives it back before it is answered."""
    with EmbeddedServer([b"x"]) as server:
        first, second = dial(server), dial(server)
        assert first.login(server).startswith(b"+OK")
        assert second.login(server).startswith(b"-ERR [IN-USE]")
        assert first.ask(b"QUIT").startswith(b"+OK")

        assert second.login(server).startswith(b"+OK")
        assert b"+OK 1 3\r\n" == second.ask(b"STAT")


def test_what_was_deleted_is_gone_for_the_next_session(dial: Dial) -> None:
    """And the others keep their unique-ids."""
    with EmbeddedServer([b"x", b"y"]) as server:
        first = dial(server)
        first.login(server)
        first.ask(b"DELE 1")
        kept = first.ask(b"UIDL 2").split()[2]
        first.ask(b"QUIT")
        second = dial(server)
        second.login(server)

        assert b"+OK 1 " + kept + b"\r\n" == second.ask(b"UIDL 1")
        assert b"" == first.line()


@pytest.mark.parametrize("politely", [True, False], ids=["closed", "reset"])
def test_a_cut_connection_deletes_nothing(politely: bool, dial: Dial) -> None:
    """Whatever was marked (RFC 1939 section 6)."""
    server = EmbeddedServer([b"x", b"y"]).start()
    client = dial(server)
    client.login(server)
    assert client.ask(b"DELE 1").startswith(b"+OK")
    if not politely:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    server.stop()

    assert 2 == len(server.maildrop)
    assert server.maildrop.open() is not None


def test_a_silent_client_is_dropped_and_deletes_nothing(dial: Dial) -> None:
    """After `idle` seconds, without a word."""
    with EmbeddedServer([b"x"], idle=0.2) as server:
        client = dial(server)
        client.login(server)
        client.ask(b"DELE 1")
        assert b"" == client.line()
    assert 1 == len(server.maildrop)


def test_commands_behind_stls_in_plain_text_are_dropped(
    dial: Dial, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    """Nobody in the middle can log in, delete, or answer for the client (CVE-2024-34083, of aiosmtpd)."""
    with EmbeddedServer([b"x"], context=server_tls) as server:
        client = dial(server)
        login = f"USER {server.username}\r\nPASS {server.password}\r\nDELE 1\r\nQUIT\r\n".encode()
        assert b"+OK begin TLS\r\n" == client.ask(b"STLS\r\n" + login + b"CAPA")
        client.start_tls(client_tls)

        assert b"-ERR STAT is not allowed in the AUTHORIZATION state\r\n" == client.ask(b"STAT")
        assert b"-ERR TLS is not available\r\n" == client.ask(b"STLS")
        assert client.login(server).startswith(b"+OK")
        assert b"+OK 1 3\r\n" == client.ask(b"STAT")


def test_without_a_certificate_there_is_no_tls(dial: Dial) -> None:
    """No second port, and STLS is refused."""
    with EmbeddedServer() as server:
        assert None is server.tls_port
        assert dial(server).ask(b"STLS").startswith(b"-ERR")


# Clients that misbehave


def test_a_line_without_end_closes_the_connection(dial: Dial) -> None:
    """After 4096 octets; the mailbox is free again."""
    with EmbeddedServer([b"x"]) as server:
        client = dial(server)
        client.login(server)
        client.send(b"x" * 4096)
        assert b"" == client.line()
        again = dial(server)
        assert again.login(server).startswith(b"+OK")


def test_a_client_that_asks_and_does_not_read_costs_no_memory_and_does_not_hinder_stop(dial: Dial) -> None:
    """20,000 commands for 2 GB: the server stops reading while its output is blocked."""
    before = set(threading.enumerate())
    server = EmbeddedServer([b"x" * 100_000]).start()
    client = dial(server)
    client.login(server)

    def ask() -> None:
        with suppress(OSError):  # the server stops while this still waits
            client.send(b"RETR 1\r\n" * 20_000)

    tracemalloc.start()
    try:
        asking = threading.Thread(target=ask)
        asking.start()
        # A server that answers all at once has made all answers before the first octet of them comes.
        read = sum(len(client.line()) for _ in range(100))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        server.stop()
        asking.join()

    assert read > 3_000_000
    assert peak < 5_000_000
    assert before == set(threading.enumerate())


@pytest.mark.parametrize("greets", [False, True], ids=["silent", "began"])
@pytest.mark.parametrize("mode", ["stls", "implicit"])
def test_a_client_that_never_finishes_its_handshake_does_not_hinder_stop(
    mode: str, greets: bool, dial: Dial, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    """It would otherwise be waited for as long as `idle` is."""
    before = set(threading.enumerate())
    server = EmbeddedServer([b"x"], context=server_tls).start()
    if mode == "stls":
        client = dial(server)
        assert client.ask(b"STLS").startswith(b"+OK")
    else:
        client = dial(port=server.tls_port)
    if greets:
        answers, hello = ssl.MemoryBIO(), ssl.MemoryBIO()
        with suppress(ssl.SSLWantReadError):
            client_tls.wrap_bio(answers, hello, server_hostname="localhost").do_handshake()
        client.send(hello.read())
        assert b"\x16" == client.sock.recv(1)  # the server's half of the handshake
    server.stop()

    assert before == set(threading.enumerate())
    while client.line():
        pass


def test_a_client_that_speaks_no_tls_is_dropped(
    dial: Dial, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    """And the next one is served."""
    with EmbeddedServer([b"x"], context=server_tls) as server:
        stranger = dial(port=server.tls_port)
        stranger.send(b"USER ann\r\nPASS x\r\n")
        while stranger.line():  # a TLS alert
            pass
        client = poplib_of(server, "implicit", client_tls)
        assert (1, 3) == client.stat()
        client.close()


# Start and stop


def test_it_listens_on_loopback_only(server_tls: ssl.SSLContext) -> None:
    """Not on the other addresses of this machine, 127.0.0.2 for one."""
    with EmbeddedServer(context=server_tls) as server:
        assert "127.0.0.1" == server.host
        for port in (server.port, server.tls_port):
            assert {("127.0.0.1", port)} == {
                each[0].getsockname() for each in server._listeners if each[0].getsockname()[1] == port
            }
            with pytest.raises(OSError):
                socket.create_connection(("127.0.0.2", port or 0), timeout=20)


def test_stopping_ends_all_threads_and_connections_and_can_be_repeated(
    dial: Dial, server_tls: ssl.SSLContext
) -> None:
    """Clients that are logged in, that are not, and that are under TLS see the end of the line."""
    before = set(threading.enumerate())
    server = EmbeddedServer([b"x"], context=server_tls).start()
    clients = [dial(server), dial(server)]
    clients[0].login(server)
    server.stop()
    server.stop()

    assert [b"", b""] == [client.line() for client in clients]
    assert before == set(threading.enumerate())
    with pytest.raises(OSError):
        socket.create_connection((server.host, server.port), timeout=20)
    assert "<EmbeddedServer stopped, 1 messages>" == repr(server)


def test_a_stopped_server_starts_again_on_its_port_with_its_mail(dial: Dial) -> None:
    """And starting one that runs changes nothing."""
    server = EmbeddedServer([b"x", b"y"]).start()
    port = server.port
    with server:
        client = dial(server)
        client.login(server)
        client.ask(b"DELE 1")
        client.ask(b"QUIT")
    with server:
        assert port == server.port
        client = dial(server)
        client.login(server)
        assert b"+OK 1 3\r\n" == client.ask(b"STAT")


def test_stopping_a_server_that_never_started_is_harmless() -> None:
    """There is nothing to end."""
    EmbeddedServer().stop()


def test_a_port_that_is_taken_is_a_usage_error_and_leaves_nothing_behind(server_tls: ssl.SSLContext) -> None:
    """Also where the first of two ports was free."""
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        for ports in ({"port": taken}, {"tls_port": taken}):
            with pytest.raises(POP3UsageError, match=f"cannot listen on 127.0.0.1:{taken}"):
                EmbeddedServer(context=server_tls, **ports).start()
    assert before == set(threading.enumerate())


def test_each_server_has_a_password_of_its_own_unless_one_is_given() -> None:
    """Never a default one, and never in the repr."""
    one, other, given = EmbeddedServer(), EmbeddedServer(), EmbeddedServer(password="given")

    assert one.password != other.password
    assert len(one.password) >= 16
    assert "given" == given.password
    assert [] == [each for each in (one, other, given) if each.password in repr(each)]


def test_a_maildrop_is_served_as_it_is(dial: Dial) -> None:
    """What its owner delivers is there for the next session."""
    maildrop = Maildrop([b"x"])
    with EmbeddedServer(maildrop) as server:
        maildrop.add(b"y")
        client = dial(server)
        client.login(server)
        assert b"+OK 2 6\r\n" == client.ask(b"STAT")


def test_a_certificate_that_cannot_be_used_is_a_usage_error(authority_file: str, tmp_path: Path) -> None:
    """Not there, or without its key."""
    for path in (tmp_path / "nowhere.pem", authority_file):
        with pytest.raises(POP3UsageError, match="certificate or its key cannot be used"):
            server_context(str(path))
