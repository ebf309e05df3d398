"""The relay breaks connections in the way it says."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from lab.relay import Relay
from lab.scripted import STALL, Peer, ScriptedServer


def _echo(peer: Peer) -> None:
    while data := peer.receive():
        peer.send(data)


def _errors_of_a_client(port: int, *, busy: bool) -> list[str]:
    """What its reads and, if it is busy, its writes ended in."""
    errors: list[str] = []

    def push(client: socket.socket) -> None:
        try:
            while True:
                client.sendall(b"x" * 1000)
        except OSError as exc:
            errors.append(type(exc).__name__)

    client = socket.socket()
    pushing = threading.Thread(target=push, args=(client,))
    with client:
        try:  # a quick reset is told by connect()
            client.settimeout(5)
            client.connect(("127.0.0.1", port))
            if busy:
                pushing.start()
            while client.recv(65536):
                pass
        except OSError as exc:
            errors.append(type(exc).__name__)
    if busy:
        pushing.join()
    return errors


@pytest.mark.parametrize("busy", [False, True], ids=["quiet client", "busy client"])
def test_a_reset_arrives_as_one_every_time(busy: bool) -> None:
    """Also while another thread of the relay reads from the client."""
    seen: list[list[str]] = []
    for _ in range(20):
        script: list[tuple[Any, ...]] = [(None, _echo)] if busy else [(None, b"x" * 30_000, STALL)]
        with ScriptedServer(script) as server, Relay(server.port, after=20_000, then="reset") as relay:
            seen.append(_errors_of_a_client(relay.port, busy=busy))

    # The kernel tells of a reset once: to whoever reads or to whoever writes.
    assert all("ConnectionResetError" in errors for errors in seen), seen


def test_a_cut_is_an_orderly_end_after_so_many_octets() -> None:
    """And the next connection lives."""
    received = []
    with ScriptedServer([(None, b"x" * 1000)]) as server, Relay(server.port, after=500) as relay:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", relay.port), 5) as client:
                data = bytearray()
                while piece := client.recv(65536):
                    data += piece
                    if len(data) == 1000:
                        break
                received.append(len(data))

    assert [500, 1000] == received
