"""Fixtures of the export's tests: where a dataset may be made, odd servers, no waiting between attempts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pop3frames.client.retry import Retry
from pop3frames.protocol.grammar import Verb
from pop3frames.server import session as server_session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a dataset may be made; it does not exist yet."""
    return tmp_path / "mail"


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Verb, Callable[..., bytes]], None]:
    """`answer(RETR, function)`: embedded servers answer the verb with `function(session, *arguments)`."""

    def answer(verb: Verb, function: Callable[..., bytes]) -> None:
        monkeypatch.setitem(server_session._ANSWERS, verb, function)

    return answer


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts to connect, in seconds: noted here instead of made."""
    seconds: list[float] = []
    monkeypatch.setattr("pop3frames.client.connection._RETRY", Retry(sleep=seconds.append))
    return seconds


@pytest.fixture
def lock_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before a mailbox is tried again that our lost session may hold: noted instead of made."""
    seconds: list[float] = []
    monkeypatch.setattr("pop3frames.export.mailbox.UNLOCKING", Retry(sleep=seconds.append))
    return seconds
