"""Following a session from outside: which octets from the server are a status line, a challenge or a body.

For observers that show or keep what crosses. Nothing is judged here, nothing raises, and no more than one
line is held; what the client itself believes is decided in `protocol/conversation.py`.
"""

from __future__ import annotations

import enum
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from pop3frames.protocol import grammar
from pop3frames.protocol.grammar import CRLF, DEFAULT_LIMITS, ERR, OK, Verb

_TERMINATOR = b"\r\n.\r\n"
_LONGEST_LINE = max(DEFAULT_LIMITS.status_line, DEFAULT_LIMITS.challenge)
_CODES = grammar.BUSY_CODES | grammar.CREDENTIAL_CODES | grammar.PERMANENT_CODES
_CODE = re.compile(rb"\[(%s)[]/]" % b"|".join(re.escape(code.encode()) for code in sorted(_CODES)), re.I)
_MECHANISM = rb"PLAIN|LOGIN|CRAM-MD5|DIGEST-MD5|SCRAM-SHA-\d{1,3}|XOAUTH2|OAUTHBEARER|NTLM|GSSAPI|EXTERNAL"
_CAPABILITY = (
    rb"CAPA|TOP|UIDL|USER|RESP-CODES|AUTH-RESP-CODE|PIPELINING|STLS|LANG|UTF8(?: USER)?"
    rb"|(?:EXPIRE|LOGIN-DELAY) (?:NEVER|\d{1,5})(?: USER)?|SASL(?: (?:%s))*" % _MECHANISM
)
_HARMLESS = {
    grammar.CAPA: re.compile(_CAPABILITY),
    grammar.LIST: re.compile(rb"\d{1,10} \d{1,10}"),
    grammar.UIDL: re.compile(rb"\d{1,10} [\x21-\x7e]{1,255}"),
}
_STAT = re.compile(rb"\+OK \d{1,10} \d{1,19}")


class Kind(enum.Enum):
    """What octets from a server are."""

    STATUS = "the first line of a reply"
    CHALLENGE = "a line of a SASL exchange"
    BLOCK = "lines of a multi-line reply, or some of them"
    STRAY = "no reply, or none that anybody asked for"


@dataclass(slots=True)
class Piece:
    """Consecutive octets of one kind, as they came; all pieces together are all that came.

    verb      the command they belong to, of a stray one the last that was known
    private   a login was open when the command was sent: the words may repeat its secret
    more      of a status line: a block follows; of a block: it has not ended yet
    """

    kind: Kind
    verb: Verb
    data: bytes
    private: bool
    more: bool = False


@dataclass(slots=True)
class _Awaited:
    verb: Verb
    multiline: bool
    private: bool


class Follower:
    """Cuts the octets of one connection. Tell it each command before what is answered to it."""

    def __init__(self, *, greeted: bool = False) -> None:
        """`greeted`: the connection is not new, and no reply is under way on it."""
        self._current = _Awaited(grammar.GREETING, False, False)
        self._pending: deque[_Awaited] = deque([] if greeted else [self._current])
        self._line = bytearray()
        self._in_block = self._lost = False
        self._tail = b""  # the last octets of the block before this piece: its end may begin there

    def sent(self, verb: Verb, line: bytes) -> None:
        """A command, or the answer to a challenge."""
        if verb is grammar.AUTH and self._pending and self._pending[-1].verb is verb:
            return
        # Whatever leaves in one flight with a login: a server that answers a line too many, or too few,
        # repeats the login's words in the place of another reply.
        private = verb in grammar.LOGIN_VERBS or (bool(self._pending) and self._pending[-1].private)
        self._pending.append(_Awaited(verb, verb.is_multiline(len(line.split()) - 1), private))

    def feed(self, data: bytes) -> Iterator[Piece]:
        """What these octets are."""
        at = 0
        while at < len(data):
            if self._in_block:
                end, ended = self._end_of_block(data, at)
                self._in_block = not ended
                yield self._piece(Kind.BLOCK, data[at:end], more=not ended)
            elif self._lost or not self._pending:
                end, self._lost = len(data), True
                yield self._piece(Kind.STRAY, data[at:])
            else:
                found = data.find(b"\n", at, at + _LONGEST_LINE) + 1
                end = found or min(len(data), at + _LONGEST_LINE)
                self._line += data[at:end]
                if found or len(self._line) > _LONGEST_LINE:
                    yield self._status()
            at = end

    def finish(self) -> Iterator[Piece]:
        """The connection has ended: what of a line was left."""
        if self._line:
            self._lost = True
            yield self._status()

    def _piece(self, kind: Kind, data: bytes, *, more: bool = False) -> Piece:
        if kind is Kind.STRAY and self._pending:
            self._current = self._pending[0]
        return Piece(kind, self._current.verb, data, self._current.private, more)

    def _status(self) -> Piece:
        line = bytes(self._line)
        self._line.clear()
        awaited, status = self._pending[0], line.removesuffix(CRLF)
        if awaited.verb is grammar.AUTH and line.endswith(CRLF) and (status + b" ").startswith(b"+ "):
            self._current = awaited
            return self._piece(Kind.CHALLENGE, line)
        indicator = status.partition(b" ")[0]
        if self._lost or not line.endswith(CRLF) or indicator not in (OK, ERR):
            self._lost = True
            return self._piece(Kind.STRAY, line)
        self._current = self._pending.popleft()
        self._in_block = awaited.multiline and indicator == OK
        self._tail = CRLF
        return self._piece(Kind.STATUS, line, more=self._in_block)

    def _end_of_block(self, data: bytes, at: int) -> tuple[int, bool]:
        """Where the block ends in these octets, or they do, and whether it does."""
        across = (self._tail + data[at : at + 4]).find(_TERMINATOR)
        if across >= 0:
            return at + across + len(_TERMINATOR) - len(self._tail), True
        found = data.find(_TERMINATOR, at)
        if found >= 0:
            return found + len(_TERMINATOR), True
        self._tail = (self._tail + data[max(at, len(data) - 4) :])[-4:]
        return len(data), False


def is_harmless(verb: Verb, line: bytes) -> bool:
    """Whether a line of a block that left in one flight with a login is of the listing it should be of.

    Out of step, a server repeats the login's words there. One that hides them in a unique-id is not seen
    through.
    """
    content = line.removesuffix(CRLF)
    pattern = _HARMLESS.get(verb)
    return content == b"." or (pattern is not None and pattern.fullmatch(content) is not None)


def without_words(piece: Piece) -> bytes:
    """A status line of a login, or of its flight: its indicator, and a response code if it is a known one.

    Not its words, nor the detail of a code: a server may repeat the secret in either.
    """
    status = piece.data.removesuffix(CRLF)
    indicator, _, words = status.partition(b" ")
    if piece.verb is grammar.STAT and _STAT.fullmatch(status):
        return status
    code = _CODE.match(words)
    return indicator + b" [" + code[1].upper() + b"]" if code else indicator
