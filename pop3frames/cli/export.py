"""`pop3frames export`: one mailbox into a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from pop3frames.cli.failures import plain_errors
from pop3frames.cli.shown import show_report

EXIT_FAILED_MESSAGES = 3  # the run is complete, but some messages are not in the dataset


@click.command()
@click.option("--host", required=True, help="The POP3 server, such as pop.example.org.")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: 995 for ssl, 110 for tls and none.")
@click.option("--username", required=True, help="Who logs in.")
@click.option(
    "--encryption",
    type=click.Choice(["ssl", "tls", "none"]),
    default="ssl",
    show_default=True,
    help="ssl: TLS from the first byte; tls: STLS or failure; none: plain text.",
)
@click.option("--cafile", type=click.Path(), help="PEM file of a private CA to trust.")
@click.option("--password-env", metavar="NAME", help="Environment variable that holds the password.")
@click.option("--password-keyring", metavar="SERVICE", help="Service in the keyring that holds the password.")
@click.option("--dataset", required=True, type=click.Path(), help="Folder of the dataset; made if missing.")
@click.option("--account", help="Its name in the dataset.  [default: USERNAME@HOST]")
@click.option("--keep-raw", is_flag=True, help="Keep the original bytes of every mail as well.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 86_400, min_open=True),
    default=30,
    show_default=True,
    help="Seconds without an answer.",
)
@click.option("--progress/--no-progress", default=None, help="Force the bar on or off.")
def export(
    host: str,
    port: int | None,
    username: str,
    encryption: str,
    cafile: str | None,
    password_env: str | None,
    password_keyring: str | None,
    dataset: str,
    account: str | None,
    keep_raw: bool,
    timeout: float,
    progress: bool | None,
) -> None:
    """Add what is new in a mailbox to a dataset. Nothing is deleted from the server.

    Run it again at any time: what the dataset has is not fetched again. Without --password-env and
    --password-keyring the password is asked for. Exit status: 0 everything is stored, 1 the run could not go
    on, 3 it ended but some messages could not be fetched.
    """
    if not dataset:
        raise click.UsageError("--dataset must name a folder")
    if password_env and password_keyring:
        raise click.UsageError("give --password-env or --password-keyring, not both")
    reference = "prompt"
    if password_env:
        reference = f"env:{password_env}"
    elif password_keyring:
        reference = f"keyring:{password_keyring}/{username}"
    with plain_errors():
        from pop3frames.export.accounts import Account
        from pop3frames.export.mailbox import export_mailbox

        source = Account(
            name=account or f"{username}@{host}",
            hostname=host,
            port=port or (995 if encryption == "ssl" else 110),
            username=username,
            secret=reference,
            encryption=encryption,  # type: ignore[arg-type]  # click checked the choice
            cafile=cafile,
            timeout=timeout,
        )
        try:
            report = export_mailbox(source, dataset, keep_raw=keep_raw, progress=progress)
        except KeyboardInterrupt:
            click.echo("\nstopped: what was fetched whole is stored, the next run fetches the rest", err=True)
            raise
    show_report(report, Path(dataset))
    if report.failed:
        raise SystemExit(EXIT_FAILED_MESSAGES)
