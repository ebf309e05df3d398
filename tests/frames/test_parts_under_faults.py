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
    """A fault before and after every mkdir, listing, open, half write, fsync, link and unlink of an export of
    two parts: SIGKILL, or ENOSPC, EIO, EACCES and EMFILE in turn. Each is followed by a clean run."""
    found: list[dict[str, Any]] = _run("steps", tmp_path_factory.mktemp("steps"), request.param, "export")
    assert len(found) > 70
    return found


@pytest.fixture(
    scope="module",
    params=[(kind, task) for task in ("compact", "prune") for kind in ("kill", "refuse")],
    ids="-".join,
)
def rewrites(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """The same faults at every step of a compaction of two parts, and of a pruning of them."""
    found: list[dict[str, Any]] = _run("steps", tmp_path_factory.mktemp("steps"), *request.param)
    assert len(found) > 40
    for case in found:
        case["task"] = request.param[1]
    return found


def test_a_fault_at_any_step_of_a_rewriting_loses_and_doubles_nothing(rewrites: list[dict[str, Any]]) -> None:
    """Every row once and every key known at once, whatever step was hit; the next run completes the work."""
    for case in rewrites:
        for moment in ("after", "final"):
            found = case[moment]
            assert EIGHT == sorted(found["stored"]) == found["known"]
            assert found["findings"] == []
        assert case["after"]["raws"] in ((8,) if case["task"] == "compact" else (0, 4, 8))
        assert case["again"] == "done"
        wanted = (1, 8) if case["task"] == "compact" else (2, 0)
        assert wanted == (case["final"]["files"], case["final"]["raws"])


def test_a_fault_in_a_rewriting_is_a_typed_error_and_leaves_at_most_one_staged_file(
    rewrites: list[dict[str, Any]],
) -> None:
    """Beside it only files that a live part replaces."""
    outcomes = [case["run"][0].split(":")[0] for case in rewrites]
    assert set(outcomes) in ({"killed", "done"}, {"POP3ExportError", "survived", "done"})
    assert all(case["after"]["staged"] <= 1 for case in rewrites)


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
def test_writers_rewriters_and_a_reader_at_once_see_every_row_once(tmp_path: Path, seed: int) -> None:
    """Two that export and two that compact and prune, all killed at random steps, one that reads."""
    found = _run("crowd", tmp_path, seed)
    assert [writer[-1] for writer in found["ends"]] == ["done"] * 2
    ends = [end for process in (*found["ends"], *found["reworked"]) for end in process]
    assert all(end in ("done", ["killed", 0]) for end in ends), ends
    assert found["looks"][0].endswith(" looks")
    assert sorted(found["stored"]) == found["known"] == [f"uid-{n:04d}" for n in range(60)]
    assert (found["files"], found["findings"]) == (1, [])


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
