"""The explorer of a mailbox: four widgets that work on one model, and what they did as Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from pop3frames.export.accounts import Account
from pop3frames.export.report import DeletionReport, ExportReport
from pop3frames.frames.batches import to_dataframe
from pop3frames.frames.dataset import Dataset
from pop3frames.widgets.connecting import ConnectPanel
from pop3frames.widgets.deleting import DeletionBar
from pop3frames.widgets.exporting import ExportPanel
from pop3frames.widgets.jobs import Job
from pop3frames.widgets.mailbox import Mailbox
from pop3frames.widgets.marks import sizes_of
from pop3frames.widgets.messagelist import MessageList
from pop3frames.widgets.messagepreview import MessagePreview
from pop3frames.widgets.notice import Notice

if TYPE_CHECKING:
    import pandas

    from pop3frames.message import Message


def explore(account: Account | None = None) -> MailboxExplorer:
    """An explorer of this mailbox, or of one that is filled in there. Nothing is asked before a click.

    An account whose password is 'prompt' is asked for it in the page.
    """
    return MailboxExplorer(account)


class MailboxExplorer(ipywidgets.VBox):  # type: ignore[misc]  # it ships no types
    """Connect to a mailbox, look through it, mark, export and delete; what was done is here afterwards.

    list, preview, connecting, deleting, exporting   the parts, which also stand alone
    mailbox     the model: `mailbox.list_messages().wait()` does in a script what a click does
    """

    def __init__(self, account: Account | None = None) -> None:
        super().__init__()
        self.mailbox = mailbox = Mailbox()
        self.list, self.preview, self.notice = MessageList(), MessagePreview(), Notice()
        self.notice.follow(mailbox.jobs)
        self.connecting = ConnectPanel(account, mailbox=mailbox, notice=self.notice)
        self.deleting = DeletionBar(mailbox, notice=self.notice)
        self.exporting = ExportPanel(mailbox, filtered=lambda: self.list.visible, notice=self.notice)
        self.connecting.leads_to = ".p3f-mails [role=grid]"
        self.add_class("p3f").add_class("p3f-explorer")
        self._connect_parts()
        self._build()
        self._lay_out()

    @property
    def marked(self) -> frozenset[str]:
        """The unique-ids that are marked now."""
        return self.mailbox.marks.uidls

    @property
    def dataset(self) -> Dataset:
        """The dataset that exports go to, whether it exists yet or not."""
        return Dataset(self.mailbox.dataset)

    @property
    def report(self) -> ExportReport | DeletionReport | None:
        """What became of every message in the last export or deletion."""
        return self._report

    @property
    def dataframe(self) -> pandas.DataFrame:
        """What was exported from this mailbox, when something was; else the headers that were listed."""
        account = self.mailbox.account
        if account is not None and self.exporting.storing.report is not None:
            return self.dataset.read(account=account.name)
        return to_dataframe(self.mailbox.rows)

    @property
    def failure(self) -> Exception | None:
        """The last error itself; the page shows it in words."""
        return self.mailbox.jobs.failure

    def connect(self) -> Job[tuple[Message, ...]]:
        """List the messages of what is filled in, as the button does: `explorer.connect().wait()`."""
        self.mailbox.use(self.connecting.form.account())
        return self.mailbox.list_messages()

    def __repr__(self) -> str:
        return "MailboxExplorer: run the cell to look into a mailbox, it is not stored in the notebook."

    def _connect_parts(self) -> None:
        mailbox, marks = self.mailbox, self.mailbox.marks
        self._report: ExportReport | DeletionReport | None = None
        self.exporting.storing.observe(self._reported, "report")
        self.deleting.removal.observe(self._reported, "report")
        mailbox.observe(lambda _: self._rows_changed(), "rows")
        mailbox.observe(lambda _: self._lay_out(), "listed")
        mailbox.observe(lambda _: self._look_changed(), "look")
        marks.observe(lambda _: self._marks_changed(), "marked")
        self.list.on_toggle(self._toggled)
        self.list.observe(lambda _: self._read(), "active")
        self.list.on_open(lambda _: self._read())
        self.preview.on_whole(self._read_whole)

    def _build(self) -> None:
        self.list.layout = ipywidgets.Layout(flex="3 1 420px", min_width="0")
        self.preview.layout = ipywidgets.Layout(flex="2 1 360px", min_width="0")
        self._mails = ipywidgets.HBox((self.list, self.preview))
        self._mails.add_class("p3f-mails")
        self._actions = ipywidgets.HBox((self.deleting, self.exporting))
        self._actions.add_class("p3f-actions")
        self.children = (self.connecting, self._mails, self.notice, self._actions)

    def _lay_out(self) -> None:
        """What can be used now: before anything is listed, only the way there."""
        for box in (self._mails, self._actions):  # hidden: made anew, they would lose the focus
            box.layout.display = "" if self.mailbox.listed else "none"

    def _rows_changed(self) -> None:
        self.list.show(self.mailbox.rows, maybe=self.mailbox.maybe)
        self._marks_changed()

    def _marks_changed(self) -> None:
        self.list.marked = self.mailbox.marks.uidls

    def _toggled(self, keys: tuple[str, ...], marked: bool) -> None:
        if marked:
            chosen = set(keys)
            self.mailbox.marks.mark(sizes_of(self.mailbox.rows, lambda row: row.uidl in chosen))
        else:
            self.mailbox.marks.unmark(keys)

    def _read(self) -> None:
        if self.list.active is not None:
            with self.mailbox.jobs.told():
                self.mailbox.read(self.list.active)

    def _read_whole(self) -> None:
        if self.list.active is not None:
            with self.mailbox.jobs.told():
                self.mailbox.read_whole(self.list.active)

    def _look_changed(self) -> None:
        look = self.mailbox.look
        if look is None:
            self.preview.clear()
        else:
            self.preview.show(look.row, look.raw, partial=look.partial)

    def _reported(self, change: Any) -> None:
        self._report = change["new"]
