"""The panel of what is marked: how much it is, rules, undo; then the review, one word more, and delete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import ipywidgets

from pop3frames.errors import POP3UsageError, counted
from pop3frames.export.report import DeletionReport
from pop3frames.message import Message
from pop3frames.widgets.jobs import in_words
from pop3frames.widgets.mailbox import Mailbox
from pop3frames.widgets.marks import from_sender, larger_than, older_than
from pop3frames.widgets.messagelist import MessageList
from pop3frames.widgets.notice import Notice
from pop3frames.widgets.panel import Panel, field, link, row, words
from pop3frames.widgets.removal import Plan, Removal

_RULES = [("from this sender", "sender"), ("older than", "older"), ("larger than", "larger")]
_OLD = timedelta(days=365)


class DeletionBar(Panel):
    """What is marked in a mailbox, and the way to delete it.

    mailbox   the model that holds the marks;   removal   plans and commits
    """

    def __init__(self, mailbox: Mailbox, *, notice: Notice | None = None) -> None:
        self.mailbox, self.removal = mailbox, Removal(mailbox)
        super().__init__(mailbox.jobs, notice)
        self._build_marking()
        self._build_review()
        mailbox.marks.observe(lambda _: self._marks_changed(), "marked")
        self.removal.observe(lambda _: self._plan_changed(), "plan")
        self.removal.observe(lambda _: self._reported(), "report")
        self._marks_changed()
        self._plan_changed()

    # Marking

    def _build_marking(self) -> None:
        marks = self.mailbox.marks
        self._count = words("", "title")
        self._rule = field(ipywidgets.Dropdown(options=_RULES, description="Mark all"), width="150px")
        a_year_ago = date.today() - _OLD  # noqa: DTZ011  (the person's own calendar)
        self._day = field(ipywidgets.DatePicker(value=a_year_ago, description="Day"), width="150px")
        self._megabytes = field(
            ipywidgets.BoundedFloatText(value=1, min=0, max=1e6, step=0.1, description="MB"), width="90px"
        )
        self._rule.observe(lambda _: self._rule_chosen(), "value")
        self._rule_chosen()
        self._tools = row(
            self._rule,
            self._day,
            self._megabytes,
            self.button("Mark", self._mark_by_rule),
            self.button("Undo", lambda: self._step(marks.undo, marks.can_undo, "undo")),
            self.button("Redo", lambda: self._step(marks.redo, marks.can_redo, "redo")),
            self.button("Unmark all", marks.clear),
        )
        self._review = self.button("Review and delete…", self.removal.review)
        self._review.add_class("p3f-review")

    def _rule_chosen(self) -> None:
        self._day.layout.display = "" if self._rule.value == "older" else "none"
        self._megabytes.layout.display = "" if self._rule.value == "larger" else "none"

    def _mark_by_rule(self) -> None:
        rows = self.mailbox.rows
        if self._rule.value == "sender":
            fitting = from_sender(rows, self._looked_at().from_ or "")
        elif self._rule.value == "older":
            if self._day.value is None:
                raise POP3UsageError("choose a day first")
            fitting = older_than(rows, datetime.combine(self._day.value, datetime.min.time(), UTC))
        else:
            fitting = larger_than(rows, self._megabytes.value * 1e6)
        new = self.mailbox.marks.mark(fitting)
        self.jobs.status = f"{counted(len(fitting))} found, {new:,} newly marked."

    def _looked_at(self) -> Message:
        if self.mailbox.look is None:
            raise POP3UsageError("choose a message in the list first: its sender counts")
        return self.mailbox.look.row

    def _step(self, act: Callable[[], object], possible: bool, name: str) -> None:
        if not possible:
            self.jobs.status = f"There is nothing to {name}."
        act()

    def _marks_changed(self) -> None:
        marks = self.mailbox.marks
        self._review.button_style = "warning" if marks.marked else ""
        self._count.value = f"{counted(len(marks.marked))} marked · {in_words(marks.octets)}"

    # Review, and the second act

    def _build_review(self) -> None:
        self._question = words("Delete these from the server?", "title")
        self._going = MessageList()
        self._going.on_toggle(lambda keys, _marked: self.mailbox.marks.unmark(keys))
        self._told = Notice()
        self._dataset = field(
            ipywidgets.Text(description="Kept in this dataset first", continuous_update=False), grow=True
        )
        link(self.mailbox, "dataset", self._dataset)
        self._meant = ipywidgets.Checkbox(value=False, indent=False)
        self._delete = self.button("Delete", self._commit)
        self._delete.add_class("p3f-danger")
        self._keep = self.button("Delete nothing", self._close)
        self._keep.add_class("p3f-keep")

    def _plan_changed(self) -> None:
        plan = self.removal.plan
        if plan is None:
            self._going.show(())
            self._show_marking()
        else:
            self._show_plan(plan)

    def _show_marking(self, *told: ipywidgets.Widget) -> None:
        self.remove_class("p3f-wide")
        where = [row(self._dataset)] if self.alone else []  # else another panel names it
        self.show(row(self._count, self._review), *told, self._tools, *where)

    def _show_plan(self, plan: Plan) -> None:
        rows = [each for each in self.mailbox.rows if each.uidl in plan.going]
        self._going.show(rows, maybe=self.mailbox.maybe)
        self._going.marked = plan.going.keys()
        reasons = Counter(plan.staying.values()).items()
        self._told.say(str(plan), lines=[f"{counted(count)}: {reason}" for reason, count in reasons])
        self._meant.value = False
        self._meant.description = f"{' '.join(plan.warnings)} That is meant."
        self._delete.description = f"Delete {counted(len(plan.going))} from the server"
        warned = [self._meant] if plan.going and plan.warnings else []
        acts = [self._delete] if plan.going else []
        self.add_class("p3f-wide")
        self.show(self._question, self._told, self._going, *warned, row(*acts, self._keep))
        self.notice.focus(".p3f-keep")

    def _commit(self) -> None:
        plan = self.removal.plan
        if plan is not None:
            self.removal.commit(len(plan.going), despite_warnings=self._meant.value)

    def _close(self) -> None:
        self.removal.plan = None
        self.jobs.status = "Nothing was deleted."
        self.notice.focus(".p3f-review")

    def _reported(self) -> None:
        report = self.removal.report
        if report is not None:
            self._told.say("", lines=reasons_of(report))
            self._show_marking(self._told)
            self.notice.focus(".p3f-review")


def reasons_of(report: DeletionReport) -> list[str]:
    """Why messages are still there, in our words: how many for each reason."""
    told = Counter(
        "the server refused to delete it" if reason.startswith("the server refused") else reason
        for reason in report.refused.values()
    )
    lines = [f"{counted(count)} not deleted: {reason}" for reason, count in told.items()]
    if report.unknown:
        unsure = counted(len(report.unknown))
        lines.append(f"{unsure} unknown: nobody answered QUIT. List again to see what is still there")
    return lines
