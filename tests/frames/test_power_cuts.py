"""Power cuts: at every step of commits and rewritings, all that had been answered for is there, once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHILD = Path(__file__).with_name("power_child.py")


def _replayed(root: Path, forgotten: str) -> Any:
    done = subprocess.run(
        [sys.executable, str(CHILD), str(root), forgotten],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_a_power_cut_at_any_step_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """Exports, compactions and a pruning: after every step four states, with none, all or some of what was
    not synced. Rows and ledger agree, every acknowledged mail is there once."""
    found = _replayed(tmp_path, "nothing")
    assert found["states"] > 300
    assert found["wrong"] == []


@pytest.mark.parametrize("forgotten", ["folder", "file"])
def test_the_replay_would_notice_a_sync_that_is_missing(tmp_path: Path, forgotten: str) -> None:
    """A positive control: without syncs of folders, or of files, mail is lost."""
    assert _replayed(tmp_path, forgotten)["wrong"]
