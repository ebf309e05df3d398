"""The tree of errors, the two questions each one answers, and text from outside made harmless."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pop3frames import errors
from pop3frames.errors import (
    POP3AuthenticationError,
    POP3BusyError,
    POP3CommandError,
    POP3ConnectionError,
    POP3Error,
    POP3ExportError,
    POP3ProtocolError,
    POP3UsageError,
    counted,
    printable,
)

EVERY_ERROR = [
    POP3ConnectionError("lost"),
    POP3ProtocolError("not POP3"),
    POP3CommandError("RETR", "no such message"),
    POP3AuthenticationError("PASS", "[AUTH] wrong", "AUTH"),
    POP3BusyError("PASS", "[IN-USE] locked", "IN-USE", 30.0),
    POP3UsageError("no"),
    POP3ExportError("disk full"),
]
HOSTILE = "\x1b[2J\x1b]52;c;aGk=\x07\u202egpj.exe\u2066\u200f\r\x00\x9b"


def test_the_tree_is_the_one_in_the_docstring() -> None:
    """Whoever catches a parent catches its children, and no one else's."""
    parents = {type(error): type(error).__mro__[1] for error in EVERY_ERROR}

    assert parents == {
        POP3ConnectionError: POP3Error,
        POP3ProtocolError: POP3ConnectionError,
        POP3CommandError: POP3Error,
        POP3AuthenticationError: POP3CommandError,
        POP3BusyError: POP3CommandError,
        POP3UsageError: POP3Error,
        POP3ExportError: POP3Error,
    }


def test_no_error_is_missing_here_or_in_the_docstring() -> None:
    """Every class of the module is in the list above and in the drawn tree."""
    classes = {
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, POP3Error)
    }

    assert classes == {POP3Error, *map(type, EVERY_ERROR)}
    assert [] == [each.__name__ for each in classes if each.__name__ not in (errors.__doc__ or "")]


def test_every_error_says_whose_fault_it_is_and_whether_the_connection_is_usable() -> None:
    """The two questions a caller has, answered by the class."""
    answers = {type(error): (error.fault, error.connection_usable) for error in EVERY_ERROR}

    assert answers == {
        POP3ConnectionError: ("network", False),
        POP3ProtocolError: ("server", False),
        POP3CommandError: ("server", True),
        POP3AuthenticationError: ("caller", True),
        POP3BusyError: ("server", True),
        POP3UsageError: ("caller", True),
        POP3ExportError: ("storage", True),
    }


def test_a_refused_command_carries_verb_text_and_code() -> None:
    """And its message names the verb and what the server said."""
    error = POP3BusyError("PASS", "[IN-USE] locked", "IN-USE", retry_after=30.0)

    assert ("PASS", "[IN-USE] locked", "IN-USE", 30.0) == (
        error.verb,
        error.text,
        error.code,
        error.retry_after,
    )
    assert "the server refused PASS: [IN-USE] locked" == str(error)


def test_a_refusal_without_a_reason_says_so() -> None:
    """A bare -ERR is legal."""
    assert "the server refused DELE: (no reason given)" == str(POP3CommandError("DELE"))


def test_a_lost_connection_may_be_retried_unless_it_says_otherwise() -> None:
    """And starts with no messages and no report of its own."""
    lost, hopeless = POP3ConnectionError("lost"), POP3ConnectionError("bad certificate", retryable=False)
    lost.messages.append({})

    assert (True, False) == (lost.retryable, hopeless.retryable)
    assert ([], None) == (hopeless.messages, hopeless.report)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\rb\nc\td", r"a\rb\nc\td"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\u2066\u2069\u200e\u200f\u061c\ufeff", r"\u2066\u2069\u200e\u200f\u061c\ufeff"),
        ("\u2028\u00a0", r"\u2028\xa0"),
        ("\udc80", r"\udc80"),
        ("\U000e0041", r"\U000e0041"),
        (b"caf\xe9 \x1b", r"caf\xe9 \x1b"),
        ('Zoë\'s "日本" 🙂', 'Zoë\'s "日本" 🙂'),
    ],
)
def test_printable_escapes_what_a_terminal_or_a_reader_would_obey(hostile: str | bytes, shown: str) -> None:
    """Escape sequences, line ends, bidi marks, invisible characters; letters of any script stay."""
    assert shown == printable(hostile)


@settings(deadline=None)
@given(st.text() | st.binary())
def test_printable_gives_printable_text_that_encodes(anything: str | bytes) -> None:
    """No control, no format character, no lone surrogate, whatever goes in."""
    shown = printable(anything)

    assert shown.isprintable()
    assert [] == [ch for ch in shown if unicodedata.category(ch) in ("Cc", "Cf", "Cs")]
    shown.encode()


@pytest.mark.parametrize(("length", "shown"), [(200, "x" * 200), (201, "x" * 200 + "…")])
def test_printable_cuts_long_text_and_shows_that_it_did(length: int, shown: str) -> None:
    """200 characters are whole, one more is cut."""
    assert shown == printable("x" * length)


def test_text_from_a_server_is_escaped_in_the_attribute_the_message_and_the_repr() -> None:
    """Wherever it may be printed from."""
    error = POP3CommandError("RETR", HOSTILE)
    escaped = r"\x1b[2J\x1b]52;c;aGk=\x07\u202egpj.exe\u2066\u200f\r\x00\x9b"

    assert escaped == error.text
    assert f"the server refused RETR: {escaped}" == str(error)
    assert repr(error).isprintable()


def test_one_is_not_many() -> None:
    """And thousands are marked."""
    assert [counted(each) for each in (0, 1, 10_000)] == ["0 messages", "1 message", "10,000 messages"]
    assert [counted(each, "part") for each in (1, 2)] == ["1 part", "2 parts"]
