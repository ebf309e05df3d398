"""Many accounts on one embedded server, for the tests of export_accounts."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from export.mailboxes import mails

from pop3frames.client.credentials import Secret, SecretReference
from pop3frames.export.accounts import Account
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer, Source
from pop3frames.server.maildrop import Maildrop, MaildropSession, StoredMessage

PASSWORD = "hunter2-canary"


class Gate:
    """Counts the sessions that are open at once; the first ones wait for each other until `wanted` are.

    Nothing depends on how fast anybody is: where fewer may be open, they go on after five seconds, and `most`
    tells.
    """

    def __init__(self, wanted: int) -> None:
        self.wanted, self.open, self.most = wanted, 0, 0
        self.changed = threading.Condition()

    def enter(self) -> None:
        with self.changed:
            self.open += 1
            self.most = max(self.most, self.open)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.most >= self.wanted, timeout=5)

    def leave(self) -> None:
        with self.changed:
            self.open -= 1


class GatedMaildrop(Maildrop):
    """A mailbox whose sessions go through a gate."""

    def __init__(self, messages: Iterable[bytes | StoredMessage], gate: Gate) -> None:
        super().__init__(messages)
        self._gate = gate

    def open(self, shows: int | None = None) -> MaildropSession | None:
        session = super().open(shows)
        if session is not None:
            self._gate.enter()
        return session

    def _close(self, deleted: set[int]) -> None:
        self._gate.leave()
        super()._close(deleted)


def names(count: int) -> list[str]:
    """The names of so many users."""
    return [f"user{number:02d}" for number in range(count)]


def users(count: int, messages: int, gate: Gate | None = None) -> dict[str, tuple[str | None, Source]]:
    """So many users with so many mails each, for an EmbeddedServer."""
    return {
        name: (PASSWORD, mails(messages) if gate is None else GatedMaildrop(mails(messages), gate))
        for name in names(count)
    }


def account(
    name: str,
    port: int,
    secret: str | Secret | SecretReference,
    hostname: str = "127.0.0.1",
    timeout: float = 10,
) -> Account:
    """One account in plain text on loopback."""
    return Account(name, hostname, port, name, secret, "none", timeout=timeout)


def accounts_of(server: EmbeddedServer, reference: str | None = None) -> list[Account]:
    """All users of a server; their secret itself, or a reference to it."""
    secret = Secret(PASSWORD) if reference is None else SecretReference(reference)
    return [account(name, server.port, secret) for name in server.users]


def stored_by_account(path: Path) -> dict[str, list[str]]:
    """The unique-ids in the dataset, sorted, with their repetitions, by account."""
    found: dict[str, list[str]] = {}
    for row in Dataset(path).to_table(["account", "uidl"]).to_pylist():
        found.setdefault(row["account"], []).append(row["uidl"])
    return {name: sorted(uidls) for name, uidls in sorted(found.items())}
