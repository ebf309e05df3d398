"""What the server answers, from greeting to QUIT: commands in, steps out. No socket, no clock, no sleep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from pop3frames.protocol import grammar
from pop3frames.protocol.commands import Malformed
from pop3frames.protocol.conversation import ServerConversation
from pop3frames.protocol.framing import joined
from pop3frames.protocol.grammar import DEFAULT_LIMITS, Limits, State, Verb
from pop3frames.server.faults import HangUp, Pause, Step
from pop3frames.server.features import DEFAULT_BOUNDS, DEFAULT_FEATURES, Bounds, Features, capabilities
from pop3frames.server.logins import Challenge, Logins, Outcome, Refusal
from pop3frames.server.plan import FaultPlan
from pop3frames.server.transaction import Transaction
from pop3frames.server.users import User, Users

_LANGUAGES = {"en": "English", "i-default": "English"}


@dataclass(frozen=True)
class Service:
    """What all sessions of a server have in common. `has_tls`: it has a certificate."""

    users: Users
    features: Features = DEFAULT_FEATURES
    bounds: Bounds = DEFAULT_BOUNDS
    limits: Limits = DEFAULT_LIMITS
    faults: FaultPlan = field(default_factory=FaultPlan)
    has_tls: bool = False


def turned_away(service: Service) -> bytes:
    """What a client hears instead of a greeting where there are connections enough (RFC 3206 section 4)."""
    code = "SYS/TEMP" if service.features.resp_codes else None
    return ServerConversation().err("too many connections", code)


class ServerSession:
    """One client's session, number `connection` of its server.

    Feed it with `receive`, do what `replies` yields, in order and before asking for more, so that a client
    that does not read stops being served. `wants_tls` and `ended` say what to do next with the connection.
    """

    def __init__(self, service: Service, *, under_tls: bool = False, connection: int = 1) -> None:
        self._service, self._features, self._number = service, service.features, connection
        self._offers_stls = service.has_tls and self._features.stls and not under_tls
        plaintext = self._features.plaintext
        self._logins = Logins(
            service.users,
            self._features,
            plaintext=under_tls or (not service.has_tls if plaintext is None else plaintext),
        )
        self._conversation = ServerConversation(service.limits)
        self._transaction: Transaction | None = None
        self._utf8 = self._hangs_up = False
        self._errors = self._failed_logins = 0
        self._wait = 0.0
        self.wants_tls = False
        self.ended = False

    def greeting(self) -> Iterator[Step]:
        """The first line of the session."""
        return self._played(grammar.GREETING, (), self._greet)

    def receive(self, data: bytes) -> None:
        """Take what came from the client."""
        behind = data.find(b"\n") + 1
        if 0 < behind < len(data) and (batch := self._service.faults.batch(self._number)) is not None:
            data = data[:behind]
            self._hangs_up = batch.closes
        self._conversation.receive(data)

    def replies(self) -> Iterator[Step]:
        """The replies to all whole commands received so far. POP3ProtocolError: close the connection."""
        while not self.ended and not self.wants_tls:
            if self._logins.in_exchange:
                line = self._conversation.next_line()
                if line is None:
                    return
                yield from self._played(grammar.AUTH, (line,), self._respond)
            else:
                command = self._conversation.next_command()
                if command is None:
                    return
                if isinstance(command, Malformed):
                    yield self._counted(self._conversation.err(command.reason))
                else:
                    answer = partial(self._answer, command.verb)
                    yield from self._played(command.verb, command.arguments, answer)
            if self._hangs_up:
                yield HangUp()

    def tls_started(self) -> None:
        """TLS stands: all that was said before is forgotten, and STLS is not offered again."""
        self._conversation.tls_started()
        self._logins.forget()
        self._logins.plaintext = True
        self._offers_stls = self.wants_tls = False

    def close(self) -> None:
        """The connection is gone: nothing marked is deleted. Safe to call again."""
        if self._transaction is not None:
            self._transaction.close()

    def _played(
        self, verb: Verb, arguments: tuple[int | bytes, ...], answer: Callable[..., bytes]
    ) -> Iterator[Step]:
        """The answer, or what a fault makes of it, once the time that a wrong login costs is over."""
        fault = self._service.faults.reply(verb, arguments, self._number)
        executed = fault is None or fault.executed
        reply = self._counted(answer(*arguments)) if executed else b""
        if not executed:
            self._logins.forget()
        if self._wait:
            yield Pause(self._wait)
            self._wait = 0.0
        if fault is None:
            yield reply
        else:
            yield from fault.play(reply)

    def _counted(self, reply: bytes) -> bytes:
        """Errors in a row end the session: who makes them talks to the wrong server, or guesses."""
        self._errors = self._errors + 1 if reply.startswith(grammar.ERR) else 0
        self.ended = self.ended or self._errors >= self._service.bounds.errors
        return reply

    def _answer(self, verb: Verb, *arguments: int | bytes) -> bytes:
        if self._features.lacks(verb):
            return self._conversation.err("unknown command")
        answer = _ANSWERS.get(verb)
        if answer is not None:
            return answer(self, *arguments)
        assert self._transaction is not None, "the conversation lets no command through before the login"
        return self._transaction.answer(verb, *arguments)

    def _err(self, text: str, code: str | None = None) -> bytes:
        return self._conversation.err(text, code if self._features.resp_codes else None)

    # AUTHORIZATION

    def _greet(self) -> bytes:
        return self._conversation.ok(f"pop3frames ready {self._logins.timestamp.decode()}".rstrip())

    def _capa(self) -> bytes:
        told = capabilities(
            self._features,
            sasl=self._logins.mechanisms,
            stls=self._offers_stls,
            plaintext=self._logins.plaintext,
            logged_in=self._transaction is not None,
        )
        return self._conversation.block("capabilities follow", joined(told))

    def _stls(self) -> bytes:
        if not self._offers_stls:
            return self._err("TLS is not available")
        if self._utf8:  # RFC 6856 section 2.1
            return self._err("not after UTF8")
        self.wants_tls = True
        return self._conversation.ok("begin TLS")

    def _utf8_mode(self) -> bytes:
        self._utf8 = True
        return self._conversation.ok("UTF8 mode")

    def _lang(self, tag: bytes | None = None) -> bytes:
        if tag is None:
            lines = [f"{tag} {name}".encode() for tag, name in _LANGUAGES.items()]
            return self._conversation.block("languages follow", joined(lines))
        chosen = "en" if tag == b"*" else tag.decode(errors="replace").lower()
        if chosen not in _LANGUAGES:
            return self._err("no such language")
        return self._conversation.ok(f"{chosen} it stays English")

    def _user(self, name: bytes) -> bytes:
        refusal = self._logins.user(name)
        return self._conversation.ok("send PASS") if refusal is None else self._refused(refusal)

    def _pass(self, password: bytes) -> bytes:
        return self._concluded(self._logins.password(password))

    def _apop(self, name: bytes, digest: bytes) -> bytes:
        return self._concluded(self._logins.apop(name, digest))

    def _auth(self, mechanism: bytes, initial: bytes | None = None) -> bytes:
        return self._concluded(self._logins.auth(mechanism, initial))

    def _respond(self, line: bytes) -> bytes:
        return self._concluded(self._logins.respond(line))

    def _concluded(self, outcome: Outcome | Challenge) -> bytes:
        if isinstance(outcome, Challenge):
            return self._conversation.challenge(outcome.text)
        return self._refused(outcome) if isinstance(outcome, Refusal) else self._opened(outcome)

    def _refused(self, refusal: Refusal) -> bytes:
        if not refusal.credentials:
            return self._err(refusal.text)
        waits = self._service.bounds.failed_logins
        self._wait = waits[self._failed_logins]
        self._failed_logins += 1
        self.ended = self._failed_logins == len(waits)
        return self._err(refusal.text, "AUTH" if self._features.auth_resp_code else None)

    def _opened(self, user: User) -> bytes:
        for each in self._service.faults.rearrangements(self._number):
            user.maildrop.rearrange(each.change)
        mailbox = user.maildrop.open(self._features.shows)
        if mailbox is None:
            return self._err("the mailbox is locked by another session", "IN-USE")
        if self._service.users.too_soon(user.name, self._features.login_delay or 0):
            mailbox.close()
            return self._err(f"log in {self._features.login_delay} seconds apart", "LOGIN-DELAY")
        self._transaction = Transaction(self._conversation, mailbox, self._features, utf8=self._utf8)
        self._conversation.state = State.TRANSACTION
        return self._conversation.ok("logged in")

    # Both, and UPDATE

    def _quit(self) -> bytes:
        self.ended = True
        if self._transaction is not None:
            self._transaction.update()
        return self._conversation.ok("bye")


_ANSWERS: dict[Verb, Callable[..., bytes]] = {
    grammar.CAPA: ServerSession._capa,
    grammar.STLS: ServerSession._stls,
    grammar.UTF8: ServerSession._utf8_mode,
    grammar.LANG: ServerSession._lang,
    grammar.USER: ServerSession._user,
    grammar.PASS: ServerSession._pass,
    grammar.APOP: ServerSession._apop,
    grammar.AUTH: ServerSession._auth,
    grammar.QUIT: ServerSession._quit,
}
