"""Work in a process of its own, which may be killed: started, awaited, and what it lived to say."""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Answer = dict[str, Any]
Say = Callable[[Answer], None]


@dataclass(frozen=True)
class Fork:
    """A process at work; killed after `seconds`, if that is given."""

    pid: int
    reading: int
    seconds: float | None

    def answer(self) -> Answer:
        """All it said, when it has ended: `ended` is "killed" where it did not live to say how."""
        with os.fdopen(self.reading, "rb") as pipe:
            if self.seconds is not None and not select.select([pipe], [], [], self.seconds)[0]:
                os.kill(self.pid, signal.SIGKILL)
            said = pipe.read().splitlines()
        os.waitpid(self.pid, 0)
        answer: Answer = {"ended": "killed", "told": None, "struck": None}
        for line in said:
            answer |= json.loads(line)
        return answer


def fork(work: Callable[[Say], Answer], seconds: float | None = None) -> Fork:
    """Starts it. `work` gets a function to say something at once, should it not live to return."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:

        def say(answer: Answer) -> None:
            os.write(writing, json.dumps(answer).encode() + b"\n")

        try:
            say(work(say))
        except BaseException as exc:
            say({"ended": f"{type(exc).__name__}: {exc}"})
        finally:
            os._exit(0)
    os.close(writing)
    return Fork(pid, reading, seconds)
