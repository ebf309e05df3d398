"""Transcripts as text: any octets come back as they were, and what is no transcript says where."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pop3frames.errors import POP3UsageError
from pop3frames.transcripts.transcript import FIRST_LINE, decode, encode, read_transcript, said


def written(folder: Path, *lines: str, end: str = "\n") -> Path:
    """A file with these lines behind the first."""
    path = folder / "session.txt"
    path.write_bytes("".join(line + end for line in (FIRST_LINE, *lines)).encode())
    return path


ODD = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b" ", b"\\", b"x41", b"\xc3\xa4", b"\xff", b".", b"\x00"])
)


@given(st.binary() | ODD.map(b"".join))
@example(b"no end")
@example(b"blank at the end \r\n")
@example("\u2028\u202e\ufeff \u00a0\U0001f642".encode())
def test_any_octets_become_text_and_the_same_octets_again(octets: bytes) -> None:
    """Printable lines, which an editor leaves alone."""
    lines = encode(octets)

    assert b"".join(map(decode, lines)) == octets
    assert all(line.isprintable() and line == line.rstrip() for line in lines)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"+OK Gr\xc3\xbc\xc3\x9fe\r\n", ["+OK Grüße"]),
        (b"a\nb\r\n", ["a\\n\\", "b"]),
        (b"half", ["half\\"]),
        (b"a\\b\r\x1b\r\n", ["a\\\\b\\r\\x1b"]),
        (b"end \r\n", ["end\\x20"]),
        (b"\r\n", [""]),
        (b"", []),
    ],
)
def test_text_is_as_readable_as_it_can_be(octets: bytes, text: list[str]) -> None:
    """Only what does not print is escaped."""
    assert encode(octets) == text


@given(st.binary(), st.sampled_from(["\n", "\r\n"]))
def test_a_file_is_read_to_the_octet_whatever_its_line_ends(octets: bytes, end: str) -> None:
    """A version control system may change them."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), *said("S", octets), "", "# comment", *said("C", b"QUIT\r\n"), end=end)
        entries = read_transcript(path)[0].entries

    assert b"".join(entry.octets for entry in entries if entry.who == "S") == octets
    assert [(entry.who, entry.octets) for entry in entries][-1] == ("C", b"QUIT\r\n")


def test_a_closed_connection_is_followed_by_another(tmp_path: Path) -> None:
    """And the last need not be closed: its recording may have ended in a crash."""
    path = written(tmp_path, "S: +OK", "-- TLS", "-- closed", "-- closed", "S: +OK")

    assert [[entry.who for entry in each.entries] for each in read_transcript(path)] == [
        ["S", "TLS"],
        [],
        ["S"],
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_what_was_omitted_is_as_long_in_a_replay(tmp_path: Path, count: int) -> None:
    """And no dot or reply hides in it."""
    octets = read_transcript(written(tmp_path, f"-- omitted {count}"))[0].entries[0].octets

    assert len(octets) == count
    assert set(octets) <= set(b"x\r\n")


@pytest.mark.parametrize(
    "line", ["X: +OK", "S:+OK", "+OK", "S: \\q", "S: \\x4", "S: a\\b", "-- omitted many", "-- tls", "S"]
)
def test_a_line_that_says_nothing_is_named(tmp_path: Path, line: str) -> None:
    """By its number."""
    with pytest.raises(POP3UsageError, match="line 3"):
        read_transcript(written(tmp_path, "S: +OK", line))


@pytest.mark.parametrize("content", [b"", b"S: +OK\n", b"# pop3frames transcript 2\n", b"\xff\n"])
def test_a_file_that_is_no_transcript_is_refused(tmp_path: Path, content: bytes) -> None:
    """By its first line."""
    (tmp_path / "other.txt").write_bytes(content)

    with pytest.raises(POP3UsageError, match=r"other\.txt"):
        read_transcript(tmp_path / "other.txt")


def test_a_file_that_is_not_there_is_a_typed_error(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(POP3UsageError, match=r"missing\.txt"):
        read_transcript(tmp_path / "missing.txt")
