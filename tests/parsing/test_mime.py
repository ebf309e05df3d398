"""Structure: parts, delimiters, nesting, and what becomes of each leaf."""

from __future__ import annotations

import pytest
from parsing.mails import HTML, PICTURE, TEXT, mail, multipart

from pop3frames.message import Message
from pop3frames.parsing.limits import Limits
from pop3frames.parsing.parser import parse_message


def attached(row: Message) -> list[tuple[str, str, int]]:
    """File name, type and size of each attachment."""
    return [(each.filename, each.content_type, each.size) for each in row.attachments]


def test_a_mail_without_mime_is_plain_text() -> None:
    """RFC 2045 section 5.2."""
    row = parse_message(mail("Subject: a", body="one\ntwo\n"))
    assert (row.text_body, row.html_body, row.attachments, row.parse_error) == ("one\ntwo\n", None, [], None)


@pytest.mark.parametrize("subtype", ["mixed", "alternative", "related", "signed", "report", "x-unknown"])
def test_multiparts_of_any_subtype_are_walked_alike(subtype: str) -> None:
    """Text and HTML are bodies, the picture is an attachment."""
    row = parse_message(multipart(TEXT, HTML, PICTURE, subtype=subtype))
    assert (row.text_body, row.html_body) == ("plain", "<p>html</p>")
    assert attached(row) == [("a.png", "image/png", 3)]
    assert (row.attachment_count, row.parse_error) == (1, None)


def test_nested_multiparts_keep_the_order_of_their_leaves() -> None:
    """Bodies of one kind are joined by a line end."""
    inner = multipart(mail(body="two"), HTML, boundary="inner")
    row = parse_message(multipart(mail(body="one"), inner, mail(body="three")))
    assert (row.text_body, row.html_body) == ("one\ntwo\nthree", "<p>html</p>")


def test_preamble_and_epilogue_are_dropped() -> None:
    """They are for readers of 1992."""
    raw = mail(
        "Content-Type: multipart/mixed; boundary=b", body=b"pre\r\n--b\r\n\r\ntext\r\n--b--\r\nepilogue\r\n"
    )
    assert parse_message(raw).text_body == "text"


def test_a_longer_line_that_begins_like_a_delimiter_is_text() -> None:
    """One boundary may be the beginning of another."""
    inner = multipart(mail(body="deep\n--bx"), boundary="b1")
    assert parse_message(multipart(inner, mail(body="--b two"))).text_body == "deep\n--bx\n--b two"


def test_a_delimiter_may_be_followed_by_blanks() -> None:
    """RFC 2046 section 5.1.1, transport padding."""
    raw = mail("Content-Type: multipart/mixed; boundary=b", body=b"--b \t\r\n\r\none\r\n--b-- \r\nnot this")
    assert parse_message(raw).text_body == "one"


@pytest.mark.parametrize("boundary", ["b", "b" * 200])
def test_a_long_stretch_without_a_hyphen_hides_no_delimiter(boundary: str) -> None:
    """Where the search jumps to the next "-", a delimiter is found at both edges of the jump."""
    for size in [*range(3850, 4150), *range(8180, 8200)]:
        body = f"--{boundary}\r\n\r\n{'A' * size}\r\n--{boundary}\r\n\r\n-{'B' * size}\r\n--{boundary}--\r\n"
        raw = mail(f"Content-Type: multipart/mixed; boundary={boundary}", body=body.encode())
        assert parse_message(raw).text_body == f"{'A' * size}\n-{'B' * size}", size


def test_a_delimiter_inside_a_line_is_text() -> None:
    """It must begin its line."""
    assert parse_message(multipart(mail(body="x--b--y"))).text_body == "x--b--y"


def test_without_a_closing_delimiter_the_last_part_runs_to_the_end() -> None:
    """Too common for a note."""
    raw = mail("Content-Type: multipart/mixed; boundary=b", body=b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n")
    row = parse_message(raw)
    assert (row.text_body, row.parse_error) == ("one\ntwo\n", None)


def test_an_inner_multipart_ends_at_the_outer_delimiter() -> None:
    """Even when it forgot to close."""
    inner = mail("Content-Type: multipart/mixed; boundary=i", body=b"--i\r\n\r\ninner")
    assert parse_message(multipart(inner, mail(body="outer"))).text_body == "inner\nouter"


@pytest.mark.parametrize(
    "kind",
    ["multipart/mixed", 'multipart/mixed; boundary="never"', "multipart/mixed; boundary=" + "b" * 201],
)
def test_a_multipart_without_a_usable_boundary_is_shown_as_text_and_noted(kind: str) -> None:
    """Others show nothing; nothing shall be lost."""
    row = parse_message(mail(f"Content-Type: {kind}", "Content-Transfer-Encoding: base64", body="--x\nhi"))
    assert (row.text_body, row.parse_error) == ("--x\nhi", "boundary")


def test_a_blank_multipart_without_delimiters_has_nothing_to_show() -> None:
    """And nothing to note."""
    row = parse_message(mail("Content-Type: multipart/mixed; boundary=b", body="\n\n"))
    assert (row.text_body, row.attachments, row.parse_error) == (None, [], None)


def test_a_delimiter_in_the_header_block_ends_the_header() -> None:
    """Somebody lost the empty line before it."""
    html = b"--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n"
    row = parse_message(b'Content-Type: multipart/mixed; boundary="b"\r\nlost\r\n' + html)
    assert (row.text_body, row.html_body) == (None, "<p>")


def test_a_part_whose_block_holds_no_field_is_all_text() -> None:
    """Somebody forgot the empty line between delimiter and text."""
    raw = mail("Content-Type: multipart/mixed; boundary=b", body=b"--b\r\none\r\n\r\ntwo\r\n--b--\r\n")
    assert parse_message(raw).text_body == "one\n\ntwo"


@pytest.mark.parametrize(
    ("part", "text", "html"),
    [
        (b"Content-Type: text/html\r\n<p>", None, "<p>"),
        (b"Content-Type: text/html\r\n<p>\r\nNote: b", None, "<p>\nNote: b"),
        (b"X-Y: z\r\none\r\n\r\ntwo", "one\n\ntwo", None),
        (b"one\r\nContent-Type: text/html\r\n\r\ntwo", None, "two"),
        (b"Content-Type: text/html\r\n", None, ""),
        (b"Content-Type: text/html\r\n folded\r\nX: y", None, ""),
    ],
)
def test_a_part_that_lost_its_empty_line_keeps_its_text(
    part: bytes, text: str | None, html: str | None
) -> None:
    """It begins at the first line that is no field, unless more fields follow."""
    raw = mail("Content-Type: multipart/mixed; boundary=b", body=b"--b\r\n" + part + b"\r\n--b--\r\n")
    row = parse_message(raw)
    assert (row.text_body, row.html_body) == (text, html)


@pytest.mark.parametrize("boundary", ["a b", "it's(1)+_,-./:=?", "--b", "bé", "=_x"])
def test_a_boundary_may_hold(boundary: str) -> None:
    """Blanks and all the punctuation of RFC 2046 section 5.1.1, and more."""
    assert parse_message(multipart(TEXT, boundary=boundary)).text_body == "plain"


def test_an_inner_multipart_with_the_same_boundary_is_ended_by_it() -> None:
    """RFC 2046 forbids it; what follows belongs to the outer one."""
    inner = b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n--b--"
    assert parse_message(mail("Content-Type: multipart/mixed; boundary=b", body=inner)).text_body == "one"


@pytest.mark.parametrize("media_type", ["message/rfc822", "message/partial; id=x; number=1"])
def test_enclosed_messages_and_pieces_of_messages_are_attachments(media_type: str) -> None:
    """With the size after decoding, even where RFC 2046 section 5.2.1 forbids an encoding."""
    row = parse_message(
        mail(
            f"Content-Type: {media_type}", "Content-Transfer-Encoding: base64", body="U3ViamVjdDogeA0KDQp5\n"
        )
    )
    assert (row.text_body, attached(row)) == (None, [("", media_type.split(";")[0], 15)])


def test_an_invitation_beside_its_texts_is_an_attachment() -> None:
    """multipart/alternative with text/calendar."""
    invitation = mail("Content-Type: text/calendar; method=REQUEST; name=i.ics", body="BEGIN:VCALENDAR")
    row = parse_message(multipart(TEXT, HTML, invitation, subtype="alternative"))
    assert (row.text_body, row.html_body, attached(row)) == (
        "plain",
        "<p>html</p>",
        [("i.ics", "text/calendar", 15)],
    )


def test_of_repeated_content_types_the_first_counts() -> None:
    """As for every field."""
    row = parse_message(multipart(mail("Content-Type: text/html", "Content-Type: image/png", body="x")))
    assert (row.html_body, row.attachments) == ("x", [])


def test_the_transfer_encoding_of_a_multipart_is_ignored() -> None:
    """RFC 2045 section 6.4 allows none that changes anything."""
    assert parse_message(multipart(TEXT, fields=("Content-Transfer-Encoding: base64",))).text_body == "plain"


def test_an_enclosed_message_is_one_attachment_and_leaks_nothing() -> None:
    """Neither its text nor its subject nor its files."""
    inner = multipart(TEXT, PICTURE, fields=("Subject: inner",), boundary="inner")
    row = parse_message(
        multipart(mail("Content-Type: message/rfc822", body=inner), fields=("Subject: outer",))
    )
    assert (row.subject, row.text_body) == ("outer", None)
    assert attached(row) == [("", "message/rfc822", len(inner))]


def test_children_of_a_digest_are_messages_unless_they_say_otherwise() -> None:
    """RFC 2046 section 5.1.5."""
    row = parse_message(multipart(mail(body="Subject: x\n\ny"), TEXT, subtype="digest"))
    assert attached(row) == [("", "message/rfc822", 15)]
    assert row.text_body == "plain"


@pytest.mark.parametrize(
    ("fields", "is_body"),
    [
        (("Content-Type: text/plain; name=a.txt",), True),
        (("Content-Type: text/plain", "Content-Disposition: inline; filename=a.txt"), True),
        (("Content-Type: text/plain", "Content-Disposition: Attachment"), False),
        (("Content-Type: text/html", "Content-Disposition: attachment; filename=a.html"), False),
        (("Content-Type: text/csv",), False),
        (("Content-Type: text/calendar",), False),
        (("Content-Type: image/png", "Content-Disposition: inline"), False),
        (("Content-Type: application/ms-tnef; name=winmail.dat",), False),
        (("Content-Type: nonsense",), True),
        (("Content-Type:",), True),
    ],
)
def test_what_is_body_and_what_is_attachment(fields: tuple[str, ...], is_body: bool) -> None:
    """Text to read, unless its disposition is attachment; a file name alone changes nothing."""
    row = parse_message(multipart(mail(*fields, body="x")))
    assert ((row.text_body or row.html_body) == "x", row.attachment_count) == (is_body, 0 if is_body else 1)


def test_a_part_without_a_file_name_has_an_empty_one() -> None:
    """And the disposition's name wins over that of the type."""
    row = parse_message(
        multipart(
            mail("Content-Type: image/png"),
            mail("Content-Type: image/png; name=a", "Content-Disposition: inline; filename=b"),
        )
    )
    assert [each.filename for each in row.attachments] == ["", "b"]


def deep(levels: int) -> bytes:
    """A text inside so many multiparts."""
    raw = mail(body="deep")
    for level in range(levels):
        raw = multipart(raw, boundary=f"b{level}x")
    return raw


def test_a_multipart_too_deep_is_an_attachment() -> None:
    """The subtree counts as one."""
    assert parse_message(deep(32)).text_body == "deep"
    row = parse_message(deep(33))
    assert (row.text_body, row.parse_error) == (None, "limit:depth")
    assert [each.content_type for each in row.attachments] == ["multipart/mixed"]


def test_the_walk_ends_at_the_limit_of_parts() -> None:
    """What was found so far counts."""
    row = parse_message(multipart(*[PICTURE] * 5), limits=Limits(parts=3))
    assert (row.attachment_count, row.parse_error) == (3, "limit:parts")


def test_after_too_many_false_delimiters_the_rest_is_one_part() -> None:
    """Lines that only begin like one are counted while walking, and nothing is lost."""
    raw = multipart(TEXT, mail(body="--bx\n" * 5))
    row = parse_message(raw, limits=Limits(false_delimiters=4))
    assert row.parse_error == "limit:false_delimiters"
    assert row.text_body == "plain\n" + "--bx\n" * 5 + "\n--b--\n"
    assert parse_message(raw, limits=Limits(false_delimiters=5)).parse_error is None


def test_the_block_of_a_part_is_looked_at_up_to_the_limit() -> None:
    """Fields behind it do not count."""
    part = mail("X: " + "y" * 100, "Content-Type: text/html", body="x")
    row = parse_message(multipart(part), limits=Limits(part_header_block=80))
    assert (row.html_body, row.text_body, row.parse_error) == (None, "x", "limit:part_header_block")
