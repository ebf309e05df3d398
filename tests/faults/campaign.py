"""Many faults, side by side: which there are, and what became of them."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol

from export.mailboxes import mail
from faults.forks import Answer
from faults.injection import KINDS, faults_at
from faults.law import Wrong
from faults.scripts import COMMIT, COMPACT, ELSEWHERE, EXPORT, EXPORT_AND_DELETE, PRUNE, READ, SCRIPTS, VERIFY
from faults.tasks import Job
from faults.warm import Warm
from faults.world import World

from pop3frames.frames.dataset import Dataset
from pop3frames.server.features import Features

MEMORY = Path("/dev/shm")  # a killed process loses nothing that it gave the system: no disk is needed


@dataclass
class Outcome:
    """What became of one run or of many."""

    runs: int = 0
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)  # by kind and call
    ended: Counter[str] = field(default_factory=Counter)
    wrong: Wrong = field(default_factory=Wrong)

    @property
    def faults(self) -> int:
        return self.struck.total()

    def note(self, job: Job, answer: Answer, wrong: Wrong, where: str) -> None:
        """One more run."""
        self.runs += 1
        self.ended[answer["ended"]] += 1
        if answer.get("struck"):
            self.struck[job["kind"], answer["struck"]] += 1
        self.blame(wrong, where)

    def blame(self, wrong: Wrong, where: str) -> None:
        """What was wrong there."""
        self.wrong += Wrong(
            **{name: [f"{where}: {each}" for each in words] for name, words in vars(wrong).items()}
        )

    def __iadd__(self, other: Outcome) -> Outcome:
        self.runs += other.runs
        self.struck += other.struck
        self.ended += other.ended
        self.wrong += other.wrong
        return self


class Item(Protocol):
    """One thing to do in a campaign."""

    @property
    def title(self) -> str:
        """What it is counted under."""

    def run(self, warm: Warm, folder: Path) -> Outcome:
        """Do it, in a folder that is not there yet."""


@dataclass(frozen=True)
class Case:
    """A fault of a kind at a step of a script, its n-th such call; then the clean runs."""

    title: str
    kind: str
    call: str
    at: int

    def run(self, warm: Warm, folder: Path) -> Outcome:
        script, outcome = SCRIPTS[self.title], Outcome()
        world, job = script.world(folder), script.faulty(self.kind, self.call, self.at)
        (answer,), wrong = world.run(warm, job)
        outcome.note(job, answer, wrong, str(self))
        outcome.blame(script.finished(world, warm), f"{self}, then a clean run")
        return outcome


@dataclass(frozen=True)
class Storm:
    """Any mailbox on any server, mail coming in, faults in a row at any step; then a clean run."""

    seed: str
    title: str = "storms"

    def run(self, warm: Warm, folder: Path) -> Outcome:
        chance, outcome = random.Random(self.seed), Outcome()
        hiding = {"expire": 0, "removes_retrieved": True} if chance.random() < 0.3 else {}
        features = Features(pipelining=chance.random() < 0.7, **hiding)
        mails = [mail(n, chance.randrange(200, 2000)) for n in range(9)]
        world = World(folder, None, [mails, mails], features=features)
        for n in range(9, 9 + chance.randrange(1, 6)):
            world.deliver(mail(n, chance.randrange(200, 2000)))
            job = self._job(chance, n)
            (answer,), wrong = world.run(warm, job)
            outcome.note(job, answer, wrong, f"{self}, {job}")
        outcome.blame(self._finished(world, warm), f"{self}, then a clean run")
        return outcome

    def _job(self, chance: random.Random, count: int) -> Job:
        kind = chance.choice([*KINDS, "meanwhile"])
        tasks = [EXPORT, EXPORT, EXPORT_AND_DELETE, EXPORT_AND_DELETE, COMMIT, COMPACT, VERIFY, READ, PRUNE]
        others = chance.choices([ELSEWHERE, COMPACT], k=chance.randrange(1, 3))
        return chance.choice(tasks) | {
            "wanted": [f"uid-{n:05d}" for n in chance.sample(range(count), 3)],
            "octets": chance.choice([1, 1000, 3000, 1 << 20]),
            "kind": kind,
            "at": chance.randrange(chance.choice([10, 30, 100])),
            "meanwhile": others if kind == "meanwhile" else [],
        }

    def _finished(self, world: World, warm: Warm) -> Wrong:
        wrong = world.run(warm, EXPORT_AND_DELETE)[1]
        Dataset(world.folder).sweep(older_than=0)
        state = world.state()
        if state.stored.uidls != set(world.delivered.values()):
            wrong.lost.append(f"not stored: {set(world.delivered.values()) - state.stored.uidls}")
        if state.served[0] and not world.pruned:
            wrong.untrue.append(f"still on the server: {state.served[0]}")
        return wrong


def place() -> tempfile.TemporaryDirectory[str]:
    """A folder for datasets, in memory where there is such a file system."""
    return tempfile.TemporaryDirectory(prefix="faults-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)


def every_case(warm: Warm, folder: Path, titles: Iterable[str] = SCRIPTS) -> list[Case]:
    """Each kind of fault of each script at each step that it is for."""
    return [
        Case(title, *fault)
        for title in titles
        for fault in faults_at(_traced(title, warm, folder), SCRIPTS[title].kinds)
    ]


def fair_share(warm: Warm, folder: Path, chance: random.Random) -> list[Case]:
    """Of all those, some: at each step of a script a kill and one other thing, at each of a variant one
    thing; each kind at each sort of call."""
    cases = every_case(warm, folder)
    chance.shuffle(cases)
    one = dict[tuple[object, ...], Case]()
    for case in cases:
        killed = case.kind == "kill before" and not SCRIPTS[case.title].variant
        one[case.title, case.call, case.at, killed] = case
        one[case.kind, case.call] = case
    return list(dict.fromkeys(one.values()))


def _traced(title: str, warm: Warm, folder: Path) -> list[str]:
    """The calls of the script's job when nothing goes wrong."""
    world = SCRIPTS[title].world(folder)
    (answer,), wrong = world.run(warm, SCRIPTS[title].faulty("none"))
    assert not wrong, wrong
    shutil.rmtree(folder)
    return list(answer["trace"])


def storms(seed: str) -> Iterator[Storm]:
    """Without end."""
    return (Storm(f"{seed} {n}") for n in count())


def carry_out(
    items: Iterable[Item], faults: int, jobs: int, told: Callable[[Outcome], object] = lambda outcome: None
) -> dict[str, Outcome]:
    """Takes items until so many faults have struck, `jobs` at once; what became of them, by title.

    `told` gets the sum after each. Ctrl-C ends it early.
    """
    lock, queue, total, found = threading.Lock(), iter(items), Outcome(), dict[str, Outcome]()
    stopped = threading.Event()

    def take() -> Item | None:
        with lock:
            return None if stopped.is_set() or total.faults >= faults else next(queue, None)

    def work(home: Path) -> None:
        with Warm() as warm:
            for n, item in enumerate(iter(take, None)):
                outcome = item.run(warm, home / str(n))
                shutil.rmtree(home / str(n), ignore_errors=True)
                with lock:
                    nonlocal total
                    total += outcome
                    found.setdefault(item.title, Outcome()).__iadd__(outcome)
                    told(total)

    with place() as home, ThreadPoolExecutor(jobs) as pool:
        homes = [Path(home) / f"worker-{n}" for n in range(jobs)]
        for each in homes:
            each.mkdir()
        try:
            list(pool.map(work, homes))
        except KeyboardInterrupt:
            stopped.set()
    return found
