"""The mailboxes that survive, the dataset, and processes let loose on them: judged by the law afterwards."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from faults.forks import Answer
from faults.law import Wrong, broken, untrue
from faults.states import State, stored_in
from faults.tasks import Job, family
from faults.warm import Warm
from lab.relay import Relay

from pop3frames.errors import POP3ExportError
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.features import Features
from pop3frames.server.maildrop import Maildrop, StoredMessage

ON_A_SERVER = ("export", "commit")


class World:
    """Mailboxes that survive, one a machine; a dataset; and all the mail there ever was."""

    def __init__(
        self,
        folder: Path,
        base: Path | None,
        mailboxes: Sequence[Sequence[StoredMessage]],
        *,
        features: Features | None = None,
        damaged: bool = False,
    ) -> None:
        self.folder, self.features, self.damaged = folder, features or Features(), damaged
        if base is not None:
            shutil.copytree(base, folder)
        self.maildrops = [Maildrop(mailbox) for mailbox in mailboxes]
        self.delivered = {message.raw: message.uidl for mailbox in mailboxes for message in mailbox}
        self.pruned = False
        self.passed = 0
        self._before: State | None = None

    def deliver(self, message: StoredMessage) -> None:
        """One more, on every server."""
        self.delivered[message.raw] = message.uidl
        self._before = None
        for maildrop in self.maildrops:
            maildrop.add(message)

    def run(self, warm: Warm, *jobs: Job, cut: tuple[int, Any] | None = None) -> tuple[list[Answer], Wrong]:
        """The jobs at once, against servers of their own for the mailboxes; and the law when all have ended.

        `cut` breaks the first connection after so many octets from the server: Relay's `after` and `then`;
        so many have `passed` then.
        """
        before = self._before or self.state()
        with ExitStack() as stack:
            servers = [EmbeddedServer(maildrop, features=self.features) for maildrop in self.maildrops]
            if any(each["task"] in ON_A_SERVER for job in jobs for each in family(job)):
                servers = [stack.enter_context(server) for server in servers]
            ports = [server.port for server in servers]
            if cut:
                relay = stack.enter_context(Relay(ports[0], after=cut[0], then=cut[1]))
                ports[0] = relay.port
            answers = warm.run(*[self._placed(job, servers, ports) for job in jobs])
            if cut:
                jobs = [job | {"cut": cut} for job in jobs]
                self.passed = len(relay.from_server[0])
            self._await_release()
        self.pruned |= any(each["task"] == "prune" for job in jobs for each in family(job))
        return answers, self._judged(before, jobs, answers)

    def _placed(self, job: Job, servers: Sequence[EmbeddedServer], ports: Sequence[int]) -> Job:
        machine = job.get("machine", 0)
        placed = {"folder": str(self.folder), "port": ports[machine], "password": servers[machine].password}
        for name in ("meanwhile", "jobs"):
            if name in job:
                placed[name] = [self._placed(each, servers, ports) for each in job[name]]
        return job | placed

    def _await_release(self) -> None:
        """Until the servers have seen that their clients are gone: a QUIT may still be at work."""
        for maildrop in self.maildrops:
            while maildrop._open:
                threading.Event().wait(0.0005)

    def state(self) -> State:
        """As it is now."""
        return State(
            tuple(tuple(maildrop.messages) for maildrop in self.maildrops),
            stored_in(self.folder),
            frozenset(path.name for path in self.folder.glob("*/*.parquet")),
            len(list(self.folder.glob(".staging/*"))),
        )

    def _judged(self, before: State, jobs: Sequence[Job], answers: Sequence[Answer]) -> Wrong:
        try:
            self._before = after = self.state()
        except POP3ExportError as exc:
            return Wrong(lost=[f"the dataset cannot be read: {exc}"])
        wrong = broken(before, after, self.delivered, pruned=self.pruned, damaged=self.damaged)
        wrong.untrue += untrue(before, after, jobs, answers)
        return wrong
