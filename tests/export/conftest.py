"""Fixtures of the export's tests: where a dataset may be made, no waiting between attempts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from export.mailboxes import mails

from pop3frames.client.retry import Retry
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.maildrop import StoredMessage

HERE = Path(__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a dataset may be made; it does not exist yet."""
    return tmp_path / "mail"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between a lost session and the next, in seconds: noted here instead of made."""
    seconds: list[float] = []
    monkeypatch.setattr("pop3frames.export.passes.PAUSES", Retry(sleep=seconds.append))
    return seconds


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts to connect, in seconds: noted here instead of made."""
    seconds: list[float] = []
    monkeypatch.setattr("pop3frames.client.connection._RETRY", Retry(sleep=seconds.append))
    return seconds


@pytest.fixture(scope="module")
def export() -> Iterator[Callable[..., tuple[str, float]]]:
    """`export(folder, served, **order)`: an export in a process of its own; how it ended, in what time.

    Of 36 mails, or of those served; the orders are in exporting.py.
    """
    program = subprocess.Popen(
        [sys.executable, str(HERE / "exporting.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(HERE.parent)},
    )
    assert program.stdin is not None
    assert program.stdout is not None

    def export(
        folder: Path, served: Iterable[StoredMessage] | None = None, **order: Any
    ) -> tuple[str, float]:
        # A server of its own for each: no lock of a killed session is in the way.
        with EmbeddedServer(mails(36) if served is None else served) as server:
            order |= {"folder": str(folder), "port": server.port, "password": server.password}
            print(json.dumps(order), file=program.stdin, flush=True)
            ended, seconds = json.loads(program.stdout.readline())
        return ended, seconds

    yield export
    program.communicate()
