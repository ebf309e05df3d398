"""The gate for arguments: exactly one line that reads back the same, or a typed error and nothing."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from types import FrameType

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pop3frames.errors import POP3UsageError
from pop3frames.protocol import grammar
from pop3frames.protocol.commands import Argument, Command, Malformed, decode_command, encode_command
from pop3frames.protocol.grammar import VERBS, Kind, State, Verb

AUTH, TRANS = State.AUTHORIZATION, State.TRANSACTION
CONTROLS = [*range(0x20), 0x7F]

VERB = st.sampled_from(list(VERBS.values()))
ANYTHING = st.one_of(
    st.integers(),
    st.text(),
    st.text(st.characters(codec="ascii"), max_size=8),
    st.binary(max_size=300),
    st.text().map(lambda text: lambda: text),
    st.booleans(),
)


def _plain(value: Argument) -> int | bytes:
    """An argument as the other side reads it."""
    value = value() if callable(value) else value
    return value.encode() if isinstance(value, str) else value


@settings(deadline=None)
@given(VERB, st.lists(ANYTHING, max_size=3).map(tuple))
def test_any_call_is_refused_or_becomes_one_line_that_reads_back_the_same(
    verb: Verb, arguments: tuple[Argument, ...]
) -> None:
    """Zero bytes, or one command of at most 255 octets with no control character before its CRLF."""
    try:
        line = encode_command(verb, arguments)
    except POP3UsageError:
        return

    assert line.endswith(b"\r\n")
    assert not set(line[:-2]) & set(CONTROLS)
    assert len(line) <= 255
    assert Command(verb, tuple(map(_plain, arguments))) == decode_command(line, verb.states[0])


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60)
FITTING: dict[Kind, st.SearchStrategy[Argument]] = {
    Kind.NUMBER: st.integers(1, 2**31 - 1),
    Kind.COUNT: st.integers(0, 2**31 - 1),
    Kind.TEXT: TEXT | TEXT.map(str.encode) | TEXT.map(lambda text: lambda: text),
    Kind.WORD: TEXT.map(lambda text: text.replace(" ", "_")),
}


@settings(deadline=None)
@given(VERB, st.data())
def test_what_fits_the_grammar_is_never_refused(verb: Verb, data: st.DataObject) -> None:
    """Blanks, quotes and letters of any script belong to names and passwords."""
    count = data.draw(st.integers(verb.required, len(verb.arguments)))
    arguments = tuple(data.draw(FITTING[kind]) for kind in verb.arguments[:count])
    assume(sum(len(str(_plain(each)).encode()) for each in arguments) < 240)
    line = encode_command(verb, arguments)

    assert Command(verb, tuple(map(_plain, arguments))) == decode_command(line, verb.states[-1])


@pytest.mark.parametrize("control", CONTROLS, ids=hex)
@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        (grammar.USER, lambda bad: (f"ann{bad}QUIT",)),
        (grammar.PASS, lambda bad: (lambda: f"{bad}secret",)),
        (grammar.AUTH, lambda bad: (f"PLAIN{bad}",)),
        (grammar.AUTH, lambda bad: ("PLAIN", f"AA{bad}==".encode())),
    ],
    ids=["name", "password", "mechanism", "response"],
)
def test_a_control_character_anywhere_is_refused(
    verb: Verb, arguments: Callable[[str], tuple[Argument, ...]], control: int
) -> None:
    """CR and LF above all: they would begin a second command (CVE-2025-15367 of CPython)."""
    with pytest.raises(POP3UsageError):
        encode_command(verb, arguments(chr(control)))


@pytest.mark.parametrize("number", [0, -1, 2**31, True, False, "1", b"1", 1.0, None, lambda: "1"])
@pytest.mark.parametrize("verb", [grammar.RETR, grammar.DELE, grammar.LIST, grammar.UIDL], ids=str)
def test_what_is_no_message_number_is_refused(verb: Verb, number: object) -> None:
    """Numbers are ints from 1 to 2147483647, and no bool."""
    with pytest.raises(POP3UsageError, match="message number"):
        encode_command(verb, (number,))  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [-1, 2**31, True, "0", None])
def test_what_is_no_number_of_lines_is_refused(count: object) -> None:
    """Zero is one, other than for message numbers."""
    with pytest.raises(POP3UsageError, match="number of lines"):
        encode_command(grammar.TOP, (1, count))  # type: ignore[arg-type]
    assert b"TOP 1 0\r\n" == encode_command(grammar.TOP, (1, 0))


@pytest.mark.parametrize("value", ["", b"", "\udc80", lambda: "", 7, None])
def test_an_empty_or_unencodable_text_is_refused(value: object) -> None:
    """Nothing, half a character, no text at all."""
    with pytest.raises(POP3UsageError):
        encode_command(grammar.USER, (value,))  # type: ignore[arg-type]


@pytest.mark.parametrize("mechanism", ["PLAIN AA==", " PLAIN", "PLAIN "])
def test_a_word_holds_no_blank(mechanism: str) -> None:
    """Or it would be two words for the server."""
    with pytest.raises(POP3UsageError):
        encode_command(grammar.AUTH, (mechanism,))


@pytest.mark.parametrize("arguments", [(), (1,), (1, 2, 3)])
def test_a_wrong_number_of_arguments_is_refused_with_the_syntax(arguments: tuple[int, ...]) -> None:
    """The caller learns what is right."""
    with pytest.raises(POP3UsageError, match="TOP msg n"):
        encode_command(grammar.TOP, arguments)


@pytest.mark.parametrize("password", ["x" * 248, "é" * 124], ids=["ascii", "two octets each"])
def test_a_command_of_255_octets_is_sent_and_one_octet_more_is_refused(password: str) -> None:
    """Octets count, not characters, and CRLF counts too (RFC 2449 section 4)."""
    assert 255 == len(encode_command(grammar.PASS, (password,)))
    with pytest.raises(POP3UsageError, match="255"):
        encode_command(grammar.PASS, (password + "x",))


CANARY = "canary-7f3a"


class _Reveal:
    """A secret: callable, and shown nowhere."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self) -> str:
        return self.text


def _locals_of(error: BaseException) -> list[str]:
    """The reprs of all locals of all frames below the test's own, as a debugger or a log would show them."""
    frames: list[FrameType] = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return [repr(value) for frame in frames[1:] for value in frame.f_locals.values()]


@pytest.mark.parametrize(
    ("verb", "before"),
    [(grammar.PASS, ()), (grammar.AUTH, ("PLAIN",)), (grammar.STAT, ()), (grammar.RETR, ())],
    ids=str,
)
@pytest.mark.parametrize("spoil", ["{}\r\nDELE 1", "\0{}", "{}" + "x" * 255, "\udc80{}"])
def test_a_refused_secret_is_in_no_message_no_cause_and_no_local_of_the_traceback(
    verb: Verb, before: tuple[Argument, ...], spoil: str
) -> None:
    """The error names the rule, never the value."""
    with pytest.raises(POP3UsageError) as caught:
        encode_command(verb, (*before, _Reveal(spoil.format(CANARY))))

    shown = [str(caught.value), repr(caught.value), *_locals_of(caught.value)]
    assert len(shown) > 4
    assert [] == [each for each in shown if CANARY in each]
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)


def test_the_search_for_secrets_in_locals_finds_one() -> None:
    """A plain string, which nobody hid, is found: the test above can fail."""
    with pytest.raises(POP3UsageError) as caught:
        encode_command(grammar.PASS, (f"\0{CANARY}",))

    assert [] != [each for each in _locals_of(caught.value) if CANARY in each]
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "state", "expected"),
    [
        (b"retr 1\r\n", TRANS, Command(grammar.RETR, (1,))),
        (b"ReTr 007\r\n", TRANS, Command(grammar.RETR, (7,))),
        (b"STAT \r\n", TRANS, Command(grammar.STAT, ())),
        (b"TOP  1   0\r\n", TRANS, Command(grammar.TOP, (1, 0))),
        (b"PASS  two blanks \r\n", AUTH, Command(grammar.PASS, (b" two blanks ",))),
        (b"USER \xff\r\n", AUTH, Command(grammar.USER, (b"\xff",))),
        (b"AUTH plain =\r\n", AUTH, Command(grammar.AUTH, (b"plain", b"="))),
        (b"LIST 9999999999\r\n", TRANS, Command(grammar.LIST, (9999999999,))),
    ],
)
def test_a_command_is_read_in_any_case_and_with_the_blanks_it_has(
    line: bytes, state: State, expected: Command
) -> None:
    """Keywords are case-insensitive (RFC 1939 section 3); the blanks of a password belong to it."""
    assert expected == decode_command(line, state)


@pytest.mark.parametrize(
    ("line", "state", "reason"),
    [
        (b"STAT\n", TRANS, "a command must end with CRLF"),
        (b"\r\n", TRANS, "unknown command"),
        (b" STAT\r\n", TRANS, "unknown command"),
        (b"EHLO me\r\n", AUTH, "unknown command"),
        (b"RETR\t1\r\n", TRANS, "unknown command"),
        (b"STAT\r\n", AUTH, "STAT is not allowed in the AUTHORIZATION state"),
        (b"USER ann\r\n", TRANS, "USER is not allowed in the TRANSACTION state"),
        (b"RETR\r\n", TRANS, "syntax: RETR msg"),
        (b"RETR x\r\n", TRANS, "syntax: RETR msg"),
        (b"RETR -1\r\n", TRANS, "syntax: RETR msg"),
        (b"RETR +1\r\n", TRANS, "syntax: RETR msg"),
        (b"RETR 1 2\r\n", TRANS, "syntax: RETR msg"),
        (b"RETR \xd9\xa1\r\n", TRANS, "syntax: RETR msg"),
        (b"RETR 10000000000\r\n", TRANS, "syntax: RETR msg"),
        (b"STAT 1\r\n", TRANS, "syntax: STAT"),
        (b"USER \r\n", AUTH, "syntax: USER name"),
        (b"USER a\0b\r\n", AUTH, "syntax: USER name"),
        (b"PASS a\rb\r\n", AUTH, "syntax: PASS string"),
        (b"AUTH\r\n", AUTH, "syntax: AUTH mechanism [response]"),
    ],
)
def test_a_line_that_is_no_command_says_what_is_wrong(line: bytes, state: State, reason: str) -> None:
    """In words that may be sent back: nothing of the line is echoed."""
    assert Malformed(reason) == decode_command(line, state)


def test_a_received_command_of_255_octets_is_read_and_one_octet_more_is_too_long() -> None:
    """RFC 2449 section 4, CRLF included."""
    assert Command(grammar.USER, (b"x" * 248,)) == decode_command(b"USER " + b"x" * 248 + b"\r\n", AUTH)
    assert Malformed("command too long") == decode_command(b"USER " + b"x" * 249 + b"\r\n", AUTH)


@settings(deadline=None)
@given(
    st.binary(max_size=40)
    | st.sampled_from(list(VERBS)).flatmap(lambda v: st.binary().map(lambda b: v + b" " + b))
)
def test_any_line_is_a_command_or_malformed(line: bytes) -> None:
    """Never an exception, in either state, and never a number that cannot be looked up."""
    for state in (AUTH, TRANS):
        read = decode_command(line + b"\r\n", state)
        if isinstance(read, Command):
            assert read.verb.required <= len(read.arguments) <= len(read.verb.arguments)
            assert state in read.verb.states
