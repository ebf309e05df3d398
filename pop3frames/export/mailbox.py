"""export_mailbox: one account into a dataset, nothing lost and nothing twice.

A run asks for the unique-ids, subtracts what the dataset has, fetches the rest and commits as it goes. What a
session is, is in `client/session.py`; how a part becomes durable, in `frames/parts.py`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
from pop3frames.export.deletion import WOULD_HIDE, Deleting
from pop3frames.export.progress import Progress, ProgressBar
from pop3frames.export.report import DeletionReport, ExportReport, FailedMessage
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.ledger import Known
from pop3frames.frames.parts import PartWriter
from pop3frames.protocol.grammar import DEFAULT_LIMITS

COMMIT_OCTETS = 256 << 20  # of raw mail: parts of 64 to 256 MB, the size readers like
COMMIT_SECONDS = 60.0  # a crash costs at most a minute of fetching again
MOST_LOSSES = 5  # connections lost one after another, with nothing stored in between, before a run gives up
RENUMBERED = 5  # a mailbox of at least so many mails, none of them known, is worth a warning
MOST_BREAKS = 2  # of the connection in one and the same message, before it is skipped and named
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
) -> ExportReport:
    """Add what is new in the mailbox to the dataset, and account for every message.

    keep_raw   keep the original bytes in the column `raw`
    delete     then delete from the server what is durable, by the rules of `export/deletion.py`
    progress   True or False: a bar or none; None: a bar where somebody can see it; or a function that is
               called with a Progress after every message

    Raises POP3ConnectionError or POP3ExportError, with `.report`, when the run could not go on: what was
    committed stays, the next run fetches the rest. Without `delete` nothing is deleted from the server.
    """
    if delete and not keep_raw:
        raise POP3UsageError(
            "delete=True needs keep_raw=True: only mail whose original bytes are kept may go"
        )
    dataset = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    known = dataset.known(account.name)
    writer = dataset.writer(account.name, known)
    account = account.asked()
    with ProgressBar(account.name, progress) as bar:
        run = _Run(account, known, writer, bar, keep_raw, dataset if delete else None)
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
    started: float = field(default_factory=time.monotonic)
    listed: int = 0
    left: int = 0
    new: int = 0
    staged: int = 0  # messages that wait for a commit: not stored yet
    staged_all: bool = True  # whether every RETR of the session at hand became a row
    octets: int = 0
    fetched: dict[str, str | None] = field(default_factory=dict)  # SHA-256 of those RETRed in this session
    deleted: DeletionReport | None = None
    flagged: set[str] = field(default_factory=set)  # unique-ids with a row, of messages that count as failed
    failed: list[FailedMessage] = field(default_factory=list)
    blamed: Counter[str | int] = field(default_factory=Counter)  # times a connection broke in this message
    fatal: dict[str | int, str] = field(default_factory=dict)  # messages not asked for again, and why
    losses: int = 0
    sessions: int = 0  # that were lost, in the whole run
    first: set[str | int] | None = None  # what the first session listed; what comes later is the next run's

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
                if not established or not self.listed or self.losses >= MOST_LOSSES:
                    raise
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
        left = self.left + self.staged
        known = max(0, self.listed - self.new - len(self.failed) - left)
        return ExportReport(
            account=self.account.name,
            listed=self.new + known + len(self.failed) + left,
            new=self.new,
            known=known,
            failed=tuple(self.failed),
            left=left,
            octets=self.octets,
            parts=tuple(commit.path for commit in self.writer.commits),
            seconds=time.monotonic() - self.started,
            deleted=self.deleted,
        )

    def _pass(self, session: Session) -> dict[int, int]:
        """Store what is new. The LISTed octets by number."""
        uidls, sizes = session.usable_ids(), session.sizes()
        numbers = session.numbers(sizes)
        if self.first is None:
            self.first = {_key(number, uidls) for number in numbers}
        numbers = [number for number in numbers if _key(number, uidls) in self.first]
        done = self.known.uidls - self.flagged
        waiting = [
            number
            for number in numbers
            if uidls.get(number) not in done or sizes.get(number, 0) > DEFAULT_LIMITS.message
        ]
        if len(waiting) == len(numbers) >= RENUMBERED and done and uidls:
            log.warning("%s: no unique-id is known; has the server renumbered its mail?", self.account.name)
        self.listed, self.left, self.failed = len(numbers), len(waiting), []
        self.staged_all, self.fetched = True, {}
        if not waiting:
            session.all_kept = True
            return sizes
        self.bar.start(len(waiting), sum(sizes.get(number, 0) for number in waiting))
        try:
            self._fetch(session, self._without_oversized(session, waiting, uidls, sizes), uidls, sizes)
        finally:
            # Whole messages are stored whatever ended the pass, Ctrl-C too; a failed commit explains itself.
            self._commit()
        # On a server that hides what was RETRed (EXPIRE 0), only kept bytes justify a QUIT.
        session.all_kept = self.keep_raw and self.staged_all
        return sizes

    def _delete(self, session: Session, sizes: dict[int, int]) -> Deleting | None:
        """Mark what the dataset holds, all of it, from earlier runs too."""
        if self.deleting_after is None:
            return None
        there, done = set(session.usable_ids().values()), self.known.uidls - self.flagged
        wanted = [uidl for uidl in session.usable_ids().values() if uidl in done]
        # Marked before a loss and not listed any more: only the server knows why.
        gone = [uidl for uidl in self.deleted.unknown if uidl not in there] if self.deleted else []
        self.deleted = DeletionReport(self.account.name, unknown=gone)
        if session.quit_hides_mail and not session.all_kept:  # so there will be no QUIT
            self.deleted.refused = dict.fromkeys(wanted, WOULD_HIDE)
            return None
        deleting = Deleting(self.deleted, wanted)
        try:
            safe = self.deleting_after.safe(self.account.name, set(wanted))
            stored_only = deleting.mark(session, sizes, safe, fetched=self.fetched)
        except POP3ConnectionError:
            deleting.lost()
            raise
        session.all_kept = session.all_kept and stored_only
        return deleting

    def _commit(self) -> None:
        if self.writer.rows:  # none: nothing is staged, or the disk refused it and the next run fetches it
            flags = self.writer.rows - self.staged
            commit = self.writer.commit()
            self.new += max(0, commit.rows - flags) if commit else 0
            self.staged = 0

    def _without_oversized(
        self, session: Session, waiting: list[int], uidls: dict[int, str], sizes: dict[int, int]
    ) -> list[int]:
        """The messages to RETR; the others, too large or twice fatal to a connection, count as failed."""
        asked = []
        for number in waiting:
            if sizes.get(number, 0) > DEFAULT_LIMITS.message:
                reason = f"LISTed with {sizes[number]} octets, the limit is {DEFAULT_LIMITS.message}"
                self._flag(session, number, uidls.get(number), sizes[number])
                self._fail(number, uidls.get(number), reason)
            elif reason := self.fatal.get(_key(number, uidls), ""):
                self._fail(number, uidls.get(number), reason)
            else:
                asked.append(number)
        # Those that broke a connection come last, so that several together cannot keep the run from the rest.
        return sorted(asked, key=lambda number: self.blamed[_key(number, uidls)])

    def _flag(self, session: Session, number: int, uidl: str | None, size: int) -> None:
        """A row with the headers only, so that the table shows what is missing."""
        if uidl is None or uidl in self.known.uidls or uidl in self.flagged or self.blamed[uidl]:
            return
        try:
            header = session.top(number, 0)
        except POP3CommandError as exc:
            log.warning("message %d has no header to show: %s", number, exc)
            return
        except POP3ConnectionError:
            self.blamed[uidl] += 1
            raise
        row = oversized_row(header, number, account=self.account.name, uidl=uidl, size=size)
        self.writer.add([row])
        self.flagged.add(uidl)

    def _fetch(
        self, session: Session, numbers: Sequence[int], uidls: dict[int, str], sizes: dict[int, int]
    ) -> None:
        committed, fetched, refusals, done = time.monotonic(), 0, 0, 0
        try:
            for number, raw in session.retrieve(numbers, sizes):
                done += 1
                if isinstance(raw, bytes):
                    self._store(number, raw, uidls.get(number))
                    fetched, refusals = fetched + len(raw), 0
                else:
                    self._fail(number, uidls.get(number), str(raw))
                    refusals += 1
                    self.staged_all = False
                if fetched >= COMMIT_OCTETS or time.monotonic() - committed >= COMMIT_SECONDS:
                    self._commit()
                    committed, fetched = time.monotonic(), 0
                if refusals == MOST_REFUSALS:
                    break
        except POP3ConnectionError:
            if numbers:
                self._blame(numbers[max(0, done - 1) : done + 1], refused=refusals > 0, uidls=uidls)
            raise
        for number in numbers[done:]:
            self._fail(
                number, uidls.get(number), f"not asked for: the server refused {MOST_REFUSALS} in a row"
            )

    def _blame(self, numbers: Sequence[int], *, refused: bool, uidls: dict[int, str]) -> None:
        """The connection broke between these two messages: decide which of them did it."""
        *before, last = (_key(number, uidls) for number in numbers)
        if refused and before:  # what came for it was wrong already
            self.fatal[before[0]] = f"{self.failed[-1].reason}; then the connection broke"
            return
        self.blamed[last] += 1
        if self.blamed[last] == MOST_BREAKS:
            self.fatal[last] = f"the connection broke {MOST_BREAKS} times while it was fetched"

    def _store(self, number: int, raw: bytes, uidl: str | None) -> None:
        row = as_row(raw, number, account=self.account.name, uidl=uidl, keep_raw=self.keep_raw)
        if self.writer.add([row]):
            self.staged += 1
            self.losses = 0
            if uidl is not None:
                # One that begins with a dot may have lost another on the way: to be looked at again.
                self.fetched[uidl] = None if raw.startswith(b".") else row.content_hash
        else:
            self.staged_all = False  # stored before, perhaps without its bytes
        self.octets += len(raw)
        self.left -= 1
        self.bar.step(len(raw))

    def _fail(self, number: int, uidl: str | None, reason: str) -> None:
        self.failed.append(FailedMessage(number, uidl, reason))
        self.left -= 1
        self.bar.step(0)


def _key(number: int, uidls: dict[int, str]) -> str | int:
    """What a message is remembered by in this run: its unique-id, else its number, which may shift."""
    return uidls.get(number) or number
