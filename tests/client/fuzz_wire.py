"""The fuzz harness of the wire: recorded sessions, mutated, to client and server. Two laws hold:

1. What comes is accepted or a typed error, never another exception, and after a lost step nothing is said.
2. However the network cuts the same octets, the same is read.

    PYTHONPATH=tests python tests/client/fuzz_wire.py RUNS [SEED]

runs for long; test_fuzz_wire.py runs a short round. A failure names the seed that repeats it.
"""

from __future__ import annotations

import contextlib
import logging
import random
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from client.in_memory import HandlerInMemory, InMemory, in_memory

from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3ConnectionError, POP3Error, POP3ProtocolError
from pop3frames.protocol.grammar import Limits
from pop3frames.server.features import Bounds, Features
from pop3frames.server.maildrop import Maildrop
from pop3frames.server.session import ServerSession, Service
from pop3frames.server.users import User, Users

SMALL = Limits(
    status_line=200, message=2000, listing=300, listing_entries=20, capability_lines=16, challenge=300,
    window_commands=4, window_bytes=1000,
)  # fmt: skip
MAILS = [b"Subject: %d\r\n\r\nbody %d\r\n.dot\r\n\n.\n\r\n" % (n, n) for n in (1, 2, 3)]
NUMBERS = (1, 2, 3)

Events = list[Any]
Session = Callable[[POP3, Callable[..., None]], None]  # what a client does; each call is told of


def _everything(client: POP3, call: Callable[..., None]) -> None:
    """Every verb, one by one."""
    call(client.capa)
    call(client.user, "ann")
    call(client.pass_, "secret")
    call(client.stat)
    for verb in (client.list, client.uidl):
        call(verb)
        call(verb, 2)
    call(client.retr, 1)
    call(client.top, 2, 1)
    call(client.dele, 3)
    call(client.rset)
    call(client.noop)
    call(client.quit)


def _pipelined(client: POP3, call: Callable[..., None]) -> None:
    """Commands ahead of their replies, with others in between."""
    call(client.capa)
    call(client.user, "ann")
    call(client.pass_, "secret")
    replies = client.retr_many(NUMBERS, dict.fromkeys(NUMBERS, 40))
    call(lambda: next(replies).block)
    call(client.noop)
    call(lambda: [reply.block for reply in replies])
    call(lambda: [reply.block for reply in client.top_many(NUMBERS)])
    call(lambda: [reply.ok for reply in client.dele_many(NUMBERS)])
    call(client.quit)


def _sasl(mechanism: str) -> Session:
    def session(client: POP3, call: Callable[..., None]) -> None:
        call(client.authenticate, mechanism, "ann", "secret")
        call(client.stat)
        call(client.quit)

    return session


SESSIONS: list[Session] = [_everything, _pipelined, *map(_sasl, ("PLAIN", "XOAUTH2", "OAUTHBEARER"))]
# As Dovecot 2.3 says it: bare +OK, codes in refusals, sizes in words, a continuation without text.
DOVECOT = {
    _everything: [
        b"+OK Dovecot ready.\r\n",
        b"+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nUSER\r\nSASL PLAIN\r\n.\r\n",
        b"+OK\r\n", b"+OK Logged in.\r\n", b"+OK 3 120\r\n",
        b"+OK 3 messages:\r\n1 40\r\n2 40\r\n3 40\r\n.\r\n",
        b"+OK 2 40\r\n", b"+OK\r\n1 0000000161c0\r\n2 0000000261c0\r\n3 0000000361c0\r\n.\r\n",
        b"+OK 2 0000000261c0\r\n", b"+OK 40 octets\r\nSubject: 1\r\n\r\n..\r\n.\r\n",
        b"+OK\r\nSubject: 2\r\n\r\nx\r\n.\r\n", b"+OK Marked to be deleted.\r\n", b"+OK\r\n", b"+OK\r\n",
        b"-ERR [SYS/TEMP] Logging out, messages not deleted.\r\n",
    ],
    SESSIONS[2]: [
        b"+OK Dovecot ready. <1a2b.3c4d@host>\r\n", b"+ \r\n", b"-ERR [AUTH] Authentication failed.\r\n",
        b"-ERR Unknown command.\r\n", b"+OK Logging out\r\n",
    ],
    SESSIONS[3]: [
        b"+OK Dovecot ready.\r\n", b"+ \r\n", b"+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\r\n",
        b"-ERR [AUTH] Authentication failed.\r\n", b"-ERR Unknown command.\r\n", b"+OK Logging out\r\n",
    ],
}  # fmt: skip


def _served() -> ServerSession:
    users = Users([User("ann", "secret", Maildrop(MAILS))], {"ann": "secret"})
    bounds = Bounds(failed_logins=(0.0, 0.0, 0.0))
    features = Features(utf8=True, lang=True)  # no APOP: each greeting has another timestamp
    return ServerSession(Service(users, features=features, bounds=bounds, limits=SMALL))


class _Recorded(InMemory):
    """A client in memory of the embedded server's session; what both say is kept."""

    def __init__(self) -> None:
        self.server = _served()
        self.replies = [b"".join(step for step in self.server.greeting() if isinstance(step, bytes))]
        self.said: list[bytes] = []
        super().__init__(self, pipelining=True, limits=SMALL)  # type: ignore[arg-type]
        self.closed = False

    encrypted = False
    is_loopback = True
    name = "recorded"

    def queue(self, data: bytes) -> None:
        for line in data.splitlines(keepends=True):
            self.said.append(line)
            self.server.receive(line)
            self.replies.append(b"".join(step for step in self.server.replies() if isinstance(step, bytes)))
            self._unread += self.replies[-1]

    def receive(self, deadline: Any, into: memoryview) -> int:
        return self.arrived(into)

    def arrived(self, into: memoryview) -> int:
        if not hasattr(self, "_unread"):
            self._unread = bytearray(self.replies[0])
        count = min(len(self._unread), len(into))
        into[:count] = self._unread[:count]
        del self._unread[:count]
        return count

    def close(self) -> None:
        pass


@cache
def recordings() -> list[tuple[Session, tuple[bytes, ...], bytes]]:
    """What is done, what the server says to each line, and what the client says: all of it honest."""
    found = []
    for session in SESSIONS:
        client = _Recorded()
        session(client, lambda use, *arguments: use(*arguments))
        found.append((session, tuple(client.replies), b"".join(client.said)))
    found += [(session, tuple(replies), b"") for session, replies in DOVECOT.items()]
    return found


# Mutations

TOKENS = (
    b"\r\n", b"\n", b"\r", b".", b"..", b".\r\n", b"\r\n.\r\n", b"\n.\n", b"+OK", b"-ERR", b"+ ", b"+OK\r\n",
    b"-ERR [AUTH] x\r\n", b"[IN-USE]", b"[LOGIN-DELAY]", b"\0", b"\xff", b" ", b"\t", b"-1", b"0", b"9" * 40,
    b"2147483648", b"1 20\r\n", b"\x1b[2J", b"\xe2\x80\xae", b"=", b"YQ==", b"x" * 250, b"\x16\x03\x01",
    b"PIPELINING\r\n", b"USER ann\r\n", b"RETR 1\r\n", b"QUIT\r\n", b"AUTH PLAIN\r\n", b"*\r\n", b"secret",
)  # fmt: skip


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Some octets cut out, doubled, changed, or a token put in."""
    at = draw.randrange(len(data) + 1)
    to = min(len(data), at + draw.randrange(20))
    kind = draw.randrange(7)
    if kind < 3:
        return data[:at] + draw.choice(TOKENS) + data[at:]
    if kind == 3:
        return data[:at] + data[to:]
    if kind == 4:
        return data[:to] + data[at:to] * draw.choice((1, 1, 30)) + data[to:]
    if kind == 5:
        return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
    return data[:at]


def spoilt(replies: Sequence[bytes], draw: random.Random) -> list[bytes]:
    """The replies, one to three of them mutated, left out, doubled or exchanged."""
    changed = list(replies)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(changed))
        kind = draw.randrange(8)
        if kind == 0:
            changed.insert(at, changed[at])
        elif kind == 1:
            changed[at] = b""
        elif kind == 2:
            other = draw.randrange(len(changed))
            changed[at], changed[other] = changed[other], changed[at]
        else:
            changed[at] = mutated(changed[at], draw)
    return changed


def pieces(draw: random.Random) -> list[int]:
    """Sizes of reads."""
    return [draw.choice((1, 2, 3, 7, 40, 1000)) for _ in range(draw.randrange(30))] + [
        draw.choice((1, 5, 4096))
    ]


# The client


def client_events(session: Session, replies: Sequence[bytes], cut: Sequence[int], pipelining: bool) -> Events:
    """What each call gave or raised. AssertionError where an error breaks its promises."""
    events: Events = []
    client: InMemory | None = None

    def call(use: Callable[..., Any], *arguments: Any) -> None:
        error: POP3Error | None = None
        try:
            events.append(use(*arguments))
        except POP3Error as exc:
            error = exc
        if error is not None:
            events.append((type(error), str(error)))
            assert str(error).isprintable(), error
        if isinstance(error, POP3ConnectionError) and client is not None:
            assert client.wire.closed
            assert client._conversation.ended

    def opened() -> str:
        nonlocal client
        client = in_memory(replies, cut, pipelining=pipelining, limits=SMALL)
        return client.getwelcome().decode("latin-1")

    call(opened)
    if client is not None:
        session(client, call)
        events.append(bytes(client.wire.sent))
    return events


def check_client(draw: random.Random) -> None:
    """Both laws, for one spoilt session."""
    session, replies, _ = draw.choice(recordings())
    replies = tuple(spoilt(replies, draw))
    pipelining = draw.random() < 0.5
    whole = client_events(session, replies, (), pipelining)
    assert whole == client_events(session, replies, pieces(draw), pipelining)


def check_handler(draw: random.Random) -> None:
    """A handler's sessions, all spoilt: rows or a typed error."""
    listings = [b"+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n", b"+OK\r\n1 40\r\n2 40\r\n3 40\r\n.\r\n"]
    login = [b"+OK ready\r\n", b"+OK\r\nUSER\r\nPIPELINING\r\n.\r\n", *[b"+OK\r\n"] * 2]
    capa = b"+OK\r\nPIPELINING\r\n.\r\n"
    mails = [b"+OK\r\n" + mail.replace(b"\r\n.", b"\r\n..") + b".\r\n" for mail in MAILS]
    sessions = [spoilt([*login, capa, *listings, *mails, b"+OK\r\n"], draw) for _ in range(3)]
    handler = HandlerInMemory(*sessions, pieces=pieces(draw))
    with warnings.catch_warnings(), contextlib.suppress(POP3Error):
        warnings.simplefilter("ignore")
        numbers = [message["messageId"] for message in handler.fetch_messages()]
        assert len(numbers) == len(set(numbers))
    assert len(handler.wires) <= 12
    assert all(wire.closed for wire in handler.wires)


# The server


def server_events(said: bytes, cut: Sequence[int]) -> Events:
    """What the server answers, and how it ends."""
    session = _served()
    events: Events = [step for step in session.greeting() if isinstance(step, bytes)]
    at = 0
    sizes = iter(cut)
    while at < len(said) and not session.ended:
        size = next(sizes, len(said))
        session.receive(said[at : at + size])
        at += size
        try:
            for step in session.replies():
                if isinstance(step, bytes):
                    events.append(step)
        except POP3ProtocolError:
            events.append(POP3ProtocolError)
            break
        if session.wants_tls:
            break
    session.close()
    return events


def check_server(draw: random.Random) -> None:
    """Both laws, and every answer is one."""
    said = draw.choice([said for _, _, said in recordings() if said])
    for _ in range(draw.randint(1, 6)):
        said = mutated(said, draw)
    whole = server_events(said, ())
    assert whole == server_events(said, pieces(draw))
    for step in filter(lambda each: each is not POP3ProtocolError, whole):
        assert step.startswith((b"+OK", b"-ERR", b"+ ")), step
        assert step.endswith(b"\r\n"), step


CHECKS = (check_client, check_client, check_server, check_server, check_handler)


def run(seed: int) -> None:
    """One run; the same seed does the same."""
    CHECKS[seed % len(CHECKS)](random.Random(seed))


def main() -> None:
    """Many runs."""
    logging.getLogger("pop3frames").setLevel(logging.CRITICAL)
    runs, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    for seed in range(first, first + runs):
        try:
            run(seed)
        except BaseException:
            print(f"seed {seed}", file=sys.stderr)  # noqa: T201
            raise


if __name__ == "__main__":
    main()
