"""`pop3frames headers`: a look at a mailbox that fetches nothing and stores nothing in a dataset."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from export.mailboxes import account_of, mail, mails
from lab.relay import Relay

from pop3frames.cli.main import main
from pop3frames.export.mailbox import export_mailbox
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Say
from pop3frames.server.maildrop import StoredMessage


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """`run(port, ...)`: the command against loopback, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POP_PASSWORD", "hunter2")
    words = ["headers", "--host", "127.0.0.1", "--username", "user", "--encryption", "none"]
    words += ["--password-env", "POP_PASSWORD", "--port"]
    return lambda port, *more: CliRunner().invoke(main, [*words, str(port), *more])


def test_the_mailbox_is_printed_from_headers_alone(run: Callable[..., Result]) -> None:
    """TOP and no RETR; nothing in it that a terminal would obey."""
    odd = StoredMessage(b"Subject: =?utf-8?q?a=1B[2Jb?=\r\nFrom: x\x1b@y\r\n\r\nhi\r\n", "odd")
    with EmbeddedServer([*mails(3), odd], password="hunter2") as server, Relay(server.port) as relay:
        result = run(relay.port)
        assert (4, 0) == (relay.capture.count(b"TOP "), relay.capture.count(b"RETR"))
        assert b"QUIT" in relay.capture
    assert 0 == result.exit_code
    assert "\x1b" not in result.output
    for subject in ("mail 1", "mail 2", "mail 3"):
        assert subject in result.stdout
    assert "4 messages of 2 senders\n" in result.stdout
    assert "attachments" not in result.stdout


def test_the_newest_so_many_can_be_asked_for(run: Callable[..., Result]) -> None:
    """The others cost nothing."""
    with EmbeddedServer(mails(9), password="hunter2") as server, Relay(server.port) as relay:
        result = run(relay.port, "--limit", "2", "--newest-first")
        assert 2 == relay.capture.count(b"TOP ")
    assert ["mail 9", "mail 8"] == re.findall(r"mail \d", result.stdout)


def _rows(result: Result) -> list[str]:
    return [line for line in result.stdout.splitlines() if "Ann <" in line]


def test_one_file_can_be_written_and_is_replaced_whole(run: Callable[..., Result], tmp_path: Path) -> None:
    """The columns of every table, without bodies, hashes and bytes; the LISTed size."""
    with EmbeddedServer([mail(1), mail(2, octets=5000)], password="hunter2") as server:
        first = run(server.port, "--output", "look.parquet", "--limit", "1")
        second = run(server.port, "--output", "look.parquet")
    assert [0, 0] == [first.exit_code, second.exit_code]
    assert f"2 headers: {tmp_path / 'look.parquet'}\n" == second.stdout
    frame = pd.read_parquet(tmp_path / "look.parquet")
    assert ["mail 1", "mail 2"] == frame["subject"].tolist()
    assert [len(mail(1).raw), len(mail(2, octets=5000).raw)] == frame["size"].tolist()
    assert 6 == int(frame[["textBody", "contentHash", "raw"]].isna().sum().sum())
    assert ["look.parquet"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("inside", ["x.parquet", "ann%40example.org/part-00000009.parquet", "a/b/x.parquet"])
def test_a_file_inside_a_dataset_is_refused(run: Callable[..., Result], tmp_path: Path, inside: str) -> None:
    """Readers would take it for a part, and the ledger would hold mail that nobody fetched."""
    with EmbeddedServer(mails(2), password="hunter2") as server, Relay(server.port) as relay:
        export_mailbox(account_of(server), tmp_path / "mail")
        before = sorted((tmp_path / "mail").rglob("*"))
        result = run(relay.port, "--output", f"mail/{inside}")
        assert b"" == relay.capture
    assert (2, True) == (result.exit_code, "would lie in the dataset" in result.stderr)
    assert before == sorted((tmp_path / "mail").rglob("*"))


def test_messages_without_a_header_give_status_three(run: Callable[..., Result]) -> None:
    """The others are shown."""
    fault = Say("TOP", b"-ERR no\r\n", message=2)
    with EmbeddedServer(mails(3), password="hunter2", faults=[fault]) as server:
        result = run(server.port)
    assert (3, 2) == (result.exit_code, len(_rows(result)))
    assert "1 message gave no header" in result.stderr


def test_an_empty_mailbox_is_an_empty_table(run: Callable[..., Result]) -> None:
    """Nothing to show is no error."""
    with EmbeddedServer(password="hunter2") as server:
        result = run(server.port)
    assert (0, []) == (result.exit_code, _rows(result))
    assert "0 messages of 0 senders" in result.stdout


def test_a_refused_login_is_one_sentence(run: Callable[..., Result]) -> None:
    """As in every command."""
    with EmbeddedServer(mails(1), password="other") as server:
        result = run(server.port)
    assert 1 == result.exit_code
    assert "Error: " in result.stderr
    assert "Traceback" not in result.output
    assert "hunter2" not in result.output
