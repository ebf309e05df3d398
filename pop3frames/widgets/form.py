"""What a person fills in to reach a mailbox, and the account that it makes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from traitlets import Enum, HasTraits, Int, Unicode

from pop3frames.client.credentials import OAuth2, Secret, SecretReference
from pop3frames.client.presets import PRESETS, suggested_preset
from pop3frames.errors import POP3UsageError
from pop3frames.export.accounts import Account

OWN_SERVER = "generic"
ENCRYPTIONS = ("ssl", "tls", "none")
SOURCES = ("typed", "env", "keyring", "command", "crypt")
USUAL_PORT = {"ssl": 995, "tls": 110, "none": 110}


class Form(HasTraits):
    """Where a mailbox is and how to log in, as text.

    preset      a provider, or 'generic': choosing one fills in host, port and encryption
    source      where the secret is: 'typed', or the scheme of a reference whose rest is `place`
    """

    preset = Enum(tuple(PRESETS), OWN_SERVER)
    hostname = Unicode()
    port = Int(995)
    encryption = Enum(ENCRYPTIONS, "ssl")
    username = Unicode()
    source = Enum(SOURCES, "typed")
    place = Unicode()

    def __init__(self, account: Account | None = None) -> None:
        super().__init__()
        self.secret: Secret | OAuth2 | None = None  # no trait: what was typed, or came with the account
        self._base = account
        if account is not None:
            self._fill(account)
        self.observe(self._provider_chosen, "preset")
        self.observe(self._encryption_chosen, "encryption")

    def _fill(self, account: Account) -> None:
        self.hostname, self.port, self.username = account.hostname, account.port, account.username
        self.encryption = account.encryption
        if isinstance(account.secret, SecretReference):
            if account.secret.text != "prompt":
                self.source, _, self.place = account.secret.text.partition(":")
        else:
            self.secret = account.secret

    def _provider_chosen(self, _change: object) -> None:
        provider = PRESETS[self.preset]
        if provider.hostname:
            self.encryption, self.hostname = provider.encryption, provider.hostname
            self.port = provider.port

    def _encryption_chosen(self, change: Any) -> None:
        if self.port == USUAL_PORT[change["old"]]:
            self.port = USUAL_PORT[change["new"]]

    @property
    def credentials(self) -> str:
        """Which credentials work at this provider, in a sentence; "" for a server of one's own."""
        return (
            ""
            if self.preset == OWN_SERVER
            else f"{self.preset.capitalize()} wants {PRESETS[self.preset].credentials}."
        )

    @property
    def lacks_secret(self) -> bool:
        """Whether a password must be typed before this can log in."""
        return self.source == "typed" and self.secret is None

    def suggest(self) -> None:
        """Choose the provider of the address that was filled in, unless a host or a provider was."""
        found = suggested_preset(self.username)
        if found is not None and self.preset == OWN_SERVER and not self.hostname:
            self.preset = found.name

    def account(self) -> Account:
        """The account this makes. POP3UsageError says what is still missing, or wrong."""
        if not self.hostname.strip():
            raise POP3UsageError("the host is missing: the name of the POP3 server, such as pop.example.org")
        if not self.username.strip():
            raise POP3UsageError("the user name is missing: often it is the whole mail address")
        if self.source == "typed":
            if self.secret is None:
                raise POP3UsageError("the password is missing: type it, then press Enter")
            secret: Secret | SecretReference | OAuth2 = self.secret
        else:
            secret = SecretReference(f"{self.source}:{self.place.strip()}")
        base, name = self._base, f"{self.username.strip()}@{self.hostname.strip()}"
        where = (self.hostname.strip(), self.port, self.username.strip(), self.encryption)
        if base is not None and where == (base.hostname, base.port, base.username, base.encryption):
            return replace(base, secret=secret)  # its name, CA file and the rest stand
        hostname, port, username, encryption = where
        return Account(
            name,
            hostname,
            port,
            username,
            secret,
            encryption,  # type: ignore[arg-type]  # the trait checked it
            auth=PRESETS[self.preset].auth,
        )
