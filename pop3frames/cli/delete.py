"""`pop3frames delete`: from the server goes what is safe in a dataset, after a look at the plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from pop3frames.cli.connecting import Connecting, connects
from pop3frames.cli.failures import plain_errors, stopped
from pop3frames.cli.shown import show_plan, show_still_there
from pop3frames.cli.upkeep import opened
from pop3frames.errors import POP3ConnectionError, counted

EXIT_NOT_ALL = 3  # the run is complete, but some messages of the plan are still there, or nobody knows


@click.command()
@connects
@click.option("--dataset", required=True, type=click.Path(), help="The dataset that holds the mail.")
@click.option("--account", help="Its name in the dataset.  [default: USERNAME@HOST]")
@click.option("--before", type=click.DateTime(["%Y-%m-%d"]), help="Older than this day (UTC), by its date.")
@click.option(
    "--older-than", type=click.IntRange(1, 36_500), metavar="DAYS", help="The same, counted from now."
)
@click.option("--larger-than", type=click.IntRange(min=0), metavar="OCTETS")
@click.option("--sender", help="Part of the sender, such as @example.org.")
@click.option(
    "--verify",
    type=click.Choice(["hash", "uidl"]),
    default="hash",
    show_default=True,
    help="hash: fetch again and compare; uidl: settle for unique-id and size, which is weaker.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show the plan, delete nothing.")
@click.option("--empty-mailbox", is_flag=True, help="Needed where nothing would be left.")
@click.option("--most", type=click.IntRange(min=1), default=1000, show_default=True, help="At most so many.")
def delete(
    connecting: Connecting,
    dataset: str,
    account: str | None,
    before: datetime | None,
    older_than: int | None,
    larger_than: int | None,
    sender: str | None,
    verify: str,
    yes: bool,
    dry_run: bool,
    empty_mailbox: bool,
    most: int,
) -> None:
    """Delete mail from the server whose original bytes are in a dataset (exported with --keep-raw).

    Shows what would go, and asks. Without --before, --older-than, --larger-than and --sender that is all that
    is safe. Exit status: 0 all of it is deleted, 1 the run could not go on, 3 some messages are still there.
    """
    if before is not None and older_than is not None:
        raise click.UsageError("give --before or --older-than, not both")
    moment = before.replace(tzinfo=UTC) if before else None
    if older_than is not None:
        moment = datetime.now(UTC) - timedelta(days=older_than)
    with plain_errors():
        opened(dataset)
        source = connecting.account(account).asked()
        from pop3frames.export.deletion import commit_deletions, plan_deletions

        plan = plan_deletions(source, dataset, before=moment, larger_than=larger_than, sender=sender)
        going = show_plan(plan)
        if dry_run or not going:
            return
        _guard(going, len(plan), empty_mailbox, most)
        if not yes:
            click.confirm(f"Delete {counted(going)} from {source.hostname}?", abort=True)
        try:
            with stopped("nothing is deleted, unless it was at its end already; run it again to see"):
                report = commit_deletions(
                    source,
                    dataset,
                    plan,
                    verify=verify,  # type: ignore[arg-type]  # click checked the choice
                    empty_mailbox=empty_mailbox,
                    most=most,
                )
        except POP3ConnectionError as exc:
            click.echo(str(exc.report), err=True)
            show_still_there(exc.report, err=True)
            exc.report = None  # told
            raise
    click.echo(str(report))
    show_still_there(report)
    if report.refused or report.unknown:
        raise SystemExit(EXIT_NOT_ALL)


def _guard(going: int, listed: int, empty_mailbox: bool, most: int) -> None:
    """The two guards of the commit, before anybody is asked and in the words of the shell."""
    if going > most:
        raise click.ClickException(f"{going} messages are more than {most}: give --most {going}")
    if going == listed and not empty_mailbox:
        raise click.ClickException("nothing would be left in the mailbox: give --empty-mailbox")
