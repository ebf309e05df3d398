"""The table of scripted runs: what was there, what goes wrong in what, and how it must end.

Add a line to SCRIPTS for anything that writes to a dataset or deletes from a server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from export.deletion_oracle import exported, rewrite_parts
from export.mailboxes import mail, mails
from faults.injection import KINDS
from faults.law import Wrong
from faults.tasks import Job
from faults.warm import Warm
from faults.world import World

from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.maildrop import StoredMessage

OLD, NEW = mails(2), [mail(3), mail(4), mail(5)]
ALL = [*OLD, *NEW]
OTHER = StoredMessage(mail(9).raw, OLD[0].uidl)  # another mail under a known unique-id
WANTED = [message.uidl for message in OLD]
EVERY_KIND = tuple(KINDS)
EXPORT: Job = {"task": "export"}
EXPORT_AND_DELETE: Job = {"task": "export", "delete": True}
ELSEWHERE: Job = {"task": "export", "machine": 1, "octets": 1}  # a part a mail
COMMIT: Job = {"task": "commit", "wanted": WANTED}
COMPACT, PRUNE, VERIFY, READ = ({"task": name} for name in ("compact", "prune", "verify", "read"))
MEANWHILE = ("meanwhile",)


@dataclass(frozen=True)
class Script:
    """One scripted run.

    base        the dataset before, a name in BASES
    job         what goes wrong, and `kinds` how
    meanwhile   what other processes do at the step, where the kind is that
    settle      the clean runs after it
    mailbox     on the server; `machines` have one each, all with the same mail
    elsewhere   in the mailboxes of the others, where it is not the same
    left        unique-ids on the servers at the end; None: all
    files       in the dataset at the end; None: any number
    raws        whether the bytes are there at the end
    variant     it differs little from another: fewer of its faults are tried each time
    """

    base: str
    job: Job
    settle: Sequence[Job] = (EXPORT,)
    kinds: Sequence[str] = EVERY_KIND
    meanwhile: Sequence[Job] = ()
    mailbox: Sequence[StoredMessage] = tuple(ALL)
    machines: int = 1
    elsewhere: Sequence[StoredMessage] | None = None
    left: Sequence[str] | None = None
    files: int | None = None
    raws: bool = True
    variant: bool = False

    def world(self, folder: Path) -> World:
        """As it was before."""
        return World(folder, bases()[self.base], self._mailboxes(), damaged=self.base == "damaged")

    def _mailboxes(self) -> list[Sequence[StoredMessage]]:
        others = self.mailbox if self.elsewhere is None else self.elsewhere
        return [self.mailbox, *[others] * (self.machines - 1)]

    def faulty(self, kind: str, call: str | None = None, at: int = 0) -> Job:
        """The job with that fault."""
        return self.job | {"kind": kind, "call": call, "at": at, "meanwhile": self.meanwhile}

    def finished(self, world: World, warm: Warm) -> Wrong:
        """The clean runs, and what is not as it must be after them."""
        wrong = Wrong()
        for job in self.settle:
            wrong += world.run(warm, job)[1]
        Dataset(world.folder).sweep(older_than=0)
        state = world.state()
        expected = set(world.delivered.values()) | {message.uidl for message in ALL}
        if state.stored.uidls != expected:
            wrong.lost.append(f"after a clean run {sorted(expected - state.stored.uidls)} are not stored")
        if state.files != {path.name for path in Dataset(world.folder).parts()} or state.staged:
            wrong.untrue.append(f"something is left behind: {sorted(state.files)}, {state.staged} staged")
        if self.files not in (None, len(state.files)):
            wrong.untrue.append(f"{len(state.files)} parts, not {self.files}")
        if self.base != "damaged" and state.stored.whole != (expected if self.raws else set()):
            wrong.lost.append(f"the bytes are not there: {state.stored.rows}")
        for mailbox, before in zip(state.served, self._mailboxes(), strict=True):
            left = [message.uidl for message in before] if self.left is None else self.left
            if [message.uidl for message in mailbox] != left:
                wrong.untrue.append(f"on the server there is {mailbox}, not {left}")
        return wrong


SCRIPTS: dict[str, Script] = {
    "export of a new mailbox": Script("nothing", EXPORT),
    "incremental export": Script("two mails", EXPORT, variant=True),
    "export without hard links": Script("two mails", EXPORT | {"links": False}, variant=True),
    "export and delete": Script("two mails", EXPORT_AND_DELETE, settle=[EXPORT_AND_DELETE], left=[]),
    "delete what is stored": Script("two mails", COMMIT, settle=[EXPORT_AND_DELETE], left=[]),
    "delete where an id was used again": Script(
        "all mails",
        COMMIT,
        settle=[EXPORT_AND_DELETE],
        mailbox=(OTHER, *ALL[1:]),
        left=[OTHER.uidl],
        variant=True,
    ),
    "delete what is damaged in the dataset": Script(
        "damaged", COMMIT, settle=[EXPORT_AND_DELETE], left=[OLD[0].uidl], variant=True
    ),
    "compact": Script("all mails", COMPACT, settle=[COMPACT], files=1),
    "compact without hard links": Script(
        "all mails", COMPACT | {"links": False}, settle=[COMPACT], files=1, variant=True
    ),
    "prune": Script("all mails", PRUNE, settle=[PRUNE], files=2, raws=False),
    "verify": Script("all mails", VERIFY, files=2),
    "read": Script("all mails", READ, files=2),
    "export, another meanwhile": Script(
        "two mails", EXPORT, kinds=MEANWHILE, meanwhile=[ELSEWHERE], machines=2
    ),
    "export, two others meanwhile": Script(
        "nothing", EXPORT, kinds=MEANWHILE, meanwhile=[ELSEWHERE, ELSEWHERE | {"machine": 2}], machines=3
    ),
    "export, meanwhile another and a compaction": Script(
        "two mails",
        EXPORT,
        settle=[EXPORT, ELSEWHERE],
        kinds=MEANWHILE,
        meanwhile=[ELSEWHERE, COMPACT],
        machines=2,
        elsewhere=[mail(6), mail(7), mail(8)],
    ),
    "export and delete, a compaction meanwhile": Script(
        "two mails",
        EXPORT_AND_DELETE,
        settle=[EXPORT_AND_DELETE],
        kinds=MEANWHILE,
        meanwhile=[COMPACT],
        left=[],
    ),
    "delete what is stored, a compaction meanwhile": Script(
        "all mails", COMMIT, settle=[EXPORT_AND_DELETE], kinds=MEANWHILE, meanwhile=[COMPACT], left=[]
    ),
    "compact, another meanwhile": Script(
        "all mails", COMPACT, settle=[COMPACT], kinds=MEANWHILE, meanwhile=[COMPACT], files=1
    ),
    "compact, an export meanwhile": Script(
        "two mails", COMPACT, settle=[EXPORT, COMPACT], kinds=MEANWHILE, meanwhile=[EXPORT], files=1
    ),
    "compact, a pruning meanwhile": Script(
        "all mails", COMPACT, settle=[PRUNE, COMPACT], kinds=MEANWHILE, meanwhile=[PRUNE], files=1, raws=False
    ),
    "prune, a compaction meanwhile": Script(
        "all mails", PRUNE, settle=[PRUNE], kinds=MEANWHILE, meanwhile=[COMPACT], files=1, raws=False
    ),
    "read, a compaction meanwhile": Script(
        "all mails", READ, settle=[COMPACT], kinds=MEANWHILE, meanwhile=[COMPACT], files=1
    ),
    "read, all others meanwhile": Script(
        "two mails",
        READ,
        settle=[EXPORT],
        kinds=MEANWHILE,
        meanwhile=[EXPORT, COMPACT, PRUNE],
        files=1,
        raws=False,
    ),
    "verify, a compaction meanwhile": Script(
        "all mails", VERIFY, settle=[COMPACT], kinds=MEANWHILE, meanwhile=[COMPACT], files=1
    ),
    "verify, an export meanwhile": Script("two mails", VERIFY, kinds=MEANWHILE, meanwhile=[EXPORT]),
}


@cache
def bases() -> dict[str, Path | None]:
    """The datasets that scripts begin with, to be copied. They live as long as this process."""
    home = TemporaryDirectory(prefix="bases-")
    _homes.append(home)
    made = {name: Path(home.name) / name / "mail" for name in _BASES}
    for name, make in _BASES.items():
        make(made[name])
    return made | {"nothing": None}


_homes: list[TemporaryDirectory[str]] = []


def _in_parts(folder: Path, *counts: int) -> None:
    for count in counts:
        with EmbeddedServer(ALL[:count]) as server:
            exported(server, folder)


def _damaged(folder: Path) -> None:
    _in_parts(folder, 2, 5)
    rewrite_parts(folder, lambda row: row | {"raw": b"harm"} if row["uidl"] == OLD[0].uidl else row)


_BASES: dict[str, Callable[[Path], None]] = {
    "two mails": lambda folder: _in_parts(folder, 1, 2),
    "all mails": lambda folder: _in_parts(folder, 2, 5),
    "damaged": _damaged,
}
