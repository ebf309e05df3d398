"""Header blocks: where they begin and end, and which field counts."""

from __future__ import annotations

import pytest
from parsing.mails import mail

from pop3frames.parsing.headers import block_end, block_start
from pop3frames.parsing.parser import parse_message


def test_bare_lf_gives_the_same_row_as_crlf() -> None:
    """POP3 sends CRLF; mail stores and mocks may not."""
    crlf = mail(
        "From: a@b.example",
        "Subject: one\n two",
        'Content-Type: text/plain; charset="utf-8"',
        body="é\n\n.\n",
    )
    one, other = parse_message(crlf), parse_message(crlf.replace(b"\r\n", b"\n"))
    other.size = one.size
    assert one == other


def test_a_bare_cr_ends_no_line() -> None:
    """Only CRLF and LF do; the CR inside a value becomes a blank."""
    assert parse_message(b"Subject: a\rFrom: b@c.example\r\n\r\n").subject == "a From: b@c.example"


@pytest.mark.parametrize("ends", [b"\r\n\r\n", b"\n\n", b"\n\r\n", b"\r\n\n"])
def test_the_first_empty_line_ends_the_block_whatever_the_line_ends(ends: bytes) -> None:
    """Mixed line ends come from gateways that edit one half of a mail."""
    row = parse_message(b"Subject: a" + ends + b"body\r\n\r\nmore\n\nlast")
    assert (row.subject, row.text_body) == ("a", "body\n\nmore\n\nlast")


def test_the_search_for_the_empty_line_prefers_the_earlier_one() -> None:
    """A bare empty line in front of a CRLF one counts."""
    assert block_end(b"A: b\n\nc\r\n\r\nd", 0, 13) == (5, 6)


@pytest.mark.parametrize(
    "before", [b"\r\n\r\n", b"\n", b"\xef\xbb\xbf", b" continued nothing\r\n", b"\tx\r\n y\r\n"]
)
def test_what_stands_before_the_first_field_is_skipped(before: bytes) -> None:
    """Empty lines, a byte order mark, a continuation of nothing."""
    assert parse_message(before + mail("Subject: a")).subject == "a"


@pytest.mark.parametrize("line", [b"From alice Mon Jan  1 00:00:00 2024\r\n", b">From alice\n"])
def test_an_mbox_line_before_the_fields_is_skipped(line: bytes) -> None:
    """It is not a From field."""
    row = parse_message(line + mail("From: a@b.example", "Subject: s"))
    assert (row.from_, row.subject) == ("a@b.example", "s")


def test_leading_empty_lines_stay_when_no_field_follows() -> None:
    """Then they are an empty header block, and the text is the body."""
    assert block_start(b"\r\n\r\nnot a field\r\n") == 0
    assert parse_message(b"\r\nhello there\r\n").text_body == "hello there\n"


def test_a_value_folded_into_two_thousand_lines_is_one() -> None:
    """Linear, and whole as long as it is below the limit."""
    row = parse_message(b"Subject: a" + b"\r\n b" * 2000 + b"\r\nTo:\r\n x@y.example\r\n\r\n")
    assert (row.subject, row.to) == ("a" + " b" * 2000, ["x@y.example"])


def test_a_line_of_blanks_continues_a_field_and_ends_no_block() -> None:
    """RFC 5322 section 4.2; only an empty line ends the block."""
    row = parse_message(b"Subject: a\r\n \r\nTo: b@x.example\r\n\r\nx")
    assert (row.subject, row.to, row.text_body) == ("a", ["b@x.example"], "x")


def test_a_blank_before_the_colon_is_accepted() -> None:
    """RFC 5322 section 4.5 allows it in old mail."""
    row = parse_message(mail("From : x@y.example", "SUBJECT\t: a"))
    assert (row.from_, row.subject) == ("x@y.example", "a")


def test_a_line_that_is_no_field_is_skipped() -> None:
    """The block ends at its empty line and nowhere else."""
    row = parse_message(mail("Subject: a", "this is no field", "To: x@y.example"))
    assert (row.subject, row.to, row.text_body) == ("a", ["x@y.example"], "text\n")


def test_text_without_any_field_is_all_body() -> None:
    """Nothing of it is lost."""
    row = parse_message(b"hello\r\nthere\r\n\r\nworld")
    assert (row.subject, row.text_body, row.parse_error) == (None, "hello\nthere\n\nworld", None)


def test_without_an_empty_line_all_is_header() -> None:
    """The body is empty, not missing."""
    row = parse_message(b"Subject: a\r\nno field")
    assert (row.subject, row.text_body) == ("a", "")


def test_the_first_of_repeated_fields_wins() -> None:
    """For every column."""
    row = parse_message(
        mail("Subject: 1", "subject: 2", "From: a@x.example", "From: b@x.example", "To: c", "To: d")
    )
    assert (row.subject, row.from_, row.to) == ("1", "a@x.example", ["c"])


def test_absent_is_null_and_empty_is_empty() -> None:
    """Recipients are lists either way."""
    absent = parse_message(mail("X: y"))
    empty = parse_message(mail("Subject:", "From: ", "Message-ID:\t", "To:"))
    assert (absent.subject, absent.from_, absent.message_id_header, absent.to) == (None, None, None, [])
    assert (empty.subject, empty.from_, empty.message_id_header, empty.to) == ("", "", "", [])


def test_a_name_inside_another_name_is_not_taken_for_it() -> None:
    """X-From and Subject-Old are fields of their own."""
    row = parse_message(mail("X-From: a", "Subject-Old: b", "Content-Type-X: text/html"))
    assert (row.from_, row.subject, row.html_body) == (None, None, None)
