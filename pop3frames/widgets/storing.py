"""Messages are kept: exported into a dataset, with progress, and a cancel that leaves it whole."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from traitlets import Bool, Instance

from pop3frames.errors import POP3ConnectionError, POP3ExportError, POP3UsageError, counted
from pop3frames.export.mailbox import export_mailbox
from pop3frames.export.report import ExportReport
from pop3frames.frames.dataset import Dataset
from pop3frames.widgets.guarded import Guarded
from pop3frames.widgets.jobs import Job, in_words
from pop3frames.widgets.mailbox import Mailbox


class Storing(Guarded):
    """Exports of this mailbox into `mailbox.dataset`.

    keep_raw   keep the original bytes too: without them nothing can be deleted from the server later
    report     what became of every message of the last export, a cancelled or failed one too
    """

    keep_raw = Bool(True)
    report = Instance(ExportReport, allow_none=True)

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__()
        self.mailbox = mailbox
        mailbox.observe(lambda _: self._forget(), "account")

    def _forget(self) -> None:
        self.report = None

    @property
    def dataset(self) -> Dataset:
        """Where the messages go."""
        return Dataset(self.mailbox.dataset)

    def export(self, uidls: Collection[str] | None = None) -> Job[ExportReport]:
        """Export these messages, or all: what is stored already is not fetched again."""
        account, dataset, keep_raw = self.mailbox.account, self.dataset, self.keep_raw
        if account is None:
            raise POP3UsageError("no mailbox is connected: fill in where it is, and connect")
        if uidls is not None and not uidls:
            raise POP3UsageError("there is no message to export: mark some, or choose another filter")

        def work(job: Job[ExportReport]) -> ExportReport:
            try:
                report = export_mailbox(
                    account,
                    dataset,
                    uidls=uidls,
                    keep_raw=keep_raw,
                    progress=job.tell,
                    stop=lambda: job.cancelled,
                )
            except (POP3ConnectionError, POP3ExportError) as exc:
                self.report = exc.report
                raise
            self.report = report
            self.mailbox.jobs.status = _told(report, dataset.path, job.cancelled)
            return report

        return self.mailbox.jobs.start("exporting", work)


def _told(report: ExportReport, path: Path, cancelled: bool) -> str:
    told = f"{counted(report.new)} exported ({in_words(report.octets)}), {report.known:,} were there already"
    if report.failed:
        told += f", {len(report.failed):,} failed"
    if report.left:
        told += f", {report.left:,} left for the next export"
    return f"{'Cancelled: ' if cancelled else ''}{told}. Dataset: {path}"
