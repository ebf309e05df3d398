"""Recording a session into a transcript: without secrets and, unless told otherwise, without mail."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from typing import Literal

from pop3frames.client.following import Follower, Kind, Piece, is_harmless, without_words
from pop3frames.errors import POP3UsageError
from pop3frames.protocol import grammar, sasl
from pop3frames.protocol.grammar import CRLF, Verb
from pop3frames.transcripts.masking import Mail, Names, masked
from pop3frames.transcripts.transcript import CLOSED, FIRST_LINE, OMITTED, TLS, WITHHELD, cut, said

_BODIES = (grammar.RETR, grammar.TOP)
_TERMINATOR = b".\r\n"
_LONGEST_PIECE = 64 << 10  # of a line without an end, so that none is held whole

log = logging.getLogger("pop3frames")


class Recorder:
    """An observer that writes what crosses into a file, as it crosses: a crash leaves what was there.

    path     a new file, with mode 0600; POP3UsageError where there is one already
    mail     "masked": letters and digits of mails, and names of users and hosts, become others, consistently;
             lengths, line ends, dots, field names and MIME's structure stay. "kept": as it came
    notes    comments for the head of the file
    octets   of mail to keep in all; what is beyond is left out, and said so

    Secrets are never written: of a reply to a login only +OK or -ERR and a known response code, of a
    challenge nothing, of listings in one flight with a login only lines that are ones. A server that repeats
    a secret later, in reply to something else, or in a unique-id, is not seen through.
    Connections may come one after another, not at once: with a pool give each handler its own. Once the file
    is there nothing is raised; a full disk ends the recording, with a warning in the log.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        mail: Literal["masked", "kept"] = "masked",
        notes: Sequence[str] = (),
        *,
        octets: int = 8 << 20,
    ) -> None:
        if mail not in ("masked", "kept"):
            raise POP3UsageError(f"mail must be 'masked' or 'kept', not {mail!r}")
        self._path, self._masks, self._left = path, mail == "masked", octets
        self._names = Names()
        self._usable = True
        try:
            # A new one: what is there already, perhaps by others' making, is not written into.
            self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as exc:
            raise POP3UsageError(f"a transcript needs a new file: {exc}") from exc
        comments = [f"# {line}".rstrip() for note in notes for line in note.splitlines()]
        self._write([FIRST_LINE, f"# mail: {mail}", *comments])
        self._begin()

    def sent(self, verb: Verb, line: bytes) -> None:
        """Write a command; its secrets are *** already."""
        self._follower.sent(verb, line)
        self._login_seen |= verb in grammar.LOGIN_VERBS
        self._write(said("C", self._renamed(verb, line) if self._masks else line))

    def received(self, data: bytes) -> None:
        """Write what came, but for a line that is not whole yet."""
        self._write([text for piece in self._follower.feed(data) for text in self._lines(piece)])

    def secured(self) -> None:
        """Write that TLS stands."""
        self._write([TLS])

    def closed(self) -> None:
        """Write what was left, and the end. What comes next belongs to another connection."""
        left = [text for piece in self._follower.finish() for text in self._lines(piece)]
        self._write([*left, *self._end_of_block(ended=False), CLOSED])
        self._begin()

    def _begin(self) -> None:
        """No connection: nothing is known, and the file is nobody's until there is one."""
        if self._file is not None:
            os.close(self._file)
        self._file = None
        self._follower = Follower()
        self._line = bytearray()  # of a block, until it is whole
        self._inside = False  # a line, of which a piece is written already
        self._private = False  # the block is of a flight with a login
        self._login_seen = False
        self._before_login: set[bytes] = set()  # lines of CAPA that came when there was no secret to repeat
        self._mail, self._omitted = Mail(), 0

    def _renamed(self, verb: Verb, line: bytes) -> bytes:
        """The command with a stand-in for the user's name."""
        argument = line.removesuffix(CRLF).removeprefix(verb.name + b" ")
        if verb is grammar.USER:
            return b"%s %s\r\n" % (verb.name, self._names.user(argument))
        if verb is grammar.APOP:
            name, _, digest = argument.partition(b" ")
            return b"%s %s %s\r\n" % (verb.name, self._names.user(name), digest)
        return line

    def _lines(self, piece: Piece) -> list[str]:
        if piece.kind is Kind.BLOCK:
            return self._block(piece)
        if piece.kind is Kind.CHALLENGE:
            return said("S", _without_content(piece.data))
        if piece.private:
            status = piece.kind is Kind.STATUS
            return said("S", without_words(piece) + CRLF if status else _withheld(piece.data))
        if not self._masks:
            return said("S", piece.data)
        # Out of step, what comes may be of a mail.
        mask = self._names.masked if piece.kind is Kind.STATUS else masked
        return said("S", mask(piece.data))

    def _block(self, piece: Piece) -> list[str]:
        written: list[str] = []
        bounded, self._private = piece.verb in _BODIES, piece.private
        for part in [piece.data] if self._omitted else cut(piece.data):
            if bounded and (self._omitted or (self._left <= 0 and not self._line)):
                self._omitted += len(part)
                continue
            self._left -= len(part) if bounded else 0
            self._line += part
            if part.endswith(b"\n") or len(self._line) >= _LONGEST_PIECE:
                written += self._take_line(piece.verb)
        return written if piece.more else written + self._end_of_block(ended=True)

    def _take_line(self, verb: Verb) -> list[str]:
        line, inside = bytes(self._line), self._inside
        self._line.clear()
        self._inside = not line.endswith(b"\n")
        if verb is grammar.CAPA and not self._login_seen:
            self._before_login.add(line)
        if self._private and line not in self._before_login and not is_harmless(verb, line):
            return said("S", _withheld(line))
        if not self._masks:
            return said("S", line)
        if verb not in _BODIES:
            return said("S", self._names.masked(line))
        return said("S", masked(line) if inside else self._mail.line(line))

    def _end_of_block(self, *, ended: bool) -> list[str]:
        """What a block leaves to be written, where it `ended` and where the connection did."""
        # A line that is not whole was in the middle of a mail, or of a listing: no mask knows its context.
        rest = bytes(self._line)
        if rest and self._private:
            rest = WITHHELD
        written = said("S", masked(rest) if self._masks else rest)
        if self._omitted:
            count = self._omitted - len(_TERMINATOR) if ended else self._omitted
            written += [f"{OMITTED}{count}"] if count else []
            written += said("S", _TERMINATOR) if ended else []
        self._line.clear()
        self._inside, self._mail, self._omitted = False, Mail(), 0
        return written

    def _write(self, lines: Iterable[str]) -> None:
        """At once and unbuffered, so that what crossed before a crash is in the file."""
        data = "".join(line + "\n" for line in lines).encode()
        try:
            while data and self._usable:
                if self._file is None:
                    self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
                data = data[os.write(self._file, data) :]
        except OSError as exc:
            self._usable = False
            log.warning("the transcript ends here, it cannot be written: %s", exc)


def _without_content(challenge: bytes) -> bytes:
    """A challenge that a client takes for what this one was: empty, base64, or neither.

    In place of base64 stands an empty JSON object, which is how a refused token is told.
    """
    content = challenge.removesuffix(CRLF)[2:]
    if not content:
        return challenge
    return b"+ !\r\n" if sasl.decoded(content) is None else b"+ e30=\r\n"


def _withheld(data: bytes) -> bytes:
    return WITHHELD + data[len(data.rstrip(b"\r\n")) :]
