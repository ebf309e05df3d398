"""The panel that keeps messages: which, where to, with their original bytes or not."""

from __future__ import annotations

from collections.abc import Callable, Collection

import ipywidgets

from pop3frames.errors import POP3UsageError
from pop3frames.widgets.mailbox import Mailbox
from pop3frames.widgets.notice import Notice
from pop3frames.widgets.panel import Panel, field, link, row, words
from pop3frames.widgets.storing import Storing

_WHICH = [
    ("all messages", "all"),
    ("those that are shown", "filtered"),
    ("those that are marked", "marked"),
]


class ExportPanel(Panel):
    """Export messages of a mailbox into a Parquet dataset; the notice shows how far it is, and cancels.

    mailbox   the model that lists;   storing   exports;   filtered   tells the unique-ids a filter shows
    """

    def __init__(
        self,
        mailbox: Mailbox,
        *,
        filtered: Callable[[], Collection[str]] | None = None,
        notice: Notice | None = None,
    ) -> None:
        self.mailbox, self.storing = mailbox, Storing(mailbox)
        self._filtered = filtered
        super().__init__(mailbox.jobs, notice)
        choices = [each for each in _WHICH if filtered is not None or each[1] != "filtered"]
        self._which = field(ipywidgets.Dropdown(options=choices, description="Which"), width="190px")
        dataset = field(ipywidgets.Text(description="Into this dataset", continuous_update=False), grow=True)
        bytes_too = ipywidgets.Checkbox(
            description="with their original bytes",
            indent=False,
            tooltip="Else nothing can be deleted later",
        )
        link(mailbox, "dataset", dataset)
        link(self.storing, "keep_raw", bytes_too)
        export = self.button("Export", self.export, button_style="primary")
        self.show(words("Export to Parquet", "title"), row(self._which, dataset), row(bytes_too, export))

    def export(self) -> None:
        """Begin the export of what is chosen."""
        self.storing.export(self._chosen())

    def _chosen(self) -> Collection[str] | None:
        if self._which.value == "all":
            return None
        if self._which.value == "marked":
            return self.mailbox.marks.uidls
        shown = self._filtered() if self._filtered is not None else ()
        named = {row.uidl for row in self.mailbox.rows}
        uidls = [key for key in shown if key in named]
        if len(uidls) < len(shown):
            raise POP3UsageError(
                "some of those shown have no unique-id of their own: they can be exported only with all"
            )
        return uidls
