"""When to try again: driven by typed errors, never by guessing. Sleep and chance are passed in."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pop3frames.errors import POP3BusyError, POP3ConnectionError

Result = TypeVar("Result")

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
