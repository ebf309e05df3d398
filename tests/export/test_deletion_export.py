"""export_mailbox(keep_raw=True, delete=True): what is durable goes, in the session that made it so."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from export.deletion_oracle import assert_nothing_lost, assert_untouched, durable, exported, left
from export.mailboxes import ANN, account_at, account_of, counts, ids, mail, mails, stored
from lab.relay import Relay

from pop3frames.errors import POP3ConnectionError, POP3ExportError, POP3UsageError
from pop3frames.export import clearing, passes
from pop3frames.export.mailbox import ExportReport, export_mailbox
from pop3frames.export.progress import Progress
from pop3frames.frames.dataset import Dataset
from pop3frames.protocol.grammar import Limits
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import AnyFault, Drop, Lie, Rearrange, Reset, Say, Stall, migrated
from pop3frames.server.features import Features
from pop3frames.server.maildrop import StoredMessage

FIVE = mails(5)
FIVE_IDS = ids(FIVE)


def emptied(server: EmbeddedServer, folder: Path, **changes: Any) -> ExportReport:
    """The report of an export that deletes."""
    return export_mailbox(account_of(server, **changes), folder, keep_raw=True, delete=True)


def states(report: ExportReport) -> tuple[list[str], list[str], list[str]]:
    """Deleted, refused, unknown."""
    assert report.deleted is not None
    return sorted(report.deleted.confirmed), sorted(report.deleted.refused), sorted(report.deleted.unknown)


@pytest.mark.parametrize("pipelining", [True, False])
def test_what_was_stored_goes_without_being_fetched_again(folder: Path, pipelining: bool) -> None:
    """One RETR a mail, all DELEs behind the commit, and +OK to QUIT."""
    with (
        EmbeddedServer(FIVE, features=Features(pipelining=pipelining)) as server,
        Relay(server.port) as relay,
    ):
        account = account_at(relay.port, server.password)
        report = export_mailbox(account, folder, keep_raw=True, delete=True)
        assert [] == left(server)
        assert (5, 5) == (relay.capture.count(b"RETR "), relay.capture.count(b"DELE "))
        assert_nothing_lost(FIVE, [], folder)
    assert (FIVE_IDS, [], []) == states(report)
    assert (5, 5, 0, 0, 0) == counts(report)
    assert str(report).endswith(f"\n{ANN}: 5 deleted, 0 refused, 0 unknown")


def test_when_dele_arrives_the_mail_is_in_the_dataset(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen at the moment of each mark."""
    seen: list[set[bytes]] = []
    original = clearing.Deleting.mark

    def noted(*arguments: Any, **options: Any) -> bool:
        seen.append(durable(folder))
        return original(*arguments, **options)

    monkeypatch.setattr(clearing.Deleting, "mark", noted)
    with EmbeddedServer(FIVE) as server:
        emptied(server, folder)
    assert [{message.raw for message in FIVE}] == seen


def test_deleting_needs_the_bytes(folder: Path) -> None:
    """Before the server is asked."""
    with pytest.raises(POP3UsageError, match="keep_raw=True"):
        export_mailbox(account_at(1), folder, delete=True)


def test_an_export_that_was_not_told_to_deletes_nothing_and_says_nothing_of_it(folder: Path) -> None:
    """Off by default."""
    with EmbeddedServer(FIVE) as server:
        report = export_mailbox(account_of(server), folder, keep_raw=True)
        assert_untouched(server, FIVE)
    assert report.deleted is None
    assert "deleted" not in str(report)


def test_mail_of_earlier_runs_goes_after_a_comparison(folder: Path) -> None:
    """It is fetched again; that of this run is not."""
    with EmbeddedServer(FIVE[:3]) as server, Relay(server.port) as relay:
        exported(server, folder)
        for message in FIVE[3:]:
            server.maildrop.add(message)
        report = export_mailbox(account_at(relay.port, server.password), folder, keep_raw=True, delete=True)
        assert 5 == relay.capture.count(b"RETR ")
        assert [] == left(server)
    assert (FIVE_IDS, [], []) == states(report)
    assert (5, 2, 3, 0, 0) == counts(report)


def test_mail_of_an_earlier_run_without_its_bytes_stays(folder: Path) -> None:
    """A row is not a mail."""
    with EmbeddedServer(FIVE[:3]) as server:
        exported(server, folder, keep_raw=False)
        server.maildrop.add(FIVE[3])
        assert ([FIVE_IDS[3]], FIVE_IDS[:3], []) == states(emptied(server, folder))
        assert FIVE_IDS[:3] == left(server)


def test_a_known_unique_id_with_other_mail_under_it_stays(folder: Path) -> None:
    """The export cannot see it, the deletion does."""
    reused = StoredMessage(mail(9).raw, "uid-00002")
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
        server.maildrop.rearrange(lambda messages: [messages[0], reused, *messages[2:]])
        report = emptied(server, folder)
        assert [reused] == server.maildrop.messages
    assert ["uid-00002"] == states(report)[1]


def test_a_unique_id_that_another_writer_stored_meanwhile_with_other_mail_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This run fetched it, and what is durable under the id is not what it fetched."""
    original = passes.as_row

    def raced(raw: bytes, number: int, **options: Any) -> Any:
        if number == 2:
            other = original(mail(9).raw, 1, account=ANN, uidl="uid-00002", keep_raw=True)
            Dataset(folder).append([other], ANN)
        return original(raw, number, **options)

    monkeypatch.setattr(passes, "as_row", raced)
    with EmbeddedServer(FIVE) as server:
        report = emptied(server, folder)
        assert ["uid-00002"] == left(server)
        assert_nothing_lost(FIVE, server.maildrop.messages, folder)
    assert ["uid-00002"] == states(report)[1]


@pytest.mark.parametrize("ids_told", [{2: "uid-00001"}, dict.fromkeys(range(1, 6), None)])
def test_mail_without_a_unique_id_of_its_own_stays(folder: Path, ids_told: dict[int, str | None]) -> None:
    """It is stored by its content, and nothing goes by number."""
    with EmbeddedServer(FIVE, faults=[Lie("UIDL", ids_told)]) as server:
        report = emptied(server, folder)
        stays = FIVE_IDS[:2] if 1 not in ids_told else FIVE_IDS
        assert stays == left(server)
        assert_nothing_lost(FIVE, server.maildrop.messages, folder)
    assert sorted(set(FIVE_IDS) - set(stays)) == states(report)[0]


def test_a_migrated_mailbox_goes_under_its_new_ids_after_a_comparison(folder: Path) -> None:
    """Its rows have the new ids by a hint, and nothing is deleted on that: each mail is fetched first."""
    with (
        EmbeddedServer(FIVE, faults=[Rearrange(migrated, connections={2})]) as server,
        Relay(server.port) as relay,
    ):
        exported(server, folder)
        report = export_mailbox(account_at(relay.port, server.password), folder, keep_raw=True, delete=True)
        asked = {line for line in bytes(relay.capture).split(b"\r\n") if line.startswith(b"RETR ")}
        assert [] == left(server)
    assert {b"RETR %d" % number for number in range(1, 6)} == asked
    assert (5, 0, 5, 0, 0) == counts(report)
    assert [f"new-{uidl}" for uidl in FIVE_IDS] == stored(folder)
    assert_nothing_lost(FIVE, [], folder)


# What fails


@pytest.mark.parametrize("reply", [b"-ERR bad disk\r\n", b"+OK\r\n.\r\n"])
def test_a_failed_message_stays(folder: Path, reply: bytes) -> None:
    """It is in the report as failed, and nobody asks to delete it."""
    with EmbeddedServer(FIVE, faults=[Say("RETR", reply, message=3)]) as server:
        report = emptied(server, folder)
        assert ["uid-00003"] == left(server)
    assert (5, 4, 0, 1, 0) == counts(report)
    assert ([uidl for uidl in FIVE_IDS if uidl != "uid-00003"], [], []) == states(report)


def test_an_oversized_message_stays_in_this_and_in_later_runs(folder: Path) -> None:
    """Its row has headers only."""
    served = [mail(1), mail(2, octets=9000), mail(3)]
    with EmbeddedServer(served) as server:
        limits = Limits(message=3000)
        assert (["uid-00001", "uid-00003"], [], []) == states(emptied(server, folder, limits=limits))
        again = emptied(server, folder, limits=limits)
        assert ["uid-00002"] == left(server)
    assert (["uid-00002"], "uid-00002") == (states(again)[1], again.failed[0].uidl)


@pytest.mark.parametrize(
    ("call", "code", "at"),
    [
        ("fsync", errno.ENOSPC, 1),
        ("fsync", errno.EIO, 8),
        ("link", errno.ENOSPC, 1),
        ("link", errno.ENOSPC, 3),
    ],
)
def test_a_disk_that_refuses_a_commit_deletes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, at: int
) -> None:
    """Neither what was not stored nor what was: the run ended. The next one does it."""
    monkeypatch.setattr(passes, "COMMIT_OCTETS", 1500)
    served, count = mails(12), 0
    original: Callable[..., Any] = getattr(os, call)

    def failing(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count >= at:
            raise OSError(code, os.strerror(code))
        return original(*arguments, **options)

    with EmbeddedServer(served) as server, Relay(server.port) as relay:
        account = account_at(relay.port, server.password)
        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            with pytest.raises(POP3ExportError) as caught:
                export_mailbox(account, folder, keep_raw=True, delete=True)
        assert b"DELE" not in relay.capture
        assert_untouched(server, served)
        assert caught.value.report.deleted is None or not caught.value.report.deleted.confirmed
        while server.maildrop._open:
            pass
        assert (ids(served), [], []) == states(emptied(server, folder))
        assert_nothing_lost(served, [], folder)


def test_ctrl_c_in_an_export_deletes_nothing(folder: Path) -> None:
    """What was whole is stored, and stays on the server."""

    def stop(progress: Progress) -> None:
        if progress.messages == 3:
            raise KeyboardInterrupt

    with EmbeddedServer(FIVE) as server, Relay(server.port) as relay:
        account = account_at(relay.port, server.password)
        with pytest.raises(KeyboardInterrupt):
            export_mailbox(account, folder, keep_raw=True, delete=True, progress=stop)
        assert b"DELE" not in relay.capture
        assert_untouched(server, FIVE)
    assert FIVE_IDS[:3] == stored(folder)


# Lost connections


def test_after_a_loss_in_the_middle_all_goes_in_the_second_session(folder: Path) -> None:
    """What the first one stored is compared there; what it was fetching is fetched."""
    served = mails(40, octets=1000)
    with EmbeddedServer(served) as server, Relay(server.port, after=20_000) as relay:
        account = account_at(relay.port, server.password)
        report = export_mailbox(account, folder, keep_raw=True, delete=True)
        first, second = (bytes(data) for data in relay.from_clients if b"RETR" in data)
        assert [] == left(server)
    assert (0, 40, 40) == (first.count(b"DELE "), second.count(b"DELE "), second.count(b"RETR "))
    assert (ids(served), [], []) == states(report)
    assert_nothing_lost(served, [], folder)


@pytest.mark.parametrize("fault", [Drop("DELE", nth=3), Reset("DELE", nth=1), Stall("DELE", nth=5)])
@pytest.mark.parametrize("pipelining", [True, False])
def test_a_loss_while_marking_is_made_good_in_the_next_session(
    folder: Path, fault: AnyFault, pipelining: bool
) -> None:
    """The server kept RFC 1939: the mail is listed again, and goes."""
    with EmbeddedServer(FIVE, faults=[fault], features=Features(pipelining=pipelining)) as server:
        report = emptied(server, folder, timeout=0.3)
        assert [] == left(server)
    assert (FIVE_IDS, [], []) == states(report)
    assert (5, 0) == (report.new, report.left)


def test_marks_that_came_true_without_quit_are_unknown(folder: Path) -> None:
    """A server that deletes at a cut: what the second session does not list is not claimed."""
    gone = Rearrange(lambda messages: messages[2:], connections={2})
    with EmbeddedServer(FIVE, faults=[Drop("DELE", nth=3), gone]) as server:
        report = emptied(server, folder)
        assert [] == left(server)
    assert (FIVE_IDS[2:], [], FIVE_IDS[:2]) == states(report)


@pytest.mark.parametrize(("fault", "gone"), [(Drop("QUIT", executed=False), 0), (Drop("QUIT"), 5)])
def test_a_quit_nobody_answered_is_unknown(folder: Path, fault: AnyFault, gone: int) -> None:
    """The run is over, and its report says what is not known."""
    with EmbeddedServer(FIVE, faults=[fault]) as server:
        report = emptied(server, folder)
        server.stop()
        assert 5 - gone == len(server.maildrop)
    assert ([], [], FIVE_IDS) == states(report)
    assert (5, 5, 0, 0, 0) == counts(report)


def test_a_run_that_gives_up_while_marking_has_its_report(folder: Path, waits: list[float]) -> None:
    """Five losses in a row: stored is stored, and the marks are unknown."""
    with EmbeddedServer(FIVE, faults=[Drop("DELE")]) as server:
        with pytest.raises(POP3ConnectionError) as caught:
            emptied(server, folder)
        server.stop()
        assert_untouched(server, FIVE)
    report = caught.value.report
    assert ([], [], FIVE_IDS) == states(report)
    assert FIVE_IDS == stored(folder)


# Servers on which QUIT hides what was fetched

GMAIL = Features(expire=0, removes_retrieved=True)


def test_where_quit_hides_mail_everything_stored_may_go(folder: Path) -> None:
    """Nothing else was fetched."""
    with EmbeddedServer(FIVE, features=GMAIL) as server:
        assert (FIVE_IDS, [], []) == states(emptied(server, folder))
        assert [] == left(server)


@pytest.mark.parametrize(
    "fault", [Say("RETR", b"-ERR disk error\r\n", message=3), Say("DELE", b"-ERR no\r\n", message=3)]
)
def test_where_quit_hides_mail_one_that_stays_keeps_all_and_the_report_says_so(
    folder: Path, fault: AnyFault
) -> None:
    """Nothing is deleted, nothing hidden, and nothing is passed over in silence."""
    with EmbeddedServer(FIVE, features=GMAIL, faults=[fault]) as server, Relay(server.port) as relay:
        account = account_at(relay.port, server.password)
        report = export_mailbox(account, folder, keep_raw=True, delete=True)
        assert b"QUIT" not in relay.capture
        assert_untouched(server, FIVE)
    assert ([], []) == states(report)[::2]
    assert {"uid-00001", "uid-00002", "uid-00004", "uid-00005"} <= set(states(report)[1])


def test_where_quit_hides_mail_other_mail_under_a_known_id_is_not_hidden(folder: Path) -> None:
    """It was fetched for the comparison and is stored nowhere."""
    reused = StoredMessage(mail(9).raw, "uid-00002")
    with EmbeddedServer(FIVE, features=GMAIL, faults=[]) as server:
        exported(server, folder)
    served = [FIVE[0], reused, *FIVE[2:]]
    with EmbeddedServer(served, features=GMAIL) as server:
        report = emptied(server, folder)
        assert_untouched(server, served)
    assert ([], FIVE_IDS, []) == states(report)
