"""One recorded connection as an opponent: it compares what the client does, deals out what the server said.

No client and no wire here: those are in `replay.py`.
"""

from __future__ import annotations

from typing import NamedTuple

from pop3frames.errors import POP3ConnectionError, POP3UsageError
from pop3frames.protocol import grammar
from pop3frames.protocol.grammar import CRLF
from pop3frames.transcripts.transcript import WITHHELD, Recording, encode

# What its answers depend on is made anew each time, or the password.
_UNREPEATABLE = b"%s SCRAM-SHA-256\r\n" % grammar.AUTH.name


class ReplayError(AssertionError):
    """The client and the transcript differ: the line, what it says, and what the client did instead."""


class _Step(NamedTuple):
    """Something the client does: a command, or None for the start of TLS.

    `before` octets of the server come earlier in the file; it may go `ahead` of them where it was pipelined.
    """

    number: int
    line: bytes | None
    before: int
    ahead: bool


class Tape:
    """One recorded connection, and how far it was played."""

    def __init__(self, path: str, recording: Recording) -> None:
        self._path, self._end = path, recording.end
        self._steps: list[_Step] = []
        self._stream = bytearray()
        self._numbers: list[tuple[int, int]] = []  # where in the stream a line of the file begins
        self._next = self._delivered = 0
        self.encrypted = False
        self.error: ReplayError | None = None
        for entry in recording.entries:
            if entry.who == "S":
                self._numbers.append((len(self._stream), entry.number))
                self._stream += entry.octets
                continue
            if entry.who == "TLS" and not self._stream:  # from the first octet: nobody asks for it
                self.encrypted = True
                continue
            line = entry.octets if entry.who == "C" else None
            if line == _UNREPEATABLE:
                raise POP3UsageError(f"{path}, line {entry.number}: a login by SCRAM cannot be replayed")
            self._steps.append(_Step(entry.number, line, len(self._stream), self._pipelined(line)))

    def _pipelined(self, line: bytes | None) -> bool:
        """Whether a command that is next in the file may be sent before all of what is above it was read."""
        if line is None or not self._steps or self._steps[-1].line is None:
            return False
        last = self._steps[-1]
        # A window of commands is refilled when half of it is answered, however the answers were cut.
        same = last.line is not None and last.line.split()[:1] == line.split()[:1]
        return last.before == len(self._stream) or (last.ahead and same)

    @property
    def starts_tls(self) -> bool:
        """Whether the client asked for TLS in this connection."""
        return any(step.line == grammar.STLS.name + CRLF for step in self._steps)

    @property
    def user(self) -> str | None:
        """Who logged in, as far as it can be seen."""
        for step in self._steps:
            verb, _, name = (step.line or b"").removesuffix(CRLF).partition(b" ")
            if verb == grammar.USER.name:
                return name.decode()
            if verb == grammar.APOP.name:
                return name.partition(b" ")[0].decode()
        return None

    def client_said(self, line: bytes) -> None:
        """Compare a command, with its line end, with the next one of the file."""
        step = self._step()
        shown = _without_secret(line, step.line if step else None)
        del line  # no frame that raises holds a secret
        if step is None or step.line != shown:
            raise self._stray(f"the client sent {_quoted('C', shown)}")
        if self._delivered < step.before and not step.ahead:
            raise self._stray(f"the client already sent {_quoted('C', shown)}", waiting=True)
        self._next += 1

    @property
    def unread(self) -> int:
        """How many octets of the server come before the client does something."""
        step = self._step()
        return max(0, (len(self._stream) if step is None else step.before) - self._delivered)

    def deliver(self, most: int) -> bytes:
        """The next octets of the server, at least one. POP3ConnectionError where the connection ended."""
        if not self.unread:
            if self._step() is None:
                raise POP3ConnectionError(f"the connection ended ({self._path}, line {self._end})")
            raise self._stray("the client waits for the server")
        start = self._delivered
        self._delivered += min(self.unread, max(1, most))
        return bytes(self._stream[start : self._delivered])

    def start_tls(self) -> None:
        """TLS starts: that is all there is of it."""
        step = self._step()
        if step is None or step.line is not None or self._delivered < step.before:
            raise self._stray("the client starts TLS")
        self.encrypted = True
        self._next += 1

    def check(self) -> None:
        """ReplayError for what went wrong, and for what is left over."""
        if self.error is not None:
            raise self.error
        if self._step() is not None or self._delivered < len(self._stream):
            raise self._stray("the client was done", waiting=self._step() is None)

    def _step(self) -> _Step | None:
        return self._steps[self._next] if self._next < len(self._steps) else None

    def _stray(self, got: str, *, waiting: bool = False) -> ReplayError:
        """The error, kept for the end as well: on the way it may be taken for an error of the server."""
        step = self._step()
        if waiting:
            number = max(number for start, number in self._numbers if start <= self._delivered)
            expected = "the client to read what the server says"
        elif step is None:
            number, expected = self._end, "no more commands"
        else:
            number, expected = step.number, "-- TLS" if step.line is None else _quoted("C", step.line)
        self.error = ReplayError(f"{self._path}, line {number}: expected {expected}; {got}")
        return self.error


def _without_secret(line: bytes, expected: bytes | None) -> bytes:
    """The line as a transcript has it. What no verb begins is an answer to a challenge."""
    name, _, rest = line.removesuffix(CRLF).partition(b" ")
    verb = grammar.VERBS.get(name.upper())
    if line == grammar.CANCEL + CRLF:
        return line
    if verb is None or (expected == WITHHELD + CRLF and verb in grammar.LOGIN_VERBS):
        return WITHHELD + CRLF
    if verb is grammar.PASS or (verb in (grammar.AUTH, grammar.APOP) and b" " in rest):
        return b" ".join([name, *rest.split(b" ")[: len(verb.arguments) - 1], WITHHELD]) + CRLF
    return line


def _quoted(who: str, line: bytes) -> str:
    return repr(f"{who}: {''.join(encode(line))}")
