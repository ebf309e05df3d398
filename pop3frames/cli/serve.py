"""`pop3frames serve`: a POP3 server over files, on loopback unless told otherwise."""

from __future__ import annotations

import contextlib
import threading

import click

from pop3frames.cli.failures import plain_errors
from pop3frames.errors import counted


@click.command()
@click.argument("path", type=click.Path())
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: a free one.")
@click.option("--tls-port", type=click.IntRange(0, 65535), default=0, help="With --certfile: a free one.")
@click.option("--username", default="user", show_default=True)
@click.option("--password-env", metavar="NAME", help="Environment variable; default: a random password.")
@click.option("--certfile", type=click.Path(), help="PEM file with certificate chain: offers TLS.")
@click.option("--keyfile", type=click.Path(), help="PEM file with its key, if it is not in --certfile.")
@click.option("--plaintext", is_flag=True, help="With --certfile: allow logins without TLS too.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Another address of this machine lets others in: with --certfile and --password-env only.",
)
def serve(
    path: str,
    port: int,
    tls_port: int,
    username: str,
    password_env: str | None,
    certfile: str | None,
    keyfile: str | None,
    plaintext: bool,
    host: str,
) -> None:
    """Serve PATH over POP3: a folder of .eml files, an mbox, a snapshot, or a dataset with raw bytes.

    Deletions last until the server ends; the files are never changed. With --certfile a login takes TLS,
    without it there is none. Ends with Ctrl-C.
    """
    with plain_errors():
        from pop3frames.client.credentials import SecretReference
        from pop3frames.server.embedded import EmbeddedServer, server_context
        from pop3frames.server.features import Features

        password = SecretReference(f"env:{password_env}").resolve().reveal() if password_env else None
        server = EmbeddedServer(
            path,
            username=username,
            password=password,
            context=server_context(certfile, keyfile) if certfile else None,
            port=port,
            tls_port=tls_port,
            host=host,
            expose=True,  # by a word of its own, and the server asks for the rest
            features=Features(plaintext=plaintext or None),
        )
        with server, contextlib.suppress(KeyboardInterrupt):
            click.echo(f"{counted(len(server.maildrop))} on {server.host}, port {server.port}")
            if server.tls_port:
                click.echo(f"TLS from the first byte on port {server.tls_port}, STLS on port {server.port}")
                click.echo(f"logins without TLS are {'allowed' if plaintext else 'refused'}")
            click.echo(f"username: {username}")
            click.echo(f"password: {'as in ' + password_env if password_env else server.password}")
            click.echo("Ctrl-C ends it.")
            threading.Event().wait()
