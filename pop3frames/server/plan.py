"""Which scripted fault plays when: counts occasions over all connections of a server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from pop3frames.protocol.grammar import Verb
from pop3frames.server.faults import AnyFault, Fault, Occasion, Rearrange, Unpipelined

T = TypeVar("T", bound=Occasion)


class FaultPlan:
    """The faults of one server, and how often each could have played."""

    def __init__(self, faults: Iterable[AnyFault] = ()) -> None:
        self._faults = list(faults)
        self._lock = threading.Lock()  # guards `_counts`
        self._counts = [0] * len(self._faults)

    def reply(self, verb: Verb, arguments: tuple[int | bytes, ...], connection: int) -> Fault | None:
        """The fault that plays in this reply."""
        due = self._due(Fault, connection, lambda fault: fault.fits(verb, arguments))
        return due[0] if due else None

    def batch(self, connection: int) -> Unpipelined | None:
        """What happens to input that came in one piece with a command."""
        due = self._due(Unpipelined, connection)
        return due[0] if due else None

    def rearrangements(self, connection: int) -> list[Rearrange]:
        """What happens to a mailbox before it is opened."""
        return self._due(Rearrange, connection)

    def _due(
        self, kind: type[T], connection: int, fits: Callable[[T], bool] = lambda _fault: True
    ) -> list[T]:
        """Those whose turn it is. All that could play are counted, also where another one comes first."""
        if not self._faults:
            return []
        due: list[T] = []
        with self._lock:
            for at, fault in enumerate(self._faults):
                if not isinstance(fault, kind) or not fits(fault):
                    continue
                if connection in (fault.connections or (connection,)):
                    self._counts[at] += 1
                    if fault.nth in (None, self._counts[at]):
                        due.append(fault)
        return due
