"""`pop3frames doctor`: what it prints, and the exit status a script goes by."""

from __future__ import annotations

import getpass
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from checkup.odd_servers import CAPABILITIES, PASSWORD, capa, odd
from click.testing import CliRunner, Result
from lab.scripted import ScriptedServer

from pop3frames.checkup.findings import CHECKS
from pop3frames.cli.main import main

PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"


def invoke(*words: str, **environment: str) -> Result:
    """The command in this process."""
    return CliRunner(env={"COLUMNS": "80", "MAIL_PASSWORD": PASSWORD} | environment).invoke(
        main, ["doctor", *words]
    )


def examine(server: ScriptedServer, *words: str, **environment: str) -> Result:
    """The command on a loopback server in plain text, with a password unless `words` say otherwise."""
    given = words or ("--username", "ann", "--password-env", "MAIL_PASSWORD")
    place = ("127.0.0.1", "--port", str(server.port), "--encryption", "none", "--timeout", "5")
    return invoke(*place, *given, **environment)


def test_a_good_server_is_printed_line_by_line_with_status_zero() -> None:
    """Every check once; the meaning where not all is well; nothing on stderr."""
    with odd({}) as server:
        result = examine(server)
    assert (0, "") == (result.exit_code, result.stderr)
    assert re.search(r"^ok       retr: 3 messages came whole$", result.stdout, re.MULTILINE)
    assert "\n         -> fine here; over a network use TLS\n" in result.stdout
    assert "nothing stands in its way" not in result.stdout
    text = " ".join(result.stdout.split())
    assert [] == [name for name in CHECKS if not re.search(rf"\b{name}[:,]", text)]
    assert PASSWORD not in result.output


def test_problems_are_status_four() -> None:
    """A session was possible."""
    with odd({"LIST": b"-ERR no\r\n"}) as server:
        result = examine(server)
    assert 4 == result.exit_code
    assert "problem  list: the server refused LIST: no\n" in result.stdout


@pytest.mark.parametrize(
    "changes", [{"PASS": b"-ERR [AUTH] no\r\n"}, {"greeting": b"-ERR closed\r\n"}, {"greeting": b"hello\r\n"}]
)
def test_nobody_gets_in_is_status_one(changes: dict[str, Any]) -> None:
    """Refused at the door or at the login; with the whole table."""
    with odd(changes) as server:
        result = examine(server)
    assert 1 == result.exit_code
    assert "would not begin" in result.stdout


def test_without_a_user_name_it_ends_before_the_login() -> None:
    """And asks for no password."""
    with odd({}) as server:
        result = examine(server, "--timeout", "4")
    assert 0 == result.exit_code
    assert ["CAPA", "QUIT"] == server.commands
    assert "no user name was given" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    "words",
    [
        ("--password-command", f"echo {shlex.quote(PASSWORD)}"),
        ("--secret", "env:MAIL_PASSWORD"),
        ("--password",),
        (),
    ],
)
def test_the_password_comes_from_where_it_is_said(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program, any reference, or the keyboard, which is asked where nothing is said."""
    asked: list[str] = []
    monkeypatch.setattr(getpass, "getpass", lambda prompt: asked.append(prompt) or PASSWORD)
    with odd({}) as server:
        result = examine(server, "--username", "ann", *words)
    assert 0 == result.exit_code, result.output
    assert f"PASS {PASSWORD}" in server.commands
    typed = words in [("--password",), ()]
    assert ["Password for ann@127.0.0.1: "] * typed == asked


@pytest.mark.parametrize(
    "words",
    [
        ("--username", "ann", "--password", "--password-env", "X"),
        ("--password-env", "X"),
        ("--auth", "NTLM"),
        ("--port", "0"),
        ("--encryption", "starttls"),
    ],
)
def test_misuse_is_a_sentence_and_status_two(words: tuple[str, ...]) -> None:
    """Before anything is sent."""
    result = invoke("pop.example.org", *words)
    assert 2 == result.exit_code
    assert "Error: " in result.stderr


def test_what_cannot_work_is_a_sentence_and_status_one() -> None:
    """A variable that is not set, a file that holds no certificate."""
    for words in (("--username", "ann", "--password-env", "NO_SUCH_NAME"), ("--cafile", "/nowhere.pem")):
        result = invoke("pop.example.org", *words)
        assert 1 == result.exit_code
        assert result.stderr.startswith("Error: ")


def test_lines_fit_the_terminal_and_hold_nothing_it_would_obey() -> None:
    """Long words of a server too."""
    bad = b"\x1b[2J" + b"y" * 300
    changes = {
        "CAPA": capa(CAPABILITIES + b"IMPLEMENTATION " + bad + b"\r\n"),
        "STAT": b"-ERR " + bad + b"\r\n",
    }
    with odd(changes) as server:
        result = examine(server, COLUMNS="60")
    assert 60 >= max(map(len, result.stdout.splitlines()))
    assert 50 < max(map(len, result.stdout.splitlines()))
    assert "\\x1b[2J" in result.stdout
    assert [] == [letter for letter in result.stdout if not letter.isprintable() and letter != "\n"]


def test_retrieve_fetches_where_it_leaves_a_trace() -> None:
    """Only when it is asked for."""
    for words, count in (((), 0), (("--retrieve",), 3)):
        with odd({"CAPA": capa(CAPABILITIES + b"EXPIRE 0\r\n")}) as server:
            examine(server, "--username", "ann", "--password-env", "MAIL_PASSWORD", *words)
        assert count == sum(line.startswith("RETR") for line in server.commands)


def test_the_help_says_what_each_status_means() -> None:
    """And that nothing is deleted."""
    text = " ".join(invoke("--help").stdout.split())
    assert "0 no problem, 1 nobody can connect or log in, 4 there are problems" in text
    assert "Nothing is deleted" in text


def test_the_page_explains_every_check() -> None:
    """One line each, in the order they are printed."""
    explained = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert list(CHECKS) == explained
