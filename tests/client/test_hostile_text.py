"""What a server says is shown escaped wherever it is shown: errors, logs, the shell."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from client.in_memory import GREETING, HandlerInMemory, InMemory, in_memory, logged_in
from lab.scripted import GREETING as GREETED
from lab.scripted import LOGIN, QUIT, ScriptedServer, Step

from pop3frames.cli.main import main
from pop3frames.errors import POP3Error

# Clears the screen; writes the clipboard (OSC 52); a link that is another one (OSC 8); C1 controls, CR, BEL,
# DEL, right-to-left override, a zero-width space, an octet that is no UTF-8.
EVIL = (
    b"\x1b[2J \x1b]52;c;cm0gLXJmIC8=\x07 \x1b]8;;http://evil.example\x1b\\bank\x1b]8;;\x1b\\ "
    b"\xc2\x9b2J \r\x7f\xe2\x80\xae\xe2\x80\x8b\xff\0 end"
)

CALLS: dict[str, Callable[[InMemory], object]] = {
    "CAPA": lambda client: client.capa(),
    "STLS": lambda client: client.stls(),
    "USER": lambda client: client.user("ann"),
    "PASS": lambda client: client.pass_("secret"),
    "APOP": lambda client: client.apop("ann", "secret"),
    "AUTH": lambda client: client.authenticate("PLAIN", "ann", "secret"),
    "STAT": lambda client: client.stat(),
    "LIST": lambda client: client.list(),
    "UIDL": lambda client: client.uidl(),
    "RETR": lambda client: client.retr(1),
    "TOP": lambda client: client.top(1, 0),
    "DELE": lambda client: client.dele(1),
    "NOOP": lambda client: client.noop(),
    "RSET": lambda client: client.rset(),
    "QUIT": lambda client: client.quit(),
}


def assert_harmless(text: str) -> None:
    """Nothing in it that a terminal obeys; line ends and tabs are ours."""
    bad = {letter for letter in text if not letter.isprintable()} - {"\n", "\t"}
    assert bad == set()
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "form", [b"-ERR %s\r\n", b"-ERR [%s] no\r\n", b"+ERR %s\r\n", b"+OK %s\n", b"+OK %s\r\n"]
)
@pytest.mark.parametrize("name", CALLS)
def test_no_error_and_no_log_holds_a_control_character(
    name: str, form: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of the wire too, at its loudest."""
    caplog.set_level(logging.DEBUG)
    before = name in ("CAPA", "STLS", "USER", "PASS", "APOP", "AUTH")
    reply = form % EVIL
    client = in_memory([GREETING, reply]) if before else logged_in(reply)
    shown = ""
    try:
        CALLS[name](client)
    except POP3Error as exc:
        shown = str(exc) + str(getattr(exc, "text", "")) + str(exc.__cause__ or "")
    client.close()

    assert_harmless(shown)
    assert_harmless(caplog.text)
    assert "C: " in caplog.text  # the positive control


@pytest.mark.parametrize("form", [b"-ERR %s\r\n", b"%s\r\n", b"+OK %s\n"])
def test_a_greeting_shows_nothing_raw(form: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Refused by it, or out of step from the beginning."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(POP3Error) as raised:
        in_memory([form % EVIL])

    assert_harmless(str(raised.value) + caplog.text)


@pytest.mark.parametrize("code", [b"", b"[SYS/TEMP] ", b"[%s] " % EVIL])
def test_what_the_handler_logs_and_warns_of_is_harmless(
    code: bytes, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """Refused messages, sizes, marks, listings, RSET and QUIT, and the pause for a busy mailbox."""
    caplog.set_level(logging.DEBUG)
    refusal = b"-ERR " + code + EVIL + b"\r\n"
    login = [GREETING, b"-ERR\r\n", b"+OK\r\n", b"+OK\r\n"]
    uses: list[Callable[[HandlerInMemory], Any]] = [
        lambda handler: handler.fetch_message(1),
        lambda handler: handler.fetch_messages([1]),
        lambda handler: handler.get_message_size(1),
        lambda handler: handler.delete_message(1),
        lambda handler: handler.list_messages(),
        lambda handler: handler.get_mailbox_stat(),
        lambda handler: handler.top(1),
    ]
    shown = []
    for use in uses:
        try:
            use(HandlerInMemory([*login, *[refusal] * 5]))
        except POP3Error as exc:
            shown.append(str(exc))
    try:
        HandlerInMemory([*login[:3], refusal]).get_mailbox_stat()
    except POP3Error as exc:
        shown.append(str(exc))

    assert shown
    assert_harmless("".join([*shown, caplog.text, *[str(each.message) for each in recwarn]]))


def _exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: list[Step]) -> str:
    monkeypatch.setenv("HOSTILE", "secret")
    with ScriptedServer(script) as server:
        command = (
            f"--host 127.0.0.1 --port {server.port} --username ann --encryption none --password-env HOSTILE"
        )
        done = CliRunner().invoke(
            main, ["export", *command.split(), "--dataset", str(tmp_path / "mail"), "--no-progress"]
        )
    assert done.exit_code in (1, 3), done.output
    return done.output


@pytest.mark.parametrize(
    "script",
    [
        [(None, b"-ERR " + EVIL + b"\r\n")],
        [(None, EVIL + b"\r\n")],
        [GREETED, ("?CAPA", b"-ERR\r\n"), ("USER .*", b"-ERR " + EVIL + b"\r\n")],
        [*LOGIN[:-1], ("PASS .*", b"-ERR [AUTH] " + EVIL + b"\r\n")],
        [*LOGIN, ("UIDL", b"-ERR " + EVIL + b"\r\n"), ("LIST", b"-ERR " + EVIL + b"\r\n")],
        [
            *LOGIN,
            ("UIDL", b"+OK\r\n1 ../x\r\n2 " + EVIL.replace(b"\r", b"") + b"\r\n.\r\n"),
            ("LIST", b"+OK\r\n1 20\r\n2 20\r\n.\r\n"),
            ("RETR 1", b"-ERR " + EVIL + b"\r\n"),
            ("RETR 2", b"-ERR " + EVIL + b"\r\n"),
            QUIT,
        ],
    ],
    ids=["refused", "garbage", "USER", "PASS", "LIST", "messages"],
)
def test_the_shell_prints_nothing_that_a_terminal_obeys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: list[Step]
) -> None:
    """Errors, and the report with its failures; and a unique-id is never a path."""
    output = _exported(tmp_path, monkeypatch, script)

    assert output
    assert_harmless(output)
    assert not (tmp_path / "x").exists()
