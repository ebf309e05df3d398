"""What an export deletes from the server behind itself: what its rules select and the dataset holds.

How a message is proved and deleted is in `deletion.py`; here is only which ones, over the sessions of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pop3frames.client.session import Session
from pop3frames.errors import POP3ConnectionError
from pop3frames.export.deletion import WOULD_HIDE, Deleting
from pop3frames.export.report import UIDL, DeletionReport
from pop3frames.export.selection import Listing, Selection
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.schema import column_name

RECEIVED_AT = column_name("received_at")


class Clearing:
    """The deletions of one run; `report` is None until its first session has come so far."""

    def __init__(
        self, account: str, dataset: Dataset, selection: Selection, holds: Callable[[str], bool]
    ) -> None:
        self._account, self._dataset, self._selection, self._holds = account, dataset, selection, holds
        self.report: DeletionReport | None = None

    def mark(
        self, session: Session, listing: Listing, fetched: Mapping[str, str | None], *, stopped: bool
    ) -> Deleting | None:
        """Mark what is durable, of earlier runs too. `fetched`: SHA-256 of what was RETRed in this session.

        None where there will be nothing to settle. A run that was told to stop deletes nothing.
        """
        there, before = set(listing.uidls.values()), self.report or DeletionReport(self._account)
        # Marked before a loss and not listed any more: only the server knows why.
        gone = [uidl for uidl in before.unknown if uidl not in there]
        self.report = DeletionReport(self._account, before.confirmed, unknown=gone)
        if stopped:
            return None
        wanted = self._wanted(listing)
        if session.quit_hides_mail and not session.all_kept:  # so there will be no QUIT
            self.report.refused = dict.fromkeys(wanted, WOULD_HIDE)
            return None
        deleting = Deleting(self.report, wanted)
        try:
            originals = self._dataset.originals(self._account, set(wanted))
            stored_only = deleting.mark(session, listing.sizes, originals, fetched=fetched)
        except POP3ConnectionError:
            deleting.lost()
            raise
        session.all_kept = session.all_kept and stored_only
        return deleting

    def _wanted(self, listing: Listing) -> list[str]:
        """What the rules select and the dataset has."""
        admitted = [listing.uidls[number] for number in self._selection.admitted(listing, listing.uidls)]
        wanted = [uidl for uidl in admitted if self._holds(uidl)]
        if self._selection.since is None:
            return wanted
        rows = self._dataset.to_table([UIDL, RECEIVED_AT], self._account).to_pydict()
        dates = zip(rows[UIDL], rows[RECEIVED_AT], strict=True)
        old = {uidl for uidl, date in dates if date is not None and date < self._selection.since}
        return [uidl for uidl in wanted if uidl not in old]
