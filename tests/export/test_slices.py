"""Servers that show a part of the mailbox and hide, at QUIT, what was fetched, as Gmail does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from export.deletion_oracle import durable, left
from export.mailboxes import account_at, account_of, counts, digests, hashes, ids, mail, mails, stored
from lab.relay import Relay

from pop3frames.errors import POP3ConnectionError
from pop3frames.export import slices
from pop3frames.export.mailbox import export_mailbox
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Drop, Rearrange, Say
from pop3frames.server.features import Features

GMAIL = Features(expire=0, removes_retrieved=True, shows=10)


def test_a_run_goes_on_until_nothing_new_is_listed(folder: Path) -> None:
    """Four sessions with QUIT: three slices, and one to see that there is nothing more."""
    with EmbeddedServer(mails(25), features=GMAIL) as server, Relay(server.port) as relay:
        report = export_mailbox(account_at(relay.port, server.password), folder, keep_raw=True)
        assert 4 == sum(b"QUIT" in data for data in relay.from_clients)
        assert [] == left(server)
    assert (25, 25, 0, 0, 0) == counts(report)
    assert digests(mails(25)) == hashes(folder)
    assert 3 == len(report.parts)


def test_each_quit_comes_behind_the_commit_of_what_it_hides(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen before each login: what is not on the server any more is durable."""
    box = mails(25)
    missing: list[int] = []

    def look(messages: list) -> list:  # type: ignore[type-arg]
        there = {message.raw for message in messages}
        missing.append(len({message.raw for message in box} - there - durable(folder)))
        return messages

    with EmbeddedServer(box, features=GMAIL, faults=[Rearrange(look)]) as server:
        export_mailbox(account_of(server), folder, keep_raw=True)
    assert [0, 0, 0, 0] == missing


def test_with_deletion_the_whole_mailbox_goes_slice_by_slice(folder: Path) -> None:
    """What earlier sessions deleted stays in the report."""
    with EmbeddedServer(mails(25), features=GMAIL) as server:
        report = export_mailbox(account_of(server), folder, keep_raw=True, delete=True)
        assert [] == left(server)
    assert report.deleted is not None
    assert (ids(mails(25)), {}) == (sorted(report.deleted.confirmed), report.deleted.refused)
    assert (25, 25, 0, 0, 0) == counts(report)


def test_without_the_bytes_the_slice_does_not_move_and_the_log_says_so(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no QUIT, and the next run finds the same ten known."""
    with EmbeddedServer(mails(25), features=GMAIL) as server:
        assert (10, 10, 0, 0, 0) == counts(export_mailbox(account_of(server), folder))
        assert "keep_raw" in caplog.text
        assert "only a part" in caplog.text
        assert (10, 0, 10, 0, 0) == counts(export_mailbox(account_of(server), folder, keep_raw=True))
        assert 25 == len(server.maildrop)


def test_a_message_that_is_refused_keeps_the_slice_and_is_named(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It was popped and is stored nowhere, so nothing of the slice is hidden; the next run goes on."""
    fault = Say("RETR", b"-ERR disk\r\n", message=3, nth=1)
    with EmbeddedServer(mails(25), features=GMAIL, faults=[fault]) as server:
        report = export_mailbox(account_of(server), folder, keep_raw=True)
        assert (10, 9, 0, 1, 0) == counts(report)
        assert 25 == len(server.maildrop)
        assert "was not all stored" in caplog.text
        export_mailbox(account_of(server), folder, keep_raw=True)
        last = export_mailbox(account_of(server), folder, keep_raw=True)
        assert digests(mails(25)) == hashes(folder)
    assert 0 == len(last.failed)


def test_a_limit_holds_across_slices(folder: Path) -> None:
    """Fifteen, and no look behind them."""
    with EmbeddedServer(mails(25), features=GMAIL) as server, Relay(server.port) as relay:
        account = account_at(relay.port, server.password)
        report = export_mailbox(account, folder, keep_raw=True, limit=15)
        assert 2 == sum(b"QUIT" in data for data in relay.from_clients)
    assert (20, 15, 0, 0, 5) == counts(report)


def test_a_run_that_is_told_to_stop_ends_with_its_slice(folder: Path) -> None:
    """Told behind the last message of the first."""
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 10

    with EmbeddedServer(mails(25), features=GMAIL) as server:
        report = export_mailbox(account_of(server), folder, keep_raw=True, stop=stop)
    assert 10 <= report.new < 25
    assert report.new == len(stored(folder))


def test_the_next_login_waits_as_long_as_the_server_wants(folder: Path, pauses: list[float]) -> None:
    """LOGIN-DELAY, counted from the login before."""
    features = replace(GMAIL, login_delay=30)
    with EmbeddedServer(mails(15), features=features, clock=lambda: time.monotonic() + sum(pauses)) as server:
        report = export_mailbox(account_of(server), folder, keep_raw=True)
    assert (15, 15, 0, 0, 0) == counts(report)
    assert 58 < sum(pauses) <= 61
    assert max(pauses) <= 1.0  # so that a stop is heard


def test_a_server_that_wants_to_be_left_alone_for_hours_is(
    folder: Path, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """The run ends with what it has, and says so."""
    features = replace(GMAIL, login_delay=99_999)
    with EmbeddedServer(mails(15), features=features) as server:
        assert (10, 10, 0, 0, 0) == counts(export_mailbox(account_of(server), folder, keep_raw=True))
    assert ([], True) == (pauses, "run it again later" in caplog.text)


def test_a_server_that_does_not_let_us_in_again_ends_a_run_that_has_its_slice(
    folder: Path, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """[LOGIN-DELAY] though none was announced: what is stored is no failure."""
    fault = Say("PASS", b"-ERR [LOGIN-DELAY] wait\r\n", connections=range(2, 99), executed=False)
    with EmbeddedServer(mails(15), features=GMAIL, faults=[fault]) as server:
        assert (10, 10, 0, 0, 0) == counts(export_mailbox(account_of(server), folder, keep_raw=True))
    assert "run it again later" in caplog.text


def test_a_mailbox_that_always_has_more_is_left_at_last(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The number of slices of a run is bounded."""
    monkeypatch.setattr(slices, "MOST_SLICES", 3)
    arrive = Rearrange(lambda m: [*m, mail(len(stored(folder)) + 100 if folder.exists() else 100)])
    with EmbeddedServer(features=GMAIL, faults=[arrive]) as server:
        report = export_mailbox(account_of(server), folder, keep_raw=True)
    assert (4, 4, 0, 0, 0) == counts(report)
    assert "run it again later" in caplog.text


def test_a_loss_in_a_later_slice_costs_no_message(folder: Path) -> None:
    """What the first hid is not missed in the session after the loss."""
    with EmbeddedServer(mails(25), features=GMAIL, faults=[Drop("RETR", octets=50, nth=14)]) as server:
        report = export_mailbox(account_of(server), folder, keep_raw=True)
    assert (25, 25, 0, 0, 0) == counts(report)
    assert ids(mails(25)) == stored(folder)


def test_a_server_that_goes_away_between_slices_leaves_a_report(folder: Path, waits: list[float]) -> None:
    """What is stored is in it."""
    fault = Drop("greeting", connections=range(2, 99))
    with (
        EmbeddedServer(mails(25), features=GMAIL, faults=[fault]) as server,
        pytest.raises(POP3ConnectionError) as caught,
    ):
        export_mailbox(account_of(server), folder, keep_raw=True)
    assert 10 == counts(caught.value.report)[1] == len(stored(folder))


@pytest.mark.parametrize("features", [Features(), Features(expire=30), Features(expire="NEVER")])
def test_other_servers_are_asked_once(folder: Path, features: Features) -> None:
    """Only EXPIRE 0 hides."""
    with EmbeddedServer(mails(5), features=features) as server, Relay(server.port) as relay:
        export_mailbox(account_at(relay.port, server.password), folder, keep_raw=True)
        assert 1 == len(relay.from_clients)


def test_nothing_new_is_one_session(folder: Path) -> None:
    """Also where the server hides: there is nothing behind what was listed before."""
    make: Callable[[], EmbeddedServer] = lambda: EmbeddedServer(mails(5), features=GMAIL)  # noqa: E731
    with make() as server:
        export_mailbox(account_of(server), folder, keep_raw=True)
    with make() as server, Relay(server.port) as relay:
        report = export_mailbox(account_at(relay.port, server.password), folder, keep_raw=True)
        assert 1 == len(relay.from_clients)
    assert (5, 0, 5, 0, 0) == counts(report)


def test_what_was_known_and_is_deleted_on_the_way_is_counted(folder: Path) -> None:
    """It is in no later slice, and was listed all the same."""
    with EmbeddedServer(mails(4), features=GMAIL) as server:
        export_mailbox(account_of(server), folder, keep_raw=True)
    with EmbeddedServer(mails(25), features=GMAIL) as server:
        report = export_mailbox(account_of(server), folder, keep_raw=True, delete=True)
        assert [] == left(server)
    assert (25, 21, 4, 0, 0) == counts(report)


def test_what_was_known_and_stays_listed_is_counted_once(folder: Path) -> None:
    """Stored without a QUIT by an earlier run: it is in each slice, and the rest comes piece by piece."""
    with EmbeddedServer(mails(4), features=GMAIL) as server:
        export_mailbox(account_of(server), folder)
        for message in mails(25)[4:]:
            server.maildrop.add(message)
        report = export_mailbox(account_of(server), folder, keep_raw=True)
        assert ids(mails(4)) == left(server)
    assert (25, 21, 4, 0, 0) == counts(report)
