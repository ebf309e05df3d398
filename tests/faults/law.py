"""The law that holds whatever went wrong.

Every mail is on a server or in the dataset; none is in the dataset twice; what was deleted is durable; and
what was reported is so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from faults.forks import Answer
from faults.injection import KINDS
from faults.states import State
from faults.tasks import Job, family

KILLING = ("kill before", "kill after", "torn write")
REFUSED_WRITES = ("create", "write", "fsync", "link", "rename", "mkdir")
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


def broken(
    before: State, after: State, delivered: Mapping[bytes, str], *, pruned: bool, damaged: bool
) -> Wrong:
    """What is wrong, however the runs in between ended.

    delivered   all the mail there ever was, with its unique-ids
    pruned      somebody asked to strip the original bytes: the rows must do
    damaged     the dataset was, before anything began: verify() must go on saying so
    """
    served = {message.raw for mailbox in after.served for message in mailbox}
    stored = after.stored.uidls if pruned else set[str]()
    safe = {raw for raw, uidl in delivered.items() if raw in after.stored.durable or uidl in stored}
    wrong = Wrong(lost=[f"{delivered[raw]} is nowhere" for raw in delivered.keys() - served - safe])
    wrong.lost += [f"the row of {uidl} is gone" for uidl in before.stored.uidls - after.stored.uidls]
    if not pruned:
        gone = before.stored.whole - after.stored.whole
        wrong.lost += [f"the bytes of {uidl} are gone" for uidl in gone]
    counts = Counter(uidl for uidl, _ in after.stored.rows)
    wrong.doubled = [f"{uidl} is there {count} times" for uidl, count in counts.items() if count > 1]
    for earlier, now in zip(before.served, after.served, strict=True):
        went = {message.raw for message in earlier} - {message.raw for message in now}
        wrong.wrongly_deleted += [f"{delivered[raw]} went, and is not durable" for raw in went - safe]
    if different := after.stored.known ^ after.stored.uidls:
        wrong.untrue.append(f"the ledger differs from the rows: {sorted(different)}")
    if bool(after.stored.findings) != damaged:
        wrong.untrue.append(f"verify() says {after.stored.findings or 'whole'}")
    return wrong


def untrue(before: State, after: State, jobs: Sequence[Job], answers: Sequence[Answer]) -> Iterator[str]:
    """What was reported and is not so, in the runs that began together and in those meanwhile."""
    alone = len(jobs) == 1 and len(list(family(jobs[0]))) == 1
    pairs = list(zip(jobs, answers, strict=True))
    pairs += [pair for job, answer in pairs for pair in _meanwhile(job, answer)]
    for job, answer in pairs:
        yield from _unexpected(job, answer)
        if answer["told"] is not None:
            yield from _TOLD.get(job["task"], _nothing)(job, answer, before, after, alone)
    if alone:
        yield from _left_behind(jobs[0], answers[0], before, after)


def _meanwhile(job: Job, answer: Answer) -> Iterator[tuple[Job, Answer]]:
    """What ran while it waited, and how that ended; nothing where it did not come to wait."""
    if answer.get("meanwhile"):
        yield from zip(job["meanwhile"], answer["meanwhile"], strict=True)


def _unexpected(job: Job, answer: Answer) -> Iterator[str]:
    """An end that nobody may see: a foreign exception, or success where the disk refused a write."""
    kind, struck, ended = job.get("kind", "none"), answer.get("struck"), answer["ended"]
    if "seconds" in job:
        expected = {"done", "killed"}
    elif "interrupt" in job or (struck and kind == "Ctrl-C"):
        expected = {"KeyboardInterrupt"}
    elif struck and kind in KILLING:
        expected = {"killed"}
    elif struck in REFUSED_WRITES and kind in REFUSING:
        expected = {"POP3ExportError"}
    elif (struck and kind not in ("short write", "meanwhile")) or "cut" in job:
        expected = {"done", "POP3ExportError", "POP3ConnectionError", "POP3BusyError"}
    else:
        expected = {"done"}
    if ended not in expected:
        yield f"{job['task']}, {kind} at {struck}: it ended in {ended}, not in {expected}"


def _nothing(*_: object) -> Iterator[str]:
    return iter(())


def _read(job: Job, answer: Answer, before: State, after: State, alone: bool) -> Iterator[str]:
    for uidls in answer["told"]:
        if len(set(uidls)) < len(uidls):
            yield "a reader saw a mail twice"
        if not before.stored.uidls <= set(uidls) <= after.stored.uidls:
            yield f"a reader saw {sorted(uidls)} of {sorted(before.stored.uidls)}"


def _verified(job: Job, answer: Answer, before: State, after: State, alone: bool) -> Iterator[str]:
    # A disk's error while a page is read is damage; that the system refuses to open a file is not.
    whole, report = answer["told"]
    if not whole and job.get("kind") != "disk error":
        yield f"verify() found: {report}"


def _exported(job: Job, answer: Answer, before: State, after: State, alone: bool) -> Iterator[str]:
    told, done = answer["told"], answer["ended"] == "done"
    served = {message.uidl for message in before.served[job.get("machine", 0)]}
    gained = len(after.stored.uidls - before.stored.uidls)
    if told["listed"] != told["new"] + told["known"] + told["failed"] + told["left"]:
        yield f"the report does not add up: {told}"
    if told["new"] > gained or (alone and done and told["new"] != gained):
        yield f"{told['new']} are reported as new, {gained} are"
    if done and not (told["new"] + told["known"] == told["listed"] and served <= after.stored.uidls):
        yield f"a run that ended well has not stored all that it listed: {told}, {after.stored.rows}"
    if done and alone and told["listed"] != len(served):
        yield f"{told['listed']} of {len(served)} are listed"
    if alone and not set(told["parts"]) <= after.files:
        yield f"parts are reported that are not there: {told['parts']}"
    if "deleted" in told:
        yield from _deleted(job, answer, before, after, alone)


def _deleted(job: Job, answer: Answer, before: State, after: State, alone: bool) -> Iterator[str]:
    machine = job.get("machine", 0)
    served = {message.uidl for message in before.served[machine]}
    left = {message.uidl for message in after.served[machine]}
    confirmed, refused, unknown = map(set, answer["told"]["deleted"])
    if not confirmed <= served - left:
        yield f"reported as deleted, and still there: {sorted(confirmed & left)}"
    if not refused & served <= left:
        yield f"reported as refused, and gone: {sorted(refused & served - left)}"
    if not served - left <= confirmed | unknown:
        yield f"gone, and nobody said so: {sorted(served - left - confirmed - unknown)}"


_TOLD = {"read": _read, "verify": _verified, "export": _exported, "commit": _deleted}


def _left_behind(job: Job, answer: Answer, before: State, after: State) -> Iterator[str]:
    """A staged file may stay where the process was killed, or where making or removing it went wrong."""
    kind, struck = KINDS.get(job.get("kind", "none")), answer.get("struck")
    excused = answer["ended"] == "killed" or struck in ("create", "unlink") or (kind and kind.lasts)
    if after.staged - before.staged > bool(excused):
        yield f"{after.staged - before.staged} staged files are left behind, after {answer['ended']}"
