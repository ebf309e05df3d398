"""`pop3frames headers`: what is in a mailbox, by its headers alone. Nothing of it enters a dataset."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from pop3frames.cli.connecting import Connecting, connects
from pop3frames.cli.failures import plain_errors
from pop3frames.cli.shown import show_table
from pop3frames.errors import counted

EXIT_NOT_ALL = 3  # some messages gave no header


@click.command()
@connects
@click.option(
    "--output", type=click.Path(dir_okay=False), help="One Parquet file to write; replaced if there."
)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many messages.")
@click.option("--newest-first", is_flag=True, help="Begin with what the server lists last.")
def headers(connecting: Connecting, output: str | None, limit: int | None, newest_first: bool) -> None:
    """Print a table of the mailbox from its headers, or write it to a file.

    The server is asked for headers only (TOP), which marks nothing as read and hides nothing. Bodies,
    attachments and hashes are missing, so the file is no part of a dataset and is refused inside one. Exit
    status: 0 all is there, 1 the server could not be asked, 3 some messages gave no header.
    """
    with plain_errors():
        source = connecting.account().asked()
        from pop3frames.frames.batches import record_batches, to_dataframe
        from pop3frames.frames.dataset import enclosing_dataset
        from pop3frames.frames.parquet import write_file

        if output is not None and (dataset := enclosing_dataset(Path(output))):
            raise click.UsageError(f"{output} would lie in the dataset {dataset}: headers are no part of one")
        with source.handler() as handler, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of messages without a header: they are counted below
            numbers, _ = handler.list_messages()
            numbers = (numbers[::-1] if newest_first else numbers)[:limit]
            messages = handler.iter_headers(numbers)
            if output is None:
                frame = to_dataframe(messages)
            rows = write_file(output, record_batches(messages)) if output is not None else len(frame)
    if output is None:
        show_table(frame, whole=False)
    else:
        click.echo(f"{rows} headers: {Path(output).absolute()}")
    if rows < len(numbers):
        click.echo(f"{counted(len(numbers) - rows)} gave no header", err=True)
        raise SystemExit(EXIT_NOT_ALL)
