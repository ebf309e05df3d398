"""The passes of one export over a mailbox: each in a session of its own, until nothing is left to fetch.

A pass asks for the unique-ids, subtracts what the dataset has, fetches what the rules select and commits as
it goes. The rules are in `selection.py`; what a session is, in `client/session.py`; how a part becomes
durable, in `frames/parts.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pop3frames.client.connection import LISTINGS
from pop3frames.client.retry import Retry
from pop3frames.client.rows import as_row
from pop3frames.client.session import Session, log
from pop3frames.errors import POP3BusyError, POP3ConnectionError
from pop3frames.export.accounts import Account
from pop3frames.export.attachments import AttachmentWriter
from pop3frames.export.clearing import Clearing
from pop3frames.export.culprits import Culprits
from pop3frames.export.oversized import Oversized
from pop3frames.export.progress import ProgressBar
from pop3frames.export.renumbering import Renumbering
from pop3frames.export.report import ExportReport, Tally
from pop3frames.export.selection import HEADERS_AHEAD, Ages, Listing, Selection
from pop3frames.export.slices import Slices
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.ledger import Known
from pop3frames.frames.parts import PartWriter
from pop3frames.message import Message

COMMIT_OCTETS = 256 << 20  # of raw mail: parts of 64 to 256 MB, the size readers like
COMMIT_SECONDS = 60.0  # a crash costs at most a minute of fetching again
MOST_LOSSES = 5  # connections lost one after another, with nothing stored in between, before a run gives up
PAUSES = Retry()  # between a lost session and the next: longer and longer, whatever the sessions brought
LONGEST_PAUSE = 6  # doublings: some 16 seconds
MOST_REFUSALS = 20  # RETRs refused one after another: a quota, or a mailbox gone away; asking on is hammering


@dataclass
class Passes:
    """One export: passes over the mailbox, each in a session of its own, until nothing is left to fetch."""

    account: Account
    dataset: Dataset
    known: Known
    writer: PartWriter
    bar: ProgressBar
    keep_raw: bool
    attachments: AttachmentWriter | None
    delete: bool
    selection: Selection
    stop: Callable[[], bool] | None
    tally: Tally = field(default_factory=Tally)
    culprits: Culprits = field(default_factory=Culprits)
    stopped: bool = False
    staged_all: bool = True  # whether every RETR of the session at hand became a row, and stayed one
    fetched: dict[str, str | None] = field(default_factory=dict)  # SHA-256 of those RETRed in this session
    earlier: set[str] = field(default_factory=set)  # unique-ids fetched in the sessions before
    seen: set[str] = field(default_factory=set)  # unique-ids listed in the sessions that hid their mail
    refusals: int = 0  # of RETR, one after another
    uncommitted: int = 0  # octets fetched since the last commit
    committed_at: float = field(default_factory=time.monotonic)
    losses: int = 0
    sessions: int = 0  # that were lost, in the whole run
    first: Listing | None = None  # what comes later is the next run's

    def __post_init__(self) -> None:
        self.ages = Ages(self.selection)
        self.slices = Slices(self.account.name, keep_raw=self.keep_raw)
        self.renumbering = Renumbering(self.dataset, self.known)
        self.oversized = Oversized(self.account.limits.message, self.known, self.writer, self.culprits)
        self.clearing = Clearing(self.account.name, self.dataset, self.selection, self._holds)

    def drain(self) -> None:
        """Sessions until nothing is left to fetch: a new one after a loss, and for what the server hid."""
        handler = self.account.handler()
        while True:
            established = False
            try:
                with handler.operation(ahead=LISTINGS) as session:
                    established, login_at = True, time.monotonic()
                    listing, deleting = self._pass(session), None
                    if self.delete:
                        deleting = self.clearing.mark(session, listing, self.fetched, stopped=self.stopped)
                    hides = session.quit_hides_mail
                    not_before = login_at + (session.login_delay if hides else 0)
                if deleting is not None:
                    deleting.settle(session)
                if not hides or not self._shows_more(session, listing, not_before):
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
                if self.slices.count:
                    log.warning("%s: there may be more mail (%s): run it again later", self.account.name, exc)
                    return
                if not self.losses:
                    raise
                raise POP3ConnectionError(
                    f"the connection was lost, and the server does not let us in again yet ({exc}): "
                    "run it again later"
                ) from exc

    def _shows_more(self, session: Session, listing: Listing, not_before: float) -> bool:
        """After a session whose QUIT hides what it fetched: whether to look what is listed now."""
        if not self.slices.moved(session) or not self.fetched or self.stopped or not self._room(1):
            return False
        self.first, self.losses = None, 0
        self.seen.update(listing.uidls.values())
        return self.slices.more(not_before, self._goes_on, PAUSES.sleep)

    def report(self) -> ExportReport:
        parts = (commit.path for commit in self.writer.commits)
        return self.tally.report(self.account.name, parts, self.clearing.report)

    def _goes_on(self) -> bool:
        """False from the moment at which whoever started the run wants it to end."""
        self.stopped = self.stopped or (self.stop is not None and self.stop())
        return not self.stopped

    def _pass(self, session: Session) -> Listing:
        """Store what is new and selected."""
        listing = Listing.of(session, self.known)
        numbers = self._of_this_run(listing)
        self.earlier.update(self.fetched)
        self.staged_all, self.fetched, self.refusals = True, {}, 0
        if self.slices.count:
            self.tally.hidden = self._hidden(set(listing.uidls.values()))
        waiting = self._unknown(listing, numbers)
        self.tally.begin(len(numbers), len(waiting), skipped=0)
        self.renumbering.begin(listing)
        if sampled := self.renumbering.recognise(session, listing, waiting, self._goes_on):
            self.tally.octets += sampled
            listing, self.staged_all = listing.compared(self.known), False
            waiting = self._unknown(listing, numbers)
            self.renumbering.begin(listing)
        chosen = self.selection.admitted(listing, waiting)
        if self.ages.old:
            chosen = [number for number in chosen if listing.uidls.get(number) not in self.ages.old]
        self.tally.begin(len(numbers), len(chosen), skipped=len(waiting) - len(chosen))
        if not chosen:
            session.all_kept = self.staged_all
            return listing
        shown = chosen[: self.selection.limit]
        self.bar.start(len(shown), listing.octets(shown))
        try:
            for numbers in self._rounds(session, listing, self._fetchable(session, listing, chosen)):
                self._fetch(session, listing, numbers)
        finally:
            # Whole messages are stored whatever ended the pass, Ctrl-C too; a failed commit explains itself.
            self._commit()
        # On a server that hides what was RETRed (EXPIRE 0), only kept bytes justify a QUIT.
        session.all_kept = self.keep_raw and self.staged_all
        return listing

    def _hidden(self, listed: set[str]) -> int:
        """How many messages of earlier sessions are in the dataset and not listed any more."""
        known = sum(map(self._holds, self.seen - self.earlier - listed))
        return self.tally.new - len(self.earlier & listed) + known

    def _of_this_run(self, listing: Listing) -> Sequence[int]:
        """Those that the first session listed: what comes later is the next run's."""
        if self.first is None:
            self.first = listing
        if self.first is listing:
            return listing.numbers
        first = set(map(self.first.key, self.first.numbers))
        return [number for number in listing.numbers if listing.key(number) in first]

    def _unknown(self, listing: Listing, numbers: Sequence[int]) -> list[int]:
        """Those of the messages that the dataset does not have, and those that are too large for it."""
        unknown, most, flagged = set(listing.fresh), self.oversized.most, self.oversized.flagged
        if listing.largest > most:
            unknown.update(number for number, size in listing.sizes.items() if size > most)
        if flagged:
            unknown.update(number for number, uidl in listing.uidls.items() if uidl in flagged)
        return sorted(unknown.intersection(numbers))

    def _holds(self, uidl: str | None) -> bool:
        """Whether the dataset has that mail."""
        return uidl in self.known.uidls and uidl not in self.oversized.flagged

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

    def _commit(self) -> None:
        self.committed_at, self.uncommitted = time.monotonic(), 0
        self.renumbering.settle()
        if self.writer.rows:  # none: nothing is staged, or the disk refused it and the next run fetches it
            flags = self.writer.rows - self.tally.staged
            if self.attachments is not None:
                self.attachments.sync_before(self.writer)
            commit = self.writer.commit()
            if commit is None or commit.dropped:  # rows that are there already, perhaps without their bytes
                self.staged_all = False
            self.tally.new += max(0, commit.rows - flags) if commit else 0
            self.tally.staged = 0

    def _fetchable(self, session: Session, listing: Listing, waiting: list[int]) -> list[int]:
        """The messages to RETR; the others, too large or twice fatal to a connection, count as failed."""
        if not self.culprits and listing.largest <= self.oversized.most:
            return waiting
        asked = []
        for number in waiting:
            if reason := self.oversized.reason(listing, number):
                self.oversized.flag(session, listing, number)
            reason = reason or self.culprits.verdict(listing.key(number))
            if reason:
                self._fail(number, listing.uidls.get(number), reason)
            else:
                asked.append(number)
        return sorted(asked, key=lambda number: self.culprits.blamed(listing.key(number)))

    def _fetch(self, session: Session, listing: Listing, numbers: Sequence[int]) -> None:
        done = 0
        try:
            for number, raw in session.retrieve(numbers, listing.sizes):
                done += 1
                if isinstance(raw, bytes):
                    self._store(number, raw, listing)
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

    def _store(self, number: int, raw: bytes, listing: Listing) -> None:
        uidl = listing.uidls.get(number)
        row = as_row(raw, number, account=self.account.name, uidl=uidl, keep_raw=self.keep_raw)
        self.tally.octets += len(raw)
        self.uncommitted += len(raw)
        self.tally.left -= 1
        if self.selection.is_old(row.received_at):  # there was no TOP to tell it before
            self.tally.skipped += 1
            self.ages.old.update({uidl} if uidl else ())
            self.staged_all = False
        else:
            self._stage(row, raw, uidl, listing.sizes.get(number, 0))
        self.bar.step(len(raw))

    def _stage(self, row: Message, raw: bytes, uidl: str | None, listed: int) -> None:
        self.renumbering.arrived(uidl, row.content_hash)
        if self.attachments is not None:
            row.attachment_hashes = self.attachments.keep(raw, row.attachments)
        if not self.writer.add([row]):
            self.staged_all = False  # stored before, perhaps without its bytes
            return
        self.tally.staged += 1
        self.losses = 0
        if uidl is not None:
            # One that begins with a dot may have lost another on the way, one that is shorter than LIST told
            # its end: before they are deleted they are fetched again.
            doubtful = raw.startswith(b".") or len(raw) < listed
            self.fetched[uidl] = None if doubtful else row.content_hash

    def _fail(self, number: int, uidl: str | None, reason: str) -> None:
        self.tally.fail(number, uidl, reason)
        self.bar.step(0)
