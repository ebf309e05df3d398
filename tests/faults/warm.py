"""A process that has imported everything and forks a child for each faulty run: that costs milliseconds.

Run as a program it reads a line with a list of jobs (see `tasks.py`), runs them at once, and answers a line
with how they ended. Its argument, if there is one, names a protection that it does without (`mutants.py`).
"""

from __future__ import annotations

import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from faults.forks import Answer

Job = dict[str, Any]


class Warm:
    """The program, started and waiting: `run(*jobs)` gives their answers."""

    def __init__(self, *without: str) -> None:
        tests = str(Path(__file__).parent.parent)
        self._program = subprocess.Popen(
            [sys.executable, "-m", "faults.warm", *without],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for who started it
            env={**os.environ, "PYTHONPATH": os.pathsep.join([tests, *sys.path])},
        )

    def run(self, *jobs: Job) -> list[Answer]:
        """All of them at once; how each ended."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        print(json.dumps(jobs), file=self._program.stdin, flush=True)
        return list(json.loads(self._program.stdout.readline()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._program.communicate()


def main(without: list[str]) -> None:
    if without:
        from faults.mutants import MUTANTS

        MUTANTS[without[0]].take_away()
    from faults.tasks import is_harmless, perform, start, warm_up

    logging.getLogger("pop3frames").setLevel(logging.ERROR)  # it warns of every fault, and rightly
    with tempfile.TemporaryDirectory() as folder:
        warm_up(Path(folder))
    gc.collect()
    gc.freeze()  # a collection in a fork would copy all memory
    for line in sys.stdin:
        jobs, started = json.loads(line), time.monotonic()
        if len(jobs) == 1 and is_harmless(jobs[0]):
            answers = [perform(jobs[0])]  # nothing goes wrong: no fork is needed
        else:
            answers = [each.answer() for each in [start(job) for job in jobs]]
        took = time.monotonic() - started
        sys.stdout.write(json.dumps([answer | {"took": took} for answer in answers]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
