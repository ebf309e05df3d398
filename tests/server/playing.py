"""Sessions without sockets, and dialogues as RFC 1939 writes them down.

C is the client, S the server, … stands for anything.
"""

from __future__ import annotations

import base64
import poplib
import ssl
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import AnyFault, Step
from pop3frames.server.features import DEFAULT_BOUNDS, Bounds, Features
from pop3frames.server.maildrop import Maildrop, StoredMessage
from pop3frames.server.plan import FaultPlan
from pop3frames.server.session import ServerSession, Service
from pop3frames.server.users import Clock, Tokens, User, Users

MAILS = [
    StoredMessage(b"Subject: one\r\n\r\nfirst\r\n.\r\nlast\r\n", "whqtswO00WBw418f9t5JxYwZ"),
    StoredMessage(b".dot\r\n\r\n", "QhdPYR:00WBw1Ph7x7"),
    StoredMessage(b"", "empty"),
]
SIZES = [len(mail.raw) for mail in MAILS]
PLAIN = base64.b64encode(b"\0ann\0a secret").decode()

LOGIN = """
S: +OK pop3frames ready
C: USER ann
S: +OK…
C: PASS a secret
S: +OK…
"""


def base64_of(text: bytes) -> str:
    """As a line of a SASL exchange."""
    return base64.b64encode(text).decode()


def service_of(
    maildrop: Maildrop | None = None,
    *,
    has_tls: bool = False,
    tokens: Tokens | None = None,
    clock: Clock = float,
    bounds: Bounds = DEFAULT_BOUNDS,
    faults: Iterable[AnyFault] = (),
    **switches: Any,
) -> Service:
    """A server of ann, whose password is "a secret", with these switches of `Features`. Its clock stands."""
    maildrop = Maildrop(MAILS) if maildrop is None else maildrop
    users = Users([User("ann", "a secret", maildrop)], tokens, clock)
    return Service(users, Features(**switches), bounds, faults=FaultPlan(faults), has_tls=has_tls)


def session_of(maildrop: Maildrop | None = None, **options: Any) -> ServerSession:
    """A session of such a server."""
    return ServerSession(service_of(maildrop, **options))


def octets_of(steps: Iterable[Step]) -> bytes:
    """What is sent; a pause is none of it."""
    return b"".join(step for step in steps if isinstance(step, bytes))


def answers_of(session: ServerSession, pieces: Iterable[bytes]) -> bytes:
    """What it sends when it hears these pieces."""
    answers = b""
    for piece in pieces:
        session.receive(piece)
        answers += octets_of(session.replies())
    return answers


def play(transcript: str, session: ServerSession | None = None, *, greets: bool = True) -> ServerSession:
    """Let a session hear the C lines octet by octet, a fresh one also at once: it must say the S lines."""
    lines = [line for line in transcript.splitlines() if line]
    commands = b"".join(line[3:].encode() + b"\r\n" for line in lines if line.startswith("C:"))
    expected = [line[3:] for line in lines if line.startswith("S:")]
    octets = [bytes([octet]) for octet in commands]
    plays = [(session, octets)] if session else [(session_of(), [commands]), (session_of(), octets)]
    for played, pieces in plays:
        told = (octets_of(played.greeting()) if greets else b"") + answers_of(played, pieces)
        *said, end = told.decode().split("\r\n")
        pairs = zip_longest(said, expected, fillvalue="")
        assert expected == [
            text[: len(wanted) - 1] + "…" if wanted.endswith("…") else text for text, wanted in pairs
        ]
        assert "" == end
    return plays[-1][0]


def poplib_of(server: EmbeddedServer, mode: str, context: ssl.SSLContext) -> poplib.POP3:
    """The standard library's client, logged in."""
    if mode == "implicit":
        client: poplib.POP3 = poplib.POP3_SSL("localhost", server.tls_port or 0, context=context, timeout=20)
    else:
        client = poplib.POP3("localhost", server.port, timeout=20)
    if mode == "stls":
        client.stls(context=context)
    client.user(server.username)
    client.pass_(server.password)
    return client


# Independent judges
