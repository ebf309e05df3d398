"""`pop3frames export`: one mailbox into a dataset."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from pop3frames.cli.connecting import Connecting, connects
from pop3frames.cli.failures import plain_errors
from pop3frames.cli.octets import octets
from pop3frames.cli.shown import show_report

EXIT_FAILED_MESSAGES = 3  # the run is complete, but some messages are not in the dataset


@click.command()
@connects
@click.option("--dataset", required=True, type=click.Path(), help="Folder of the dataset; made if missing.")
@click.option("--account", help="Its name in the dataset.  [default: USERNAME@HOST]")
@click.option("--keep-raw", is_flag=True, help="Keep the original bytes of every mail as well.")
@click.option("--delete", is_flag=True, help="Then delete from the server what is stored with its bytes.")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), help="Not older than this day (UTC), by its date."
)
@click.option("--max-size", type=octets, help="Not larger, such as 5MB or 300kB; as the server lists it.")
@click.option("--limit", type=click.IntRange(min=1), help="Store at most so many; the next run goes on.")
@click.option("--newest-first", is_flag=True, help="Begin with what the server lists last.")
@click.option("--uidl", "uidls", multiple=True, metavar="ID", help="Only this unique-id; can be repeated.")
@click.option("--progress/--no-progress", default=None, help="Force the bar on or off.")
def export(
    connecting: Connecting,
    dataset: str,
    account: str | None,
    keep_raw: bool,
    delete: bool,
    since: datetime | None,
    max_size: int | None,
    limit: int | None,
    newest_first: bool,
    uidls: tuple[str, ...],
    progress: bool | None,
) -> None:
    """Add what is new in a mailbox to a dataset. Without --delete nothing is deleted from the server.

    Run it again at any time: what the dataset has is not fetched again. Unless an option says where the
    password is, it is asked for. What --since, --max-size and --uidl leave out is neither stored nor deleted;
    with --since a mail without a readable date is stored. Exit status: 0 everything selected is stored, 1 the
    run could not go on, 3 it ended but some messages could not be fetched, or with --delete not deleted.
    """
    if not dataset:
        raise click.UsageError("--dataset must name a folder")
    if delete and not keep_raw:
        raise click.UsageError("--delete needs --keep-raw: only mail whose original bytes are kept may go")
    with plain_errors():
        source = connecting.account(account)
        from pop3frames.export.mailbox import export_mailbox

        try:
            report = export_mailbox(
                source,
                dataset,
                keep_raw=keep_raw,
                delete=delete,
                progress=progress,
                since=since.replace(tzinfo=UTC) if since else None,
                max_size=max_size,
                limit=limit,
                newest_first=newest_first,
                uidls=uidls or None,
            )
        except KeyboardInterrupt:
            click.echo("\nstopped: what was fetched whole is stored, the next run fetches the rest", err=True)
            raise
    show_report(report, Path(dataset))
    if report.failed or (report.deleted and (report.deleted.refused or report.deleted.unknown)):
        raise SystemExit(EXIT_FAILED_MESSAGES)
