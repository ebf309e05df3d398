"""The protocol as a log: what crosses a connection, without secrets and without mail.

One line a command, one a reply, to the logger "pop3frames.wire" at DEBUG. A multi-line reply is its first
line and how much followed. A file that can be replayed is another thing: `transcripts/`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from pop3frames.client.following import Follower, Kind, Piece, without_words
from pop3frames.errors import printable
from pop3frames.protocol import grammar
from pop3frames.protocol.grammar import CRLF, Verb

log = logging.getLogger("pop3frames.wire")


class WireLog:
    """An observer of one connection that logs it.

    Of every reply to a login, and to what left in one flight with it, only +OK or -ERR and a known response
    code are shown; of challenges nothing. The same of every later reply that repeats the secret. Octets are
    counted as they crossed, the final dot left out.
    """

    def __init__(
        self, gives_away: Callable[[bytes], bool] = lambda _words: False, *, greeted: bool = False
    ) -> None:
        """`gives_away`: whether words repeat a secret.

        `greeted`: the connection is not new, and no reply is under way on it.
        """
        self._follower, self._gives_away = Follower(greeted=greeted), gives_away
        self._status = ""
        self._lines = self._octets = self._stray = 0
        self._in_block = self._after_cr = self._login_seen = False

    def sent(self, verb: Verb, line: bytes) -> None:
        """Log a command; its secrets are *** already."""
        self._follower.sent(verb, line)
        self._login_seen |= verb in grammar.LOGIN_VERBS
        log.debug("C: %s", printable(line.removesuffix(CRLF)))

    def received(self, data: bytes) -> None:
        """Log the replies that end in these octets."""
        for piece in self._follower.feed(data):
            self._tell(piece)

    def secured(self) -> None:
        """Log that TLS stands."""
        log.debug("-- TLS")

    def closed(self) -> None:
        """Log what was left unfinished, and the end."""
        for piece in self._follower.finish():
            self._tell(piece)
        if self._in_block:
            log.debug("S: %s (broken off after %s)", self._status, self._amount())
        if self._stray:
            log.debug("S: (%d octets that are no reply)", self._stray)
        log.debug("-- closed")

    def _tell(self, piece: Piece) -> None:
        if piece.kind is Kind.STATUS:
            private = piece.private or self._gives_away(piece.data)
            shown = without_words(piece) if private else piece.data.removesuffix(CRLF)
            self._status = printable(shown)
            self._in_block, self._lines, self._octets = piece.more, 0, 0
            if not piece.more:
                log.debug("S: %s", self._status)
        elif piece.kind is Kind.CHALLENGE:
            log.debug("S: + ***")
        elif piece.kind is Kind.BLOCK:
            self._count(piece)
        else:
            self._tell_stray(piece.data)

    def _count(self, piece: Piece) -> None:
        split = self._after_cr and piece.data.startswith(b"\n")
        self._lines += piece.data.count(CRLF) + split
        self._octets += len(piece.data)
        self._after_cr = piece.data.endswith(b"\r")
        if not piece.more:
            self._in_block, self._lines, self._octets = False, self._lines - 1, self._octets - len(b".\r\n")
            log.debug("S: %s (%s)", self._status, self._amount())

    def _amount(self) -> str:
        return f"{self._lines} lines, {self._octets} octets"

    def _tell_stray(self, data: bytes) -> None:
        """Once, and its words only before a login: behind it they may be a secret's, or a mail's."""
        if not self._stray:
            shown = "not shown" if self._login_seen else repr(printable(data[:200], 60))
            log.debug("S: (no reply: %s)", shown)
        self._stray += len(data)


def wire_logs(gives_away: Callable[[bytes], bool]) -> list[WireLog]:
    """The observers a new connection gets by itself: one where somebody wants the log, else none."""
    return [WireLog(gives_away)] if log.isEnabledFor(logging.DEBUG) else []


def show() -> None:
    """See to it that the log is written, on standard error where no logging was set up."""
    if not log.isEnabledFor(logging.DEBUG):
        log.setLevel(logging.DEBUG)
    if not log.hasHandlers():
        log.addHandler(logging.StreamHandler())
