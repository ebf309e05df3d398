"""What the processes under faults do: functions of a job, by name. What they return is what they told.

A job is a dict. `task` names a function of TASKS; the rest is for that function, and for what goes wrong:

    kind, call, at what, and at which step (`injection.py`); left out: nothing
    meanwhile      jobs that run, one after another, while this one waits before that step
    seconds        SIGKILL after so long, wherever it is (else after a minute: then it hangs)
    links          False: the file system has no hard links

The answer has `ended` ("done", "killed", or the name of the exception), `struck` (the call that was hit),
`trace` (all calls, where nothing was to go wrong), `told` (what the run reported), and `meanwhile` (the
answers of those jobs).
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from export.mailboxes import ANN, account_at, mails
from faults.forks import Answer, Fork, Say, fork
from faults.injection import Injector

from pop3frames.client import connection
from pop3frames.client.retry import Retry
from pop3frames.errors import POP3Error
from pop3frames.export import mailbox, passes
from pop3frames.export.deletion import commit_deletions
from pop3frames.export.progress import Progress
from pop3frames.export.report import DeletionReport, ExportReport
from pop3frames.frames.dataset import Dataset
from pop3frames.message import Message
from pop3frames.server.embedded import EmbeddedServer

Job = dict[str, Any]
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def family(job: Job) -> Iterator[Job]:
    """The job, and those that it starts."""
    yield job
    for each in (*job.get("meanwhile", ()), *job.get("jobs", ())):
        yield from family(each)


def is_harmless(job: Job) -> bool:
    """Nothing goes wrong, and nothing is patched or forked for it."""
    return not {"kind", "seconds", "links", "jobs", "interrupt"} & job.keys()


def start(job: Job) -> Fork:
    """The job in a process of its own."""
    return fork(partial(perform, job), job.get("seconds", 60.0))  # by then it hangs


def perform(job: Job, say: Say = lambda answer: None) -> Answer:
    """The job in this process, with what goes wrong."""
    meanwhile = list[Answer]()
    injector = Injector(
        job.get("kind", "none"),
        job.get("call"),
        job.get("at", 0),
        notice=lambda call: say({"struck": call}),
        meanwhile=lambda: meanwhile.extend(start(other).answer() for other in job["meanwhile"]),
        links=job.get("links", True),
    )
    if not is_harmless(job):
        injector.install()
    ended, told = outcome(partial(TASKS[job["task"]], job))
    answer = {"ended": ended, "told": told, "meanwhile": meanwhile}
    return answer | {"trace": injector.trace} if job.get("kind") == "none" else answer


def outcome(work: Callable[[], Any]) -> tuple[str, Any]:
    """How it ended, and what it told, an exception with a report included."""
    try:
        return "done", work()
    except POP3Error as exc:
        return type(exc).__name__, _told(getattr(exc, "report", None))
    except KeyboardInterrupt:
        return "KeyboardInterrupt", None


def _told(report: ExportReport | DeletionReport | None) -> Any:
    if report is None:
        return None
    if isinstance(report, DeletionReport):
        return {"deleted": [report.confirmed, list(report.refused), report.unknown]}
    counts = {name: getattr(report, name) for name in ("listed", "new", "known", "left")}
    told = counts | {"failed": len(report.failed), "parts": [path.name for path in report.parts]}
    return told if report.deleted is None else told | _told(report.deleted)


def _account(job: Job) -> Any:
    settings = {"username": "user", "pipelining": None, "timeout": 5}
    return account_at(
        job["port"], job["password"], **{name: job.get(name, usual) for name, usual in settings.items()}
    )


def export(job: Job) -> Any:
    """Exports, with the bytes; deletes if told so; SIGINTs itself after `interrupt` messages."""
    passes.COMMIT_OCTETS = job.get("octets", 1000)

    def tell(progress: Progress) -> None:
        if progress.messages == job["interrupt"]:
            os.kill(os.getpid(), signal.SIGINT)

    report = mailbox.export_mailbox(
        _account(job),
        job["folder"],
        keep_raw=True,
        delete=job.get("delete", False),
        progress=tell if "interrupt" in job else False,
    )
    return _told(report)


def commit(job: Job) -> Any:
    """Deletes the mails that the job names."""
    return _told(commit_deletions(_account(job), job["folder"], job["wanted"], empty_mailbox=True))


def compact(job: Job) -> None:
    """Merges the parts."""
    Dataset(job["folder"]).compact()


def prune(job: Job) -> None:
    """Strips every row."""
    Dataset(job["folder"]).prune(before=LATER)


def verify(job: Job) -> Any:
    """Whether the dataset is whole, and if not, why."""
    found = Dataset(job["folder"]).verify()
    return [bool(found), str(found)]


def read(job: Job) -> Any:
    """The unique-ids, as rows and as the ledger has them."""
    dataset = Dataset(job["folder"])
    return [dataset.to_table(["uidl"])["uidl"].to_pylist(), sorted(dataset.known(ANN).uidls)]


def message(number: int) -> Message:
    """Mail `number`, without a server."""
    raw = b"raw %d" % number
    digest = hashlib.sha256(raw).hexdigest()
    return Message(account=ANN, uidl=uidl(number), content_hash=digest, fetched_at=1_700_000_000_000, raw=raw)


def uidl(number: int) -> str:
    """Its unique-id."""
    return f"uid-{number:05d}"


def append(job: Job) -> None:
    """Stores what is new of `numbers`, `chunk` a commit; notes in `acks` what a commit has answered for."""
    dataset, chunk = Dataset(job["folder"]), job["chunk"]
    known = dataset.known(ANN)
    with open(job["acks"], "a") as acks:  # noqa: PTH123 (Path.open is watched)
        writer = dataset.writer(ANN, known)
        for start in range(0, len(job["numbers"]), chunk):
            part = job["numbers"][start : start + chunk]
            writer.add(message(n) for n in part if uidl(n) not in known.uidls)
            writer.commit()
            acks.write("".join(f"{uidl(n)}\n" for n in part))
            acks.flush()


def watch(job: Job) -> Any:
    """Reads until all files of `until` are there: what it should never have seen, and how often it looked."""
    dataset, acks, wrong, looks = Dataset(job["folder"]), Path(job["acks"]), list[str](), 0
    while not _all_there(job) and len(wrong) < 5:
        acked = set(acks.read_text().split()) if acks.exists() else set()
        stored = dataset.to_table(["uidl"])["uidl"].to_pylist()
        known = dataset.known(ANN).uidls
        looks += 1
        if len(stored) != len(set(stored)):
            wrong.append("a mail was seen twice")
        if not acked <= set(stored) or not acked <= known:
            wrong.append("a mail was not seen")
    return [wrong, looks]


def _all_there(job: Job) -> bool:
    return all(Path(each).exists() for each in job["until"])


def sequence(job: Job) -> list[Answer]:
    """Jobs one after another, each in a process of its own; then the file `then` is made."""
    answers = [start(each).answer() for each in job["jobs"]]
    if "then" in job:
        Path(job["then"]).touch()
    return answers


def repeat(job: Job) -> list[Answer]:
    """The same, the last of them again and again, until all files of `until` are there."""
    answers, jobs = list[Answer](), job["jobs"]
    while not _all_there(job):
        answers.append(start(jobs[min(len(answers), len(jobs) - 1)]).answer())
    return answers


def _named(functions: Iterable[Callable[[Job], Any]]) -> dict[str, Callable[[Job], Any]]:
    return {function.__name__: function for function in functions}


TASKS = _named([export, commit, compact, prune, verify, read, append, watch, sequence, repeat])


def warm_up(folder: Path) -> None:
    """Do it all once, so that no fork imports anything; and wait a millisecond where users wait seconds."""
    connection._RETRY = passes.PAUSES = Retry(sleep=lambda _: time.sleep(0.001))
    with EmbeddedServer(mails(4)) as server:
        job = {"folder": str(folder / "mail"), "port": server.port, "password": server.password}
        for task in ("export", "export", "read", "verify", "compact", "commit", "prune"):
            TASKS[task](job | {"wanted": ["uid-00001"]})
