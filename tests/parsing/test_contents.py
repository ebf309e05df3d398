"""Contents on demand: parts, attachments, all headers."""

from __future__ import annotations

import pytest
from parsing.mails import HTML, PICTURE, TEXT, mail, multipart

from pop3frames.parsing.contents import attachments, headers, iter_parts
from pop3frames.parsing.limits import Limits


def test_attachments_come_decoded_and_with_harmless_names() -> None:
    """Those of the row, in its order; one without a name gets a number."""
    evil = mail(
        "Content-Type: text/csv", 'Content-Disposition: attachment; filename="../../etc/passwd"', body="1,2"
    )
    files = list(attachments(multipart(TEXT, PICTURE, evil, mail("Content-Type: image/gif", body="x"))))
    assert [tuple(each) for each in files] == [
        ("a.png", "image/png", b"ABC"),
        ("passwd", "text/csv", b"1,2"),
        ("attachment-3", "image/gif", b"x"),
    ]


def test_parts_tell_what_they_are() -> None:
    """Leaves in order, with the Content-ID that cid: links name."""
    picture = mail(
        "Content-Type: image/png", "Content-ID: <logo@x>", "Content-Transfer-Encoding: base64", body="QUJD"
    )
    text, html, logo = iter_parts(multipart(TEXT, HTML, picture))
    assert (text.content_type, text.is_body, text.text(), text.content_id) == (
        "text/plain",
        True,
        "plain",
        "",
    )
    assert (html.content_type, html.is_body, html.content()) == ("text/html", True, b"<p>html</p>")
    assert (logo.content_type, logo.is_body, logo.content_id, logo.content()) == (
        "image/png",
        False,
        "logo@x",
        b"ABC",
    )


def test_an_enclosed_message_can_be_opened_by_hand() -> None:
    """Its content is a message again."""
    inner = multipart(TEXT, PICTURE, boundary="inner")
    (part,) = iter_parts(multipart(mail("Content-Type: message/rfc822", body=inner)))
    assert part.content() == inner
    assert [each.name for each in attachments(part.content())] == ["a.png"]


def test_all_headers_are_kept_in_order_and_decoded() -> None:
    """Repeated ones too."""
    raw = mail("Received: a", "X-Name: =?utf-8?q?=C3=A9?=", "received: b\n c", "no field", "To : d")
    assert headers(raw) == [("Received", "a"), ("X-Name", "é"), ("received", "b c"), ("To", "d")]


def test_limits_hold_here_too() -> None:
    """What the row does not look at is not read either."""
    raw = multipart(TEXT, PICTURE, PICTURE)
    assert len(list(attachments(raw, limits=Limits(parts=2)))) == 1
    assert list(iter_parts(raw, limits=Limits(message=10))) == []
    assert len(headers(mail("A: b", "C: d", "E: f"), limits=Limits(header_fields=2))) == 2


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_will_do(kind: type) -> None:
    """As for the row."""
    raw = kind(multipart(PICTURE))
    assert [each.content for each in attachments(raw)] == [b"ABC"]
    assert headers(raw)[0][0] == "Content-Type"


def test_nothing_holds_nothing() -> None:
    """Not even an empty part."""
    assert (list(iter_parts(b"")), headers(b"")) == ([], [])
