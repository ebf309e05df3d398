"""`pop3frames credentials`: the encrypted credentials file that 'crypt:FILE#NAME' refers to.

A secret is typed without echo or comes from a pipe; it is never an argument and never printed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from pop3frames.cli.failures import plain_errors

if TYPE_CHECKING:
    from pop3frames.client.credentials import Secret


@click.group()
def credentials() -> None:
    """Keep passwords in an encrypted file, for machines without a keyring.

    The key is read from the environment variable POP3FRAMES_KEY. Whoever has both the file and the key has
    the passwords, so keep them apart.
    """


@credentials.command()
def new_key() -> None:
    """Print a new random key, for POP3FRAMES_KEY."""
    with plain_errors():
        from pop3frames.client import vault

        click.echo(vault.new_key())


@credentials.command(name="set")
@click.argument("file", type=click.Path())
@click.argument("name")
def set_entry(file: str, name: str) -> None:
    """Keep a secret in FILE as NAME: typed without echo, or the first line of a pipe."""
    with plain_errors():
        from pop3frames.client.vault import Vault
        from pop3frames.errors import printable

        vault = Vault(file)  # before anybody types: the key is there
        replaced = vault.set(name, _typed_or_piped(printable(name)))
        click.echo(f"{'replaced' if replaced else 'added'}: crypt:{printable(file)}#{printable(name)}")


@credentials.command(name="list")
@click.argument("file", type=click.Path())
def list_entries(file: str) -> None:
    """Print the names of the entries of FILE, never what they hold."""
    with plain_errors():
        from pop3frames.client.vault import Vault
        from pop3frames.errors import printable

        for name in Vault(file).names():
            click.echo(printable(name))


@credentials.command()
@click.argument("file", type=click.Path())
@click.argument("name")
def remove(file: str, name: str) -> None:
    """Forget the entry NAME of FILE."""
    with plain_errors():
        from pop3frames.client.vault import Vault
        from pop3frames.errors import printable

        Vault(file).remove(name)
        click.echo(f"removed {printable(name)}")


def _typed_or_piped(name: str) -> Secret:
    from pop3frames.client.credentials import Secret, SecretReference

    if sys.stdin.isatty():
        return SecretReference("prompt").resolve(f"Secret for {name}: ")
    line = sys.stdin.buffer.readline()
    return Secret(line.removesuffix(b"\n").removesuffix(b"\r").decode(errors="surrogateescape"))
