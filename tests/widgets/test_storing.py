"""Exports from an explorer: all, some, cancelled, failed; the dataset is whole each time."""

from __future__ import annotations

from pathlib import Path

import pytest
from export.mailboxes import rows, stored
from widgets.looking import SECONDS, Place, listed, place

from pop3frames.client.retry import Retry
from pop3frames.errors import POP3ConnectionError, POP3UsageError
from pop3frames.server.faults import Drop
from pop3frames.widgets.mailbox import Mailbox
from pop3frames.widgets.storing import Storing


def storing_of(where: Place, folder: Path) -> Storing:
    mailbox = listed(where)
    mailbox.dataset = str(folder)
    return Storing(mailbox)


def test_an_export_keeps_all_with_their_bytes_and_tells_its_pace(tmp_path: Path) -> None:
    """Progress in messages and octets; the words name the dataset."""
    with place(30) as where:
        storing, told = storing_of(where, tmp_path), []
        storing.mailbox.jobs.observe(lambda change: told.append(change["new"]), "pace")
        report = storing.export().wait(SECONDS)
        assert (report.new, storing.report) == (30, report)
        assert len(stored(tmp_path)) == 30
        assert all(row["raw"] for row in rows(tmp_path))
        last = told[-2].progress
        assert (last.messages, last.total_messages, last.octets) == (30, 30, last.total_octets)
        assert told[-1] is None
        assert f"Dataset: {tmp_path}" in storing.mailbox.jobs.status
        assert storing.mailbox.jobs.status.startswith("30 messages exported")
        assert "DELE" not in where.verbs


def test_only_what_is_named_is_exported(tmp_path: Path) -> None:
    """The marked, or what a filter shows. What is there already is not fetched again."""
    with place(5) as where:
        storing = storing_of(where, tmp_path)
        storing.keep_raw = False
        storing.export({"uid-00002", "uid-00004"}).wait(SECONDS)
        assert stored(tmp_path) == ["uid-00002", "uid-00004"]
        assert not any(row["raw"] for row in rows(tmp_path))
        assert storing.export(["uid-00002", "uid-00003"]).wait(SECONDS).new == 1
        assert stored(tmp_path) == ["uid-00002", "uid-00003", "uid-00004"]


def test_a_cancel_leaves_a_whole_dataset_and_the_next_export_goes_on(tmp_path: Path) -> None:
    """Not one message is lost or doubled."""
    with place(20) as where:
        storing = storing_of(where, tmp_path)
        storing.mailbox.jobs.observe(lambda change: change["new"] and storing.mailbox.jobs.cancel(), "pace")
        report = storing.export().wait(SECONDS)
        assert (report.new, report.left) == (1, 19)
        assert stored(tmp_path) == ["uid-00001"]
        assert storing.mailbox.jobs.status.startswith("Cancelled: 1 message exported")
        storing.mailbox.jobs.unobserve_all("pace")
        assert storing.export().wait(SECONDS).known == 1
        assert stored(tmp_path) == [f"uid-{number:05d}" for number in range(1, 21)]


def test_exporting_nothing_is_told(tmp_path: Path) -> None:
    """An empty choice must not mean everything."""
    with place(2) as where:
        storing = storing_of(where, tmp_path)
        with pytest.raises(POP3UsageError, match="no message to export"):
            storing.export(())
        assert not list(tmp_path.iterdir())


def test_without_a_mailbox_nothing_is_exported(tmp_path: Path) -> None:
    """In words."""
    with pytest.raises(POP3UsageError, match="connect"):
        Storing(Mailbox()).export()


def test_a_failed_export_leaves_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is lost again and again: what was complete is named."""
    monkeypatch.setattr("pop3frames.export.passes.PAUSES", Retry(sleep=lambda _: None))
    with place(3, faults=[Drop("RETR")]) as where:
        storing = storing_of(where, tmp_path)
        with pytest.raises(POP3ConnectionError):
            storing.export().wait(SECONDS)
        assert storing.report is not None
        assert storing.report.new == 0
        assert "lost" in storing.mailbox.jobs.error
