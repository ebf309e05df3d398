"""What became of every message: of an export, and of a deletion."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pop3frames.errors import printable
from pop3frames.frames.schema import column_name

if TYPE_CHECKING:
    import pandas

UIDL, REASON = column_name("uidl"), "reason"


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
        return f"{printable(self.account)}: {counts}"

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
    """What became of every listed message: `listed == new + known + skipped + len(failed) + left`.

    new      stored by this run
    known    in the dataset before, or stored by another run meanwhile
    skipped  left out by `since`, `max_size` or `uidls`: the same run would leave them out again
    failed   could not be fetched or stored
    left     not reached, because the run ended early or at its `limit`: the next run goes on with them
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
    skipped: int = 0

    def __str__(self) -> str:
        counts = f"{self.listed} listed: {self.new} new, {self.known} known, {len(self.failed)} failed"
        if self.skipped:
            counts += f", {self.skipped} skipped"
        if self.left:
            counts += f", {self.left} not reached"
        told = f"{printable(self.account)}: {counts} ({self.octets / 1e6:.1f} MB in {self.seconds:.1f} s)"
        return told if self.deleted is None else f"{told}\n{self.deleted}"

    def _repr_html_(self) -> str:
        """For a notebook: the counts, and nothing that a mail or a server said."""
        counts: dict[str, object] = {
            name: getattr(self, name) for name in ("listed", "new", "known", "skipped", "left")
        }
        counts |= {"failed": len(self.failed), "MB": f"{self.octets / 1e6:.1f}", "s": f"{self.seconds:.1f}"}
        if self.deleted is not None:
            counts |= {"deleted": len(self.deleted.confirmed), "refused": len(self.deleted.refused)}
            counts["unknown"] = len(self.deleted.unknown)
        heads = "".join(f"<th>{name}</th>" for name in ("account", *counts))
        cells = "".join(f"<td>{escape(str(each))}</td>" for each in (self.account, *counts.values()))
        return f"<table><tr>{heads}</tr><tr>{cells}</tr></table>"


@dataclass
class Tally:
    """The counts of a run while it goes on; those of listed messages are its latest session's."""

    started: float = field(default_factory=time.monotonic)
    listed: int = 0
    skipped: int = 0
    left: int = 0  # neither fetched nor failed yet
    staged: int = 0  # wait for a commit: not stored yet
    new: int = 0
    hidden: int = 0  # in the dataset, and listed by earlier sessions only
    octets: int = 0
    failed: list[FailedMessage] = field(default_factory=list)

    def begin(self, listed: int, chosen: int, skipped: int) -> None:
        """A session that lists so many, of which so many are to be fetched, and so many left out."""
        self.listed, self.left, self.skipped, self.failed = listed, chosen, skipped, []

    def fail(self, number: int, uidl: str | None, reason: str) -> None:
        """A message is not in the dataset, and why."""
        self.failed.append(FailedMessage(number, uidl, reason))
        self.left -= 1

    def report(self, account: str, parts: Iterable[Path], deleted: DeletionReport | None) -> ExportReport:
        """The counts as they stand: what is staged is not stored."""
        left, failed = self.left + self.staged, tuple(self.failed)
        accounted = self.new + self.skipped + len(failed) + left
        known = max(0, self.listed + self.hidden - accounted)
        seconds = time.monotonic() - self.started
        return ExportReport(
            account=account,
            listed=accounted + known,
            new=self.new,
            known=known,
            skipped=self.skipped,
            failed=failed,
            left=left,
            octets=self.octets,
            parts=tuple(parts),
            seconds=seconds,
            deleted=deleted,
        )
