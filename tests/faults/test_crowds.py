"""Writers, rewriters and a reader at once, killed at random: nothing lost, nothing twice, at any moment."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from faults.forks import Answer
from faults.states import stored_in
from faults.tasks import Job, uidl
from faults.warm import Warm


class Crowd:
    """A dataset that many processes work on, and what its writers were answered."""

    def __init__(self, home: Path, seed: object) -> None:
        self.folder, self.acks, self._home = home / "mail", home / "acks", home
        self.chance = random.Random(seed)

    def job(self, task: str, **more: Any) -> Job:
        """One that works on the dataset."""
        return {"task": task, "folder": str(self.folder), "acks": str(self.acks)} | more

    def killed(self, job: Job, times: int, most: int) -> list[Job]:
        """The job so many times, each killed before one of its first `most` steps."""
        return [job | {"kind": "kill before", "at": self.chance.randrange(4, most)} for _ in range(times)]

    def writer(self, count: int, chunk: int, most: int) -> Job:
        """Stores all mails in an order of its own; killed twice, then not any more, and says so."""
        order = self.chance.sample(range(count), count)
        job, done = (
            self.job("append", numbers=order, chunk=chunk),
            self._home / f"done-{self.chance.random()}",
        )
        return {"task": "sequence", "jobs": [*self.killed(job, 2, most), job], "then": str(done)}

    def acknowledged(self) -> set[str]:
        """What a commit has answered for."""
        return set(self.acks.read_text().split()) if self.acks.exists() else set()


def _ends(answers: list[Answer]) -> list[list[str]]:
    return [[each["ended"] for each in answer["told"]] for answer in answers]


@pytest.mark.parametrize("seed", [1, 2])
def test_three_writers_on_one_account_store_every_row_once(warm: Warm, home: Path, seed: int) -> None:
    """Each in its own order, each killed twice at a random step and started again."""
    crowd = Crowd(home, seed)
    ends = _ends(warm.run(*[crowd.writer(90, 5, 150) for _ in range(3)]))
    assert [writer[-1] for writer in ends] == ["done"] * 3
    everything = [end for writer in ends for end in writer]
    assert set(everything) == {"done", "killed"}, everything  # a late moment may find nothing left to do
    found = stored_in(crowd.folder)
    assert sorted(each for each, _ in found.rows) == [uidl(n) for n in range(90)]
    assert (found.whole, found.findings) == (found.uidls, ())
    assert crowd.acknowledged() == found.uidls


@pytest.mark.parametrize("seed", [1, 2])
def test_writers_rewriters_and_a_reader_at_once_see_every_row_once(warm: Warm, home: Path, seed: int) -> None:
    """Two that export and two that compact and prune, all killed at random steps, one that reads."""
    crowd = Crowd(home, seed)
    writers = [crowd.writer(60, 3, 150) for _ in range(2)]
    until = [writer["then"] for writer in writers]
    compact, prune = crowd.job("compact"), crowd.job("prune")
    rewriters = []
    for _ in range(2):
        killed = [
            job
            for pair in zip(crowd.killed(compact, 8, 60), crowd.killed(prune, 8, 60), strict=True)
            for job in pair
        ]
        rewriters.append({"task": "repeat", "jobs": [*killed, compact], "until": until})
    answers = warm.run(*writers, *rewriters, crowd.job("watch", until=until))
    ends = _ends(answers[:-1])
    assert [writer[-1] for writer in ends[:2]] == ["done"] * 2
    assert {end for process in ends for end in process} == {"done", "killed"}, ends
    wrong, looks = answers[-1]["told"]
    assert wrong == []
    assert looks > 0
    assert ["done"] == [answer["ended"] for answer in warm.run(compact)]
    found = stored_in(crowd.folder)
    assert sorted(each for each, _ in found.rows) == sorted(found.known) == [uidl(n) for n in range(60)]
    assert len(list(crowd.folder.glob("*/*.parquet"))) == 1
    assert found.findings == ()


def test_what_a_commit_answered_for_is_there_after_a_fault_at_any_step(warm: Warm, home: Path) -> None:
    """Killed or refused at each step of two commits: a part is whole or absent, and the rest comes later."""
    whole = Crowd(home / "whole", 0)
    (home / "whole").mkdir()
    (answer,) = warm.run(whole.job("append", numbers=list(range(8)), chunk=4, kind="none"))
    assert len(answer["trace"]) > 35
    for at in range(len(answer["trace"])):
        for kind in ("kill before", "disk error"):
            crowd = Crowd(home / f"{kind}-{at}", 0)
            (home / f"{kind}-{at}").mkdir()
            append = crowd.job("append", numbers=list(range(8)), chunk=4)
            (faulty,) = warm.run(append | {"kind": kind, "at": at})
            assert faulty["ended"] in ("killed", "POP3ExportError", "done")
            found = stored_in(crowd.folder)
            assert len(found.rows) in (0, 4, 8), "a part was half committed"
            assert crowd.acknowledged() <= found.uidls, "a commit that had returned was lost"
            assert ["done"] == [answer["ended"] for answer in warm.run(append)]
            assert [uidl(n) for n in range(8)] == sorted(each for each, _ in stored_in(crowd.folder).rows)
