"""Run as a program: exports into datasets while system calls kill the process, fail, or take half a write.

    faults_child.py steps ROOT KIND      a fault of one kind at every step of an export, then a clean run
    faults_child.py writers ROOT SEED    three writers on one account, killed at random, until all are done
    faults_child.py log ROOT             a clean export; prints what was written and synced, in order

It prints JSON. Each run is a fork of this process, which itself never touches a dataset.
"""

from __future__ import annotations

import errno
import io
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pop3frames.errors import POP3ExportError
from pop3frames.frames.dataset import Dataset
from pop3frames.message import Message

ACCOUNT = "ann@example.org"
REFUSALS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE)


class Fault:
    """Counts the system calls of interest, twice each (before and after), and strikes at one of them."""

    def __init__(self, kind: str, at: int) -> None:
        self.kind, self.at, self.count = kind, at, 0
        self.log: list[tuple[Any, ...]] = []

    def step(self) -> None:
        if self.count == self.at:
            if self.kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            refusal = REFUSALS[self.count % len(REFUSALS)]
            self.count += 1
            raise OSError(refusal, os.strerror(refusal))
        self.count += 1

    def wrap(self, function: Callable[..., Any], note: Callable[..., tuple[Any, ...]]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self.step()
            result = function(*args, **options)
            self.log.append(note(*args))
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

        os.fsync = self.wrap(os.fsync, lambda fd: ("sync", os.fstat(fd).st_ino))
        os.link = self.wrap(os.link, lambda _, new: _entry(new))
        os.mkdir = self.wrap(os.mkdir, lambda path, *_: _entry(path))
        os.unlink = self.wrap(os.unlink, lambda path: ("gone", str(path)))
        Path.open = self.wrap(opened, lambda path, _: _entry(path))  # type: ignore[method-assign]


def _entry(path: Any) -> tuple[Any, ...]:
    return ("entry", Path(path).parent.stat().st_ino, Path(path).stat().st_ino, str(path))


def uidl(number: int) -> str:
    return f"uid-{number:04d}"


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
                writer.add(Message(account=ACCOUNT, message_id=n, uidl=uidl(n)) for n in new)
                writer.commit()
                fault.log.append(("ack",))
                acks.write("".join(f"{uidl(n)}\n" for n in part))
                acks.flush()
    except POP3ExportError as error:
        return f"POP3ExportError: {error}"
    return "done"


def fork(work: Callable[[], Any]) -> Any:
    """What `work` returns in a process of its own; ("killed", 0) when it did not live to say."""
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
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(said) if said else ("killed", 0)


def inspect(root: Path) -> dict[str, Any]:
    """What is in the dataset, what was acknowledged, what is left in staging."""
    dataset = Dataset(root / "mail")
    acks = root / "acks"
    return {
        "stored": dataset.to_table(["uidl"])["uidl"].to_pylist(),
        "acked": acks.read_text().split() if acks.exists() else [],
        "staged": len(list((root / "mail" / ".staging").glob("*"))),
    }


def steps(root: Path, kind: str) -> list[dict[str, Any]]:
    """One case a step: the faulty run, what it left, a clean run, what is there then."""
    cases: list[dict[str, Any]] = []
    while not cases or cases[-1]["run"][0] != "done":
        at = len(cases)
        case = root / str(at)
        case.mkdir()
        outcome, count = fork(partial(faulty, case, kind, at))
        if outcome == "done" and count > at:
            outcome = "survived"  # the fault hit where it does no harm
        after = fork(partial(inspect, case))
        again = fork(partial(faulty, case, kind, -1))[0]
        final = fork(partial(inspect, case))
        cases.append({"run": [outcome, count], "after": after, "again": again, "final": final})
    return cases


def faulty(case: Path, kind: str, at: int) -> tuple[str, int]:
    """An export of two parts with a fault at step `at`: how it ended, and how many steps it took."""
    fault = Fault(kind, at)
    return export(case, list(range(8)), fault), fault.count


def writers(root: Path, seed: str) -> dict[str, Any]:
    """Three at once, each in its own order, each killed twice."""
    chance = random.Random(seed)
    numbers = list(range(90))

    def work(order: list[int], moments: list[int]) -> list[Any]:
        runs = [partial(export, root, order, Fault("kill", at), 5) for at in (*moments, -1)]
        return [fork(run) for run in runs]

    pipes = []
    for _ in range(3):
        order = chance.sample(numbers, len(numbers))
        moments = [chance.randrange(10, 150) for _ in range(2)]
        read, write = os.pipe()
        if os.fork() == 0:
            os.write(write, json.dumps(work(order, moments)).encode())
            os._exit(0)
        os.close(write)
        pipes.append(read)
    ends = []
    for read in pipes:
        with os.fdopen(read, "rb") as pipe:
            ends.append(json.loads(pipe.read()))
        os.wait()
    return {"ends": ends, **fork(lambda: inspect(root))}


def log(root: Path) -> list[tuple[Any, ...]]:
    """What a clean run did."""

    def run() -> list[tuple[Any, ...]]:
        fault = Fault("kill", -1)
        export(root, list(range(12)), fault)
        return [("entry", 0, root.stat().st_ino, str(root)), *fault.log]

    return list(fork(run))


if __name__ == "__main__":
    mode, where, *rest = sys.argv[1:]
    sys.stdout.write(json.dumps({"steps": steps, "writers": writers, "log": log}[mode](Path(where), *rest)))
