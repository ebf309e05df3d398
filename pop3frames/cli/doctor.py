"""`pop3frames doctor`: look a server over before an export, and say in plain words what it would meet."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

import click

from pop3frames.cli.failures import in_options, plain_errors
from pop3frames.protocol.sasl import MECHANISMS

if TYPE_CHECKING:
    from pop3frames.checkup.findings import Check

EXIT_NO_SESSION = 1  # nobody could connect, or log in
EXIT_PROBLEMS = 4  # a session is possible, and something in it would go wrong

_WIDEST = 120
_LABEL = 9  # cells of a verdict, and a blank


@click.command()
@click.argument("host")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: 995 for ssl, 110 for tls and none.")
@click.option("--username", help="Who logs in. Without it the check-up ends before the login.")
@click.option(
    "--encryption",
    type=click.Choice(["ssl", "tls", "none"]),
    default="ssl",
    show_default=True,
    help="ssl: TLS from the first byte; tls: STLS or failure; none: plain text.",
)
@click.option(
    "--auth",
    type=click.Choice(MECHANISMS, case_sensitive=False),
    help="How to log in; default: USER and PASS, or PLAIN where only that is offered.",
)
@click.option("--password-env", metavar="NAME", help="Environment variable that holds the password.")
@click.option("--password-keyring", metavar="SERVICE", help="Service in the keyring that holds the password.")
@click.option("--password-command", metavar="COMMAND", help="Program that prints the password.")
@click.option(
    "--secret", metavar="REFERENCE", help="Where the password or token is, such as crypt:FILE#NAME."
)
@click.option("--password", is_flag=True, help="Ask for the password: what happens anyway if no other says.")
@click.option("--cafile", type=click.Path(), help="PEM file of a private CA to trust.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 86_400, min_open=True),
    default=30,
    show_default=True,
    help="Seconds without an answer; all of it takes some two minutes at most.",
)
@click.option("--retrieve", is_flag=True, help="Fetch a few small messages even where that leaves a trace.")
def doctor(
    host: str,
    port: int | None,
    username: str | None,
    encryption: str,
    auth: str | None,
    password_env: str | None,
    password_keyring: str | None,
    password_command: str | None,
    secret: str | None,
    password: bool,
    cafile: str | None,
    timeout: float,
    retrieve: bool,
) -> None:
    """Look over the POP3 server HOST: can it be reached, is it safe, would an export work?

    Nothing is deleted, and no mail stays marked as read. Exit status: 0 no problem, 1 nobody can connect or
    log in, 4 there are problems.
    """
    references = [
        password_env and f"env:{password_env}",
        password_keyring and f"keyring:{password_keyring}/{username}",
        password_command and f"command:{password_command}",
        secret,
        "prompt" if password else None,
    ]
    given = [each for each in references if each]
    if len(given) > 1:
        raise click.UsageError("give only one option that says where the password is")
    if given and username is None:
        raise click.UsageError("a password needs --username")
    with plain_errors():
        from pop3frames.checkup.doctor import check_up, handler_for
        from pop3frames.client.credentials import SecretReference

        reference = None if username is None else SecretReference((given or ["prompt"])[0])
        handler = handler_for(
            host,
            port,
            username,
            reference,
            encryption,  # type: ignore[arg-type]  # click checked the choice
            timeout,
            auth=auth,
            cafile=cafile,
        )
        rows = check_up(handler, log_in=username is not None, retrieve=True if retrieve else None)
    _show(rows)
    status = exit_status(rows)
    if status:
        raise SystemExit(status)


def exit_status(rows: list[Check]) -> int:
    """What a script wants to know."""
    from pop3frames.checkup.stay import DOORS

    problems = [row.check for row in rows if row.verdict == "problem"]
    if set(problems) & set(DOORS):
        return EXIT_NO_SESSION
    return EXIT_PROBLEMS if problems else 0


def _show(rows: list[Check]) -> None:
    """Verdict, check and finding; below it what it means, where not all is well. Skipped ones on one line."""
    width = max(40, min(_WIDEST, shutil.get_terminal_size((80, 24)).columns))
    skipped: dict[str, list[str]] = {}
    for row in rows:
        if row.verdict == "skipped":
            skipped.setdefault(row.finding, []).append(row.check)
            continue
        _fill(f"{row.verdict:{_LABEL}}{row.check}: {in_options(row.finding)}", width)
        if row.verdict != "ok" and row.meaning:
            _fill(f"{'':{_LABEL}}-> {in_options(row.meaning)}", width)
    for reason, checks in skipped.items():
        _fill(f"{'skipped':{_LABEL}}{', '.join(checks)}: {in_options(reason)}", width)


def _fill(text: str, width: int) -> None:
    """Wrapped, with what follows the first line under its text."""
    first = text[:_LABEL]
    rest = textwrap.wrap(text[_LABEL:], width - _LABEL) or [""]
    click.echo("\n".join([first + rest[0], *(f"{'':{_LABEL}}{line}" for line in rest[1:])]))
