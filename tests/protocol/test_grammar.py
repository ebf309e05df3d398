"""The table of verbs is sane, says what the RFCs say, and is the only place that spells them."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

import pop3frames
from pop3frames.protocol import grammar
from pop3frames.protocol.grammar import DEFAULT_LIMITS, GREETING, VERBS, State, Verb

AUTH, TRANS = State.AUTHORIZATION, State.TRANSACTION


def _names(verbs: list[Verb]) -> set[str]:
    return {str(verb) for verb in verbs}


def test_every_verb_is_found_by_its_own_name_in_upper_case() -> None:
    """Three or four letters, as RFC 1939 section 3 has it; UTF8 (RFC 6856) has a digit."""
    assert list(VERBS) == [verb.name for verb in VERBS.values()]
    assert [] == [name for name in VERBS if not re.fullmatch(rb"[A-Z]{3,4}|UTF8", name)]


def test_every_row_of_the_table_is_whole() -> None:
    """A state, no more required arguments than there are, a syntax that begins with the name, a source."""
    for verb in VERBS.values():
        assert verb.states
        assert 0 <= verb.required <= len(verb.arguments)
        assert 1 + len(verb.arguments) == len(verb.syntax.split())
        assert str(verb) == verb.syntax.split()[0]
        assert re.match(r"RFC \d{4}", verb.source)


def test_verbs_are_allowed_in_the_states_of_the_rfcs() -> None:
    """RFC 1939 sections 4 to 7, RFC 2449 section 5, RFC 2595 section 4, RFC 5034 section 4, RFC 6856."""
    by_states = {
        states: _names([verb for verb in VERBS.values() if verb.states == states])
        for states in {verb.states for verb in VERBS.values()}
    }
    assert by_states == {
        (AUTH,): {"STLS", "USER", "PASS", "APOP", "AUTH", "UTF8"},
        (TRANS,): {"STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "NOOP", "RSET"},
        (AUTH, TRANS): {"CAPA", "LANG", "QUIT"},
    }


def test_nothing_may_follow_a_greeting_a_tls_start_an_exchange_or_a_quit_unanswered() -> None:
    """What changes the meaning of the bytes that follow is a barrier."""
    assert {"STLS", "AUTH", "UTF8", "LANG", "QUIT"} == _names(
        [verb for verb in VERBS.values() if verb.barrier]
    )
    assert GREETING.barrier


@pytest.mark.parametrize(
    ("argument_count", "multiline"),
    [(0, {"CAPA", "LANG", "LIST", "UIDL", "RETR", "TOP"}), (1, {"CAPA", "RETR", "TOP"})],
)
def test_the_shape_of_a_reply_depends_on_the_verb_and_on_having_an_argument(
    argument_count: int, multiline: set[str]
) -> None:
    """LIST and UIDL are one line with a number (RFC 1939 sections 5 and 7)."""
    assert multiline == _names([verb for verb in VERBS.values() if verb.is_multiline(argument_count)])


def test_the_greeting_is_no_command() -> None:
    """It has a row, but nobody can send it."""
    assert GREETING not in VERBS.values()
    assert () == GREETING.states


def test_every_limit_is_a_positive_number() -> None:
    """None is switched off by default."""
    assert [] == [each.name for each in fields(DEFAULT_LIMITS) if not getattr(DEFAULT_LIMITS, each.name) > 0]


def test_limits_leave_room_for_what_the_rfcs_allow() -> None:
    """512 octets a status line, 70 a unique-id, exactly 255 a command; Dovecot's 11 s for a lock."""
    assert DEFAULT_LIMITS.status_line >= 512
    assert DEFAULT_LIMITS.unique_id >= 70
    assert DEFAULT_LIMITS.command_line == 255
    assert DEFAULT_LIMITS.command_flood > DEFAULT_LIMITS.command_line
    assert DEFAULT_LIMITS.login_patience > 11


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, True),
        (2**31 - 1, True),
        (0, False),
        (-1, False),
        (2**31, False),
        (True, False),
        (1.0, False),
        ("1", False),
    ],
)
def test_a_message_number_is_an_int_from_1_to_2147483647(value: object, expected: bool) -> None:
    """A bool is no number, nor is text."""
    assert expected == grammar.is_message_number(value)


def _bytes_in(source: str) -> list[bytes]:
    constants = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return [value for value in constants if isinstance(value, bytes)]


def test_no_other_file_spells_a_verb_in_bytes() -> None:
    """To add a verb is to add a row."""
    package = Path(pop3frames.__file__).parent
    spelled = {
        (path.name, value)
        for path in package.rglob("*.py")
        if path.name != "grammar.py"
        for value in _bytes_in(path.read_text(encoding="utf-8"))
        if set(value.split()) & VERBS.keys()
    }
    assert set() == spelled
    assert [b"RETR 1\r\n"] == _bytes_in('send(b"RETR 1\\r\\n")')
