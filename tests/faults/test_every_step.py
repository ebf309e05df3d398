"""A fault at every step of every scripted run: nothing lost, nothing twice, nothing wrongly deleted.

The room:

    injection.py   the calls that are steps, and the kinds of fault
    tasks.py       what a process does under them
    warm.py        the process that forks one for each run (forks.py)
    world.py       the mailboxes and the dataset (states.py: what is in them)
    law.py         what must hold after each run
    scripts.py     the table of scripted runs: a new feature adds its line here
    campaign.py    which faults are tried; __main__.py: many, for `make faults`
    mutants.py     the protections, taken away one by one to see the law notice
    power.py       the replay of power cuts

Here each script meets a kill and one other fault at every step, each kind strikes at each sort of call, and
then there are storms of several in a row. What is drawn depends on the seed, which is printed when
something breaks: POP3FRAMES_FAULTS_SEED. `make faults` tries them all, and storms until it is 100,000.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from itertools import chain, islice
from pathlib import Path

import pytest
from faults.__main__ import table
from faults.campaign import Outcome, carry_out, fair_share, place, storms
from faults.injection import KINDS
from faults.law import Wrong
from faults.scripts import SCRIPTS
from faults.warm import Warm

SEED = os.environ.get("POP3FRAMES_FAULTS_SEED", "every step")
STORMS = 40

pytestmark = pytest.mark.timeout(900)  # all faults are in the set-up of the first test


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """What became of all of them, by script."""
    with place() as home, Warm() as warm:
        cases = fair_share(warm, Path(home) / "trace", random.Random(SEED))
    found = carry_out(chain(cases, islice(storms(SEED), STORMS)), faults=1 << 30, jobs=2)
    sys.stdout.write(f"seed {SEED!r}, {sum(outcome.faults for outcome in found.values())} faults\n")
    return found


@pytest.mark.parametrize("title", [*SCRIPTS, "storms"])
def test_a_fault_at_any_step_loses_and_doubles_nothing(outcomes: dict[str, Outcome], title: str) -> None:
    """Each mail is on a server or stored, none twice, what was deleted is durable, and reports are true; at
    once, and after a clean run, which completes the work and leaves nothing behind."""
    wrong = outcomes[title].wrong
    assert ([], [], [], []) == (wrong.lost, wrong.doubled, wrong.wrongly_deleted, wrong.untrue)


def test_each_kind_of_fault_struck_each_call_that_it_is_for(outcomes: dict[str, Outcome]) -> None:
    """A positive control: no call is out of sight. A name is replaced only when a claim is undone."""
    struck = {pair for outcome in outcomes.values() for pair in outcome.struck}
    wanted = {(name, call) for name, kind in KINDS.items() for call in kind.calls if call != "replace"}
    assert set() == wanted - struck
    assert {call for kind, call in struck if kind == "meanwhile"} >= {"link", "fsync", "unlink", "listdir"}


def test_more_than_a_thousand_faults_struck(outcomes: dict[str, Outcome]) -> None:
    """And they did what they are for: processes were killed, the disk's refusals were told."""
    ended = sum((outcome.ended for outcome in outcomes.values()), start=Outcome().ended)
    assert sum(outcome.faults for outcome in outcomes.values()) > 1200
    assert ended["killed"] > 400
    assert ended["POP3ExportError"] > 200
    assert ended["KeyboardInterrupt"] > 20
    assert ended["POP3ConnectionError"] > 5


def test_make_faults_prints_what_became_of_them() -> None:
    """The program behind it, with few faults: 0 when the law held."""
    path = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "faults"],
        env=os.environ | {"PYTHONPATH": path, "POP3FRAMES_FAULTS": "20", "POP3FRAMES_FAULTS_JOBS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert "export of a new mailbox" in done.stdout
    assert done.stdout.endswith(" runs: nothing was lost, doubled, wrongly deleted or reported untruly.\n")


def test_make_faults_ends_in_a_sentence_that_says_what_was_broken() -> None:
    """And the case stands above it."""
    found = {"compact": Outcome(runs=3, wrong=Wrong(lost=["case 7: a mail is nowhere"]))}
    *_, case, last = table(found).split("\n")
    assert "case 7: a mail is nowhere" == case
    assert (
        "0 faults in 3 runs, and the promise is BROKEN: lost 1, doubled 0, wrongly deleted 0, untrue 0."
        in last
    )
