"""A secret printed by a program: who runs it, what of it is the secret, and that no failure shows it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from client.canaries import CANARY, everything

from pop3frames.client import credentials
from pop3frames.client.credentials import Secret, SecretReference
from pop3frames.errors import POP3UsageError


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """`program(script)`: a reference to a Python program of that text."""

    def make(script: str) -> str:
        path = tmp_path / "a program.py"
        path.write_text(script)
        return f"command:{shlex.quote(sys.executable)} {shlex.quote(str(path))}"

    return make


@pytest.mark.parametrize(
    ("printed", "secret"),
    [
        (f"{CANARY}\n", CANARY),
        (CANARY, CANARY),
        (f" {CANARY} \r\nurl: mail\n", f" {CANARY} "),
        ("p\u00e4ss\n", "p\u00e4ss"),
    ],
)
def test_a_command_gives_its_first_line(program: Callable[[str], str], printed: str, secret: str) -> None:
    """As `pass show` prints it: only the line end is not part of it."""
    script = f"import sys; sys.stdout.buffer.write({printed.encode()!r})"

    assert Secret(secret) == SecretReference(program(script)).resolve()


def test_no_shell_reads_a_command(program: Callable[[str], str], tmp_path: Path) -> None:
    """Its words are split as a shell would, and then are what they are."""
    script = "import sys; print(sys.argv[1:])"
    reference = program(script) + f" '$HOME x' ; touch {tmp_path}/touched"

    assert f"['$HOME x', ';', 'touch', '{tmp_path}/touched']" == SecretReference(reference).resolve().reveal()
    assert not (tmp_path / "touched").exists()


FAILURES = {
    "a status": (
        f"print({CANARY!r}); sys.exit('locked\x1b[2J')",
        r'ended with status 1, saying "locked\\x1b\[2J"',
    ),
    "its secret on stderr": (f"print({CANARY!r}); sys.exit({CANARY!r})", "status 1: run it by hand"),
    "an empty line": (f"print(); print({CANARY!r})", "printed no secret"),
    "nothing": ("sys.stderr.write('no such entry')", "printed no secret: it must be the first line"),
    "its secret on stderr only": (f"sys.stderr.write({CANARY!r})", "printed no secret: it must be"),
    "a hang": (f"print({CANARY!r}, flush=True); time.sleep(60)", "did not end within 0.5 seconds"),
    "a signal": (f"print({CANARY!r}, flush=True); os.kill(os.getpid(), 9)", "status -9"),
}


@pytest.mark.parametrize(("script", "said"), FAILURES.values(), ids=FAILURES)
def test_a_command_that_fails_is_told_without_what_it_printed(
    program: Callable[[str], str], script: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, and no traceback shows the secret that may be in its output."""
    if "sleep" in script:
        monkeypatch.setattr(credentials, "COMMAND_TIMEOUT", 0.5)
    with pytest.raises(POP3UsageError, match=said) as raised:
        SecretReference(program(f"import os, sys, time\n{script}")).resolve()

    assert CANARY not in everything(raised.value)


@pytest.mark.parametrize("command", ["/no/such/program x", "/etc/passwd", "a\0b"])
def test_a_program_that_cannot_be_run_is_named(command: str) -> None:
    """Missing, not executable, or no name at all."""
    with pytest.raises(POP3UsageError, match=r"cannot be run \(.*PATH"):
        SecretReference(f"command:{command}").resolve()


def test_a_command_does_not_eat_the_pipe_that_feeds_us(program: Callable[[str], str]) -> None:
    """Its standard input is empty where there is no terminal: what is piped in is not the program's."""
    reference = program("import sys; print('read', repr(sys.stdin.read()))")
    code = (
        "import sys; from pop3frames.client.credentials import SecretReference;"
        f"print(SecretReference({reference!r}).resolve().reveal(), repr(sys.stdin.read()))"
    )
    done = subprocess.run([sys.executable, "-c", code], input="piped", capture_output=True, text=True)

    assert "read '' 'piped'\n" == done.stdout, done.stderr


def test_a_command_may_ask_at_the_terminal(program: Callable[[str], str]) -> None:
    """Its questions on stderr are seen there, and what is typed reaches it."""
    script = "import sys; sys.stderr.write('PIN? '); sys.stderr.flush(); print('pin', sys.stdin.readline())"
    code = (
        "from pop3frames.client.credentials import SecretReference;"
        f"print(len(SecretReference({program(script)!r}).resolve().reveal()))"
    )
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True
    )
    os.close(theirs)
    shown = b""
    while b"PIN? " not in shown:
        shown += os.read(ours, 100)
    os.write(ours, b"1234\n")
    out, _ = process.communicate()
    os.close(ours)

    assert (0, f"{len('pin 1234')}\n") == (process.returncode, out)
