"""The log of the wire: what it shows, what it never shows, and that it is there when somebody wants it."""

from __future__ import annotations

import base64
import contextlib
import itertools
import logging
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from client.wires import MemoryPOP3, answering
from hypothesis import given, settings
from hypothesis import strategies as st

from pop3frames.client.credentials import Secret
from pop3frames.client.pop3 import POP3
from pop3frames.client.wirelog import WireLog
from pop3frames.errors import POP3Error
from pop3frames.protocol import grammar
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.transcripts.recorder import Recorder

CANARY = "Kx7Qz9Wm4TbJ2vHpR6"
LOGGER = logging.getLogger("pop3frames.wire")


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextlib.contextmanager
def logged() -> Iterator[list[str]]:
    """The logger at DEBUG, and what it logs."""
    handler, level = Lines(), LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG)
    LOGGER.propagate = False  # pytest would keep all of it as well
    try:
        yield handler.lines
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
        LOGGER.propagate = True


# What is shown


def test_a_session_is_a_line_a_command_and_a_line_a_reply() -> None:
    """A mail is its status, its lines and its octets; nothing of it is shown."""
    mail = b"Subject: private\r\n\r\n.dot\r\n"
    with logged() as lines, EmbeddedServer([mail], username="ann", password="secret") as server:
        client = POP3("127.0.0.1", server.port, 5)
        client.user("ann")
        client.pass_("secret")
        client.retr(1)
        with contextlib.suppress(POP3Error):
            client.retr(9)
        client.quit()

    assert lines[1:4] == ["C: USER ann", "S: +OK", "C: PASS ***"]
    assert lines[5] == "C: RETR 1"
    assert lines[6].endswith(
        "(3 lines, 27 octets)"
    )  # the dot at the beginning of a line is doubled on the wire
    assert lines[7] == "C: RETR 9"
    assert lines[8].startswith("S: -ERR")
    assert lines[-1] == "-- closed"
    assert "private" not in "".join(lines)


def test_what_a_server_says_is_escaped_and_cut() -> None:
    """A terminal must not obey it."""
    with logged() as lines:
        MemoryPOP3(b"+OK \x1b[2J" + b"x" * 1000 + b"\r\n", answering({})).close()

    assert lines[0].startswith("S: +OK \\x1b[2Jxxx")
    assert len(lines[0]) < 220


@pytest.mark.parametrize(
    ("greeting", "shown"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "S: (no reply: 'HTTP/1.1 400 Bad Request\\\\r\\\\n')"),
        (b"\x16\x03\x01\x00\xff\r\n", "S: (no reply: '\\\\x16\\\\x03\\\\x01\\\\x00\\\\xff\\\\r\\\\n')"),
        (b"+OK\n", "S: (no reply: '+OK\\\\n')"),
    ],
)
def test_what_is_no_pop3_is_shown_once_and_escaped(greeting: bytes, shown: str) -> None:
    """Before a login, when it can only help; then counted."""
    with logged() as lines, contextlib.suppress(POP3Error):
        MemoryPOP3(greeting, answering({}))

    assert [lines[0], lines[-1]] == [shown, "-- closed"]


def test_what_is_out_of_step_behind_a_login_is_counted_and_not_shown() -> None:
    """A dot at the start of a mail, not stuffed (Dovecot 2.3): the rest stands where replies belong."""
    replies = {b"USER": b"+OK\r\n", b"PASS": b"+OK\r\n", b"RETR": b"+OK\r\n.\r\nprivate\r\n"}
    with logged() as lines, contextlib.suppress(POP3Error):
        client = MemoryPOP3(b"+OK\r\n", answering(replies))
        client.user("ann")
        client.pass_("x")
        client.retr(1)
        client.noop()

    assert lines[-3:] == ["S: (no reply: not shown)", "S: (9 octets that are no reply)", "-- closed"]
    assert "S: +OK (0 lines, 0 octets)" in lines
    assert "private" not in "".join(lines)


def test_a_mail_that_breaks_off_is_said_to() -> None:
    """With what had come."""
    log = WireLog(greeted=True)
    with logged() as lines:
        log.sent(grammar.RETR, b"RETR 1\r\n")
        log.received(b"+OK 99 octets\r\none\r\ntwo\r\nthr")
        log.closed()

    assert lines == ["C: RETR 1", "S: +OK 99 octets (broken off after 2 lines, 13 octets)", "-- closed"]


@pytest.mark.parametrize("size", [1, 2, 3, 65536])
def test_lines_are_counted_across_reads(size: int) -> None:
    """CR at the end of one, LF at the beginning of the next."""
    stream = b"+OK\r\na\r\n\r\n\nb\r\r\n.\r\n"
    log = WireLog(greeted=True)
    with logged() as lines:
        log.sent(grammar.RETR, b"RETR 1\r\n")
        for at in range(0, len(stream), size):
            log.received(stream[at : at + size])

    assert lines[-1] == "S: +OK (3 lines, 10 octets)"


def test_a_long_mail_costs_the_memory_of_one_read() -> None:
    """64 MB in pieces of 256 KB."""
    log = WireLog(greeted=True)
    chunk = b"x" * 76 + b"\r\n"
    chunk *= (256 << 10) // len(chunk)
    with logged() as lines:
        log.sent(grammar.RETR, b"RETR 1\r\n")
        log.received(b"+OK\r\n")
        tracemalloc.start()
        for _ in range(256):
            log.received(chunk)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        log.received(b".\r\n")

    assert peak < 1 << 20
    assert lines[-1] == f"S: +OK ({256 * len(chunk) // 78} lines, {256 * len(chunk)} octets)"


# When there is a log


def test_without_the_logger_at_debug_nobody_listens() -> None:
    """And nothing is spent."""
    client = MemoryPOP3(b"+OK\r\n", answering({}))

    assert client.observers == []


def test_set_debuglevel_begins_and_ends_a_log_between_any_two_calls() -> None:
    """In the middle of an iteration too: what is under way is read first."""
    mails = [b"Subject: %d\r\n\r\n" % number for number in range(5)]
    with logged() as lines, EmbeddedServer(mails, username="ann", password="secret") as server:
        LOGGER.setLevel(logging.INFO)
        with POP3("127.0.0.1", server.port, 5) as client:
            client.user("ann")
            client.pass_("secret")
            replies = client.retr_many(range(1, 6))
            blocks = [next(replies).block]
            client.set_debuglevel(1)
            client.set_debuglevel(2)
            client.noop()
            client.set_debuglevel(0)
            client.noop()
            blocks += [reply.block for reply in replies]

    assert [line[:6] for line in lines] == ["C: NOO", "S: +OK"]
    assert blocks == mails


def test_set_debuglevel_is_seen_where_no_logging_was_set_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error; poplib prints to standard output."""
    monkeypatch.setattr(LOGGER, "propagate", False)
    monkeypatch.setattr(LOGGER, "handlers", [])
    level = LOGGER.level
    try:
        client = MemoryPOP3(b"+OK\r\n", answering({b"NOOP": b"+OK fine\r\n"}))
        client.set_debuglevel(1)
        client.noop()
    finally:
        LOGGER.setLevel(level)

    assert capsys.readouterr().err == "C: NOOP\nS: +OK fine\n"


# What is never shown


ECHOES = {
    "raw": lambda said: f"no such user {CANARY}".encode(),
    "base64": lambda said: base64.b64encode(CANARY.encode()),
    "what was sent": lambda said: said,
    "what was sent, in base64": lambda said: base64.b64encode(said),
    "as a code": lambda said: f"[{CANARY}] no".encode(),
    "as the detail of a code": lambda said: f"[AUTH/{CANARY}] no".encode(),
    "with a code": lambda said: f"[IN-USE] {CANARY}".encode(),
    "on a line of its own": lambda said: b"no\r\n" + CANARY.encode(),
    "in two pieces": lambda said: f"{CANARY[:8]}\r\n-ERR {CANARY[8:]}".encode(),
    "as a line of a listing": lambda said: b"no\r\n" + CANARY.encode() + b" 1\r\nSASL " + CANARY.encode(),
    "behind a block that ends": lambda said: b"\r\n.\r\n-ERR " + CANARY.encode(),
    "cut off": lambda said: b"\r\n" + CANARY.encode() + b"\r",
    "behind a bare LF": lambda said: f"no\n{CANARY}".encode(),
    "without an end": lambda said: CANARY.encode() * 2000,
}
INDICATORS = [b"+OK ", b"-ERR ", b"+ ", b"", b"+ERR "]
MECHANISMS = ["USER", "at once", "PLAIN", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2", "APOP"]


def log_in(client: MemoryPOP3, mechanism: str) -> None:
    """As far as the server lets it."""
    secret = Secret(CANARY)
    if mechanism == "at once":
        client.pipelining = True
        client.log_in("ann", secret, "USER", (grammar.CAPA, grammar.UIDL, grammar.LIST))
    else:
        client.log_in("ann", secret, mechanism)


def fragments() -> list[str]:
    """All that would tell something of the secret: five letters of it, as they are and in base64."""
    forms = [
        CANARY,
        *(base64.b64encode(b"\0" * shift + CANARY.encode()).decode()[4:-4] for shift in range(3)),
    ]
    return [form[at : at + 5] for form in forms for at in range(len(form) - 4)]


FRAGMENTS = fragments()


def leaked(mechanism: str, echo: str, indicators: list[bytes], sizes: list[int], mail: str) -> list[str]:
    """Lines of the log and of a recording that tell of the secret which the server repeats."""
    replies = itertools.cycle(indicators)

    def answers(line: bytes) -> bytes:
        if line.startswith(b"AUTH"):
            return b"+ \r\n"
        return next(replies) + ECHOES[echo](line) + b"\r\n"

    with logged() as lines, tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "recorded.txt")
        with contextlib.suppress(POP3Error):
            client = MemoryPOP3(
                b"+OK <1@memory>\r\n",
                answers,
                sizes,
                observers=[Recorder(path, mail)],  # type: ignore[arg-type]
                pipelining=False,
            )
            with contextlib.closing(client):
                log_in(client, mechanism)
        shown = [*lines, *path.read_text().splitlines()]
    assert any("C: " in line for line in shown)
    return [line for line in shown if any(fragment in line for fragment in FRAGMENTS)]


# Each alone, then the ways a server falls out of step: a block opens, and what follows is of the login.
ORDERS = [[each] for each in INDICATORS] + [[b"+OK ", each] for each in INDICATORS] + [[b"-ERR ", b"+OK "]]


@pytest.mark.parametrize("echo", sorted(ECHOES))
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_no_login_shows_its_secret_whatever_the_server_repeats(mechanism: str, echo: str) -> None:
    """In the log and in a recording: every mechanism, every echo, every order of replies."""
    for indicators in ORDERS:
        for mail in ("masked", "kept"):
            assert [] == leaked(mechanism, echo, indicators, [4096], mail)


@settings(deadline=None, max_examples=100)
@given(
    mechanism=st.sampled_from(MECHANISMS),
    echo=st.sampled_from(sorted(ECHOES)),
    indicators=st.lists(st.sampled_from(INDICATORS), min_size=1, max_size=6),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    mail=st.sampled_from(["masked", "kept"]),
)
def test_no_cut_of_the_octets_lets_a_secret_through(
    mechanism: str, echo: str, indicators: list[bytes], sizes: list[int], mail: str
) -> None:
    """In pieces of any size, and in longer orders."""
    assert [] == leaked(mechanism, echo, indicators, sizes, mail)


def test_known_codes_are_shown_and_their_details_are_not() -> None:
    """They say whose fault it is; a detail may be anything."""
    with logged() as lines, contextlib.suppress(POP3Error):
        client = MemoryPOP3(b"+OK\r\n", answering({b"USER": b"-ERR [in-use/ann] busy\r\n"}))
        client.user("ann")

    assert lines[2] == "S: -ERR [IN-USE]"
