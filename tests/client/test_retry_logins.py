"""Logins that are tried again and those that are not: busy mailboxes, delays, refusals, other users."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any

import pytest
from lab.scripted import CLOSE, GREETING, NO_CAPA, QUIT, ScriptedServer, Step

from pop3frames.client.credentials import Secret, SecretReference
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.retry import Retry
from pop3frames.errors import (
    POP3AuthenticationError,
    POP3BusyError,
    POP3CommandError,
    POP3ConnectionError,
    POP3Error,
)
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.features import Features

USER: Step = ("USER ann", b"+OK\r\n")
STATED: Step = ("STAT", b"+OK 1 20\r\n")


def to(port: int, password: Any = "secret", **options: Any) -> POP3ProtocolHandler:
    """A handler in plain text."""
    return POP3ProtocolHandler("127.0.0.1", port, "ann", password, "none", 5, **options)


def without_a_session(handler: POP3ProtocolHandler) -> tuple[int, int]:
    return handler.get_mailbox_stat()


def in_a_block(handler: POP3ProtocolHandler) -> tuple[int, int]:
    with handler:
        return handler.get_mailbox_stat()


def step_by_step(handler: POP3ProtocolHandler) -> tuple[int, int]:
    try:
        assert handler.connect() is True
        assert handler.authenticate() is True
        stat = handler.get_mailbox_stat()
    except POP3Error:
        handler.disconnect()
        raise
    assert handler.disconnect() is True
    return stat


Use = Callable[[POP3ProtocolHandler], tuple[int, int]]
every_way = pytest.mark.parametrize("use", [without_a_session, in_a_block, step_by_step])


# Busy


@every_way
def test_a_mailbox_in_use_is_waited_for_with_growing_pauses(use: Use) -> None:
    """Until the other session ends; nobody is told that his password is wrong."""
    naps: list[float] = []
    with EmbeddedServer([b"x\r\n"], username="ann", password="secret") as server:
        other = to(server.port)
        other.connect()
        other.authenticate()

        def sleep(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 2:
                other.disconnect()

        retry = Retry(sleep=sleep, chance=lambda: 0.0)
        assert (1, 3) == use(to(server.port, retry=retry))

    assert [2.0, 4.0] == naps


@every_way
def test_a_mailbox_that_stays_in_use_is_told(use: Use) -> None:
    """After as many attempts as allowed; what was connected for it is closed."""
    naps: list[float] = []
    with EmbeddedServer([b"x\r\n"], username="ann", password="secret") as server, to(server.port) as other:
        other.authenticate()
        retry = Retry(attempts=4, sleep=naps.append, chance=lambda: 0.0)
        with pytest.raises(POP3BusyError, match="locked by another session") as raised:
            use(to(server.port, retry=retry))
        assert 1 == other.get_mailbox_stat()[0]

    assert [2.0, 4.0, 8.0] == naps
    assert ("IN-USE", None) == (raised.value.code, raised.value.retry_after)


@every_way
@pytest.mark.parametrize("pipelining", [True, False])
def test_a_server_that_hangs_up_behind_in_use_is_asked_again_in_a_new_connection(
    use: Use, pipelining: bool
) -> None:
    """As Dovecot does; an open session goes on in the new one."""
    refused: list[Step] = [GREETING, NO_CAPA, USER, ("PASS secret", b"-ERR [IN-USE] busy\r\n", CLOSE)]
    let_in = [GREETING, NO_CAPA, USER, ("PASS secret", b"+OK\r\n"), NO_CAPA, STATED, QUIT]
    naps: list[float] = []
    with ScriptedServer(refused, refused, let_in) as server:
        retry = Retry(sleep=naps.append, chance=lambda: 0.0)
        assert (1, 20) == use(to(server.port, pipelining=pipelining, retry=retry))
        assert 3 == len(server.peers)

    assert [2.0, 4.0] == naps


@every_way
def test_a_prompt_asks_once_however_often_the_login_is_tried(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who typed the right password is not asked for it again because somebody else reads mail."""
    asked: list[str] = []

    def type_it(prompt: str) -> str:
        asked.append(prompt)
        return "secret"

    monkeypatch.setattr(getpass, "getpass", type_it)
    refused: list[Step] = [GREETING, NO_CAPA, USER, ("PASS secret", b"-ERR [SYS/TEMP] later\r\n", CLOSE)]
    let_in = [GREETING, NO_CAPA, USER, ("PASS secret", b"+OK\r\n"), NO_CAPA, STATED, QUIT]
    with ScriptedServer(refused, refused, let_in) as server:
        retry = Retry(sleep=lambda _: None)
        assert (1, 20) == use(to(server.port, SecretReference("prompt"), retry=retry))

    assert ["Password for ann@127.0.0.1: "] == asked


# LOGIN-DELAY


@every_way
def test_a_login_delay_is_waited_out_to_the_second(use: Use) -> None:
    """CAPA says how many; the server's clock and the one that sleeps here are the same."""
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    served = {"username": "ann", "password": "secret", "clock": lambda: now[0]}
    with EmbeddedServer([b"x\r\n"], **served, features=Features(login_delay=30)) as server:
        retry = Retry(sleep=sleep)
        for _ in range(3):
            assert (1, 3) == use(to(server.port, retry=retry))

    assert 1060.0 == now[0]


@every_way
def test_a_delay_beyond_patience_is_told_at_once(use: Use) -> None:
    """Five minutes are for the caller to wait, or not; the error says how long."""
    served = {"username": "ann", "password": "secret", "clock": lambda: 1000.0}
    naps: list[float] = []
    with EmbeddedServer([b"x\r\n"], **served, features=Features(login_delay=300)) as server:
        use(to(server.port))
        with pytest.raises(POP3BusyError, match="300 seconds apart") as raised:
            use(to(server.port, retry=Retry(sleep=naps.append)))

    assert (300.0, []) == (raised.value.retry_after, naps)


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_delay_that_nobody_tells_is_waited_for_as_for_a_busy_mailbox(pipelining: bool) -> None:
    """The server hangs up behind its refusal, so it cannot be asked how long."""
    refused: list[Step] = [GREETING, USER, ("PASS secret", b"-ERR [LOGIN-DELAY] slowly\r\n", CLOSE)]
    let_in = [GREETING, USER, ("PASS secret", b"+OK\r\n"), NO_CAPA, STATED, QUIT]
    naps: list[float] = []
    with ScriptedServer(refused, let_in) as server:
        retry = Retry(sleep=naps.append, chance=lambda: 0.0)
        assert (1, 20) == to(server.port, pipelining=pipelining, retry=retry).get_mailbox_stat()

    assert [2.0] == naps


# Not again


@every_way
@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (b"-ERR [AUTH] wrong\r\n", POP3AuthenticationError),
        (b"-ERR wrong\r\n", POP3AuthenticationError),
        (b"-ERR [SYS/PERM] mailbox is gone\r\n", POP3CommandError),
    ],
)
def test_a_refused_password_is_said_once(use: Use, refusal: bytes, error: type[POP3Error]) -> None:
    """Repeating it locks accounts, and a mailbox that is gone stays gone."""
    naps: list[float] = []
    with ScriptedServer([GREETING, NO_CAPA, USER, ("PASS secret", refusal), QUIT]) as server:
        with pytest.raises(error):
            use(to(server.port, retry=Retry(attempts=5, sleep=naps.append)))
        assert 1 == server.commands.count("PASS secret")

    assert [] == naps


@every_way
def test_a_connection_that_breaks_in_the_login_is_not_tried_again(use: Use) -> None:
    """Who knows what the server made of the password."""
    naps: list[float] = []
    with ScriptedServer([GREETING, NO_CAPA, USER, ("PASS secret", CLOSE)]) as server:
        with pytest.raises(POP3ConnectionError):
            use(to(server.port, retry=Retry(attempts=5, sleep=naps.append)))
        assert 1 == len(server.peers)

    assert [] == naps


# Every way alike


def test_every_way_to_a_session_says_the_same_to_the_server() -> None:
    """A session of its own, a `with` block, and connect() with authenticate()."""
    script = [GREETING, NO_CAPA, USER, ("PASS secret", b"+OK\r\n"), STATED, QUIT]
    said = []
    for use in (without_a_session, in_a_block, step_by_step):
        with ScriptedServer(script) as server:
            assert (1, 20) == use(to(server.port))
            said.append(server.commands)

    assert [["CAPA", "USER ann", "PASS secret", "STAT", "QUIT"]] * 3 == said


@pytest.mark.parametrize(
    ("given", "user", "password"),
    [
        (("bob", "other"), "bob", "other"),
        (("bob", Secret("other")), "bob", "other"),
        (("bob", SecretReference("env:POP3FRAMES_TEST")), "bob", "from the environment"),
        (("bob",), "bob", "secret"),
        ((None, "other"), "ann", "other"),
        ((), "ann", "secret"),
    ],
)
def test_other_credentials_count_from_then_on(
    given: tuple[Any, ...], user: str, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this session, and in those that follow it."""
    monkeypatch.setenv("POP3FRAMES_TEST", "from the environment")
    login: list[Step] = [(f"USER {user}", b"+OK\r\n"), (f"PASS {password}", b"+OK\r\n")]
    with ScriptedServer([GREETING, NO_CAPA, *login, ("?STAT", b"+OK 1 20\r\n"), QUIT]) as server:
        handler = to(server.port)
        with handler:
            assert handler.authenticate(*given) is True
        assert (1, 20) == handler.get_mailbox_stat()
        assert 2 == len(server.peers)
    assert user == handler.username


def test_after_a_refusal_the_right_credentials_are_taken_in_the_same_session() -> None:
    """Nobody has to connect again for a mistyped password."""
    with EmbeddedServer([b"x\r\n"], username="ann", password="secret") as server:
        with to(server.port, "wrong") as handler:
            with pytest.raises(POP3AuthenticationError):
                handler.authenticate()
            assert handler.authenticate(password="secret") is True
            assert (1, 3) == handler.get_mailbox_stat()
        assert 1 == server._accepted
