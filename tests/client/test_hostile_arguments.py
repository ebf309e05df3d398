"""No argument of any public method becomes a second command: it is refused unsent, or is one line."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from client.in_memory import GREETING, HandlerInMemory, InMemory, in_memory, logged_in
from hypothesis import given, settings
from hypothesis import strategies as st

from pop3frames.errors import POP3Error, POP3UsageError
from pop3frames.protocol import sasl
from pop3frames.protocol.commands import Command, decode_command
from pop3frames.protocol.grammar import State

ORDINARY = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CONTROLS = st.sampled_from([chr(code) for code in (*range(32), 127)])
INJECTIONS = st.sampled_from(["\r\nDELE 1\r\n", "\nDELE 1", "\rDELE 1", "\0", "\r\n.\r\n", "\x1b[2J"])
TEXTS = st.one_of(ORDINARY, st.builds(lambda a, x, b: a + x + b, ORDINARY, CONTROLS | INJECTIONS, ORDINARY))
ANYTHING: st.SearchStrategy[Any] = st.one_of(
    TEXTS,
    TEXTS.map(lambda text: text.encode()),
    st.integers(-3, 2**33),
    st.sampled_from([None, True, 1.0, float("nan"), 2**31, -1, [1], (1, 2), "1\r\nDELE 1", b"1"]),
)

BEFORE: dict[str, Callable[[InMemory, Any], object]] = {
    "USER": lambda client, value: client.user(value),
    "PASS": lambda client, value: client.pass_(value),
    "APOP name": lambda client, value: client.apop(value, "secret"),
    "LANG": lambda client, value: client.lang(value),
    "AUTH mechanism": lambda client, value: client.authenticate(value, "ann", "secret"),
}
AFTER: dict[str, Callable[[InMemory, Any], object]] = {
    "LIST": lambda client, value: client.list(value),
    "UIDL": lambda client, value: client.uidl(value),
    "RETR": lambda client, value: client.retr(value),
    "TOP message": lambda client, value: client.top(value, 0),
    "TOP lines": lambda client, value: client.top(1, value),
    "DELE": lambda client, value: client.dele(value),
    "RETRs": lambda client, value: list(client.retr_many([value])),
    "TOPs": lambda client, value: list(client.top_many([value])),
    "TOPs' lines": lambda client, value: list(client.top_many([1], value)),
    "DELEs": lambda client, value: list(client.dele_many([value])),
}


def _tried(use: Callable[[InMemory, Any], object], client: InMemory, value: Any) -> bytes:
    """What was sent. Only errors of ours, and those of Python for what no annotation allows."""
    client.wire.sent.clear()
    told = None
    try:
        use(client, value)
    except POP3UsageError as exc:
        told = str(exc)
    except POP3Error:
        pass
    except TypeError:
        assert not isinstance(value, str | int)
        assert client.wire.sent == b""
    if told is not None:
        assert client.wire.sent == b""
        assert not (isinstance(value, str) and len(value) > 8 and value in told)
    return bytes(client.wire.sent)


@pytest.mark.parametrize("use", BEFORE.values(), ids=BEFORE)
@settings(deadline=None)
@given(value=ANYTHING)
def test_an_argument_before_the_login_is_one_line_or_nothing(
    use: Callable[[InMemory, Any], object], value: Any
) -> None:
    """And the line is read back as the one command with that argument."""
    sent = _tried(use, in_memory([GREETING, b"-ERR\r\n"]), value)
    if sent:
        assert sent.count(b"\n") == 1
        command = decode_command(sent, State.AUTHORIZATION)
        assert isinstance(command, Command)
        if value is not None and command.verb.name != b"APOP":
            assert (value.encode() if isinstance(value, str) else value,) == command.arguments


@pytest.mark.parametrize("use", AFTER.values(), ids=AFTER)
@settings(deadline=None)
@given(value=ANYTHING)
def test_an_argument_after_the_login_is_one_line_or_nothing(
    use: Callable[[InMemory, Any], object], value: Any
) -> None:
    """Numbers only, and no bool."""
    sent = _tried(use, logged_in(b"-ERR\r\n"), value)
    if sent:
        assert sent.count(b"\n") == 1
        command = decode_command(sent, State.TRANSACTION)
        assert isinstance(command, Command)
        assert value is None or int(value) in command.arguments


@pytest.mark.parametrize(
    ("mechanism", "parse"),
    [
        ("PLAIN", sasl.parse_plain),
        ("XOAUTH2", sasl.parse_xoauth2),
        ("OAUTHBEARER", sasl.parse_oauthbearer),
    ],
)
@settings(deadline=None, max_examples=300)
@given(name=TEXTS, secret=TEXTS)
def test_a_name_and_a_secret_say_what_they_are_in_a_sasl_exchange_or_nothing_is_sent(
    mechanism: str, parse: Callable[[bytes], tuple[str, str] | None], name: str, secret: str
) -> None:
    """A NUL in a name would make two names of it for PLAIN, a ^A a field of its own for the others."""
    client = in_memory([GREETING, b"+ \r\n", b"-ERR\r\n"])
    with pytest.raises(POP3Error):
        client.authenticate(mechanism, name, secret)
    if client.wire.sent:
        asked, answer = client.wire.lines
        assert f"AUTH {mechanism}".encode() == asked
        assert (name, secret) == parse(base64.b64decode(answer))


HANDLER: dict[str, Callable[[HandlerInMemory, Any], object]] = {
    "fetch_message": lambda handler, value: handler.fetch_message(value),
    "fetch_messages": lambda handler, value: handler.fetch_messages([value]),
    "iter_raw": lambda handler, value: list(handler.iter_raw([value])),
    "delete_message": lambda handler, value: handler.delete_message(value),
    "delete_messages": lambda handler, value: handler.delete_messages([value]),
    "get_message_size": lambda handler, value: handler.get_message_size(value),
    "top": lambda handler, value: handler.top(value),
    "top lines": lambda handler, value: handler.top(1, value),
}
WORDS = {b"CAPA", b"USER ann", b"PASS secret", b"UIDL", b"LIST", b"QUIT"}


@pytest.mark.filterwarnings("ignore:1 message could not be fetched")
@pytest.mark.parametrize("use", HANDLER.values(), ids=HANDLER)
@settings(deadline=None, max_examples=60)
@given(value=ANYTHING)
def test_an_argument_of_the_handler_is_one_command_or_none(
    use: Callable[[HandlerInMemory, Any], object], value: Any
) -> None:
    """Besides the login, the listings and QUIT."""
    login = [GREETING, b"-ERR\r\n", b"+OK\r\n", b"+OK\r\n", b"+OK\r\n1 a\r\n.\r\n"]
    handler = HandlerInMemory([*login, *[b"-ERR\r\n"] * 5])
    with contextlib.suppress(POP3Error, TypeError):
        use(handler, value)
    for wire in handler.wires:
        assert bytes(wire.sent).count(b"\n") == len(wire.lines)
        others = [line for line in wire.lines if line not in WORDS]
        assert len(others) <= 1
        assert all(isinstance(decode_command(each + b"\r\n", State.TRANSACTION), Command) for each in others)


@settings(deadline=None)
@given(name=TEXTS, password=TEXTS.filter(bool))
def test_the_credentials_of_a_handler_are_one_line_each_or_nothing_is_sent(name: str, password: str) -> None:
    """In one flight too: a password that cannot be sent keeps the name back as well."""
    for capabilities in (b"-ERR\r\n", b"+OK\r\nUSER\r\nPIPELINING\r\n.\r\n"):
        handler = HandlerInMemory([GREETING, capabilities, b"+OK\r\n", b"-ERR\r\n", *[b"-ERR\r\n"] * 3])
        handler.connect()
        with pytest.raises(POP3Error):
            handler.authenticate(name, password)
        lines = [line for line in handler.wires[0].lines if line != b"CAPA"]
        for line, verb, value in zip(lines, ("USER", "PASS"), (name, password), strict=False):
            assert f"{verb} {value}".encode() == line
        assert all(line in (b"UIDL", b"LIST") for line in lines[2:])
