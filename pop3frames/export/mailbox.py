"""export_mailbox: one account into a dataset, nothing lost and nothing twice. How: `passes.py`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

from pop3frames.errors import POP3ConnectionError, POP3ExportError
from pop3frames.export.accounts import Account
from pop3frames.export.attachments import AttachmentStore, attachment_writer
from pop3frames.export.deletion import check_kept
from pop3frames.export.passes import Passes
from pop3frames.export.progress import Progress, ProgressBar
from pop3frames.export.report import ExportReport
from pop3frames.export.selection import Selection
from pop3frames.frames.dataset import Dataset


def export_mailbox(
    account: Account,
    dataset: Dataset | str | Path,
    *,
    keep_raw: bool = False,
    delete: bool = False,
    attachments: AttachmentStore | str | Path | None = None,
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
    attachments   a folder (not in the dataset) or AttachmentStore where decoded attachments are kept
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
    check_kept(delete, keep_raw)
    selection = Selection(since=since, max_size=max_size, limit=limit, newest_first=newest_first, uidls=uidls)
    dataset = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    known = dataset.known(account.name)
    writer = dataset.writer(account.name, known)
    kept = None if attachments is None else attachment_writer(attachments, dataset)
    account = account.asked()
    with ProgressBar(account.name, progress) as bar:
        run = Passes(account, dataset, known, writer, bar, keep_raw, kept, delete, selection, stop)
        try:
            run.drain()
        except (POP3ConnectionError, POP3ExportError) as exc:
            exc.report = run.report()
            raise
        return run.report()
