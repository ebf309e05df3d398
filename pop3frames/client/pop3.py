"""POP3 and POP3_SSL: one session, with poplib's method names and return shapes, plus windowed pipelining.

The verbs of the TRANSACTION state and what they mean; the login is in `authorization.py`, how commands and
replies stay in step in `exchange.py`. No parsing of mail, no retry, no stored credentials.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

from pop3frames.client.authorization import Authorization
from pop3frames.client.exchange import Observer, Replies
from pop3frames.client.wire import TLSContext, Wire, default_context
from pop3frames.client.wirelog import WireLog, show
from pop3frames.errors import POP3ConnectionError, POP3Error
from pop3frames.protocol import grammar
from pop3frames.protocol.conversation import Reply
from pop3frames.protocol.framing import lines
from pop3frames.protocol.grammar import DEFAULT_LIMITS, Limits, Verb
from pop3frames.protocol.listings import parse_stat

error_proto = POP3Error  # poplib's name: `import pop3frames.client.pop3 as poplib` is all that changes

Response = tuple[bytes, list[bytes], int]  # poplib's shape of a multi-line reply: status, lines, octets


class POP3(Authorization):
    """A session in plain text, or under TLS after `stls()`. Methods are poplib's; errors are pop3frames'.

    host, port     where to connect
    timeout        seconds without a byte before an operation ends in POP3ConnectionError; a login waits 15 at
                   least, since a server may say only then that the mailbox is in use
    pipelining     True, False, or None: as the server's capabilities say
    limits         how much the server is believed (`Limits`)
    observers      who is told what crosses (`client.exchange.Observer`)

    After any POP3ConnectionError the session is closed. A POP3CommandError leaves it usable.
    """

    def __init__(
        self,
        host: str,
        port: int = 110,
        timeout: float = 30,
        *,
        pipelining: bool | None = None,
        limits: Limits = DEFAULT_LIMITS,
        observers: Iterable[Observer] = (),
    ) -> None:
        super().__init__(host, port, timeout, pipelining=pipelining, limits=limits, observers=observers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        """QUIT; after an exception just close, so that nothing marked is deleted."""
        if kind is None:
            self.quit()
        else:
            self.close()

    def __repr__(self) -> str:
        tls = "TLS" if self._wire.encrypted else "plain text"
        return f"<{type(self).__name__} {self.host}:{self.port} {tls} {self._conversation.state.value}>"

    def set_debuglevel(self, level: int) -> None:
        """Log what crosses this connection from now on (1 or more), or no longer (0). poplib prints it.

        It goes to the logger "pop3frames.wire", which is set to DEBUG, and to standard error where no logging
        was set up. Never a secret, never a mail.
        """
        self._settle()  # a log that begins between a command and its reply could not tell what that is
        self.observers = [each for each in self.observers if not isinstance(each, WireLog)]
        if level > 0:
            show()
            self.observers.append(WireLog(self._repeats_a_secret, greeted=True))

    # Transaction

    def stat(self) -> tuple[int, int]:
        """Message count and octets of the mailbox, without the marked ones."""
        reply = self._request(grammar.STAT)
        try:
            return parse_stat(reply.status)
        except POP3ConnectionError:
            self.close()
            reply.withhold(self._repeats_a_secret)
        return parse_stat(reply.status)  # raises: with the server's words, where they may be shown

    def list(self, which: int | str | None = None) -> Response | bytes:
        """Scan listings (b'1 120'): all as (status, lines, octets); of one message, its status line."""
        return self._listing(grammar.LIST, which)

    def uidl(self, which: int | str | None = None) -> Response | bytes:
        """Unique-ids (b'1 abc'): all as (status, lines, octets); of one message, its status line."""
        return self._listing(grammar.UIDL, which)

    def scan_listings(self) -> bytes:
        """What LIST answers, as one block: a million lines would be a million objects."""
        return self._request(grammar.LIST).block or b""

    def unique_ids(self) -> bytes:
        """What UIDL answers, as one block."""
        return self._request(grammar.UIDL).block or b""

    def retr(self, which: int | str) -> Response:
        """A whole message as (status, lines without line ends, octets)."""
        return _response(self._whole(self._request(grammar.RETR, _number(which))))

    def top(self, which: int | str, howmuch: int | str) -> Response:
        """The header and the first `howmuch` lines of the body, as (status, lines, octets)."""
        return _response(self._request(grammar.TOP, _number(which), _number(howmuch)))

    def dele(self, which: int | str) -> bytes:
        """Mark for deletion: real only when QUIT is answered +OK."""
        return self._request(grammar.DELE, _number(which)).status

    def noop(self) -> bytes:
        """Nothing, but the server answers."""
        return self._request(grammar.NOOP).status

    def rset(self) -> bytes:
        """Take all deletion marks back."""
        return self._request(grammar.RSET).status

    def quit(self) -> bytes:
        """QUIT and close: only its +OK makes deletions real. The connection is closed in any case."""
        try:
            return self._request(grammar.QUIT).status
        finally:
            self.close()

    # Pipelining

    @property
    def expires_retrieved(self) -> bool:
        """Whether a QUIT may hide or delete what was RETRed: EXPIRE 0, RFC 2449 section 6.7 (Gmail)."""
        return "0" in self.known_capabilities.get("EXPIRE", ())

    def retr_many(self, numbers: Iterable[int], sizes: Mapping[int, int] | None = None) -> Replies:
        """A reply for each number, in that order: `reply.block` is the raw message, or `reply.ok` is False.

        Commands run ahead of replies within the window of `limits`; `sizes`, by number as LIST told them, say
        how far. Other commands may be sent in between, and stopping early leaves the session in step.
        """
        return self._pipeline(grammar.RETR, ((number,) for number in numbers), sizes or {})

    def top_many(
        self, numbers: Iterable[int], howmuch: int = 0, sizes: Mapping[int, int] | None = None
    ) -> Replies:
        """A reply for each number, in that order, with the header and `howmuch` lines in `reply.block`.

        `sizes`, as LIST told them, show where a mail was cut: what followed is nobody's header.
        """
        asked, listed = list(numbers), sizes or {}
        # The window goes without sizes: of a large mail, too, only the header comes.
        replies = self._pipeline(grammar.TOP, ((number, howmuch) for number in asked), {})
        for number, reply in zip(asked, replies, strict=True):
            yield self._whole(reply, listed.get(number, 0))

    def dele_many(self, numbers: Iterable[int]) -> Replies:
        """A reply for each number, in that order: marked where `reply.ok`."""
        return self._pipeline(grammar.DELE, ((number,) for number in numbers), {})

    # Behind the verbs

    def _listing(self, verb: Verb, which: int | str | None) -> Response | bytes:
        if which is None:
            return _response(self._request(verb))
        return self._request(verb, _number(which)).status


class POP3_SSL(POP3):  # noqa: N801  (poplib's name)
    """A session under TLS from the first byte (RFC 8314). The certificate and the host name are checked.

    context   an ssl.SSLContext for private CAs or client certificates; None: `ssl.create_default_context()`
    """

    def __init__(
        self,
        host: str,
        port: int = 995,
        *,
        timeout: float = 30,
        context: TLSContext | None = None,
        pipelining: bool | None = None,
        limits: Limits = DEFAULT_LIMITS,
        observers: Iterable[Observer] = (),
    ) -> None:
        self._context = context or default_context()
        super().__init__(host, port, timeout, pipelining=pipelining, limits=limits, observers=observers)

    def _open_wire(self, host: str, port: int, timeout: float) -> Wire:
        return Wire(host, port, timeout, self._context)


def _number(which: int | str) -> int | str:
    """poplib's users also write '1'; anything else than such digits is refused where commands are built."""
    is_digits = isinstance(which, str) and which.isascii() and which.isdigit() and len(which) <= 10
    return int(which) if is_digits else which


def _response(reply: Reply) -> Response:
    block = reply.block or b""
    return reply.status, lines(block), len(block)
