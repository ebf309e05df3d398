"""Scripted misbehaviour of an embedded server, as data: for tests of what a client does about it.

    EmbeddedServer(mails, faults=[Drop("RETR", octets=1000, nth=3), Status("NOOP", b"+ERR", connections={2})])

A fault plays whenever its verb is answered; `message`, `nth` and `connections` narrow that. The first one in
the list that fits a reply plays. Nothing here does I/O or counts: a fault turns a reply into
steps, and plan.py says when.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

from pop3frames.errors import POP3UsageError
from pop3frames.protocol import grammar
from pop3frames.protocol.grammar import CRLF, Verb
from pop3frames.server.maildrop import StoredMessage


@dataclass(frozen=True)
class Pause:
    """Send nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Silence:
    """Send nothing any more, and read on until the client is gone."""


@dataclass(frozen=True)
class HangUp:
    """Close the connection, in an orderly way or by a reset."""

    reset: bool = False


Step = bytes | Pause | Silence | HangUp


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """When a fault plays: always, unless one of these says otherwise.

    nth          only the nth time it would, over the whole life of the server, from 1
    connections  only on these, counted as they are accepted, from 1
    """

    nth: int | None = None
    connections: Collection[int] = ()


@dataclass(frozen=True)
class Fault(Occasion):
    """A fault in the reply to `verb`, or in the greeting.

    In an exchange of AUTH each line from the server is one reply.

    message      only where the command names this number
    executed     whether the command is carried out too; if not, there is no honest reply to spoil
    """

    verb: str
    _: KW_ONLY
    message: int | None = None
    executed: bool = True

    def __post_init__(self) -> None:
        if self.verb != "greeting" and self.verb.encode() not in grammar.VERBS:
            raise POP3UsageError(f"no such verb: {self.verb!r}; give one in upper case, or 'greeting'")

    def play(self, reply: bytes) -> Iterator[Step]:
        """What is sent instead of the honest reply, which is empty if the command was not carried out."""
        yield self.changed(reply)

    def changed(self, reply: bytes) -> bytes:
        """The reply with the fault in it."""
        return reply

    def fits(self, verb: Verb, arguments: tuple[int | bytes, ...]) -> bool:
        """Whether it concerns this command."""
        name = "greeting" if verb is grammar.GREETING else str(verb)
        return name == self.verb and (self.message is None or arguments[:1] == (self.message,))


# The connection


@dataclass(frozen=True)
class _After(Fault):
    """`octets` of the reply are sent before it happens; None: all of them."""

    octets: int | None = 0


@dataclass(frozen=True)
class Drop(_After):
    """The connection is closed."""

    def play(self, reply: bytes) -> Iterator[Step]:
        yield reply[: self.octets]
        yield HangUp()


@dataclass(frozen=True)
class Reset(_After):
    """The connection is reset. What a slow client has not received by then may be lost with it."""

    def play(self, reply: bytes) -> Iterator[Step]:
        yield reply[: self.octets]
        yield HangUp(reset=True)


@dataclass(frozen=True)
class Stall(_After):
    """The server goes silent, until the client leaves."""

    def play(self, reply: bytes) -> Iterator[Step]:
        yield reply[: self.octets]
        yield Silence()


@dataclass(frozen=True)
class Drip(Fault):
    """The reply comes `octets` at a time, with a pause of so many seconds before each."""

    octets: int = 1
    seconds: float = 1.0

    def play(self, reply: bytes) -> Iterator[Step]:
        for at in range(0, len(reply), self.octets):
            yield Pause(self.seconds)
            yield reply[at : at + self.octets]


@dataclass(frozen=True)
class Endless(Fault):
    """A first line, the lines behind it, or the entries of a listing that never end."""

    what: Literal["line", "body", "listing"] = "body"

    def play(self, reply: bytes) -> Iterator[Step]:  # noqa: ARG002 - it is never sent
        yield b"+OK " if self.what == "line" else b"+OK\r\n"
        for first in itertools.count(1, 1000):
            if self.what == "listing":
                yield b"".join(b"%d %d\r\n" % (number, number) for number in range(first, first + 1000))
            else:
                yield (b"x" * 76 + (b"xx" if self.what == "line" else CRLF)) * 1000


# The reply


@dataclass(frozen=True)
class Say(Fault):
    """These octets instead of the reply, after so many seconds; by default the command is not carried out.

    `Say("DELE", b"+OK\\r\\n")` deletes nothing. A PASS with `seconds=11` and `-ERR [IN-USE]` is that of
    a Dovecot that waits for a lock. With `executed=True` a QUIT deletes and then says what it likes.
    """

    reply: bytes
    seconds: float = 0.0
    executed: bool = field(default=False, kw_only=True)

    def play(self, reply: bytes) -> Iterator[Step]:  # noqa: ARG002 - it is never sent
        if self.seconds:
            yield Pause(self.seconds)
        yield self.reply


@dataclass(frozen=True)
class Add(Fault):
    """These octets behind the reply, in one piece with it: behind STLS, an injection; elsewhere, too much."""

    octets: bytes

    def changed(self, reply: bytes) -> bytes:
        return reply + self.octets


@dataclass(frozen=True)
class Status(Fault):
    """Another first line: `+ERR`, nothing at all, or an `+OK` that lies."""

    line: bytes

    def changed(self, reply: bytes) -> bytes:
        return self.line + CRLF + reply.partition(CRLF)[2]


@dataclass(frozen=True)
class Lie(Fault):
    """Other values in the listings of LIST or UIDL, by number or by a function of number and value.

    None leaves the entry out; in a listing of all, numbers that do not exist are added.
    """

    values: Mapping[int, str | None] | Callable[[int, str], str | None] = lambda _number, value: value

    def changed(self, reply: bytes) -> bytes:
        status, _, block = reply.partition(CRLF)
        if not status.startswith(grammar.OK):
            return reply
        if not block:
            _, number, value = status.split(b" ", 2)
            return b"+OK %s %s\r\n" % (number, (self._told(int(number), value.decode()) or "").encode())
        honest = {int(number): value.decode() for number, value in map(bytes.split, block.split(CRLF)[:-2])}
        told = {number: self._told(number, value) for number, value in honest.items()}
        if not callable(self.values):
            told |= {number: value for number, value in self.values.items() if number not in honest}
        entries = [b"%d %s\r\n" % (n, value.encode()) for n, value in told.items() if value is not None]
        return status + CRLF + b"".join(entries) + b".\r\n"

    def _told(self, number: int, value: str) -> str | None:
        return self.values(number, value) if callable(self.values) else self.values.get(number, value)


@dataclass(frozen=True)
class Corrupt(Fault):
    """One octet behind the first line is another: bits of it are flipped."""

    octet: int = 0
    mask: int = 0x20

    def changed(self, reply: bytes) -> bytes:
        status, _, block = reply.partition(CRLF)
        spoilt = bytearray(block)
        spoilt[self.octet] ^= self.mask
        return status + CRLF + spoilt


@dataclass(frozen=True)
class Unstuffed(Fault):
    """A mail whose first octet is a dot keeps it single, as with Dovecot 2.3 and Courier 1.0."""

    def changed(self, reply: bytes) -> bytes:
        status, _, block = reply.partition(CRLF)
        return status + CRLF + (block[1:] if block.startswith(b"..") else block)


@dataclass(frozen=True)
class BareLf(Fault):
    """Lines behind the first end with LF alone: the last one, which is the dot, or all of them."""

    every_line: bool = True

    def changed(self, reply: bytes) -> bytes:
        status, _, block = reply.partition(CRLF)
        if self.every_line:
            return status + CRLF + block.replace(CRLF, b"\n")
        return status + CRLF + block.removesuffix(b"\r\n.\r\n") + b"\n.\n"


# The session


@dataclass(frozen=True)
class Unpipelined(Occasion):
    """What came in one piece behind a command is dropped, or, after the answer to it, the connection."""

    closes: bool = False


@dataclass(frozen=True)
class Rearrange(Occasion):
    """Before a login opens the mailbox, its numbers, unique-ids or contents become others, for good."""

    change: Callable[[list[StoredMessage]], Iterable[StoredMessage]]


AnyFault = Fault | Unpipelined | Rearrange


def renumbered(messages: list[StoredMessage]) -> list[StoredMessage]:
    """For `Rearrange`: the same messages from the last to the first."""
    return messages[::-1]


def migrated(messages: list[StoredMessage]) -> list[StoredMessage]:
    """For `Rearrange`: the same messages with new unique-ids, as after a move to another server."""
    return [StoredMessage(message.raw, f"new-{message.uidl}") for message in messages]
