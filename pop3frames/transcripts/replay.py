"""Playing a transcript to a client: no socket, no server, strict both ways.

The client must send what was recorded, in that order, and gets what the server said, in pieces as wished. The
file format is in `transcript.py`, the comparison in `tape.py`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from pop3frames.client.credentials import Secret
from pop3frames.client.exchange import Observer
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3
from pop3frames.client.retry import Retry
from pop3frames.client.wire import Deadline, TLSContext, Wire
from pop3frames.errors import POP3ConnectionError, POP3UsageError
from pop3frames.protocol.grammar import CRLF, DEFAULT_LIMITS, Limits
from pop3frames.transcripts.tape import ReplayError, Tape
from pop3frames.transcripts.transcript import read_transcript

Chunk = int | Callable[[], int] | None  # octets a read; called for each; None: all there is

_NO_TLS = cast(TLSContext, None)  # a replay has TLS in name only


class _TapeWire(Wire):
    """A wire whose other end is a tape."""

    def __init__(self, tape: Tape, chunk: Chunk) -> None:
        self._tape, self._octets_a_read = tape, chunk
        self._outgoing = bytearray()
        self._closed = False

    @property
    def name(self) -> str:
        return "replay"

    @property
    def encrypted(self) -> bool:
        return self._tape.encrypted

    @property
    def is_loopback(self) -> bool:
        return True  # nothing leaves this process: no warning of plain text, and tokens may be sent

    def start_tls(self, context: TLSContext, timeout: float) -> None:  # noqa: ARG002  (a wire has them)
        self._tape.start_tls()

    def receive(self, deadline: Deadline, into: memoryview) -> int:  # noqa: ARG002  (nothing takes time here)
        if self._tape.error is not None:
            raise self._tape.error
        if self._closed:
            raise POP3ConnectionError("the replay was closed")
        while self._outgoing:
            end = self._outgoing.index(CRLF) + len(CRLF)
            self._tape.client_said(bytes(self._outgoing[:end]))
            del self._outgoing[:end]
        return self._read(into)

    def arrived(self, into: memoryview) -> int:
        return self._read(into) if self._tape.unread else 0

    def _read(self, into: memoryview) -> int:
        most = self._octets_a_read() if callable(self._octets_a_read) else self._octets_a_read
        data = self._tape.deliver(len(into) if most is None else min(most, len(into)))
        into[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._closed = True
        self._outgoing = bytearray()


class ReplayedPOP3(POP3):
    """A POP3 client that talks to a transcript; as a context manager it also checks that nothing is left."""

    def __init__(self, tape: Tape, chunk: Chunk, **options: Any) -> None:
        self.tape, self._octets_a_read = tape, chunk
        super().__init__("replay", **options)

    def _open_wire(self, host: str, port: int, timeout: float) -> Wire:  # noqa: ARG002
        return _TapeWire(self.tape, self._octets_a_read)

    def stls(self, context: TLSContext | None = None) -> bytes:
        """STLS, with nothing behind it: the transcript says where TLS starts."""
        return super().stls(context or _NO_TLS)

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        """QUIT unless the session has ended, and check; after an exception say what strayed before it."""
        if kind is None:
            if not self._conversation.ended:
                self.quit()
            self.tape.check()
        self.close()
        if self.tape.error is not None and kind is not ReplayError:
            raise self.tape.error


def replay(
    path: str | os.PathLike[str],
    *,
    chunk: Chunk = None,
    pipelining: bool | None = None,
    limits: Limits = DEFAULT_LIMITS,
    observers: Iterable[Observer] = (),
) -> ReplayedPOP3:
    """A client connected to the one connection of a transcript; `with` QUITs and checks at its end.

    chunk     octets the client gets a read, or a function that says so for each read; None: all there is
    others    as for POP3; secrets are not compared, users' names are (in a masked transcript `user1`)

    Raises POP3UsageError for a file that is none, ReplayError as soon as the client does something else.
    """
    name, tapes = _tapes(path)
    if len(tapes) != 1:
        raise POP3UsageError(f"{name} has {len(tapes)} connections: use replay_handler")
    return ReplayedPOP3(tapes[0], chunk, pipelining=pipelining, limits=limits, observers=observers)


class _ReplayedHandler(POP3ProtocolHandler):
    """A handler that gets a transcript's connections, one after another."""

    def __init__(self, tapes: list[Tape], chunk: Chunk, **options: Any) -> None:
        self.tapes, self._waiting, self._octets_a_read = tapes, list(tapes), chunk
        super().__init__("replay", 110, **options)

    def _open_client(self) -> POP3:
        if not self._waiting:
            error = ReplayError("the client opens a connection, and the transcript has no more of them")
            self.tapes[-1].error = self.tapes[-1].error or error
            raise error
        tape = self._waiting.pop(0)
        pipelining = False if self._serial else self._pipelining
        client = ReplayedPOP3(
            tape, self._octets_a_read, timeout=self.timeout, pipelining=pipelining, observers=self._observers
        )
        if tape.starts_tls:
            client.stls()
        if self._announced is not None:
            client.remember(self._announced)
        return client


@contextlib.contextmanager
def replay_handler(
    path: str | os.PathLike[str],
    *,
    chunk: Chunk = None,
    username: str | None = None,
    **options: Any,
) -> Iterator[POP3ProtocolHandler]:
    """A handler over a transcript, not connected yet; when the block ends nothing may be left over.

    username   None: as the transcript shows it, else 'user'
    options    those of POP3ProtocolHandler that matter: auth, pipelining, utf8, observers

    Raises as `replay` does. What a handler takes for a server's error and survives is raised at the end.
    """
    _, tapes = _tapes(path)
    user = username or next((tape.user for tape in tapes if tape.user), "user")
    quick = Retry(sleep=lambda _seconds: None)
    options = {"password": Secret("not needed"), "encryption": "none", "retry": quick} | options
    handler = _ReplayedHandler(tapes, chunk, username=user, **options)
    try:
        yield handler
    except Exception as exc:
        strayed = [tape.error for tape in tapes if tape.error is not None]
        if strayed and exc is not strayed[0]:
            raise strayed[0] from exc
        raise
    for tape in tapes:
        tape.check()


def _tapes(path: str | os.PathLike[str]) -> tuple[str, list[Tape]]:
    name = os.fspath(path)
    recordings = read_transcript(path)
    if not recordings:
        raise POP3UsageError(f"{name} has no connection in it")
    return name, [Tape(name, recording) for recording in recordings]
