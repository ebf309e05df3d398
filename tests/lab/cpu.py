"""CPU time of this process, compared with itself: the only clock that a test may look at.

Other programs on the machine can only make a figure worse, so the calmest of a few rounds counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable

ROUNDS = 5


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def ratio(work: Callable[[], object], reference: Callable[[], object], rounds: int = ROUNDS) -> float:
    """How many times the CPU of `reference` the work costs, each at its best; the two take turns."""
    pairs = [(seconds(work), seconds(reference)) for _ in range(rounds)]
    return min(pair[0] for pair in pairs) / min(pair[1] for pair in pairs)


def growth(once: Callable[[], object], twice: Callable[[], object], *, least: float = 0.0) -> float:
    """How many times the CPU of `once` the other costs, in the calmest round; less than `least` is that."""
    rounds = [(seconds(once), seconds(twice)) for _ in range(ROUNDS)]
    return min(longer / max(shorter, least) for shorter, longer in rounds)
