"""`pop3frames accounts` and `pop3frames export-all`: what is done with a file of many accounts."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pop3frames.cli.exporting import EXIT_FAILED_MESSAGES, exports
from pop3frames.cli.failures import plain_errors, stopped
from pop3frames.cli.shown import show_unfinished
from pop3frames.errors import POP3Error, counted, printable

if TYPE_CHECKING:
    from pop3frames.export.accounts import Account

EXIT_FAILED_ACCOUNTS = 1  # some accounts could not go on; the others are done

_CHECKED_AT_ONCE = 4


@click.command()
@click.argument("file", type=click.Path())
@click.option("--check", is_flag=True, help="Log in to each as well, and say what the server answers.")
def accounts(file: str, check: bool) -> None:
    """List the accounts of FILE (TOML), or name every mistake in it with its line.

    No password is fetched and no server asked, unless --check is given. Exit status: 0 all is well, 1 there
    are mistakes, or with --check a login that failed.
    """
    with plain_errors():
        from pop3frames.export.accountsfile import load_accounts

        listed = load_accounts(file)
        for account in listed:
            click.echo(_shown(account))
        click.echo(counted(len(listed), "account"))
        failures = _checked(listed) if check else 0
    if failures:
        raise SystemExit(EXIT_FAILED_ACCOUNTS)


@click.command()
@click.argument("file", type=click.Path())
@exports
@click.option("--account", "names", multiple=True, help="Only this one; can be repeated.  [default: all]")
@click.option(
    "--workers", type=click.IntRange(1, 1000), default=4, show_default=True, help="Accounts at once."
)
@click.option(
    "--per-host",
    type=click.IntRange(1, 1000),
    default=4,
    show_default=True,
    help="Sessions a server has at once.",
)
@click.option("--dask", metavar="ADDRESS", help="Let the workers of this Dask scheduler do it, not threads.")
def export_all(
    file: str,
    dataset: str,
    rules: dict[str, Any],
    names: tuple[str, ...],
    workers: int,
    per_host: int,
    dask: str | None,
) -> None:
    """Add what is new in the mailboxes of all accounts of FILE to one dataset.

    An account that cannot go on does not stop the others, and the next run goes on with it. --limit and the
    like hold for each account. Without --delete nothing is deleted from a server. Exit status: 0 everything
    selected is stored, 1 the run or an account could not go on, 3 some messages could not be fetched, or
    with --delete not deleted.
    """
    with plain_errors(), stopped():
        from pop3frames.export.accountsfile import load_accounts
        from pop3frames.export.fleet import export_accounts

        chosen = _named(load_accounts(file), names)
        with _client(dask) as client:
            report = export_accounts(
                chosen, dataset, workers=workers, per_host=per_host, client=client, **rules
            )
    show_unfinished(report)
    click.echo(report.summary)
    click.echo(f"dataset: {Path(dataset).absolute()}")
    if report.with_state("failed"):
        raise SystemExit(EXIT_FAILED_ACCOUNTS)
    if report.with_state("incomplete"):
        raise SystemExit(EXIT_FAILED_MESSAGES)


def _named(accounts: list[Account], names: tuple[str, ...]) -> list[Account]:
    if unknown := set(names) - {account.name for account in accounts}:
        raise click.UsageError(f"the file has no account named {', '.join(sorted(unknown))}")
    return [account for account in accounts if not names or account.name in names]


@contextmanager
def _client(address: str | None) -> Iterator[Any]:
    if address is None:
        yield None
        return
    from pop3frames.client.vault import extra

    try:
        client = extra("distributed", "dask").Client(address)
    except (OSError, ValueError) as exc:
        raise click.ClickException(f"no Dask scheduler answers at {address}: {exc}") from exc
    with client:
        yield client


def _shown(account: Account) -> str:
    where = f"{account.hostname}:{account.port} ({account.encryption})"
    return printable(f"{account.name}: {account.username} at {where}, secret: {account.secret.text}", 500)  # type: ignore[union-attr]  # from a file: a reference


def _checked(accounts: list[Account]) -> int:
    """Log in to each, several at once; how many failed."""
    asked = [account.asked() for account in accounts]
    failures = 0
    with ThreadPoolExecutor(_CHECKED_AT_ONCE) as pool:
        for account, answer in zip(asked, pool.map(_logged_in, asked), strict=True):
            if isinstance(answer, POP3Error):
                failures += 1
                told = f"FAILED, {type(answer).__name__}: {answer}"
            else:
                told = f"logged in, {counted(answer)}"
            click.echo(printable(f"{account.name}: {told}", 500))
    return failures


def _logged_in(account: Account) -> int | POP3Error:
    """How many messages there are, or why nobody can tell."""
    try:
        with account.handler() as handler:
            return handler.get_mailbox_stat()[0]
    except POP3Error as exc:
        return exc
