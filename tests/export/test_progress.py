"""The progress of an export: told to a function, or shown as a bar where somebody can see it."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
from export.mailboxes import account_at, account_of, counts, mail, mails, stored
from lab.relay import Relay

from pop3frames.export.mailbox import export_mailbox
from pop3frames.export.progress import Progress
from pop3frames.server.embedded import EmbeddedServer


def test_a_function_is_called_after_every_message(folder: Path) -> None:
    """Counts grow by one, octets by the message's size; the totals are what LIST announced."""
    told: list[Progress] = []
    sizes = [len(message.raw) for message in mails(5)]
    with EmbeddedServer(mails(5)) as server:
        export_mailbox(account_of(server), folder, progress=told.append)
    expected = [Progress(count, 5, sum(sizes[:count]), sum(sizes)) for count in range(1, 6)]
    assert expected == told


def test_only_what_is_to_fetch_counts(folder: Path) -> None:
    """A second run with one new mail is a run of one."""
    told: list[Progress] = []
    with EmbeddedServer(mails(5)) as server:
        export_mailbox(account_of(server), folder)
        server.maildrop.add(mail(6))
        export_mailbox(account_of(server), folder, progress=told.append)
    assert [(1, 1)] == [(each.messages, each.total_messages) for each in told]


def test_after_a_lost_connection_the_rest_is_counted_anew(folder: Path, waits: list[float]) -> None:
    """Counts grow within a session; the last call says that all of it is done."""
    told: list[Progress] = []
    with EmbeddedServer(mails(40)) as server, Relay(server.port, after=9_000) as relay:
        export_mailbox(account_at(relay.port, server.password), folder, progress=told.append)
    starts = [index for index, each in enumerate(told) if each.messages == 1]
    assert 2 == len(starts)
    assert 40 == len(told)
    assert told[-1].messages == told[-1].total_messages == 40 - starts[1]


def test_a_failing_function_stops_the_run_and_keeps_what_was_whole(folder: Path) -> None:
    """Its own exception reaches the caller."""

    def fail(progress: Progress) -> None:
        if progress.messages == 3:
            raise KeyError("mine")

    with EmbeddedServer(mails(5)) as server:
        with pytest.raises(KeyError, match="mine"):
            export_mailbox(account_of(server), folder, progress=fail)
        assert 3 == len(stored(folder))
    with EmbeddedServer(mails(5)) as server:
        assert (5, 2, 3, 0, 0) == counts(export_mailbox(account_of(server), folder))


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_a_bar_is_shown_where_asked_for_and_else_only_to_somebody(
    folder: Path, capsys: pytest.CaptureFixture[str], progress: bool | None, shown: bool
) -> None:
    """None: a bar in a terminal or a notebook, and here is neither."""
    with EmbeddedServer(mails(3)) as server:
        export_mailbox(account_of(server), folder, progress=progress)
    captured = capsys.readouterr()
    assert shown == ("ann@example.org" in captured.err and "3/3" in captured.err)
    assert "" == captured.out


@pytest.mark.parametrize("where", ["terminal", "notebook"])
def test_somebody_looks_in_a_terminal_and_in_a_notebook(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """A notebook is known by the kernel that runs in it; its stderr is no terminal."""
    if where == "terminal":
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    else:
        application = types.SimpleNamespace(initialized=lambda: True)
        kernel = types.SimpleNamespace(IPKernelApp=application)
        monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", kernel)
    with EmbeddedServer(mails(3)) as server:
        export_mailbox(account_of(server), folder)
    assert "3/3" in capsys.readouterr().err


def test_nothing_to_fetch_shows_no_bar(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bar of nothing says nothing."""
    with EmbeddedServer() as server:
        export_mailbox(account_of(server), folder, progress=True)
    assert "" == capsys.readouterr().err
