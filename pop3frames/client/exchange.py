"""Exchange: commands out, replies in, each matched to its command, on one connection.

What a command means is in `pop3.py`, how replies are recognized in `protocol/conversation.py`, the socket in
`wire.py`. Here is the order: requests, iterations that run ahead of their replies, and what comes between.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping

from pop3frames.client.wire import Deadline, Wire
from pop3frames.errors import POP3ConnectionError, printable
from pop3frames.protocol import grammar
from pop3frames.protocol.commands import Argument
from pop3frames.protocol.conversation import ClientConversation, Reply
from pop3frames.protocol.grammar import Limits, Verb

Replies = Generator[Reply, None, None]

_UNKNOWN_SIZE = 64 << 10  # what a message is taken for in the window when LIST did not tell


class Exchange:
    """One connection and the conversation on it; any POP3ConnectionError closes both."""

    def __init__(self, wire: Wire, timeout: float, limits: Limits) -> None:
        self.timeout, self.limits = timeout, limits
        self._wire = wire
        self._conversation = ClientConversation(limits)
        # Replies of the iteration that has commands under way, which were read ahead of it.
        self._arrived: deque[Reply] = deque()

    @property
    def can_pipeline(self) -> bool:
        """Whether commands go out ahead of replies."""
        return False

    def close(self) -> None:
        """Close without QUIT: nothing marked is deleted (RFC 1939 section 6). Safe to call again."""
        self._conversation.end()
        self._wire.close()

    def _request(self, verb: Verb, *arguments: Argument) -> Reply:
        return self._checked(self._exchange(verb, *arguments))

    def _exchange(self, verb: Verb, *arguments: Argument) -> Reply:
        self._settle()
        self._send(verb, *arguments)
        return self._next_reply()

    def _send(self, verb: Verb, *arguments: Argument) -> None:
        with self._closed_on_failure():
            self._wire.queue(self._conversation.send(verb, *arguments))

    def _settle(self) -> None:
        """Read what an iteration, left or not, still has under way, for it to find: all stays in step."""
        while self._conversation.outstanding and not self._conversation.ended:
            self._arrived.append(self._next_reply())
        self._arrived = deque()  # nobody has anything under way: what comes next is not that iteration's

    def _next_reply(self) -> Reply:
        """The next reply, read under a deadline of its own."""
        with self._closed_on_failure():
            reply = self._conversation.next_reply()
            if reply is None:
                patient = self._conversation.next_verb in (grammar.PASS, grammar.AUTH)
                deadline = Deadline(
                    max(self.timeout, self.limits.login_patience) if patient else self.timeout,
                    self.limits.minimum_rate,
                )
                while reply is None:
                    self._conversation.receive(self._wire.receive(deadline))
                    reply = self._conversation.next_reply()
        return reply

    @contextlib.contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except POP3ConnectionError:
            self.close()
            raise

    def _checked(self, reply: Reply) -> Reply:
        if reply.ok:
            return reply
        if reply.verb is grammar.GREETING:
            reason = printable(reply.text) or "no reason given"
            raise self._give_up(f"the server does not let us in: {reason}")
        raise reply.error()

    def _give_up(self, reason: str) -> POP3ConnectionError:
        self.close()
        return POP3ConnectionError(reason)

    def _pipeline(self, verb: Verb, calls: Iterable[tuple[int, ...]], sizes: Mapping[int, int]) -> Replies:
        waiting = iter(calls)
        most_commands = self.limits.window_commands if self.can_pipeline else 1
        most_octets = self.limits.window_bytes
        under_way: deque[int] = deque()  # LISTed octets of the commands that have no reply yet
        arrived: deque[Reply] = deque()
        octets, exhausted = 0, False
        while True:
            # Refilled when half empty: fewer, larger writes, and the server never runs dry.
            if len(under_way) <= most_commands // 2 and octets <= most_octets // 2:
                if self._arrived is not arrived:
                    self._settle()
                    self._arrived = arrived
                while not exhausted and len(under_way) < most_commands and octets < most_octets:
                    call = next(waiting, None)
                    if call is None:
                        exhausted = True
                        break
                    self._send(verb, *call)
                    under_way.append(sizes.get(call[0], _UNKNOWN_SIZE))
                    octets += under_way[-1]
            if not under_way:
                return
            reply = arrived.popleft() if arrived else self._next_reply()
            octets -= under_way.popleft()
            yield reply
