"""The mailboxes, the dataset, and the law that holds whatever went wrong.

The law: every mail is on a server or in the dataset; none is in the dataset twice; what was deleted is
durable; and what was reported is so.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.mailboxes import ANN
from faults.forks import Answer
from faults.injection import KINDS
from faults.tasks import Job
from faults.warm import Warm
from lab.relay import Relay

from pop3frames.errors import POP3ExportError
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.features import Features
from pop3frames.server.maildrop import Maildrop, StoredMessage

ON_A_SERVER = ("export", "commit")
REFUSED_WRITES = ("create", "write", "fsync", "link", "rename", "mkdir")
KILLING = ("kill before", "kill after", "torn write")
REFUSING = ("disk full", "disk stays full", "disk error", "read-only from here", "no permission")


@dataclass
class Wrong:
    """What broke the law, in words; all empty: nothing did."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrongly_deleted: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def __iadd__(self, other: Wrong) -> Wrong:
        for name, found in vars(other).items():
            getattr(self, name).extend(found)
        return self


@dataclass(frozen=True)
class Stored:
    """What is in a dataset. Rows are read and hashed here, without asking the dataset what is safe."""

    rows: tuple[tuple[str, bool], ...]  # unique-id, and whether its original bytes are there and unharmed
    durable: frozenset[bytes]
    known: frozenset[str]
    findings: tuple[str, ...]  # of verify(), those that are not harmless

    @property
    def uidls(self) -> set[str]:
        return {uidl for uidl, _ in self.rows}

    @property
    def whole(self) -> set[str]:
        return {uidl for uidl, whole in self.rows if whole}


@dataclass(frozen=True)
class State:
    """What is on the servers and in the dataset at one moment."""

    served: tuple[tuple[StoredMessage, ...], ...]
    stored: Stored
    files: frozenset[str]
    staged: int


def stored_in(folder: Path) -> Stored:
    """What is there; read once where the very same files were read before: most faults change nothing."""
    paths = sorted(folder.glob("*/*.parquet"))
    key = tuple((str(path.relative_to(folder)), path.read_bytes()) for path in paths)
    if key not in _read:
        if len(_read) > 200:
            _read.clear()
        _read[key] = _stored_in(folder)
    return _read[key]


_read: dict[tuple[tuple[str, bytes], ...], Stored] = {}


def _stored_in(folder: Path) -> Stored:
    dataset = Dataset(folder)
    table = dataset.to_table(["uidl", "raw", "contentHash"])
    columns = (table[name].to_pylist() for name in ("uidl", "raw", "contentHash"))
    rows = [
        (uidl, raw, raw is not None and hashlib.sha256(raw).hexdigest() == digest)
        for uidl, raw, digest in zip(*columns, strict=True)
    ]
    return Stored(
        tuple((uidl, whole) for uidl, _, whole in rows),
        frozenset(raw for _, raw, whole in rows if whole),
        frozenset(dataset.known(ANN).uidls),
        tuple(str(each) for each in dataset.verify().findings if not each.harmless),
    )


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
            if any(each["task"] in ON_A_SERVER for job in jobs for each in _all(job)):
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
        self.pruned |= any(each["task"] == "prune" for job in jobs for each in _all(job))
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
        wrong = self.broken_laws(before, after)
        alone = len(jobs) == 1 and len(list(_all(jobs[0]))) == 1
        pairs = list(zip(jobs, answers, strict=True))
        pairs += [pair for job, answer in pairs for pair in _meanwhile(job, answer)]
        for job, answer in pairs:
            wrong.untrue += _unexpected(job, answer)
            wrong.untrue += _untold(job, answer, before, after, alone=alone)
        if alone:
            wrong.untrue += _left_behind(jobs[0], answers[0], before, after)
        return wrong

    def broken_laws(self, before: State, after: State) -> Wrong:
        """Whatever ended how."""
        served = {message.raw for mailbox in after.served for message in mailbox}
        safe = {raw for raw, uidl in self.delivered.items() if self._is_safe(raw, uidl, after)}
        wrong = Wrong(
            lost=[f"{self.delivered[raw]} is nowhere" for raw in self.delivered.keys() - served - safe]
        )
        wrong.lost += [f"the row of {uidl} is gone" for uidl in before.stored.uidls - after.stored.uidls]
        if not self.pruned:
            gone = before.stored.whole - after.stored.whole
            wrong.lost += [f"the bytes of {uidl} are gone" for uidl in gone]
        counts = Counter(uidl for uidl, _ in after.stored.rows)
        wrong.doubled = [f"{uidl} is there {count} times" for uidl, count in counts.items() if count > 1]
        for earlier, now in zip(before.served, after.served, strict=True):
            went = {message.raw for message in earlier} - {message.raw for message in now}
            wrong.wrongly_deleted += [
                f"{self.delivered[raw]} went, and is not durable" for raw in went - safe
            ]
        if different := after.stored.known ^ after.stored.uidls:
            wrong.untrue.append(f"the ledger differs from the rows: {sorted(different)}")
        if bool(after.stored.findings) != self.damaged:
            wrong.untrue.append(f"verify() says {after.stored.findings or 'whole'}")
        return wrong

    def _is_safe(self, raw: bytes, uidl: str, state: State) -> bool:
        return raw in state.stored.durable or (self.pruned and uidl in state.stored.uidls)


def _all(job: Job) -> Iterator[Job]:
    yield job
    for each in (*job.get("meanwhile", ()), *job.get("jobs", ())):
        yield from _all(each)


def _meanwhile(job: Job, answer: Answer) -> Iterator[tuple[Job, Answer]]:
    """What ran while it waited, and how that ended; nothing where it did not come to wait."""
    if answer.get("meanwhile"):
        yield from zip(job["meanwhile"], answer["meanwhile"], strict=True)


def _unexpected(job: Job, answer: Answer) -> Iterator[str]:
    """An end that nobody may see: a foreign exception, or success where the disk refused a write."""
    kind, struck, ended = job.get("kind", "none"), answer.get("struck"), answer["ended"]
    if "interrupt" in job:
        expected = {"KeyboardInterrupt"}
    elif not struck and not {"seconds", "cut"} & job.keys():
        expected = {"done"}
    elif ended == "killed":
        expected = {"killed"} if "seconds" in job or kind in KILLING else set()
    elif kind in REFUSING and struck in REFUSED_WRITES:
        expected = {"POP3ExportError"}
    elif kind in ("short write", "meanwhile"):
        expected = {"done"}
    elif kind == "Ctrl-C":
        expected = {"KeyboardInterrupt"}
    else:
        expected = {"done", "POP3ExportError", "POP3ConnectionError", "POP3BusyError"}
    if ended not in expected:
        yield f"{job['task']}, {kind} at {struck}: it ended in {ended}, not in {expected}"


def _untold(job: Job, answer: Answer, before: State, after: State, *, alone: bool) -> Iterator[str]:
    """What was reported and is not so."""
    told, done = answer["told"], answer["ended"] == "done"
    if told is None:
        return
    served = {message.uidl for message in before.served[job.get("machine", 0)]}
    stored_before, stored_after = before.stored.uidls, after.stored.uidls
    left = {message.uidl for message in after.served[job.get("machine", 0)]}
    if job["task"] == "read" and done:
        for uidls in told:
            if len(set(uidls)) < len(uidls):
                yield "a reader saw a mail twice"
            if not stored_before <= set(uidls) <= stored_after:
                yield f"a reader saw {sorted(uidls)} of {sorted(stored_before)}"
    # A disk's error while a page is read is damage; that the system refuses to open a file is not.
    if job["task"] == "verify" and done and not told[0] and job.get("kind") != "disk error":
        yield f"verify() found: {told[1]}"
    if job["task"] == "export":
        gained = len(stored_after - stored_before)
        if told["listed"] != told["new"] + told["known"] + told["failed"] + told["left"]:
            yield f"the report does not add up: {told}"
        if told["new"] > gained or (alone and done and told["new"] != gained):
            yield f"{told['new']} are reported as new, {gained} are"
        if done and not (told["new"] + told["known"] == told["listed"] and served <= stored_after):
            yield f"a run that ended well has not stored all that it listed: {told}, {sorted(stored_after)}"
        if done and alone and told["listed"] != len(served):
            yield f"{told['listed']} of {len(served)} are listed"
        if alone and not set(told["parts"]) <= after.files:
            yield f"parts are reported that are not there: {told['parts']}"
    if "deleted" in (told if isinstance(told, dict) else ()):
        confirmed, refused, unknown = map(set, told["deleted"])
        if not confirmed <= served - left:
            yield f"reported as deleted, and still there: {sorted(confirmed & left)}"
        if not refused & served <= left:
            yield f"reported as refused, and gone: {sorted(refused & served - left)}"
        if not served - left <= confirmed | unknown:
            yield f"gone, and nobody said so: {sorted(served - left - confirmed - unknown)}"


def _left_behind(job: Job, answer: Answer, before: State, after: State) -> Iterator[str]:
    """A staged file may stay where the process was killed, or where making or removing it went wrong."""
    kind, struck = KINDS.get(job.get("kind", "none")), answer.get("struck")
    excused = answer["ended"] == "killed" or struck in ("create", "unlink") or (kind and kind.lasts)
    if after.staged - before.staged > bool(excused):
        yield f"{after.staged - before.staged} staged files are left behind, after {answer['ended']}"
