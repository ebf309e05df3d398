"""Mail under other unique-ids than before: known again, never stored twice, never deleted on a hint."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from export.deletion_oracle import assert_nothing_lost, durable, left
from export.mailboxes import (
    ANN,
    account_at,
    account_of,
    counts,
    digests,
    hashes,
    ids,
    mail,
    mails,
    rows,
    stored,
    whole_session,
)
from export.test_mailbox_memory import PROGRAM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab.relay import Relay
from lab.scripted import ScriptedServer

from pop3frames.errors import POP3ConnectionError
from pop3frames.export.deletion import commit_deletions
from pop3frames.export.mailbox import ExportReport, export_mailbox
from pop3frames.frames.dataset import Dataset
from pop3frames.protocol.grammar import Limits
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Drop, Say, migrated
from pop3frames.server.features import Features
from pop3frames.server.maildrop import Maildrop, StoredMessage


def asked(relay: Relay, verb: bytes) -> list[int]:
    """The numbers asked for by that verb, sorted."""
    lines = b"".join(map(bytes, relay.from_clients)).split(b"\r\n")
    return sorted(int(line.split()[1]) for line in lines if line.startswith(verb + b" "))


def again(server: EmbeddedServer, folder: Path, **rules: Any) -> tuple[ExportReport, list[int], list[int]]:
    """A further export, and the numbers TOPped and RETRed."""
    with Relay(server.port) as relay:
        report = export_mailbox(account_at(relay.port, server.password), folder, **rules)
        return report, asked(relay, b"TOP"), asked(relay, b"RETR")


def assert_once(folder: Path, messages: Iterable[StoredMessage]) -> None:
    """Each of them is one row, under the unique-id it has now; nothing else is there."""
    messages = list(messages)
    assert ids(messages) == stored(folder)
    assert digests(messages) == hashes(folder)
    assert Dataset(folder).verify()


# By a hint


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(("count", "sample"), [(5, 3), (60, 3), (200, 10)])
def test_a_migrated_mailbox_costs_its_headers_and_a_sample(
    folder: Path, pipelining: bool, count: int, sample: int
) -> None:
    """Nothing is new; the run after that asks for nothing at all."""
    with EmbeddedServer(mails(count), features=Features(pipelining=pipelining)) as server:
        export_mailbox(account_of(server), folder)
        server.maildrop.rearrange(migrated)
        report, topped, fetched = again(server, folder)
        assert (count, 0, count, 0, 0) == counts(report)
        assert (list(range(1, count + 1)), sample) == (topped, len(set(fetched)))
        assert len(fetched) == sample
        assert sum(len(server.maildrop.messages[number - 1].raw) for number in fetched) == report.octets
        nothing, topped, fetched = again(server, folder)
        assert ((count, 0, count, 0, 0), [], []) == (counts(nothing), topped, fetched)
        assert_once(folder, server.maildrop.messages)


def test_new_mail_among_the_migrated_is_stored(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It has no hint, and is fetched; the log says what happened."""
    with EmbeddedServer(mails(40)) as server:
        export_mailbox(account_of(server), folder, keep_raw=True)
        before = {row["contentHash"]: row for row in rows(folder)}
        assert "renumbered" not in caplog.text
        server.maildrop.rearrange(migrated)
        server.maildrop.add(mail(77))
        report, _, fetched = again(server, folder, keep_raw=True)
        assert (41, 1, 40, 0, 0) == counts(report)
        assert 41 in fetched
        assert_once(folder, server.maildrop.messages)
    for row in rows(folder):
        if row["contentHash"] in before:  # nothing else of a row has changed
            assert before[row["contentHash"]] | {"uidl": row["uidl"]} == row
    assert "renumbered" in caplog.text
    assert "40 rows have the new unique-ids" in caplog.text


def test_mails_that_no_hint_tells_apart_are_fetched(folder: Path) -> None:
    """Headers and sizes alike, bodies not; and two copies of one mail: each keeps a row of its own."""
    alike = [StoredMessage(mail(1).raw + bytes([65 + n]) * 9 + b"\r\n", f"alike-{n}") for n in range(3)]
    twins = [StoredMessage(mail(2).raw, "twin-1"), StoredMessage(mail(2).raw, "twin-2")]
    with EmbeddedServer([*alike, *twins, *mails(30)[5:]]) as server:
        export_mailbox(account_of(server), folder)
        server.maildrop.rearrange(migrated)
        report, _, fetched = again(server, folder)
        assert (30, 0, 30, 0, 0) == counts(report)
        assert {1, 2, 3, 4, 5} <= set(fetched)
        assert len(fetched) <= 5 + 3
        assert_once(folder, server.maildrop.messages)


def rewritten(messages: list[StoredMessage]) -> list[StoredMessage]:
    """Other bodies under the same headers, of the same sizes, with new unique-ids."""
    return [StoredMessage(m.raw.replace(b"all of", b"ALL of"), f"new-{m.uidl}") for m in messages]


def test_a_sample_of_other_mail_has_all_of_it_fetched(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every hint fits and every one is wrong: both mails of each pair are stored."""
    old = mails(20)
    with EmbeddedServer(old) as server:
        export_mailbox(account_of(server), folder)
        server.maildrop.rearrange(rewritten)
        report, _, fetched = again(server, folder)
        assert (20, 20, 0, 0, 0) == counts(report)
        assert set(range(1, 21)) == set(fetched)
        assert_once(folder, [*old, *server.maildrop.messages])
    assert "other mail after all" in caplog.text


def test_a_sample_that_cannot_be_fetched_proves_nothing(folder: Path) -> None:
    """All is asked for, and what comes is known again by its bytes."""
    with EmbeddedServer(mails(12)) as server:
        export_mailbox(account_of(server), folder)
    faults = [Say("RETR", b"-ERR no\r\n", message=number, nth=1) for number in range(1, 13)]
    with EmbeddedServer(migrated(mails(12)), faults=faults) as server:
        first = export_mailbox(account_of(server), folder)
        export_mailbox(account_of(server), folder)
        assert first.failed
        assert_once(folder, migrated(mails(12)))


@pytest.mark.parametrize("verify", ["hash", "uidl"])
def test_a_wrong_hint_that_the_sample_missed_deletes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, verify: Any
) -> None:
    """One mail has another body of the same size: its row got the id, and the mail stays where it is."""
    with EmbeddedServer(mails(40)) as server:
        export_mailbox(account_of(server), folder, keep_raw=True)
        server.maildrop.rearrange(lambda m: [*migrated(m[:-1]), *rewritten(m[-1:])])
        monkeypatch.setattr(random, "sample", lambda numbers, count: sorted(numbers)[:count])
        wrong = server.maildrop.messages[-1]
        assert (40, 0, 40, 0, 0) == counts(export_mailbox(account_of(server), folder, keep_raw=True))
        everything = [message.uidl for message in server.maildrop.messages]
        report = commit_deletions(account_of(server), folder, everything, verify=verify, empty_mailbox=True)
        assert wrong.uidl in report.refused
        assert wrong in server.maildrop.messages
        if verify == "uidl":  # what is no proof for one is none for the others
            assert (40, []) == (len(report.refused), report.confirmed)
        else:
            assert [wrong] == server.maildrop.messages
        assert_nothing_lost(mails(40), server.maildrop.messages, folder)


def test_export_with_deletion_fetches_each_renumbered_mail_before_it_goes(folder: Path) -> None:
    """A mail whose hint was wrong is found out by that, and stays."""
    with EmbeddedServer(mails(30)) as server:
        export_mailbox(account_of(server), folder, keep_raw=True)
        server.maildrop.rearrange(migrated)
        report, _, fetched = again(server, folder, keep_raw=True, delete=True)
        assert set(range(1, 31)) == set(fetched)
        assert [] == left(server)
    assert report.deleted is not None
    assert 30 == len(report.deleted.confirmed)
    assert {message.raw for message in mails(30)} == durable(folder)


def test_the_row_of_a_mail_too_large_to_fetch_is_renumbered_too(folder: Path) -> None:
    """It has no hash: the hint alone tells, once the sample has confirmed the others. It counts as failed."""
    box = [mail(1, octets=9000), *mails(9)[1:]]
    with EmbeddedServer(box) as server:
        account = account_of(server, limits=Limits(message=3000))
        assert (9, 8, 0, 1, 0) == counts(export_mailbox(account, folder))
        server.maildrop.rearrange(migrated)
        assert (9, 0, 8, 1, 0) == counts(export_mailbox(account, folder))
    assert ids(migrated(box)) == stored(folder)


# By its bytes


@pytest.mark.parametrize(("count", "features"), [(3, Features()), (30, Features(top=False))])
def test_without_hints_mail_is_fetched_and_known_by_its_bytes(
    folder: Path, count: int, features: Features
) -> None:
    """Too few to be worth a look, or no TOP: fetched once more, stored not at all, and then never again."""
    with EmbeddedServer(mails(count), features=features) as server:
        export_mailbox(account_of(server), folder)
        server.maildrop.rearrange(migrated)
        report, _, fetched = again(server, folder)
        assert ((count, 0, count, 0, 0), count) == (counts(report), len(fetched))
        assert [] == again(server, folder)[2]
        assert_once(folder, server.maildrop.messages)


def test_a_mail_that_is_there_twice_has_two_rows(folder: Path) -> None:
    """One row is renumbered; the second copy is a mail of its own, for the server says so."""
    with EmbeddedServer([StoredMessage(mail(1).raw, "old")]) as server:
        export_mailbox(account_of(server), folder)
        copies = [StoredMessage(mail(1).raw, "new-1"), StoredMessage(mail(1).raw, "new-2")]
        server.maildrop.rearrange(lambda _: copies)
        assert (2, 1, 1, 0, 0) == counts(export_mailbox(account_of(server), folder))
    assert ["new-1", "new-2"] == stored(folder)


def test_a_copy_of_a_mail_that_is_still_listed_is_another_mail(folder: Path) -> None:
    """Only rows whose unique-id is gone can be renumbered."""
    with EmbeddedServer([StoredMessage(mail(1).raw, "one"), StoredMessage(mail(2).raw, "gone")]) as server:
        export_mailbox(account_of(server), folder)
        server.maildrop.rearrange(lambda m: [m[0], StoredMessage(mail(1).raw, "two")])
        assert (2, 1, 1, 0, 0) == counts(export_mailbox(account_of(server), folder))
    assert ["gone", "one", "two"] == stored(folder)


def test_a_server_that_learns_to_give_unique_ids_doubles_nothing(folder: Path) -> None:
    """Rows keyed by their content get the ids, and the next run fetches nothing."""
    four = mails(4)
    with ScriptedServer(whole_session(four, uidls=None)) as server:
        export_mailbox(account_at(server.port), folder)
    with EmbeddedServer(four) as server:
        assert (4, 0, 4, 0, 0) == counts(export_mailbox(account_of(server), folder))
        assert [] == again(server, folder)[2]
    assert_once(folder, four)


def test_ids_that_change_in_every_session_double_nothing(folder: Path) -> None:
    """Some servers number anew each time: all is fetched or looked at each time, and stored once."""
    with EmbeddedServer(mails(12)) as server:
        for _ in range(4):
            export_mailbox(account_of(server), folder)
            server.maildrop.rearrange(migrated)
    assert digests(mails(12)) == hashes(folder)
    assert Dataset(folder).verify()


def test_rules_and_renumbering_go_together(folder: Path) -> None:
    """A limit stores nothing twice either, and goes on where it was."""
    with EmbeddedServer(mails(12), features=Features(top=False)) as server:
        export_mailbox(account_of(server), folder)
        server.maildrop.rearrange(migrated)
        server.maildrop.add(mail(77))
        while export_mailbox(account_of(server), folder, limit=5).left:
            assert 12 <= len(stored(folder)) <= 13
        assert_once(folder, server.maildrop.messages)


# What costs nothing


def test_an_ordinary_run_asks_no_headers(folder: Path) -> None:
    """Also where mail was deleted elsewhere: most of what is listed is known."""
    with EmbeddedServer(mails(20)) as server:
        export_mailbox(account_of(server), folder)
        server.maildrop.rearrange(lambda messages: messages[3:])
        for number in range(50, 56):
            server.maildrop.add(mail(number))
        report, topped, fetched = again(server, folder)
    assert (23, 6, 17, 0, 0) == counts(report)
    assert ([], 6) == (topped, len(fetched))


def test_a_mailbox_that_is_emptied_between_runs_costs_a_few_headers(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """None of the mail is known, as ever there: twenty headers say that it is new, and nobody is alarmed."""
    with EmbeddedServer(mails(60)) as server:
        export_mailbox(account_of(server), folder)
        server.maildrop.rearrange(lambda _: [mail(number) for number in range(100, 160)])
        report, topped, fetched = again(server, folder)
    assert (60, 60, 0, 0, 0) == counts(report)
    assert (20, 60) == (len(topped), len(fetched))
    assert "" == caplog.text


def test_an_empty_listing_forgets_nothing(folder: Path) -> None:
    """The mail comes back, and is known."""
    with EmbeddedServer(mails(9)) as server:
        export_mailbox(account_of(server), folder)
        before = server.maildrop.messages
        server.maildrop.rearrange(lambda _: [])
        assert (0, 0, 0, 0, 0) == counts(export_mailbox(account_of(server), folder))
        server.maildrop.rearrange(lambda _: before)
        assert ((9, 0, 9, 0, 0), [], []) == (counts((run := again(server, folder))[0]), *run[1:])


def test_knowing_mail_again_imports_nothing_heavy(folder: Path) -> None:
    """Neither by a hint nor by its bytes."""
    with EmbeddedServer(mails(30)) as server:
        export_mailbox(account_of(server), folder)
        server.maildrop.rearrange(migrated)
        server.maildrop.add(mail(1))
        command = [sys.executable, "-c", PROGRAM, str(server.port), server.password, str(folder)]
        environment = {"PYTHONPATH": str(Path(__file__).parents[1])}
        run = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert (1, []) == (json.loads(run.stdout)["new"], json.loads(run.stdout)["needless"])
    assert "29 rows have the new unique-ids" in run.stderr


# What fails


def test_headers_that_break_the_connection_do_not_stop_the_run(folder: Path) -> None:
    """After two sessions it fetches what it cannot look at."""
    with EmbeddedServer(mails(9)) as server:
        export_mailbox(account_of(server), folder)
    with EmbeddedServer(migrated(mails(9)), faults=[Drop("TOP", octets=20, message=4)]) as server:
        assert (9, 0, 9, 0, 0) == counts(export_mailbox(account_of(server), folder))
    assert_once(folder, migrated(mails(9)))


@pytest.mark.parametrize("features", [Features(), Features(top=False)])
def test_three_runs_at_once_renumber_each_row_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, features: Features
) -> None:
    """In many small parts: what one of them records, or stores, the others find."""
    monkeypatch.setattr("pop3frames.export.passes.COMMIT_OCTETS", 2000)
    box = mails(40)
    with EmbeddedServer(box) as server:
        export_mailbox(account_of(server), folder)
    moved = [*migrated(box), mail(77)]
    with ThreadPoolExecutor(3) as threads, contextlib.ExitStack() as stack:
        servers = [stack.enter_context(EmbeddedServer(moved, features=features)) for _ in range(3)]
        runs = [threads.submit(export_mailbox, account_of(server), str(folder)) for server in servers]
        reports = [run.result() for run in runs]
    assert_once(folder, moved)
    assert 1 == sum(report.new for report in reports)
    assert [41, 41, 41] == [report.new + report.known for report in reports]


def test_a_run_that_is_told_to_stop_among_those_headers_changes_nothing(folder: Path) -> None:
    """What was known is known, and the next run goes on."""
    with EmbeddedServer(mails(9)) as server:
        export_mailbox(account_of(server), folder)
        server.maildrop.rearrange(migrated)
        report, _, fetched = again(server, folder, stop=lambda: True)
    assert ((9, 0, 0, 0, 9), []) == (counts(report), fetched)
    assert_once(folder, mails(9))


def test_where_quit_hides_mail_a_sample_keeps_the_run_from_it(folder: Path) -> None:
    """EXPIRE 0: the mail was fetched to be looked at, and its row may be without its bytes."""
    with EmbeddedServer(mails(9)) as server:
        export_mailbox(account_of(server), folder)
    gmail = Features(expire=0, removes_retrieved=True)
    with EmbeddedServer(migrated(mails(9)), features=gmail) as server:
        assert (9, 0, 9, 0, 0) == counts(export_mailbox(account_of(server), folder, keep_raw=True))
        assert 9 == len(server.maildrop)


@pytest.mark.parametrize("count", [1, 3, 9])
def test_where_quit_hides_mail_a_row_without_its_bytes_keeps_the_run_from_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """EXPIRE 0: known by its bytes, the mail gets no second row, and the first never had the bytes."""
    monkeypatch.setattr("pop3frames.export.renumbering.MOST_ATTEMPTS", 0)  # no hint: all of it is fetched
    box = mails(count)
    with EmbeddedServer(box) as server:
        export_mailbox(account_of(server), folder)
    gmail = Features(expire=0, removes_retrieved=True)
    with EmbeddedServer(migrated(box), features=gmail) as server:
        export_mailbox(account_of(server), folder, keep_raw=True)
        assert [None] * count == Dataset(folder).to_table(["raw"]).column(0).to_pylist()
        assert count == len(server.maildrop)


# The law


class Killed(BaseException):
    """No code of ours catches it: what it leaves behind is what a kill leaves."""


@contextlib.contextmanager
def killed_at(call: str, at: int) -> Any:
    """Inside, that call of os ends everything, before or behind it; so does each one after."""
    original: Callable[..., Any] = getattr(os, call)
    count = 0

    def dying(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count == at and at % 2:
            raise Killed
        if count > at:
            raise Killed
        result = original(*arguments, **options)
        if count == at:
            raise Killed
        return result

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(os, call, dying)
        yield


RULES = st.fixed_dictionaries(
    {}, optional={"limit": st.integers(1, 9), "newest_first": st.booleans(), "keep_raw": st.booleans()}
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("renumber"), st.integers(1, 14)),
        st.tuples(st.just("arrive"), st.integers(1, 6)),
        st.tuples(st.just("export"), RULES),
        st.tuples(st.just("kill"), st.sampled_from(["link", "unlink", "fsync"]), st.integers(1, 9)),
        st.tuples(st.just("cut"), st.integers(1, 12)),
        st.tuples(st.just("compact")),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, features=st.sampled_from([Features(), Features(top=False), Features(pipelining=False)]))
def test_whatever_is_renumbered_arrives_or_dies_each_mail_is_there_exactly_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]], features: Features
) -> None:
    """Any order of renumberings of the first mails, arrivals, limits, kills, losses and compactions."""
    folder = tmp_path_factory.mktemp("law") / "mail"
    maildrop, arrived = Maildrop(mails(8)), 8

    def run(faults: Iterable[Any] = (), **rules: Any) -> None:
        with (
            EmbeddedServer(maildrop, features=features, faults=faults) as server,
            contextlib.suppress(POP3ConnectionError),
        ):
            export_mailbox(account_of(server), folder, **rules)

    for what, *how in steps:
        if what == "renumber":
            maildrop.rearrange(lambda m, n=how[0]: [*migrated(m[:n]), *m[n:]])  # type: ignore[misc]
        elif what == "arrive":
            for _ in range(how[0]):
                arrived += 1
                maildrop.add(mail(arrived))
        elif what == "export":
            run(**how[0])
        elif what == "kill":
            with killed_at(*how):
                run()
        elif what == "cut":
            run([Drop("RETR", octets=30, nth=how[0])])
        elif folder.exists():
            Dataset(folder).compact()
        seen = hashes(folder)
        assert len(set(seen)) == len(seen)
    run()
    assert digests(mails(arrived)) == hashes(folder)
    assert ids(maildrop.messages) == stored(folder)
    Dataset(folder).sweep(older_than=0)
    assert Dataset(folder).verify()
    assert [ANN] == Dataset(folder).accounts()
