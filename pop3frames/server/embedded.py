"""EmbeddedServer: a POP3 server in this process, for demos, tests and notebooks. Sockets and threads."""

from __future__ import annotations

import contextlib
import secrets
import socket
import ssl
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from pop3frames.errors import POP3ProtocolError, POP3UsageError
from pop3frames.protocol.grammar import DEFAULT_LIMITS, Limits
from pop3frames.server.maildrop import Maildrop, StoredMessage
from pop3frames.server.session import ServerSession
from pop3frames.server.sources import read_mailbox

_LOOPBACK = "127.0.0.1"
_CHUNK = 64 << 10


def server_context(certfile: str, keyfile: str | None = None) -> ssl.SSLContext:
    """The TLS side of a server with this certificate chain and key (PEM). POP3UsageError if unreadable."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certfile, keyfile)
    except OSError as exc:
        raise POP3UsageError(f"the certificate or its key cannot be used: {exc}") from exc
    return context


class EmbeddedServer:
    """Serves one mailbox on loopback while a `with` block runs, or between `start()` and `stop()`.

    source      a folder of .eml files, an mbox file or a dataset (a path), a Maildrop, or the messages
    username    who may log in
    password    None: a random one, readable as `server.password`
    context     an ssl.SSLContext with a certificate: offers STLS on `port` and TLS from the first byte on
                `tls_port`; without one there is no TLS and `tls_port` is None
    port        0: a free one
    idle        seconds without a command before a session ends without deleting (RFC 1939 section 3: >= 600)

    Deletions change the mailbox in memory, never the files it came from.
    """

    def __init__(
        self,
        source: str | Path | Maildrop | Iterable[bytes | StoredMessage] = (),
        *,
        username: str = "user",
        password: str | None = None,
        context: ssl.SSLContext | None = None,
        port: int = 0,
        tls_port: int = 0,
        idle: float = 600,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if isinstance(source, str | Path):
            source = read_mailbox(source)
        self.maildrop = source if isinstance(source, Maildrop) else Maildrop(source)
        self.username = username
        self.password = password or secrets.token_urlsafe(12)
        self.host = _LOOPBACK
        self.port, self.tls_port = port, tls_port if context else None
        self._context, self._idle, self._limits = context, idle, limits
        # `_lock` guards `_connections`; the listeners belong to start and stop.
        self._lock = threading.Lock()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._listeners: list[tuple[socket.socket, threading.Thread]] = []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = f"{self.host}:{self.port}" if self._listeners else "stopped"
        return f"<EmbeddedServer {state}, {len(self.maildrop)} messages>"

    def start(self) -> Self:
        """Listen. Raises POP3UsageError when the port is taken; does nothing when listening already."""
        if self._listeners:
            return self
        self.port = self._listen(self.port, tls=False)
        if self.tls_port is not None:
            self.tls_port = self._listen(self.tls_port, tls=True)
        return self

    def stop(self) -> None:
        """Stop listening and cut the sessions that are open: nothing they marked is deleted."""
        for listener, thread in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()
        self._listeners.clear()
        with self._lock:
            threads = list(self._connections)
            for connection in self._connections.values():
                # Not SSLSocket.shutdown: it would take the TLS object from under the thread that uses it.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in threads:
            thread.join()

    def _listen(self, port: int, *, tls: bool) -> int:
        try:
            listener = socket.create_server((self.host, port))
        except OSError as exc:
            self.stop()
            raise POP3UsageError(f"cannot listen on {self.host}:{port}: {exc.strerror}") from exc
        thread = threading.Thread(target=self._accept, args=(listener, tls), daemon=True)
        self._listeners.append((listener, thread))
        thread.start()
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket, tls: bool) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # stopped
                return
            thread = threading.Thread(target=self._serve, args=(connection, tls), daemon=True)
            with self._lock:
                self._connections[thread] = connection
            thread.start()

    def _serve(self, connection: socket.socket, tls: bool) -> None:
        session = ServerSession(
            self.maildrop,
            self.username,
            self.password,
            offers_stls=self._context is not None and not tls,
            limits=self._limits,
        )
        try:
            connection.settimeout(self._idle)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._converse(self._secured(connection) if tls else connection, session)
        except (OSError, POP3ProtocolError):  # the client left, was silent too long, or speaks no POP3
            pass
        finally:
            session.close()
            with self._lock:
                self._connections.pop(threading.current_thread()).close()

    def _converse(self, connection: socket.socket, session: ServerSession) -> None:
        connection.sendall(session.greeting())
        while not session.ended:
            data = connection.recv(_CHUNK)
            if not data:
                return
            session.receive(data)
            for reply in session.replies():
                connection.sendall(reply)
            if session.wants_tls:
                connection = self._secured(connection)
                session.tls_started()

    def _secured(self, connection: socket.socket) -> ssl.SSLSocket:
        assert self._context is not None, "TLS is offered only with a context"
        with self._lock:  # the handshake comes later, so that stop() can cut a client that never finishes it
            wrapped = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            self._connections[threading.current_thread()] = wrapped
        wrapped.do_handshake()
        return wrapped
