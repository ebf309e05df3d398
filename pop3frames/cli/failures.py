"""Errors as a person at a shell should see them: one sentence, what to do, and an exit status."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import click

from pop3frames.errors import POP3AuthenticationError, POP3BusyError, POP3Error

# How the arguments of Python, which our errors name, are written here.
_OPTIONS = {
    r"\b(encryption|auth)='([\w-]+)'": r"--\1 \2",
    r"\bpipelining=False\b": "--no-pipelining",
    r"\bkeep_raw=True \(--keep-raw\)": "--keep-raw",
    r"\bretrieve=True or --retrieve\b": "--retrieve",
    r"\bempty_mailbox=True\b": "--empty-mailbox",
    r"\butf8=True\b": "--utf8",
    r"\bcafile= or context=": "--cafile",
    r"\b(auth|cafile)=": r"--\1",
    r"a password itself must be wrapped: .*": "without --secret the password is asked for",
    r"name an environment variable or a keyring entry .*": (
        "give --password-env, --password-keyring or --secret"
    ),
}


def in_options(text: str) -> str:
    """The same, with options in place of arguments."""
    for argument, option in _OPTIONS.items():
        text = re.sub(argument, option, text)
    return text


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """An error of ours or of a file as one sentence and status 1; what an export had stored is told first."""
    try:
        yield
    except POP3Error as exc:
        report = getattr(exc, "report", None)
        if report is not None and getattr(report, "listed", True):
            click.echo(str(report), err=True)
        advice = _advice(exc)
        told = in_options(str(exc))
        raise click.ClickException(f"{told.rstrip('.')}. {advice}" if advice else told) from exc
    except OSError as exc:
        if exc.filename is None:  # of no file: a closed pipe, which click ends quietly
            raise
        raise click.ClickException(f"cannot use {exc.filename}: {exc.strerror}") from exc


@contextlib.contextmanager
def stopped(
    fate: str = "what was fetched whole is stored, the next run fetches the rest",
) -> Iterator[None]:
    """After Ctrl-C: what became of what was on its way."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\nstopped: {fate}", err=True)
        raise


def _advice(error: POP3Error) -> str:
    """What to do about a refusal: there the error holds only the server's own words."""
    if isinstance(error, POP3AuthenticationError):
        return "Check the user name and the password or token; many providers want an app password here"
    if isinstance(error, POP3BusyError):
        return "Try again in a few minutes: another program may be reading this mailbox"
    return ""
