"""A TCP relay that records both directions and can break a connection after so many bytes from the server.

with Relay(server.port, after=10_000, then="cut") as relay:   # the first connection; the next ones live
    ...  # a client at relay.port
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Literal, Self

LOOPBACK = "127.0.0.1"


class Relay:
    """Passes bytes between clients and a port on loopback while a `with` block runs.

    after, then   that many bytes from the server are passed on, then it is "cut" (an orderly end), "reset" or
                  "stall" (nothing more, but the connection stays)
    first         how many connections this happens to
    buffer        octets of the kernel's buffers on all sockets; None: the usual ones
    """

    def __init__(
        self,
        target: int,
        *,
        after: int | None = None,
        then: Literal["cut", "reset", "stall"] = "cut",
        first: int = 1,
        buffer: int | None = None,
    ) -> None:
        self._target, self._after, self._then, self._first = target, after, then, first
        self._buffer = buffer
        self.from_clients: list[bytearray] = []  # one a connection
        self.from_server: list[bytearray] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = self._new_socket()
        self._listener.bind((LOOPBACK, 0))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]

    @property
    def capture(self) -> bytes:
        """Every byte that crossed, of all connections in both directions."""
        return b"".join(map(bytes, [*self.from_clients, *self.from_server]))

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        for each in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in [self._listener, *self._sockets]:
            each.close()

    def _new_socket(self) -> socket.socket:
        new = socket.socket()
        if self._buffer is not None:  # an accepted socket has those of its listener
            new.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
            new.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._buffer)
        return new

    def _start(self, target: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # the block ended
                return
            server = self._new_socket()
            self._sockets += [client, server]
            try:
                server.connect((LOOPBACK, self._target))
            except OSError:
                client.close()
                continue
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            broken = len(self.from_clients) < self._first
            self.from_clients.append(bytearray())
            self.from_server.append(bytearray())
            upwards = self._start(self._pass_on, client, server, self.from_clients[-1])
            limit = self._after if broken else None
            self._start(self._pass_on, server, client, self.from_server[-1], limit, upwards)

    def _pass_on(
        self,
        source: socket.socket,
        sink: socket.socket,
        record: bytearray,
        limit: int | None = None,
        upwards: threading.Thread | None = None,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                whole = limit is None or len(record) + len(data) < limit
                data = data if whole else data[: limit - len(record)]
                record += data
                sink.sendall(data)
                if upwards is not None and not whole:
                    self._break(source, sink, upwards)
                    return
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _break(self, server: socket.socket, client: socket.socket, upwards: threading.Thread) -> None:
        """What happens now; `upwards` is the thread that passes on what the client sends."""
        if self._then == "stall":
            return
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        if self._then == "cut":
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            return
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RD)
        upwards.join()  # while a thread waits on a socket, its close() closes nothing
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # 0 seconds: a reset
        client.close()
