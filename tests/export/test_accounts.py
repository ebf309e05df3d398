"""Accounts: what is refused before anything is sent, and that no account shows its secret."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import pytest
from export.mailboxes import account_at, counts, listing, mails, retr
from lab.scripted import CLOSE, QUIT, ScriptedServer

from pop3frames.client.credentials import Secret, SecretReference
from pop3frames.errors import POP3UsageError
from pop3frames.export.accounts import Account
from pop3frames.export.mailbox import export_mailbox
from pop3frames.server.embedded import EmbeddedServer


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": "\udcff"}, "UTF-8"),
        ({"port": 0}, "port"),
        ({"port": "995"}, "port"),
        ({"encryption": "starttls"}, "encryption"),
        ({"secret": "hunter2"}, "secret reference"),
        ({"secret": ""}, "secret reference"),
    ],
)
def test_what_cannot_work_is_refused_when_the_account_is_made(changes: dict[str, Any], said: str) -> None:
    """The message names the field, and never shows what may be a password."""
    settings: dict[str, Any] = {"name": "ann", "hostname": "localhost", "port": 995, "username": "ann"}
    with pytest.raises(POP3UsageError, match=said) as caught:
        Account(**(settings | {"secret": "prompt"} | changes))
    assert "hunter2" not in str(caught.value)


def test_an_account_shows_where_its_secret_is_and_never_the_secret() -> None:
    """repr is what a notebook and a traceback show."""
    assert "hunter2" not in repr(account_at(995, "hunter2"))
    assert "env:MAIL" in repr(Account("ann", "localhost", 995, "ann", "env:MAIL"))


def test_a_secret_by_reference_is_resolved_for_the_login(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the environment; a missing one is an error that names it, and no login is tried."""
    with EmbeddedServer(mails(2), password="hunter2") as server:
        account = Account("ann", "127.0.0.1", server.port, "user", "env:POP3FRAMES_TEST", "none")
        with pytest.raises(POP3UsageError, match="POP3FRAMES_TEST is not set"):
            export_mailbox(account, folder)
        monkeypatch.setenv("POP3FRAMES_TEST", "hunter2")
        assert (2, 2, 0, 0, 0) == counts(export_mailbox(account, folder))


@pytest.mark.parametrize("secret", ["prompt", SecretReference("prompt")])
def test_a_password_to_be_typed_is_asked_for_once_in_a_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, secret: str | SecretReference
) -> None:
    """A run that loses its connection at night does not stop at a prompt."""
    prompts: list[str] = []

    def typed(prompt: str) -> str:
        prompts.append(prompt)
        return "hunter2"

    monkeypatch.setattr(getpass, "getpass", typed)
    uidls, two = {1: "one", 2: "two"}, mails(2)
    cut = [*listing(uidls, dict.fromkeys(uidls, 1)), retr(1, two[0]), ("RETR 2", CLOSE)]
    rest = [*listing(uidls, dict.fromkeys(uidls, 1)), retr(2, two[1]), QUIT]
    with ScriptedServer(cut, rest) as server:
        account = Account("ann", "127.0.0.1", server.port, "user", secret, "none")
        assert (2, 2, 0, 0, 0) == counts(export_mailbox(account, folder))
    assert ["Password for user@127.0.0.1: "] == prompts
    assert 2 == server.commands.count("PASS hunter2")


def test_an_account_that_needs_no_typing_is_used_as_it_is() -> None:
    """A wrapped secret or a reference stays what it is."""
    for secret in (Secret("hunter2"), "env:MAIL", SecretReference("env:MAIL")):
        account = Account("ann", "localhost", 995, "ann", secret)
        assert account is account.asked()
