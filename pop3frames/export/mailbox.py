"""export_mailbox: one account into a dataset, nothing lost and nothing twice.

A run asks for the unique-ids, subtracts what the dataset has, fetches what the rules select and commits as it
goes. The rules are in `selection.py`; what a session is, in `client/session.py`; how a part becomes durable,
in `frames/parts.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pop3frames.client.connection import LISTINGS
from pop3frames.client.retry import Retry
from pop3frames.client.rows import as_row, oversized_row
from pop3frames.client.session import Session, log
from pop3frames.errors import (
    POP3BusyError,
    POP3CommandError,
    POP3ConnectionError,
    POP3ExportError,
    POP3UsageError,
)
from pop3frames.export.accounts import Account
from pop3frames.export.culprits import Culprits
from pop3frames.export.deletion import WOULD_HIDE, Deleting
from pop3frames.export.progress import Progress, ProgressBar
from pop3frames.export.report import UIDL, DeletionReport, ExportReport, Tally
from pop3frames.export.selection import HEADERS_AHEAD, Ages, Listing, Selection
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.ledger import Known
from pop3frames.frames.parts import PartWriter
from pop3frames.frames.schema import column_name
from pop3frames.protocol.grammar import DEFAULT_LIMITS

RECEIVED_AT = column_name("received_at")
COMMIT_OCTETS = 256 << 20  # of raw mail: parts of 64 to 256 MB, the size readers like
COMMIT_SECONDS = 60.0  # a crash costs at most a minute of fetching again
MOST_LOSSES = 5  # connections lost one after another, with nothing stored in between, before a run gives up
RENUMBERED = 5  # a mailbox of at least so many mails, none of them known, is worth a warning
PAUSES = Retry()  # between a lost session and the next: longer and longer, whatever the sessions brought
LONGEST_PAUSE = 6  # doublings: some 16 seconds
MOST_REFUSALS = 20  # RETRs refused one after another: a quota, or a mailbox gone away; asking on is hammering


def export_mailbox(
    account: Account,
    dataset: Dataset | str | Path,
    *,
    keep_raw: bool = False,
    delete: bool = False,
    progress: bool | Callable[[Progress], object] | None = None,
    since: datetime | None = None,
    max_size: int | None = None,
    limit: int | None = None,
    newest_first: bool = False,
    uidls: Collection[str] | None = None,
    stop: Callable[[], bool] | None = None,
) -> ExportReport:
    """Add what is new in the mailbox to the dataset, and account for every message.

    keep_raw      keep the original bytes in the column `raw`
    delete        then delete from the server what is durable, by the rules of `export/deletion.py`
    progress      True or False: a bar or none; None: a bar where somebody can see it; or a function that is
                  called with a Progress after every message
    since         only mail of this moment or later, by its own date (`receivedAt`); one without a readable
                  date is fetched. Needs a time zone
    max_size      only mail that LIST tells to have at most so many octets
    limit         store at most so many mails; the next run goes on with the rest
    newest_first  from the highest message number down; servers give them in the order of arrival
    uidls         only these unique-ids
    stop          asked after every message; True: commit what is whole, delete nothing, and end

    What `since`, `max_size` and `uidls` leave out is counted as skipped and neither stored nor deleted. Where
    the server has TOP, `since` fetches headers only of what is too old, in every run again.

    Raises POP3UsageError for rules that cannot be meant; POP3ConnectionError or POP3ExportError, with
    `.report`, when the run could not go on: what was committed stays, the next run fetches the rest. Without
    `delete` nothing is deleted from the server.
    """
    if delete and not keep_raw:
        raise POP3UsageError(
            "delete=True needs keep_raw=True: only mail whose original bytes are kept may go"
        )
    selection = Selection(since=since, max_size=max_size, limit=limit, newest_first=newest_first, uidls=uidls)
    dataset = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    known = dataset.known(account.name)
    writer = dataset.writer(account.name, known)
    account = account.asked()
    with ProgressBar(account.name, progress) as bar:
        run = _Run(account, known, writer, bar, keep_raw, dataset if delete else None, selection, stop)
        try:
            run.drain()
        except (POP3ConnectionError, POP3ExportError) as exc:
            exc.report = run.report()
            raise
        return run.report()


@dataclass
class _Run:
    """One export: passes over the mailbox, each in a session of its own, until nothing is left to fetch."""

    account: Account
    known: Known
    writer: PartWriter
    bar: ProgressBar
    keep_raw: bool
    deleting_after: Dataset | None  # the dataset, where what it holds is to be deleted from the server
    selection: Selection
    stop: Callable[[], bool] | None
    tally: Tally = field(default_factory=Tally)
    culprits: Culprits = field(default_factory=Culprits)
    stopped: bool = False
    staged_all: bool = True  # whether every RETR of the session at hand became a row
    fetched: dict[str, str | None] = field(default_factory=dict)  # SHA-256 of those RETRed in this session
    deleted: DeletionReport | None = None
    flagged: set[str] = field(default_factory=set)  # unique-ids with a row, of messages that count as failed
    refusals: int = 0  # of RETR, one after another
    uncommitted: int = 0  # octets fetched since the last commit
    committed_at: float = field(default_factory=time.monotonic)
    losses: int = 0
    sessions: int = 0  # that were lost, in the whole run
    first: set[str | int] | None = None  # what the first session listed; what comes later is the next run's

    def __post_init__(self) -> None:
        self.ages = Ages(self.selection)

    def drain(self) -> None:
        """Fetch until the mailbox has nothing new. After a lost connection, go on in a new one."""
        handler = self.account.handler()
        while True:
            established = False
            try:
                with handler.operation(ahead=LISTINGS) as session:
                    established = True
                    deleting = self._delete(session, self._pass(session))
                if deleting is not None:
                    deleting.settle(session)
                return
            except POP3ConnectionError as exc:
                self.losses += 1
                if not established or not self.tally.listed or self.losses >= MOST_LOSSES:
                    raise
                if not self._goes_on():
                    return
                log.warning("%s: %s; going on in a new session", self.account.name, exc)
                self.sessions += 1
                PAUSES.sleep(PAUSES.delay(min(self.sessions, LONGEST_PAUSE)))
            except POP3BusyError as exc:
                if not self.losses:
                    raise
                raise POP3ConnectionError(
                    f"the connection was lost, and the server does not let us in again yet ({exc}): "
                    "run it again later"
                ) from exc

    def report(self) -> ExportReport:
        return self.tally.report(
            self.account.name, (commit.path for commit in self.writer.commits), self.deleted
        )

    def _goes_on(self) -> bool:
        """False from the moment at which whoever started the run wants it to end."""
        self.stopped = self.stopped or (self.stop is not None and self.stop())
        return not self.stopped

    def _pass(self, session: Session) -> Listing:
        """Store what is new and selected."""
        listing = Listing.of(session)
        if self.first is None:
            self.first = set(map(listing.key, listing.numbers))
        numbers = [number for number in listing.numbers if listing.key(number) in self.first]
        waiting = self._unknown(listing, numbers)
        chosen = [
            number
            for number in self.selection.admitted(listing, waiting)
            if listing.uidls.get(number) not in self.ages.old
        ]
        self.tally.begin(len(numbers), len(chosen), skipped=len(waiting) - len(chosen))
        self.staged_all, self.fetched, self.refusals = True, {}, 0
        if not chosen:
            session.all_kept = True
            return listing
        shown = chosen[: self.selection.limit]
        self.bar.start(len(shown), listing.octets(shown))
        try:
            for numbers in self._rounds(session, listing, self._without_oversized(session, listing, chosen)):
                self._fetch(session, listing, numbers)
        finally:
            # Whole messages are stored whatever ended the pass, Ctrl-C too; a failed commit explains itself.
            self._commit()
        # On a server that hides what was RETRed (EXPIRE 0), only kept bytes justify a QUIT.
        session.all_kept = self.keep_raw and self.staged_all
        return listing

    def _unknown(self, listing: Listing, numbers: list[int]) -> list[int]:
        """Those of the messages that the dataset does not have, and those that are too large for it."""
        waiting = [
            number
            for number in numbers
            if not self._holds(listing.uidls.get(number))
            or listing.sizes.get(number, 0) > DEFAULT_LIMITS.message
        ]
        if len(waiting) == len(numbers) >= RENUMBERED and self.known.uidls and listing.uidls:
            log.warning("%s: no unique-id is known; has the server renumbered its mail?", self.account.name)
        return waiting

    def _holds(self, uidl: str | None) -> bool:
        """Whether the dataset has that mail."""
        return uidl in self.known.uidls and uidl not in self.flagged

    def _rounds(self, session: Session, listing: Listing, asked: list[int]) -> Iterator[list[int]]:
        """What to RETR next: as many as the limit allows and, where dates decide, those some headers tell."""
        width = len(asked) if self.selection.since is None else HEADERS_AHEAD
        for at in range(0, len(asked), width or 1):
            some = asked[at : at + width]
            recent = self.ages.recent(session, listing, some, self._goes_on)
            self._skip(0 if self.stopped else len(some) - len(recent))
            while recent and not self.stopped and self.refusals < MOST_REFUSALS:
                room = self._room(len(recent))
                if not room:
                    return
                yield recent[:room]
                recent = recent[room:]
            if self.stopped or self.refusals >= MOST_REFUSALS:
                return

    def _skip(self, count: int) -> None:
        self.tally.left, self.tally.skipped = self.tally.left - count, self.tally.skipped + count
        for _ in range(count):
            self.bar.step(0)

    def _room(self, most: int) -> int:
        """How many of so many messages may still be stored."""
        if self.selection.limit is None:
            return most
        return min(most, self.selection.limit - self.tally.new - self.tally.staged)

    def _delete(self, session: Session, listing: Listing) -> Deleting | None:
        """Mark what the rules select and the dataset holds, from earlier runs too."""
        if self.deleting_after is None:
            return None
        there = set(listing.uidls.values())
        # Marked before a loss and not listed any more: only the server knows why.
        gone = [uidl for uidl in self.deleted.unknown if uidl not in there] if self.deleted else []
        self.deleted = DeletionReport(self.account.name, unknown=gone)
        if self.stopped:
            return None
        wanted = self._to_delete(self.deleting_after, listing)
        if session.quit_hides_mail and not session.all_kept:  # so there will be no QUIT
            self.deleted.refused = dict.fromkeys(wanted, WOULD_HIDE)
            return None
        deleting = Deleting(self.deleted, wanted)
        try:
            safe = self.deleting_after.safe(self.account.name, set(wanted))
            stored_only = deleting.mark(session, listing.sizes, safe, fetched=self.fetched)
        except POP3ConnectionError:
            deleting.lost()
            raise
        session.all_kept = session.all_kept and stored_only
        return deleting

    def _to_delete(self, dataset: Dataset, listing: Listing) -> list[str]:
        """What the rules select and the dataset has."""
        admitted = map(listing.uidls.get, self.selection.admitted(listing, listing.uidls))
        wanted = [uidl for uidl in admitted if uidl is not None and self._holds(uidl)]
        if self.selection.since is None:
            return wanted
        rows = dataset.to_table([UIDL, RECEIVED_AT], self.account.name).to_pydict()
        dates = zip(rows[UIDL], rows[RECEIVED_AT], strict=True)
        old = {uidl for uidl, date in dates if date is not None and date < self.selection.since}
        return [uidl for uidl in wanted if uidl not in old]

    def _commit(self) -> None:
        self.committed_at, self.uncommitted = time.monotonic(), 0
        if self.writer.rows:  # none: nothing is staged, or the disk refused it and the next run fetches it
            flags = self.writer.rows - self.tally.staged
            commit = self.writer.commit()
            self.tally.new += max(0, commit.rows - flags) if commit else 0
            self.tally.staged = 0

    def _without_oversized(self, session: Session, listing: Listing, waiting: list[int]) -> list[int]:
        """The messages to RETR; the others, too large or twice fatal to a connection, count as failed."""
        asked = []
        for number in waiting:
            size, uidl = listing.sizes.get(number, 0), listing.uidls.get(number)
            if size > DEFAULT_LIMITS.message:
                self._flag(session, number, uidl, size)
                self._fail(number, uidl, f"LISTed with {size} octets, the limit is {DEFAULT_LIMITS.message}")
            elif reason := self.culprits.verdict(listing.key(number)):
                self._fail(number, uidl, reason)
            else:
                asked.append(number)
        return sorted(asked, key=lambda number: self.culprits.blamed(listing.key(number)))

    def _flag(self, session: Session, number: int, uidl: str | None, size: int) -> None:
        """A row with the headers only, so that the table shows what is missing."""
        if uidl is None or uidl in self.known.uidls or uidl in self.flagged or self.culprits.blamed(uidl):
            return
        try:
            header = session.top(number, 0)
        except POP3CommandError as exc:
            log.warning("message %d has no header to show: %s", number, exc)
            return
        except POP3ConnectionError:
            self.culprits.blame(uidl)
            raise
        row = oversized_row(header, number, account=self.account.name, uidl=uidl, size=size)
        self.writer.add([row])
        self.flagged.add(uidl)

    def _fetch(self, session: Session, listing: Listing, numbers: Sequence[int]) -> None:
        done = 0
        try:
            for number, raw in session.retrieve(numbers, listing.sizes):
                done += 1
                if isinstance(raw, bytes):
                    self._store(number, raw, listing.uidls.get(number))
                    self.refusals = 0
                else:
                    self._fail(number, listing.uidls.get(number), str(raw))
                    self.refusals += 1
                    self.staged_all = False
                waited = time.monotonic() - self.committed_at
                if self.uncommitted >= COMMIT_OCTETS or waited >= COMMIT_SECONDS:
                    self._commit()
                if not self._goes_on():
                    self.staged_all = self.staged_all and done == len(numbers)  # the next are under way
                    return
                if self.refusals == MOST_REFUSALS:
                    break
        except POP3ConnectionError:
            if numbers:
                self._blame(list(map(listing.key, numbers[max(0, done - 1) : done + 1])))
            raise
        for number in numbers[done:]:
            reason = f"not asked for: the server refused {MOST_REFUSALS} in a row"
            self._fail(number, listing.uidls.get(number), reason)

    def _blame(self, between: Sequence[str | int]) -> None:
        """The connection broke between these two messages: decide which of them did it."""
        *before, last = between
        if self.refusals and before:  # what came for it was wrong already
            self.culprits.convict(before[0], self.tally.failed[-1].reason)
        else:
            self.culprits.blame(last)

    def _store(self, number: int, raw: bytes, uidl: str | None) -> None:
        row = as_row(raw, number, account=self.account.name, uidl=uidl, keep_raw=self.keep_raw)
        self.tally.octets += len(raw)
        self.uncommitted += len(raw)
        self.tally.left -= 1
        if self.selection.is_old(row.received_at):  # there was no TOP to tell it before
            self.tally.skipped += 1
            self.ages.old.update({uidl} if uidl else ())
            self.staged_all = False
        elif self.writer.add([row]):
            self.tally.staged += 1
            self.losses = 0
            if uidl is not None:
                # One that begins with a dot may have lost another on the way: to be looked at again.
                self.fetched[uidl] = None if raw.startswith(b".") else row.content_hash
        else:
            self.staged_all = False  # stored before, perhaps without its bytes
        self.bar.step(len(raw))

    def _fail(self, number: int, uidl: str | None, reason: str) -> None:
        self.tally.fail(number, uidl, reason)
        self.bar.step(0)
