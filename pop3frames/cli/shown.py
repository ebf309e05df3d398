"""What commands print: reports and tables, with nothing in them that a terminal would obey."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pop3frames.errors import counted, printable

if TYPE_CHECKING:
    import pandas

    from pop3frames.export.fleetreport import FleetReport
    from pop3frames.export.report import DeletionReport, ExportReport, FailedMessage

_SHOWN = 25
_SHOWN_COLUMNS = ("received_at", "from_", "subject", "attachment_count", "size", "attachments")
_FAILURES_SHOWN = 20


def show_report(report: ExportReport, dataset: Path) -> None:
    click.echo(str(report))
    _show_what_stays(report)
    click.echo(f"dataset: {dataset.absolute()}")


def show_unfinished(report: FleetReport) -> None:
    """The accounts that are not complete, and which messages keep them from it."""
    for each in report.accounts:
        if each.state != "complete":
            click.echo(str(each))
            if each.report is not None:
                _show_what_stays(each.report)


def _show_what_stays(report: ExportReport) -> None:
    show_failures(report.failed)
    if report.deleted is not None:
        show_still_there(report.deleted)


def show_failures(failed: Sequence[FailedMessage]) -> None:
    """The messages that could not be fetched, and why."""
    for failure in failed[:_FAILURES_SHOWN]:
        click.echo(
            f"  message {failure.number} ({failure.uidl or 'no unique-id'}): {printable(failure.reason)}"
        )
    if len(failed) > _FAILURES_SHOWN:
        click.echo(f"  ... and {len(failed) - _FAILURES_SHOWN} more")


def show_still_there(report: DeletionReport, err: bool = False) -> None:
    """The messages that were to go and did not, or nobody knows, and why."""
    unsure = dict.fromkeys(report.unknown, "nobody answered QUIT, the next listing tells")
    reasons = unsure | report.refused
    for uidl, reason in list(reasons.items())[:_FAILURES_SHOWN]:
        click.echo(f"  {uidl}: {printable(reason)}", err=err)
    if len(reasons) > _FAILURES_SHOWN:
        click.echo(f"  ... and {len(reasons) - _FAILURES_SHOWN} more", err=err)


def show_table(frame: pandas.DataFrame, *, whole: bool = True) -> None:
    """The first rows and a few sums, with nothing in them that a terminal would obey.

    `whole` is False for rows of headers only, whose attachments nobody has seen.
    """
    from pop3frames.frames.schema import column_name

    dates, senders, subjects, counts, sizes, files = (frame[column_name(name)] for name in _SHOWN_COLUMNS)
    click.echo(_line("date", "from", "subject", "files" if whole else "", "octets"))
    dates = dates.dt.strftime("%Y-%m-%d %H:%M").fillna("(no date)")
    columns = [
        dates,
        senders.fillna("(nobody)"),
        subjects.fillna("(none)"),
        counts if whole else counts.map(lambda _: ""),
        sizes,
    ]
    for row in zip(*(column.head(_SHOWN) for column in columns), strict=True):
        click.echo(_line(*map(str, row)))
    if len(frame) > _SHOWN:
        click.echo(f"... and {len(frame) - _SHOWN} more")
    told = f"\n{counted(len(frame))} of {counted(senders.nunique(), 'sender')}"
    if whole:
        types = Counter(each[column_name("content_type")] for each in files.explode().dropna())
        commonest = ", ".join(f"{count} {printable(name)}" for name, count in types.most_common(4))
        told += f", {types.total()} attachments" + (f" ({commonest})" if commonest else "")
    click.echo(told)


def show_plan(plan: pandas.DataFrame) -> int:
    """The first messages that would go, and why the others stay; how many would go."""
    from pop3frames.frames.schema import column_name

    names = [column_name(name) for name in ("received_at", "from_", "subject", "size")]
    going = plan[plan["delete"]]
    for date, sender, subject, size in going[names].head(_SHOWN).itertuples(index=False):
        day = "(no date)" if date is None or date != date else f"{date:%Y-%m-%d %H:%M}"
        shown = (str(sender) if isinstance(sender, str) else "(nobody)", subject)
        click.echo(_line(day, shown[0], shown[1] if isinstance(subject, str) else "(none)", "", str(size)))
    if len(going) > _SHOWN:
        click.echo(f"... and {len(going) - _SHOWN} more")
    click.echo(f"{len(going):,} of {counted(len(plan))} would go")
    for reason, count in plan.loc[~plan["delete"], "reason"].value_counts().items():
        click.echo(f"  {count} stay: {reason}")
    return len(going)


def _line(date: str, sender: str, subject: str, files: str, octets: str) -> str:
    return f"{date:16}  {_fitted(sender, 34)}  {_fitted(subject, 42)}  {files:>5}  {octets:>6}"


def _fitted(text: str, width: int) -> str:
    """The text in exactly so many terminal cells: East Asian letters are two wide, combining marks none."""
    fitted, used = "", 0
    for letter in printable(text, width):
        cells = 0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        if used + cells > width:
            break
        fitted, used = fitted + letter, used + cells
    return fitted + " " * (width - used)
