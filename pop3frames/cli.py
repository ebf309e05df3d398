"""The shell's door: `pop3frames export | serve | demo`. Options, words and exit codes; the rest is below.

Heavy imports happen inside the commands, so that `--help` answers at once. A password is never an argument:
other users of the machine could read it in the list of processes.
"""

from __future__ import annotations

import contextlib
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pop3frames.errors import POP3AuthenticationError, POP3BusyError, POP3Error, printable

if TYPE_CHECKING:
    import pandas

    from pop3frames.export.mailbox import ExportReport

EXIT_FAILED_MESSAGES = 3  # the run is complete, but some messages are not in the dataset
_SHOWN = 25
_SHOWN_COLUMNS = ("received_at", "from_", "subject", "attachment_count", "size", "attachments")
_FAILURES_SHOWN = 20


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pop3frames")
def main() -> None:
    """Turn a POP3 mailbox into a Parquet dataset, and lose no mail on the way."""


@main.command()
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
    with _plain_errors():
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
    _show_report(report, Path(dataset))
    if report.failed:
        raise SystemExit(EXIT_FAILED_MESSAGES)


@main.command()
@click.argument("path", type=click.Path())
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: a free one.")
@click.option("--tls-port", type=click.IntRange(0, 65535), default=0, help="With --certfile: a free one.")
@click.option("--username", default="user", show_default=True)
@click.option("--password-env", metavar="NAME", help="Environment variable; default: a random password.")
@click.option("--certfile", type=click.Path(), help="PEM file with certificate chain: offers TLS.")
@click.option("--keyfile", type=click.Path(), help="PEM file with its key, if it is not in --certfile.")
def serve(
    path: str,
    port: int,
    tls_port: int,
    username: str,
    password_env: str | None,
    certfile: str | None,
    keyfile: str | None,
) -> None:
    """Serve PATH over POP3 on loopback: a folder of .eml files, an mbox file, or a dataset with raw bytes.

    Deletions last until the server ends; the files are never changed. Ends with Ctrl-C.
    """
    with _plain_errors():
        from pop3frames.client.credentials import SecretReference
        from pop3frames.server.embedded import EmbeddedServer, server_context

        password = SecretReference(f"env:{password_env}").resolve().reveal() if password_env else None
        server = EmbeddedServer(
            path,
            username=username,
            password=password,
            context=server_context(certfile, keyfile) if certfile else None,
            port=port,
            tls_port=tls_port,
        )
        with server, contextlib.suppress(KeyboardInterrupt):
            click.echo(f"{len(server.maildrop)} messages on {server.host}, port {server.port}")
            if server.tls_port:
                click.echo(f"TLS from the first byte on port {server.tls_port}, STLS on port {server.port}")
            click.echo(f"username: {username}")
            click.echo(f"password: {'as in ' + password_env if password_env else server.password}")
            click.echo("Ctrl-C ends it.")
            threading.Event().wait()


@main.command()
@click.argument("path", type=click.Path(), required=False)
@click.option("--dataset", type=click.Path(), default="demo-dataset", show_default=True)
def demo(path: str | None, dataset: str) -> None:
    """Export a sample mailbox (or the one at PATH) through the embedded server, and print what is in it."""
    with _plain_errors():
        from pop3frames.client.credentials import Secret
        from pop3frames.export.accounts import Account
        from pop3frames.export.mailbox import export_mailbox
        from pop3frames.frames.dataset import Dataset
        from pop3frames.server.embedded import EmbeddedServer

        with EmbeddedServer(path or sample_mailbox()) as server:
            account = Account(
                "demo", server.host, server.port, server.username, Secret(server.password), "none"
            )
            report = export_mailbox(account, dataset, keep_raw=True)
        _show_table(Dataset(dataset).read())
    _show_report(report, Path(dataset))


def sample_mailbox() -> Path:
    """The sample mailbox: beside the package in a wheel, in `data/` in a checkout."""
    package = Path(__file__).parent
    packaged = package / "sample_mailbox"
    return packaged if packaged.is_dir() else package.parent / "data" / "mailbox"


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """An error of ours or of a file as one sentence and status 1; what an export had stored is told first."""
    try:
        yield
    except POP3Error as exc:
        report = getattr(exc, "report", None)
        if report is not None and report.listed:
            click.echo(str(report), err=True)
        raise click.ClickException(f"{exc}{_advice(exc)}") from exc
    except OSError as exc:
        if exc.filename is None:  # of no file: a closed pipe, which click ends quietly
            raise
        raise click.ClickException(f"cannot use {exc.filename}: {exc.strerror}") from exc


def _advice(error: POP3Error) -> str:
    """What to do about a refusal: there the error holds only the server's own words."""
    if isinstance(error, POP3AuthenticationError):
        return ". Check the user name and the password; many providers want an app password here"
    if isinstance(error, POP3BusyError):
        return ". Try again in a few minutes: another program may be reading this mailbox"
    return ""


def _show_report(report: ExportReport, dataset: Path) -> None:
    click.echo(str(report))
    for failure in report.failed[:_FAILURES_SHOWN]:
        click.echo(
            f"  message {failure.number} ({failure.uidl or 'no unique-id'}): {printable(failure.reason)}"
        )
    if len(report.failed) > _FAILURES_SHOWN:
        click.echo(f"  ... and {len(report.failed) - _FAILURES_SHOWN} more")
    click.echo(f"dataset: {dataset.absolute()}")


def _show_table(frame: pandas.DataFrame) -> None:
    """The first rows and a few sums, with nothing in them that a terminal would obey."""
    from pop3frames.frames.schema import column_name

    dates, senders, subjects, counts, sizes, files = (frame[column_name(name)] for name in _SHOWN_COLUMNS)
    click.echo(_line("date", "from", "subject", "files", "octets"))
    dates = dates.dt.strftime("%Y-%m-%d %H:%M").fillna("(no date)")
    columns = [dates, senders.fillna("(nobody)"), subjects.fillna("(none)"), counts, sizes]
    for row in zip(*(column.head(_SHOWN) for column in columns), strict=True):
        click.echo(_line(*map(str, row)))
    if len(frame) > _SHOWN:
        click.echo(f"... and {len(frame) - _SHOWN} more")
    types = files.explode().dropna().map(lambda each: each[column_name("content_type")]).value_counts()
    click.echo(
        f"\n{len(frame)} messages of {senders.nunique()} senders, {int(types.sum())} attachments "
        f"({', '.join(f'{count} {name}' for name, count in types.head(4).items())})"
    )


def _line(date: str, sender: str, subject: str, files: str, octets: str) -> str:
    return f"{date:16}  {_fitted(sender, 34)}  {_fitted(subject, 42)}  {files:>5}  {octets:>6}"


def _fitted(text: str, width: int) -> str:
    """The text in exactly so many terminal cells: East Asian letters are two wide, combining marks none."""
    fitted, used = "", 0
    for letter in printable(text, width):
        cells = 0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        if used + cells > width:
            break
        fitted, used = fitted + letter, used + cells
    return fitted + " " * (width - used)
