"""The bytes of a command and back: the one gate for arguments, in both directions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pop3frames.errors import POP3UsageError
from pop3frames.protocol import grammar
from pop3frames.protocol.grammar import CRLF, DEFAULT_LIMITS, Kind, Limits, State, Verb

# A secret is passed as a function, called where the bytes are built: no frame that can raise holds it.
Argument = int | str | bytes | Callable[[], str]

_ONE_NUMBER = (Kind.NUMBER,)
_FORBIDDEN = re.compile(rb"[\x00-\x1f\x7f]")


def encode_command(verb: Verb, arguments: tuple[Argument, ...], limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The one gate every command passes: its line with CRLF, or POP3UsageError and nothing is sent.

    The error names the rule, never the value: it may be a secret.
    """
    if verb.arguments == _ONE_NUMBER and len(arguments) == 1 and grammar.is_message_number(arguments[0]):
        return b"%b %d\r\n" % (verb.name, arguments[0])  # what a long fetch sends, at a quarter of the cost
    if not verb.required <= len(arguments) <= len(verb.arguments):
        raise POP3UsageError(f"wrong number of arguments; the syntax is: {verb.syntax}")
    line = _encode_line(verb, arguments, limits)
    if isinstance(line, str):
        raise POP3UsageError(f"{verb}: {line}; the syntax is: {verb.syntax}")
    return line


def redacted(verb: Verb, arguments: tuple[Argument, ...], limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The line as a log may show it: *** in place of every secret."""
    return encode_command(verb, tuple("***" if callable(each) else each for each in arguments), limits)


def is_text(value: str | Callable[[], str]) -> bool:
    """Whether this can be said in a SASL exchange too, where base64 hides a NUL that would end a name."""
    return _encode_argument(Kind.TEXT, value) is not None


def _encode_line(verb: Verb, arguments: tuple[Argument, ...], limits: Limits) -> bytes | str:
    """The line, or what is wrong with it. Never raises: its locals may hold a secret."""
    line = verb.name
    for kind, value in zip(verb.arguments, arguments, strict=False):
        encoded = _encode_argument(kind, value)
        if encoded is None:
            return f"the argument must be {kind.value}, and not empty"
        line += b" " + encoded
    if len(line) + len(CRLF) > limits.command_line:
        return f"the command is longer than {limits.command_line} octets (RFC 2449 section 4)"
    return line + CRLF


def _encode_argument(kind: Kind, value: Argument) -> bytes | None:
    if kind is Kind.NUMBER or kind is Kind.COUNT:
        if type(value) is not int:
            return None
        fits = grammar.is_message_number(value) or (kind is Kind.COUNT and value == 0)
        return b"%d" % value if fits else None
    if callable(value):
        value = value()
    try:
        value = value.encode() if isinstance(value, str) else value
    except UnicodeEncodeError:  # a lone surrogate
        return None
    if not isinstance(value, bytes) or not value or _FORBIDDEN.search(value):
        return None
    return None if kind is Kind.WORD and b" " in value else value


@dataclass(slots=True)
class Command:
    """A command a client sent, checked against the grammar."""

    verb: Verb
    arguments: tuple[int | bytes, ...]


@dataclass(slots=True)
class Malformed:
    """A line that is no command; `reason` may be sent back."""

    reason: str


def decode_command(line: bytes, state: State, limits: Limits = DEFAULT_LIMITS) -> Command | Malformed:
    """What a client's line (with its line end) means in that state, or why it means nothing."""
    if not line.endswith(CRLF):
        return Malformed("a command must end with CRLF")
    if len(line) > limits.command_line:
        return Malformed("command too long")
    name, _, rest = line[:-2].partition(b" ")
    verb = grammar.VERBS.get(name.upper())
    if verb is None:
        return Malformed("unknown command")
    if state not in verb.states:
        return Malformed(f"{verb} is not allowed in the {state.value} state")
    arguments = _parse_arguments(verb, rest)
    return Malformed(f"syntax: {verb.syntax}") if arguments is None else Command(verb, arguments)


def _parse_arguments(verb: Verb, rest: bytes) -> tuple[int | bytes, ...] | None:
    """What the client sent behind the verb, checked against the table; None when it does not fit."""
    if verb.arguments == (Kind.TEXT,):
        return (rest,) if rest and not _FORBIDDEN.search(rest) else None
    words = rest.split()
    if not verb.required <= len(words) <= len(verb.arguments):
        return None
    arguments: list[int | bytes] = []
    for kind, word in zip(verb.arguments, words, strict=False):
        if kind in (Kind.NUMBER, Kind.COUNT):
            if not word.isdigit() or len(word) > 10:
                return None
            arguments.append(int(word))
        else:
            arguments.append(word)
    return tuple(arguments)
