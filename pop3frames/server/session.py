"""What the server answers, from greeting to QUIT: commands in, reply bytes out. No socket."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator

from pop3frames.protocol import grammar, sasl
from pop3frames.protocol.commands import Malformed
from pop3frames.protocol.conversation import ServerConversation
from pop3frames.protocol.framing import joined
from pop3frames.protocol.grammar import DEFAULT_LIMITS, Limits, State, Verb
from pop3frames.server.maildrop import Maildrop, MaildropSession, StoredMessage, top


class ServerSession:
    """One client's session with a maildrop.

    Feed it with `receive`, send what `replies` yields, in order and before asking for more, so that a client
    that does not read stops being served. `wants_tls` and `ended` say what to do next with the connection.
    """

    def __init__(
        self,
        maildrop: Maildrop,
        username: str,
        password: str,
        *,
        offers_stls: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._maildrop = maildrop
        self._username, self._password = username.encode(), password.encode()
        self._offers_stls = offers_stls
        self._conversation = ServerConversation(limits)
        self._named: bytes | None = None
        self._in_sasl = False
        self._mailbox: MaildropSession | None = None
        self.wants_tls = False
        self.ended = False

    def greeting(self) -> bytes:
        """The first line of the session."""
        return self._conversation.ok("pop3frames ready")

    def receive(self, data: bytes) -> None:
        """Take what came from the client."""
        self._conversation.receive(data)

    def replies(self) -> Iterator[bytes]:
        """The replies to all whole commands received so far. POP3ProtocolError: close the connection."""
        while not self.ended and not self.wants_tls:
            if self._in_sasl:
                line = self._conversation.next_line()
                if line is None:
                    return
                yield self._sasl_answer(line)
                continue
            command = self._conversation.next_command()
            if command is None:
                return
            if isinstance(command, Malformed):
                yield self._conversation.err(command.reason)
            else:
                yield _ANSWERS[command.verb](self, *command.arguments)

    def tls_started(self) -> None:
        """TLS stands: all that was said before is forgotten, and STLS is not offered again."""
        self._conversation.tls_started()
        self._named = None
        self._offers_stls = self.wants_tls = False

    def close(self) -> None:
        """The connection is gone: nothing marked is deleted. Safe to call again."""
        if self._mailbox is not None:
            self._mailbox.close()

    # AUTHORIZATION

    def _capa(self) -> bytes:
        # The same before and after the login: RFC 2449 section 5.
        names = ["TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "USER", "SASL PLAIN"]
        names += ["STLS"] * self._offers_stls + ["IMPLEMENTATION pop3frames"]
        return self._conversation.block("capabilities follow", joined([name.encode() for name in names]))

    def _stls(self) -> bytes:
        if not self._offers_stls:
            return self._conversation.err("TLS is not available")
        self.wants_tls = True
        return self._conversation.ok("begin TLS")

    def _user(self, name: bytes) -> bytes:
        self._named = name
        return self._conversation.ok("send PASS")

    def _pass(self, password: bytes) -> bytes:
        name, self._named = self._named, None
        if name is None:
            return self._conversation.err("USER first")
        return self._login(name, password)

    def _auth(self, mechanism: bytes, response: bytes | None = None) -> bytes:
        if mechanism.upper() != b"PLAIN":
            return self._conversation.err("unknown mechanism")
        if response is not None:
            return self._sasl_answer(response)
        self._in_sasl = True
        return self._conversation.challenge()

    def _sasl_answer(self, line: bytes) -> bytes:
        self._in_sasl = False
        if line == grammar.CANCEL:
            return self._conversation.err("cancelled")
        pair = sasl.parse_plain(line)
        if pair is None:
            return self._conversation.err("malformed response")
        return self._login(pair[0].encode(), pair[1].encode())

    def _login(self, name: bytes, password: bytes) -> bytes:
        known = hmac.compare_digest(name, self._username)
        if not hmac.compare_digest(password, self._password) or not known:
            return self._conversation.err("wrong user name or password", "AUTH")
        self._mailbox = self._maildrop.open()
        if self._mailbox is None:
            return self._conversation.err("the mailbox is locked by another session", "IN-USE")
        self._conversation.state = State.TRANSACTION
        return self._conversation.ok("logged in")

    # TRANSACTION

    @property
    def _open_mailbox(self) -> MaildropSession:
        assert self._mailbox is not None, "the conversation lets no command through before the login"
        return self._mailbox

    def _stat(self) -> bytes:
        messages = [message for _, message in self._open_mailbox.items()]
        return self._conversation.ok(f"{len(messages)} {sum(len(message.raw) for message in messages)}")

    def _list(self, number: int | None = None) -> bytes:
        return self._listing(number, lambda message: str(len(message.raw)))

    def _uidl(self, number: int | None = None) -> bytes:
        return self._listing(number, lambda message: message.uidl)

    def _listing(self, number: int | None, shown: Callable[[StoredMessage], str]) -> bytes:
        if number is None:
            entries = [
                b"%d %s" % (each, shown(message).encode()) for each, message in self._open_mailbox.items()
            ]
            return self._conversation.block(f"{len(entries)} messages", joined(entries))
        return self._with_message(number, lambda message: self._conversation.ok(f"{number} {shown(message)}"))

    def _retr(self, number: int) -> bytes:
        return self._with_message(
            number, lambda message: self._conversation.block(f"{len(message.raw)} octets", message.raw)
        )

    def _top(self, number: int, count: int) -> bytes:
        return self._with_message(
            number, lambda message: self._conversation.block("top follows", top(message.raw, count))
        )

    def _dele(self, number: int) -> bytes:
        marked = self._open_mailbox.mark(number)
        return self._conversation.ok("marked") if marked else self._no_such_message()

    def _noop(self) -> bytes:
        return self._conversation.ok()

    def _rset(self) -> bytes:
        self._open_mailbox.reset()
        return self._conversation.ok("marks taken back")

    def _with_message(self, number: int, answer: Callable[[StoredMessage], bytes]) -> bytes:
        message = self._open_mailbox.get(number)
        return self._no_such_message() if message is None else answer(message)

    def _no_such_message(self) -> bytes:
        return self._conversation.err("no such message")

    # UPDATE

    def _quit(self) -> bytes:
        self.ended = True
        if self._mailbox is not None:
            self._mailbox.update()
        return self._conversation.ok("bye")


_ANSWERS: dict[Verb, Callable[..., bytes]] = {
    grammar.CAPA: ServerSession._capa,
    grammar.STLS: ServerSession._stls,
    grammar.USER: ServerSession._user,
    grammar.PASS: ServerSession._pass,
    grammar.AUTH: ServerSession._auth,
    grammar.STAT: ServerSession._stat,
    grammar.LIST: ServerSession._list,
    grammar.UIDL: ServerSession._uidl,
    grammar.RETR: ServerSession._retr,
    grammar.TOP: ServerSession._top,
    grammar.DELE: ServerSession._dele,
    grammar.NOOP: ServerSession._noop,
    grammar.RSET: ServerSession._rset,
    grammar.QUIT: ServerSession._quit,
}
