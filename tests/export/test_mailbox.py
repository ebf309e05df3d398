"""What an export promises about the messages of a mailbox: each one stored once, or accounted for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from export.mailboxes import (
    ANN,
    account_at,
    account_of,
    block,
    counts,
    digests,
    hashes,
    ids,
    listing,
    mail,
    mails,
    refused,
    retr,
    rows,
    stored,
    whole_session,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab.relay import Relay
from lab.scripted import LOGIN, QUIT, ScriptedServer

from pop3frames.errors import POP3UsageError
from pop3frames.export import passes
from pop3frames.export.mailbox import export_mailbox
from pop3frames.export.report import DeletionReport, ExportReport
from pop3frames.frames.dataset import Dataset
from pop3frames.protocol.grammar import Limits
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Say
from pop3frames.server.maildrop import StoredMessage

# Twice is once


def written(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """What a write to any file or directory would change; reading may move only the access time."""
    states = {path: path.stat() for path in folder.rglob("*")}
    return {path: (state.st_ino, state.st_size, state.st_mtime_ns) for path, state in states.items()}


def test_a_second_run_adds_nothing_and_fetches_nothing(folder: Path) -> None:
    """It asks UIDL and LIST; no RETR crosses the wire, no file changes."""
    with EmbeddedServer(mails(30)) as server:
        assert (30, 30, 0, 0, 0) == counts(export_mailbox(account_of(server), folder))
        before = written(folder)
        with Relay(server.port) as relay:
            report = export_mailbox(account_at(relay.port, server.password), folder)
            sent = bytes(relay.from_clients[0]).split(b"\r\n")
    assert (30, 0, 30, 0, 0) == counts(report)
    assert ((), 0) == (report.parts, report.octets)
    assert ["CAPA", "UIDL", "LIST", "QUIT"] == [line.decode() for line in sent[3:-1]]
    assert before == written(folder)


def test_a_mail_that_came_in_between_is_the_only_one_fetched(folder: Path) -> None:
    """The new number alone is RETRed, wherever it stands."""
    with EmbeddedServer(mails(10)) as server:
        export_mailbox(account_of(server), folder)
        server.maildrop.add(mail(11))
        with Relay(server.port) as relay:
            report = export_mailbox(account_at(relay.port, server.password), folder)
            asked = [line for line in bytes(relay.from_clients[0]).split(b"\r\n") if b"RETR" in line]
    assert (11, 1, 10, 0, 0) == counts(report)
    assert [b"RETR 11"] == asked
    assert ids(mails(11)) == stored(folder)


def test_numbers_that_moved_between_runs_fetch_nothing_again(folder: Path) -> None:
    """Message numbers belong to a session: after a deletion elsewhere all the others are known."""
    with EmbeddedServer(mails(10)) as server:
        export_mailbox(account_of(server), folder)
    with EmbeddedServer(mails(10)[3:]) as server:
        assert (7, 0, 7, 0, 0) == counts(export_mailbox(account_of(server), folder))
    assert ids(mails(10)) == stored(folder)


def test_kept_bytes_are_the_served_bytes_and_the_hash_is_their_sha256(folder: Path) -> None:
    """Dots at line starts, NUL, 8-bit octets and bare CR come through as they are."""
    odd = StoredMessage(b"Subject: odd\r\n\r\n..\r\n.\x00\xff\r.\r\n", "odd")
    served = [*mails(5), odd]
    with EmbeddedServer(served) as server:
        report = export_mailbox(account_of(server), folder, keep_raw=True)
    assert [message.raw for message in served] == [row["raw"] for row in rows(folder)]
    assert digests(served) == hashes(folder)
    assert sum(len(message.raw) for message in served) == report.octets


def test_the_bytes_are_not_kept_unless_asked_for(folder: Path) -> None:
    """The column is there and null; the hash is there all the same."""
    with EmbeddedServer(mails(2)) as server:
        export_mailbox(account_of(server), folder)
    assert [None, None] == [row["raw"] for row in rows(folder)]
    assert digests(mails(2)) == hashes(folder)


def test_an_empty_mailbox_leaves_no_dataset_behind(folder: Path) -> None:
    """There is nothing to store, so nothing is created."""
    with EmbeddedServer() as server:
        assert (0, 0, 0, 0, 0) == counts(export_mailbox(account_of(server), folder))
    assert not folder.exists()


def test_two_runs_at_once_store_each_mail_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers with one and the same mailbox, many small parts: what one run stored, the other knows."""
    monkeypatch.setattr(passes, "COMMIT_OCTETS", 2000)
    reports: list[ExportReport] = []

    def export(server: EmbeddedServer) -> None:
        reports.append(export_mailbox(account_of(server), Dataset(folder)))

    with EmbeddedServer(mails(60)) as one, EmbeddedServer(mails(60)) as other:
        threads = [threading.Thread(target=export, args=(server,)) for server in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ids(mails(60)) == stored(folder)
    assert 60 == sum(report.new for report in reports)
    assert [60, 60] == [report.new + report.known for report in reports]


def test_accounts_in_one_dataset_do_not_know_each_others_mail(folder: Path) -> None:
    """The key is account and unique-id: servers number their mail alike."""
    with EmbeddedServer(mails(3)) as server:
        other = account_of(server)
        export_mailbox(account_of(server), folder)
        object.__setattr__(other, "name", "bob")
        assert (3, 3, 0, 0, 0) == counts(export_mailbox(other, folder))
    assert ["ann@example.org", "bob"] == Dataset(folder).accounts()


# Odd unique-ids


def test_one_unique_id_for_two_mails_loses_neither(folder: Path) -> None:
    """Both are stored without it, keyed by content; a second run fetches them again and adds nothing."""
    three, uidls = mails(3), {1: "same", 2: "same", 3: "other"}
    again = [*listing(uidls, dict.fromkeys(uidls, 1)), retr(1, three[0]), retr(2, three[1]), QUIT]
    with ScriptedServer(whole_session(three, uidls=uidls), again) as server:
        assert (3, 3, 0, 0, 0) == counts(export_mailbox(account_at(server.port), folder))
        assert (3, 0, 3, 0, 0) == counts(export_mailbox(account_at(server.port), folder))
    assert digests(three) == hashes(folder)
    assert {None, "other"} == {row["uidl"] for row in rows(folder)}


def test_a_server_without_unique_ids_gives_each_mail_once(folder: Path) -> None:
    """Keyed by content: a second run fetches all and adds nothing; a new mail is found."""
    four = mails(4)
    first, second = whole_session(four[:3], uidls=None), whole_session(four, uidls=None)
    with ScriptedServer(first, first, second) as server:
        found = [counts(export_mailbox(account_at(server.port), folder)) for _ in range(3)]
    assert [(3, 3, 0, 0, 0), (3, 0, 3, 0, 0), (4, 1, 3, 0, 0)] == found
    assert digests(four) == hashes(folder)


def test_equal_mails_with_unique_ids_of_their_own_are_both_kept(folder: Path) -> None:
    """The server says they are two."""
    twins = [StoredMessage(mail(1).raw, "one"), StoredMessage(mail(1).raw, "two")]
    with EmbeddedServer(twins) as server:
        assert (2, 2, 0, 0, 0) == counts(export_mailbox(account_of(server), folder))
    assert ["one", "two"] == stored(folder)


def test_equal_mails_without_unique_ids_are_one_row(folder: Path) -> None:
    """Nobody can tell them apart, and the second is accounted for as known."""
    with ScriptedServer(whole_session([mail(1), mail(1)], uidls=None)) as server:
        assert (2, 1, 1, 0, 0) == counts(export_mailbox(account_at(server.port), folder))


def test_messages_that_only_one_of_the_two_listings_names_are_fetched(folder: Path) -> None:
    """UIDL knows 1 and 3, LIST knows 1 and 2: three messages."""
    three = mails(3)
    script = [
        *listing({1: "one", 3: "three"}, {1: len(three[0].raw), 2: len(three[1].raw)}),
        *(retr(number, message) for number, message in enumerate(three, 1)),
        QUIT,
    ]
    with ScriptedServer(script) as server:
        assert (3, 3, 0, 0, 0) == counts(export_mailbox(account_at(server.port), folder))
    assert digests(three) == hashes(folder)


# One bad message does not stop the rest


def test_a_refused_message_is_reported_and_the_next_run_gets_it(folder: Path) -> None:
    """Its number, unique-id and the server's words are in the report; the others are stored."""
    refusal = Say("RETR", b"-ERR [SYS/TEMP] disk\x1b[2J\r\n", message=3, nth=1)
    with EmbeddedServer(mails(5), faults=[refusal]) as server:
        report = export_mailbox(account_of(server), folder)
        assert (5, 4, 0, 1, 0) == counts(report)
        assert (5, 1, 4, 0, 0) == counts(export_mailbox(account_of(server), folder))
    [failure] = report.failed
    assert (3, "uid-00003") == (failure.number, failure.uidl)
    assert "disk\\x1b[2J" in failure.reason
    assert ids(mails(5)) == stored(folder)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\r\n", "empty"),
        (b"Content-Type: text/plain; charset=nonsense\r\n\r\n\xff\r\n", "charset"),
        (b"Content-Type: multipart/mixed\r\n\r\nno boundary\r\n", "boundary"),
    ],
)
def test_a_mail_that_cannot_be_read_is_a_row_that_says_so(folder: Path, raw: bytes, said: str) -> None:
    """It is stored with its bytes, and is no failure: fetching it again would not help."""
    with EmbeddedServer([mail(1), StoredMessage(raw, "bad"), mail(2)]) as server:
        assert (3, 3, 0, 0, 0) == counts(export_mailbox(account_of(server), folder, keep_raw=True))
    [bad] = [row for row in rows(folder) if row["uidl"] == "bad"]
    assert (raw, said) == (bad["raw"], bad["parseError"])


def test_an_oversized_message_is_a_flagged_row_that_counts_as_failed(folder: Path) -> None:
    """It is never RETRed; its row has the header's columns and the LISTed size, no body and no hash."""
    served = [mail(1), mail(2, octets=9000), mail(3)]
    with EmbeddedServer(served) as server, Relay(server.port) as relay:
        account = account_at(relay.port, server.password, limits=Limits(message=3000))
        report = export_mailbox(account, folder, keep_raw=True)
        again = export_mailbox(account, folder, keep_raw=True)
        assert b"RETR 2" not in relay.capture
    assert (3, 2, 0, 1, 0) == counts(report)
    assert (3, 0, 2, 1, 0) == counts(again)
    assert (2, "uid-00002") == (report.failed[0].number, report.failed[0].uidl)
    [big] = [row for row in rows(folder) if row["uidl"] == "uid-00002"]
    assert ("mail 2", len(served[1].raw), "limit:message") == (big["subject"], big["size"], big["parseError"])
    assert (None, None, None) == (big["textBody"], big["contentHash"], big["raw"])


def test_an_oversized_message_whose_header_is_refused_too_is_only_reported(folder: Path) -> None:
    """No row, so that the next run tries again."""
    script = [
        *LOGIN,
        ("UIDL", block([b"1 small", b"2 big"])),
        ("LIST", block([b"1 400", b"2 9000"])),
        ("TOP 2 0", b"-ERR no TOP here\r\n"),
        retr(1, mail(1)),
        QUIT,
    ]
    with ScriptedServer(script) as server:
        account = account_at(server.port, limits=Limits(message=3000))
        assert (2, 1, 0, 1, 0) == counts(export_mailbox(account, folder))
    assert ["small"] == stored(folder)


def test_twenty_refusals_in_a_row_stop_the_asking(folder: Path) -> None:
    """A quota: what came before is stored, the rest is reported, and the next run gets it."""
    all_mails = mails(50)
    uidls = {number: message.uidl for number, message in enumerate(all_mails, 1)}
    sizes = {number: len(message.raw) for number, message in enumerate(all_mails, 1)}
    refusals = [refused(number, b"download exceed") for number in range(6, 26)]
    first = [*listing(uidls, sizes), *(retr(n, all_mails[n - 1]) for n in range(1, 6)), *refusals, QUIT]
    second = [*listing(uidls, sizes), *(retr(n, all_mails[n - 1]) for n in range(6, 51)), QUIT]
    with ScriptedServer(first, second) as server:
        report = export_mailbox(account_at(server.port), folder)
        assert (50, 5, 0, 45, 0) == counts(report)
        assert (50, 45, 5, 0, 0) == counts(export_mailbox(account_at(server.port), folder))
    assert list(range(6, 51)) == [failure.number for failure in report.failed]
    assert "download exceed" in report.failed[19].reason
    assert "not asked for: the server refused 20 in a row" == report.failed[20].reason
    assert ids(all_mails) == stored(folder)


def test_nineteen_refusals_in_a_row_do_not(folder: Path) -> None:
    """A message between them starts the count anew."""
    all_mails = mails(40)
    uidls = {number: message.uidl for number, message in enumerate(all_mails, 1)}
    given_out = {20, 40}
    steps = [retr(n, all_mails[n - 1]) if n in given_out else refused(n) for n in uidls]
    with ScriptedServer([*listing(uidls, dict.fromkeys(uidls, 1)), *steps, QUIT]) as server:
        assert (40, 2, 0, 38, 0) == counts(export_mailbox(account_at(server.port), folder))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=st.sets(st.integers(1, 15)), refusing=st.sets(st.integers(1, 15)), fresh=st.booleans())
def test_every_listed_message_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory,
    known: set[int],
    refusing: set[int],
    fresh: bool,
) -> None:
    """Whatever the dataset had and the server refuses: listed is new, known, failed and left together."""
    folder = tmp_path_factory.mktemp("law") / "mail"
    with EmbeddedServer([mail(number) for number in sorted(known)]) as server:
        export_mailbox(account_of(server), folder)

    faults = [Say("RETR", b"-ERR no\r\n", message=number) for number in refusing]
    with EmbeddedServer(mails(15), faults=faults) as server:
        report = export_mailbox(account_of(server), Dataset(folder) if fresh else str(folder))
    expected = set(range(1, 16)) - known
    assert (15, len(expected - refusing), len(known), len(expected & refusing), 0) == counts(report)
    assert ids(map(mail, known | (expected - refusing))) == stored(folder)


def test_a_report_is_one_sentence_with_all_its_counts() -> None:
    """What was not reached is named only where there is something."""
    whole = ExportReport(ANN, 9, 2, 3, (), 4, 1_500_000, (), 2.04)
    assert "ann@example.org: 9 listed: 2 new, 3 known, 0 failed, 4 not reached (1.5 MB in 2.0 s)" == str(
        whole
    )
    done = ExportReport(ANN, 5, 2, 3, (), 0, 0, (), 0.0)
    assert "ann@example.org: 5 listed: 2 new, 3 known, 0 failed (0.0 MB in 0.0 s)" == str(done)


def test_a_report_prints_its_account_so_that_it_cannot_forge_a_line() -> None:
    """Whoever names an account names it himself; but names come from files, too."""
    deleted = DeletionReport("ann\r\nbob\x1b[2J")
    report = ExportReport(deleted.account, 0, 0, 0, (), 0, 0, (), 0.0, deleted)
    assert all(line.startswith("ann\\r\\nbob\\x1b[2J: ") for line in str(report).split("\n"))


def test_a_dataset_in_an_object_store_is_refused_before_anything_is_sent() -> None:
    """It could not promise exactly once."""
    with pytest.raises(POP3UsageError, match="local folder"):
        export_mailbox(account_at(1), "s3://bucket/mail")
