"""`pop3frames check-notebooks`: notebooks run again, their outputs compared with those that are stored."""

from __future__ import annotations

from pathlib import Path

import click

from pop3frames.cli.failures import plain_errors
from pop3frames.errors import counted

EXIT_FAILED = 4  # every notebook was run, and some are not as they are stored


@click.command("check-notebooks")
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("--mailbox", type=click.Path(), help="Serve it to each notebook, by POP3FRAMES_HOST and so on.")
@click.option("--lax", is_flag=True, help="Only errors count, unless a notebook's metadata says strict.")
@click.option("--update", is_flag=True, help="Run them and store the new outputs.")
@click.option(
    "--cell-timeout",
    type=click.FloatRange(0, 86_400, min_open=True),
    default=60,
    show_default=True,
    help="Seconds a cell may take.",
)
@click.option(
    "--sanitize-with",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="A file of patterns in nbval's format, beside ours. May be given several times.",
)
@click.option("--junit", type=click.Path(dir_okay=False), help="Write JUnit XML for a CI there.")
def check_notebooks(
    paths: tuple[str, ...],
    mailbox: str | None,
    lax: bool,
    update: bool,
    cell_timeout: float,
    sanitize_with: tuple[str, ...],
    junit: str | None,
) -> None:
    """Run the notebooks PATHS (or those in folders), each in a fresh kernel, and compare their outputs.

    Times, ports, folders, ids of widgets and memory addresses are not compared. Exit status: 0 all is as
    stored, 1 the run could not go on, 4 some notebooks failed.
    """
    with plain_errors():
        from pop3frames.testing.checks import Checks, notebooks
        from pop3frames.testing.reports import for_people, write_junit

        checks = Checks(
            strictness="lax" if lax else "strict",
            cell_seconds=cell_timeout,
            mailbox=Path(mailbox) if mailbox else None,
            sanitizers=tuple(map(Path, sanitize_with)),
        )
        found = notebooks(paths)
        if update:
            for path in found:
                click.echo(f"{'updated' if checks.update(path) else 'as it was':10}{path}")
            return
        results = []
        for path in found:
            results.append(checks.check(path))
            click.echo("\n".join(for_people(results[-1])))
        if junit:
            write_junit(Path(junit), results)
    failed = sum(not each for each in results)
    click.echo(f"{counted(len(results), 'notebook')}: {len(results) - failed} ok, {failed} failed")
    if failed:
        raise SystemExit(EXIT_FAILED)
