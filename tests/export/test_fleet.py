"""Many accounts on threads: each is accounted for, none stops the others, no server gets too much of them."""

from __future__ import annotations

import getpass
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from export.fleets import PASSWORD, Gate, account, accounts_of, names, stored_by_account, users
from export.mailboxes import ids, mail, mails

from pop3frames.client.credentials import Secret, SecretReference
from pop3frames.errors import POP3ExportError, POP3UsageError
from pop3frames.export import engines
from pop3frames.export.accounts import Account
from pop3frames.export.fleet import export_accounts
from pop3frames.export.fleetreport import FleetReport
from pop3frames.export.mailbox import export_mailbox
from pop3frames.export.progress import FleetProgress
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer


@pytest.fixture
def dead_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def states(report: FleetReport) -> dict[str, str]:
    return {each.account: each.state for each in report.accounts}


# What becomes of the accounts


def test_fifty_accounts_are_exported_and_a_second_run_adds_nothing(folder: Path) -> None:
    """Every mail of every account once; the report has them in the order given."""
    with EmbeddedServer(users=users(50, 4)) as server:
        first = export_accounts(accounts_of(server), folder, workers=8, per_host=8)
        second = export_accounts(reversed(accounts_of(server)), folder)
    assert dict.fromkeys(names(50), ids(mails(4))) == stored_by_account(folder)
    assert names(50) == [each.account for each in first.accounts]
    assert names(50)[::-1] == [each.account for each in second.accounts]
    assert {"complete"} == {*states(first).values(), *states(second).values()}
    assert (200, 0) == tuple(sum(each.report.new for each in run.accounts) for run in (first, second))


def test_a_failure_of_one_account_stops_no_other(folder: Path, waits: list[float], dead_port: int) -> None:
    """A refused password, a dead host, a mailbox in use, a secret that is nowhere: each is told in words."""
    with EmbeddedServer(users=users(7, 3)) as server:
        accounts = accounts_of(server)
        accounts[1] = account("user01", server.port, Secret("wrong"))
        accounts[2] = account("user02", dead_port, Secret(PASSWORD))
        accounts[4] = account("user04", server.port, "env:POP3FRAMES_NOWHERE")
        busy = server.users["user03"].maildrop.open()
        report = export_accounts(accounts, folder, workers=2)
        assert busy is not None
        busy.close()
    words = {each.account: each.error for each in report.accounts if each.error}
    assert {"user01", "user02", "user03", "user04"} == words.keys()
    for name, said in [
        ("user01", "POP3AuthenticationError: the server refused"),
        ("user02", "POP3ConnectionError: "),
        ("user03", "POP3BusyError: "),
        ("user04", "POP3UsageError: the environment variable POP3FRAMES_NOWHERE is not set"),
    ]:
        assert words[name].startswith(said)
    complete = [name for name, state in states(report).items() if state == "complete"]
    assert ["user00", "user05", "user06"] == complete
    assert dict.fromkeys(complete, ids(mails(3))) == stored_by_account(folder)
    assert PASSWORD not in str(report) + repr(report) + report.to_dataframe().to_csv()


def test_an_error_that_is_not_ours_is_one_accounts_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug, or a machine at its end; the log has where it came from."""

    def failing(account: Account, *rest: Any, **options: Any) -> Any:
        if account.name == "user01":
            raise MemoryError("no\x1b[2J room")
        return export_mailbox(account, *rest, **options)

    monkeypatch.setattr(engines, "export_mailbox", failing)
    with EmbeddedServer(users=users(3, 2)) as server, caplog.at_level(logging.ERROR):
        report = export_accounts(accounts_of(server), folder)
    assert {"user00": "complete", "user01": "failed", "user02": "complete"} == states(report)
    assert "MemoryError: no\\x1b[2J room" == report.accounts[1].error
    assert ["user01: the export failed"] == [record.getMessage() for record in caplog.records]


def test_messages_that_fail_make_an_account_incomplete(folder: Path) -> None:
    """It ended, and the next run tries them again."""
    from pop3frames.server.faults import Say

    with EmbeddedServer(
        users=users(2, 3), faults=[Say("RETR", b"-ERR not today\r\n", message=2, nth=1)]
    ) as server:
        report = export_accounts(accounts_of(server), folder, workers=1)
        again = export_accounts(accounts_of(server), folder)
    assert {"user00": "incomplete", "user01": "complete"} == states(report)
    assert {"complete"} == set(states(again).values())
    assert dict.fromkeys(names(2), ids(mails(3))) == stored_by_account(folder)


def test_the_rules_of_an_export_hold_for_each_account(folder: Path) -> None:
    """limit counts per account; the bytes are kept; what is durable is deleted, if that is asked for."""
    with EmbeddedServer(users=users(3, 5)) as server:
        first = export_accounts(accounts_of(server), folder, limit=2, newest_first=True, keep_raw=True)
        assert {name: ["uid-00004", "uid-00005"] for name in names(3)} == stored_by_account(folder)
        second = export_accounts(accounts_of(server), folder, keep_raw=True, delete=True)
        left = [len(user.maildrop) for user in server.users.values()]
    assert [0, 0, 0] == left
    assert [3, 3, 3] == first.to_dataframe()["left"].to_list()
    assert [5, 5, 5] == second.to_dataframe()["deleted"].to_list()
    assert 0 == Dataset(folder).to_table(["raw"]).column(0).null_count


# Sessions at once


@pytest.mark.parametrize(("workers", "per_host", "most"), [(6, 2, 2), (3, 6, 3), (1, 4, 1)])
def test_a_server_never_sees_more_sessions_than_it_may(
    folder: Path, workers: int, per_host: int, most: int
) -> None:
    """And as many as it may: the server counts, and lets the first ones wait for each other."""
    gate = Gate(most)
    with EmbeddedServer(users=users(12, 2, gate)) as server:
        report = export_accounts(accounts_of(server), folder, workers=workers, per_host=per_host)
    assert {"complete"} == set(states(report).values())
    assert most == gate.most


def test_a_host_that_is_full_does_not_keep_others_from_their_turn(folder: Path) -> None:
    """Two hosts, one session each, four threads: the second host is served while the first is."""
    gate = Gate(2)
    with EmbeddedServer(users=users(6, 2, gate)) as server:
        by_number = [account(name, server.port, Secret(PASSWORD)) for name in names(4)]
        by_name = [account(name, server.port, Secret(PASSWORD), "localhost") for name in names(6)[4:]]
        report = export_accounts([*by_number, *by_name], folder, per_host=1)
    assert {"complete"} == set(states(report).values())
    assert 2 == gate.most


# Before anything starts


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"accounts": "accounts.toml"}, r"load_accounts\(path\)"),
        ({"accounts": Path("accounts.toml")}, r"load_accounts\(path\)"),
        ({"workers": 0}, "1 or more"),
        ({"per_host": 0}, "1 or more"),
        ({"delete": True}, "keep_raw"),
        ({"limit": 0}, "limit"),
        ({"attachments": "mail/files"}, "lies in the dataset"),
        ({"client": "tcp://127.0.0.1:8786"}, "distributed.Client"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], said: str
) -> None:
    """No session, no folder."""
    monkeypatch.chdir(tmp_path)
    with EmbeddedServer(users=users(1, 1)) as server:
        given = {"accounts": accounts_of(server, "env:POP3FRAMES_NOWHERE")} | options
        with pytest.raises(POP3UsageError, match=said):
            export_accounts(dataset="mail", **given)
        assert 0 == server._accepted
    assert [] == list(tmp_path.iterdir())


def test_two_accounts_of_one_name_are_refused(folder: Path) -> None:
    """Their mail would be one another's in the dataset."""
    two = [account("ann\x1b", 1, "env:A"), account("ann\x1b", 2, "env:B")]
    with pytest.raises(POP3UsageError, match=r"several accounts are named ann\\x1b"):
        export_accounts(two, folder)


def test_a_place_that_takes_no_dataset_is_told_before_anything_starts(tmp_path: Path) -> None:
    """Once, and not once an account."""
    (tmp_path / "mail").write_text("mine")
    with EmbeddedServer(users=users(2, 1)) as server:
        with pytest.raises(POP3ExportError, match="choose another path"):
            export_accounts(accounts_of(server), tmp_path / "mail")
        assert 0 == server._accepted


def test_no_accounts_are_done_at_once(folder: Path) -> None:
    """An empty list is no mistake of a program that makes lists."""
    report = export_accounts([], folder)
    assert ((), 0) == (report.accounts, len(report.to_dataframe()))


def test_passwords_to_be_typed_are_asked_for_before_the_threads_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after another, in the caller's thread, where a person can tell which is which."""
    asked: list[tuple[str, bool]] = []

    def typed(prompt: str) -> str:
        asked.append((prompt, threading.current_thread() is threading.main_thread()))
        return PASSWORD

    monkeypatch.setattr(getpass, "getpass", typed)
    with EmbeddedServer(users=users(2, 2)) as server:
        report = export_accounts(accounts_of(server, "prompt"), folder)
    assert {"complete"} == set(states(report).values())
    assert [(f"Password for {name}@127.0.0.1: ", True) for name in names(2)] == asked


# Progress, and an end before the end


def test_a_function_is_told_how_far_all_of_it_is(folder: Path, dead_port: int, waits: list[float]) -> None:
    """In the thread of the caller; the last call says that all is done."""
    told: list[tuple[FleetProgress, bool]] = []

    def tell(progress: FleetProgress) -> None:
        told.append((progress, threading.current_thread() is threading.main_thread()))

    with EmbeddedServer(users=users(4, 5)) as server:
        accounts = [*accounts_of(server), account("dead", dead_port, Secret(PASSWORD))]
        export_accounts(accounts, folder, workers=2, progress=tell)
    assert all(in_main for _, in_main in told)
    octets = 4 * sum(len(message.raw) for message in mails(5))
    assert FleetProgress(5, 5, 1, 20, octets) == told[-1][0]
    counts = [(each.accounts, each.messages) for each, _ in told]
    assert sorted(set(counts)) == counts
    assert 0 == counts[0][0]  # mail of the first may be there already


def test_messages_are_counted_once_when_a_connection_is_lost(folder: Path, pauses: list[float]) -> None:
    """Counts of an export start anew in each session; those of all accounts do not."""
    from pop3frames.server.faults import Drop

    told: list[FleetProgress] = []
    with EmbeddedServer(users=users(1, 9), faults=[Drop("RETR", message=6, nth=1)]) as server:
        report = export_accounts(accounts_of(server), folder, progress=told.append)
    assert [9] == report.to_dataframe()["new"].to_list()
    assert (9, sum(len(message.raw) for message in mails(9))) == (told[-1].messages, told[-1].octets)


def test_a_bar_shows_where_somebody_can_see_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """progress=True forces it; by default a pipe gets none."""
    with EmbeddedServer(users=users(3, 2)) as server:
        export_accounts(accounts_of(server), folder, progress=True)
        shown = capsys.readouterr().err
        export_accounts(accounts_of(server), folder)
    assert "3/3" in shown
    assert "6 mails" in shown
    assert ("", "") == capsys.readouterr()


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ValueError])
def test_an_interruption_ends_the_threads_and_leaves_whole_mails(
    folder: Path, raised: type[BaseException]
) -> None:
    """Ctrl-C, or an error of the caller's function: it is raised when no thread works any more."""

    def interrupt(progress: FleetProgress) -> None:
        if progress.accounts:
            raise raised

    with EmbeddedServer(users=users(12, 6)) as server:
        with pytest.raises(raised):
            export_accounts(accounts_of(server), folder, workers=2, progress=interrupt)
        assert [] == [each for each in threading.enumerate() if each.name.startswith("export")]
        before = stored_by_account(folder)
        assert 0 < len(before) < 12
        assert all(sorted(set(uidls)) == uidls for uidls in before.values())
        export_accounts(accounts_of(server), folder)
    assert dict.fromkeys(names(12), ids(mails(6))) == stored_by_account(folder)


def test_a_thread_at_work_is_told_to_stop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two messages: nobody waits for the end of a large mailbox."""

    def until_stopped(*arguments: Any, stop: Callable[[], bool], **options: Any) -> Any:
        assert any(stop() or threading.Event().wait(0.01) for _ in range(2000))
        return export_mailbox(*arguments, stop=stop, **options)

    def interrupt(progress: FleetProgress) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engines, "export_mailbox", until_stopped)
    with EmbeddedServer(users=users(1, 6)) as server, pytest.raises(KeyboardInterrupt):
        export_accounts(accounts_of(server), folder, progress=interrupt)
    assert 1 == len(stored_by_account(folder)["user00"])


# The report


def test_the_report_is_a_table_and_a_few_lines(folder: Path, dead_port: int, waits: list[float]) -> None:
    """A row an account; in words only those that are not complete, and the sum."""
    with EmbeddedServer(users=users(2, 3)) as server:
        export_accounts(accounts_of(server)[:1], folder)
        server.users["user00"].maildrop.add(mail(4))
        dead = account("dead <b>", dead_port, Secret(PASSWORD))
        lost = account("lost", server.port, "env:POP3FRAMES_NOWHERE")
        report = export_accounts([*accounts_of(server), dead, lost], folder)
    table = report.to_dataframe()
    assert ["user00", "user01", "dead <b>", "lost"] == table["account"].to_list()
    assert [(4, 1, 3), (3, 3, 0)] == list(
        table[["listed", "new", "known"]].head(2).itertuples(index=False, name=None)
    )
    assert [0, 0] == table.loc[2, ["listed", "octets"]].to_list()
    assert table.loc[3, ["listed", "octets", "seconds", "deleted"]].isna().all()
    assert ["", "", "POP3ConnectionError", "POP3UsageError"] == [
        each.split(":")[0] for each in table["error"]
    ]
    lines = str(report).split("\n")
    assert lines[0].startswith("dead <b>: 0 listed: 0 new, 0 known, 0 failed")
    assert lines[1].startswith("  POP3ConnectionError: ")
    assert "lost: nothing was listed" == lines[2]
    assert lines[3].startswith("  POP3UsageError: the environment variable")
    assert lines[4].startswith("4 accounts: 2 complete, 0 incomplete, 2 failed; 4 new messages (0.0 MB in ")
    assert 5 == len(lines)
    page = report._repr_html_()
    assert "<b>" not in page
    assert "POP3ConnectionError" not in page
    assert ["dead <b>", "lost"] == [each.account for each in report.with_state("failed")]


def test_a_reference_is_all_that_an_account_needs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolved by the thread that logs in."""
    monkeypatch.setenv("POP3FRAMES_FLEET", PASSWORD)
    with EmbeddedServer(users=users(2, 2)) as server:
        report = export_accounts(accounts_of(server, "env:POP3FRAMES_FLEET"), folder)
    assert {"complete"} == set(states(report).values())
    assert SecretReference("env:POP3FRAMES_FLEET") == accounts_of(server, "env:POP3FRAMES_FLEET")[0].secret
