"""POP3 and POP3_SSL: one session, with poplib's method names and return shapes, plus windowed pipelining.

Each verb and what it means; how commands and replies stay in step is in `exchange.py`. No parsing of mail, no
retry, no stored credentials.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Self

from pop3frames.client.credentials import Secret
from pop3frames.client.exchange import Exchange, Replies
from pop3frames.client.wire import TLSContext, Wire, default_context
from pop3frames.errors import POP3CommandError, POP3ConnectionError, POP3UsageError
from pop3frames.protocol import grammar, sasl
from pop3frames.protocol.conversation import Reply
from pop3frames.protocol.framing import lines
from pop3frames.protocol.grammar import DEFAULT_LIMITS, Limits, Verb
from pop3frames.protocol.listings import parse_capabilities, parse_stat

Response = tuple[bytes, list[bytes], int]  # poplib's shape of a multi-line reply: status, lines, octets
Capabilities = dict[str, list[str]]


class POP3(Exchange):
    """A session in plain text, or under TLS after `stls()`. Methods are poplib's; errors are pop3frames'.

    host, port     where to connect
    timeout        seconds without a byte before an operation ends in POP3ConnectionError
    pipelining     True, False, or None: as the server's capabilities say
    limits         how much the server is believed (`protocol.grammar.Limits`)

    After any POP3ConnectionError the session is closed. A POP3CommandError leaves it usable.
    """

    _context: TLSContext | None = None  # what TLS from the first byte is spoken with

    def __init__(
        self,
        host: str,
        port: int = 110,
        timeout: float = 30,
        *,
        pipelining: bool | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if not timeout > 0:
            raise POP3UsageError("timeout must be a positive number of seconds")
        self.host, self.port, self.pipelining = host, port, pipelining
        self._capabilities: Capabilities | None = None
        super().__init__(Wire(host, port, timeout, self._context), timeout, limits)
        self.welcome = self._checked(self._next_reply()).status

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

    # Authorization

    def getwelcome(self) -> bytes:
        """The greeting, such as b'+OK ready'."""
        return self.welcome

    def stls(self, context: TLSContext | None = None) -> bytes:
        """Go on under TLS (RFC 2595 section 4). A refusal is a POP3ConnectionError: never plain text."""
        try:
            status = self._request(grammar.STLS).status
        except POP3CommandError as exc:
            self.close()
            raise POP3ConnectionError(
                f"{self.host}:{self.port} offers no TLS by STLS ({exc.text or 'refused'}): "
                "try encryption='ssl', usually on port 995",
                retryable=False,
            ) from exc
        with self._closed_on_failure():
            self._conversation.ready_for_tls()
            self._wire.start_tls(context or default_context(), self.timeout)
        self._conversation.tls_started()
        self._capabilities = None
        return status

    def user(self, user: str) -> bytes:
        """USER: the name to log in with."""
        return self._request(grammar.USER, user).status

    def pass_(self, pswd: str | Secret) -> bytes:
        """PASS: log in. Raises POP3AuthenticationError, or POP3BusyError when the mailbox is in use."""
        pswd = pswd if isinstance(pswd, Secret) else Secret(pswd)
        self._warn_of_plain_text()
        return self._logged_in(
            self._exchange(grammar.PASS, pswd.reveal),
            lambda text: pswd.reveal().encode(errors="replace") in text,
        )

    def auth_plain(self, user: str, pswd: str | Secret) -> bytes:
        """AUTH PLAIN in two steps (RFC 5034, RFC 4616): for servers that refuse USER and PASS."""
        pswd = pswd if isinstance(pswd, Secret) else Secret(pswd)
        self._warn_of_plain_text()
        reply = self._request(grammar.AUTH, "PLAIN")
        if reply.challenge is None:
            raise self._give_up("the server accepted AUTH PLAIN before a password was sent")
        self._wire.queue(self._conversation.respond(sasl.plain(user, pswd.reveal)))
        reply = self._next_reply()
        if reply.challenge is not None:  # PLAIN has one response (RFC 4616): whatever this is, it is no login
            raise self._give_up("the server goes on asking after the response of AUTH PLAIN")
        return self._logged_in(
            reply,
            lambda text: (
                pswd.reveal().encode(errors="replace") in text or sasl.plain(user, pswd.reveal) in text
            ),
        )

    def capa(self) -> Capabilities:
        """Capabilities and their arguments, asked now (RFC 2449); POP3CommandError where there is no CAPA."""
        self._capabilities = parse_capabilities(lines(self._request(grammar.CAPA).block or b""))
        return self._capabilities

    # Transaction

    def stat(self) -> tuple[int, int]:
        """Message count and octets of the mailbox, without the marked ones."""
        with self._closed_on_failure():
            return parse_stat(self._request(grammar.STAT).status)

    def list(self, which: int | None = None) -> Response | bytes:
        """Scan listings (b'1 120'): all as (status, lines, octets); of one message, its status line."""
        return self._listing(grammar.LIST, which)

    def uidl(self, which: int | None = None) -> Response | bytes:
        """Unique-ids (b'1 abc'): all as (status, lines, octets); of one message, its status line."""
        return self._listing(grammar.UIDL, which)

    def retr(self, which: int) -> Response:
        """A whole message as (status, lines without line ends, octets)."""
        return _response(self._request(grammar.RETR, which))

    def top(self, which: int, howmuch: int) -> Response:
        """The header and the first `howmuch` lines of the body, as (status, lines, octets)."""
        return _response(self._request(grammar.TOP, which, howmuch))

    def dele(self, which: int) -> bytes:
        """Mark for deletion: real only when QUIT is answered +OK."""
        return self._request(grammar.DELE, which).status

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
    def can_pipeline(self) -> bool:
        """Whether commands go out ahead of replies: as told, else as CAPA says (asked once after login)."""
        if self.pipelining is None:
            return "PIPELINING" in self._known_capabilities()
        return self.pipelining

    @property
    def expires_retrieved(self) -> bool:
        """Whether a QUIT may hide or delete what was RETRed: EXPIRE 0, RFC 2449 section 6.7 (Gmail)."""
        return "0" in self._known_capabilities().get("EXPIRE", ())

    def retr_many(self, numbers: Iterable[int], sizes: Mapping[int, int] | None = None) -> Replies:
        """A reply for each number, in that order: `reply.block` is the raw message, or `reply.ok` is False.

        Commands run ahead of replies within the window of `limits`; `sizes`, by number as LIST told them, say
        how far. Other commands may be sent in between, and stopping early leaves the session in step.
        """
        return self._pipeline(grammar.RETR, ((number,) for number in numbers), sizes or {})

    def top_many(self, numbers: Iterable[int], howmuch: int = 0) -> Replies:
        """A reply for each number, in that order, with the header and `howmuch` lines in `reply.block`."""
        return self._pipeline(grammar.TOP, ((number, howmuch) for number in numbers), {})

    def dele_many(self, numbers: Iterable[int]) -> Replies:
        """A reply for each number, in that order: marked where `reply.ok`."""
        return self._pipeline(grammar.DELE, ((number,) for number in numbers), {})

    # Behind the verbs

    def _logged_in(self, reply: Reply, gives_away: Callable[[bytes], bool]) -> bytes:
        # A server that echoes what it refuses must not put the password into the error. The whole text goes:
        # a gap in a known sentence would tell the password too.
        if gives_away(reply.status):
            code = reply.code if reply.code and not gives_away(reply.code.encode()) else None
            shown = f"[{code}] " * bool(code) + "(not shown: it repeats the password)"
            reply.status = (grammar.OK if reply.ok else grammar.ERR) + b" " + shown.encode()
        self._capabilities = None  # what is announced may change with the login: Gmail does
        return self._checked(reply).status

    def _listing(self, verb: Verb, which: int | None) -> Response | bytes:
        if which is None:
            return _response(self._request(verb))
        return self._request(verb, which).status

    def _known_capabilities(self) -> Capabilities:
        if self._capabilities is None:
            try:
                return self.capa()
            except POP3CommandError:  # a bare RFC 1939 server
                self._capabilities = {}
        return self._capabilities

    def _warn_of_plain_text(self) -> None:
        if not self._wire.encrypted and not self._wire.is_loopback:
            warnings.warn(
                f"the password for {self.host} crosses the network in plain text: "
                "use encryption='ssl' or 'tls'",
                stacklevel=3,
            )


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
    ) -> None:
        self._context = context or default_context()
        super().__init__(host, port, timeout, pipelining=pipelining, limits=limits)


def _response(reply: Reply) -> Response:
    block = reply.block or b""
    return reply.status, lines(block), len(block)
