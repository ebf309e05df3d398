"""`pop3frames export`: one mailbox into a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from pop3frames.cli.connecting import Connecting, connects
from pop3frames.cli.failures import plain_errors, stopped
from pop3frames.cli.shown import show_report

EXIT_FAILED_MESSAGES = 3  # the run is complete, but some messages are not in the dataset


@click.command()
@connects
@click.option("--dataset", required=True, type=click.Path(), help="Folder of the dataset; made if missing.")
@click.option("--account", help="Its name in the dataset.  [default: USERNAME@HOST]")
@click.option("--keep-raw", is_flag=True, help="Keep the original bytes of every mail as well.")
@click.option("--delete", is_flag=True, help="Then delete from the server what is stored with its bytes.")
@click.option("--attachments", type=click.Path(), metavar="FOLDER", help="Keep decoded attachments there.")
@click.option("--progress/--no-progress", default=None, help="Force the bar on or off.")
def export(
    connecting: Connecting,
    dataset: str,
    account: str | None,
    keep_raw: bool,
    delete: bool,
    attachments: str | None,
    progress: bool | None,
) -> None:
    """Add what is new in a mailbox to a dataset. Without --delete nothing is deleted from the server.

    Run it again at any time: what the dataset has is not fetched again. Unless an option says where the
    password is, it is asked for. Exit status: 0 everything is stored, 1 the run could not go on, 3 it ended
    but some messages could not be fetched, or with --delete not deleted.
    """
    if not dataset:
        raise click.UsageError("--dataset must name a folder")
    if delete and not keep_raw:
        raise click.UsageError("--delete needs --keep-raw: only mail whose original bytes are kept may go")
    with plain_errors(), stopped():
        source = connecting.account(account)
        from pop3frames.export.mailbox import export_mailbox

        report = export_mailbox(
            source, dataset, keep_raw=keep_raw, delete=delete, attachments=attachments, progress=progress
        )
    show_report(report, Path(dataset))
    if report.failed or (report.deleted and (report.deleted.refused or report.deleted.unknown)):
        raise SystemExit(EXIT_FAILED_MESSAGES)
