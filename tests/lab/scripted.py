"""A server that follows a script: for hostile, broken and slow peers. It records every byte it received.

    with ScriptedServer([GREETING, ("STAT", b"+OK 1 20\r\n"), ("RETR 1", STALL)]) as server:
        ...

A step is what the client must send (a regular expression for a whole line; None: nothing; with a "?" before
it: or something else, then the step is passed over) and what happens then: bytes to send, or one of the
actions of this module, as many as the step names. Each connection plays its own script, the last one also
plays for all that follow. A client that strays from the script fails the `with` block.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any, Self


class Peer:
    """The server's end of one connection, as actions see it."""

    def __init__(self, connection: socket.socket, stopping: threading.Event) -> None:
        self.connection = connection
        self.stopping = stopping
        self.received = bytearray()
        self.sent = 0
        self._unread = bytearray()

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.connection.sendall(data)
        self.sent += len(data)

    def receive(self) -> bytes:
        """Some bytes from the client; b"" at the end."""
        data = self.connection.recv(65536)
        self.received += data
        return data

    def put_back(self, line: bytes) -> None:
        """The next line is this one again."""
        self._unread[:0] = line + b"\r\n"

    def forget(self) -> None:
        """What came and was not read as a line is nobody's business."""
        self._unread.clear()

    def line(self) -> bytes | None:
        """The next line without its line end; None when the client is gone."""
        while b"\n" not in self._unread:
            data = self.receive()
            if not data:
                return None
            self._unread += data
        line, _, rest = bytes(self._unread).partition(b"\n")
        self._unread[:] = rest
        return line.removesuffix(b"\r")


Action = bytes | Callable[[Peer], Any]
Step = tuple[Any, ...]  # (pattern or None, action, ...)
Script = Sequence[Step]


def CLOSE(peer: Peer) -> None:
    """Close in an orderly way; what the client still sends, or sent ahead, is nobody's business."""
    peer.forget()
    peer.connection.shutdown(socket.SHUT_RDWR)
    peer.connection.close()


def RESET(peer: Peer) -> None:
    """Close by a reset: to linger for 0 seconds means that."""
    peer.forget()
    peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.connection.close()


def STALL(peer: Peer) -> None:
    """Say nothing until the client is gone."""
    peer.forget()
    while peer.receive():
        pass


def drip(data: bytes, seconds: float) -> Action:
    """Send byte by byte, with a pause after each."""

    def action(peer: Peer) -> None:
        for byte in data:
            peer.send(bytes([byte]))
            if peer.stopping.wait(seconds):
                return

    return action


def endless(chunk: bytes) -> Action:
    """Send the same bytes until the client is gone."""

    def action(peer: Peer) -> None:
        while not peer.stopping.is_set():
            peer.send(chunk)

    return action


def start_tls(context: ssl.SSLContext) -> Action:
    """Go on under TLS."""

    def action(peer: Peer) -> None:
        peer.connection = context.wrap_socket(peer.connection, server_side=True)

    return action


GREETING: Step = (None, b"+OK ready\r\n")
NO_CAPA: Step = ("?CAPA", b"-ERR\r\n")
LOGIN: list[Step] = [GREETING, NO_CAPA, ("USER .*", b"+OK\r\n"), ("PASS .*", b"+OK\r\n")]
QUIT: Step = ("QUIT", b"+OK\r\n")


class ScriptedServer:
    """Plays one script a connection on a loopback port while a `with` block runs."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.peers: list[Peer] = []
        self.strayed: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @property
    def received(self) -> bytes:
        """All that came, of all connections."""
        return b"".join(bytes(peer.received) for peer in self.peers)

    @property
    def commands(self) -> list[str]:
        """All lines that came, of all connections."""
        return self.received.decode("latin-1").split("\r\n")[:-1]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        if kind is None:
            assert [] == self.strayed

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the block ended
                return
            peer = Peer(connection, self._stopping)
            script = self._scripts[min(len(self.peers), len(self._scripts) - 1)]
            self.peers.append(peer)
            self._start(self._serve, peer, script)

    def _serve(self, peer: Peer, script: Script) -> None:
        with contextlib.suppress(OSError):
            try:
                self._play(peer, script)
            finally:
                peer.connection.close()

    def _play(self, peer: Peer, script: Script) -> None:
        for pattern, *actions in script:
            if pattern is not None:
                line = peer.line()
                if line is None:
                    return
                if not re.fullmatch(pattern.removeprefix("?"), line.decode("latin-1")):
                    if pattern.startswith("?"):
                        peer.put_back(line)
                        continue
                    self.strayed.append(f"got {line!r} where the script has {pattern!r}")
                    return
            for action in actions:
                peer.send(action) if isinstance(action, bytes) else action(peer)
        line = peer.line()
        if line:
            self.strayed.append(f"got {line!r} behind the end of the script")
