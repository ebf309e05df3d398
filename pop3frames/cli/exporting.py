"""The options that say what an export does with a mailbox: the same for one account and for many."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC
from typing import Any

import click

from pop3frames.cli.octets import octets

EXIT_FAILED_MESSAGES = 3  # the run is complete, but some messages are not in the dataset

_OPTIONS = (
    click.option(
        "--dataset", required=True, type=click.Path(), help="Folder of the dataset; made if missing."
    ),
    click.option("--keep-raw", is_flag=True, help="Keep the original bytes of every mail as well."),
    click.option("--delete", is_flag=True, help="Then delete from the server what is stored with its bytes."),
    click.option(
        "--attachments", type=click.Path(), metavar="FOLDER", help="Keep decoded attachments there."
    ),
    click.option(
        "--since", type=click.DateTime(["%Y-%m-%d"]), help="Not older than this day (UTC), by its date."
    ),
    click.option("--max-size", type=octets, help="Not larger, such as 5MB or 300kB; as the server lists it."),
    click.option("--limit", type=click.IntRange(min=1), help="Store at most so many; the next run goes on."),
    click.option("--newest-first", is_flag=True, help="Begin with what the server lists last."),
    click.option("--progress/--no-progress", default=None, help="Force the bar on or off."),
)
_NAMES = ("keep_raw", "delete", "attachments", "since", "max_size", "limit", "newest_first", "progress")


def exports(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command those options; it is called with `dataset=` and, for an export, `rules=`."""

    @functools.wraps(command)
    def with_rules(**options: Any) -> None:
        rules = {name: options.pop(name) for name in _NAMES}
        if not options["dataset"]:
            raise click.UsageError("--dataset must name a folder")
        if rules["delete"] and not rules["keep_raw"]:
            raise click.UsageError(
                "--delete needs --keep-raw: only mail whose original bytes are kept may go"
            )
        if rules["since"] is not None:
            rules["since"] = rules["since"].replace(tzinfo=UTC)
        command(rules=rules, **options)

    for option in reversed(_OPTIONS):
        with_rules = option(with_rules)
    return with_rules
