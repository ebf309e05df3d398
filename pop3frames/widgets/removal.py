"""What is marked goes from the server: reviewed, confirmed, and by the rules of `export/deletion.py`.

A mail goes only when its original bytes are in the dataset; what is not there yet is exported first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from traitlets import Instance

from pop3frames.errors import POP3ConnectionError, POP3UsageError, counted
from pop3frames.export.accounts import Account
from pop3frames.export.deletion import MOST, commit_deletions
from pop3frames.export.mailbox import export_mailbox
from pop3frames.export.report import DeletionReport, ExportReport
from pop3frames.frames.dataset import Dataset
from pop3frames.widgets.guarded import Guarded
from pop3frames.widgets.jobs import Job, in_words
from pop3frames.widgets.mailbox import Mailbox

GONE = "it is not on the server any more"
CHANGED = "its size has changed since it was marked"
NOT_UNIQUE = "the server has no unique-id of its own for it"
WITHOUT_BYTES = "it is in this dataset without its original bytes: name another dataset"


@dataclass(frozen=True)
class Plan:
    """What a commit would do now, as the server and the dataset were when it was made.

    dataset    the folder that holds the bytes, or will
    going      octets by unique-id of what would be deleted
    unstored   those of them whose bytes are exported first
    staying    what is marked and stays, and why
    left       messages that would be left on the server
    """

    account: str
    dataset: Dataset
    going: Mapping[str, int]
    unstored: frozenset[str]
    staying: Mapping[str, str]
    left: int

    @property
    def octets(self) -> int:
        """Of what would be deleted."""
        return sum(self.going.values())

    @property
    def warnings(self) -> list[str]:
        """What needs a word more than the number: each of them a reason to think again."""
        told = []
        if self.going and not self.left:
            told.append("This leaves the mailbox empty.")
        if len(self.going) > MOST:
            told.append(f"These are more than {MOST:,} messages.")
        return told

    def __str__(self) -> str:
        told = f"{counted(len(self.going))} would go ({in_words(self.octets)}), {self.left:,} would be left."
        if self.unstored:
            told += f" Exported to {self.dataset.path} first: {len(self.unstored):,} of them."
        elif self.going:
            told += f" Their original bytes are in {self.dataset.path}."
        if self.staying:
            told += f" {counted(len(self.staying), 'marked message')} would stay."
        return told


class Removal(Guarded):
    """The two acts: `review` makes the plan, `commit` needs it and its number.

    plan     None until it is reviewed, and again when marks, account or dataset change
    export   what the commit exported first;   report   what became of every message of the last commit
    """

    plan = Instance(Plan, allow_none=True)
    export = Instance(ExportReport, allow_none=True)
    report = Instance(DeletionReport, allow_none=True)

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__()
        self.mailbox = mailbox
        mailbox.marks.observe(self._outdated, "marked")
        mailbox.observe(self._outdated, "dataset")
        mailbox.observe(lambda _: self._forget(), "account")

    def _outdated(self, _change: object) -> None:
        self.plan = None

    def _forget(self) -> None:
        self.plan = self.export = self.report = None

    def review(self) -> Job[Plan]:
        """See what would go: a session that lists, and a look into the dataset. Nothing is marked there."""
        marked = dict(self.mailbox.marks.marked)
        if not marked:
            raise POP3UsageError("nothing is marked: mark the messages that should go")
        return self.mailbox.jobs.start("reviewing the deletion", lambda _: self._review(marked))

    def commit(self, number: int, *, despite_warnings: bool = False) -> Job[DeletionReport]:
        """Delete so many messages, as reviewed. POP3UsageError, and nothing happens, for any other number.

        What is not in the dataset is exported first, and a cancel then still deletes nothing.
        """
        plan = self.plan
        if plan is None:
            raise POP3UsageError("review first what would go")
        if self.mailbox.marks.uidls != plan.going.keys() | plan.staying.keys():
            raise POP3UsageError("the marks have changed meanwhile: review again what would go")
        if number != len(plan.going) or not number:
            raise POP3UsageError(f"{counted(len(plan.going))} would go, not {number:,}: review it again")
        if plan.warnings and not despite_warnings:
            raise POP3UsageError(f"{' '.join(plan.warnings)} Confirm that this is meant")
        return self.mailbox.jobs.start("deleting", lambda job: self._commit(job, plan))

    def _review(self, marked: dict[str, int]) -> Plan:
        with self.mailbox.session() as session:
            sizes, every, usable = session.sizes(), session.unique_ids(), session.usable_ids()
            listed = session.numbers(sizes)
        account, dataset = self._account, Dataset(self.mailbox.dataset)
        dataset.check_writable()
        now = {uidl: sizes.get(number) for number, uidl in usable.items()}
        safe, known = dataset.safe(account.name, marked), dataset.known(account.name).uidls
        going, staying = dict[str, int](), dict[str, str]()
        for uidl, size in marked.items():
            if uidl not in now:
                staying[uidl] = NOT_UNIQUE if uidl in every.values() else GONE
            elif now[uidl] != size:
                staying[uidl] = CHANGED
            elif uidl in known and uidl not in safe:
                staying[uidl] = WITHOUT_BYTES
            else:
                going[uidl] = size
        unstored = frozenset(going) - safe.keys()
        plan = Plan(account.name, dataset, going, unstored, staying, len(listed) - len(going))
        self.plan = plan
        self.mailbox.jobs.status = "Reviewed: nothing is deleted yet."
        return plan

    def _commit(self, job: Job[DeletionReport], plan: Plan) -> DeletionReport:
        account, jobs = self._account, self.mailbox.jobs
        if plan.unstored:
            jobs.status = f"Exporting {counted(len(plan.unstored))} to {plan.dataset.path} first."
            self.export = export_mailbox(
                account,
                plan.dataset,
                uidls=plan.unstored,
                keep_raw=True,
                progress=job.tell,
                stop=lambda: job.cancelled,
            )
        job.go_on()
        jobs.status = f"Deleting {counted(len(plan.going))}."
        try:
            report = commit_deletions(
                account,
                plan.dataset,
                plan.going,
                seen=plan.going,
                empty_mailbox=not plan.left,
                most=max(MOST, len(plan.going)),
            )
        except POP3ConnectionError as exc:
            if exc.report is not None:
                self._settle(exc.report)
            raise
        self._settle(report)
        return report

    def _settle(self, report: DeletionReport) -> None:
        """Show what became of them; what is confirmed is no longer listed, the rest stays marked."""
        self.mailbox.drop(report.confirmed)
        self.report = report
        told = f"{counted(len(report.confirmed))} deleted from the server"
        if report.refused:
            told += f", {len(report.refused):,} not deleted"
        if report.unknown:
            told += f", {len(report.unknown):,} unknown"
        self.mailbox.jobs.status = f"{told}."

    @property
    def _account(self) -> Account:
        account = self.mailbox.account
        assert account is not None, "a session stood, or a plan was made"
        return account
