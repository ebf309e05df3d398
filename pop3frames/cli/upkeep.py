"""`pop3frames compact | prune | verify`: a dataset kept small, and proved whole. No server is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pop3frames.cli.failures import plain_errors
from pop3frames.errors import counted, printable

if TYPE_CHECKING:
    from pop3frames.frames.dataset import Dataset

EXIT_NOT_WHOLE = 4  # the dataset was read to the end, and something in it is damaged, missing or doubled

_account = click.option("--account", help="Only this account.  [default: all]")


@click.command()
@click.argument("dataset", type=click.Path())
@_account
def compact(dataset: str, account: str | None) -> None:
    """Merge the small files of DATASET into large ones. Safe beside exports; no row changes."""
    with plain_errors():
        done = opened(dataset).compact(account)
    for each in done:
        merged = f"{counted(len(each.replaced), 'file')}, {counted(each.rows, 'row')}"
        click.echo(f"{merged} -> {each.path} ({each.nbytes / 1e6:.1f} MB)")
    click.echo(f"{counted(sum(len(each.replaced) for each in done), 'file')} became {len(done)}")


@click.command()
@click.argument("dataset", type=click.Path())
@click.option("--before", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Older than this day (UTC).")
@_account
@click.confirmation_option(
    prompt="Text, HTML and original bytes of older mail will be gone for good. Go on?", help="Do not ask."
)
def prune(dataset: str, before: datetime, account: str | None) -> None:
    """Strip text, HTML and original bytes from older rows of DATASET; the rows stay as the record.

    Mail without its original bytes can no longer be deleted from the server, and is not fetched again.
    """
    with plain_errors():
        done = opened(dataset).prune(before=before.replace(tzinfo=UTC), account=account)
    click.echo(f"{counted(done.rows, 'row')} pruned, {done.octets / 1e6:.1f} MB of text and bytes gone")


@click.command()
@click.argument("dataset", type=click.Path())
def verify(dataset: str) -> None:
    """Read all of DATASET and say whether it is whole. Exit status: 0 whole, 1 unreadable, 4 not whole."""
    with plain_errors():
        found = opened(dataset).verify()
    for line in str(found).splitlines():
        click.echo(printable(line, 1000))
    if not found:
        raise SystemExit(EXIT_NOT_WHOLE)


def opened(path: str) -> Dataset:
    """The dataset that is there: a wrong path must not pass for one that is whole, and empty."""
    from pop3frames.frames.dataset import Dataset, enclosing_dataset

    found = enclosing_dataset(Path(path) / "inside")
    if found != Path(path).absolute():
        instead = f": it lies in the dataset {found}" if found and Path(path).is_dir() else ""
        raise click.UsageError(f"there is no dataset at {path}{instead}")
    return Dataset(path)
