"""`pop3frames record`, and `serve` of what it made: what people type and read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from export.mailboxes import mails

from pop3frames.cli.main import main
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.retry import Retry
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Drop, Status

SECRET = "hunter2-canary"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """`run("record", ...)` in this process, in a folder of its own, SECRET in POP_PASSWORD, no pauses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POP_PASSWORD", SECRET)
    monkeypatch.setattr("pop3frames.client.connection._RETRY", Retry(sleep=lambda _: None))
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def recording_of(port: int, *more: str) -> list[str]:
    """The words of a recording from loopback into ./snapshot."""
    words = ["record", "--host", "127.0.0.1", "--port", str(port), "--username", "user"]
    return [*words, "--encryption", "none", "--password-env", "POP_PASSWORD", "snapshot", *more]


def test_a_recording_is_served_again(run: Callable[..., Result], tmp_path: Path) -> None:
    """`pop3frames serve snapshot` in a process of its own hands out the same mail under the same ids."""
    with EmbeddedServer(mails(3), password=SECRET) as server:
        done = run(*recording_of(server.port))
    assert (0, "") == (done.exit_code, done.stderr)
    assert "user@127.0.0.1: 3 listed: 3 recorded, 0 failed" in done.stdout
    assert "serve it: pop3frames serve snapshot" in done.stdout

    words = [sys.executable, "-m", "pop3frames", "serve", "snapshot", "--password-env", "POP_PASSWORD"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=os.environ) as served:
        assert served.stdout is not None
        first = served.stdout.readline()
        assert first.startswith("3 messages on 127.0.0.1, port ")
        handler = POP3ProtocolHandler("127.0.0.1", int(first.split()[-1]), "user", SECRET, "none")
        with handler:
            assert [each.uidl for each in mails(3)] == list(handler.uidl().values())
            assert [each.raw for each in mails(3)] == [raw for _, raw in handler.iter_raw()]
        served.send_signal(signal.SIGINT)


def test_a_redacted_one_says_so(run: Callable[..., Result], tmp_path: Path) -> None:
    """With a key by reference, of which nothing is shown."""
    with EmbeddedServer(mails(2), password=SECRET) as server:
        done = run(*recording_of(server.port, "--redact", "--key", "env:POP_PASSWORD", "--newest", "1"))
    assert 0 == done.exit_code
    assert "1 listed: 1 recorded and redacted" in done.stdout
    assert SECRET not in done.output + "".join(each.read_text() for each in (tmp_path / "snapshot").iterdir())


def test_messages_that_failed_are_named_and_the_status_tells(run: Callable[..., Result]) -> None:
    """Status 3, as an export has it."""
    with EmbeddedServer(mails(2), password=SECRET, faults=[Status("RETR", b"-ERR no", message=1)]) as server:
        done = run(*recording_of(server.port))
    assert 3 == done.exit_code
    assert "1 recorded, 1 failed" in done.stdout
    assert "message 1 (uid-00001): the server refused RETR" in done.stdout


def test_what_cannot_go_on_is_one_sentence(run: Callable[..., Result], tmp_path: Path) -> None:
    """The connection, a folder in use, a key for nothing."""
    with EmbeddedServer(mails(2), password=SECRET, faults=[Drop("RETR", message=2)]) as server:
        lost = run(*recording_of(server.port))
    assert 1 == lost.exit_code
    assert lost.stderr.startswith("Error: ")
    assert "Traceback" not in lost.output
    (tmp_path / "snapshot" / "snapshot.json").unlink()
    full = run(*recording_of(1))
    assert (1, True) == (full.exit_code, "is not empty: record into a new folder" in full.stderr)
    odd = run(*recording_of(1, "--key", "env:X"))
    assert (2, True) == (odd.exit_code, "--key is for --redact" in odd.stderr)
