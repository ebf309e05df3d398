"""What became of every message and every account: of an export, of a deletion, of many exports."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from pop3frames.errors import printable
from pop3frames.frames.schema import column_name

if TYPE_CHECKING:
    import pandas

UIDL, REASON = column_name("uidl"), "reason"
ACCOUNT = column_name("account")

State = Literal["complete", "incomplete", "failed"]


@dataclass
class DeletionReport:
    """What became of every message that was to go, by unique-id; with the reason where it is still there.

    confirmed   the server answered QUIT with +OK
    refused     not deleted, and why
    unknown     marked, but nobody answered QUIT: the next listing tells
    """

    account: str
    confirmed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = f"{len(self.confirmed)} deleted, {len(self.refused)} refused, {len(self.unknown)} unknown"
        return f"{self.account}: {counts}"

    def to_dataframe(self) -> pandas.DataFrame:
        """A row a message: its unique-id, its state and the reason."""
        import pandas

        rows = [(uidl, "confirmed", "") for uidl in self.confirmed]
        rows += [(uidl, "refused", reason) for uidl, reason in self.refused.items()]
        rows += [(uidl, "unknown", "no +OK to QUIT: the next listing tells") for uidl in self.unknown]
        return pandas.DataFrame(rows, columns=[UIDL, "state", REASON])


@dataclass(frozen=True)
class FailedMessage:
    """A message that is on the server and not in the dataset, and why. The next run tries it again."""

    number: int
    uidl: str | None
    reason: str


@dataclass(frozen=True)
class ExportReport:
    """What became of every listed message: `listed == new + known + len(failed) + left`.

    new      stored by this run
    known    in the dataset before, or stored by another run meanwhile
    failed   could not be fetched or stored
    left     not reached, because the run ended early
    octets   of the raw mail fetched;   parts   the files committed;   seconds   the run took
    deleted  what was deleted from the server, if that was asked for
    """

    account: str
    listed: int
    new: int
    known: int
    failed: tuple[FailedMessage, ...]
    left: int
    octets: int
    parts: tuple[Path, ...]
    seconds: float
    deleted: DeletionReport | None = None

    def __str__(self) -> str:
        counts = f"{self.listed} listed: {self.new} new, {self.known} known, {len(self.failed)} failed"
        if self.left:
            counts += f", {self.left} not reached"
        told = f"{self.account}: {counts} ({self.octets / 1e6:.1f} MB in {self.seconds:.1f} s)"
        return told if self.deleted is None else f"{told}\n{self.deleted}"


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
        return "incomplete" if self.report.failed or self.report.left or still_there else "complete"

    def __str__(self) -> str:
        told = f"{printable(self.account)}: nothing was listed" if self.report is None else str(self.report)
        return f"{told}\n  {printable(self.error, 500)}" if self.error else told


@dataclass(frozen=True)
class FleetReport:
    """What became of every account, in the order given, and the seconds it all took."""

    accounts: tuple[AccountReport, ...]
    seconds: float

    def __str__(self) -> str:
        counts = Counter(each.state for each in self.accounts)
        reports = [each.report for each in self.accounts if each.report is not None]
        new, octets = (sum(getattr(report, name) for report in reports) for name in ("new", "octets"))
        states = ", ".join(f"{counts[state]} {state}" for state in get_args(State))
        total = f"{len(self.accounts)} accounts: {states}; {new} new messages"
        troubles = [str(each) for each in self.accounts if each.state != "complete"]
        return "\n".join([*troubles, f"{total} ({octets / 1e6:.1f} MB in {self.seconds:.1f} s)"])

    def with_state(self, state: State) -> tuple[AccountReport, ...]:
        """The accounts of which that became."""
        return tuple(each for each in self.accounts if each.state == state)

    def to_dataframe(self) -> pandas.DataFrame:
        """A row an account: state, counts of messages, octets, seconds, error; counts are null where it came
        to nothing. No mail and no secret is in it."""
        import pandas

        return pandas.DataFrame([_row(each) for each in self.accounts], columns=list(_TYPES)).astype(_TYPES)


_COUNTS = ("listed", "new", "known", "failed", "left", "deleted", "octets")
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
    counts = (
        report.listed,
        report.new,
        report.known,
        len(report.failed),
        report.left,
        deleted,
        report.octets,
    )
    return (each.account, each.state, *counts, report.seconds, each.error)
