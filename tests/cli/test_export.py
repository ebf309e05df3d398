"""`pop3frames export`: what people type and read, with which status it ends, where no password is."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sysconfig
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result
from export.mailboxes import ids, listing, mail, mails, refused, retr, stored
from lab.scripted import CLOSE, GREETING, LOGIN, NO_CAPA, QUIT, STALL, Peer, ScriptedServer

from pop3frames.cli.main import main
from pop3frames.client.retry import Retry
from pop3frames.server.embedded import EmbeddedServer, server_context
from pop3frames.server.features import Features

COMMAND = str(Path(sysconfig.get_path("scripts")) / "pop3frames")
SECRET = "hunter2-canary"
UIDLS = {1: "uid-00001", 2: "uid-00002"}
SIZES = {1: 400, 2: 400}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """`run("export", ...)` in this process, in a folder of its own, SECRET in POP_PASSWORD, no pauses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POP_PASSWORD", SECRET)
    monkeypatch.setattr("pop3frames.client.connection._RETRY", Retry(sleep=lambda _: None))
    return lambda *arguments, **options: CliRunner().invoke(main, list(arguments), **options)


def export_of(port: int, *more: str, host: str = "127.0.0.1", encryption: str = "none") -> list[str]:
    """The words of an export from loopback into ./mail, with the password from the environment."""
    words = ["export", "--host", host, "--port", str(port), "--username", "user"]
    return [*words, "--encryption", encryption, "--password-env", "POP_PASSWORD", "--dataset", "mail", *more]


def assert_plain(result: Result, *said: str, status: int = 1) -> None:
    """One sentence on stderr, with all that; no traceback, no password."""
    assert status == result.exit_code, result.output
    assert isinstance(result.exception, SystemExit)
    for each in said:
        assert each in result.stderr
    assert "Error: " in result.stderr
    assert 1 == result.stderr.count("\n") or status == 2
    assert "Traceback" not in result.output
    assert SECRET not in result.output


# Export


def test_an_export_reports_what_it_did_and_where_it_is(run: Callable[..., Result], tmp_path: Path) -> None:
    """The second time there is nothing new; status 0."""
    with EmbeddedServer(mails(5), password=SECRET) as server:
        first, second = run(*export_of(server.port)), run(*export_of(server.port, "--keep-raw"))
    assert (0, 0) == (first.exit_code, second.exit_code)
    assert "user@127.0.0.1: 5 listed: 5 new, 0 known, 0 failed" in first.stdout
    assert "5 listed: 0 new, 5 known" in second.stdout
    assert f"dataset: {tmp_path / 'mail'}\n" in first.stdout
    assert SECRET not in first.output
    assert ids(mails(5)) == stored(tmp_path / "mail")


def test_the_account_can_be_named_and_the_bytes_kept(run: Callable[..., Result], tmp_path: Path) -> None:
    """--account is what the dataset calls it; --progress shows a bar on stderr."""
    with EmbeddedServer(mails(2), password=SECRET) as server:
        result = run(*export_of(server.port, "--account", "work", "--keep-raw", "--progress"))
    assert 0 == result.exit_code
    assert "work: 2 listed" in result.stdout
    assert "2/2" in result.stderr
    assert (tmp_path / "mail" / "work" / "part-00000001.parquet").is_file()


def test_failed_messages_are_named_and_give_status_three(run: Callable[..., Result]) -> None:
    """The run is complete, the mail is not: a script must be able to tell."""
    numbers = range(1, 25)
    uidls = {number: f"uid-{number}" for number in numbers}
    odd = [retr(n, mails(1)[0]) if n == 10 else refused(n, b"bad \x1b[2Jdisk") for n in numbers]
    with ScriptedServer([*listing(uidls, dict.fromkeys(uidls, 1)), *odd, QUIT]) as server:
        result = run(*export_of(server.port))
    assert 3 == result.exit_code
    assert "24 listed: 1 new, 0 known, 23 failed" in result.stdout
    assert "message 1 (uid-1): the server refused RETR: bad \\x1b[2Jdisk" in result.stdout
    assert "... and 3 more" in result.stdout
    assert "\x1b" not in result.output


def test_mails_that_are_given_only_in_utf_8_can_be_asked_for(run: Callable[..., Result]) -> None:
    """RFC 6856: refused without --utf8, status 3; the next run with it has them."""
    mails = ["Subject: gr\u00fc\u00dfe\r\n\r\nbody\r\n".encode(), mail(2)]
    with EmbeddedServer(mails, password=SECRET, features=Features(utf8=True, needs_utf8=True)) as server:
        without, with_it = run(*export_of(server.port)), run(*export_of(server.port, "--utf8"))

    assert (3, 0) == (without.exit_code, with_it.exit_code)
    assert "say UTF8 before the login" in without.output
    assert "1 new, 1 known, 0 failed" in with_it.stdout


def test_a_run_that_cannot_go_on_tells_first_what_is_stored(run: Callable[..., Result]) -> None:
    """Status 1: the counts, then the error."""
    cut = [*listing(UIDLS, SIZES), retr(1, mails(1)[0]), ("RETR 2", CLOSE)]
    with ScriptedServer(cut, [(None, CLOSE)]) as server:
        result = run(*export_of(server.port))
    assert 1 == result.exit_code
    counts, error = result.stderr.splitlines()[-2:]
    assert "2 listed: 1 new, 0 known, 0 failed, 1 not reached" in counts
    assert error.startswith("Error: ")


@pytest.mark.parametrize(
    ("missing", "said"),
    [(["--host"], "--host"), (["--username"], "--username"), (["--dataset"], "--dataset")],
)
def test_what_is_missing_is_named(run: Callable[..., Result], missing: list[str], said: str) -> None:
    """Status 2, as for all misuse."""
    words = export_of(1)
    at = words.index(missing[0])
    assert_plain(run(*words[:at], *words[at + 2 :]), said, status=2)


@pytest.mark.parametrize(
    "words",
    [
        ["--password", "x"],
        ["--port", "0"],
        ["--port", "pop3"],
        ["--timeout", "0"],
        ["--timeout", "inf"],
        ["--encryption", "ssl3"],
        ["--password-keyring", "mail"],
        ["--no-such-option"],
    ],
)
def test_misuse_is_a_sentence_and_status_two(run: Callable[..., Result], words: list[str]) -> None:
    """Above all: a password is never an argument, for others could read it."""
    assert_plain(run(*export_of(1, *words)), status=2)


# One plain sentence that says what to do


def test_a_missing_variable_is_named(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """It must hold the password."""
    monkeypatch.delenv("POP_PASSWORD")
    with ScriptedServer([GREETING]) as server:
        assert_plain(run(*export_of(server.port)), "POP_PASSWORD is not set", "it must hold the password")


def test_an_unknown_host_is_named(run: Callable[..., Result]) -> None:
    """Check the name."""
    assert_plain(run(*export_of(110, host="no-such-host.invalid")), "no-such-host.invalid", "check the name")


def test_a_refused_port_is_named(run: Callable[..., Result]) -> None:
    """With the usual ones."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert_plain(run(*export_of(port)), f"127.0.0.1:{port} refused", "is the port right?", "995")


def test_a_wrong_password_is_said_to_be_checked(run: Callable[..., Result]) -> None:
    """In the server's words and in ours."""
    with EmbeddedServer(mails(1), password="another") as server:
        assert_plain(run(*export_of(server.port)), "wrong user name or password", "Check the user name")


def test_a_busy_mailbox_is_said_to_be_tried_later(run: Callable[..., Result]) -> None:
    """[IN-USE] is no wrong password."""
    with ScriptedServer([*LOGIN[:3], ("PASS .*", b"-ERR [IN-USE] locked\r\n")]) as server:
        assert_plain(run(*export_of(server.port)), "locked", "Try again in a few minutes")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A server's certificate chain with its key, and the CA that issued it: two PEM files."""
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "server.pem")
    )
    return str(folder / "server.pem"), str(folder / "ca.pem")


def test_an_unknown_ca_is_refused_and_the_way_out_is_named(
    run: Callable[..., Result], certificate: tuple[str, str]
) -> None:
    """With --cafile it works, from the first byte and by STLS."""
    chain, ca = certificate
    with EmbeddedServer(mails(1), password=SECRET, context=server_context(chain)) as server:
        tls_port = server.tls_port
        assert tls_port is not None
        refused_run = run(*export_of(tls_port, encryption="ssl"))
        assert_plain(refused_run, "certificate of 127.0.0.1 was not accepted", "cafile")
        assert 0 == run(*export_of(tls_port, "--cafile", ca, encryption="ssl")).exit_code
        assert 0 == run(*export_of(server.port, "--cafile", ca, encryption="tls")).exit_code


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_none_is_named(
    run: Callable[..., Result], tmp_path: Path, content: str | None
) -> None:
    """Missing, or not PEM."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    assert_plain(run(*export_of(1, "--cafile", str(path), encryption="ssl")), str(path), "PEM")


def test_a_server_without_stls_never_gets_the_password(run: Callable[..., Result]) -> None:
    """tls means STLS or failure."""
    with EmbeddedServer(mails(1), password=SECRET) as server:
        assert_plain(run(*export_of(server.port, encryption="tls")), "no TLS by STLS", "try --encryption ssl")


def test_a_server_without_tls_is_told_apart(run: Callable[..., Result]) -> None:
    """A plain greeting on the port of ssl."""
    with EmbeddedServer(mails(1), password=SECRET) as server:
        result = run(*export_of(server.port, encryption="ssl"))
    assert_plain(result, "does not speak TLS from the first byte", "try --encryption tls")


def test_a_dataset_that_is_a_file_is_refused(run: Callable[..., Result], tmp_path: Path) -> None:
    """Before the server is asked."""
    (tmp_path / "mail").write_text("mine")
    assert_plain(run(*export_of(1)), "a file is where a folder should be", "choose another path")


def test_a_dataset_in_an_object_store_is_refused(run: Callable[..., Result]) -> None:
    """It says why."""
    assert_plain(run(*export_of(1, "--dataset", "s3://bucket/mail")), "local folder", "exactly-once")


def test_a_name_with_a_line_end_is_refused(run: Callable[..., Result]) -> None:
    """It would be a command of its own; only the field is named."""
    with ScriptedServer([GREETING, NO_CAPA]) as server:
        result = run(*export_of(server.port, "--username", "user\r\nDELE 1"))
    assert_plain(result)
    assert "DELE" not in result.stderr


# Where a password can be seen


def test_a_password_is_in_no_list_of_processes_and_in_no_output(
    tmp_path: Path, require_program: Callable[[str], str]
) -> None:
    """While it is on its way to the server, `ps` shows the command with all its arguments."""
    ps, seen = require_program("ps"), []

    def look(peer: Peer) -> None:
        seen.append(subprocess.run([ps, "axww", "-o", "args"], capture_output=True, text=True).stdout)

    script = [*LOGIN[:3], (f"PASS {SECRET}", look, b"+OK\r\n"), *listing({}, {})[5:], QUIT]
    with ScriptedServer(script) as server:
        done = subprocess.run(
            [COMMAND, *export_of(server.port)],
            env=os.environ | {"POP_PASSWORD": SECRET},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert 0 == done.returncode, done.stderr
    assert "--password-env POP_PASSWORD" in seen[0]
    assert SECRET not in seen[0] + done.stdout + done.stderr


def test_a_typed_password_is_not_echoed(tmp_path: Path) -> None:
    """Asked for at a real terminal, by name of user and host."""
    ours, theirs = os.openpty()
    with EmbeddedServer(mails(2), password=SECRET) as server:
        words = export_of(server.port, "--no-progress")
        at = words.index("--password-env")
        del words[at : at + 2]
        process = subprocess.Popen(
            [COMMAND, *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=tmp_path,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        shown = read_terminal(ours, until=b"Password for user@127.0.0.1: ")
        os.write(ours, f"{SECRET}\n".encode())
        shown += read_terminal(ours)
        assert 0 == process.wait(), shown
    os.close(ours)
    assert b"2 listed: 2 new" in shown
    assert SECRET.encode() not in shown


def read_terminal(terminal: int, until: bytes | None = None) -> bytes:
    """What a program writes to its terminal, up to those words or to its end."""
    shown = b""
    while until is None or until not in shown:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # Linux says EIO when the other side is closed
            break
        if not data:
            break
        shown += data
    return shown


def test_without_a_terminal_there_is_advice(tmp_path: Path) -> None:
    """A cron job that forgot --password-env ends at once."""
    with ScriptedServer([GREETING]) as server:
        words = export_of(server.port)
        at = words.index("--password-env")
        done = subprocess.run(
            [COMMAND, *words[:at], *words[at + 2 :]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            start_new_session=True,
        )
    assert 1 == done.returncode
    advice = "give --password-env, --password-keyring or --secret"
    assert f"Error: no terminal to type a password at: {advice}\n" == done.stderr


def test_ctrl_c_ends_an_export_and_keeps_what_is_whole(tmp_path: Path) -> None:
    """Status 1 and no traceback."""
    processes: list[subprocess.Popen[str]] = []

    def interrupt(peer: Peer) -> None:
        processes[0].send_signal(signal.SIGINT)

    script = [*listing(UIDLS, SIZES), retr(1, mails(1)[0]), ("RETR 2", interrupt, STALL)]
    with ScriptedServer(script) as server:
        process = subprocess.Popen(
            [COMMAND, *export_of(server.port)],
            env=os.environ | {"POP_PASSWORD": SECRET},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        _, errors = process.communicate()
    assert 1 == process.returncode
    assert "stopped: what was fetched whole is stored" in errors
    assert "Aborted!" in errors
    assert "Traceback" not in errors
    assert ["uid-00001"] == stored(tmp_path / "mail")


# What is selected


def test_the_rules_select_and_the_rest_is_counted(run: Callable[..., Result], tmp_path: Path) -> None:
    """Status 0: what was left out was to be left out."""
    box = [mails(1)[0], *mails(4, octets=3000)[1:]]
    with EmbeddedServer(box, password=SECRET) as server:
        small = run(*export_of(server.port, "--max-size", "1kB"))
        limited = run(*export_of(server.port, "--limit", "1", "--newest-first"))
        named = run(*export_of(server.port, "--uidl", "uid-00002", "--uidl", "uid-00001"))
        late = run(*export_of(server.port, "--since", "2024-01-03"))
    assert [0, 0, 0, 0] == [each.exit_code for each in (small, limited, named, late)]
    assert "4 listed: 1 new, 0 known, 0 failed, 3 skipped (" in small.stdout
    assert "4 listed: 1 new, 1 known, 0 failed, 2 not reached (" in limited.stdout
    assert "4 listed: 1 new, 2 known, 0 failed, 1 skipped (" in named.stdout
    assert "4 listed: 0 new, 3 known, 0 failed, 1 skipped (" in late.stdout
    assert ["uid-00001", "uid-00002", "uid-00004"] == stored(tmp_path / "mail")


def test_since_begins_with_that_day_in_utc(run: Callable[..., Result], tmp_path: Path) -> None:
    """The mail is of the 2nd of January, 03:04 UTC."""
    with EmbeddedServer(mails(1), password=SECRET) as server:
        run(*export_of(server.port, "--since", "2024-01-02"))
    assert ["uid-00001"] == stored(tmp_path / "mail")


def test_with_rules_only_what_they_select_is_deleted(run: Callable[..., Result]) -> None:
    """The same words for both."""
    with EmbeddedServer(mails(3), password=SECRET) as server:
        result = run(*export_of(server.port, "--keep-raw", "--delete", "--uidl", "uid-00002"))
        assert ["uid-00001", "uid-00003"] == ids(server.maildrop.messages)
    assert (0, True) == (result.exit_code, "1 deleted, 0 refused" in result.stdout)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--max-size", "0"], "is no size"),
        (["--max-size", "-5"], "is no size"),
        (["--max-size", "many"], "is no size"),
        (["--limit", "0"], "--limit"),
        (["--since", "yesterday"], "--since"),
    ],
)
def test_rules_that_cannot_be_meant_are_named(
    run: Callable[..., Result], words: list[str], said: str
) -> None:
    """Before anything is sent."""
    assert_plain(run(*export_of(1, *words)), said, status=2)
