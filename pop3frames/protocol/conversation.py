"""The two sides of a POP3 session: bytes in, events out. No socket, no clock, no thread.

`ClientConversation` turns calls into command bytes and what came back into replies, each matched to its
command. `ServerConversation` turns what came into commands and calls into reply bytes. Both read the same
grammar, so one can be driven against the other in memory.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pop3frames.errors import (
    POP3AuthenticationError,
    POP3BusyError,
    POP3CommandError,
    POP3ProtocolError,
    POP3UsageError,
    printable,
)
from pop3frames.protocol import grammar
from pop3frames.protocol.commands import Argument, Command, Malformed, decode_command, encode_command
from pop3frames.protocol.framing import ReceiveBuffer, stuff
from pop3frames.protocol.grammar import CRLF, DEFAULT_LIMITS, ERR, OK, Limits, State, Verb

_CODE = re.compile(r"\[([^\[\]]{1,80})\]")
_SAYS_OK, _SAYS_ERR = (OK + b" ", OK + CRLF), (ERR + b" ", ERR + CRLF)
_CODES = grammar.BUSY_CODES | grammar.CREDENTIAL_CODES | grammar.PERMANENT_CODES
NOT_SHOWN = "(not shown: it repeats the password)"
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")


@dataclass(slots=True)
class Reply:
    """One reply, matched to its command. `status` is the whole first line without CRLF.

    `block` holds the unstuffed lines of a multi-line reply (each ended by CRLF), else None. `challenge` is
    what a SASL challenge says, still in base64; the command is then still open.
    """

    verb: Verb
    arguments: tuple[Argument, ...]
    ok: bool
    status: bytes
    block: bytes | None = None
    challenge: bytes | None = None

    @property
    def text(self) -> str:
        """What stands behind +OK or -ERR, undecodable bytes escaped. Text from a server: escape to show."""
        return self.status.partition(b" ")[2].decode("utf-8", "backslashreplace")

    @property
    def code(self) -> str | None:
        """The response code in upper case (RFC 2449 section 8), or None."""
        found = _CODE.match(self.text)
        return found[1].upper() if found else None

    def withhold(self, gives_away: Callable[[bytes], bool]) -> None:
        """If the server's words repeat a secret take them out, so that no error and no log holds them.

        All of them, but a response code that is a known one: a gap in a known sentence would tell it too.
        """
        if gives_away(self.status):
            code = next((f"[{each}] " for each in _CODES if _is_one_of(self.code, frozenset({each}))), "")
            self.status = (OK if self.ok else ERR) + f" {code}{NOT_SHOWN}".encode()

    def error(self) -> POP3CommandError:
        """The typed error for a -ERR reply."""
        name, code = str(self.verb), self.code
        if _is_one_of(code, grammar.BUSY_CODES):
            return POP3BusyError(name, self.text, code)
        is_login = self.verb in grammar.LOGIN_VERBS and not _is_one_of(code, grammar.PERMANENT_CODES)
        if is_login or _is_one_of(code, grammar.CREDENTIAL_CODES):
            return POP3AuthenticationError(name, self.text, code)
        return POP3CommandError(name, self.text, code)


def _is_one_of(code: str | None, known: frozenset[str]) -> bool:
    """Whether the code is one of these, whatever detail follows a slash (RFC 2449 section 8)."""
    return f"{code}/".startswith(tuple(f"{each}/" for each in known))


class ClientConversation:
    """The client's side. Call `send` for the bytes of a command, `receive` with what came, then `next_reply`.

    Replies come in the order of the commands (RFC 2449 section 6.6), the greeting first. Any error leaves the
    conversation broken: bodies are never attributed to the wrong command.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.state = State.AUTHORIZATION
        self._buffer = ReceiveBuffer()
        self._pending: deque[tuple[Verb, tuple[Argument, ...]]] = deque([(grammar.GREETING, ())])
        self._status: bytes | None = None  # first line of a multi-line reply whose block is not whole yet
        self._broken = False
        self.last_retrieved: object = None  # the message that last came whole
        self.gives_away: Callable[[bytes], bool] = lambda _words: False  # whether words repeat a secret
        self._private = False  # replies are on their way that left together with a login
        # The most octets and lines of a block, by verb.
        listing = (limits.listing, limits.listing_entries)
        self._message_bounds: tuple[int, int | None] = (limits.message, None)
        self._bounds: dict[Verb, tuple[int, int | None]] = {
            grammar.CAPA: (limits.capability_lines * 512, limits.capability_lines),
            grammar.LANG: (limits.capability_lines * 512, limits.capability_lines),
            grammar.LIST: listing,
            grammar.UIDL: listing,
        }

    @property
    def outstanding(self) -> int:
        """How many commands (the greeting counts) have no whole reply yet."""
        return len(self._pending)

    def send(self, verb: Verb, *arguments: Argument) -> bytes:
        """The bytes of a command, which is from now on expected to be answered.

        Raises POP3UsageError, and nothing changes, when the grammar or the state forbids it. Whether a verb
        of the TRANSACTION state comes too early is left to the server to say.
        """
        if self.ended:
            raise POP3UsageError(f"{verb}: this session has ended; connect again")
        if State.TRANSACTION not in verb.states and self.state is State.TRANSACTION:
            raise POP3UsageError(f"{verb}: already logged in ({verb.source})")
        if self._pending and self._pending[-1][0].barrier:
            raise POP3UsageError(f"{verb}: nothing may be sent behind {self._pending[-1][0]} yet")
        if verb is grammar.STLS and self._pending:
            raise POP3UsageError("STLS: other commands still wait for their replies")
        if not self._pending and len(self._buffer):
            raise self._break("bytes arrived that answer no command")
        line = encode_command(verb, arguments, self.limits)
        self._private = verb in grammar.LOGIN_VERBS or (self._private and bool(self._pending))
        self._pending.append((verb, arguments if verb not in grammar.LOGIN_VERBS else ()))
        return line

    def send_all(self, verb: Verb, calls: Sequence[tuple[Argument, ...]]) -> bytes:
        """The bytes of several commands of one verb, to run ahead of their replies; as `send` for each."""
        if verb.barrier or len(calls) < 2:
            return b"".join([self.send(verb, *arguments) for arguments in calls])
        lines = [encode_command(verb, arguments, self.limits) for arguments in calls]
        lines[0] = self.send(verb, *calls[0])
        self._pending.extend([(verb, arguments) for arguments in calls[1:]])
        return b"".join(lines)

    def respond(self, response: bytes) -> bytes:
        """The line that answers a SASL challenge: base64 or `*` (RFC 5034 section 4), else POP3UsageError.

        POP3ProtocolError when the server did not wait for it: what it said would pass for its answer.
        """
        is_open = self.next_verb is grammar.AUTH
        if is_open and len(self._buffer):
            del response
            raise self._break("bytes arrived that answer no command")
        if is_open and (response == grammar.CANCEL or _BASE64.fullmatch(response)):
            return response + CRLF
        del response  # it may hold a password: no frame that raises keeps it
        raise POP3UsageError("a SASL answer is base64 or *" if is_open else "no SASL exchange is open")

    def receive(self, data: bytes | bytearray | memoryview) -> None:
        """Take what came from the server."""
        self._buffer.feed(data)

    def space(self) -> memoryview:
        """Instead: where to write what comes, and then say how much it was. Good until then."""
        return self._buffer.space()

    def received(self, count: int) -> None:
        """So many octets from the server were written into `space`."""
        self._buffer.filled(count)

    def next_reply(self) -> Reply | None:
        """The next whole reply, or None when more bytes are needed.

        Raises POP3ProtocolError for what is not POP3 or breaks a limit; the connection must then be closed.
        """
        if self._broken:
            raise POP3ProtocolError("the connection is out of step and was given up")
        if not self._pending:
            if len(self._buffer):
                raise self._break("bytes arrived that answer no command")
            return None
        try:
            return self._read_reply()
        except POP3ProtocolError:
            self._broken = True
            raise

    @property
    def next_verb(self) -> Verb | None:
        """The command whose reply comes next."""
        return self._pending[0][0] if self._pending else None

    @property
    def ended(self) -> bool:
        """Whether nothing can be sent any more: after QUIT, `end`, or an error."""
        return self._broken or self.state is State.UPDATE

    def end(self) -> None:
        """The connection is closed: nothing more will be sent or believed."""
        self._broken = True

    def tls_started(self) -> None:
        """TLS stands: what was learned before it is forgotten (RFC 2595 section 4)."""
        self._buffer.clear()

    def ready_for_tls(self) -> None:
        """To be called after +OK to STLS: POP3ProtocolError if anything came in plain text behind it."""
        if self._pending or len(self._buffer):
            raise self._break("plain text arrived behind +OK to STLS: somebody may be injecting it")

    def _read_reply(self) -> Reply | None:
        verb, arguments = self._pending[0]
        status = self._status
        if status is None:
            line = self._buffer.take_line(
                self.limits.challenge if verb is grammar.AUTH else self.limits.status_line
            )
            if line is None:
                return None
            status = line.removesuffix(CRLF)
            if len(status) == len(line):
                reason = f"a line ends with a bare LF, not CRLF{self._quoted(line)}"
                del line, status
                raise POP3ProtocolError(reason)
            if verb is grammar.AUTH and (status + b" ").startswith(grammar.CONTINUATION):
                return Reply(verb, arguments, True, status, challenge=status[2:])
            ok = line.startswith(_SAYS_OK)
            if not ok and not line.startswith(_SAYS_ERR):
                reason = f"starts with neither +OK nor -ERR, the session is out of step{self._quoted(status)}"
                del line, status
                raise POP3ProtocolError(f"the reply to {verb} {reason}")
            if not ok or not verb.is_multiline(len(arguments)):
                return self._complete(ok, status)
            self._status = status
        block = self._buffer.take_block(*self._bounds.get(verb, self._message_bounds))
        if block is None:
            return None
        self._pending.popleft()
        self._status = None
        if verb is grammar.RETR:
            self.last_retrieved = arguments[0]
        return Reply(verb, arguments, True, status, block)

    def _complete(self, ok: bool, status: bytes) -> Reply:
        """A reply of one line: only those change the state."""
        verb, arguments = self._pending.popleft()
        if ok and verb in grammar.LOGIN_ENDS:
            self.state = State.TRANSACTION
        elif verb is grammar.QUIT:
            self.state = State.UPDATE
        reply = Reply(verb, arguments, ok, status)
        if not ok:
            reply.withhold(self.gives_away)
        return reply

    def _quoted(self, line: bytes) -> str:
        """What came, for an error; but nothing where it may repeat a password."""
        return "" if self._private or self.gives_away(line) else f": {printable(line, 60)!r}"

    def _break(self, reason: str) -> POP3ProtocolError:
        self._broken = True
        return POP3ProtocolError(reason)


class ServerConversation:
    """The server's side. `receive` what came, take `next_command`, answer with `ok`, `err` or `block`.

    The owner sets `state` when a login succeeded or the session ends.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.state = State.AUTHORIZATION
        self._buffer = ReceiveBuffer()

    def receive(self, data: bytes) -> None:
        """Take what came from the client."""
        self._buffer.feed(data)

    def next_line(self) -> bytes | None:
        """The next line without its CRLF, as a SASL exchange needs it; None when more bytes are needed."""
        line = self._buffer.take_line(self.limits.challenge)
        return None if line is None else line.removesuffix(CRLF)

    def next_command(self) -> Command | Malformed | None:
        """The next command, or why the next line is none; None when more bytes are needed.

        Raises POP3ProtocolError for a line without end; the connection must then be closed.
        """
        line = self._buffer.take_line(self.limits.command_flood)
        if line is None:
            return None
        return decode_command(line, self.state, self.limits)

    def tls_started(self) -> None:
        """TLS stands: what a client sent in plain text behind STLS is dropped, never run."""
        self._buffer.clear()

    def ok(self, text: str = "") -> bytes:
        """A +OK line."""
        return _status_line(OK, text)

    def err(self, text: str, code: str | None = None) -> bytes:
        """A -ERR line, with a response code (RFC 2449 section 8) if there is one."""
        return _status_line(ERR, f"[{code}] {text}" if code else text)

    def block(self, text: str, content: bytes) -> bytes:
        """A +OK line and a multi-line block: `content` has CRLF line ends and is stuffed here."""
        return _status_line(OK, text) + stuff(content)

    def challenge(self, text: bytes = b"") -> bytes:
        """A SASL challenge: plus, one blank, base64 (RFC 5034 section 4)."""
        return grammar.CONTINUATION + text + CRLF


def _status_line(indicator: bytes, text: str) -> bytes:
    return indicator + (b" " + text.encode() if text else b"") + CRLF
