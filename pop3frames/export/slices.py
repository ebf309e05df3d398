"""Servers that list a part of the mailbox and hide, at QUIT, what was fetched: whether to look for more.

Gmail lists the oldest mail only, until that is fetched and a QUIT hides it (EXPIRE 0, RFC 2449 section 6.7).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pop3frames.client.session import Session, log

MOST_SLICES = 1000  # of one mailbox in one run
LONGEST_DELAY = 600.0  # seconds between two logins that a run waits for


class Slices:
    """Those of one run; `count` are the sessions behind which the server hid what they had fetched."""

    def __init__(self, account: str, *, keep_raw: bool) -> None:
        self._account, self._keep_raw = account, keep_raw
        self.count = 0

    def more(self, not_before: float, goes_on: Callable[[], bool], sleep: Callable[[float], None]) -> bool:
        """After a session in which mail was stored: True when it is time to log in again.

        `not_before`: the moment (monotonic) at which the server lets us in again, as its LOGIN-DELAY says.
        """
        pause = max(0.0, not_before - time.monotonic())
        if self.count == MOST_SLICES or pause > LONGEST_DELAY:
            log.warning("%s: there may be more mail: run it again later", self._account)
            return False
        self.count += 1
        if pause:
            log.info("%s: next login in %.0f s, as the server wants it", self._account, pause)
        while pause > 0 and goes_on():
            sleep(min(1.0, pause))
            pause -= 1.0
        return goes_on()

    def moved(self, session: Session) -> bool:
        """Whether the session, in which mail was fetched, ended with the QUIT that hides it; says why not."""
        if session.quit_confirmed is None:
            told = "was not all stored" if self._keep_raw else "is stored without its bytes (keep_raw)"
            log.warning("%s: ended without QUIT, which hides what was fetched and %s", self._account, told)
            log.warning("%s: where only a part of the mail is listed, it stays this one", self._account)
        return session.quit_confirmed is True
