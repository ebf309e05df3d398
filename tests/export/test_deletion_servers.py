"""Deletions and what servers do about them: refused, forgotten, cut off, answered by nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from export.deletion_oracle import assert_nothing_lost, assert_untouched, exported, left
from export.mailboxes import account_at, account_of, block, mail, mails, retr
from lab.relay import Relay
from lab.scripted import CLOSE, GREETING, LOGIN, QUIT, RESET, STALL, Action, ScriptedServer, Step

from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3BusyError, POP3CommandError, POP3ConnectionError
from pop3frames.export.deletion import Verify, commit_deletions, plan_deletions
from pop3frames.export.mailbox import export_mailbox
from pop3frames.export.report import DeletionReport
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import AnyFault, Drop, Lie, Reset, Say, Stall, Status
from pop3frames.server.features import Features
from pop3frames.server.maildrop import StoredMessage

BOTH = pytest.mark.parametrize("verify", ["hash", "uidl"])
FIVE = mails(5)
TWO = ["uid-00001", "uid-00003"]
HIDES = "left: on this server (EXPIRE 0) a QUIT would also hide mail that was fetched and is to stay"


def states(report: DeletionReport) -> tuple[list[str], list[str], list[str]]:
    """Confirmed, refused, unknown."""
    return report.confirmed, list(report.refused), report.unknown


@pytest.fixture
def stored(folder: Path) -> Path:
    """A dataset with FIVE and their bytes."""
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
    return folder


# DELE


@BOTH
@pytest.mark.parametrize("pipelining", [True, False])
def test_a_refused_dele_is_named_and_the_others_go(stored: Path, verify: Verify, pipelining: bool) -> None:
    """In the server's words, with nothing in them that a terminal would obey."""
    faults = [Say("DELE", b"-ERR not \x1b[2Jyours\r\n", message=1)]
    with EmbeddedServer(FIVE, faults=faults, features=Features(pipelining=pipelining)) as server:
        report = commit_deletions(account_of(server), stored, TWO, verify=verify)
        assert ["uid-00001", "uid-00002", "uid-00004", "uid-00005"] == left(server)
    assert (["uid-00003"], ["uid-00001"], []) == states(report)
    assert "the server refused: the server refused DELE: not \\x1b[2Jyours" == report.refused["uid-00001"]


@BOTH
def test_a_mail_that_comes_back_is_in_the_next_plan(stored: Path, verify: Verify) -> None:
    """+OK to DELE, +OK to QUIT, and it is still there: the server lied, and the listing tells."""
    with EmbeddedServer(FIVE, faults=[Say("DELE", b"+OK\r\n", message=3)]) as server:
        report = commit_deletions(account_of(server), stored, TWO, verify=verify)
        plan = plan_deletions(account_of(server), stored)
    assert (TWO, [], []) == states(report)
    assert [True] == list(plan.loc[plan["uidl"] == "uid-00003", "delete"])
    assert "uid-00001" not in set(plan["uidl"])


@BOTH
@pytest.mark.parametrize("fault", [Drop("DELE", nth=2), Reset("DELE", nth=2), Stall("DELE", nth=2)])
@pytest.mark.parametrize("pipelining", [True, False])
def test_a_connection_lost_while_marking_leaves_the_marks_unknown(
    stored: Path, verify: Verify, fault: AnyFault, pipelining: bool
) -> None:
    """The error has the report; by RFC 1939 nothing is deleted without QUIT."""
    with EmbeddedServer(FIVE, faults=[fault], features=Features(pipelining=pipelining)) as server:
        with pytest.raises(POP3ConnectionError) as caught:
            commit_deletions(account_of(server, timeout=0.3), stored, TWO, verify=verify)
        server.stop()
        assert_untouched(server, FIVE)
    assert ([], [], TWO) == states(caught.value.report)


@pytest.mark.parametrize(
    "fault", [Drop("RETR", octets=50, nth=2), Reset("RETR", nth=1), Stall("RETR", nth=2)]
)
def test_a_connection_lost_while_comparing_accounts_for_every_mail(stored: Path, fault: AnyFault) -> None:
    """Nothing was marked: each mail stays, and the report says so."""
    with EmbeddedServer(FIVE, faults=[fault]) as server:
        with pytest.raises(POP3ConnectionError) as caught:
            commit_deletions(account_of(server, timeout=0.3), stored, ["gone", *TWO])
        server.stop()
        assert_untouched(server, FIVE)
    assert ([], ["gone", *TWO], []) == states(caught.value.report)
    assert "the connection was lost before it was marked" == caught.value.report.refused["uid-00003"]


@pytest.mark.parametrize("reply", [b"-ERR disk error\r\n", b"+OK\r\nSubject: x\r\n\r\n.\r\n"])
def test_a_mail_that_cannot_be_fetched_again_stays(stored: Path, reply: bytes) -> None:
    """Refused, or other words than those in the dataset."""
    with EmbeddedServer(FIVE, faults=[Say("RETR", reply, message=1)]) as server:
        report = commit_deletions(account_of(server), stored, TWO)
        assert ["uid-00001", "uid-00002", "uid-00004", "uid-00005"] == left(server)
    assert (["uid-00003"], ["uid-00001"], []) == states(report)


def test_a_mail_that_comes_empty_ends_the_session_and_nothing_is_deleted(stored: Path) -> None:
    """Whatever follows it may be forged: so are the answers to DELE."""
    with EmbeddedServer(FIVE, faults=[Say("RETR", b"+OK\r\n.\r\n", message=1)]) as server:
        with pytest.raises(POP3ConnectionError, match="nothing came for RETR") as caught:
            commit_deletions(account_of(server), stored, TWO)
        assert_untouched(server, FIVE)
    assert ([], TWO, []) == states(caught.value.report)


def test_a_mail_that_begins_with_a_dot_and_has_another_size_stays(folder: Path) -> None:
    """Dovecot 2.3 does not stuff that dot: of two, one is lost at every RETR, and the hash agrees."""
    served = [*FIVE, StoredMessage(b".first line\r\n\r\nbody\r\n", "dotted")]
    with EmbeddedServer(served) as server:
        exported(server, folder)
    with EmbeddedServer(served, faults=[Lie("LIST", {6: str(len(served[5].raw) + 1)})]) as server:
        assert ["dotted"] == list(commit_deletions(account_of(server), folder, ["dotted"]).refused)
        report = export_mailbox(account_of(server), folder, keep_raw=True, delete=True)
        assert ["dotted"] == left(server)
    assert report.deleted is not None
    assert ["dotted"] == list(report.deleted.refused)
    with EmbeddedServer(served) as server:
        assert ["dotted"] == commit_deletions(account_of(server), folder, ["dotted"]).confirmed


@pytest.mark.parametrize("octets", [40, -1])
def test_a_mail_shorter_than_listed_is_fetched_again_before_it_goes(folder: Path, octets: int) -> None:
    """What cut it once may not cut it twice. Where it is the same again, LIST was wrong, and it goes."""
    short = FIVE[1].raw.removesuffix(b"\r\n")[:octets] + b"\r\n"
    cut = Say("RETR", b"+OK\r\n" + short.replace(b"\r\n.", b"\r\n..") + b".\r\n", message=2, nth=1)
    with EmbeddedServer(FIVE, faults=[cut]) as server:
        report = export_mailbox(account_of(server), folder, keep_raw=True, delete=True)
        assert ["uid-00002"] == left(server)
    assert report.deleted is not None
    assert ["uid-00002"] == list(report.deleted.refused)

    with EmbeddedServer(FIVE, faults=[Lie("LIST", {2: str(len(FIVE[1].raw) + 1)})]) as server:
        report = export_mailbox(account_of(server), folder / "other", keep_raw=True, delete=True)
        assert [] == left(server)


def test_a_mail_that_came_instead_of_another_is_fetched_again_before_either_goes(folder: Path) -> None:
    """Two unique-ids, the same bytes: a slip of the server, which LIST cannot show where sizes are equal."""
    slip = Say("RETR", b"+OK\r\n" + FIVE[2].raw.replace(b"\r\n.", b"\r\n..") + b".\r\n", message=2, nth=1)
    with EmbeddedServer(FIVE, faults=[slip]) as server:
        report = export_mailbox(account_of(server), folder, keep_raw=True, delete=True)
        assert ["uid-00002"] == left(server)
    assert report.deleted is not None
    assert ["uid-00002"] == list(report.deleted.refused)


def test_equal_mails_under_two_unique_ids_both_go(folder: Path) -> None:
    """They are the same when they are fetched again."""
    twins = [*FIVE, StoredMessage(FIVE[0].raw, "twin")]
    with EmbeddedServer(twins) as server:
        export_mailbox(account_of(server), folder, keep_raw=True, delete=True)
        assert [] == left(server)


# QUIT


@BOTH
@pytest.mark.parametrize(
    ("fault", "gone"),
    [
        (Say("QUIT", b"-ERR [SYS/TEMP] some messages not removed\r\n"), False),
        (Status("QUIT", b"-ERR [SYS/TEMP] some messages not removed"), True),
        (Drop("QUIT", executed=False), False),
        (Reset("QUIT", executed=False), False),
        (Drop("QUIT"), True),
        (Drop("QUIT", octets=2), True),
        (Drop("QUIT", octets=4), True),
        (Stall("QUIT", executed=False), False),
        (Stall("QUIT"), True),
        (Status("QUIT", b"OK bye"), True),
        (Status("QUIT", b""), True),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_quit_that_was_not_confirmed_leaves_the_outcome_unknown(
    stored: Path, verify: Verify, fault: AnyFault, gone: bool
) -> None:
    """Refused, cut before, at and after the update, silent, or no POP3: the next listing tells."""
    with EmbeddedServer(FIVE, faults=[fault]) as server:
        report = commit_deletions(account_of(server, timeout=0.3), stored, TWO, verify=verify)
        server.stop()
        assert (3 if gone else 5) == len(server.maildrop)
        assert_nothing_lost(FIVE, server.maildrop.messages, stored)
    assert ([], [], TWO) == states(report)
    assert {"unknown"} == set(report.to_dataframe()["state"])


@BOTH
def test_a_cut_behind_the_confirmation_changes_nothing(stored: Path, verify: Verify) -> None:
    """+OK had come."""
    with EmbeddedServer(FIVE, faults=[Drop("QUIT", octets=None)]) as server:
        assert (TWO, [], []) == states(commit_deletions(account_of(server), stored, TWO, verify=verify))


@pytest.mark.parametrize("end", [CLOSE, RESET, STALL], ids=["closed", "reset", "silent"])
def test_an_answer_that_forges_the_confirmation_is_not_believed(stored: Path, end: Action) -> None:
    """A reply too many behind DELE: the session is out of step, and its QUIT proves nothing."""
    size = len(FIVE[0].raw)
    script: list[Step] = [
        *LOGIN,
        ("?CAPA", b"-ERR\r\n"),
        ("LIST", block([b"1 %d" % size, b"2 2"])),
        ("UIDL", block([b"1 uid-00001", b"2 other"])),
        retr(1, FIVE[0]),
        ("DELE 1", b"-ERR no\r\n+OK bye\r\n", end),
    ]
    with ScriptedServer(script) as server:
        try:
            report = commit_deletions(account_at(server.port, timeout=0.3), stored, ["uid-00001"])
        except POP3ConnectionError as exc:
            report = exc.report
    assert [] == report.confirmed


# Before anything is marked


def test_a_mailbox_in_use_is_waited_for_and_then_told(stored: Path, waits: list[float]) -> None:
    """[IN-USE] by another session: nothing is marked."""
    with EmbeddedServer(FIVE) as server:
        other = POP3("127.0.0.1", server.port)
        other.user(server.username)
        other.pass_(server.password)
        with pytest.raises(POP3BusyError) as caught:
            commit_deletions(account_of(server), stored, TWO)
        other.quit()
        assert ("IN-USE", 2) == (caught.value.code, len(waits))
        assert_untouched(server, FIVE)
        assert TWO == commit_deletions(account_of(server), stored, TWO).confirmed


@pytest.mark.parametrize("fault", [Drop("UIDL"), Drop("LIST", octets=9), Drop("PASS"), Drop("greeting")])
def test_a_connection_lost_before_the_listing_accounts_for_every_mail(
    stored: Path, fault: AnyFault, waits: list[float]
) -> None:
    """The error has the report."""
    with EmbeddedServer(FIVE, faults=[fault]) as server:
        with pytest.raises(POP3ConnectionError) as caught:
            commit_deletions(account_of(server), stored, TWO)
        assert_untouched(server, FIVE)
    assert ([], TWO, []) == states(caught.value.report)


def test_a_refused_list_deletes_nothing(stored: Path) -> None:
    """The server's words reach the caller, and the session ends without QUIT."""
    with (
        EmbeddedServer(FIVE, faults=[Say("LIST", b"-ERR mailbox is broken\r\n")]) as server,
        Relay(server.port) as relay,
    ):
        with pytest.raises(POP3CommandError, match="mailbox is broken"):
            commit_deletions(account_at(relay.port, server.password), stored, TWO)
        assert b"DELE" not in relay.capture
        assert b"QUIT" not in relay.capture


def test_a_mail_that_list_leaves_out_still_counts_for_the_guard(stored: Path) -> None:
    """What UIDL shows is in the mailbox too: it would not be empty."""
    with EmbeddedServer(FIVE[:3], faults=[Lie("LIST", {2: None})]) as server:
        report = commit_deletions(account_of(server), stored, TWO)
        assert ["uid-00002"] == left(server)
    assert (TWO, [], []) == states(report)


# Servers on which QUIT hides what was fetched

GMAIL = Features(expire=0, removes_retrieved=True)


def test_where_quit_hides_mail_all_of_it_goes_or_nothing(stored: Path) -> None:
    """All that is fetched for the comparison is stored: then QUIT is right."""
    with EmbeddedServer(FIVE, features=GMAIL) as server:
        report = commit_deletions(account_of(server), stored, TWO)
        assert ["uid-00002", "uid-00004", "uid-00005"] == left(server)
    assert (TWO, [], []) == states(report)


@pytest.mark.parametrize(
    "fault", [None, Say("RETR", b"-ERR no\r\n", message=3), Say("DELE", b"-ERR no\r\n", message=3)]
)
def test_where_quit_hides_mail_one_that_is_to_stay_keeps_them_all(
    stored: Path, fault: AnyFault | None
) -> None:
    """Another mail under a known unique-id, one that cannot be fetched, one whose DELE is refused."""
    served = FIVE if fault else [*FIVE[:2], StoredMessage(mail(8).raw, "uid-00003"), *FIVE[3:]]
    with (
        EmbeddedServer(served, features=GMAIL, faults=[fault] if fault else []) as server,
        Relay(server.port) as relay,
    ):
        report = commit_deletions(account_at(relay.port, server.password), stored, TWO)
        assert b"QUIT" not in relay.capture
        assert_untouched(server, served)
    assert ([], ["uid-00001", "uid-00003"], []) == (report.confirmed, sorted(report.refused), report.unknown)
    assert HIDES == report.refused["uid-00001"]


def test_where_quit_hides_mail_nothing_fetched_means_nothing_hidden(stored: Path) -> None:
    """By unique-id and size nothing is fetched, so one that stays keeps no other."""
    served = [*FIVE[:2], StoredMessage(mail(8, octets=900).raw, "uid-00003"), *FIVE[3:]]
    with EmbeddedServer(served, features=GMAIL) as server:
        report = commit_deletions(account_of(server), stored, TWO, verify="uidl")
        assert ["uid-00002", "uid-00003", "uid-00004", "uid-00005"] == left(server)
    assert (["uid-00001"], ["uid-00003"], []) == states(report)


# What is unknown is settled by the next listing


def test_an_unknown_outcome_is_settled_by_the_next_plan(stored: Path) -> None:
    """Still there after all: the plan has it again; gone: it has not."""
    faults = [Drop("QUIT", executed=False, nth=1), Drop("QUIT", nth=3)]
    with EmbeddedServer(FIVE, faults=faults) as server:
        account = account_of(server)
        outcomes = []
        for wanted in (["uid-00001"], ["uid-00003"]):
            assert wanted == commit_deletions(account, stored, wanted).unknown
            while server.maildrop._open:  # the server has not noticed yet
                pass
            plan = plan_deletions(account, stored)
            outcomes.append(wanted[0] in set(plan.loc[plan["delete"], "uidl"]))
    assert [True, False] == outcomes


def test_an_export_after_an_unknown_outcome_stores_nothing_twice(stored: Path) -> None:
    """Mail that came back is known."""
    with EmbeddedServer(FIVE, faults=[Drop("QUIT", executed=False, nth=1)]) as server:
        assert TWO == commit_deletions(account_of(server), stored, TWO).unknown
        while server.maildrop._open:
            pass
        assert 0 == export_mailbox(account_of(server), stored, keep_raw=True).new
    assert 5 == Dataset(stored).count("ann@example.org")


def test_no_capa_and_no_pipelining_is_enough(stored: Path) -> None:
    """RFC 1939 with UIDL, one command at a time."""
    sizes = [len(message.raw) for message in FIVE]
    script: list[Step] = [
        GREETING,
        ("CAPA", b"-ERR\r\n"),
        *LOGIN[2:],
        ("LIST", block([b"%d %d" % each for each in enumerate(sizes, 1)])),
        ("UIDL", block([b"%d uid-%05d" % (n, n) for n in range(1, 6)])),
        retr(1, FIVE[0]),
        retr(3, FIVE[2]),
        ("DELE 1", b"+OK\r\n"),
        ("DELE 3", b"+OK\r\n"),
        QUIT,
    ]
    with ScriptedServer(script) as server:
        assert (TWO, [], []) == states(commit_deletions(account_at(server.port), stored, TWO))
