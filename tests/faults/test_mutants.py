"""Each protection is taken away once, and the law must notice: or the other tests here prove nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from faults.campaign import every_case
from faults.mutants import MUTANTS
from faults.warm import Warm

STEP_BY_STEP = [name for name, mutant in MUTANTS.items() if mutant.seen_by != "power"]

pytestmark = pytest.mark.timeout(400)  # on a busy machine


@pytest.mark.parametrize("name", STEP_BY_STEP)
def test_the_law_notices_a_missing_protection(name: str, warm: Warm, home: Path) -> None:
    """Some fault in the script that is about it ends in what the protection is there to prevent."""
    mutant = MUTANTS[name]
    with Warm(name) as mutated:
        cases = every_case(warm, home / "trace", [mutant.seen_by])
        random.Random(name).shuffle(cases)
        for n, case in enumerate(cases):
            wrong = case.run(mutated, home / str(n)).wrong
            if getattr(wrong, mutant.as_what):
                return
    pytest.fail(f"{len(cases)} faults, and nothing was {mutant.as_what}")
