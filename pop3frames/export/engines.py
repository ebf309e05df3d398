"""Where the exports of many accounts run: on threads of this process, or on the workers of a Dask cluster.

An engine is given accounts and gives reports back; whose turn it is, is decided in `fleet.py`. What a mail
holds never passes through here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pop3frames.client.credentials import SecretReference
from pop3frames.errors import POP3Error, POP3ExportError, POP3UsageError, printable
from pop3frames.export.accounts import Account
from pop3frames.export.fleetreport import AccountReport
from pop3frames.export.mailbox import export_mailbox
from pop3frames.export.progress import Progress
from pop3frames.frames.dataset import Dataset

if TYPE_CHECKING:
    import distributed

TICK = 0.25  # seconds between two looks at how far the threads are
RETRIES = 2  # of a task that failed by an error that is not ours; a dead worker's tasks move on without them
RESOURCE = "pop3:"  # and a host: what Dask workers may declare, so that its sessions are counted cluster-wide

log = logging.getLogger("pop3frames")
Options = Mapping[str, Any]  # keyword arguments of export_mailbox


class Engine(Protocol):
    """Runs exports; `messages` and `octets` are what they have fetched so far."""

    messages: int
    octets: int

    def start(self, account: Account) -> None:
        """Begin with it, soon."""

    def ended(self) -> list[AccountReport]:
        """Wait a moment; what has ended since the last call."""

    def stop(self) -> None:
        """Begin no more. What runs keeps what it has whole."""


def export_account(account: Account, dataset: Dataset, options: Options) -> AccountReport:
    """One account; an error of ours is told in its report."""
    try:
        return AccountReport(account.name, export_mailbox(account, dataset, **options))
    except POP3Error as exc:
        return _failed(account, exc)


def _failed(account: Account, error: BaseException) -> AccountReport:
    words = f"{type(error).__name__}: {error}" if isinstance(error, POP3Error) else _foreign(error)
    return AccountReport(account.name, getattr(error, "report", None), words)


def _foreign(error: BaseException) -> str:
    return f"{type(error).__name__}: {printable(str(error))}"


class Threads:
    """At most `workers` at once, in this process: enough where servers are waited for, not for more cores."""

    def __init__(self, workers: int, dataset: Dataset, options: Options) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="export")
        self._dataset, self._options = dataset, options
        self._running: dict[Future[AccountReport], Account] = {}
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards `messages` and `octets`
        self.messages = self.octets = 0

    def start(self, account: Account) -> None:
        self._running[self._pool.submit(self._export, account)] = account

    def _export(self, account: Account) -> AccountReport:
        watched = {"progress": _Counting(self._fetched), "stop": self._stopping.is_set}
        return export_account(account, self._dataset, {**self._options, **watched})

    def _fetched(self, octets: int) -> None:
        with self._lock:
            self.messages, self.octets = self.messages + 1, self.octets + octets

    def ended(self) -> list[AccountReport]:
        done, _ = wait(self._running, TICK, FIRST_COMPLETED)
        return [self._outcome(future, self._running.pop(future)) for future in done]

    def _outcome(self, future: Future[AccountReport], account: Account) -> AccountReport:
        error = future.exception()
        if error is None:
            return future.result()
        log.error("%s: the export failed", account.name, exc_info=error)
        return _failed(account, error)

    def stop(self) -> None:
        self._stopping.set()
        self._pool.shutdown(cancel_futures=True)


class _Counting:
    """Tells the octets of each message of one export, from counts that start anew in each session."""

    def __init__(self, fetched: Callable[[int], None]) -> None:
        self._fetched, self._octets = fetched, 0

    def __call__(self, progress: Progress) -> None:
        before = 0 if progress.messages == 1 else self._octets
        self._octets = progress.octets
        self._fetched(progress.octets - before)


class Cluster:
    """The workers of a Dask cluster. Accounts travel with references to their secrets, reports come back.

    Whatever Dask repeats (a worker died, before or after its report was fetched) finds in the dataset what
    was done already.
    """

    def __init__(self, client: distributed.Client, dataset: Dataset, options: Options) -> None:
        from distributed import as_completed

        self._client, self._dataset, self._options = client, dataset, options
        self._completed = as_completed(loop=client.loop, with_results=True, raise_errors=False)
        self._running: dict[Any, Account] = {}
        workers = client.scheduler_info()["workers"].values()
        self._declared = {name for worker in workers for name in worker["resources"]}
        self.messages = self.octets = 0

    def declares(self, hostname: str) -> bool:
        """Whether workers declare how many sessions this host may have from each of them."""
        return RESOURCE + hostname in self._declared

    def start(self, account: Account) -> None:
        host = account.hostname.casefold()
        future = self._client.submit(
            _on_worker,
            account,
            self._dataset.path,
            self._options,
            pure=False,  # two tasks that look alike are two tasks
            retries=RETRIES,
            resources={RESOURCE + host: 1} if self.declares(host) else None,
        )
        self._running[future] = account
        self._completed.add(future)

    def ended(self) -> list[AccountReport]:
        future, result = next(self._completed)
        account = self._running.pop(future)
        if isinstance(result, AccountReport):
            report = result
        else:  # the type, the error and the traceback of what the worker raised, or that it was cancelled
            error = result[1] if isinstance(result, tuple) else result
            report = AccountReport(account.name, None, f"not finished by the cluster: {_foreign(error)}")
        if report.report is not None:
            self.messages += report.report.new
            self.octets += report.report.octets
        return [report]

    def stop(self) -> None:
        self._client.cancel(list(self._running))


def check_cluster(client: distributed.Client, accounts: list[Account]) -> None:
    """POP3UsageError for what is no client, and for a secret that would have to travel itself or be typed."""
    from pop3frames.client.vault import extra

    if not isinstance(client, extra("distributed", "dask").Client) or client.asynchronous:
        raise POP3UsageError("client must be a distributed.Client, and not an asynchronous one")
    for account in accounts:
        name, instead = printable(account.name), "give a reference that every worker can resolve, such as"
        if not isinstance(account.secret, SecretReference):
            raise POP3UsageError(f"the secret of {name} does not travel: {instead} 'env:NAME'")
        if account.secret == SecretReference("prompt"):
            raise POP3UsageError(f"nobody can type the secret of {name} on a worker: {instead} 'env:NAME'")


def _on_worker(account: Account, path: Path, options: Options) -> AccountReport:
    store = options["attachments"]
    for folder in [path, *([store.path] if store else [])]:
        if not folder.is_dir():  # whoever started this has made it
            unseen = POP3ExportError(
                f"this worker does not see the folder {folder}: it must lie on a file system that all "
                "workers share, under one path"
            )
            return _failed(account, unseen)
    return export_account(account, Dataset(path), {**options, "progress": False})
