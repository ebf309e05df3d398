"""The Celery task on a real worker with a broker in a folder: killed on the way, nothing lost or doubled."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from examples.conftest import EXAMPLES, PASSWORD
from export.mailboxes import digests, hashes, ids, mails, stored

from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Stall, Step

PATIENCE = 60  # seconds until somebody looks at the worker's log


@dataclass(frozen=True)
class StallAndTell(Stall):
    """Goes silent in the middle of a reply, and lets the test know."""

    reached: threading.Event = field(default_factory=threading.Event)

    def play(self, reply: bytes) -> Iterator[Step]:
        self.reached.set()
        yield from super().play(reply)


@contextlib.contextmanager
def worker(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One worker with one process, as the example is started."""
    words = [sys.executable, "-m", "celery", "-A", "celery_sync", "worker", "--concurrency", "1"]
    quiet = ["--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    with (
        log.open("w") as output,
        subprocess.Popen(
            words + quiet, cwd=EXAMPLES, env=environment, stdout=output, stderr=output
        ) as program,
    ):
        try:
            yield program
        finally:
            program.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(PATIENCE)
            program.kill()


def kill_its_child(program: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the process that runs the task: no handler, no clean-up."""
    threads = Path(f"/proc/{program.pid}/task").glob("*/children")  # another one starts each new process
    children = [child for thread in threads for child in thread.read_text().split()]
    assert 1 == len(children), "a pool of one process"
    os.kill(int(children[0]), signal.SIGKILL)


def until(condition: Callable[[], Any], log: Path) -> Any:
    """What `condition` gives, as soon as it gives anything."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def test_a_task_killed_while_it_fetches_and_while_it_deletes_is_finished_by_its_retries(
    tmp_path: Path, environment: Callable[..., dict[str, str]]
) -> None:
    """Killed before anything is stored, and again when all is stored and nothing deleted yet."""
    fetching = StallAndTell("RETR", message=20, octets=10, connections={1})
    deleting = StallAndTell("DELE", message=7, executed=False, connections={2})
    for name in ("broker", "results"):
        (tmp_path / name).mkdir()
    log, served = tmp_path / "worker.log", mails(40)
    with EmbeddedServer(served, password=PASSWORD, faults=[fetching, deleting]) as server:
        variables = environment(support=server.port) | {
            "CELERY_BROKER_URL": "filesystem://",
            "CELERY_BROKER_FOLDER": str(tmp_path / "broker"),
            "CELERY_RESULT_BACKEND": (tmp_path / "results").as_uri(),
        }
        call = [sys.executable, "-m", "celery", "-A", "celery_sync", "call", "celery_sync.sync_account"]
        call += ["--args", '["support"]']
        subprocess.run(call, cwd=EXAMPLES, env=variables, check=True, stdout=subprocess.DEVNULL)
        assert PASSWORD not in "".join(each.read_text() for each in (tmp_path / "broker").glob("*.msg"))
        with worker(variables, log) as program:
            until(fetching.reached.is_set, log)
            assert not (tmp_path / "dataset").exists() or [] == stored(tmp_path / "dataset")
            kill_its_child(program)

            until(deleting.reached.is_set, log)
            assert ids(served) == stored(tmp_path / "dataset")
            kill_its_child(program)

            until(lambda: not len(server.maildrop), log)
            [result] = until(lambda: list((tmp_path / "results").glob("*")), log)
            told = until(lambda: (text := result.read_text()).endswith("}") and json.loads(text), log)
    assert {"synced": 0, "failed": 0, "deleted": 40, "kept": 0} == told["result"]
    assert ids(served) == stored(tmp_path / "dataset")
    assert digests(served) == hashes(tmp_path / "dataset")
    assert 3 == log.read_text().count("received\n"), "the same job, delivered once and twice again"
    assert PASSWORD not in log.read_text()
