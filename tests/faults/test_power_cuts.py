"""Power cuts at every step of exports, deletions, rewritings: all that was answered for is there, once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faults.mutants import MUTANTS

pytestmark = pytest.mark.timeout(400)  # on a busy machine


def _replayed(*without: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "faults.power", *without],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


def test_a_power_cut_at_any_step_loses_nothing_and_doubles_nothing() -> None:
    """Exports, two of which die before their sync, deletions that rely on them, compactions, a pruning: after
    every step all or many of the states that a cut may leave. Rows and ledger agree, every mail is on the
    server or stored, what was reported is there once, and the next run completes the work."""
    found = _replayed()
    assert found["deaths"] == 2
    assert found["states"] > 3000
    assert found["different"] > 1500
    assert found["wrong"] == []


@pytest.mark.parametrize("name", [name for name, mutant in MUTANTS.items() if mutant.seen_by == "power"])
def test_the_replay_notices_a_missing_sync(name: str) -> None:
    """Each sync taken away once: mail is lost."""
    assert any(MUTANTS[name].as_what in wrong or "unreadable" in wrong for wrong in _replayed(name)["wrong"])
