"""Exchange: commands out, replies in, each matched to its command, on one connection.

What a command means is in `authorization.py` and `pop3.py`, how replies are recognized in
`protocol/conversation.py`, the socket in `wire.py`. Here is the order: requests, commands that run ahead of
their replies, and what comes between.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Protocol

from pop3frames.client.wire import Deadline, Wire
from pop3frames.errors import POP3ConnectionError, POP3ProtocolError, printable
from pop3frames.protocol import grammar
from pop3frames.protocol.commands import Argument, encode_command, redacted
from pop3frames.protocol.conversation import ClientConversation, Reply
from pop3frames.protocol.grammar import CRLF, Limits, Verb

Replies = Generator[Reply, None, None]

_OCTETS = re.compile(rb"\+OK (\d{1,10}) octets")
_UNKNOWN_SIZE = 64 << 10  # what a message is taken for in the window when LIST did not tell


class Observer(Protocol):
    """Who is told what crosses a connection. Must not raise, and cannot change anything."""

    def sent(self, verb: Verb, line: bytes) -> None:
        """A command, or the answer to a challenge of `verb`: its line with CRLF, *** where a secret stood."""

    def received(self, data: bytes) -> None:
        """Octets from the server, as they came; with a hostile one they may repeat a secret."""

    def secured(self) -> None:
        """TLS stands from here on: after STLS, or from the first octet."""

    def closed(self) -> None:
        """Nothing more will cross."""


class Exchange:
    """One connection and the conversation on it; any POP3ConnectionError closes both."""

    def __init__(
        self, wire: Wire, timeout: float, limits: Limits, observers: Iterable[Observer] = ()
    ) -> None:
        self.timeout, self.limits = timeout, limits
        self.observers = list(observers)
        self._wire = wire
        self._conversation = ClientConversation(limits)
        # Where replies wait for the iteration that has commands under way; None when nobody wants them.
        self._arrived: deque[Reply] | None = None
        # Replies to commands without arguments that were sent ahead of being asked for.
        self._foreseen: dict[Verb, Reply] = {}
        self._ran_ahead = self._proven = False
        if wire.encrypted:
            for observer in self.observers:
                observer.secured()

    @property
    def can_pipeline(self) -> bool:
        """Whether commands go out ahead of replies."""
        return False

    @property
    def unproven(self) -> bool:
        """Whether commands ran ahead, and no whole window of them has been answered yet.

        A connection that breaks then may belong to a server that offers PIPELINING without meaning it.
        """
        return self._ran_ahead and not self._proven

    @property
    def ended(self) -> bool:
        """Whether nothing can be asked any more: the connection is closed or was lost."""
        return self._conversation.ended

    def close(self) -> None:
        """Close without QUIT: nothing marked is deleted (RFC 1939 section 6). Safe to call again."""
        self._conversation.end()
        self._wire.close()
        observers, self.observers = self.observers, []
        for observer in observers:
            observer.closed()

    def _request(self, verb: Verb, *arguments: Argument) -> Reply:
        return self._checked(self._exchange(verb, *arguments))

    def _exchange(self, verb: Verb, *arguments: Argument) -> Reply:
        if not arguments and verb in self._foreseen:
            return self._foreseen.pop(verb)
        self._settle()
        self._send(verb, *arguments)
        return self._next_reply()

    def _together(self, *requests: tuple[Verb, tuple[Argument, ...]]) -> list[Reply]:
        """The replies to several commands that leave in one flight; none leaves when one is malformed."""
        self._depart(*requests)
        return [self._next_reply() for _ in requests]

    def _depart(self, *requests: tuple[Verb, tuple[Argument, ...]]) -> None:
        """Send several commands in one flight; as many replies must be read before anything else is sent."""
        for verb, arguments in requests:
            encode_command(verb, arguments, self.limits)
        self._settle()
        for verb, arguments in requests:
            self._send(verb, *arguments)
        self._ran_ahead = True

    def _foresee(self, verbs: Iterable[Verb]) -> None:
        """Ask these together; whoever asks for one of them next finds its reply, if nothing came between."""
        verbs = list(verbs)
        self._foreseen = dict(zip(verbs, self._together(*((verb, ()) for verb in verbs)), strict=True))

    def _send(self, verb: Verb, *arguments: Argument) -> None:
        self._send_all(verb, [arguments])

    def _send_all(self, verb: Verb, calls: Sequence[tuple[Argument, ...]]) -> None:
        if self._foreseen:
            self._foreseen = {}
        if not calls:
            return
        try:
            # What came unasked must not pass for the reply.
            if not (self._conversation.outstanding or self._conversation.ended):
                self._read(self._wire.arrived)
            self._wire.queue(self._conversation.send_all(verb, calls))
        except POP3ConnectionError:
            self.close()
            raise
        for observer in self.observers:
            for arguments in calls:
                observer.sent(verb, redacted(verb, arguments, self.limits))

    def _settle(self) -> None:
        """Read what an iteration still has under way, for it to find, or for nobody if it was left.

        So all stays in step; but what a server can send into a whole window is not waited for, nor kept.
        """
        octets = 0
        while self._conversation.outstanding and not self._conversation.ended:
            reply = self._next_reply()
            octets += len(reply.block or b"")
            if octets > self.limits.window_bytes + self.limits.message:
                self.close()
                raise POP3ConnectionError(
                    f"{self._wire.name}: too much is still under way for an iteration left or waiting: "
                    "read it to its end before anything else is asked"
                )
            if self._arrived is not None:
                self._arrived.append(reply)
        self._arrived = None  # nobody has anything under way: what comes next is not that iteration's

    def _whole(self, reply: Reply, listed: int = 0) -> Reply:
        """The same, unless nothing came for a mail that has octets: then the session is out of step.

        Dovecot 2.3 and Courier do not stuff a dot at the very start of a mail: one that begins with a line
        "." ends there for us, and its rest stands where the next reply belongs, whatever that says.
        """
        if reply.block == b"" and max(listed, _announced(reply.status)) > len(CRLF):
            raise self._give_up(f"nothing came for {reply.verb}, though the mail has octets")
        return reply

    def _next_reply(self) -> Reply:
        """The next reply, read under a deadline of its own."""
        try:
            return self._conversation.next_reply() or self._await_reply()
        except POP3ConnectionError:
            self.close()
            raise

    def _await_reply(self) -> Reply:
        patient = self._conversation.next_verb in grammar.LOGIN_ENDS
        deadline = Deadline(
            max(self.timeout, self.limits.login_patience) if patient else self.timeout,
            self.limits.minimum_rate,
        )
        while True:
            try:
                self._read(lambda into: self._wire.receive(deadline, into))
            except POP3ConnectionError as exc:
                exc.args = (f"{exc}{self._how_far()}",)
                raise
            reply = self._conversation.next_reply()
            if reply is not None:
                return reply

    def _how_far(self) -> str:
        """What was whole when a connection was lost, for its error."""
        last = self._conversation.last_retrieved
        if last is not None:
            return f"; the last whole message was {last}"
        return "; no message had come whole" if self._conversation.next_verb is grammar.RETR else ""

    def _read(self, read: Callable[[memoryview], int]) -> None:
        space = self._conversation.space()
        count = read(space)
        for observer in self.observers:
            observer.received(bytes(space[:count]))
        self._conversation.received(count)

    def _checked(self, reply: Reply) -> Reply:
        if reply.ok:
            return reply
        if reply.verb is grammar.GREETING:
            reason = printable(reply.text) or "no reason given"
            self.close()
            raise POP3ConnectionError(f"{self._wire.name} does not let us in: {reason}")
        raise reply.error()

    def _give_up(self, reason: str) -> POP3ProtocolError:
        self.close()
        return POP3ProtocolError(f"{self._wire.name}: {reason}")

    def _pipeline(self, verb: Verb, calls: Iterable[tuple[int, ...]], sizes: Mapping[int, int]) -> Replies:
        waiting = iter(calls)
        most_commands = self.limits.window_commands if self.can_pipeline else 1
        most_octets = self.limits.window_bytes
        few_commands, few_octets = most_commands * 3 // 4, most_octets * 3 // 4
        under_way: deque[int] = deque()  # LISTed octets, or 0, of the commands that have no reply yet
        arrived: deque[Reply] = deque()
        octets, exhausted, to_prove = 0, False, 0
        try:
            while True:
                # Refilled a quarter at a time: few, large writes, and a distant server never runs dry.
                if not exhausted and len(under_way) <= few_commands and octets <= few_octets:
                    if self._arrived is not arrived:
                        self._settle()
                        self._arrived = arrived
                    refill: list[tuple[int, ...]] = []
                    while not exhausted and len(under_way) < most_commands and octets < most_octets:
                        call = next(waiting, None)
                        if call is None:
                            exhausted = True
                            break
                        refill.append(call)
                        under_way.append(sizes.get(call[0], 0))
                        octets += under_way[-1] or _UNKNOWN_SIZE
                    self._send_all(verb, refill)
                    if not self._proven and not to_prove and len(under_way) > 1:
                        self._ran_ahead, to_prove = True, len(under_way)
                if not under_way:
                    return
                reply = arrived.popleft() if arrived else self._next_reply()
                listed = under_way.popleft()
                octets -= listed or _UNKNOWN_SIZE
                if to_prove:
                    to_prove -= 1
                    self._proven = not to_prove
                yield reply if reply.block else self._whole(reply, listed)
        finally:
            if self._arrived is arrived:  # left: what is still under way is wanted by nobody
                self._arrived = None


def _announced(status: bytes) -> int:
    """The octets that a server tells of in its reply to RETR; 0 where it does not."""
    found = _OCTETS.match(status)
    return int(found[1]) if found else 0
