"""Killed or refused at any step, with several writers at once: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHILD = Path(__file__).with_name("faults_child.py")
EIGHT = [f"uid-{n:04d}" for n in range(8)]


def _run(*arguments: object) -> Any:
    done = subprocess.run(
        [sys.executable, str(CHILD), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.fixture(scope="module", params=["kill", "refuse"])
def cases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """A fault before and after every mkdir, open, half write, fsync, link and unlink of an export of two
    parts: SIGKILL, or ENOSPC, EIO, EACCES and EMFILE in turn. Each is followed by a clean run."""
    found: list[dict[str, Any]] = _run("steps", tmp_path_factory.mktemp("steps"), request.param)
    assert len(found) > 50
    return found


def test_a_fault_at_any_step_loses_nothing_and_doubles_nothing(cases: list[dict[str, Any]]) -> None:
    """A part is there or not; what a commit had answered for is there; the next run completes the rest."""
    for case in cases:
        stored, acked = case["after"]["stored"], case["after"]["acked"]
        assert len(stored) in (0, 4, 8), "a part was half committed"
        assert len(stored) == len(set(stored))
        assert set(acked) <= set(stored), "a commit that had returned was lost"
        assert case["again"] == "done"
        assert EIGHT == sorted(case["final"]["stored"])


def test_a_fault_ends_in_a_typed_error_and_leaves_at_most_one_staged_file(
    cases: list[dict[str, Any]],
) -> None:
    """A refusal leaves one only where it was the removal that was refused, or the file made all the same."""
    outcomes = [case["run"][0].split(":")[0] for case in cases]
    assert set(outcomes) in ({"killed", "done"}, {"POP3ExportError", "survived", "done"})
    assert all(case["after"]["staged"] <= 1 for case in cases)
    left = [case["run"][0] for case in cases if case["after"]["staged"]]
    assert all(outcome in ("killed", "survived") or "cannot stage" in outcome for outcome in left)
    assert outcomes.count("survived") < 8


@pytest.mark.parametrize("seed", [1, 2])
def test_three_writers_on_one_account_store_every_row_once(tmp_path: Path, seed: int) -> None:
    """Each in its own order, each killed twice at a random step and started again."""
    found = _run("writers", tmp_path, seed)
    ends = [end for writer in found["ends"] for end in writer]
    assert [writer[-1] for writer in found["ends"]] == ["done"] * 3
    assert all(end in ("done", ["killed", 0]) for end in ends)  # a late moment may find nothing left to do
    assert ["killed", 0] in ends
    assert sorted(found["stored"]) == [f"uid-{n:04d}" for n in range(90)]
    assert set(found["acked"]) == set(found["stored"])


def test_what_a_commit_has_answered_for_survives_a_power_cut(tmp_path: Path) -> None:
    """The log of a run is replayed; at each answer only what was synced is kept. A name is durable when its
    folder was synced after it was made, a part when its bytes were synced too, and the folders above it."""
    made: dict[int, list[tuple[int, str]]] = {}
    durable: set[str] = set()
    synced: set[int] = set()
    parts_at_answers = []
    (_, _, root, root_path), *log = _run("log", tmp_path)
    for kind, *what in log:
        if kind == "entry":
            folder, inode, path = what
            made.setdefault(folder, []).append((inode, path))
        elif kind == "sync":
            synced.add(what[0])
            durable.update(path for inode, path in made.get(what[0], []))
        elif kind == "ack":
            content = {path for entries in made.values() for inode, path in entries if inode in synced}
            kept = [
                path
                for path in durable & content
                if path.endswith(".parquet")
                and all(str(above) in {*durable, root_path} for above in _up_to(path, root_path))
            ]
            parts_at_answers.append(len(kept))
    assert root
    assert parts_at_answers == [1, 2, 3]


def _up_to(path: str, root: str) -> list[Path]:
    return [above for above in Path(path).parents if above.is_relative_to(root)]
