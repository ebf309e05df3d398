"""Deleting from a server what is safe in a dataset: plan it, look at it, commit it. Never by default.

A mail goes only when its original bytes are in a committed part, were read back and hash to what the ledger
says, when its unique-id was matched again in the very session that deletes it, and, unless that session
fetched it, when what the server has under that id hashes to the same. Only +OK to QUIT confirms (RFC 1939
section 6).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pop3frames.client.connection import LISTINGS
from pop3frames.client.session import Session, log
from pop3frames.errors import POP3ConnectionError, POP3UsageError
from pop3frames.export.accounts import Account
from pop3frames.export.report import REASON, UIDL, DeletionReport
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.originals import Originals
from pop3frames.frames.schema import column_name

if TYPE_CHECKING:
    import pandas

Verify = Literal["hash", "uidl"]

MOST = 1000  # deletions in one commit, without a word more
DELETE = "delete"  # the plan's own column, beside the reason
_ACCOUNT, _HASH, _SIZE, _FROM, _SUBJECT, _RECEIVED = (
    column_name(name) for name in ("account", "content_hash", "size", "from_", "subject", "received_at")
)
_SHOWN = [_FROM, _SUBJECT, _RECEIVED, _SIZE, _HASH]


def check_kept(delete: bool, keep_raw: bool) -> None:
    """POP3UsageError for an export that is to delete what it does not keep."""
    if delete and not keep_raw:
        raise POP3UsageError(
            "delete=True needs keep_raw=True: only mail whose original bytes are kept may go"
        )


def plan_deletions(
    account: Account,
    dataset: Dataset | str | Path,
    *,
    before: datetime | None = None,
    larger_than: int | None = None,
    sender: str | None = None,
    uidls: Collection[str] | None = None,
) -> pandas.DataFrame:
    """What would go: a row for each message on the server, with `delete` and the `reason` where it stays.

    before        older than this moment, by the mail's own date; one without a date stays
    larger_than   octets
    sender        part of the From column, in any case
    uidls         only these

    Without rules: all that is safe in the dataset. Nothing is marked. Look at the plan, save it, set `delete`
    to False where you think better of it, and give it to `commit_deletions`.
    """
    import pandas

    if sender is not None and not sender.strip():
        raise POP3UsageError("an empty `sender` would mean everybody: leave it out if that is meant")
    if before is not None and before.tzinfo is None:
        raise POP3UsageError("`before` needs a time zone: datetime(2024, 1, 1, tzinfo=timezone.utc)")
    dataset = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    with account.asked().handler().operation(ahead=LISTINGS) as session:
        listed = session.numbers(session.sizes())
        every, usable = session.unique_ids(), session.usable_ids()
    stored = dataset.read([UIDL, *_SHOWN], account.name).dropna(subset=[UIDL]).set_index(UIDL)
    safe = dataset.safe(account.name, set(usable.values()))
    plan = pandas.DataFrame({UIDL: pandas.Series([every.get(number) for number in listed], dtype="str")})
    plan = plan.join(stored.astype({_SIZE: "Int64"}), on=UIDL)  # or one that is not stored makes them floats
    reasons = pandas.Series("", index=plan.index, dtype="str")
    rules = [
        (uidls is not None and ~plan[UIDL].isin(list(uidls or ())), "not among those named"),
        (before is not None and ~(plan[_RECEIVED] < before).fillna(False), "not older"),
        (larger_than is not None and ~(plan[_SIZE] > (larger_than or 0)).fillna(False), "not larger"),
        (sender is not None and ~_from(plan, sender or ""), "of another sender"),
        (~plan[UIDL].isin(list(safe)), "its original bytes are not in the dataset"),
        (~plan[UIDL].isin(list(usable.values())), "the server has no unique-id of its own for it"),
    ]
    for stays, reason in rules:
        if stays is not False:
            reasons = reasons.mask(stays, reason)
    plan.insert(0, DELETE, reasons == "")
    plan.insert(1, _ACCOUNT, account.name)
    plan[REASON] = reasons
    return plan


def _from(plan: pandas.DataFrame, sender: str) -> pandas.Series[bool]:
    return plan[_FROM].str.casefold().str.contains(sender.casefold(), regex=False).fillna(False).astype(bool)


def commit_deletions(
    account: Account,
    dataset: Dataset | str | Path,
    plan: pandas.DataFrame | Iterable[str],
    *,
    verify: Verify = "hash",
    seen: Mapping[str, int] | None = None,
    empty_mailbox: bool = False,
    most: int = MOST,
) -> DeletionReport:
    """Delete what the plan says, in one session; or these unique-ids. What cannot be proved safe stays.

    verify          "hash": fetch each message again and compare it with the dataset; "uidl": settle for the
                    unique-id and the LISTed size, which is weaker: some servers use an id twice
    seen            octets by unique-id, as they were LISTed when somebody chose these messages: what has
                    another size now is refused
    empty_mailbox   must be True where nothing would be left
    most            must be raised for more deletions than this

    POP3UsageError, and nothing is marked, for a plan that goes beyond the two, is another account's, or has
    other marks than True and False. POP3ConnectionError, with `.report`, when the connection is lost: what
    was marked by then is unknown, and by RFC 1939 still there.
    """
    dataset = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    wanted = _wanted(plan, account.name)
    if len(wanted) > most:
        raise POP3UsageError(f"{len(wanted)} deletions are more than {most}: pass most={len(wanted)}")
    report = DeletionReport(account.name)
    if not wanted:
        return report
    originals = dataset.originals(account.name, set(wanted))
    sizes = dataset.sizes(account.name) if verify == "uidl" else None
    handler = account.asked().handler()
    deleting = Deleting(report, wanted, seen or {})
    try:
        with handler.operation(ahead=LISTINGS) as session:
            listed = session.sizes()
            numbers = session.numbers(listed)
            if numbers and not empty_mailbox and _all_go(session, numbers, set(wanted)):
                raise POP3UsageError("nothing would be left in the mailbox: pass empty_mailbox=True")
            session.all_kept = deleting.mark(session, listed, originals, sizes)
    except POP3ConnectionError as exc:
        deleting.lost()
        exc.report = report
        raise
    deleting.settle(session)
    return report


def _all_go(session: Session, numbers: Iterable[int], wanted: set[str]) -> bool:
    uidls = session.unique_ids()
    return all(uidls.get(number) in wanted for number in numbers)


@dataclass
class Deleting:
    """The deletions of one session: those wanted are marked in it, and settled when it has ended."""

    report: DeletionReport
    wanted: Collection[str]
    seen: Mapping[str, int] = field(default_factory=dict)  # octets when they were chosen, where that is known
    marked: dict[str, None] = field(default_factory=dict)  # DELE was sent, and not refused

    def mark(
        self,
        session: Session,
        listed: Mapping[int, int],
        originals: Originals,
        sizes: Mapping[str, int] | None = None,
        fetched: Mapping[str, str | None] | None = None,
    ) -> bool:
        """DELE what can go, note why the rest stays. False when mail was RETRed that is to stay.

        listed    octets by number, as this session LISTed them
        originals what is durable: looked at again behind the last DELE
        sizes     octets of the stored mail: instead of fetching again, compare with LIST
        fetched   SHA-256 by unique-id of what was RETRed in this very session
        """
        safe = originals.hashes
        known, usable = set(session.unique_ids().values()), session.usable_ids()
        by_uidl = {uidl: number for number, uidl in usable.items()}
        going: dict[int, str] = {}
        for uidl in self.wanted:
            reason = _why_not(uidl, known, by_uidl, safe)
            if reason is None and uidl in self.seen and listed.get(by_uidl[uidl]) != self.seen[uidl]:
                reason = _CHANGED
            if reason is None:
                going[by_uidl[uidl]] = uidl
            else:
                self.report.refused[uidl] = reason
        proved = _proved(fetched or {}, safe)
        unproved = {number: uidl for number, uidl in going.items() if uidl not in proved}
        if sizes is None:
            different = _fetched_and_compared(session, unproved, listed, safe)
        else:
            different = [
                number for number, uidl in unproved.items() if listed.get(number) != sizes.get(uidl, -1)
            ]
        for number in different:
            uidl = going.pop(number)
            other = _OTHER_SIZE if uidl in (sizes or ()) else _RENUMBERED
            self.report.refused[uidl] = _OTHER_MAIL if sizes is None else other
        self._dele(session, going, originals)
        return sizes is not None or not (different or len(self.marked) < len(going))

    def _dele(self, session: Session, going: Mapping[int, str], originals: Originals) -> None:
        """DELE each. Where bytes go from the dataset meanwhile, RSET, and the rest is marked anew."""
        rest = going
        while rest:
            self.marked = dict.fromkeys(rest.values())  # all: they may be sent ahead of the first answer
            for number, error in session.delete_all(list(rest)):
                if error is not None:
                    del self.marked[rest[number]]
                    self.report.refused[rest[number]] = f"the server refused: {error}"
            gone = originals.gone(self.marked)
            if not gone:
                return
            session.reset()
            self.report.refused |= dict.fromkeys(gone, _NOT_STORED)
            kept, self.marked = self.marked.keys() - gone, {}
            rest = {number: uidl for number, uidl in rest.items() if uidl in kept}

    def settle(self, session: Session) -> None:
        """The session has ended: what was marked is confirmed by +OK to QUIT, else nobody knows."""
        if session.quit_confirmed is None:  # no QUIT was sent: nothing is deleted
            self.report.refused |= dict.fromkeys(self.marked, WOULD_HIDE)
        elif session.quit_confirmed:
            self.report.confirmed += self.marked
        else:
            self.lost()

    def lost(self) -> None:
        """The connection broke, or QUIT was not confirmed."""
        self.report.unknown += self.marked
        rest = [uidl for uidl in self.wanted if uidl not in self.marked and uidl not in self.report.refused]
        self.report.refused |= dict.fromkeys(rest, _NOT_REACHED)
        if self.marked:
            log.warning("%s: list again to see which marked messages were deleted", self.report.account)


_OTHER_MAIL = "what the server has under this unique-id could not be fetched, or is another mail"
_OTHER_SIZE = "LIST tells of another size than the dataset"
_CHANGED = "LIST tells of another size than when it was chosen: list the messages again"
_RENUMBERED = "its unique-id may be another than it was fetched under: verify by hash"
_NOT_STORED = "its original bytes are not in the dataset: exported without keep_raw (--keep-raw), or pruned"
_NOT_REACHED = "the connection was lost before it was marked"
WOULD_HIDE = "left: on this server (EXPIRE 0) a QUIT would also hide mail that was fetched and is to stay"


def _why_not(
    uidl: str, known: Collection[str], by_uidl: Collection[str], safe: Collection[str]
) -> str | None:
    if uidl not in known:
        return "it is not on the server any more"
    if uidl not in by_uidl:
        return "several messages have this unique-id"
    if uidl not in safe:
        return _NOT_STORED
    return None


def _proved(fetched: Mapping[str, str | None], safe: Mapping[str, str]) -> set[str]:
    """Those that came as they are stored, and no other as the same.

    Equal mails are fetched again: the server may have given one instead of another.
    """
    came = Counter(fetched.values())
    return {uidl for uidl, digest in fetched.items() if digest == safe.get(uidl) and came[digest] == 1}


def _fetched_and_compared(
    session: Session, uidls: Mapping[int, str], listed: Mapping[int, int], safe: Mapping[str, str]
) -> list[int]:
    """The numbers of those whose mail on the server is not, or may not be, the one in the dataset."""
    return [
        number
        for number, raw in session.retrieve(list(uidls), listed)
        if not isinstance(raw, bytes)
        or hashlib.sha256(raw).hexdigest() != safe[uidls[number]]
        # Dovecot 2.3 and Courier do not stuff a dot at the start of a mail: it may have lost one on the way,
        # every time it was fetched.
        or (raw.startswith(b".") and listed.get(number) != len(raw))
    ]


def _wanted(plan: Any, account: str) -> list[str]:
    """The unique-ids that are to go, each once. POP3UsageError for what is no plan of this account."""
    if isinstance(plan, str):
        raise POP3UsageError("one string is no plan: give a list of unique-ids")
    uidls = list(_marked(plan, account) if hasattr(plan, "columns") else plan)
    if not all(isinstance(uidl, str) for uidl in uidls):  # a CSV reader makes one number of 0001 and 1
        raise POP3UsageError('unique-ids must be strings: read a saved plan with dtype={"uidl": str}')
    return list(dict.fromkeys(uidls))


def _marked(plan: Any, account: str) -> Iterable[Any]:
    import pandas

    if not isinstance(plan, pandas.DataFrame):
        raise POP3UsageError("a plan is a pandas DataFrame, or give a list of unique-ids")
    if missing := {UIDL, DELETE} - set(plan.columns):
        raise POP3UsageError(f"this is no plan: it lacks the columns {sorted(missing)}")
    marks = plan[DELETE].tolist()
    if not all(map(pandas.api.types.is_bool, marks)):  # one cell edited by hand, and "False" is a true text
        raise POP3UsageError(f"the column {DELETE!r} of a plan must hold True or False and nothing else")
    going = plan[plan[DELETE].astype(bool)]
    if _ACCOUNT in plan.columns and not (going[_ACCOUNT] == account).all():
        raise POP3UsageError("this plan is another account's: there the unique-ids are of other mail")
    return going[UIDL].tolist()
