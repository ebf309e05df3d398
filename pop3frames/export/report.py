"""What became of every message: of an export, and of a deletion."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

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
