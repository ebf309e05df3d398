"""When to try again: driven by typed errors, never by guessing. Sleep and chance are passed in."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pop3frames.errors import POP3ConnectionError

Result = TypeVar("Result")


@dataclass(frozen=True)
class Retry:
    """Exponential backoff with jitter, for failed connections only. Delays are in seconds.

    A refused login is never retried (it locks accounts), nor is an error that says another attempt would fail
    the same way.
    """

    attempts: int = 3
    first_delay: float = 0.5
    factor: float = 2.0
    jitter: float = 0.25
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def call(self, operation: Callable[[], Result]) -> Result:
        """What `operation()` returns; its last POP3ConnectionError when every attempt failed."""
        for attempt in range(1, self.attempts):
            try:
                return operation()
            except POP3ConnectionError as exc:
                if not exc.retryable:
                    raise
            self.sleep(self.delay(attempt))
        return operation()

    def delay(self, attempt: int) -> float:
        """Seconds to wait after the attempt with that number, from 1."""
        return self.first_delay * self.factor ** (attempt - 1) * (1 + self.jitter * self.chance())
