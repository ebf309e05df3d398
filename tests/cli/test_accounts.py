"""`pop3frames accounts` and `pop3frames export-all`: what people read, and with which status it ends."""

from __future__ import annotations

import signal
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from export.fleets import PASSWORD, names, stored_by_account, users
from export.mailboxes import ids, mails

from pop3frames.cli.main import main
from pop3frames.client.retry import Retry
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Say, Stall

COMMAND = str(Path(sysconfig.get_path("scripts")) / "pop3frames")

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`run("accounts", ...)` in this process and a folder of its own; the password is in POP_PASSWORD."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POP_PASSWORD", PASSWORD)
    monkeypatch.setattr("pop3frames.client.connection._RETRY", Retry(sleep=lambda _: None))
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def write(server: EmbeddedServer, *more: str, path: Path = Path("accounts.toml")) -> None:
    """accounts.toml for all users of the server, named as they are, with more text behind it."""
    lines = ["[defaults]", "hostname = 'localhost'", f"port = {server.port}", "encryption = 'none'"]
    lines += ["secret = 'env:POP_PASSWORD'"]
    lines += [f"[[account]]\nname = '{name}'\nusername = '{name}'" for name in server.users]
    path.write_text("\n".join([*lines, *more, ""]))


# accounts


def test_accounts_are_listed_with_where_their_secret_is(run: Run) -> None:
    """A line each, nothing for a terminal to obey; no server is asked."""
    with EmbeddedServer(users=users(2, 1)) as server:
        write(server, "[[account]]\nname = 'a\\u001b[2J'\nusername = 'x'".replace("'", '"'))
        result = run("accounts", "accounts.toml")
        assert 0 == server._accepted
    assert 0 == result.exit_code
    first, *_, third, last = result.stdout.splitlines()
    where = f"localhost:{server.port} (none), secret: env:POP_PASSWORD"
    assert f"user00: user00 at {where}" == first
    assert f"a\\x1b[2J: x at {where}" == third
    assert "3 accounts" == last


def test_mistakes_are_told_with_their_lines(run: Run) -> None:
    """On stderr, status 1, no traceback, and no password."""
    Path("accounts.toml").write_text(f"[[account]]\nusername = 'x'\npassword = '{PASSWORD}'\nprot = 1\n")
    result = run("accounts", "accounts.toml")
    assert (1, "") == (result.exit_code, result.stdout)
    told = result.stderr.removeprefix("Error: ").splitlines()
    assert [f"accounts.toml, line {line}" for line in (1, 1, 3, 4)] == [each.split(":")[0] for each in told]
    assert told[-1].endswith("'prot' is not known here: did you mean port?")
    assert PASSWORD not in result.output
    assert "Traceback" not in result.output


def test_check_logs_in_to_each(run: Run) -> None:
    """What is wrong with one is told beside it, and the status is 1; all well is 0."""
    with EmbeddedServer(users=users(2, 3)) as server:
        write(server)
        good = run("accounts", "accounts.toml", "--check")
        write(server, "[[account]]\nusername = 'nobody'\nname = 'third'")
        bad = run("accounts", "accounts.toml", "--check")
        assert [3, 3] == [len(user.maildrop) for user in server.users.values()]
    assert (0, 1) == (good.exit_code, bad.exit_code)
    assert ["user00: logged in, 3 messages", "user01: logged in, 3 messages"] == good.stdout.splitlines()[-2:]
    assert bad.stdout.splitlines()[-1].startswith(
        "third: FAILED, POP3AuthenticationError: the server refused"
    )
    assert PASSWORD not in good.output + bad.output


# export-all


def test_all_accounts_are_exported_into_one_dataset(run: Run, tmp_path: Path) -> None:
    """The sum in one line, where the dataset is in the next; the second time there is nothing new."""
    with EmbeddedServer(users=users(3, 4)) as server:
        write(server)
        command = ["export-all", "accounts.toml", "--dataset", "mail", "--keep-raw", "--attachments", "files"]
        first, second = run(*command), run(*command)
    assert (0, 0) == (first.exit_code, second.exit_code)
    total, where = first.stdout.splitlines()
    assert total.startswith("3 accounts: 3 complete, 0 incomplete, 0 failed; 12 new messages (")
    assert f"dataset: {tmp_path / 'mail'}" == where
    assert "; 0 new messages" in second.stdout
    assert {name: ids(mails(4)) for name in names(3)} == stored_by_account(tmp_path / "mail")
    table = Dataset("mail").to_table(["raw", "attachmentHashes"])
    assert [0, 0] == [column.null_count for column in table.columns]


def test_accounts_can_be_chosen_by_name(run: Run, tmp_path: Path) -> None:
    """One or several; a name that is not there is a mistake."""
    with EmbeddedServer(users=users(3, 1)) as server:
        write(server)
        chosen = ["--account", "user02", "--account", "user00"]
        assert 0 == run("export-all", "accounts.toml", "--dataset", "mail", *chosen).exit_code
        wrong = run("export-all", "accounts.toml", "--dataset", "mail", "--account", "user2")
    assert ["user00", "user02"] == list(stored_by_account(tmp_path / "mail"))
    assert (2, True) == (wrong.exit_code, "no account named user2" in wrong.stderr)


def test_an_account_that_fails_is_told_and_the_others_are_done(run: Run, tmp_path: Path) -> None:
    """Status 1: some accounts could not go on."""
    with EmbeddedServer(users=users(2, 2)) as server:
        write(server, "[[account]]\nname = 'third'\nusername = 'nobody'")
        result = run("export-all", "accounts.toml", "--dataset", "mail")
    assert 1 == result.exit_code
    lines = result.stdout.splitlines()
    assert "third: nothing was listed" == lines[0]
    assert lines[1].startswith("  POP3AuthenticationError: the server refused")
    assert lines[2].startswith("3 accounts: 2 complete, 0 incomplete, 1 failed")
    assert names(2) == list(stored_by_account(tmp_path / "mail"))
    assert "Traceback" not in result.output


def test_messages_that_fail_are_named_and_the_status_is_3(run: Run) -> None:
    """As with one account."""
    fault = Say("RETR", b"-ERR \x1b[2J\r\n", message=2, nth=1)
    with EmbeddedServer(users=users(2, 3), faults=[fault]) as server:
        write(server)
        result = run("export-all", "accounts.toml", "--dataset", "mail", "--workers", "1")
    assert 3 == result.exit_code
    assert "1 complete, 1 incomplete, 0 failed" in result.stdout
    assert "  message 2 (uid-00002): the server refused RETR" in result.stdout
    assert "\x1b" not in result.stdout


def test_what_is_durable_is_deleted_if_that_is_asked_for(run: Run) -> None:
    """With --keep-raw only; never by default."""
    with EmbeddedServer(users=users(2, 3)) as server:
        write(server)
        refused = run("export-all", "accounts.toml", "--dataset", "mail", "--delete")
        done = run("export-all", "accounts.toml", "--dataset", "mail", "--delete", "--keep-raw")
        left = [len(user.maildrop) for user in server.users.values()]
    assert (2, 0) == (refused.exit_code, done.exit_code)
    assert "--delete needs --keep-raw" in refused.stderr
    assert [0, 0] == left


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--dataset", ""], "--dataset must name a folder"),
        (["--dataset", "mail", "--workers", "0"], "--workers"),
        (["--dataset", "mail", "--attachments", "mail/files"], "lies in the dataset"),
        (["--dataset", "mail", "--dask", "nonsense://x"], "no Dask scheduler answers at nonsense://x"),
    ],
)
def test_what_cannot_work_is_told_in_a_sentence(run: Run, more: list[str], said: str) -> None:
    """And nothing is written."""
    with EmbeddedServer(users=users(1, 1)) as server:
        write(server)
        result = run("export-all", "accounts.toml", *more)
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert not Path("mail").exists()


def test_a_dask_scheduler_can_be_named(run: Run, tmp_path: Path) -> None:
    """By its address, as for any other Dask client."""
    distributed = pytest.importorskip("distributed")
    with (
        EmbeddedServer(users=users(2, 2)) as server,
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
    ):
        write(server)
        cluster.wait_for_workers(1)
        result = run("export-all", "accounts.toml", "--dataset", "mail", "--dask", cluster.scheduler_address)
    assert 0 == result.exit_code, result.output
    assert {name: ids(mails(2)) for name in names(2)} == stored_by_account(tmp_path / "mail")


def test_ctrl_c_stops_and_keeps_what_is_whole(tmp_path: Path) -> None:
    """In a real process: one account is done, the server of the other has fallen silent."""
    folder = tmp_path / "mail"
    with EmbeddedServer(users=users(2, 3), faults=[Stall("RETR", message=2, nth=2)]) as server:
        write(server, "", path=tmp_path / "accounts.toml")
        text = (tmp_path / "accounts.toml").read_text().replace("[defaults]", "[defaults]\ntimeout = 5")
        (tmp_path / "accounts.toml").write_text(text)
        with subprocess.Popen(
            [COMMAND, "export-all", "accounts.toml", "--dataset", "mail", "--progress"],
            cwd=tmp_path,
            env={"POP_PASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"},
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            seen = ""
            while "1/2" not in seen:
                seen += process.stderr.read(1)
                assert process.poll() is None, seen
            process.send_signal(signal.SIGINT)
            said = process.stderr.read()
            assert process.stdout is not None
            assert "" == process.stdout.read()
        assert 1 == process.returncode
        assert "stopped: what was fetched whole is stored" in said
        assert "Traceback" not in said
        stored = stored_by_account(folder)
        assert {1, 3} == {len(uidls) for uidls in stored.values()}
