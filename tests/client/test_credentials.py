"""A secret shows itself nowhere, and a reference is resolved where and when it is needed."""

from __future__ import annotations

import copy
import getpass
import json
import logging
import pickle
import poplib
import pprint
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any
from unittest.mock import patch

import keyring
import keyring.backend
import keyring.errors
import pytest
from lab.scripted import CLOSE, GREETING, RESET, STALL, ScriptedServer

from pop3frames.client.credentials import Secret, SecretReference, as_secret, resolve
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pool import POP3ConnectionPool
from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3AuthenticationError, POP3Error, POP3UsageError
from pop3frames.protocol import sasl
from pop3frames.protocol.grammar import Limits
from pop3frames.server.embedded import EmbeddedServer

CANARY = "canary-5e3b"


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


@pytest.mark.parametrize("text", ["env:MAIL", "keyring:mail/ann", "keyring:a/b/ann", "prompt"])
def test_a_reference_is_safe_to_store_and_show(text: str) -> None:
    """It names a place, so it may be copied, pickled and printed."""
    reference = SecretReference(text)

    assert pickle.loads(pickle.dumps(reference)) == copy.deepcopy(reference) == reference
    assert text in repr(reference)


@pytest.mark.parametrize(
    "text", [CANARY, "env:", "keyring:", "keyring:mail", "keyring:/ann", "keyring:mail/", ""]
)
def test_what_is_no_reference_is_refused_and_not_shown(text: str) -> None:
    """It may be the password itself, where a reference was meant."""
    with pytest.raises(POP3UsageError, match=r"env:NAME.*Secret\('\.\.\.'\)") as raised:
        SecretReference(text)

    assert CANARY not in str(raised.value)


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


def test_a_prompt_without_a_terminal_says_what_else_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch job has nobody to ask."""

    def nobody(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", nobody)
    with pytest.raises(POP3UsageError, match="environment variable or a keyring"):
        SecretReference("prompt").resolve()


# Nowhere on the way to a server


def _frames(trace: TracebackType | None) -> Iterator[str]:
    """What a verbose traceback shows of every frame: its locals, and the attributes of each of them."""
    while trace is not None:
        if trace.tb_frame.f_code.co_filename != __file__:
            for value in trace.tb_frame.f_locals.values():
                yield repr(value)
                yield repr(getattr(value, "__dict__", ""))
        trace = trace.tb_next


def _everything(error: BaseException | None) -> str:
    """All an error gives away: message, attributes, frames, and the same of its causes."""
    shown = []
    while error is not None:
        shown += [str(error), repr(error), repr(vars(error)), *_frames(error.__traceback__)]
        shown += traceback.format_exception(error)
        error = error.__cause__ or error.__context__
    return "\n".join(shown)


def _login_with(port: int, **options: Any) -> None:
    POP3ProtocolHandler("127.0.0.1", port, "ann", CANARY, "none", timeout=1, **options).list_messages()


def _authenticate_with(port: int) -> None:
    with POP3ProtocolHandler("127.0.0.1", port, "ann", "other", "none", timeout=1) as handler:
        handler.authenticate("bob", CANARY)


def _lease_with(port: int) -> None:
    pool = POP3ConnectionPool("127.0.0.1", port, "ann", CANARY, encryption="none", timeout=1)
    with pool.lease() as handler:
        handler.list_messages()


def _pop3_with(port: int) -> None:
    limits = Limits(login_patience=0)
    with POP3("127.0.0.1", port, timeout=0.3, limits=limits) as client:
        client.user("ann")
        client.pass_(CANARY)


LOGINS = {
    "USER and PASS": _login_with,
    "AUTH PLAIN": lambda port: _login_with(port, auth="PLAIN"),
    "authenticate": _authenticate_with,
    "pool": _lease_with,
    "POP3": _pop3_with,
}


@pytest.mark.parametrize("login", LOGINS.values(), ids=LOGINS)
def test_a_wrong_password_is_in_no_error_log_or_traceback(
    login: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the string nor an encoding of it, with logging at its loudest and all frames turned out."""
    caplog.set_level(logging.DEBUG)
    with EmbeddedServer(username="ann") as server, pytest.raises(POP3AuthenticationError) as raised:
        login(server.port)
    shown = _everything(raised.value) + caplog.text

    assert "wrong user name or password" in shown  # the positive control
    assert CANARY not in shown
    assert "Y2FuYXJ5" not in shown  # base64 of "canary"


@pytest.mark.parametrize(
    "ending",
    [
        b"-ERR bad password %s for ann\r\n",
        b"",
        b"what?\r\n",
        b"PASS %s\r\n",
        b"-ERR bad %s\n",
        b"+OK[%s]\r\n",
    ],
)
@pytest.mark.parametrize(
    ("login", "then"), [(_login_with, CLOSE), (_authenticate_with, RESET), (_pop3_with, STALL)]
)
def test_a_server_that_echoes_stalls_or_leaves_brings_no_password_into_an_error(
    login: Callable[[int], None], ending: bytes, then: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Some servers repeat what they refuse."""
    caplog.set_level(logging.DEBUG)
    answer = ending.replace(b"%s", CANARY.encode())
    script = [GREETING, ("USER .*", b"+OK\r\n"), ("PASS .*", answer, then)]
    with ScriptedServer(script) as server:
        with pytest.raises(POP3Error) as raised:
            login(server.port)
        assert CANARY.encode() in server.received

    assert CANARY not in _everything(raised.value) + caplog.text


@pytest.mark.parametrize(
    "wrong", [{"encryption": "starttls"}, {"port": "995"}, {"auth": "XOAUTH"}, {"pool_size": 0}]
)
def test_a_wrong_argument_does_not_turn_the_password_out(wrong: dict[str, Any]) -> None:
    """The frames that refuse it hold no plain string any more."""
    arguments = {"hostname": "h", "port": 995, "username": "ann", "password": CANARY} | wrong
    make = POP3ConnectionPool if "pool_size" in wrong else POP3ProtocolHandler
    with pytest.raises(POP3UsageError) as raised:
        make(**arguments)

    assert CANARY not in _everything(raised.value)


@pytest.mark.parametrize("password", [CANARY + "\r\nDELE 1", CANARY + "\0", CANARY * 40, CANARY + "\ud800"])
@pytest.mark.parametrize("login", ["pass_", "auth_plain"])
def test_a_password_that_cannot_be_sent_is_refused_without_showing_it(
    server: EmbeddedServer, password: str, login: str
) -> None:
    """The error names the rule; SASL takes any string, and the server refuses it."""
    logins: dict[str, Callable[[POP3], object]] = {
        "pass_": lambda client: client.pass_(password),
        "auth_plain": lambda client: client.auth_plain("ann", password),
    }
    with POP3("127.0.0.1", server.port, timeout=5) as client, pytest.raises(POP3Error) as raised:
        logins[login](client)

    assert CANARY not in _everything(raised.value)


@pytest.mark.parametrize("password", ["wrong", "a", "AUTH"])
def test_an_echoed_password_is_not_told_by_a_gap_in_the_text(password: str) -> None:
    """`[AUTH] *** user name or password` would be as good as the word: the whole text goes."""
    with ScriptedServer(
        [GREETING, ("USER .*", b"+OK\r\n"), ("PASS .*", b"-ERR [AUTH] wrong one\r\n")]
    ) as server:
        client = POP3("127.0.0.1", server.port, timeout=5)
        client.user("ann")
        with pytest.raises(POP3AuthenticationError) as raised:
            client.pass_(password)
        client.close()

    told = raised.value.text
    assert ("not shown" in told) == (password in "[AUTH] wrong one")
    assert "***" not in told


@pytest.mark.parametrize("ending", [b"-ERR bad %s\r\n", b"%s\r\n", b"-ERR %s\n"])
def test_the_response_of_auth_plain_is_not_shown_either(ending: bytes) -> None:
    """Base64 hides nothing."""
    response = sasl.plain("ann", lambda: CANARY)
    script = [GREETING, ("AUTH PLAIN", b"+ \r\n"), (".*", ending.replace(b"%s", response))]
    with ScriptedServer(script) as server:
        client = POP3("127.0.0.1", server.port, timeout=5)
        with pytest.raises(POP3Error) as raised:
            client.auth_plain("ann", CANARY)
        client.close()

    assert response.decode() not in _everything(raised.value)


def test_a_foreign_clients_words_are_not_passed_on_when_they_hold_the_password() -> None:
    """Not even as the cause, which a traceback prints."""
    with patch("pop3frames.client.handler.POP3_SSL") as client:
        client.return_value.pass_.side_effect = poplib.error_proto(f"-ERR bad {CANARY}")
        handler = POP3ProtocolHandler("h", 995, "ann", CANARY)
        handler.connect()
        with pytest.raises(POP3AuthenticationError) as raised:
            handler.authenticate()

    assert CANARY not in str(raised.value)
    assert raised.value.__suppress_context__
