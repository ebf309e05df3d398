"""TCP and TLS against deadlines: bytes out, bytes in. The only client file that knows sockets.

No POP3 here. The socket never blocks: while a write is pending, what the server sends is read, so that two
full buffers cannot wait for each other.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable

from pop3frames.errors import POP3ConnectionError, POP3UsageError
from pop3frames.protocol.grammar import DEFAULT_LIMITS

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
# What sockets and selectors raise; the last three where another thread closed them meanwhile (a pool does).
_GONE = (OSError, ValueError, KeyError, RuntimeError)

TLSContext = ssl.SSLContext  # so that other files can name the type without importing ssl


class Deadline:
    """How long one operation may take: `timeout` without a byte, and `timeout` plus a second a KiB in all.

    So silence ends it, and so does a server that drips bytes to keep a client waiting.
    """

    def __init__(
        self,
        timeout: float,
        minimum_rate: int = DEFAULT_LIMITS.minimum_rate,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timeout = timeout
        self._rate, self._clock = minimum_rate, clock
        self._idle_end = self._total_end = clock() + timeout

    def progress(self, octets: int) -> None:
        """So many octets arrived."""
        self._idle_end = self._clock() + self.timeout
        self._total_end += octets / self._rate

    def remaining(self) -> float:
        """Seconds left; zero or less when the operation must end."""
        return min(self._idle_end, self._total_end) - self._clock()


def default_context(cafile: str | None = None) -> ssl.SSLContext:
    """Certificates and host names are checked, TLS 1.2 or later. `cafile`: more CAs to trust, as PEM."""
    try:
        context = ssl.create_default_context()
        if cafile is not None:
            context.load_verify_locations(cafile=cafile)
    except (OSError, ssl.SSLError) as exc:
        raise POP3UsageError(
            f"the CA file {cafile!r} cannot be used: {exc}. It must hold certificates in PEM format."
        ) from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Wire:
    """One TCP connection, in plain text or under TLS. Any error closes it and is a POP3ConnectionError."""

    def __init__(self, host: str, port: int, timeout: float, context: ssl.SSLContext | None = None) -> None:
        """Connect, and with a `context` speak TLS from the first byte (RFC 8314)."""
        self._host, self._port = host, port
        self._process = os.getpid()
        self._outgoing = bytearray()
        self._waiting = False
        self._selector = selectors.DefaultSelector()
        try:
            self._socket: socket.socket | ssl.SSLSocket = socket.create_connection((host, port), timeout)
        except (OSError, ValueError, OverflowError) as exc:
            self._selector.close()
            raise self._unreachable(exc, timeout) from exc
        self._socket.setblocking(False)
        # A refill of the command window must not wait for the ACK of the one before (Nagle's algorithm).
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self._socket, _READ)
        if context is not None:
            self.start_tls(context, timeout)

    @property
    def name(self) -> str:
        """The peer, as messages name it."""
        return f"{self._host}:{self._port}"

    @property
    def encrypted(self) -> bool:
        """Whether TLS stands."""
        return isinstance(self._socket, ssl.SSLSocket)

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """What knows the TLS version, the cipher and the certificate; None in plain text."""
        return self._socket if isinstance(self._socket, ssl.SSLSocket) else None

    @property
    def is_loopback(self) -> bool:
        """Whether the peer is this machine."""
        try:
            return ipaddress.ip_address(self._socket.getpeername()[0].partition("%")[0]).is_loopback
        except (OSError, ValueError):
            return False

    def start_tls(self, context: ssl.SSLContext, timeout: float) -> None:
        """Handshake; the certificate must fit the host name that was dialled (RFC 2595 section 2.4)."""
        self._selector.unregister(self._socket)
        deadline = Deadline(timeout)
        try:
            self._socket.getpeername()  # wrapping a socket that was reset leaves it open (CPython 3.11)
            wrapped = context.wrap_socket(
                self._socket, server_hostname=self._host, do_handshake_on_connect=False
            )
            self._socket = wrapped
            self._selector.register(wrapped, _READ)
            while True:
                try:
                    wrapped.do_handshake()
                    return
                except ssl.SSLWantReadError:
                    self._wait(_READ, deadline)
                except ssl.SSLWantWriteError:
                    self._wait(_WRITE, deadline)
        except (OSError, ValueError) as exc:
            self.close()
            raise self._tls_failed(exc) from exc

    def queue(self, data: bytes) -> None:
        """Send these bytes with the next `receive`. Cannot fail: no traceback ever holds them."""
        self._outgoing += data

    def receive(self, deadline: Deadline, into: memoryview) -> int:
        """Send what is queued, and write the next bytes from the server there; how many they are."""
        self._check_process()
        try:
            while True:
                events = self._flush()
                try:
                    count = self._read(into)
                except (BlockingIOError, ssl.SSLWantReadError):
                    self._wait(events | _READ, deadline)
                except ssl.SSLWantWriteError:
                    self._wait(_WRITE, deadline)
                else:
                    deadline.progress(count)
                    return count
        except _GONE as exc:
            raise self._lost(exc) from exc

    def arrived(self, into: memoryview) -> int:
        """As `receive`, for what is here already, perhaps nothing: nobody waits, and nothing is sent."""
        self._check_process()
        try:
            return self._read(into)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except _GONE as exc:
            raise self._lost(exc) from exc

    def close(self) -> None:
        """Close at once; nothing is said to the server. Safe to call again, and from another thread.

        After a fork the child only drops its copies: the parent goes on.
        """
        self._outgoing = bytearray()
        if os.getpid() != self._process:
            self._selector.close()
            self._socket.close()
            return
        with contextlib.suppress(OSError):  # not SSLSocket's shutdown, which leaves TLS first
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        if self._waiting:  # in another thread, which wakes up, finds the end of the stream, and closes
            return
        self._selector.close()
        self._socket.close()

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            self.close()
            raise POP3ConnectionError(f"the connection to {self.name} belongs to the process that forked")

    def _read(self, into: memoryview) -> int:
        count = self._socket.recv_into(into)
        if not count:
            raise ConnectionResetError("the server closed it")
        if self.encrypted:
            # A read brings one record, of some servers 4 KB: what has come is taken together.
            with contextlib.suppress(OSError):  # nothing more yet, or what the next read will meet again
                while count < len(into) and (more := self._socket.recv_into(into[count:])):
                    count += more
        return count

    def _lost(self, exc: Exception) -> POP3ConnectionError:
        self.close()
        return POP3ConnectionError(f"the connection to {self.name} was lost: {exc}")

    def _flush(self) -> int:
        """Write what the kernel takes; the event to wait for when something is left, else 0."""
        while self._outgoing:
            try:
                sent = self._socket.send(self._outgoing)
            except (BlockingIOError, ssl.SSLWantWriteError):
                return _WRITE
            except ssl.SSLWantReadError:
                return _READ
            del self._outgoing[:sent]
        return 0

    def _wait(self, events: int, deadline: Deadline) -> None:
        remaining = deadline.remaining()
        if remaining > 0:
            if self._selector.get_key(self._socket).events != events:
                self._selector.modify(self._socket, events)
            self._waiting = True
            try:
                if self._selector.select(remaining):
                    return
            finally:
                self._waiting = False
        self.close()
        raise POP3ConnectionError(
            f"{self.name} did not answer in time (timeout {deadline.timeout:g} s): "
            "the server hangs, or a larger timeout is needed"
        )

    def _unreachable(self, exc: Exception, timeout: float) -> POP3ConnectionError:
        if isinstance(exc, socket.gaierror | ValueError):
            return POP3ConnectionError(f"unknown host {self._host!r}: check the name ({exc})")
        if isinstance(exc, ConnectionRefusedError):
            return POP3ConnectionError(
                f"{self.name} refused the connection: is the port right? "
                "995 is usual for encryption='ssl', 110 for 'tls' and 'none'"
            )
        if isinstance(exc, TimeoutError):
            return POP3ConnectionError(f"{self.name} did not answer in {timeout:g} s: check host and port")
        return POP3ConnectionError(f"cannot connect to {self.name}: {exc}")

    def _tls_failed(self, exc: OSError | ValueError) -> POP3ConnectionError:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return POP3ConnectionError(
                f"the certificate of {self._host} was not accepted: {exc.verify_message}. "
                "Dial the name it was made for; for a private CA pass cafile= or context=",
                retryable=False,
            )
        if isinstance(exc, ssl.SSLError) and exc.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            return POP3ConnectionError(
                f"{self.name} does not speak TLS from the first byte: try encryption='tls', on port 110; "
                "where that is what failed, somebody may be putting plain text into the connection",
                retryable=False,
            )
        return POP3ConnectionError(f"no TLS with {self.name}: {exc}")
