"""EmbeddedServer: a POP3 server in this process, for demos, tests and notebooks. Sockets and threads."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import secrets
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

from pop3frames.errors import POP3ProtocolError, POP3UsageError
from pop3frames.protocol.grammar import DEFAULT_LIMITS, Limits
from pop3frames.server.faults import AnyFault, HangUp, Pause, Silence, Step
from pop3frames.server.features import DEFAULT_BOUNDS, DEFAULT_FEATURES, Bounds, Features
from pop3frames.server.maildrop import Maildrop, StoredMessage
from pop3frames.server.plan import FaultPlan
from pop3frames.server.session import ServerSession, Service, turned_away
from pop3frames.server.sources import read_mailbox
from pop3frames.server.users import Clock, Tokens, User, Users

Source = str | Path | Maildrop | Iterable[bytes | StoredMessage]

_CHUNK = 64 << 10
_RETRY = 0.1  # seconds until a listener that could not accept tries again
_LEAST_WAIT = 0.001  # seconds; a time-out of 0 would mean something else
_LINGER_NOT = struct.pack("ii", 1, 0)  # close by a reset

_log = logging.getLogger(__name__)


def server_context(certfile: str, keyfile: str | None = None) -> ssl.SSLContext:
    """The TLS side of a server with this certificate chain and key (PEM). POP3UsageError if unreadable."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certfile, keyfile)
    except OSError as exc:
        raise POP3UsageError(f"the certificate or its key cannot be used: {exc}") from exc
    return context


class EmbeddedServer:
    """Serves mailboxes on loopback while a `with` block runs, or between `start()` and `stop()`.

    source      a folder of .eml files, an mbox, a snapshot or a dataset (a path), a Maildrop, or the messages
    username    who may log in
    password    None: a random one, readable as `server.password`
    users       instead of these three: passwords and sources by name, each with a mailbox of its own;
                `server.users[name]` has them as they are, and `server.username` is the first
    tokens      for XOAUTH2 and OAUTHBEARER: a token by name, or a function of name and token that says
                whether it is good; looked up at each login
    context     an ssl.SSLContext with a certificate: offers STLS on `port` and TLS from the first byte on
                `tls_port`, and no login in plain text (see `Features.plaintext`); without one there is no TLS
                and `tls_port` is None
    port        0: a free one
    host        an address of this machine; other than loopback only with `expose=True`, a `context` and
                given passwords
    idle        seconds without a whole command until a session ends, nothing deleted (RFC 1939: 600 at least)
    features    what it can do; bounds, limits: what it puts up with
    faults      what it does wrong (see pop3frames/server/faults.py)
    clock       seconds, for LOGIN-DELAY

    Deletions change the mailbox in memory, never the files it came from. What cannot be served so is a
    POP3UsageError.
    """

    def __init__(
        self,
        source: Source = (),
        *,
        username: str = "user",
        password: str | None = None,
        users: Mapping[str, tuple[str | None, Source]] | None = None,
        tokens: Tokens | None = None,
        context: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        expose: bool = False,
        port: int = 0,
        tls_port: int = 0,
        idle: float = 600,
        features: Features = DEFAULT_FEATURES,
        bounds: Bounds = DEFAULT_BOUNDS,
        limits: Limits = DEFAULT_LIMITS,
        faults: Iterable[AnyFault] = (),
        clock: Clock = time.monotonic,
    ) -> None:
        # First what a repr shows: tracebacks with locals ask for one, whatever raises below.
        self.host, self.port, self.tls_port = host, port, tls_port if context else None
        self.users: dict[str, User] = {}
        self._listeners: list[tuple[socket.socket, threading.Thread]] = []
        given = {username: (password, source)} if users is None else users
        if not given or (users is not None and (source or password)):
            raise POP3UsageError("give either users= with one user at least, or source and password")
        if not _is_loopback(host):
            _check_exposure(host, expose, features, context, [password for password, _ in given.values()])
        self.users = {
            name: User(name, password or secrets.token_urlsafe(12), _maildrop(source))
            for name, (password, source) in given.items()
        }
        first = next(iter(self.users.values()))
        self.username, self.password, self.maildrop = first.name, first.password, first.maildrop
        self._service = Service(
            Users(self.users.values(), tokens, clock),
            features=features,
            bounds=bounds,
            limits=limits,
            faults=FaultPlan(faults),
            has_tls=context is not None,
        )
        self._context, self._idle = context, idle
        # `_lock` guards `_threads`, `_connections` and `_accepted`; the listeners belong to start and stop.
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads: set[threading.Thread] = set()  # all that may be alive; stop() waits for them
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._accepted = 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = f"{self.host}:{self.port}" if self._listeners else "stopped"
        return f"<EmbeddedServer {state}, {sum(len(user.maildrop) for user in self.users.values())} messages>"

    def start(self) -> Self:
        """Listen. Raises POP3UsageError when the port is taken; does nothing when listening already."""
        if self._listeners:
            return self
        self._stopping.clear()
        self.port = self._listen(self.port, tls=False)
        if self.tls_port is not None:
            self.tls_port = self._listen(self.tls_port, tls=True)
        return self

    def stop(self) -> None:
        """Stop listening and cut the sessions that are open: nothing they marked is deleted."""
        self._stopping.set()
        for listener, thread in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()
        self._listeners.clear()
        with self._lock:
            threads = list(self._threads)
            for connection in self._connections.values():
                _shut(connection)
        for thread in threads:
            thread.join()

    def _listen(self, port: int, *, tls: bool) -> int:
        try:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            listener = socket.create_server((self.host, port), family=family)
        except OSError as exc:
            self.stop()
            raise POP3UsageError(f"cannot listen on {self.host}:{port}: {exc.strerror}") from exc
        thread = threading.Thread(target=self._accept, args=(listener, tls), daemon=True)
        self._listeners.append((listener, thread))
        thread.start()
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket, tls: bool) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = listener.accept()
                self._admit(connection, tls)
            except (OSError, RuntimeError) as exc:  # no descriptor or no thread left: that passes
                if not self._stopping.is_set():
                    _log.warning("a connection could not be accepted: %s", exc)
                    self._stopping.wait(_RETRY)

    def _admit(self, connection: socket.socket, tls: bool) -> None:
        with self._lock:
            full = len(self._connections) >= self._service.bounds.connections
            if not full:
                self._accepted += 1
                arguments = (connection, tls, self._accepted)
                thread = threading.Thread(target=self._serve, args=arguments, daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    connection.close()
                    raise
                self._threads = {each for each in self._threads if each.is_alive()} | {thread}
                self._connections[thread] = connection
        if full:
            with connection, contextlib.suppress(OSError):
                if not tls:
                    connection.send(turned_away(self._service))

    def _serve(self, connection: socket.socket, tls: bool, number: int) -> None:
        session = ServerSession(self._service, under_tls=tls, connection=number)
        end = HangUp()
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end = self._converse(self._secured(connection) if tls else connection, session)
        except (OSError, POP3ProtocolError):  # the client left, was silent too long, or speaks no POP3
            pass
        finally:
            session.close()
            with self._lock:
                connection = self._connections.pop(threading.current_thread())
            if end.reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            else:  # or what the client sent and nobody read would make a reset of it
                _shut(connection)
            connection.close()

    def _converse(self, connection: socket.socket, session: ServerSession) -> HangUp:
        """From the greeting to the end, which is how the connection is to be closed."""
        connection.settimeout(self._idle)
        end = self._perform(connection, session.greeting())
        until = time.monotonic() + self._idle
        while end is None and not session.ended:
            connection.settimeout(max(until - time.monotonic(), _LEAST_WAIT))
            data = connection.recv(_CHUNK)
            if not data:
                break
            session.receive(data)
            connection.settimeout(self._idle)
            end = self._perform(connection, session.replies())
            if b"\n" in data:  # octets alone are no command: who drips them would keep the mailbox locked
                until = time.monotonic() + self._idle
            if session.wants_tls and end is None:
                connection = self._secured(connection)
                session.tls_started()
        return end or HangUp()

    def _perform(self, connection: socket.socket, steps: Iterator[Step]) -> HangUp | None:
        """Do what a session, or a fault in it, asks for; None: the session goes on."""
        for step in steps:
            if isinstance(step, bytes):
                if step:  # a TLS socket cannot send nothing
                    connection.sendall(step)
            elif isinstance(step, Pause):
                if self._stopping.wait(step.seconds):
                    return HangUp()
            elif isinstance(step, Silence):
                while connection.recv(_CHUNK):
                    pass
                return HangUp()
            else:
                return step
        return None

    def _secured(self, connection: socket.socket) -> ssl.SSLSocket:
        assert self._context is not None, "TLS is offered only with a context"
        with self._lock:  # the handshake comes later, so that stop() can cut a client that never finishes it
            wrapped = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            self._connections[threading.current_thread()] = wrapped
        wrapped.settimeout(self._service.bounds.handshake)  # for all of it, not for a byte
        wrapped.do_handshake()
        return wrapped


def _maildrop(source: Source) -> Maildrop:
    if isinstance(source, str | Path):
        source = read_mailbox(source)
    return source if isinstance(source, Maildrop) else Maildrop(source)


def _shut(connection: socket.socket) -> None:
    # Not SSLSocket.shutdown: it would take the TLS object from under the thread that uses it.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_exposure(
    host: str,
    expose: bool,
    features: Features,
    context: ssl.SSLContext | None,
    passwords: list[str | None],
) -> None:
    """Other machines may reach it: then by decision, under TLS, and with no password that was printed."""
    if not expose:
        raise POP3UsageError(
            f"{host} is not loopback: other machines could log in; say expose=True if they may"
        )
    if context is None or features.plaintext or None in passwords:
        raise POP3UsageError(
            f"to serve {host} takes a certificate, passwords of your own, and no logins in plain text"
        )
