"""`make faults`: as many faults as POP3FRAMES_FAULTS says (100,000), and a table of what became of them.

POP3FRAMES_FAULTS_SEED draws other storms, POP3FRAMES_FAULTS_JOBS runs so many at once. After Ctrl-C the
table is about what was done by then. The exit code is 1 when anything was lost, doubled, wrongly deleted or
reported untruly.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from faults.campaign import Outcome, carry_out, every_case, place, storms
from faults.scripts import SCRIPTS
from faults.warm import Warm


def main() -> int:
    faults = int(os.environ.get("POP3FRAMES_FAULTS", "100000"))
    seed = os.environ.get("POP3FRAMES_FAULTS_SEED", "faults")
    jobs = int(os.environ.get("POP3FRAMES_FAULTS_JOBS", str(os.cpu_count() or 1)))
    with place() as home, Warm() as warm:
        cases = list(every_case(warm, Path(home) / "trace"))
    print(
        f"{len(cases)} faults at every step of {len(SCRIPTS)} scripts, storms of seed {seed!r}: to {faults}"
    )
    found = carry_out(chain(cases, storms(seed)), faults, jobs, _progress(faults))
    print(table(found))
    return int(any(outcome.wrong for outcome in found.values()))


def _progress(faults: int) -> Callable[[Outcome], None]:
    started, last = time.monotonic(), [0.0]

    def told(total: Outcome) -> None:
        seconds = time.monotonic() - started
        if seconds - last[0] >= 5 and total.faults:
            last[0] = seconds
            left = seconds / total.faults * max(0, faults - total.faults) / 60
            line = f"{total.faults:,} of {faults:,} faults, {_broken(total)} wrong, some {left:.0f} min to go"
            print(f"\r{line:79}", end="", flush=True)

    return told


def _broken(outcome: Outcome) -> int:
    return sum(map(len, vars(outcome.wrong).values()))


def verdict(total: Outcome) -> str:
    """The last line: what all of it proves."""
    done = f"{total.faults:,} faults in {total.runs:,} runs"
    if not total.wrong:
        return f"{done}: nothing was lost, doubled, wrongly deleted or reported untruly."
    found = ", ".join(f"{name.replace('_', ' ')} {len(each)}" for name, each in vars(total.wrong).items())
    return f"{done}, and the promise is BROKEN: {found}. The cases stand above; the same seed repeats them."


def table(found: dict[str, Outcome]) -> str:
    """Runs and faults by script, by kind and by call; and the sums that must be 0."""
    total = Outcome()
    lines = [f"\n\n{'script':52}{'runs':>8}{'faults':>8}{'wrong':>7}"]
    for title, outcome in found.items():
        total += outcome
        lines.append(f"{title:52}{outcome.runs:8}{outcome.faults:8}{_broken(outcome):7}")
    by_kind, by_call = Counter[str](), Counter[str]()
    for (kind, call), times in total.struck.items():
        by_kind[kind] += times
        by_call[call] += times
    for name, counter in (("kind of fault", by_kind), ("call", by_call), ("end", total.ended)):
        lines += ["", *(f"{each:52}{times:8}" for each, times in counter.most_common()), f"({name})"]
    words = [each for found in vars(total.wrong).values() for each in found]
    return "\n".join([*lines, "", *words[:50], verdict(total)])


if __name__ == "__main__":
    sys.exit(main())
