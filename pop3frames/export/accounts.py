"""Accounts: where a mailbox is and how to log in. Secrets are held by reference, or wrapped."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from pop3frames.client.connection import Encryption
from pop3frames.client.credentials import OAuth2, Secret, SecretReference
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.presets import Preset
from pop3frames.errors import POP3UsageError
from pop3frames.protocol.grammar import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, init=False)
class Account:
    """One mailbox.

    name        what the dataset calls it; its rows are found under this name, so keep it
    hostname, port, username, encryption, cafile, timeout, auth, pipelining, utf8,
    limits      as POP3ProtocolHandler takes them
    secret      a reference such as 'env:NAME' (`SecretReference`), Secret('...') itself, or an OAuth2

    Raises POP3UsageError for what cannot work; nothing is sent.
    """

    name: str
    hostname: str
    port: int
    username: str
    secret: Secret | SecretReference | OAuth2
    encryption: Encryption
    cafile: str | None
    timeout: float
    auth: str | None
    pipelining: bool | None
    utf8: bool
    limits: Limits

    def __init__(
        self,
        name: str,
        hostname: str,
        port: int,
        username: str,
        secret: str | Secret | SecretReference | OAuth2,
        encryption: Encryption = "ssl",
        cafile: str | None = None,
        timeout: float = 30,
        auth: str | None = None,
        pipelining: bool | None = None,
        utf8: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:  # written out: a generated one would hold a password in a traceback
        try:
            kept = SecretReference(secret) if isinstance(secret, str) else secret
        finally:
            del secret
        way = (encryption, cafile, timeout, auth, pipelining, utf8, limits)
        given = (name, hostname, port, username, kept, *way)
        for field, value in zip(fields(self), given, strict=True):
            object.__setattr__(self, field.name, value)
        if not name:
            raise POP3UsageError("an account needs a name: the dataset keeps its rows under it")
        try:
            name.encode()
        except UnicodeEncodeError as exc:  # undecodable octets of a command line
            raise POP3UsageError("an account's name must be text that UTF-8 can encode") from exc
        self.handler()

    def asked(self) -> Account:
        """The account with its password typed now, if it is one to type: a run that reconnects asks once."""
        if self.secret != SecretReference("prompt"):
            return self
        prompt = f"Password for {self.username}@{self.hostname}: "
        return replace(self, secret=SecretReference("prompt").resolve(prompt))

    def handler(self) -> POP3ProtocolHandler:
        """A handler that is not connected yet."""
        return POP3ProtocolHandler(
            self.hostname,
            self.port,
            self.username,
            self.secret,
            self.encryption,
            self.timeout,
            cafile=self.cafile,
            auth=self.auth,
            pipelining=self.pipelining,
            utf8=self.utf8,
            limits=self.limits,
        )


def placed(
    preset: Preset | None,
    hostname: str | None = None,
    port: int | None = None,
    encryption: Encryption | None = None,
    auth: str | None = None,
) -> dict[str, Any]:
    """Those four as `Account` takes them: as given, else from the preset, else what is usual."""
    encryption = encryption or (preset.encryption if preset else "ssl")
    usual = 995 if encryption == "ssl" else 110
    return {
        "hostname": hostname or (preset.hostname if preset else ""),
        "port": port or (preset.port if preset and preset.encryption == encryption else usual),
        "encryption": encryption,
        "auth": auth or (preset.auth if preset else None),
    }
