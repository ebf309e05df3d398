"""Fixtures of the export's tests: where a dataset may be made, no waiting between attempts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pop3frames.client.retry import Retry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a dataset may be made; it does not exist yet."""
    return tmp_path / "mail"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between a lost session and the next, in seconds: noted here instead of made."""
    seconds: list[float] = []
    monkeypatch.setattr("pop3frames.export.mailbox.PAUSES", Retry(sleep=seconds.append))
    return seconds


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts to connect, in seconds: noted here instead of made."""
    seconds: list[float] = []
    monkeypatch.setattr("pop3frames.client.connection._RETRY", Retry(sleep=seconds.append))
    return seconds
