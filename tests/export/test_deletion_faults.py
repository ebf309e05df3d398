"""Deletions killed, cut off or refused at any I/O call: nothing lost or doubled, all that went is durable.

The mailbox is in this process and survives; who exports and deletes are forks of `deletion_child.py`. Faults
at every call of an export and of a commit, at octets of a connection, then at random ones until they are
POP3FRAMES_FAULTS, by default 300. For a long run:

    POP3FRAMES_FAULTS=10000 python -m pytest tests/export/test_deletion_faults.py -o timeout=0
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from export.deletion_oracle import assert_nothing_lost, exported
from export.mailboxes import account_at, mail, mails
from lab.relay import Relay

from pop3frames.client.retry import Retry
from pop3frames.errors import POP3ConnectionError
from pop3frames.export.mailbox import export_mailbox
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.features import Features
from pop3frames.server.maildrop import Maildrop, StoredMessage

HERE = Path(__file__).parent
FAULTS = int(os.environ.get("POP3FRAMES_FAULTS", "300"))
OLD, NEW = mails(2), [mail(3), mail(4), mail(5)]
WANTED = [message.uidl for message in OLD]
_done: list[str] = []  # a word for each fault that struck

Child = Callable[..., tuple[str, int, Any]]


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    """`child(**order)`: one fork of the program; how it ended, its steps, its report."""
    program = subprocess.Popen(
        [sys.executable, str(HERE / "deletion_child.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )

    def child(**order: Any) -> tuple[str, int, Any]:
        usual = {"kind": "none", "at": -1, "octets": 1000, "pipelining": None, "timeout": 5, "wanted": WANTED}
        print(json.dumps(usual | order), file=program.stdin, flush=True)
        assert program.stdout is not None
        ended, steps, report = json.loads(program.stdout.readline())
        return ended, steps, report

    yield child
    program.communicate()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with OLD and their bytes: to be copied."""
    folder = tmp_path_factory.mktemp("base") / "mail"
    with EmbeddedServer(OLD) as server:
        exported(server, folder)
    return folder


@dataclass
class World:
    """A mailbox that survives, a dataset, and all the mail there ever was."""

    folder: Path
    delivered: list[StoredMessage]
    features: Features = field(default_factory=Features)

    def __post_init__(self) -> None:
        self.maildrop = Maildrop(self.delivered)

    def run(self, child: Child, **order: Any) -> tuple[str, int, Any]:
        """One fork against a server of its own for this mailbox, and the law when both have ended."""
        before = {message.uidl for message in self.maildrop.messages}
        with EmbeddedServer(self.maildrop, features=self.features) as server:
            where = {"folder": str(self.folder), "port": server.port, "password": server.password}
            ended, steps, report = child(**where, **order)
            self.await_release()
        self.check(before, report)
        return ended, steps, report

    def finish(self) -> None:
        """A clean run: afterwards the mailbox is empty, and each mail is in the dataset once."""
        before = {message.uidl for message in self.maildrop.messages}
        with EmbeddedServer(self.maildrop, features=self.features) as server:
            account = account_at(server.port, server.password)
            deleted = export_mailbox(account, self.folder, keep_raw=True, delete=True).deleted
        assert [] == self.maildrop.messages
        assert deleted is not None
        assert (before, {}, []) == (set(deleted.confirmed), deleted.refused, deleted.unknown)
        assert_nothing_lost(self.delivered, [], self.folder)
        assert len(self.delivered) == Dataset(self.folder).count("ann@example.org")
        shutil.rmtree(self.folder)

    def await_release(self) -> None:
        """Until the server has seen that its client is gone: it may still have a QUIT to carry out."""
        while self.maildrop._open:
            threading.Event().wait(0.0005)

    def check(self, before: set[str], report: Any) -> None:
        """Nothing lost, nothing twice; gone is durable; and what was reported is so."""
        left = {message.uidl for message in self.maildrop.messages}
        assert_nothing_lost(self.delivered, self.maildrop.messages, self.folder)
        if report is not None:
            confirmed, refused, unknown = map(set, report)
            assert confirmed <= before - left
            assert refused & before <= left
            assert before - left <= confirmed | unknown


@pytest.fixture
def world(base: Path, tmp_path: Path) -> Callable[[str], World]:
    """`world("name")`: OLD is stored and on the server, NEW is only there."""

    def world(name: str) -> World:
        shutil.copytree(base, tmp_path / name)
        return World(tmp_path / name, [*OLD, *NEW])

    return world


@pytest.mark.parametrize("task", ["export", "commit"])
@pytest.mark.parametrize("kind", ["kill", "refuse"])
def test_a_fault_at_every_io_call_loses_and_doubles_nothing(
    world: Callable[[str], World], child: Child, task: str, kind: str
) -> None:
    """Each connect, send, recv, open, read, write, fsync, link, mkdir, unlink; then a clean run."""
    for at in count():
        here = world(str(at))
        ended, steps, _ = here.run(child, task=task, kind=kind, at=at)
        if ended == "done" and steps <= at:
            break
        _done.append(f"{kind} {task}")
        assert ended in (["killed"] if kind == "kill" else ["POP3ConnectionError", "POP3ExportError", "done"])
        here.finish()
    assert at > 15, "the calls are not seen any more"


def test_a_cut_at_any_octet_loses_and_doubles_nothing(
    world: Callable[[str], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every 29 octets from the greeting to the answer to QUIT; the run goes on, or the next one does."""
    monkeypatch.setattr("pop3frames.client.connection._RETRY", Retry(sleep=lambda _: None))
    for after in count(1, 29):
        here = world(str(after))
        with (
            EmbeddedServer(here.maildrop) as server,
            Relay(server.port, after=after, then=("cut", "reset")[after % 2]) as relay,
        ):
            account, report = account_at(relay.port, server.password), None
            try:
                report = export_mailbox(account, here.folder, keep_raw=True, delete=True).deleted
            except POP3ConnectionError as exc:
                report = exc.report and exc.report.deleted
            except Exception as exc:
                assert "IN-USE" in str(exc) or "locked" in str(exc), exc  # noqa: PT017
            cut = len(relay.from_server[0]) == after
            here.await_release()
        told = report and (report.confirmed, list(report.refused), report.unknown)
        here.check({message.uidl for message in here.delivered}, told)
        here.finish()
        if not cut:
            break
        _done.append("cut")
    assert after > 1500


def test_storms_of_faults_lose_and_double_nothing(tmp_path: Path, child: Child) -> None:
    """Any mailbox on any server, mail coming in between, faults in a row at any call, then a clean run."""
    storm = 0
    while len(_done) < FAULTS or storm < 10:
        chance = random.Random(f"storm {storm}")
        features = Features(
            pipelining=chance.random() < 0.7,
            **({"expire": 0, "removes_retrieved": True} if chance.random() < 0.3 else {}),
        )
        here = World(
            tmp_path / str(storm), [mail(n, chance.randrange(200, 2000)) for n in range(9)], features
        )
        for _ in range(chance.randrange(1, 6)):
            arrived = mail(len(here.delivered), chance.randrange(200, 2000))
            here.delivered.append(arrived)
            here.maildrop.add(arrived)
            ended, *_ = here.run(
                child,
                task=chance.choice(["export", "export", "commit"]),
                kind=chance.choice(["kill", "refuse"]),
                at=chance.randrange(110),
                octets=chance.choice([1, 1000, 3000, 1 << 20]),
                wanted=[message.uidl for message in chance.sample(here.delivered, 3)],
            )
            _done.append(f"storm {ended}")
        here.finish()
        storm += 1
    assert len(_done) >= FAULTS
