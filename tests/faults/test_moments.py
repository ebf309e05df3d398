"""Killed at any moment, interrupted, cut off at any octet: run to the end, every mail is there once."""

from __future__ import annotations

import random
import shutil
from itertools import count
from pathlib import Path

from export.mailboxes import mails
from faults.law import Wrong
from faults.scripts import EXPORT, SCRIPTS
from faults.tasks import Job
from faults.warm import Warm
from faults.world import World

from pop3frames.frames.dataset import Dataset

MAILS = mails(36)
IN_PARTS: Job = EXPORT | {"octets": 1500}


def finished(world: World, warm: Warm) -> Wrong:
    """A clean run, after which all is there with its bytes."""
    (answer,), wrong = world.run(warm, IN_PARTS)
    assert answer["ended"] == "done"
    assert {message.uidl for message in MAILS} == world.state().stored.whole
    return wrong


def test_kills_at_random_moments_lose_nothing_and_double_nothing(warm: Warm, home: Path) -> None:
    """Several in a row on one dataset, each at any moment of what was left to do, between calls too."""
    (measured,), _ = World(home / "measured", None, [MAILS]).run(warm, IN_PARTS | {"seconds": 60})
    chance, killed = random.Random("kills"), 0
    for n in range(7):
        world = World(home / str(n), None, [MAILS])
        for _ in range(3):
            (answer,), wrong = world.run(warm, IN_PARTS | {"seconds": chance.uniform(0, measured["took"])})
            assert not wrong, wrong
            killed += answer["ended"] == "killed"
        assert not finished(world, warm)
    assert killed >= 7


def test_ctrl_c_keeps_what_is_whole(warm: Warm, home: Path) -> None:
    """KeyboardInterrupt reaches the caller, and the messages that had come are committed first."""
    world = World(home / "mail", None, [MAILS])
    (answer,), _ = world.run(warm, IN_PARTS | {"interrupt": 23})
    assert "KeyboardInterrupt" == answer["ended"]
    assert 23 <= len(world.state().stored.rows) <= 24
    assert 0 == world.state().staged
    assert not finished(world, warm)


def test_leftovers_of_killed_runs_are_swept_by_age(warm: Warm, home: Path) -> None:
    """They are no parts, and a younger one may belong to a run that is alive."""
    world = World(home / "mail", None, [MAILS])
    world.run(warm, IN_PARTS | {"kind": "kill before", "call": "link", "at": 1})
    assert 1 == world.state().staged
    assert (0, 1) == (Dataset(world.folder).sweep(), Dataset(world.folder).sweep(older_than=0))


def test_a_cut_at_any_octet_loses_and_doubles_nothing(warm: Warm, home: Path) -> None:
    """Every 29 octets from the greeting to the answer to QUIT; the run goes on, or the next one does."""
    script = SCRIPTS["export and delete"]
    for after in count(1, 29):
        world = script.world(home / str(after))
        _, wrong = world.run(warm, script.job, cut=(after, ("cut", "reset")[after % 2]))
        assert not wrong, wrong
        assert not script.finished(world, warm)
        shutil.rmtree(world.folder)
        if world.passed < after:
            break
    assert after > 1500
