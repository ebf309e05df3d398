"""Which mail an export takes: by date, size, number, order and name, and how it is told to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from export.deletion_oracle import left
from export.mailboxes import account_at, account_of, counts, ids, listing, mail, mails, retr, stored
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab.relay import Relay
from lab.scripted import QUIT, ScriptedServer

from pop3frames.client.pop3 import POP3
from pop3frames.client.session import Session
from pop3frames.errors import POP3UsageError
from pop3frames.export import selection
from pop3frames.export.mailbox import export_mailbox
from pop3frames.export.progress import Progress
from pop3frames.export.report import DeletionReport, ExportReport, FailedMessage
from pop3frames.export.selection import Listing
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.ledger import Known
from pop3frames.protocol.listings import parse_sizes, parse_unique_ids
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Drop, Lie, Say
from pop3frames.server.features import Features
from pop3frames.server.maildrop import StoredMessage

Y2024 = datetime(2024, 1, 1, tzinfo=UTC)


def dated(number: int, year: int) -> StoredMessage:
    """Mail `number`, of the 2nd of January of that year."""
    raw = mail(number).raw
    return StoredMessage(raw.replace(b"Jan 2024", b"Jan %d" % year), f"uid-{number:05d}")


def undated(number: int) -> StoredMessage:
    """Mail `number` with a date that nobody can read."""
    raw = mail(number).raw
    return StoredMessage(raw.replace(b"Tue, 2 Jan 2024 03:04:05 +0000", b"soon"), f"uid-{number:05d}")


def asked(relay: Relay, verb: bytes = b"RETR") -> list[int]:
    """The numbers that were RETRed through the relay, in their order."""
    lines = b"".join(map(bytes, relay.from_clients)).split(b"\r\n")
    return [int(line.split()[1]) for line in lines if line.startswith(verb + b" ")]


# What is listed, against what is known


class Told(Session):
    """A session that has asked: UIDL and LIST answered with these blocks."""

    def __init__(self, uidls: bytes, sizes: bytes) -> None:
        super().__init__(client=Mock(spec=POP3))
        self._uidls, self._sizes = parse_unique_ids(uidls), parse_sizes(sizes)

    def sizes(self) -> Mapping[int, int]:
        return self._sizes


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    uidls=st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "?"]), max_size=6),
    extra=st.sampled_from([-1, 0, 0, 0, 1]),
    known=st.lists(st.sampled_from("abcdef"), unique=True),
    more=st.lists(st.sampled_from("abcdef")),
)
def test_a_listing_knows_which_of_its_messages_are_fresh(
    uidls: list[str], extra: int, known: list[str], more: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Those with a unique-id of their own that is not known, and those without; "?" is a line without one."""
    numbered = dict(enumerate(uidls, 1))
    told = "".join(f"{number} {uidl}\r\n" if uidl != "?" else "?\r\n" for number, uidl in numbered.items())
    count = max(0, len(uidls) + extra)
    sizes = "".join(f"{number} 100\r\n" for number in range(1, count + 1))
    ledger = Known(tmp_path_factory.mktemp("none") / "there", "ann")
    ledger.uidls.update(known)
    listed = Listing.of(Told(told.encode(), sizes.encode()), ledger)
    own = {number: uidl for number, uidl in numbered.items() if uidl != "?" and uidls.count(uidl) == 1}
    numbers = sorted({*range(1, count + 1), *(number for number, uidl in numbered.items() if uidl != "?")})
    for holds in (set(known), {*known, *more}):
        assert (numbers, own) == (list(listed.numbers), dict(listed.uidls))
        assert {number for number in numbers if own.get(number, "?") not in holds} == listed.fresh
        assert len(holds - set(uidls)) == listed.unlisted
        ledger.uidls.update(more)
        listed = listed.compared(ledger)


# What cannot be meant


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"since": datetime(2024, 1, 1)}, "time zone"),  # noqa: DTZ001
        ({"since": "2024-01-01"}, "datetime"),
        ({"max_size": 0}, "max_size"),
        ({"max_size": 1.5}, "max_size"),
        ({"limit": -1}, "limit"),
        ({"limit": True}, "limit"),
        ({"uidls": []}, "uidls"),
        ({"uidls": "uid-00001"}, "strings"),
        ({"uidls": [1, 2]}, "strings"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_before_anything_is_sent(
    folder: Path, rules: dict[str, Any], said: str
) -> None:
    """The port is nobody's: a connection would fail otherwise."""
    with pytest.raises(POP3UsageError, match=said):
        export_mailbox(account_at(1), folder, **rules)
    assert not folder.exists()


# Date


@pytest.mark.parametrize("pipelining", [True, False])
def test_old_mail_is_recognised_by_its_header_and_never_fetched(folder: Path, pipelining: bool) -> None:
    """RETR crosses the wire for what is new enough only; the second run asks the headers of the old again."""
    box = [dated(number, 2020 + number) for number in range(1, 7)]
    with (
        EmbeddedServer(box, features=Features(pipelining=pipelining)) as server,
        Relay(server.port) as relay,
    ):
        account = account_at(relay.port, server.password)
        report = export_mailbox(account, folder, since=Y2024)
        assert ([4, 5, 6], [1, 2, 3, 4, 5, 6]) == (asked(relay), asked(relay, b"TOP"))
        again = export_mailbox(account, folder, since=Y2024)
        assert ([4, 5, 6], [1, 2, 3]) == (asked(relay), asked(relay, b"TOP")[6:])
    assert (6, 3, 0, 0, 0, 3) == (*counts(report), report.skipped)
    assert (6, 0, 3, 0, 0, 3) == (*counts(again), again.skipped)
    assert ids(box[3:]) == stored(folder)


def test_the_moment_itself_is_not_too_old_whatever_the_zone(folder: Path) -> None:
    """The mail is of 03:04:05 UTC."""
    exact = datetime(2024, 1, 2, 4, 4, 5, tzinfo=timezone(timedelta(hours=1)))
    with EmbeddedServer(mails(1)) as server:
        later = export_mailbox(account_of(server), folder, since=exact + timedelta(milliseconds=1))
        assert (1, 0) == (later.skipped, later.new)
        assert 1 == export_mailbox(account_of(server), folder, since=exact).new


def test_mail_without_a_readable_date_is_fetched(folder: Path) -> None:
    """Doubt loses nothing."""
    with EmbeddedServer([undated(1), dated(2, 1999)]) as server:
        report = export_mailbox(account_of(server), folder, since=Y2024)
    assert (1, 1, ["uid-00001"]) == (report.new, report.skipped, stored(folder))


def test_a_server_without_top_has_old_mail_fetched_and_dropped(folder: Path) -> None:
    """It is asked for a few headers only; no old mail is stored, and what is counted is the same."""
    box = [dated(number, 2020 + number % 5) for number in range(1, 31)]
    expected = [message for message in box if b"Jan 2024" in message.raw]
    with EmbeddedServer(box, features=Features(top=False)) as server, Relay(server.port) as relay:
        report = export_mailbox(account_at(relay.port, server.password), folder, since=Y2024)
        assert selection.MOST_HEADERLESS == len(asked(relay, b"TOP"))
        assert 30 == len(asked(relay))
    assert (30, 6, 0, 0, 0, 24) == (*counts(report), report.skipped)
    assert ids(expected) == stored(folder)


def test_one_header_that_is_refused_has_that_mail_fetched(folder: Path) -> None:
    """Its own date decides; the others are told by TOP."""
    box = [dated(1, 2025), dated(2, 2001), dated(3, 2001), dated(4, 2025)]
    with (
        EmbeddedServer(box, faults=[Say("TOP", b"-ERR no\r\n", message=3)]) as server,
        Relay(server.port) as relay,
    ):
        report = export_mailbox(account_at(relay.port, server.password), folder, since=Y2024)
        assert [1, 3, 4] == asked(relay)
    assert (4, 2, 0, 0, 0, 2) == (*counts(report), report.skipped)


def test_headers_that_break_the_connection_do_not_stop_the_run(folder: Path) -> None:
    """After two losses the run does without them."""
    box = [dated(number, 2020 + number) for number in range(1, 7)]
    with EmbeddedServer(box, faults=[Drop("TOP", octets=20, message=3)]) as server:
        report = export_mailbox(account_of(server), folder, since=Y2024)
    assert (6, 3, 0, 0, 0, 3) == (*counts(report), report.skipped)


def test_what_a_header_says_never_becomes_a_row(folder: Path) -> None:
    """The rows are those of fetched mail: with a body and the hash of all bytes."""
    with EmbeddedServer(mails(3)) as server:
        export_mailbox(account_of(server), folder, since=Y2024)
    table = Dataset(folder).to_table(["textBody", "contentHash"])
    assert (0, 0) == (table["textBody"].null_count, table["contentHash"].null_count)


def test_a_lost_connection_does_not_make_a_run_ask_the_old_headers_again(folder: Path) -> None:
    """Unique-ids that were too old are remembered."""
    box = [*(dated(number, 2001) for number in range(1, 6)), dated(6, 2025), dated(7, 2025)]
    fault = Drop("RETR", octets=50, message=7, nth=1)
    with EmbeddedServer(box, faults=[fault]) as server, Relay(server.port) as relay:
        report = export_mailbox(account_at(relay.port, server.password), folder, since=Y2024)
        assert [1, 2, 3, 4, 5, 6, 7, 7] == asked(relay, b"TOP")
    assert (7, 2, 0, 0, 0, 5) == (*counts(report), report.skipped)


# Size


def test_mail_listed_larger_is_not_asked_for(folder: Path) -> None:
    """The bound itself is not too large; without the rule the next run gets the rest."""
    box = [mail(1), mail(2, octets=5000), mail(3)]
    bound = len(box[0].raw)
    with EmbeddedServer(box) as server, Relay(server.port) as relay:
        report = export_mailbox(account_at(relay.port, server.password), folder, max_size=bound)
        assert [1, 3] == asked(relay)
        assert (3, 2, 0, 0, 0, 1) == (*counts(report), report.skipped)
        assert (3, 1, 2, 0, 0) == counts(export_mailbox(account_of(server), folder))


def test_mail_that_list_does_not_name_is_not_known_to_be_large(folder: Path) -> None:
    """It is fetched."""
    with EmbeddedServer([mail(1), mail(2, octets=5000)], faults=[Lie("LIST", {2: None})]) as server:
        assert 2 == export_mailbox(account_of(server), folder, max_size=1000).new


# Limit and order


@pytest.mark.parametrize("newest_first", [False, True])
def test_runs_with_a_limit_take_the_mailbox_piece_by_piece(folder: Path, newest_first: bool) -> None:
    """What is left goes on in the next run, in the same order, until nothing is left."""
    found = []
    with EmbeddedServer(mails(10)) as server, Relay(server.port) as relay:
        account = account_at(relay.port, server.password)
        for _ in range(4):
            report = export_mailbox(account, folder, limit=4, newest_first=newest_first)
            found.append(counts(report))
        numbers = list(range(1, 11))
        assert (numbers[::-1] if newest_first else numbers) == asked(relay)
    assert [(10, 4, 0, 0, 6), (10, 4, 4, 0, 2), (10, 2, 8, 0, 0), (10, 0, 10, 0, 0)] == found
    assert ids(mails(10)) == stored(folder)


def test_mail_that_is_always_refused_does_not_use_up_the_limit(folder: Path) -> None:
    """A limit counts what is stored: three bad messages at the front do not keep a run from the rest."""
    faults = [Say("RETR", b"-ERR no\r\n", message=number) for number in (1, 2, 3)]
    with EmbeddedServer(mails(9), faults=faults) as server:
        assert (9, 2, 0, 3, 4) == counts(export_mailbox(account_of(server), folder, limit=2))


def test_a_limit_holds_across_a_lost_connection(folder: Path) -> None:
    """Not so many in each session: so many in the run."""
    fault = Drop("RETR", octets=50, message=3, nth=1)
    with EmbeddedServer(mails(20), faults=[fault]) as server:
        assert (20, 5, 0, 0, 15) == counts(export_mailbox(account_of(server), folder, limit=5))


def test_a_limit_with_a_date_asks_no_more_headers_than_it_needs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Window by window; the rest is left, not skipped."""
    monkeypatch.setattr("pop3frames.export.passes.HEADERS_AHEAD", 4)
    box = [dated(number, 2020 + number % 2 * 5) for number in range(1, 21)]
    with EmbeddedServer(box) as server, Relay(server.port) as relay:
        report = export_mailbox(account_at(relay.port, server.password), folder, since=Y2024, limit=3)
        assert [*range(1, 9)] == asked(relay, b"TOP")
    assert (20, 3, 0, 0, 13, 4) == (*counts(report), report.skipped)
    assert ["uid-00001", "uid-00003", "uid-00005"] == stored(folder)


# Unique-ids


def test_only_the_named_unique_ids_are_stored(folder: Path) -> None:
    """One that is not listed hurts nobody."""
    with EmbeddedServer(mails(5)) as server:
        report = export_mailbox(account_of(server), folder, uidls=["uid-00004", "uid-00002", "gone"])
    assert (5, 2, 0, 0, 0, 3) == (*counts(report), report.skipped)
    assert ["uid-00002", "uid-00004"] == stored(folder)


def test_a_named_unique_id_that_two_mails_have_means_both(folder: Path) -> None:
    """They are stored by their content, as ever."""
    three, uidls = mails(3), {1: "same", 2: "same", 3: "other"}
    session = [*listing(uidls, dict.fromkeys(uidls, 1)), retr(1, three[0]), retr(2, three[1]), QUIT]
    with ScriptedServer(session) as server:
        report = export_mailbox(account_at(server.port), folder, uidls={"same"})
    assert (3, 2, 0, 0, 0, 1) == (*counts(report), report.skipped)
    assert [None, None] == Dataset(folder).to_table(["uidl"])["uidl"].to_pylist()


# Stop


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("at", [1, 3, 10])
def test_a_run_that_is_told_to_stop_stores_what_is_whole_and_says_what_is_left(
    folder: Path, pipelining: bool, at: int
) -> None:
    """It is asked after every message; the next run gets the rest."""
    asked_times = 0

    def stop() -> bool:
        nonlocal asked_times
        asked_times += 1
        return asked_times >= at

    with EmbeddedServer(mails(10), features=Features(pipelining=pipelining)) as server:
        assert (10, at, 0, 0, 10 - at) == counts(export_mailbox(account_of(server), folder, stop=stop))
        assert at == asked_times
        assert ids(mails(at)) == stored(folder)
        assert (10, 10 - at, at, 0, 0) == counts(export_mailbox(account_of(server), folder))


def test_a_run_that_is_told_to_stop_among_headers_fetches_nothing(folder: Path) -> None:
    """Looking at 500 dates takes its time too."""
    with EmbeddedServer(mails(10)) as server, Relay(server.port) as relay:
        account = account_at(relay.port, server.password)
        report = export_mailbox(account, folder, since=Y2024, stop=lambda: True)
        assert [] == asked(relay)
    assert (10, 0, 0, 0, 10) == counts(report)


def test_a_stopped_run_deletes_nothing(folder: Path) -> None:
    """Whoever wants it to end wants nothing more from it; the next run compares, and deletes."""
    with EmbeddedServer(mails(5)) as server, Relay(server.port) as relay:
        account = account_at(relay.port, server.password)
        report = export_mailbox(account, folder, keep_raw=True, delete=True, stop=lambda: True)
        assert b"DELE" not in relay.capture
        assert ids(mails(5)) == left(server)
    assert (DeletionReport(account.name), 1) == (report.deleted, report.new)


def test_a_stopped_run_does_not_quit_where_that_hides_what_was_under_way(folder: Path) -> None:
    """EXPIRE 0: commands had run ahead, and the mail behind them is stored nowhere."""
    gmail = Features(expire=0, removes_retrieved=True)
    with EmbeddedServer(mails(9), features=gmail) as server:
        report = export_mailbox(account_of(server), folder, keep_raw=True, stop=lambda: True)
        assert ids(mails(9)) == left(server)
    assert (9, 1, 0, 0, 8) == counts(report)


def test_a_run_that_is_told_to_stop_does_not_go_on_after_a_loss(folder: Path) -> None:
    """The report is returned, not raised: it ended as it was asked to."""
    told = False

    def tell(progress: Progress) -> None:
        nonlocal told
        told = progress.messages == 1

    with EmbeddedServer(mails(5), faults=[Drop("RETR", octets=50, message=3)]) as server:
        report = export_mailbox(account_of(server), folder, progress=tell, stop=lambda: told)
    assert (5, 1, 0, 0, 4) == counts(report)


# With deletion


@pytest.mark.parametrize(
    ("rules", "goes"),
    [
        ({"uidls": ["uid-00002", "uid-00006"]}, [2, 6]),
        ({"max_size": 1000}, [1, 2, 3, 5, 6]),
        ({"since": Y2024}, [3, 4, 5, 6]),
        ({"since": Y2024, "max_size": 1000}, [3, 5, 6]),
        ({"limit": 1}, [1, 2, 3, 4, 5]),
    ],
)
def test_with_rules_only_what_they_select_is_deleted(
    folder: Path, rules: dict[str, Any], goes: list[int]
) -> None:
    """Of earlier runs too. A limit is none of these rules: it says when to stop storing."""
    big = StoredMessage(mail(4, octets=3000).raw, "uid-00004")
    box = [dated(1, 2001), dated(2, 2002), undated(3), big, mail(5), mail(6)]
    with EmbeddedServer(box[:4]) as server:
        export_mailbox(account_of(server), folder, keep_raw=True)
        for message in box[4:]:
            server.maildrop.add(message)
        report = export_mailbox(account_of(server), folder, keep_raw=True, delete=True, **rules)
        assert [message.uidl for n, message in enumerate(box, 1) if n not in goes] == left(server)
    assert report.deleted is not None
    assert sorted(report.deleted.confirmed) == [box[number - 1].uidl for number in goes]
    assert {} == report.deleted.refused


# The law


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_rules_every_listed_message_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """And after a run without rules, each mail is there once."""
    numbers = range(1, 13)
    years = data.draw(st.lists(st.sampled_from([2001, 2025]), min_size=12, max_size=12))
    box = [dated(number, year) for number, year in zip(numbers, years, strict=True)]
    rules = st.fixed_dictionaries(
        {},
        optional={
            "since": st.just(Y2024),
            "max_size": st.sampled_from([1, len(box[0].raw), 10_000]),
            "limit": st.integers(1, 8),
            "newest_first": st.booleans(),
            "uidls": st.sets(st.sampled_from(ids(box)), min_size=1),
        },
    )
    refusing = data.draw(st.sets(st.sampled_from(list(numbers)), max_size=3))
    faults = [Say("RETR", b"-ERR no\r\n", message=number) for number in refusing]
    folder = tmp_path_factory.mktemp("law") / "mail"
    with EmbeddedServer(box, faults=faults) as server:
        for run in data.draw(st.lists(rules, max_size=3)):
            before = len(stored(folder))
            report = export_mailbox(account_of(server), folder, **run)
            assert (12, before + report.new) == (counts(report)[0], len(stored(folder)))
            assert report.new <= run.get("limit", 12)
            allowed = {m.uidl for m in box} & set(run.get("uidls", ids(box)))
            if "since" in run:
                allowed &= {m.uidl for m, year in zip(box, years, strict=True) if year == 2025}
            assert report.skipped <= 12 - len(allowed & {m.uidl for m in box}) or "max_size" in run
        export_mailbox(account_of(server), folder)
    assert [m.uidl for n, m in enumerate(box, 1) if n not in refusing] == stored(folder)


# The report


def test_a_report_names_what_was_skipped_only_where_there_is_something() -> None:
    """Between the failed and those not reached."""
    report = ExportReport("ann", 9, 2, 3, (), 1, 0, (), 0.0, skipped=3)
    assert "9 listed: 2 new, 3 known, 0 failed, 3 skipped, 1 not reached" in str(report)


def test_in_a_notebook_a_report_is_a_table_of_counts_and_nothing_that_a_server_said() -> None:
    """The name is the user's own, and is escaped all the same."""
    failed = (FailedMessage(1, "uid-canary", "canary <script>"),)
    deleted = DeletionReport("a", ["gone-canary"], {"x-canary": "canary"}, [])
    report = ExportReport("<b>ann", 9, 2, 3, failed, 1, 1_500_000, (), 2.0, deleted, skipped=2)
    shown = report._repr_html_()
    assert "canary" not in shown
    assert "<b>ann" not in shown
    for cell in ("&lt;b&gt;ann", "9", "2", "3", "1", "1.5", "2.0"):
        assert f"<td>{cell}</td>" in shown
    assert shown.count("<th>") == shown.count("<td>") == 12


def test_progress_comes_to_its_end_with_what_is_skipped(folder: Path) -> None:
    """A bar that stands still at 40 % looks like a run that hangs."""
    told: list[Progress] = []
    note: Callable[[Progress], object] = told.append
    box = [dated(number, 2020 + number % 2 * 5) for number in range(1, 7)]
    with EmbeddedServer(box) as server:
        export_mailbox(account_of(server), folder, since=Y2024, progress=note)
    assert (6, 6) == (told[-1].messages, told[-1].total_messages)
