"""`pop3frames demo`: the main job on the sample mailbox, with nothing to set up."""

from __future__ import annotations

from pathlib import Path

import click

from pop3frames.cli.failures import plain_errors
from pop3frames.cli.shown import show_report, show_table


@click.command()
@click.argument("path", type=click.Path(), required=False)
@click.option("--dataset", type=click.Path(), default="demo-dataset", show_default=True)
def demo(path: str | None, dataset: str) -> None:
    """Export a sample mailbox (or the one at PATH) through the embedded server, and print what is in it."""
    with plain_errors():
        from pop3frames.client.credentials import Secret
        from pop3frames.export.accounts import Account
        from pop3frames.export.mailbox import export_mailbox
        from pop3frames.frames.dataset import Dataset
        from pop3frames.testing.mailboxes import served

        with served(path) as server:
            account = Account(
                "demo", server.host, server.port, server.username, Secret(server.password), "none"
            )
            report = export_mailbox(account, dataset, keep_raw=True)
        show_table(Dataset(dataset).read())
    show_report(report, Path(dataset))
