"""The options that say which mailbox and how to log in: the same for every command that connects."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import click

from pop3frames.protocol.sasl import MECHANISMS

if TYPE_CHECKING:
    from pop3frames.client.presets import Preset
    from pop3frames.export.accounts import Account

_OPTIONS = (
    click.option("--host", help="The POP3 server, such as pop.example.org."),
    click.option("--preset", metavar="NAME", help="A provider instead: gmail, microsoft365, yahoo, ..."),
    click.option("--port", type=click.IntRange(1, 65535), help="Default: 995 for ssl, 110 for tls and none."),
    click.option("--username", required=True, help="Who logs in."),
    click.option(
        "--encryption",
        type=click.Choice(["ssl", "tls", "none"]),
        help="ssl: TLS from the first byte (the default); tls: STLS or failure; none: plain text.",
    ),
    click.option("--cafile", type=click.Path(), help="PEM file of a private CA to trust."),
    click.option(
        "--auth",
        type=click.Choice(MECHANISMS, case_sensitive=False),
        help="Default: by password, as the server offers it. OAUTHBEARER and XOAUTH2 take a token.",
    ),
    click.option(
        "--pipelining/--no-pipelining",
        default=None,
        help="Send commands ahead of replies, or never; default: as the server offers it.",
    ),
    click.option(
        "--utf8", is_flag=True, help="Ask for headers in UTF-8, for mails that a server gives only so."
    ),
    click.option("--password-env", metavar="NAME", help="Environment variable that holds the password."),
    click.option(
        "--password-keyring", metavar="SERVICE", help="Service in the keyring that holds the password."
    ),
    click.option(
        "--secret",
        metavar="REFERENCE",
        help="Where the password or token is, in general: env:NAME, keyring:SERVICE/USER, "
        "command:PROGRAM ARGS or crypt:FILE#NAME.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0, 86_400, min_open=True),
        default=30,
        show_default=True,
        help="Seconds without an answer.",
    ),
)


@dataclass(frozen=True)
class Connecting:
    """What those options said."""

    host: str | None
    preset: str | None
    port: int | None
    username: str
    encryption: str | None
    cafile: str | None
    auth: str | None
    pipelining: bool | None
    utf8: bool
    password_env: str | None
    password_keyring: str | None
    secret: str | None
    timeout: float

    def account(self, name: str | None = None) -> Account:
        """The account they describe. Raises POP3UsageError, or click's error, for what cannot work."""
        from pop3frames.export.accounts import Account, placed

        preset = self._preset()
        if preset and not preset.hostname:
            raise click.UsageError(f"the preset {preset.name} names no server: give --host instead")
        where = placed(preset, self.host, self.port, self.encryption, self.auth)  # type: ignore[arg-type]  # click checked
        return Account(
            name=name or f"{self.username}@{where['hostname']}",
            username=self.username,
            secret=self._reference(),
            cafile=self.cafile,
            timeout=self.timeout,
            pipelining=self.pipelining,
            utf8=self.utf8,
            **where,
        )

    def _preset(self) -> Preset | None:
        if bool(self.host) == bool(self.preset):
            raise click.UsageError("give --host or --preset, one of them")
        if self.preset is None:
            return None
        from pop3frames.client.presets import preset

        return preset(self.preset)

    def _reference(self) -> str:
        given = [
            self.password_env and f"env:{self.password_env}",
            self.password_keyring and f"keyring:{self.password_keyring}/{self.username}",
            self.secret,
        ]
        references = [each for each in given if each]
        if len(references) > 1:
            raise click.UsageError("give only one of --password-env, --password-keyring and --secret")
        return references[0] if references else "prompt"


def connects(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command those options; it is called with `connecting=` in their place."""

    @functools.wraps(command)
    def with_connecting(**options: Any) -> None:
        mine = {field.name: options.pop(field.name) for field in fields(Connecting)}
        command(connecting=Connecting(**mine), **options)

    for option in reversed(_OPTIONS):
        with_connecting = option(with_connecting)
    return with_connecting
