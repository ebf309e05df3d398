"""Messages listed larger than anything is fetched: a row with their headers, and a failure in every run."""

from __future__ import annotations

from pop3frames.client.rows import oversized_row
from pop3frames.client.session import Session, log
from pop3frames.errors import POP3CommandError, POP3ConnectionError
from pop3frames.export.culprits import Culprits
from pop3frames.export.selection import Listing
from pop3frames.frames.ledger import Known
from pop3frames.frames.parts import PartWriter


class Oversized:
    """Those of one run, LISTed with more than `most` octets.

    `flagged` are the unique-ids that got a row: the table shows what is missing.
    """

    def __init__(self, most: int, known: Known, writer: PartWriter, culprits: Culprits) -> None:
        self.most = most
        self._known, self._writer, self._culprits = known, writer, culprits
        self.flagged: set[str] = set()

    def reason(self, listing: Listing, number: int) -> str:
        """Why the message is not fetched; empty where it may be."""
        size = listing.sizes.get(number, 0)
        return f"LISTed with {size} octets, the limit is {self.most}" if size > self.most else ""

    def flag(self, session: Session, listing: Listing, number: int) -> None:
        """A row with the headers only, where there is none yet."""
        uidl, size = listing.uidls.get(number), listing.sizes[number]
        if uidl is None or uidl in self._known.uidls or uidl in self.flagged or self._culprits.blamed(uidl):
            return
        try:
            header = session.top(number, 0)
        except POP3CommandError as exc:
            log.warning("message %d has no header to show: %s", number, exc)
            return
        except POP3ConnectionError:
            self._culprits.blame(uidl)
            raise
        self._writer.add([oversized_row(header, number, account=self._known.account, uidl=uidl, size=size)])
        self.flagged.add(uidl)
