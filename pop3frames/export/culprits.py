"""Which message broke a connection: it is tried again last, and after two breaks not at all in this run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

MOST_BREAKS = 2  # of the connection in one and the same message, before it is skipped and named


class Culprits:
    """Messages by what they are remembered by in a run (`Listing.key`)."""

    def __init__(self) -> None:
        self._blamed: Counter[Hashable] = Counter()  # times a connection broke in this message
        self._fatal: dict[Hashable, str] = {}  # messages not asked for again, and why

    def __bool__(self) -> bool:
        """Whether anything was blamed or convicted."""
        return bool(self._blamed or self._fatal)

    def blame(self, key: Hashable) -> None:
        """The connection broke while this message was asked for."""
        self._blamed[key] += 1
        if self._blamed[key] == MOST_BREAKS:
            self._fatal[key] = f"the connection broke {MOST_BREAKS} times while it was fetched"

    def convict(self, key: Hashable, reason: str) -> None:
        """What came for this message was wrong already: it is not asked for again."""
        self._fatal[key] = f"{reason}; then the connection broke"

    def blamed(self, key: Hashable) -> int:
        """How often a connection broke in it: those come last, or several keep a run from the rest."""
        return self._blamed[key]

    def verdict(self, key: Hashable) -> str:
        """Why the message is not asked for again; empty where it is."""
        return self._fatal.get(key, "")
