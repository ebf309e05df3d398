"""Deleting from a server what is safe in a dataset: plan it, look at it, commit it. Never by default.

A mail goes only when its original bytes are in a committed part, were read back and hash to what the ledger
says, when its unique-id was matched again in the very session that deletes it, and, unless that session
fetched it, when what the server has under that id hashes to the same. Only +OK to QUIT confirms (RFC 1939
section 6).
"""

from __future__ import annotations

import hashlib
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
from pop3frames.frames.schema import column_name

if TYPE_CHECKING:
    import pandas

Verify = Literal["hash", "uidl"]

MOST = 1000  # deletions in one commit, without a word more
DELETE = "delete"  # the plan's own column, beside the reason
_HASH, _SIZE, _FROM, _SUBJECT, _RECEIVED = (
    column_name(name) for name in ("content_hash", "size", "from_", "subject", "received_at")
)
_SHOWN = [_FROM, _SUBJECT, _RECEIVED, _SIZE, _HASH]


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

    if before is not None and before.tzinfo is None:
        raise POP3UsageError("`before` needs a time zone: datetime(2024, 1, 1, tzinfo=timezone.utc)")
    dataset = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    with account.asked().handler().operation(ahead=LISTINGS) as session:
        listed = session.numbers(session.sizes())
        every, usable = session.unique_ids(), session.usable_ids()
    stored = dataset.read([UIDL, *_SHOWN], account.name).dropna(subset=[UIDL]).set_index(UIDL)
    safe = dataset.safe(account.name, set(usable.values()))
    plan = pandas.DataFrame({UIDL: pandas.Series([every.get(number) for number in listed], dtype="str")})
    plan = plan.join(stored, on=UIDL)
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
    empty_mailbox: bool = False,
    most: int = MOST,
) -> DeletionReport:
    """Delete what the plan says, in one session; or these unique-ids. What cannot be proved safe stays.

    verify          "hash": fetch each message again and compare it with the dataset; "uidl": settle for the
                    unique-id and the LISTed size, which is weaker: some servers use an id twice
    empty_mailbox   must be True where nothing would be left
    most            must be raised for more deletions than this

    POP3UsageError, and nothing is marked, for a plan that goes beyond the two. POP3ConnectionError, with
    `.report`, when the connection is lost: what was marked by then is unknown, and by RFC 1939 still there.
    """
    dataset = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    wanted = _wanted(plan)
    if len(wanted) > most:
        raise POP3UsageError(f"{len(wanted)} deletions are more than {most}: pass most={len(wanted)}")
    report = DeletionReport(account.name)
    if not wanted:
        return report
    with_sizes = verify == "uidl"
    safe = dataset.safe(account.name, set(wanted))
    sizes = _sizes(dataset, account.name) if with_sizes else {}
    handler = account.asked().handler()
    deleting = Deleting(report)
    try:
        with handler.operation(ahead=LISTINGS) as session:
            numbers = session.numbers(session.sizes())
            if numbers and not empty_mailbox and _all_go(session, numbers, set(wanted)):
                raise POP3UsageError("nothing would be left in the mailbox: pass empty_mailbox=True")
            session.all_kept = deleting.mark(session, wanted, safe, sizes if with_sizes else None)
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
    """The deletions of one session: marked in it, settled when it has ended."""

    report: DeletionReport
    marked: list[str] = field(default_factory=list)

    def mark(
        self,
        session: Session,
        wanted: Collection[str],
        safe: Mapping[str, str],
        sizes: Mapping[str, int] | None = None,
        fetched: Collection[str] = (),
    ) -> bool:
        """DELE what can go, note why the rest stays. False when mail was RETRed that is stored nowhere.

        safe      SHA-256 by unique-id of what is durable
        sizes     octets of the stored mail: instead of fetching again, compare with LIST
        fetched   unique-ids that were RETRed in this very session
        """
        listed, usable, known = session.sizes(), session.usable_ids(), set(session.unique_ids().values())
        by_uidl = {uidl: number for number, uidl in usable.items()}
        going: dict[int, str] = {}
        for uidl in wanted:
            reason = _why_not(uidl, known, by_uidl, safe)
            if reason is None:
                going[by_uidl[uidl]] = uidl
            else:
                self.report.refused[uidl] = reason
        unproved = {number: uidl for number, uidl in going.items() if uidl not in fetched}
        if sizes is None:
            different = _fetched_and_compared(session, unproved, listed, safe)
        else:
            different = [number for number, uidl in unproved.items() if listed.get(number) != sizes[uidl]]
        for number in different:
            self.report.refused[going.pop(number)] = _OTHER_MAIL if sizes is None else _OTHER_SIZE
        for number, error in session.delete_all(list(going)):
            if error is None:
                self.marked.append(going[number])
            else:
                self.report.refused[going[number]] = f"the server refused: {error}"
        return sizes is not None or not different

    def settle(self, session: Session) -> None:
        """The session has ended: what was marked is confirmed by +OK to QUIT, else nobody knows."""
        if session.quit_confirmed is None:
            self.report.refused |= dict.fromkeys(self.marked, _WOULD_HIDE)
        elif session.quit_confirmed:
            self.report.confirmed += self.marked
        else:
            self.lost()

    def lost(self) -> None:
        """The connection broke, or QUIT was not confirmed."""
        self.report.unknown += self.marked
        if self.marked:
            log.warning("%s: list again to see which marked messages were deleted", self.report.account)


_OTHER_MAIL = "what the server has under this unique-id could not be fetched, or is another mail"
_OTHER_SIZE = "LIST tells of another size than the dataset"
_WOULD_HIDE = "left: on this server (EXPIRE 0) a QUIT would hide mail that was fetched and is stored nowhere"


def _why_not(
    uidl: str, known: Collection[str], by_uidl: Collection[str], safe: Collection[str]
) -> str | None:
    if uidl not in known:
        return "it is not on the server any more"
    if uidl not in by_uidl:
        return "several messages have this unique-id"
    if uidl not in safe:
        return "its original bytes are not in the dataset (export it with keep_raw=True)"
    return None


def _fetched_and_compared(
    session: Session, uidls: Mapping[int, str], listed: Mapping[int, int], safe: Mapping[str, str]
) -> list[int]:
    """The numbers of those whose mail on the server is not, or may not be, the one in the dataset."""
    return [
        number
        for number, raw in session.retrieve(list(uidls), listed)
        if not isinstance(raw, bytes) or hashlib.sha256(raw).hexdigest() != safe[uidls[number]]
    ]


def _wanted(plan: Any) -> list[str]:
    """The unique-ids that are to go, each once."""
    if not hasattr(plan, "columns"):
        return list(dict.fromkeys(plan))
    if missing := {UIDL, DELETE} - set(plan.columns):
        raise POP3UsageError(f"this is no plan: it lacks the columns {sorted(missing)}")
    return list(dict.fromkeys(plan.loc[plan[DELETE].astype(bool), UIDL].dropna()))


def _sizes(dataset: Dataset, account: str) -> dict[str, int]:
    columns = dataset.to_table([UIDL, _SIZE], account).to_pydict()
    return dict(zip(columns[UIDL], columns[_SIZE], strict=True))
