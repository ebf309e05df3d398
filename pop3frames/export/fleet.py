"""export_accounts: many accounts into one dataset, and no failure of one stops the others.

Here is decided whose turn it is; where the exports run, is in `engines.py`; what one does, in `mailbox.py`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pop3frames.errors import POP3UsageError, printable
from pop3frames.export.accounts import Account
from pop3frames.export.attachments import AttachmentStore, attachment_writer
from pop3frames.export.deletion import check_kept
from pop3frames.export.engines import Cluster, Engine, Options, Threads, check_cluster
from pop3frames.export.fleetreport import AccountReport, FleetReport
from pop3frames.export.progress import FleetBar, FleetProgress
from pop3frames.export.selection import Selection
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.parquet import storage_errors
from pop3frames.frames.parts import make_folder

if TYPE_CHECKING:
    import distributed


def export_accounts(
    accounts: Iterable[Account],
    dataset: Dataset | str | Path,
    *,
    workers: int = 4,
    per_host: int = 4,
    client: distributed.Client | None = None,
    keep_raw: bool = False,
    delete: bool = False,
    attachments: AttachmentStore | str | Path | None = None,
    progress: bool | Callable[[FleetProgress], object] | None = None,
    since: datetime | None = None,
    max_size: int | None = None,
    limit: int | None = None,
    newest_first: bool = False,
) -> FleetReport:
    """Add what is new in all these mailboxes to the dataset, and account for every account.

    workers    threads in this process; with a client the cluster decides how many run at once
    per_host   sessions that one server has from here at once. Where Dask workers declare a resource
               'pop3:HOST', that holds instead
    client     a `distributed.Client`: its workers do it. They must see the dataset under the same path, and
               resolve the secrets themselves: only references travel, and 'prompt' is refused
    progress   True or False: a bar or none; None: a bar where somebody can see it; or a function that is
               called with a FleetProgress now and then, in the thread of the caller

    The others are as for `export_mailbox`, for each account; so is `limit`. An account that cannot go on is
    in the report with its error. A password to be typed is asked for before anything starts.

    POP3UsageError, and nothing is started, for two accounts of one name or options that cannot be meant;
    POP3ExportError where no dataset could be. After an interruption (Ctrl-C) the dataset holds whole mails,
    each once; the next run fetches the rest.
    """
    started = time.monotonic()
    waiting = _checked(accounts, workers, per_host)
    dataset = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    dataset.check_writable()
    rules: Options = {"since": since, "max_size": max_size, "limit": limit, "newest_first": newest_first}
    Selection(**rules)  # before anything starts
    check_kept(delete, keep_raw)
    store = attachment_writer(attachments, dataset).store if attachments is not None else None
    options: Options = {"keep_raw": keep_raw, "delete": delete, "attachments": store, **rules}
    engine: Engine
    if client is None:
        waiting = [account.asked() for account in waiting]
        engine, turns = Threads(workers, dataset, options), Turns(waiting, per_host, most=workers)
    else:
        check_cluster(client, waiting)
        for folder in [dataset.path, *([store.path] if store else [])]:
            with storage_errors(f"make {folder}", "Nothing was changed."):
                make_folder(folder)  # so that a worker can tell whether it sees the same
        engine = Cluster(client, dataset, options)
        turns = Turns(waiting, per_host, unlimited=engine.declares)
    try:
        with FleetBar(progress) as bar:
            reports = _run(engine, turns, bar)
    finally:
        engine.stop()
    return FleetReport(tuple(reports[account.name] for account in waiting), time.monotonic() - started)


def _checked(accounts: Iterable[Account], workers: int, per_host: int) -> list[Account]:
    if isinstance(accounts, str | Path):
        raise POP3UsageError("give accounts, not a path: load_accounts(path) reads them from a file")
    if workers < 1 or per_host < 1:
        raise POP3UsageError("workers and per_host must be 1 or more")
    listed = list(accounts)
    twice = [name for name, count in Counter(account.name for account in listed).items() if count > 1]
    if twice:
        names = ", ".join(map(printable, twice))
        raise POP3UsageError(
            f"several accounts are named {names}: a dataset keeps accounts apart by their names"
        )
    return listed


def _run(engine: Engine, turns: Turns, bar: FleetBar) -> dict[str, AccountReport]:
    reports: dict[str, AccountReport] = {}
    failed = 0
    while True:
        while (account := turns.next()) is not None:
            engine.start(account)
        now = FleetProgress(len(reports), turns.total, failed, engine.messages, engine.octets)
        bar.show(now)
        if len(reports) == turns.total:
            return reports
        for report in engine.ended():
            reports[report.account] = report
            turns.ended(report.account)
            failed += report.state == "failed"


class Turns:
    """Whose turn it is: the first account in the order given whose host has room for one more session.

    `most` bounds all sessions together; a host for which `unlimited` is true has always room.
    """

    def __init__(
        self,
        accounts: Iterable[Account],
        per_host: int,
        *,
        most: int | None = None,
        unlimited: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._waiting = list(accounts)
        self.total = len(self._waiting)
        self._most = self.total if most is None else most
        self._per_host, self._unlimited = per_host, unlimited
        self._running: dict[str, str] = {}  # hosts by name of the account

    def next(self) -> Account | None:
        """The account to begin with now, if there is one."""
        if len(self._running) >= self._most:
            return None
        sessions = Counter(self._running.values())
        for index, account in enumerate(self._waiting):
            host = account.hostname.casefold()
            if sessions[host] < self._per_host or self._unlimited(host):
                del self._waiting[index]
                self._running[account.name] = host
                return account
        return None

    def ended(self, name: str) -> None:
        """The session of this account is over."""
        del self._running[name]
