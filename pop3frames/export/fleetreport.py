"""What became of every account of a run over many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from pop3frames.errors import printable
from pop3frames.export.report import ExportReport
from pop3frames.frames.schema import column_name

if TYPE_CHECKING:
    import pandas

ACCOUNT = column_name("account")

State = Literal["complete", "incomplete", "failed"]


@dataclass(frozen=True)
class AccountReport:
    """What became of one account among many.

    report   what its export did, as far as it came; None where it came to nothing
    error    why it could not go on, in words; empty where it could
    """

    account: str
    report: ExportReport | None
    error: str = ""

    @property
    def state(self) -> State:
        """complete: all that was to be done is done; incomplete: some messages are not stored, or with
        `delete` not deleted; failed: see `error`. The next run goes on with either."""
        if self.error or self.report is None:
            return "failed"
        deleted = self.report.deleted
        still_there = deleted is not None and (deleted.refused or deleted.unknown)
        return "incomplete" if self.report.failed or still_there else "complete"

    def __str__(self) -> str:
        told = f"{printable(self.account)}: nothing was listed" if self.report is None else str(self.report)
        return f"{told}\n  {printable(self.error, 500)}" if self.error else told


@dataclass(frozen=True)
class FleetReport:
    """What became of every account, in the order given, and the seconds it all took."""

    accounts: tuple[AccountReport, ...]
    seconds: float

    @property
    def summary(self) -> str:
        """All of them in one line."""
        counts = Counter(each.state for each in self.accounts)
        states = ", ".join(f"{counts[state]} {state}" for state in get_args(State))
        reports = [each.report for each in self.accounts if each.report is not None]
        new, octets = (sum(getattr(report, name) for report in reports) for name in ("new", "octets"))
        fetched = f"{new} new messages ({octets / 1e6:.1f} MB in {self.seconds:.1f} s)"
        return f"{len(self.accounts)} accounts: {states}; {fetched}"

    def __str__(self) -> str:
        troubles = [str(each) for each in self.accounts if each.state != "complete"]
        return "\n".join([*troubles, self.summary])

    def with_state(self, state: State) -> tuple[AccountReport, ...]:
        """The accounts of which that became."""
        return tuple(each for each in self.accounts if each.state == state)

    def _repr_html_(self) -> str:
        """For a notebook: the counts, and nothing that a server said."""
        table: str = self.to_dataframe().drop(columns="error").to_html(index=False, na_rep="")
        return table

    def to_dataframe(self) -> pandas.DataFrame:
        """A row an account: state, counts of messages, octets, seconds, error; counts are null where it came
        to nothing. No mail and no secret is in it."""
        import pandas

        return pandas.DataFrame([_row(each) for each in self.accounts], columns=list(_TYPES)).astype(_TYPES)


_COUNTS = ("listed", "new", "known", "skipped", "failed", "left", "deleted", "octets")
_TYPES = {
    ACCOUNT: "str",
    "state": "str",
    **dict.fromkeys(_COUNTS, "Int64"),
    "seconds": "Float64",
    "error": "str",
}


def _row(each: AccountReport) -> tuple[object, ...]:
    report = each.report
    if report is None:
        return (each.account, each.state, *[None] * len(_COUNTS), None, each.error)
    deleted = None if report.deleted is None else len(report.deleted.confirmed)
    counts = (report.listed, report.new, report.known, report.skipped, len(report.failed), report.left)
    return (each.account, each.state, *counts, deleted, report.octets, report.seconds, each.error)
