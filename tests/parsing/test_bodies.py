"""Bodies: decoding, line ends, and what is kept as it came."""

from __future__ import annotations

from parsing.mails import HTML, mail, multipart

from pop3frames.parsing.limits import Limits
from pop3frames.parsing.parser import parse_message


def test_line_ends_of_bodies_are_lf() -> None:
    """CRLF and a bare CR become one; LF stays."""
    assert parse_message(mail(body=b"a\r\nb\rc\nd\r")).text_body == "a\nb\nc\nd\n"


def test_bodies_are_decoded_by_encoding_and_charset() -> None:
    """Quoted-printable in Latin 1, base64 in UTF-8."""
    plain = mail(
        "Content-Type: text/plain; charset=iso-8859-1",
        "Content-Transfer-Encoding: Quoted-Printable",
        body="Gr=FC=\n=DFe",
    )
    html = mail("Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: BASE64", body="w6k=\n")
    row = parse_message(multipart(plain, html))
    assert (row.text_body, row.html_body, row.parse_error) == ("Grüße", "é", None)


def test_no_part_of_a_kind_is_null_and_an_empty_part_is_empty() -> None:
    """They are different facts."""
    row = parse_message(multipart(mail("Content-Type: text/html", body="")))
    assert (row.text_body, row.html_body) == (None, "")


def test_several_bodies_of_one_kind_are_joined_by_a_line_end() -> None:
    """In the order they stand."""
    assert parse_message(multipart(HTML, HTML)).html_body == "<p>html</p>\n<p>html</p>"


def test_flowed_text_is_kept_as_received() -> None:
    """RFC 3676 concerns display, and unfolding cannot be undone."""
    body = "a \nb \n-- \nc\n"
    assert (
        parse_message(mail("Content-Type: text/plain; format=flowed; delsp=yes", body=body)).text_body == body
    )


def test_a_uuencoded_block_in_plain_text_stays_text() -> None:
    """Only a transfer encoding is undone."""
    body = "begin 644 a\n#86)C\nend\n"
    assert parse_message(mail(body=body)).text_body == body


def test_an_unknown_transfer_encoding_shows_the_bytes_and_is_noted() -> None:
    """Nothing better can be done."""
    row = parse_message(mail("Content-Transfer-Encoding: x-martian", body="a=41"))
    assert (row.text_body, row.parse_error) == ("a=41", "encoding")


def test_notes_are_joined_in_a_fixed_order() -> None:
    """The codes are a closed list."""
    part = mail("Content-Type: text/plain; charset=x-martian", "Content-Transfer-Encoding: x-martian")
    row = parse_message(multipart(part, mail("Content-Type: multipart/mixed", body="x")))
    assert row.parse_error == "charset,encoding,boundary"


def test_text_beyond_the_limit_is_cut_at_a_character() -> None:
    """Text and HTML share it."""
    row = parse_message(multipart(mail(body="éé"), HTML), limits=Limits(text=3))
    assert (row.text_body, row.html_body, row.parse_error) == ("éé", "<", "limit:text")
