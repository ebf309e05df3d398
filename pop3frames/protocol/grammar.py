"""What POP3 says: verbs, states, reply shapes, response codes and limits. Data only.

To add a verb, add a row to the table; the client's conversation, the server's and the gate for arguments
all read it. Nothing here does I/O, and wire verbs are spelled nowhere else.
"""

from __future__ import annotations

import enum
import operator
from dataclasses import dataclass
from typing import SupportsIndex, TypeGuard

CRLF = b"\r\n"


class State(enum.Enum):
    """The states of a session (RFC 1939 section 3). UPDATE begins with QUIT and ends the session."""

    AUTHORIZATION = "AUTHORIZATION"
    TRANSACTION = "TRANSACTION"
    UPDATE = "UPDATE"


class Kind(enum.Enum):
    """What an argument may be."""

    NUMBER = "a message number: an integer from 1 to 2147483647"
    COUNT = "a number of lines: an integer from 0 to 2147483647"
    WORD = "text without blanks or control characters"
    TEXT = "text without control characters; blanks belong to it"


class Shape(enum.Enum):
    """How many lines a +OK reply has; a -ERR reply is one line, always (RFC 1939 section 3)."""

    SINGLE = "one line"
    MULTI = "lines up to a line that is only a dot"
    MULTI_WITHOUT_ARGUMENT = "lines without an argument, one line with it"


@dataclass(frozen=True, eq=False)
class Verb:
    """A command: its name on the wire, where it may be sent, what it takes and how it is answered.

    `required` of the `arguments` must be given. Nothing may be sent behind a `barrier` before its reply came.
    """

    name: bytes
    states: tuple[State, ...]
    arguments: tuple[Kind, ...]
    required: int
    shape: Shape
    barrier: bool
    syntax: str
    source: str

    def __str__(self) -> str:
        return self.name.decode()

    def is_multiline(self, argument_count: int) -> bool:
        """Whether a +OK reply to this verb, sent with so many arguments, goes on after its first line."""
        return self.shape is _MULTI or (self.shape is _EITHER and argument_count == 0)


_AUTH, _TRANS = (State.AUTHORIZATION,), (State.TRANSACTION,)
_BOTH = _AUTH + _TRANS
_SINGLE, _MULTI, _EITHER = Shape.SINGLE, Shape.MULTI, Shape.MULTI_WITHOUT_ARGUMENT
_N, _LINES = Kind.NUMBER, Kind.COUNT

# fmt: off
CAPA = Verb(b"CAPA", _BOTH, (), 0, _MULTI, False, "CAPA", "RFC 2449 section 5")
STLS = Verb(b"STLS", _AUTH, (), 0, _SINGLE, True, "STLS", "RFC 2595 section 4")
USER = Verb(b"USER", _AUTH, (Kind.TEXT,), 1, _SINGLE, False, "USER name", "RFC 1939 section 7")
PASS = Verb(b"PASS", _AUTH, (Kind.TEXT,), 1, _SINGLE, False, "PASS string", "RFC 1939 section 7")
AUTH = Verb(b"AUTH", _AUTH, (Kind.WORD, Kind.WORD), 1, _SINGLE, True, "AUTH mechanism [response]", "RFC 5034")
APOP = Verb(b"APOP", _AUTH, (Kind.WORD, Kind.WORD), 2, _SINGLE, False, "APOP name md5", "RFC 1939 section 7")
UTF8 = Verb(b"UTF8", _AUTH, (), 0, _SINGLE, True, "UTF8", "RFC 6856 section 2")
LANG = Verb(b"LANG", _BOTH, (Kind.WORD,), 0, _EITHER, True, "LANG [tag]", "RFC 6856 section 3")
STAT = Verb(b"STAT", _TRANS, (), 0, _SINGLE, False, "STAT", "RFC 1939 section 5")
LIST = Verb(b"LIST", _TRANS, (_N,), 0, _EITHER, False, "LIST [msg]", "RFC 1939 section 5")
UIDL = Verb(b"UIDL", _TRANS, (_N,), 0, _EITHER, False, "UIDL [msg]", "RFC 1939 section 7")
RETR = Verb(b"RETR", _TRANS, (_N,), 1, _MULTI, False, "RETR msg", "RFC 1939 section 5")
TOP = Verb(b"TOP", _TRANS, (_N, _LINES), 2, _MULTI, False, "TOP msg n", "RFC 1939 section 7")
DELE = Verb(b"DELE", _TRANS, (_N,), 1, _SINGLE, False, "DELE msg", "RFC 1939 section 5")
NOOP = Verb(b"NOOP", _TRANS, (), 0, _SINGLE, False, "NOOP", "RFC 1939 section 5")
RSET = Verb(b"RSET", _TRANS, (), 0, _SINGLE, False, "RSET", "RFC 1939 section 5")
QUIT = Verb(b"QUIT", _BOTH, (), 0, _SINGLE, True, "QUIT", "RFC 1939 sections 4 and 6")
# fmt: on

# fmt: off
VERBS: dict[bytes, Verb] = {
    verb.name: verb
    for verb in (
        CAPA, STLS, USER, PASS, APOP, AUTH, UTF8, LANG,
        STAT, LIST, UIDL, RETR, TOP, DELE, NOOP, RSET, QUIT,
    )
}
# fmt: on

# A host that was trusted by its address (RFC 1081): poplib has it. Not in the table, our server lacks it.
RPOP = Verb(b"RPOP", _AUTH, (Kind.TEXT,), 1, _SINGLE, False, "RPOP user", "RFC 1081")
# The greeting answers no command (RFC 1939 section 4); it has a row so that every reply has a verb.
GREETING = Verb(b"(greeting)", (), (), 0, _SINGLE, True, "", "RFC 1939 section 4")

OK, ERR = b"+OK", b"-ERR"
CONTINUATION = b"+ "  # RFC 5034 section 4: a challenge, inside AUTH only
CANCEL = b"*"  # RFC 5034 section 4: the client gives up an exchange

# Response codes (RFC 2449 section 8, RFC 3206) that change what a refusal means.
BUSY_CODES = frozenset({"IN-USE", "LOGIN-DELAY", "SYS/TEMP"})
CREDENTIAL_CODES = frozenset({"AUTH"})
PERMANENT_CODES = frozenset({"SYS/PERM"})
LOGIN_VERBS = frozenset({USER, PASS, APOP, AUTH, RPOP})
LOGIN_ENDS = frozenset({PASS, APOP, AUTH, RPOP})  # +OK to one of these opens the mailbox


@dataclass(frozen=True)
class Limits:
    """How much of a peer is believed, in octets unless said otherwise. Beyond: POP3ProtocolError, closed.

    The RFCs allow 512 octets a status line and 70 a unique-id; real servers need the slack, attackers more.
    """

    status_line: int = 4096
    message: int = 64 << 20
    listing: int = 128 << 20
    listing_entries: int = 1_000_000
    capability_lines: int = 64
    unique_id: int = 255
    challenge: int = 16 << 10
    challenges: int = 8  # of one SASL exchange: the longest mechanism here has three
    scram_iterations: int = 1_000_000  # a second of work; a server may ask for 2**31
    command_line: int = 255  # RFC 2449 section 4, CRLF included
    command_flood: int = 4096  # a server closes on a line longer than this
    window_commands: int = 2000  # at most 24 KB of commands under way: below any socket buffer
    window_bytes: int = 4 << 20  # LISTed octets asked for and not yet received
    minimum_rate: int = 1024  # octets a second that an operation must make once its timeout has passed
    login_patience: float = 15.0  # seconds: Dovecot waits 11 s for a locked mailbox before it says [IN-USE]


DEFAULT_LIMITS = Limits()

LARGEST_NUMBER = 2**31 - 1


def plain_number(value: object) -> object:
    """An integer of another kind, such as numpy's, as an int; anything else as it is."""
    if type(value) is int or isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return value
    return operator.index(value)


def is_message_number(value: object) -> TypeGuard[int]:
    """Whether `value` can stand for a message: an int, no bool, from 1 (RFC 1939 section 5) to 2147483647."""
    return type(value) is int and 1 <= value <= LARGEST_NUMBER
