"""The shell's door: `pop3frames COMMAND`. Each command has a file of its own in this room.

Heavy imports happen inside the commands, so that `--help` answers at once. A password is never an argument:
other users of the machine could read it in the list of processes.
"""

from __future__ import annotations

import errno
from typing import Any

import click

from pop3frames.cli.accounts import accounts, export_all
from pop3frames.cli.checknotebooks import check_notebooks
from pop3frames.cli.credentials import credentials
from pop3frames.cli.delete import delete
from pop3frames.cli.demo import demo
from pop3frames.cli.doctor import doctor
from pop3frames.cli.export import export
from pop3frames.cli.headers import headers
from pop3frames.cli.record import record
from pop3frames.cli.serve import serve
from pop3frames.cli.upkeep import compact, prune, verify

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _Door(click.Group):
    """A group that says in one sentence that nothing more can be written: to a log on a full disk, say."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().main(*arguments, **options)
        except OSError as exc:
            if exc.errno not in _NO_ROOM:
                raise
            raise SystemExit(
                f"Error: nothing more can be written: {exc.strerror}. What a run had stored is safe."
            ) from exc


@click.group(cls=_Door, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pop3frames")
def main() -> None:
    """Turn a POP3 mailbox into a Parquet dataset, and lose no mail on the way."""


for _command in (
    accounts,
    check_notebooks,
    compact,
    credentials,
    delete,
    demo,
    doctor,
    export,
    export_all,
    headers,
    prune,
    record,
    serve,
    verify,
):
    main.add_command(_command)
