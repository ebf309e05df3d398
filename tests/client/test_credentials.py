"""A secret shows itself nowhere, and a reference is resolved where and when it is needed."""

from __future__ import annotations

import copy
import getpass
import json
import pickle
import pprint
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.errors
import pytest
from client.canaries import CANARY, everything

from pop3frames.client.credentials import Secret, SecretReference, as_secret, resolve
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pool import POP3ConnectionPool
from pop3frames.errors import POP3UsageError
from pop3frames.server.embedded import EmbeddedServer

# Secret


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        "{}".format,
        "{:>40}".format,
        "{!r}".format,
        ascii,
        pprint.pformat,
        lambda secret: f"{[secret]} { ({'password': secret}) }",
        lambda secret: "%s" % secret,  # noqa: UP031  (one more way to format)
        lambda secret: str(ValueError(secret)),
        lambda secret: json.dumps(secret, default=str),
    ],
)
def test_a_secret_shows_itself_nowhere(show: Callable[[Secret], str]) -> None:
    """Whatever turns objects into text shows stars."""
    assert CANARY not in show(Secret(CANARY))
    assert CANARY in show(CANARY)  # type: ignore[arg-type]  # the positive control


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_a_secret_is_not_copied_or_written(copied: Callable[[object], object]) -> None:
    """A task graph or a saved object must hold a reference instead."""
    with pytest.raises(TypeError) as raised:
        copied(Secret(CANARY))

    assert CANARY not in str(raised.value)


def test_a_handler_and_a_pool_do_not_travel_with_their_secret() -> None:
    """Pickling them fails like pickling the secret."""
    arguments = ("pop.example.org", 995, "ann", CANARY)
    for holder in (POP3ProtocolHandler(*arguments), POP3ConnectionPool(*arguments)):
        with pytest.raises(TypeError):
            pickle.dumps(holder)
        assert CANARY not in repr(holder) + repr(vars(holder))


def test_secrets_are_equal_when_what_they_hide_is() -> None:
    """And to nothing else; a lone surrogate (an environment variable that is no UTF-8) is no problem."""
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret(CANARY) != Secret("other")
    assert Secret(CANARY) != CANARY
    assert Secret("\udc80") == Secret("\udc80")
    assert len({Secret(CANARY), Secret(CANARY)}) == 1
    assert Secret(CANARY).reveal() == CANARY


@pytest.mark.parametrize("value", ["", None, 7, b"bytes", ["list"]])
def test_a_secret_is_a_string_that_is_not_empty(value: Any) -> None:
    """Anything else is somebody's mistake, and is said at once."""
    for make in (Secret, as_secret):
        with pytest.raises(POP3UsageError, match="must be a string"):
            make(value)


# References


@pytest.mark.parametrize(
    "text",
    [
        "env:MAIL",
        "keyring:mail/ann",
        "keyring:a/b/ann",
        "command:pass show 'mail/ann lee'",
        "crypt:~/a#b.vault#ann",
        "prompt",
    ],
)
def test_a_reference_is_safe_to_store_and_show(text: str) -> None:
    """It names a place, so it may be copied, pickled and printed."""
    reference = SecretReference(text)

    assert pickle.loads(pickle.dumps(reference)) == copy.deepcopy(reference) == reference
    assert text in repr(reference)


@pytest.mark.parametrize(
    "text",
    [
        CANARY,
        "env:",
        "keyring:",
        "keyring:mail",
        "keyring:/ann",
        "keyring:mail/",
        "command:",
        "command:  ",
        f"command:'{CANARY}",
        f"crypt:{CANARY}",
        "crypt:#ann",
        "crypt:file#",
        "",
    ],
)
def test_what_is_no_reference_is_refused_and_not_shown(text: str) -> None:
    """It may be the password itself, where a reference was meant."""
    with pytest.raises(POP3UsageError, match=r"env:NAME.*Secret\('\.\.\.'\)") as raised:
        SecretReference(text)

    assert CANARY not in everything(raised.value)


def test_an_environment_variable_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before; and when it is not set, or empty, the error names it."""
    reference = SecretReference("env:POP3FRAMES_TEST")
    for unset in (lambda: None, lambda: monkeypatch.setenv("POP3FRAMES_TEST", "")):
        unset()
        with pytest.raises(POP3UsageError, match="POP3FRAMES_TEST is not set or empty"):
            reference.resolve()
    monkeypatch.setenv("POP3FRAMES_TEST", CANARY)

    assert resolve(reference).reveal() == CANARY


class _Ring(keyring.backend.KeyringBackend):
    """A keyring with one entry, or one that cannot be read."""

    priority = 1  # type: ignore[assignment]

    def __init__(self, locked: bool = False) -> None:
        super().__init__()
        self.locked = locked

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise keyring.errors.KeyringLocked("the collection is locked")
        return CANARY if (service, username) == ("mail/example.org", "ann") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


@pytest.fixture
def ring() -> Iterator[Callable[[keyring.backend.KeyringBackend], None]]:
    """`ring(backend)`: asked instead of the system's keyring, until the test ends."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_a_keyring_is_asked_for_service_and_user(ring: Callable[..., None]) -> None:
    """The last slash divides them."""
    ring(_Ring())

    assert SecretReference("keyring:mail/example.org/ann").resolve().reveal() == CANARY


def test_a_keyring_without_that_entry_says_how_to_make_it(ring: Callable[..., None]) -> None:
    """The very command."""
    ring(_Ring())
    with pytest.raises(POP3UsageError, match="keyring set mail bob"):
        SecretReference("keyring:mail/bob").resolve()


def test_a_keyring_that_cannot_be_read_says_what_else_there_is(ring: Callable[..., None]) -> None:
    """The reason, and the way round."""
    ring(_Ring(locked=True))
    with pytest.raises(POP3UsageError, match=r"collection is locked.*env:NAME"):
        SecretReference("keyring:mail/ann").resolve()


def test_a_prompt_says_whose_password_it_wants(
    server: EmbeddedServer, to_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked at each login, never kept."""
    asked: list[str] = []
    monkeypatch.setattr(getpass, "getpass", lambda prompt: asked.append(prompt) or server.password)
    handler = POP3ProtocolHandler(
        "127.0.0.1", server.port, "ann", SecretReference("prompt"), "none", timeout=5
    )

    assert handler.get_mailbox_stat()[0] == 3
    assert handler.get_mailbox_stat()[0] == 3
    assert asked == ["Password for ann@127.0.0.1: "] * 2


def _could_be_seen(prompt: str) -> str:
    warnings.warn("cannot control echo", getpass.GetPassWarning, stacklevel=1)
    return CANARY


def _nobody(prompt: str) -> str:
    raise EOFError


def _captured(prompt: str) -> str:
    raise OSError("pytest: reading from stdin while output is captured")


@pytest.mark.parametrize("nobody", [_nobody, _captured, _could_be_seen])
def test_a_prompt_without_a_terminal_says_what_else_there_is(
    monkeypatch: pytest.MonkeyPatch, nobody: Callable[[str], str]
) -> None:
    """A batch job has nobody to ask, nor has a test; and nothing is typed where it would be seen."""
    monkeypatch.setattr(getpass, "getpass", nobody)
    with pytest.raises(POP3UsageError, match="environment variable or a keyring"):
        SecretReference("prompt").resolve()


def test_a_machine_without_a_keyring_is_told_of_the_other_places(ring: Callable[..., None]) -> None:
    """What `keyring` chooses where nothing else is there, as in a container."""
    ring(keyring.backends.fail.Keyring())
    with pytest.raises(
        POP3UsageError, match=r"no keyring that can be used.*command:PROGRAM.*crypt:FILE#NAME"
    ):
        SecretReference("keyring:mail/ann").resolve()
