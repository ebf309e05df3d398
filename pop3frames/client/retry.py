"""When to try again: driven by typed errors, never by guessing. Sleep and chance are passed in."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pop3frames.errors import POP3BusyError, POP3ConnectionError, POP3ProtocolError

Result = TypeVar("Result")

MOST_BREAKS = 5  # sessions one after another that ended at what is no POP3, without a message in between

log = logging.getLogger("pop3frames")


@dataclass(frozen=True)
class Retry:
    """Exponential backoff with jitter for failed connections, waiting for busy mailboxes. Seconds.

    attempts       in all, for each of the two
    first_delay    the pause after a failed connection, times `factor` after each further one
    busy_delay     the same where the mailbox is in use, or the server in passing trouble
    patience       the longest pause a server may ask for by LOGIN-DELAY; beyond, its refusal is raised

    A refused login is never retried (it locks accounts), nor is an error that says another attempt would fail
    the same way.
    """

    attempts: int = 3
    first_delay: float = 0.5
    busy_delay: float = 2.0
    factor: float = 2.0
    jitter: float = 0.25
    patience: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def call(self, operation: Callable[[], Result]) -> Result:
        """What `operation()` returns; its last error when no further attempt is left or makes sense."""
        failed = busy = 1
        while True:
            try:
                return operation()
            except POP3ConnectionError as exc:
                if not exc.retryable or failed >= self.attempts:
                    raise
                pause, failed = self.delay(failed), failed + 1
            except POP3BusyError as exc:
                if busy >= self.attempts or (exc.retry_after or 0) > self.patience:
                    raise
                pause, busy = self.busy_pause(busy, exc.retry_after), busy + 1
                log.warning("%s; trying again in %.0f s", exc, pause)
            self.sleep(pause)

    def delay(self, attempt: int) -> float:
        """Seconds to wait after the failed connection with that number, from 1."""
        return self._grown(self.first_delay, attempt)

    def busy_pause(self, attempt: int, told: float | None = None) -> float:
        """Seconds to wait after the refusal with that number, from 1: as the server told, if it did."""
        return self._grown(self.busy_delay, attempt) if told is None else told

    def _grown(self, first: float, attempt: int) -> float:
        return first * self.factor ** (attempt - 1) * (1 + self.jitter * self.chance())


@dataclass
class Resumption:
    """Whether fetching goes on in a new session: after one loss, and after messages that break the protocol.

    Such a message, endless for example, is asked for twice: the fault may have lain in what came before it.
    """

    _lost: bool = field(default=False, init=False)
    _breaks: int = field(default=0, init=False)
    _suspect: int | None = field(default=None, init=False)

    def leaves_out(self, error: POP3ConnectionError, waiting: Sequence[int], done: int) -> bool:
        """Whether to go on without the first of those that wait; raises `error` when not to go on at all.

        `done` is how many came in the session that it ended.
        """
        if not isinstance(error, POP3ProtocolError):
            if self._lost:
                raise error
            self._lost = True
            return False
        self._breaks = 1 if done else self._breaks + 1
        if self._breaks > MOST_BREAKS:
            raise error
        suspect, self._suspect = self._suspect, waiting[0] if waiting else None
        return self._suspect is not None and self._suspect == suspect
