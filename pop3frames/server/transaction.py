"""What the server answers once somebody is logged in: STAT to RSET, and the update at the end."""

from __future__ import annotations

from collections.abc import Callable

from pop3frames.protocol import grammar
from pop3frames.protocol.conversation import ServerConversation
from pop3frames.protocol.framing import joined
from pop3frames.protocol.grammar import Verb
from pop3frames.server.features import Features
from pop3frames.server.maildrop import MaildropSession, StoredMessage, top


class Transaction:
    """The TRANSACTION state over one open mailbox. `utf8`: the client said UTF8 before it logged in."""

    def __init__(
        self, conversation: ServerConversation, mailbox: MaildropSession, features: Features, *, utf8: bool
    ) -> None:
        self._conversation, self._mailbox, self._features = conversation, mailbox, features
        self._refuses_8bit = features.needs_utf8 and not utf8
        self._retrieved: set[int] = set()

    def answer(self, verb: Verb, *arguments: int | bytes) -> bytes:
        """The reply to a command of this state."""
        return _ANSWERS[verb](self, *arguments)

    def update(self) -> None:
        """The client said QUIT: the marked messages go, and those RETRed if that is what the server does."""
        if self._features.removes_retrieved:
            for number in self._retrieved:
                self._mailbox.mark(number)
        self._mailbox.update()

    def close(self) -> None:
        """The connection is gone: nothing is deleted. Safe to call again."""
        self._mailbox.close()

    def _stat(self) -> bytes:
        messages = [message for _, message in self._mailbox.items()]
        return self._conversation.ok(f"{len(messages)} {sum(len(message.raw) for message in messages)}")

    def _list(self, number: int | None = None) -> bytes:
        return self._listing(number, lambda message: str(len(message.raw)))

    def _uidl(self, number: int | None = None) -> bytes:
        return self._listing(number, lambda message: message.uidl)

    def _listing(self, number: int | None, shown: Callable[[StoredMessage], str]) -> bytes:
        if number is None:
            entries = [b"%d %s" % (each, shown(message).encode()) for each, message in self._mailbox.items()]
            return self._conversation.block(f"{len(entries)} messages", joined(entries))
        return self._with_message(number, lambda message: self._conversation.ok(f"{number} {shown(message)}"))

    def _retr(self, number: int) -> bytes:
        def answer(message: StoredMessage) -> bytes:
            self._retrieved.add(number)
            return self._conversation.block(f"{len(message.raw)} octets", message.raw)

        return self._with_content(number, answer)

    def _top(self, number: int, count: int) -> bytes:
        return self._with_content(
            number, lambda message: self._conversation.block("top follows", top(message.raw, count))
        )

    def _dele(self, number: int) -> bytes:
        return self._conversation.ok("marked") if self._mailbox.mark(number) else self._no_such_message()

    def _noop(self) -> bytes:
        return self._conversation.ok()

    def _rset(self) -> bytes:
        self._mailbox.reset()
        return self._conversation.ok("marks taken back")

    def _with_content(self, number: int, answer: Callable[[StoredMessage], bytes]) -> bytes:
        """RFC 6856 section 5: a header that is not ASCII is for clients that said UTF8."""
        message = self._mailbox.get(number)
        if message is not None and self._refuses_8bit and not top(message.raw, 0).isascii():
            code = "UTF8" if self._features.resp_codes else None
            return self._conversation.err("the header is not ASCII: say UTF8 before the login", code)
        return self._no_such_message() if message is None else answer(message)

    def _with_message(self, number: int, answer: Callable[[StoredMessage], bytes]) -> bytes:
        message = self._mailbox.get(number)
        return self._no_such_message() if message is None else answer(message)

    def _no_such_message(self) -> bytes:
        return self._conversation.err("no such message")


_ANSWERS: dict[Verb, Callable[..., bytes]] = {
    grammar.STAT: Transaction._stat,
    grammar.LIST: Transaction._list,
    grammar.UIDL: Transaction._uidl,
    grammar.RETR: Transaction._retr,
    grammar.TOP: Transaction._top,
    grammar.DELE: Transaction._dele,
    grammar.NOOP: Transaction._noop,
    grammar.RSET: Transaction._rset,
}
