"""Accounts: where a mailbox is and how to log in. Secrets are held by reference, or wrapped."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pop3frames.client.connection import Encryption
from pop3frames.client.credentials import Secret, SecretReference
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.errors import POP3UsageError


@dataclass(frozen=True)
class Account:
    """One mailbox.

    name        what the dataset calls it; its rows are found under this name, so keep it
    hostname, port, username, encryption, cafile, timeout   as POP3ProtocolHandler takes them
    secret      a reference ('prompt', 'env:NAME' or 'keyring:service/username'), or Secret('...') itself

    Raises POP3UsageError for what cannot work; nothing is sent.
    """

    name: str
    hostname: str
    port: int
    username: str
    secret: str | Secret | SecretReference
    encryption: Encryption = "ssl"
    cafile: str | None = None
    timeout: float = 30

    def __post_init__(self) -> None:
        if not self.name:
            raise POP3UsageError("an account needs a name: the dataset keeps its rows under it")
        try:
            self.name.encode()
        except UnicodeEncodeError as exc:  # undecodable octets of a command line
            raise POP3UsageError("an account's name must be text that UTF-8 can encode") from exc
        try:
            self.handler()
        except POP3UsageError:
            object.__setattr__(self, "secret", "")  # it may be a password, and tracebacks show this object
            raise

    def asked(self) -> Account:
        """The account with its password typed now, if it is one to type: a run that reconnects asks once."""
        if self.secret not in ("prompt", SecretReference("prompt")):
            return self
        prompt = f"Password for {self.username}@{self.hostname}: "
        return replace(self, secret=SecretReference("prompt").resolve(prompt))

    def handler(self) -> POP3ProtocolHandler:
        """A handler that is not connected yet."""
        secret = SecretReference(self.secret) if isinstance(self.secret, str) else self.secret
        return POP3ProtocolHandler(
            self.hostname,
            self.port,
            self.username,
            secret,
            self.encryption,
            self.timeout,
            cafile=self.cafile,
        )
