"""`pop3frames delete` and `export --delete`: what is shown, what is asked, with which status they end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from export.deletion_oracle import assert_untouched, left
from export.mailboxes import ids, mail, mails
from lab.scripted import ScriptedServer

from pop3frames.cli.main import main
from pop3frames.client.retry import Retry
from pop3frames.export.deletion import Deleting
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import AnyFault, Drop, Say
from pop3frames.server.features import Features
from pop3frames.server.maildrop import StoredMessage

SECRET = "hunter2-canary"
FIVE = mails(5)
Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`run("delete", server, ...)` in this process, on ./mail, with SECRET in POP_PASSWORD, no pauses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POP_PASSWORD", SECRET)
    monkeypatch.setattr("pop3frames.client.connection._RETRY", Retry(sleep=lambda _: None))

    def run(command: str, server: EmbeddedServer | ScriptedServer, *more: str, **options: Any) -> Result:
        words = [command, "--host", "127.0.0.1", "--port", str(server.port), "--username", "user"]
        words += ["--encryption", "none", "--password-env", "POP_PASSWORD", "--dataset", "mail", *more]
        result = CliRunner().invoke(main, words, **options)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert SECRET not in result.output
        return result

    return run


def serving(messages: list[StoredMessage], *faults: AnyFault, **features: Any) -> EmbeddedServer:
    """A server with these mails for SECRET."""
    return EmbeddedServer(messages, password=SECRET, faults=faults, features=Features(**features))


# The plan


def test_it_shows_what_would_go_asks_and_deletes(run: Run) -> None:
    """One line a mail with date, sender, subject and octets; then the question, then what became of it."""
    with serving(FIVE) as server:
        run("export", server, "--keep-raw")
        server.maildrop.add(mail(6))
        result = run("delete", server, input="y\n")
        assert ["uid-00006"] == left(server)
    assert 0 == result.exit_code, result.output
    first, *rest = result.stdout.splitlines()
    assert [
        "2024-01-02",
        "03:04",
        "Ann",
        "<ann@example.org>",
        "mail",
        "1",
        str(len(FIVE[0].raw)),
    ] == first.split()
    assert "5 of 6 messages would go" in rest
    assert "  1 stay: its original bytes are not in the dataset" in rest
    assert "Delete 5 messages from 127.0.0.1? [y/N]: y" in rest
    assert "user@127.0.0.1: 5 deleted, 0 refused, 0 unknown" == rest[-1]


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_without_a_yes_nothing_is_deleted(run: Run, answer: str) -> None:
    """Not by no, not by silence, not where nobody can answer: status 1."""
    with serving(FIVE) as server:
        run("export", server, "--keep-raw")
        server.maildrop.add(mail(6))
        result = run("delete", server, input=answer)
        assert 6 == len(server.maildrop)
    assert 1 == result.exit_code
    assert "Aborted!" in result.output
    assert "deleted" not in result.output


def test_ctrl_c_before_the_end_deletes_nothing_and_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are marked when it comes, and no QUIT is sent: status 1."""
    mark = Deleting.mark

    def interrupted(*arguments: Any) -> bool:
        mark(*arguments)
        raise KeyboardInterrupt

    with serving(FIVE) as server:
        run("export", server, "--keep-raw")
        monkeypatch.setattr(Deleting, "mark", interrupted)
        result = run("delete", server, "--yes", "--empty-mailbox")
        assert_untouched(server, FIVE)
    assert 1 == result.exit_code
    assert "stopped: nothing is deleted, unless it was at its end already" in result.stderr


def test_a_dry_run_asks_and_deletes_nothing(run: Run) -> None:
    """Even with --yes; status 0."""
    with serving(FIVE) as server:
        run("export", server, "--keep-raw")
        result = run("delete", server, "--dry-run", "--yes")
        assert_untouched(server, FIVE)
    assert (0, True) == (result.exit_code, result.stdout.endswith("5 of 5 messages would go\n"))


def test_nothing_to_delete_is_no_question(run: Run) -> None:
    """Status 0, and the reasons."""
    with serving(FIVE) as server:
        run("export", server)
        result = run("delete", server)
        assert_untouched(server, FIVE)
    assert 0 == result.exit_code
    assert "0 of 5 messages would go\n  5 stay: its original bytes are not in the dataset\n" == result.stdout


@pytest.mark.parametrize(
    ("rules", "goes"),
    [
        (["--before", "2024-01-02"], []),
        (["--before", "2024-01-03"], [1, 2, 3, 4, 5]),
        (["--older-than", "1"], [1, 2, 3, 4, 5]),
        (["--older-than", "36500"], []),
        (["--larger-than", "700"], [4, 5]),
        (["--sender", "ANN@"], [1, 2, 3, 4, 5]),
        (["--sender", "bob"], []),
        (["--sender", "@example.org", "--larger-than", "900"], [5]),
    ],
    ids=str,
)
def test_the_rules_choose(run: Run, rules: list[str], goes: list[int]) -> None:
    """By date, by days, by octets, by sender."""
    served = [mail(n, octets=200 * n) for n in range(1, 6)]
    with serving(served) as server:
        run("export", server, "--keep-raw")
        assert 0 == run("delete", server, *rules, "--yes", "--empty-mailbox").exit_code
        assert [m.uidl for m in served if m.uidl not in ids([served[n - 1] for n in goes])] == left(server)


def test_nothing_that_is_shown_can_command_a_terminal(run: Run) -> None:
    """Sender, subject, and the words of the server."""
    hostile = StoredMessage(
        b"From: \x1b[2J\x9b evil <a@example.org>\r\n"
        b"Subject: =?utf-8?q?=1B]52;c;aGk=3D=07_=E2=80=AEgpj?=\r\n\r\nx\r\n",
        "uid;`$(x)`",
    )
    fault = Say("DELE", b"-ERR \x1b]8;;http://x\x07no\r\n", message=1)
    with serving([hostile, *FIVE], fault) as server:
        run("export", server, "--keep-raw")
        result = run("delete", server, "--yes", "--larger-than", "1", "--empty-mailbox")
    assert 3 == result.exit_code
    assert all(letter == "\n" or letter.isprintable() for letter in result.output), repr(result.output)
    assert "\\x1b" in result.output


def test_a_long_plan_is_cut_and_counted(run: Run) -> None:
    """25 lines, and how many more."""
    with serving(mails(30)) as server:
        run("export", server, "--keep-raw")
        result = run("delete", server, "--dry-run")
    assert "... and 5 more\n30 of 30 messages would go" in result.stdout


# Guards, in the words of the shell


def test_emptying_the_mailbox_needs_its_option(run: Run) -> None:
    """Status 1 and its name; nothing is marked."""
    with serving(FIVE) as server:
        run("export", server, "--keep-raw")
        refused = run("delete", server, "--yes")
        assert_untouched(server, FIVE)
        assert 0 == run("delete", server, "--yes", "--empty-mailbox").exit_code
        assert [] == left(server)
    assert (1, True) == (refused.exit_code, "--empty-mailbox" in refused.stderr)


def test_more_than_the_limit_needs_its_option(run: Run) -> None:
    """Before anybody is asked."""
    with serving(FIVE) as server:
        run("export", server, "--keep-raw")
        refused = run("delete", server, "--most", "4", "--empty-mailbox", input="y\n")
        assert_untouched(server, FIVE)
    assert (1, True) == (refused.exit_code, "--most 5" in refused.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ["--before", "2024-01-01", "--older-than", "3"],
        ["--before", "yesterday"],
        ["--older-than", "0"],
        ["--verify", "trust"],
        ["--most", "0"],
        ["--dataset", "nowhere"],
    ],
    ids=" ".join,
)
def test_misuse_is_status_two(run: Run, words: list[str]) -> None:
    """And no server is asked."""
    with ScriptedServer([]) as server:
        result = run("delete", server, *words)
    assert (2, []) == (result.exit_code, server.peers)
    assert "Error: " in result.stderr


# What became of it


def test_mail_that_stays_is_named_with_its_reason_and_gives_status_three(run: Run) -> None:
    """Another mail under a known unique-id."""
    other = StoredMessage(mail(9).raw, "uid-00002")
    with serving(FIVE) as server:
        run("export", server, "--keep-raw")
        server.maildrop.rearrange(lambda messages: [messages[0], other, *messages[2:]])
        result = run("delete", server, "--yes", "--empty-mailbox")
        assert ["uid-00002"] == left(server)
    assert 3 == result.exit_code
    assert "4 deleted, 1 refused, 0 unknown\n  uid-00002: what the server has under this" in result.stdout


def test_by_unique_id_and_size_nothing_is_fetched_again(run: Run) -> None:
    """--verify uidl: RETR would be refused here."""
    with serving(FIVE) as server:
        run("export", server, "--keep-raw")
    with serving(FIVE, Say("RETR", b"-ERR no\r\n")) as server:
        result = run("delete", server, "--yes", "--empty-mailbox", "--verify", "uidl")
        assert (0, []) == (result.exit_code, left(server))


def test_a_quit_nobody_answered_is_unknown_and_gives_status_three(run: Run) -> None:
    """Each message is named."""
    with serving(FIVE, Drop("QUIT", nth=3)) as server:
        run("export", server, "--keep-raw")
        result = run("delete", server, "--yes", "--empty-mailbox")
    assert 3 == result.exit_code
    assert "0 deleted, 0 refused, 5 unknown" in result.stdout
    assert "  uid-00005: nobody answered QUIT, the next listing tells" in result.stdout


def test_a_lost_connection_is_status_one_and_names_what_is_unknown(run: Run) -> None:
    """The report comes before the error."""
    with serving(FIVE, Drop("DELE", nth=2)) as server:
        run("export", server, "--keep-raw")
        result = run("delete", server, "--yes", "--empty-mailbox")
        server.stop()
        assert_untouched(server, FIVE)
    assert 1 == result.exit_code
    assert "Traceback" not in result.output
    assert "0 deleted, 0 refused, 5 unknown" in result.stderr
    assert "  uid-00001: nobody answered QUIT" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: ")


# export --delete


def test_an_export_deletes_only_when_told(run: Run) -> None:
    """And tells what it deleted."""
    with serving(FIVE) as server:
        run("export", server, "--keep-raw")
        assert_untouched(server, FIVE)
        result = run("export", server, "--keep-raw", "--delete")
        assert (0, []) == (result.exit_code, left(server))
    assert "5 deleted, 0 refused, 0 unknown" in result.stdout


def test_an_export_that_deletes_needs_the_bytes(run: Run) -> None:
    """Status 2; no server is asked."""
    with ScriptedServer([]) as server:
        result = run("export", server, "--delete")
    assert (2, []) == (result.exit_code, server.peers)
    assert "--delete needs --keep-raw" in result.stderr


def test_an_export_that_could_not_delete_all_says_why_with_status_three(run: Run) -> None:
    """Mail that an earlier run stored without its bytes."""
    with serving(FIVE) as server:
        run("export", server)
        server.maildrop.add(mail(6))
        result = run("export", server, "--keep-raw", "--delete")
        assert ids(FIVE) == left(server)
    assert 3 == result.exit_code
    assert "1 deleted, 5 refused, 0 unknown" in result.stdout
    assert "  uid-00001: its original bytes are not in the dataset" in result.stdout


def test_a_long_list_of_refusals_is_cut_and_counted(run: Run) -> None:
    """A thousand lines with one reason help nobody."""
    with serving(mails(30)) as server:
        run("export", server)
        result = run("export", server, "--keep-raw", "--delete")
    assert 20 == result.stdout.count("its original bytes are not in the dataset")
    assert "  ... and 10 more" in result.stdout


def test_an_export_on_a_server_that_hides_mail_says_what_it_left(run: Run) -> None:
    """One that cannot be fetched keeps them all."""
    fault = Say("RETR", b"-ERR no\r\n", message=3)
    with serving(FIVE, fault, expire=0, removes_retrieved=True) as server:
        result = run("export", server, "--keep-raw", "--delete")
        assert_untouched(server, FIVE)
    assert 3 == result.exit_code
    assert "0 deleted, 4 refused, 0 unknown" in result.stdout
    assert "(EXPIRE 0)" in result.stdout
