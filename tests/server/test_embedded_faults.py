"""Faults over real sockets: what the other side sees, and that a run with faults ends."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Add, AnyFault, Drip, Drop, Endless, Reset, Say, Stall, Unpipelined

Dial = Callable[..., Any]
MAIL = b"Subject: x\r\n\r\n" + b"y" * 2000 + b"\r\n"


def _retrieve(client: Any, server: EmbeddedServer) -> tuple[bytes, str]:
    """All that comes after a login and RETR, and how the connection ends."""
    client.login(server)
    client.send(b"RETR 1\r\n")
    got = b""
    try:
        while data := client.sock.recv(65536):
            got += data
    except OSError as exc:
        return got, type(exc).__name__
    return got, "closed"


@pytest.mark.parametrize(
    ("fault", "end"),
    [(Drop("RETR", octets=1000), "closed"), (Reset("RETR", octets=1000), "ConnectionResetError")],
)
def test_a_cut_is_an_orderly_end_or_a_reset(fault: AnyFault, end: str, dial: Dial) -> None:
    """As the client's own socket tells them apart; the mailbox is free before it can know."""
    with EmbeddedServer([MAIL], faults=[fault]) as server:
        for _ in range(5):
            got, seen = _retrieve(dial(server), server)
            assert (1000, end) == (len(got), seen)
            assert got.startswith(b"+OK 2016 octets\r\n")


def test_an_orderly_end_is_one_though_commands_wait_unread(dial: Dial) -> None:
    """The kernel would make a reset of it: these are more than the server reads at once."""
    with EmbeddedServer([MAIL], faults=[Drop("RETR", octets=None)]) as server:
        for _ in range(5):
            client = dial(server)
            client.login(server)
            with suppress(OSError):  # the end can come while this is being sent
                client.send(b"RETR 1\r\n" * 100_000)
            with client.sock.makefile("rb") as file:
                assert file.read().endswith(b"\r\n.\r\n")


@pytest.mark.parametrize(("fault", "end"), [(Drop("RETR"), 0), (Reset("RETR"), errno.ECONNRESET)])
def test_a_reset_is_one_under_tls_too(
    fault: AnyFault, end: int, dial: Dial, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    """Read below TLS: Python's ssl can report a reset as an end."""
    with EmbeddedServer([MAIL], context=server_tls, faults=[fault]) as server:
        client = dial(server)
        client.ask(b"STLS")
        client.start_tls(client_tls)
        client.login(server)
        client.send(b"RETR 1\r\n")
        try:
            seen = len(socket.socket.recv(client.sock, 1))
        except OSError as exc:
            seen = exc.errno or 0
        assert end == seen


def test_a_fault_is_for_its_connection_in_the_order_of_their_coming(dial: Dial) -> None:
    """The second is dropped at the greeting, the third is served."""
    with EmbeddedServer([MAIL], faults=[Drop("greeting", connections={2})]) as server:
        greetings = [dial(port=server.port).line() for _ in range(3)]

    assert [b"+OK pop3frames ready\r\n", b"", b"+OK pop3frames ready\r\n"] == greetings


@pytest.mark.parametrize(
    ("fault", "octets"),
    [
        (Stall("RETR"), 0),
        (Stall("RETR", octets=100), 100),
        (Drip("RETR", octets=50, seconds=0), 100),
        (Drip("RETR", seconds=3600), 0),
        (Say("RETR", b"", seconds=3600), 0),
        (Endless("RETR", what="line"), 500_000),
        (Endless("RETR", what="body"), 500_000),
        (Endless("RETR", what="listing"), 500_000),
    ],
    ids=repr,
)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_a_fault_ends_when_the_server_stops(
    fault: AnyFault,
    octets: int,
    tls: bool,
    dial: Dial,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
) -> None:
    """With a client that waits and reads no more than these octets; no thread is left."""
    before = set(threading.enumerate())
    server = EmbeddedServer([MAIL], context=server_tls if tls else None, faults=[fault]).start()
    client = dial(server)
    if tls:
        client.ask(b"STLS")
        client.start_tls(client_tls)
    client.login(server)
    client.send(b"RETR 1\r\n")
    got = 0
    while got < octets:
        got += len(client.sock.recv(octets - got))
    server.stop()

    assert octets == got
    assert before == set(threading.enumerate())
    assert server.maildrop.open() is not None


def test_a_fault_ends_when_the_client_leaves(dial: Dial) -> None:
    """A silent server notices it, and one that never stops sending too."""
    for fault in (Stall("NOOP"), Endless("NOOP")):
        with EmbeddedServer([MAIL], faults=[fault]) as server:
            listening = set(threading.enumerate())
            client = dial(server)
            client.login(server)
            client.send(b"NOOP\r\n")
            [session] = set(threading.enumerate()) - listening
            client.close()
            session.join(20)
            assert not session.is_alive()


def test_octets_injected_behind_stls_arrive_before_tls(
    dial: Dial, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    """In one piece with the reply; a client that skips them can go on, and hears nothing of them again."""
    fault = Add("STLS", b"+OK injected\r\n")
    with EmbeddedServer([MAIL], context=server_tls, faults=[fault]) as server:
        client = dial(server)
        client.send(b"STLS\r\n")
        assert b"+OK begin TLS\r\n+OK injected\r\n" == client.sock.recv(65536)
        client.start_tls(client_tls)
        assert client.login(server).startswith(b"+OK")


def test_a_server_that_falsely_announces_pipelining_closes_at_a_batch(dial: Dial) -> None:
    """One at a time it serves."""
    with EmbeddedServer([MAIL], faults=[Unpipelined(closes=True)]) as server:
        client = dial(server)
        assert client.login(server).startswith(b"+OK")
        client.send(b"STAT\r\n" * 10)
        assert [b"+OK 1 2016\r\n", b""] == [client.line(), client.line()]


def test_with_no_fault_the_socket_is_left_in_peace(dial: Dial) -> None:
    """The control: QUIT ends in an orderly way."""
    with EmbeddedServer([MAIL], faults=[Reset("RETR")]) as server:
        client = dial(server)
        client.login(server)
        assert client.ask(b"QUIT").startswith(b"+OK")
        assert b"" == client.sock.recv(1)
        assert 0 == client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
