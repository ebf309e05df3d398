"""The command line beside its exports: help, `serve` and `demo`."""

from __future__ import annotations

import contextlib
import poplib
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result
from export.mailboxes import account_of, mail, mails

from pop3frames.cli.failures import in_options
from pop3frames.cli.main import main
from pop3frames.client.pop3 import POP3_SSL
from pop3frames.client.wire import default_context
from pop3frames.export.mailbox import export_mailbox
from pop3frames.server.embedded import EmbeddedServer

COMMAND = str(Path(sysconfig.get_path("scripts")) / "pop3frames")
MBOX = b"From ann Tue Jan  2 03:04:05 2024\nSubject: one\n\n>From here\n\nFrom bob Tue\nSubject: two\n\nhi\n"

Serving = Callable[..., tuple[subprocess.Popen[str], dict[str, str]]]


def invoke(*words: str) -> Result:
    """The command in this process."""
    return CliRunner().invoke(main, list(words))


def assert_plain(result: Result, *said: str) -> None:
    """One sentence on stderr with all that, status 1, no traceback."""
    assert 1 == result.exit_code, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("Error: ")
    assert 1 == result.stderr.count("\n")
    for each in said:
        assert each in result.stderr


# Help


@pytest.mark.parametrize("words", [[], ["export"], ["serve"], ["demo"]])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_explains_itself(words: list[str], option: str) -> None:
    """With each option in a sentence."""
    result = invoke(*words, option)
    assert 0 == result.exit_code
    assert result.stdout.startswith(f"Usage: main {' '.join(words)}".rstrip())
    assert "-h, --help" in result.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that is always full, of Linux")
@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_output_that_finds_no_room_is_one_sentence_too(words: list[str]) -> None:
    """The log of a nightly run on a full disk; what Python still holds back at its end is no second error."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([COMMAND, *words], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (1, 1) == (done.returncode, done.stderr.count("\n"))
    assert done.stderr.startswith("Error: nothing more can be written: No space left on device.")


def test_the_help_of_the_program_names_its_commands() -> None:
    """And the help of export says what each exit status means."""
    for command in ("credentials", "demo", "export", "headers", "serve"):
        assert f"\n  {command} " in invoke("--help").stdout
    told = " ".join(invoke("export", "--help").stdout.split())
    assert "0 everything selected is stored, 1 the run could not go on" in told


def test_the_version_is_that_of_the_package() -> None:
    """As the installed metadata have it."""
    assert invoke("--version").stdout.strip().endswith("version 0.1.0")


@pytest.mark.parametrize("words", [["--nonsense"], ["nonsense"], ["serve"], ["serve", "x", "--port", "-1"]])
def test_misuse_is_a_sentence_and_status_two(words: list[str]) -> None:
    """Click's own words."""
    result = invoke(*words)
    assert 2 == result.exit_code
    assert "Error: " in result.stderr


@pytest.mark.parametrize(
    ("said", "here"),
    [
        ("995 is usual for encryption='ssl', 110 for", "995 is usual for --encryption ssl, 110 for"),
        ("for a private CA pass cafile= or context=", "for a private CA pass --cafile"),
        ("pass empty_mailbox=True", "pass --empty-mailbox"),
        ("use pipelining=False: then", "use --no-pipelining: then"),
        ("auth='PLAIN', or auth= one of the offered", "--auth PLAIN, or --auth one of the offered"),
        ("the server said user='ann' x=True", "the server said user='ann' x=True"),
    ],
)
def test_an_argument_is_told_as_the_option_it_is_here(said: str, here: str) -> None:
    """Errors are written for Python; nobody at a shell can pass encryption='ssl'."""
    assert here == in_options(said)


def test_a_password_in_place_of_a_reference_is_refused_in_the_words_of_the_shell() -> None:
    """And not shown."""
    words = ["--host", "127.0.0.1", "--username", "ann", "--secret", "hunter2"]
    result = invoke("headers", *words)
    assert_plain(result, "'crypt:FILE#NAME'; without --secret the password is asked for\n")
    assert "hunter2" not in result.output


def test_checking_notebooks_without_pytest_says_what_to_install(tmp_path: Path) -> None:
    """As after a plain `pip install pop3frames`."""
    (tmp_path / "a.ipynb").write_text("{}")
    code = (
        "import sys; sys.modules['pytest'] = None; from pop3frames.cli.main import main;"
        f"main(['check-notebooks', {str(tmp_path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 1 == done.returncode
    assert "Error: to check notebooks takes pytest: pip install 'pop3frames[checks]'\n" == done.stderr


# Serve


@pytest.fixture
def serving() -> Iterator[Callable[..., tuple[subprocess.Popen[str], dict[str, str]]]]:
    """`serving("serve", ...)`: the running program, and the lines it printed, cut at their first colon."""
    running: list[subprocess.Popen[str]] = []

    def serving(*words: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
        process = subprocess.Popen(
            [COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        said = {}
        assert process.stdout is not None
        for line in iter(process.stdout.readline, "Ctrl-C ends it.\n"):
            assert line, process.communicate()[1]
            key, _, value = line.strip().partition(": ")
            said[key] = value
        return process, said

    yield serving
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def fetched(said: dict[str, str]) -> list[bytes]:
    """All mails of a served mailbox, read by poplib with the words that were printed."""
    port = int(next(key for key in said if " on 127.0.0.1" in key).rpartition(" ")[2])
    with contextlib.closing(poplib.POP3("127.0.0.1", port, timeout=10)) as client:
        client.user(said["username"])
        client.pass_(said["password"])
        count, _ = client.stat()
        found = [b"\r\n".join(client.retr(number)[1]) for number in range(1, count + 1)]
        client.quit()
    return found


def test_serve_answers_poplib_and_ends_on_ctrl_c(tmp_path: Path, serving: Serving) -> None:
    """A folder of .eml files, an mbox, a dataset with the bytes: the same mails come out."""
    (tmp_path / "eml").mkdir()
    for number, each in enumerate(mails(3)):
        (tmp_path / "eml" / f"{number}.eml").write_bytes(each.raw)
    (tmp_path / "box").write_bytes(MBOX)
    with EmbeddedServer(mails(3)) as server:
        export_mailbox(account_of(server), tmp_path / "dataset", keep_raw=True)
    served = [serving("serve", str(tmp_path / name)) for name in ("eml", "box", "dataset")]
    folder, mbox, dataset = (fetched(said) for _, said in served)
    assert [each.raw.removesuffix(b"\r\n") for each in mails(3)] == folder == dataset
    assert [b"Subject: one\r\n\r\nFrom here", b"Subject: two\r\n\r\nhi"] == mbox
    for process, _ in served:
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate()
        assert (0, "", "") == (process.returncode, out, errors)


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A mail in `tmp_path` and the words to serve it with a certificate, user ann and password hunter2."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "server.pem"))
    (tmp_path / "one.eml").write_bytes(mail(1).raw)
    monkeypatch.setenv("SERVE_PASSWORD", "hunter2")
    words = ["--certfile", str(tmp_path / "server.pem"), "--keyfile", str(tmp_path / "server.key")]
    return ["serve", str(tmp_path), "--password-env", "SERVE_PASSWORD", "--username", "ann", *words]


def test_serve_offers_tls_with_a_certificate(tmp_path: Path, serving: Serving, certified: list[str]) -> None:
    """From the first byte on a port of its own; with --password-env the password is not printed."""
    _, said = serving(*certified)
    tls = next(key for key in said if key.startswith("TLS from the first byte on port "))
    context = default_context(str(tmp_path / "ca.pem"))
    with POP3_SSL("127.0.0.1", int(tls.split()[7].rstrip(",")), context=context) as client:
        client.user("ann")
        client.pass_("hunter2")
        assert (1, len(mail(1).raw)) == client.stat()
    assert ("ann", "as in SERVE_PASSWORD") == (said["username"], said["password"])


@pytest.mark.parametrize("allowed", [False, True])
def test_serve_with_a_certificate_wants_tls_unless_told_otherwise(
    serving: Serving, certified: list[str], allowed: bool
) -> None:
    """It says which; --plaintext allows what is the rule where there is no certificate."""
    _, said = serving(*certified, *["--plaintext"] * allowed)
    assert f"logins without TLS are {'allowed' if allowed else 'refused'}" in said
    said["password"] = "hunter2"
    if allowed:
        assert [mail(1).raw.removesuffix(b"\r\n")] == fetched(said)
    else:
        with pytest.raises(poplib.error_proto, match="start TLS first"):
            fetched(said)


def test_serve_is_for_this_machine_unless_all_is_given(
    tmp_path: Path, serving: Serving, certified: list[str]
) -> None:
    """Others are let in only by name of the address, under TLS, with a password of one's own."""
    assert_plain(invoke("serve", str(tmp_path), "--host", "0.0.0.0"), "takes a certificate")
    without = [word for word in certified if "SERVE_PASSWORD" not in word and word != "--password-env"]
    (tmp_path / "one.eml").write_bytes(mail(1).raw)
    assert_plain(invoke(*without, "--host", "0.0.0.0"), "passwords of your own")
    assert_plain(invoke(*certified, "--host", "0.0.0.0", "--plaintext"), "no logins in plain text")
    _, said = serving(*certified, "--host", "0.0.0.0")
    assert any(key.startswith("1 message on 0.0.0.0, port ") for key in said)


def test_serve_says_plainly_what_is_no_mailbox(tmp_path: Path) -> None:
    """A missing path, an empty folder, a file that is no mbox, a dataset without the bytes."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").write_text("Dear diary\n")
    with EmbeddedServer(mails(1)) as server:
        export_mailbox(account_of(server), tmp_path / "dataset")
    assert_plain(invoke("serve", str(tmp_path / "gone")), "does not exist")
    assert_plain(invoke("serve", str(tmp_path / "empty")), "no .eml files")
    assert_plain(invoke("serve", str(tmp_path / "notes")), "not an mbox")
    assert_plain(invoke("serve", str(tmp_path / "dataset")), "--keep-raw")


def test_serve_says_plainly_what_cannot_be_used(tmp_path: Path) -> None:
    """A taken port, a missing variable, a certificate that is none."""
    (tmp_path / "one.eml").write_bytes(mail(1).raw)
    with EmbeddedServer() as other:
        taken = invoke("serve", str(tmp_path), "--port", str(other.port))
    assert_plain(taken, "cannot listen", str(other.port))
    assert_plain(invoke("serve", str(tmp_path), "--password-env", "NO_SUCH_NAME"), "NO_SUCH_NAME is not set")
    assert_plain(invoke("serve", str(tmp_path), "--certfile", str(tmp_path / "one.eml")), "certificate")


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_serve_says_plainly_which_mail_cannot_be_read(tmp_path: Path, kind: str) -> None:
    """An .eml that is a folder, or points nowhere."""
    odd = tmp_path / "odd.eml"
    odd.mkdir() if kind == "folder" else odd.symlink_to(tmp_path / "nowhere")
    assert_plain(invoke("serve", str(tmp_path)), str(odd))


# Demo


def test_the_demo_prints_a_table_and_the_path_and_can_be_run_again(tmp_path: Path) -> None:
    """As somebody sees it who has just installed it; the second time nothing is new."""
    runs = [subprocess.run([COMMAND, "demo"], cwd=tmp_path, capture_output=True, text=True) for _ in range(2)]
    assert [(0, ""), (0, "")] == [(run.returncode, run.stderr) for run in runs]
    first, second = (run.stdout.splitlines() for run in runs)
    assert ["date", "from", "subject", "files", "octets"] == first[0].split()
    count = int(first[-3].split()[0])
    assert f"{count} listed: {count} new, 0 known, 0 failed" in first[-2]
    assert f"{count} listed: 0 new, {count} known, 0 failed" in second[-2]
    assert f"dataset: {tmp_path / 'demo-dataset'}" == first[-1] == second[-1]
    assert first[:-2] == second[:-2]


HOSTILE = (
    b"From: \x1b]0;title\x07 <a@b.example>\r\n"
    b"Subject: =?utf-8?q?=1B[2J=1B]8;;http://evil.example=07=0D=E2=80=AEgpj.exe=C2=9B?=\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: image/\x1b[2J\r\n"
    b'Content-Disposition: attachment; filename="\x1b[2J"\r\n\r\nx\r\n--b--\r\n'
)


def test_a_hostile_mail_cannot_reach_the_terminal(tmp_path: Path) -> None:
    """Escapes, bidi overrides and carriage returns of its headers and types are shown, never sent."""
    (tmp_path / "hostile.eml").write_bytes(HOSTILE)
    result = invoke("demo", str(tmp_path), "--dataset", str(tmp_path / "out"))
    assert 0 == result.exit_code, result.output
    assert "gpj.exe" in result.stdout
    obeyed = [letter for letter in result.output if not letter.isprintable() and letter != "\n"]
    assert [] == obeyed


def test_the_table_keeps_its_columns_with_wide_letters(tmp_path: Path) -> None:
    """East Asian letters are two cells wide; long texts are cut; a missing date is said so."""
    subjects = ["見積" * 40, "e\u0301" * 10, "x" * 100, "short"]
    for number, subject in enumerate(subjects):
        head = f"Subject: {subject}\r\nFrom: {subject} <a@b.example>\r\n\r\nhi\r\n"
        (tmp_path / f"{number}.eml").write_bytes(head.encode())
    lines = invoke("demo", str(tmp_path), "--dataset", str(tmp_path / "out")).stdout.splitlines()[:5]
    cells = [sum(1 + (ch >= "\u3000") - (ch == "\u0301") for ch in line) for line in lines]
    assert [cells[0]] * 5 == cells
    assert all(line.startswith("(no date)") for line in lines[1:])


def test_a_demo_of_no_mailbox_is_one_sentence(tmp_path: Path) -> None:
    """As with serve."""
    assert_plain(invoke("demo", str(tmp_path / "gone"), "--dataset", str(tmp_path / "out")), "does not exist")
