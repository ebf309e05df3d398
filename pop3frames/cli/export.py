"""`pop3frames export`: one mailbox into a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pop3frames.cli.connecting import Connecting, connects
from pop3frames.cli.exporting import EXIT_FAILED_MESSAGES, exports
from pop3frames.cli.failures import plain_errors, stopped
from pop3frames.cli.shown import show_report


@click.command()
@connects
@exports
@click.option("--account", help="Its name in the dataset.  [default: USERNAME@HOST]")
@click.option("--uidl", "uidls", multiple=True, metavar="ID", help="Only this unique-id; can be repeated.")
def export(
    connecting: Connecting, dataset: str, rules: dict[str, Any], account: str | None, uidls: tuple[str, ...]
) -> None:
    """Add what is new in a mailbox to a dataset. Without --delete nothing is deleted from the server.

    Run it again at any time: what the dataset has is not fetched again. Unless an option says where the
    password is, it is asked for. What --since, --max-size and --uidl leave out is neither stored nor deleted;
    with --since a mail without a readable date is stored. Exit status: 0 everything selected is stored, 1 the
    run could not go on, 3 it ended but some messages could not be fetched, or with --delete not deleted.
    """
    with plain_errors(), stopped():
        source = connecting.account(account)
        from pop3frames.export.mailbox import export_mailbox

        report = export_mailbox(source, dataset, uidls=uidls or None, **rules)
    show_report(report, Path(dataset))
    if report.failed or (report.deleted and (report.deleted.refused or report.deleted.unknown)):
        raise SystemExit(EXIT_FAILED_MESSAGES)
