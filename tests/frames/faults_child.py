"""Run as a program: exports into datasets while system calls kill the process, fail, or take half a write.

    faults_child.py steps ROOT KIND TASK   a fault of one kind at every step of a task, then a clean run;
                                           the task is export, compact or prune
    faults_child.py writers ROOT SEED      three writers on one account, killed at random, until all are done
    faults_child.py crowd ROOT SEED        the same with two that compact and prune, and one that reads

It prints JSON. Each run is a fork of this process, which itself never touches a dataset.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd  # noqa: F401 (once, and not in every fork)

from pop3frames.errors import POP3ExportError
from pop3frames.frames import compaction, pruning, verification  # noqa: F401 (once, and not in every fork)
from pop3frames.frames.dataset import Dataset
from pop3frames.message import Message

ACCOUNT = "ann@example.org"
LATER = datetime(2100, 1, 1, tzinfo=UTC)
REFUSALS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE)


class Fault:
    """Counts the system calls of interest, twice each (before and after), and strikes at one of them."""

    def __init__(self, kind: str, at: int) -> None:
        self.kind, self.at, self.count = kind, at, 0

    def step(self) -> None:
        if self.count == self.at:
            if self.kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            refusal = REFUSALS[self.count % len(REFUSALS)]
            self.count += 1
            raise OSError(refusal, os.strerror(refusal))
        self.count += 1

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self.step()
            result = function(*args, **options)
            self.step()
            return result

        return call

    def install(self) -> None:
        """Only in a fork: the real functions are gone afterwards."""
        fault = self

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                fault.step()
                short = len(data) > 2000  # the system may take less than it is given
                taken = super().write(data[: len(data) // 2] if short else data)
                fault.step()
                return int(taken or 0)

        def opened(path: Path, mode: str) -> Any:
            return io.BufferedWriter(File(path, mode))

        for name in ("fsync", "listdir", "link", "mkdir", "unlink"):
            setattr(os, name, self.wrap(getattr(os, name)))
        Path.open = self.wrap(opened)  # type: ignore[method-assign]


def uidl(number: int) -> str:
    return f"uid-{number:04d}"


def mail(number: int) -> Message:
    raw = b"raw %d" % number
    digest = hashlib.sha256(raw).hexdigest()
    fetched = 1_700_000_000_000
    return Message(account=ACCOUNT, uidl=uidl(number), content_hash=digest, fetched_at=fetched, raw=raw)


def export(root: Path, numbers: list[int], fault: Fault, chunk: int = 4) -> str:
    """Stores what is new, `chunk` messages a commit; notes in `acks` what a commit has answered for."""
    dataset = Dataset(root / "mail")
    fault.install()
    try:
        known = dataset.known(ACCOUNT)
        with open(root / "acks", "a") as acks:  # noqa: PTH123 (Path.open is watched)
            writer = dataset.writer(ACCOUNT, known)
            for start in range(0, len(numbers), chunk):
                part = numbers[start : start + chunk]
                new = [n for n in part if uidl(n) not in known.uidls]
                writer.add(map(mail, new))
                writer.commit()
                acks.write("".join(f"{uidl(n)}\n" for n in part))
                acks.flush()
    except POP3ExportError as error:
        return f"POP3ExportError: {error}"
    return "done"


def spawn(work: Callable[[], Any]) -> tuple[int, int]:
    """Starts `work` in a process of its own; to be collected."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, json.dumps(work()).encode())
        except BaseException as error:
            os.write(write, json.dumps(f"{type(error).__name__}: {error}").encode())
        finally:
            os._exit(0)
    os.close(write)
    return pid, read


def collect(started: tuple[int, int]) -> Any:
    """What the process returned; ("killed", 0) when it did not live to say."""
    pid, read = started
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(said) if said else ("killed", 0)


def fork(work: Callable[[], Any]) -> Any:
    """What `work` returns in a process of its own, awaited."""
    return collect(spawn(work))


def rewrite(root: Path, task: str, fault: Fault) -> str:
    """Compacts or prunes what is there."""
    dataset = Dataset(root / "mail")
    fault.install()
    try:
        _ = dataset.compact() if task == "compact" else dataset.prune(before=LATER)
    except POP3ExportError as error:
        return f"POP3ExportError: {error}"
    return "done"


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    with open(path) as file:  # noqa: PTH123 (Path.open is watched)
        return file.read().split()


def inspect(root: Path) -> dict[str, Any]:
    """What is in the dataset, what was acknowledged, what is left in staging."""
    dataset = Dataset(root / "mail")
    acks = root / "acks"
    table = dataset.to_table(["uidl", "raw"])
    return {
        "stored": table["uidl"].to_pylist(),
        "known": sorted(dataset.known(ACCOUNT).uidls),
        "raws": len(table) - table["raw"].null_count,
        "files": len(list((root / "mail").glob("*/*.parquet"))),
        "findings": [str(each) for each in dataset.verify().findings if not each.harmless],
        "acked": _lines(acks),
        "staged": len(list((root / "mail" / ".staging").glob("*"))),
    }


def steps(root: Path, kind: str, task: str) -> list[dict[str, Any]]:
    """One case a step: the faulty run, what it left, a clean run, what is there then."""
    cases: list[dict[str, Any]] = []
    base = root / "base"
    base.mkdir()
    if task != "export":
        fork(
            lambda: [Dataset(base / "mail").append(map(mail, range(n, n + 4)), ACCOUNT) and n for n in (0, 4)]
        )
    while not cases or cases[-1]["run"][0] != "done":
        at = len(cases)
        case = root / str(at)
        shutil.copytree(base, case)
        outcome, count = fork(partial(faulty, case, kind, at, task))
        if outcome == "done" and count > at:
            outcome = "survived"  # the fault hit where it does no harm
        after, again, final = fork(partial(aftermath, case, kind, task))
        cases.append({"run": [outcome, count], "after": after, "again": again, "final": final})
    return cases


def aftermath(case: Path, kind: str, task: str) -> list[Any]:
    """What is there, how a clean run ends, and what is there then."""
    return [inspect(case), faulty(case, kind, -1, task)[0], inspect(case)]


def faulty(case: Path, kind: str, at: int, task: str) -> tuple[str, int]:
    """A task on two parts with a fault at step `at`: how it ended, and how many steps it took."""
    fault = Fault(kind, at)
    if task == "export":
        return export(case, list(range(8)), fault), fault.count
    return rewrite(case, task, fault), fault.count


def writers(root: Path, seed: str) -> dict[str, Any]:
    """Three at once, each in its own order, each killed twice."""
    chance = random.Random(seed)
    numbers = list(range(90))

    def work(order: list[int], moments: list[int]) -> list[Any]:
        runs = [partial(export, root, order, Fault("kill", at), 5) for at in (*moments, -1)]
        return [fork(run) for run in runs]

    started = []
    for _ in range(3):
        order = chance.sample(numbers, len(numbers))
        moments = [chance.randrange(10, 150) for _ in range(2)]
        started.append(spawn(partial(work, order, moments)))
    ends = [collect(each) for each in started]
    return {"ends": ends, **fork(lambda: inspect(root))}


def crowd(root: Path, seed: str) -> dict[str, Any]:
    """Writers and rewriters, each killed a few times; a reader notes what it should never see."""
    chance = random.Random(seed)
    numbers = list(range(60))
    stop = root / "stop"

    def write(order: list[int], moments: list[int]) -> list[Any]:
        return [fork(partial(export, root, order, Fault("kill", at), 3)) for at in (*moments, -1)]

    def rework(moments: list[int]) -> list[Any]:
        ends = []
        while not stop.exists():
            at = moments.pop() if moments else -1
            task = "compact" if len(ends) % 3 else "prune"
            ends.append(fork(partial(rewrite, root, task, Fault("kill", at))))
        return ends

    def look() -> list[str]:
        wrong: list[str] = []
        acks, looks = root / "acks", 0
        while not stop.exists() and len(wrong) < 5:
            acked = set(acks.read_text().split()) if acks.exists() else set()
            stored = Dataset(root / "mail").to_table(["uidl"])["uidl"].to_pylist()
            known = Dataset(root / "mail").known(ACCOUNT).uidls
            looks += 1
            if len(stored) != len(set(stored)):
                wrong.append("a mail was seen twice")
            if not acked <= set(stored) or not acked <= known:
                wrong.append("a mail was not seen")
        return wrong or [f"{looks} looks"]

    def moments(count: int, most: int) -> list[int]:
        return [chance.randrange(4, most) for _ in range(count)]

    writing = [partial(write, chance.sample(numbers, 60), moments(2, 150)) for _ in range(2)]
    behind = [spawn(partial(rework, moments(12, 60))) for _ in range(2)] + [spawn(look)]
    ends = [collect(pipe) for pipe in [spawn(work) for work in writing]]
    stop.touch()
    reworked = [collect(pipe) for pipe in behind]
    fork(partial(rewrite, root, "compact", Fault("kill", -1)))
    return {"ends": ends, "reworked": reworked[:2], "looks": reworked[2], **fork(lambda: inspect(root))}


if __name__ == "__main__":
    mode, where, *rest = sys.argv[1:]
    sys.stdout.write(
        json.dumps({"steps": steps, "writers": writers, "crowd": crowd}[mode](Path(where), *rest))
    )
