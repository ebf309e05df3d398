"""The AUTHORIZATION state: TLS, what the server can do, and every way to log in (RFC 1939 section 4).

Which secret, and when to try again, is for others to say; the TRANSACTION state is in `pop3.py`.
"""

from __future__ import annotations

import base64
import contextlib
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from pop3frames.client.credentials import Secret
from pop3frames.client.exchange import Exchange, Observer
from pop3frames.client.wire import TLSContext, Wire, default_context
from pop3frames.client.wirelog import wire_logs
from pop3frames.errors import POP3BusyError, POP3CommandError, POP3ConnectionError, POP3Error, POP3UsageError
from pop3frames.protocol import commands, grammar, sasl
from pop3frames.protocol.conversation import NOT_SHOWN, Reply
from pop3frames.protocol.framing import lines
from pop3frames.protocol.grammar import Limits, Verb
from pop3frames.protocol.listings import login_delay, parse_capabilities

Capabilities = dict[str, list[str]]


class Authorization(Exchange):
    """A connection from its greeting to its login."""

    def __init__(
        self,
        host: str,
        port: int,
        timeout: float,
        *,
        pipelining: bool | None,
        limits: Limits,
        observers: Iterable[Observer] = (),
    ) -> None:
        if not isinstance(timeout, int | float) or not timeout > 0:
            raise POP3UsageError("timeout must be a positive number of seconds")
        self.host, self.port, self.pipelining = host, port, pipelining
        self._capabilities: Capabilities | None = None
        self.announced: Capabilities | None = None  # what was said before the login
        observers = [*observers, *wire_logs(self._repeats_a_secret)]
        super().__init__(self._open_wire(host, port, timeout), timeout, limits, observers)
        self.welcome = self._checked(self._next_reply()).status

    def _open_wire(self, host: str, port: int, timeout: float) -> Wire:
        return Wire(host, port, timeout)

    def getwelcome(self) -> bytes:
        """The greeting, such as b'+OK ready'."""
        return self.welcome

    # Before the login

    def stls(self, context: TLSContext | None = None) -> bytes:
        """Go on under TLS (RFC 2595 section 4). A refusal is a POP3ConnectionError: never plain text."""
        if self._wire.encrypted:
            raise POP3UsageError("STLS: TLS stands already")
        try:
            status = self._request(grammar.STLS).status
        except POP3CommandError as exc:
            self.close()
            raise POP3ConnectionError(
                f"{self.host}:{self.port} offers no TLS by STLS ({exc.text or 'refused'}): "
                "try encryption='ssl', usually on port 995",
                retryable=False,
            ) from exc
        try:
            self._conversation.ready_for_tls()
            self._wire.start_tls(context or default_context(), self.timeout)
        except POP3ConnectionError:
            self.close()
            raise
        self._conversation.tls_started()
        self._capabilities = None
        for observer in self.observers:
            observer.secured()
        return status

    def capa(self) -> Capabilities:
        """Capabilities and their arguments, asked now (RFC 2449); POP3CommandError where there is no CAPA."""
        self._capabilities = _capabilities(self._request(grammar.CAPA))
        return self._capabilities

    def utf8(self) -> bytes:
        """UTF8: mails may come with headers in UTF-8 (RFC 6856 section 2). Before the login."""
        return self._request(grammar.UTF8).status

    def lang(self, tag: str | None = None) -> bytes | tuple[bytes, list[bytes], int]:
        """LANG: in which language errors are told (RFC 6856 section 3); without a tag, the ones there are."""
        if tag is not None:
            return self._request(grammar.LANG, tag).status
        reply = self._request(grammar.LANG)
        block = reply.block or b""
        return reply.status, lines(block), len(block)

    def remember(self, capabilities: Capabilities) -> None:
        """Go by what an earlier session of this server said before the login: that saves a round trip."""
        self._capabilities = capabilities

    @property
    def known_capabilities(self) -> Capabilities:
        """What the server can do in this state, asked at most once; empty where it has no CAPA."""
        if self._capabilities is None:
            try:
                return self.capa()
            except POP3CommandError:  # a bare RFC 1939 server
                self._capabilities = {}
        return self._capabilities

    @property
    def can_pipeline(self) -> bool:
        """Whether commands go out ahead of replies: as told, else as CAPA says (RFC 2449 section 6.6)."""
        if self.pipelining is None:
            return "PIPELINING" in self.known_capabilities
        return self.pipelining

    # The login

    def log_in(
        self, user: str, secret: Secret, mechanism: str | None = None, ahead: Sequence[Verb] = ()
    ) -> bytes:
        """Log in by one of `sasl.MECHANISMS`; None: USER and PASS, or what is offered instead.

        `ahead`: commands without arguments that will be asked next; where the server pipelines they leave
        together with the login, or with each other. Raises as `pass_` does.
        """
        mechanism = mechanism or self._password_mechanism()
        # Where USER is not offered, its refusal must come before a password is said.
        if mechanism == "USER" and self.can_pipeline and "USER" in (self._capabilities or ("USER",)):
            return self._log_in_at_once(user, secret, ahead)
        if mechanism == "USER":
            self.user(user)
            status = self.pass_(secret)
        elif mechanism == "APOP":
            status = self.apop(user, secret)
        else:
            status = self.authenticate(mechanism, user, secret)
        if ahead and self.can_pipeline:
            self._foresee(verb for verb in ahead if verb is not grammar.CAPA)
        return status

    def _password_mechanism(self) -> str:
        told = self.known_capabilities if self.pipelining is None else self._capabilities or {}
        offered = [] if "USER" in told else told.get("SASL", [])
        return next((each for each in ("PLAIN", "SCRAM-SHA-256") if each in offered), "USER")

    def _log_in_at_once(self, user: str, secret: Secret, ahead: Sequence[Verb]) -> bytes:
        self._warn_of_plain_text()
        self._depart(
            (grammar.USER, (user,)), (grammar.PASS, (secret.reveal,)), *((verb, ()) for verb in ahead)
        )
        replies: list[Reply] = []
        try:
            for _ in ("USER", "PASS", *ahead):
                replies.append(self._next_reply())
        except POP3ConnectionError:  # some servers hang up behind a refusal, which is then what counts
            if all(reply.ok for reply in replies[:2]):
                raise
        refused = next((reply for reply in replies[:2] if not reply.ok), None)
        status = self._logged_in(refused or replies[1], secret)
        for reply in replies[2:]:
            reply.withhold(self._conversation.gives_away)
            if reply.verb is grammar.CAPA:
                self._capabilities = _capabilities(reply) if reply.ok else {}
            else:
                self._foreseen[reply.verb] = reply
        return status

    def user(self, user: str) -> bytes:
        """USER: the name to log in with."""
        return self._request(grammar.USER, user).status

    def pass_(self, pswd: str | Secret) -> bytes:
        """PASS: log in. Raises POP3AuthenticationError, or POP3BusyError when the mailbox is in use."""
        pswd = pswd if isinstance(pswd, Secret) else Secret(pswd)
        self._warn_of_plain_text()
        return self._logged_in(self._exchange(grammar.PASS, pswd.reveal), pswd)

    def apop(self, user: str, password: str | Secret) -> bytes:
        """APOP: log in by a digest (RFC 1939 section 7), only when asked for: MD5 is weak (CVE-2007-1558).

        POP3UsageError, and nothing is sent, where the greeting offers none.
        """
        password = password if isinstance(password, Secret) else Secret(password)
        timestamp = sasl.apop_timestamp(self.welcome)
        if timestamp is None:
            raise POP3UsageError("this server offers no APOP: its greeting has no timestamp in <>")
        return self._logged_in(
            self._exchange(grammar.APOP, user, lambda: sasl.apop_digest(timestamp, password.reveal)), password
        )

    def rpop(self, user: str) -> bytes:
        """RPOP: log in without a password, by one's address (RFC 1081). No server of today offers it."""
        status = self._request(grammar.RPOP, user).status
        self.announced, self._capabilities = self._capabilities, None
        return status

    def authenticate(self, mechanism: str, user: str, secret: str | Secret) -> bytes:
        """AUTH (RFC 5034), in two steps always: some servers refuse a response in the same line.

        mechanism   PLAIN, SCRAM-SHA-256, OAUTHBEARER or XOAUTH2
        secret      the password, or the token of the last two, which are never sent in plain text

        Raises POP3AuthenticationError or POP3BusyError; POP3ProtocolError for what is no such exchange.
        """
        secret = secret if isinstance(secret, Secret) else Secret(secret)
        responses = self._responses(mechanism, user, secret)
        if not (commands.is_text(user) and commands.is_text(secret.reveal)):
            raise POP3UsageError(f"{mechanism}: name and secret must be {grammar.Kind.TEXT.value}")
        conversation = responses()
        self._warn_of_plain_text()
        reply = self._request(grammar.AUTH, mechanism)
        if reply.challenge is None:
            raise self._give_up(f"accepted AUTH {mechanism} before anything was proved")
        try:
            reply, told = self._answer(conversation, reply, secret)
        except POP3ConnectionError:
            self.close()
            raise
        return self._logged_in(reply, secret, told, lambda: next(responses()))

    def _responses(self, mechanism: str, user: str, secret: Secret) -> Callable[[], sasl.Responses]:
        if mechanism in sasl.BEARERS and not (self._wire.encrypted or self._wire.is_loopback):
            raise POP3UsageError(f"{mechanism}: a token is never sent in plain text; use 'ssl' or 'tls'")
        if mechanism == "PLAIN":
            return lambda: sasl.plain(user, secret.reveal)
        if mechanism == "SCRAM-SHA-256":
            return lambda: sasl.scram_sha_256(user, secret.reveal, self.limits)
        if mechanism == "OAUTHBEARER":
            return lambda: sasl.oauthbearer(user, secret.reveal, self.host, self.port)
        if mechanism == "XOAUTH2":
            return lambda: sasl.xoauth2(user, secret.reveal)
        raise POP3UsageError(f"unknown mechanism; known are {', '.join(sasl.MECHANISMS)}")

    def _answer(self, responses: sasl.Responses, reply: Reply, secret: Secret) -> tuple[Reply, str]:
        """Answer challenges until the server decides: its decision, and what it told of a refused token."""
        told, challenge = "", None
        for _ in range(self.limits.challenges):
            self._read(self._wire.arrived)  # who does not wait for the answer is not given it
            try:
                # No variable: what a mechanism says holds the secret.
                self._wire.queue(
                    self._conversation.respond(
                        base64.b64encode(next(responses) if challenge is None else responses.send(challenge))
                    )
                )
            except StopIteration:
                break
            self._tell_answer(b"***")
            reply = self._next_reply()
            if reply.challenge is None:
                self._prove(responses, reply)
                return reply, told
            challenge = sasl.decoded(reply.challenge)
            if challenge is None:
                break
            told = sasl.refusal(challenge)
            if secret.reveal() in told:
                told = NOT_SHOWN
        del reply, challenge  # they may repeat the secret
        self._read(self._wire.arrived)
        self._wire.queue(self._conversation.respond(grammar.CANCEL))  # RFC 5034 section 4
        self._tell_answer(grammar.CANCEL)
        self._next_reply()
        raise self._give_up("the server's challenges do not belong to this mechanism")

    def _prove(self, responses: sasl.Responses, reply: Reply) -> None:
        """To a mechanism, +OK is an empty last challenge: SCRAM refuses it from who has not proved itself."""
        if reply.ok:
            with contextlib.suppress(StopIteration):
                responses.send(b"")

    def _tell_answer(self, shown: bytes) -> None:
        for observer in self.observers:
            observer.sent(grammar.AUTH, shown + grammar.CRLF)

    def _logged_in(
        self, reply: Reply, secret: Secret, told: str = "", first: Callable[[], bytes] = lambda: b""
    ) -> bytes:
        if told and not reply.ok:
            reply.status += f" ({told})".encode()
        # From here on for every refusal: who repeats a secret may do so late, or out of step.
        self._conversation.gives_away = partial(_gives_away, secret, first)
        reply.withhold(self._conversation.gives_away)
        try:
            status = self._checked(reply).status
        except POP3BusyError as exc:
            if exc.code and exc.code.startswith("LOGIN-DELAY"):
                with contextlib.suppress(POP3Error):  # it may have hung up behind its refusal
                    exc.retry_after = login_delay(self.known_capabilities)
            raise
        # What is announced may change with the login: Gmail offers PIPELINING only behind it. A server that
        # refused CAPA is not asked again.
        self.announced, self._capabilities = self._capabilities, {} if self._capabilities == {} else None
        return status

    def _repeats_a_secret(self, words: bytes) -> bool:
        return self._conversation.gives_away(words)

    def _warn_of_plain_text(self) -> None:
        if not self._wire.encrypted and not self._wire.is_loopback:
            warnings.warn(
                f"the password for {self.host} crosses the network in plain text: "
                "use encryption='ssl' or 'tls'",
                stacklevel=4,
            )


def _capabilities(reply: Reply) -> Capabilities:
    return parse_capabilities(lines(reply.block or b""))


def _gives_away(secret: Secret, first: Callable[[], bytes], text: bytes) -> bool:
    """Whether a server's words repeat the secret, as it is or in base64, or the response that held it."""
    spoken = secret.reveal().encode(errors="replace")
    repeated = (spoken, base64.b64encode(spoken), base64.b64encode(first()))
    return any(form != b"" and form in text for form in repeated)
