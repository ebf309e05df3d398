"""An export whose connection breaks: what was whole is stored, the run goes on, each mail is there once."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import pytest
from export.mailboxes import (
    account_at,
    account_of,
    counts,
    digests,
    hashes,
    ids,
    listing,
    mail,
    mails,
    retr,
    stored,
    whole_session,
)
from lab.relay import Relay
from lab.scripted import CLOSE, GREETING, QUIT, RESET, STALL, Action, ScriptedServer

from pop3frames.errors import POP3BusyError, POP3ConnectionError
from pop3frames.export import passes
from pop3frames.export.mailbox import export_mailbox
from pop3frames.export.progress import Progress
from pop3frames.frames.dataset import Dataset
from pop3frames.protocol.grammar import Limits
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Drop

IN_USE = [GREETING, ("USER .*", b"+OK\r\n"), ("PASS .*", b"-ERR [IN-USE] locked\r\n")]


# The run goes on


@pytest.mark.parametrize("after", [3_000, 9_999, 20_001, 40_000])
def test_a_connection_cut_in_a_message_costs_no_message(folder: Path, after: int) -> None:
    """What was whole is committed first; a second session fetches the rest."""
    with (
        EmbeddedServer(mails(60, octets=1000)) as server,
        Relay(server.port, after=after) as relay,
    ):
        report = export_mailbox(account_at(relay.port, server.password), folder)
        sessions = [bytes(data) for data in relay.from_clients if b"RETR" in data]
    assert (60, 60, 0, 0, 0) == counts(report)
    assert ids(mails(60)) == stored(folder)
    assert digests(mails(60, octets=1000)) == hashes(folder)
    assert 2 == len(sessions)


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["closed", "reset"])
def test_half_a_message_is_never_a_row(folder: Path, end: Action) -> None:
    """However the connection ends in it, it is fetched again as a whole."""
    two = mails(2)
    uidls = {1: "uid-00001", 2: "uid-00002"}
    cut = [
        *listing(uidls, dict.fromkeys(uidls, 400)),
        retr(1, two[0]),
        ("RETR 2", b"+OK\r\nSubject: ha", end),
    ]
    rest = [*listing(uidls, dict.fromkeys(uidls, 400)), retr(2, two[1]), QUIT]
    with ScriptedServer(cut, rest) as server:
        assert (2, 2, 0, 0, 0) == counts(export_mailbox(account_at(server.port), folder))
    assert digests(two) == hashes(folder)


def test_what_was_whole_is_not_fetched_again(folder: Path) -> None:
    """The second session asks only for what the first one did not store."""
    with EmbeddedServer(mails(60, octets=1000)) as server, Relay(server.port, after=30_000) as relay:
        report = export_mailbox(account_at(relay.port, server.password), folder)
        asked = bytes(relay.from_clients[-1]).count(b"RETR")
    first, second = (Dataset(folder).read(["uidl"]).shape[0] - asked, asked)
    assert 2 == len(report.parts)
    assert 10 < first < 50
    assert 60 == first + second


def test_a_cut_at_any_octet_of_the_first_session_loses_nothing(tmp_path: Path, waits: list[float]) -> None:
    """Greeting, login, listings, in a message, between two: the union of both runs is the mailbox."""
    for after in range(1, 3500, 97):
        folder = tmp_path / str(after)
        with EmbeddedServer(mails(6)) as server, Relay(server.port, after=after) as relay:
            account = account_at(relay.port, server.password)
            with contextlib.suppress(POP3ConnectionError, POP3BusyError):
                export_mailbox(account, folder)
            while b"QUIT" not in relay.from_clients[-1]:
                with contextlib.suppress(POP3BusyError):  # the server has not noticed yet
                    export_mailbox(account, folder)
        assert ids(mails(6)) == stored(folder), after


def test_a_server_that_falls_silent_is_left_for_a_new_session(folder: Path) -> None:
    """The account's timeout ends the wait."""
    four = mails(4)
    uidls = {number: message.uidl for number, message in enumerate(four, 1)}
    silent = [*listing(uidls, dict.fromkeys(uidls, 1)), retr(1, four[0]), ("RETR 2", STALL)]
    rest = [
        *listing(uidls, dict.fromkeys(uidls, 1)),
        retr(3, four[2]),
        retr(4, four[3]),
        retr(2, four[1]),
        QUIT,
    ]
    with ScriptedServer(silent, rest) as server:
        report = export_mailbox(account_at(server.port, timeout=0.2), folder)
    assert (4, 4, 0, 0, 0) == counts(report)
    assert ids(four) == stored(folder)


def test_a_message_that_always_breaks_the_connection_is_skipped_and_named(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After two tries; all the others are stored, and the next run, with a better server, gets it."""
    faults = [Drop("RETR", octets=200, message=7, nth=time) for time in (1, 2)]
    with EmbeddedServer(mails(20), faults=faults) as server:
        with caplog.at_level(logging.WARNING):
            report = export_mailbox(account_of(server), folder)
        assert (20, 19, 0, 1, 0) == counts(report)
        assert (20, 1, 19, 0, 0) == counts(export_mailbox(account_of(server), folder))
    [failure] = report.failed
    assert (7, "uid-00007") == (failure.number, failure.uidl)
    assert "broke 2 times" in failure.reason
    assert "going on in a new session" in caplog.text
    assert ids(mails(20)) == stored(folder)


def test_several_such_messages_together_do_not_keep_a_run_from_the_rest(folder: Path) -> None:
    """Three at the front: those that broke a connection are tried again last."""
    faults = [Drop("RETR", octets=200, message=number) for number in (1, 2, 3)]
    with EmbeddedServer(mails(9), faults=faults) as server:
        report = export_mailbox(account_of(server), folder)
    assert (9, 6, 0, 3, 0) == counts(report)
    assert ["uid-00001", "uid-00002", "uid-00003"] == sorted(str(each.uidl) for each in report.failed)


def test_a_message_larger_than_announced_is_skipped_and_named(folder: Path) -> None:
    """LIST lies: the limit closes the connection, twice, and the rest is stored."""
    four = mails(4)
    uidls = {number: message.uidl for number, message in enumerate(four, 1)}
    sizes = dict.fromkeys(uidls, 400)
    flood = b"+OK\r\n" + b"x" * (1 << 20)

    def endless(peer: object) -> None:
        for _ in range((Limits().message >> 20) + 2):
            peer.send(flood)  # type: ignore[attr-defined]

    first = [*listing(uidls, sizes), ("RETR 1", endless)]
    second = [*listing(uidls, sizes), *(retr(n, four[n - 1]) for n in (2, 3, 4)), ("RETR 1", endless)]
    third = [*listing(uidls, sizes), QUIT]
    with ScriptedServer(first, second, third) as server:
        report = export_mailbox(account_at(server.port), folder)
    assert (4, 3, 0, 1, 0) == counts(report)
    assert ids(four[1:]) == stored(folder)


def test_an_oversized_message_stays_failed_when_the_connection_is_lost_later(folder: Path) -> None:
    """Its flagged row does not turn it into a known one in the next session, and is there once."""
    served = [mail(1), mail(2, octets=9000), mail(3), mail(4)]
    with EmbeddedServer(served, faults=[Drop("RETR", octets=200, message=4, nth=1)]) as server:
        report = export_mailbox(account_of(server, limits=Limits(message=3000)), folder)
    assert (4, 3, 0, 1, 0) == counts(report)
    assert [2] == [failure.number for failure in report.failed]
    assert ids(served) == stored(folder)


def test_a_header_that_breaks_the_connection_does_not_stop_the_run(folder: Path) -> None:
    """TOP of the oversized message is tried once; without a row it only counts as failed."""
    with EmbeddedServer([mail(1), mail(2, octets=9000), mail(3)], faults=[Drop("TOP", octets=20)]) as server:
        report = export_mailbox(account_of(server, limits=Limits(message=3000)), folder)
    assert (3, 2, 0, 1, 0) == counts(report)
    assert ["uid-00001", "uid-00003"] == stored(folder)


def test_without_unique_ids_a_lost_connection_doubles_nothing(folder: Path) -> None:
    """The new session fetches from the start, and content tells what is stored already."""
    five = mails(5)
    sizes = dict.fromkeys(range(1, 6), 400)
    cut = [*listing(None, sizes), retr(1, five[0]), retr(2, five[1]), ("RETR 3", b"+OK\r\nSubj", CLOSE)]
    rest = [*listing(None, sizes), *(retr(n, five[n - 1]) for n in (1, 2, 4, 5, 3)), QUIT]
    with ScriptedServer(cut, rest) as server:
        assert (5, 5, 0, 0, 0) == counts(export_mailbox(account_at(server.port), folder))
    assert digests(five) == hashes(folder)


# The mailbox is still locked by the session that was lost


def test_a_mailbox_still_locked_by_the_lost_session_is_waited_for(folder: Path, waits: list[float]) -> None:
    """[IN-USE] after a loss is our own lock; the pauses grow."""
    three = mails(3)
    uidls = {number: message.uidl for number, message in enumerate(three, 1)}
    sizes = dict.fromkeys(uidls, 1)
    cut = [*listing(uidls, sizes), retr(1, three[0]), ("RETR 2", CLOSE)]
    rest = [*listing(uidls, sizes), retr(3, three[2]), retr(2, three[1]), QUIT]
    with ScriptedServer(cut, IN_USE, IN_USE, rest) as server:
        assert (3, 3, 0, 0, 0) == counts(export_mailbox(account_at(server.port), folder))
    assert [True, True] == [2.0 <= waits[0] <= 2.5, 4.0 <= waits[1] <= 5.0]
    assert 2 == len(waits)


def test_a_mailbox_that_stays_locked_ends_the_run_with_its_report(folder: Path, waits: list[float]) -> None:
    """A POP3ConnectionError, for that is what began it; what was whole is stored."""
    uidls = {1: "one", 2: "two"}
    cut = [*listing(uidls, dict.fromkeys(uidls, 1)), retr(1, mail(1)), ("RETR 2", CLOSE)]
    with (
        ScriptedServer(cut, IN_USE) as server,
        pytest.raises(POP3ConnectionError, match="run it again later") as caught,
    ):
        export_mailbox(account_at(server.port), folder)
    assert (2, 1, 0, 0, 1) == counts(caught.value.report)
    assert ["one"] == stored(folder)


# The server goes away for good


def test_a_server_that_goes_away_for_good_leaves_what_was_committed(folder: Path, waits: list[float]) -> None:
    """The error holds the report; the next run fetches the rest, and each mail is there once."""
    # 15 MB: more than is ever under way.
    with EmbeddedServer(mails(50, octets=300_000)) as server:
        with contextlib.ExitStack() as block:
            relay = block.enter_context(Relay(server.port))

            def go_away(progress: Progress) -> None:
                if progress.messages == 20:
                    block.close()

            with pytest.raises(POP3ConnectionError, match="refused the connection") as caught:
                export_mailbox(account_at(relay.port, server.password), folder, progress=go_away)
        report = caught.value.report
        listed, new, known, failed, left = counts(report)
        assert (50, 0, 0) == (listed, known, failed)
        assert new >= 20
        assert new == len(stored(folder)) == len(set(stored(folder)))
        server.stop()
    with EmbeddedServer(mails(50, octets=300_000)) as server:
        assert (50, left, new, 0, 0) == counts(export_mailbox(account_of(server), folder))
    assert ids(mails(50, octets=300_000)) == stored(folder)
    assert 2 == len(waits)


def test_a_server_that_accepts_everybody_and_serves_nobody_is_given_up(folder: Path) -> None:
    """Five lost connections with nothing stored in between end the run."""
    uidls = {number: f"uid-{number}" for number in range(1, 10)}
    cut = [*listing(uidls, dict.fromkeys(uidls, 1)), ("RETR .*", CLOSE)]
    with ScriptedServer(cut) as server, pytest.raises(POP3ConnectionError) as caught:
        export_mailbox(account_at(server.port), folder)
    assert passes.MOST_LOSSES == len(server.peers)
    assert (9, 0, 0, 0, 9) == counts(caught.value.report)
    assert not folder.exists()


def test_a_server_that_always_has_more_does_not_keep_a_run_for_ever(
    folder: Path, pauses: list[float]
) -> None:
    """Each session lists two new mails, gives one and cuts: the run ends with what the first one listed."""
    scripts = []
    for session in range(12):
        uidls = {1: f"{session}-a", 2: f"{session}-b"}
        scripts.append([*listing(uidls, dict.fromkeys(uidls, 1)), retr(1, mail(session)), ("RETR 2", CLOSE)])
    quiet = [*listing({1: "12-a", 2: "12-b"}, {1: 1, 2: 1}), QUIT]
    with ScriptedServer(*scripts[:1], quiet) as server:
        report = export_mailbox(account_at(server.port), folder)
        assert 2 == len(server.peers)
    assert (1, 1) == (report.new, len(stored(folder)))
    assert 1 == len(pauses)


def test_a_server_lost_before_its_listing_is_not_asked_again(folder: Path) -> None:
    """Nothing is known about the mailbox: that is an error, not an empty report of success."""
    with ScriptedServer([*whole_session([], uidls={})[:5], ("UIDL", CLOSE)]) as server:
        with pytest.raises(POP3ConnectionError) as caught:
            export_mailbox(account_at(server.port), folder)
        assert 1 == len(server.peers)
    assert (0, 0, 0, 0, 0) == counts(caught.value.report)
