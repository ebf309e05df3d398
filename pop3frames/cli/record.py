"""`pop3frames record`: a mailbox into a folder that `pop3frames serve` replays."""

from __future__ import annotations

import click

from pop3frames.cli.connecting import Connecting, connects
from pop3frames.cli.failures import plain_errors
from pop3frames.cli.shown import show_failures

EXIT_FAILED_MESSAGES = 3  # the snapshot is whole but for some messages that could not be fetched


@click.command()
@connects
@click.argument("snapshot", type=click.Path())
@click.option(
    "--redact", is_flag=True, help="Replace addresses, names, texts and attachments by invented ones."
)
@click.option(
    "--key",
    metavar="REFERENCE",
    help="With --redact: where a key is, as for --secret; the same key gives the same inventions.",
)
@click.option("--newest", type=click.IntRange(min=1), metavar="COUNT", help="Only the last so many.")
@click.option("--progress/--no-progress", default=None, help="Force the bar on or off.")
def record(
    connecting: Connecting,
    snapshot: str,
    redact: bool,
    key: str | None,
    newest: int | None,
    progress: bool | None,
) -> None:
    """Record a mailbox into the folder SNAPSHOT, which `pop3frames serve` then replays.

    Unique-ids, sizes and octets are the server's own; with --redact sizes are about the same. Nothing is
    deleted from the server. Exit status: 0 all is recorded, 1 the run could not go on and the snapshot says
    so, 3 some messages could not be fetched.
    """
    if key and not redact:
        raise click.UsageError("--key is for --redact")
    with plain_errors():
        source = connecting.account()
        from pop3frames.client.credentials import SecretReference
        from pop3frames.export.snapshot import record_mailbox

        report = record_mailbox(
            source,
            snapshot,
            redact=redact,
            key=SecretReference(key) if key else None,
            newest=newest,
            progress=progress,
        )
    click.echo(str(report))
    show_failures(report.failed)
    click.echo(f"serve it: pop3frames serve {snapshot}")
    if report.failed:
        raise SystemExit(EXIT_FAILED_MESSAGES)
