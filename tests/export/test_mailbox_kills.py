"""An export that is killed or interrupted at any moment: run to the end, every mail is there exactly once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from export.mailboxes import digests, hashes, ids, mails, rows, stored

from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer

HERE = Path(__file__).parent
MAILS = mails(36)
RANDOM_KILLS = 21
CHOSEN_KILLS = [(call, at) for call in ("link", "fsync", "recv_into", "unlink") for at in (1, 2, 5, 6)]

Export = Callable[..., tuple[str, float]]


@pytest.fixture(scope="module")
def export() -> Iterator[Export]:
    """`export(folder, **order)`: an export of MAILS in a process of its own; how it ended, in what time."""
    program = subprocess.Popen(
        [sys.executable, str(HERE / "exporting.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(HERE.parent)},
    )
    assert program.stdin is not None
    assert program.stdout is not None

    def export(folder: Path, **order: Any) -> tuple[str, float]:
        # A server of its own for each: no lock of a killed session is in the way.
        with EmbeddedServer(MAILS) as server:
            order |= {"folder": str(folder), "port": server.port, "password": server.password}
            print(json.dumps(order), file=program.stdin, flush=True)
            ended, seconds = json.loads(program.stdout.readline())
        return ended, seconds

    yield export
    program.communicate()


def assert_whole(folder: Path) -> None:
    """Every mail is in the dataset exactly once, with its bytes."""
    assert ids(MAILS) == stored(folder)
    assert digests(MAILS) == hashes(folder)
    assert {message.raw for message in MAILS} == {row["raw"] for row in rows(folder)}


@pytest.mark.parametrize(("call", "at"), CHOSEN_KILLS)
def test_a_kill_at_a_chosen_call_loses_nothing_and_doubles_nothing(
    tmp_path: Path, export: Export, call: str, at: int
) -> None:
    """Before or behind link, fsync, unlink and recv: whole parts stay, the next run completes them."""
    folder = tmp_path / "mail"
    ended, _ = export(folder, kill=[call, at])
    left = stored(folder)
    # The answers may come in so few pieces that the run is through before that recv.
    assert "killed" == ended or call == "recv_into"
    assert len(set(left)) == len(left)
    assert "done" == export(folder)[0]
    assert_whole(folder)


def test_kills_at_random_moments_lose_nothing_and_double_nothing(tmp_path: Path, export: Export) -> None:
    """Several in a row on one dataset, each at any moment of what was left to do."""
    export(tmp_path / "warm")
    _, whole = export(tmp_path / "measured")
    chance = random.Random("kills")
    killed = 0
    for run in range(RANDOM_KILLS // 3):
        folder = tmp_path / f"mail-{run}"
        for _ in range(3):
            killed += "killed" == export(folder, after=chance.uniform(0, whole))[0]
            left = stored(folder)
            assert len(set(left)) == len(left)
        assert "done" == export(folder)[0]
        assert_whole(folder)
    assert killed >= RANDOM_KILLS // 3


def test_ctrl_c_keeps_what_is_whole(tmp_path: Path, export: Export) -> None:
    """KeyboardInterrupt reaches the caller, and the messages that had come are committed first."""
    folder = tmp_path / "mail"
    assert "KeyboardInterrupt" == export(folder, interrupt=23)[0]
    assert 23 <= len(stored(folder)) <= 24
    assert [] == list((folder / ".staging").iterdir())
    assert "done" == export(folder)[0]
    assert_whole(folder)


def test_leftovers_of_killed_runs_are_swept_by_age(tmp_path: Path, export: Export) -> None:
    """They are no parts, and a younger one may belong to a run that is alive."""
    folder = tmp_path / "mail"
    export(folder, kill=["link", 3])
    assert 1 == len(list((folder / ".staging").iterdir()))
    assert (0, 1) == (Dataset(folder).sweep(), Dataset(folder).sweep(older_than=0))
