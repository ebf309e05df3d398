"""A mailbox as a person looks at it: connect, list, read one. Each opens a session, reads and closes it.

The mailbox's lock is never held while somebody thinks. Nothing is deleted here (`removal.py`) and nothing
kept on the disk (`storing.py`).
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

from traitlets import Bool, Instance, Tuple, Unicode

from pop3frames.client.connection import IDS, LISTINGS
from pop3frames.client.rows import header_row
from pop3frames.client.session import Session, log
from pop3frames.errors import POP3CommandError, POP3UsageError, counted
from pop3frames.export.accounts import Account
from pop3frames.export.progress import Progress
from pop3frames.message import Message
from pop3frames.parsing.parser import expects_attachments
from pop3frames.protocol.grammar import Verb
from pop3frames.widgets.facts import Facts, facts_of
from pop3frames.widgets.guarded import Guarded
from pop3frames.widgets.jobs import Job, Jobs
from pop3frames.widgets.marks import Marks
from pop3frames.widgets.packing import row_keys

PREVIEW_LINES = 1000  # of a body, to look at: a page of text, and most pictures
KEPT_OCTETS = 32 << 20  # of what was looked at last, so that going back asks nobody

NO_FETCH = (
    "Only the beginning is shown: on this server, fetching a whole message leaves a trace (it may be hidden "
    "or marked as read). Export it to read all of it."
)


_Identity = tuple[str | None, int, int]


@dataclass(frozen=True)
class Look:
    """What is known of one message: its row, and its first bytes, or all of them."""

    row: Message
    raw: bytes
    partial: bool


class Mailbox(Guarded):
    """One account, what its server can do, and the messages that were listed.

    account   where it is; set another one, and all that was seen of the last is dropped
    facts     what the server can do; None until it was asked
    rows      the listed messages (`Message`, headers only), in the server's order
    maybe     keys of rows whose headers let one expect attachments
    listed    whether they were listed: there may be none
    look      the message that is being looked at
    dataset   the folder that exports go to, and that must hold what is deleted
    """

    account = Instance(Account, allow_none=True)
    facts = Instance(Facts, allow_none=True)
    rows = Tuple()
    maybe = Instance(frozenset, args=())
    listed = Bool()
    look = Instance(Look, allow_none=True)
    dataset = Unicode("mail-dataset")

    def __init__(self, account: Account | None = None) -> None:
        super().__init__()
        self.jobs = Jobs()
        self.marks = Marks()
        self._kept: OrderedDict[_Identity, Look] = OrderedDict()
        if account is not None:
            self.use(account)

    def use(self, account: Account) -> None:
        """Go on with this account. POP3UsageError while work on another one goes on."""
        with self.changing():
            if account == self.account:
                return
            if self.jobs.busy:
                raise POP3UsageError(f"{self.jobs.busy} is still going on: wait for its end, or cancel it")
            self.jobs.cancel()
            self.rows, self.maybe, self.listed, self.facts, self.look = (), frozenset(), False, None, None
            self._kept.clear()
            self.marks.forget()
            self.account = account

    @property
    def by_key(self) -> dict[str, Message]:
        """The listed messages by unique-id; by "# 7" message 7, when it has none of its own."""
        return dict(zip(row_keys(self.rows), self.rows, strict=True))

    # Looking at the mailbox

    def check(self) -> Job[Facts]:
        """Log in and see what this server can do. No message is read."""
        return self.jobs.start("connecting", lambda _: self._check())

    def list_messages(self) -> Job[tuple[Message, ...]]:
        """The same, and read the headers of all messages: by TOP, which leaves no trace."""
        return self.jobs.start("listing the messages", self._list)

    def _check(self) -> Facts:
        with self.session() as session:
            facts = facts_of(session, session.sizes())
        self.facts = facts
        self.jobs.status = f"Connected: {counted(facts.messages)}."
        return facts

    def _list(self, job: Job[tuple[Message, ...]]) -> tuple[Message, ...]:
        rows: list[Message] = []
        hints: list[bool] = []
        with self.session() as session:
            sizes, usable = session.sizes(), session.usable_ids()
            facts, numbers = facts_of(session, sizes), session.numbers(sizes)
            for number, header in session.headers(numbers, sizes):
                job.go_on()
                known = header if isinstance(header, bytes) else b""  # without, it can be marked and exported
                size = sizes.get(number, len(known))
                rows.append(header_row(known, number, account=self._name, uidl=usable.get(number), size=size))
                hints.append(expects_attachments(known))
                job.tell(Progress(len(rows), len(numbers), 0, 0))
        with self.changing():
            gone = self.marks.uidls - {row.uidl for row in rows}
            if gone:
                self.marks.forget(gone)
            self.maybe = frozenset(compress(row_keys(rows), hints))
            self.facts, self.rows, self.listed = facts, tuple(rows), True
        lost = f" No longer there: {counted(len(gone), 'marked message')}." if gone else ""
        self.jobs.status = f"{counted(len(rows))} listed.{lost}"
        return self.rows

    # Looking at one message

    def read(self, key: str) -> Job[Look] | None:
        """Look at the beginning of a message, by TOP: no trace. None, if it was looked at a moment ago."""
        row = self._row(key)
        with self.changing():
            kept = self._kept.get(_identity(row))
        if kept is not None:
            self._show(kept)
            return None
        return self.jobs.start("reading a message", lambda job: self._read(job, row), brief=True)

    def read_whole(self, key: str) -> Job[Look]:
        """Fetch all of a message that is being looked at. POP3UsageError where that would leave a trace."""
        row = self._row(key)
        if self.facts is not None and not self.facts.safe_to_fetch:
            raise POP3UsageError(NO_FETCH)
        return self.jobs.start("reading a message", lambda job: self._read_whole(job, row), brief=True)

    def _read(self, job: Job[Look], row: Message) -> Look:
        with self.session(IDS) as session:
            try:
                raw = session.top(self._number(session, row), PREVIEW_LINES)
            except POP3CommandError as exc:
                log.warning("nothing to look at: %s", exc)
                raw = b""  # the whole one can still be asked for
        lines = raw.partition(b"\r\n\r\n")[2].count(b"\n")
        return self._show(Look(row, raw, partial=not raw or lines >= PREVIEW_LINES), job)

    def _read_whole(self, job: Job[Look], row: Message) -> Look:
        with self.session() as session:
            sizes = session.sizes()
            if not facts_of(session, sizes).safe_to_fetch:
                raise POP3UsageError(NO_FETCH)
            [(_, raw)] = session.retrieve([self._number(session, row)], sizes)
        if not isinstance(raw, bytes):
            raise raw
        return self._show(Look(row, raw, partial=False), job)

    def _show(self, look: Look, job: Job[Look] | None = None) -> Look:
        with self.changing():
            if job is not None:
                job.go_on()  # or somebody looks at another message, or at another mailbox, by now
            self._kept[_identity(look.row)] = look
            self._kept.move_to_end(_identity(look.row))
            while len(self._kept) > 1 and sum(len(each.raw) for each in self._kept.values()) > KEPT_OCTETS:
                self._kept.popitem(last=False)
            self.look = look
        return look

    # For the models beside this one

    @contextlib.contextmanager
    def session(self, ahead: Sequence[Verb] = LISTINGS) -> Iterator[Session]:
        """A session of its own, logged in and ended with the block; mail is neither deleted nor hidden."""
        if self.account is None:
            raise POP3UsageError("no mailbox is connected: fill in where it is, and connect")
        with self.account.handler().operation(ahead=ahead) as session:
            yield session

    def drop(self, uidls: Collection[str]) -> None:
        """These messages are no longer on the server."""
        with self.changing():
            gone = set(uidls)
            self.marks.forget(gone)
            self.rows = tuple(row for row in self.rows if row.uidl not in gone)
            if self.look is not None and self.look.row.uidl in gone:
                self.look = None

    @property
    def _name(self) -> str:
        return self.account.name if self.account is not None else ""

    def _row(self, key: str) -> Message:
        row = self.by_key.get(key)
        if row is None:
            raise POP3UsageError("this message is not in the list: list the messages again")
        return row

    def _number(self, session: Session, row: Message) -> int:
        """What the message is called in this session: numbers of another one say nothing."""
        for number, uidl in session.usable_ids().items():
            if uidl == row.uidl:
                return number
        if row.uidl is None and session.sizes().get(row.message_id) == row.size:
            return row.message_id  # without a unique-id nothing better is known; it is only looked at
        raise POP3UsageError("this message is no longer on the server: list the messages again")


def _identity(row: Message) -> _Identity:
    """What a message that was looked at is found by again."""
    return row.uidl, row.message_id if row.uidl is None else 0, row.size
