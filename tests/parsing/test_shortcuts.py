"""Shortcuts and memories of the parser say the same as the long way."""

from __future__ import annotations

import binascii
import os
import re
from functools import _lru_cache_wrapper
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from parsing.fuzz_parser import TOKENS
from parsing.mails import mail

from pop3frames.message import Message
from pop3frames.parsing import addresses, charsets, headers, mime, parameters, transfer, words
from pop3frames.parsing.limits import DEFAULT_LIMITS
from pop3frames.parsing.parser import parse_message

FOLDER = os.environ.get("POP3FRAMES_CORPUS", "")
MEMORIES = [
    value
    for module in (addresses, charsets, parameters, transfer)
    for value in vars(module).values()
    if isinstance(value, _lru_cache_wrapper)
]
noise = st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=6)), max_size=40).map(b"".join)


def read_anew(raw: bytes) -> Message:
    """The row of a parser that remembers nothing."""
    for memory in MEMORIES:
        memory.cache_clear()
    return parse_message(raw)


def test_there_are_memories_to_clear() -> None:
    """Else the tests below would compare a thing with itself."""
    assert len(MEMORIES) >= 5


@given(noise)
def test_a_mail_read_before_gives_the_same_row_again(data: bytes) -> None:
    """Also from the second reading on, when values come from memory."""
    first = read_anew(data)
    assert first == parse_message(data) == parse_message(data)


@pytest.mark.skipif(not FOLDER, reason="POP3FRAMES_CORPUS names no folder of mails")
def test_what_other_mails_left_in_memory_changes_no_row() -> None:
    """Every mail of the corpus, alone and after all the others."""
    mails = [path.read_bytes() for path in sorted(Path(FOLDER).glob("*/*.eml"))]
    alone = [read_anew(raw) for raw in mails]
    for _ in range(2):
        assert alone == [parse_message(raw) for raw in mails]


def test_what_was_lost_in_a_name_is_noted_every_time() -> None:
    """The note belongs to the mail that is read, not to the first that had this name."""
    raw = mail("From: =?utf-8?q?a=FFb?= <a@b.example>", "To: c@d.example")
    rows = [parse_message(raw) for _ in range(3)]
    assert ["charset"] * 3 == [row.parse_error for row in rows]
    assert ["aÿb <a@b.example>"] * 3 == [row.from_ for row in rows]


def test_memories_are_bounded() -> None:
    """In number by themselves, in size by what is given to them: a mail cannot fill them with megabytes."""
    assert all(memory.cache_parameters()["maxsize"] is not None for memory in MEMORIES)
    read_anew(mail("From: a@b.example"))
    before = [memory.cache_info().currsize for memory in MEMORIES]
    long = "a" * 2000
    parse_message(
        mail(
            f"From: =?{long}?q?{long}?= <a@b.example>",
            f'Content-Type: text/plain; charset="{long}"',
            f"Content-Transfer-Encoding: {long}",
            f"Content-Disposition: inline; filename={long}",
        )
    )
    assert before == [memory.cache_info().currsize for memory in MEMORIES]


@given(noise, st.integers(0, 5), st.integers(0, 5))
@example(b"a: b\n\nc\r\n\r\nd", 0, 0)
@example(b"a\n\r", 0, 0)
@example(b"a\n\r\r\nb", 0, 0)
def test_one_expression_finds_the_first_empty_line(data: bytes, before: int, after: int) -> None:
    """By lines: the block ends in front of the first one that is empty but for a CR."""
    end = max(before, len(data) - after)
    at = before
    for line in re.findall(rb"[^\n]*\n|[^\n]+\Z", data[before:end]):
        if line in (b"\n", b"\r\n"):
            expected = (at, at + len(line))
            break
        at += len(line)
    else:
        expected = (end, end)
    assert expected == headers.block_end(data, before, end)


@given(st.text("QUJDabc0+/= \t\n?*-_é\0", max_size=24))
@example("QUI=")
@example("=")
@example("QQ==QUJD")
def test_a_base64_word_without_faults_needs_no_correction(encoded: str) -> None:
    """Strictly read where that can be done, and the same as when everything odd is taken out first."""
    letters = re.sub(r"[^A-Za-z0-9+/]", "", encoded)
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    assert binascii.a2b_base64(letters + "==") == words._word_bytes("B", encoded)


@given(noise)
def test_a_mail_without_parts_is_walked_without_a_walk(body: bytes) -> None:
    """It is its own only leaf."""
    raw = b"Content-Type: text/plain\r\n\r\n" + body
    root = mime.Part(mime.PLAIN, mime._NO_DISPOSITION, "identity", 0, 27, 29, len(raw))
    expected = list(mime._Walk(raw, DEFAULT_LIMITS, set()).leaves(root))
    assert expected == mime.leaves(raw, root, DEFAULT_LIMITS, set())
