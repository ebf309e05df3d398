"""The door: always one row, from any buffer, under any limit, whatever fails inside."""

from __future__ import annotations

import logging

import pytest
from parsing.mails import HTML, PICTURE, TEXT, mail, multipart

from pop3frames.message import Message
from pop3frames.parsing import fallback, parser
from pop3frames.parsing.limits import Limits
from pop3frames.parsing.parser import expects_attachments, parse_headers, parse_message

RAW = multipart(
    TEXT,
    HTML,
    PICTURE,
    fields=(
        "From: Ann <a@b.example>",
        "To: c@d.example",
        "Subject: =?utf-8?q?=C3=A9?=",
        "Message-ID: <1@b.example>",
    ),
)


def test_every_documented_column_is_filled() -> None:
    """The caller's columns stay empty."""
    row = parse_message(RAW, number=7)
    assert row.to_dict() | {"attachments": len(row.attachments)} == {
        "messageId": 7,
        "popId": 7,
        "messageIdHeader": "<1@b.example>",
        "from": "Ann <a@b.example>",
        "to": ["c@d.example"],
        "cc": [],
        "bcc": [],
        "subject": "é",
        "textBody": "plain",
        "htmlBody": "<p>html</p>",
        "receivedAt": None,
        "size": len(RAW),
        "attachmentCount": 1,
        "attachments": 1,
        **dict.fromkeys(("isRead", "isStarred", "isDeleted", "isSpam", "isDraft", "isSent"), False),
    }
    assert (row.account, row.uidl, row.content_hash, row.fetched_at, row.raw) == ("", None, None, None, None)


@pytest.mark.parametrize("raw", [b"", b"\r\n", b" \n\t\r\n"])
def test_nothing_gives_a_row_that_says_so(raw: bytes) -> None:
    """Nulls and empty lists."""
    assert parse_message(raw, number=3) == Message(3, 3, size=len(raw), parse_error="empty")


def test_a_message_over_the_limit_gives_its_headers() -> None:
    """And no bodies."""
    row = parse_message(RAW, limits=Limits(message=100))
    assert (row.subject, row.text_body, row.attachments) == ("é", None, [])
    assert (row.size, row.parse_error) == (len(RAW), "limit:message")


def test_a_header_block_over_the_limit_is_looked_at_so_far() -> None:
    """The body is found all the same."""
    row = parse_message(mail("Subject: a", "X: " + "y" * 100, "To: b"), limits=Limits(header_block=50))
    assert (row.subject, row.to, row.text_body, row.parse_error) == ("a", [], "text\n", "limit:header_block")


def test_fields_over_the_limit_are_ignored() -> None:
    """In the message and in a part."""
    many = ["X: y"] * 10
    row = parse_message(mail(*many, "Subject: a"), limits=Limits(header_fields=10))
    assert (row.subject, row.parse_error) == (None, "limit:header_fields")
    row = parse_message(multipart(mail(*many, "Content-Type: text/html")), limits=Limits(header_fields=10))
    assert (row.html_body, row.parse_error) == (None, "limit:header_fields")
    assert parse_message(mail(*many, "Subject: a"), limits=Limits(header_fields=11)).subject == "a"


def test_headers_alone_fill_only_their_columns() -> None:
    """What a TOP preview needs."""
    row = parse_headers(RAW, number=7)
    full = parse_message(RAW, number=7)
    assert (row.text_body, row.html_body, row.attachments, row.attachment_count) == (None, None, [], 0)
    full.text_body = full.html_body = None
    full.attachments, full.attachment_count = [], 0
    assert row == full


def _fails(*_arguments: object) -> Message:
    raise RecursionError("a bug of ours, and a secret of the mail")


def test_a_bug_in_the_core_falls_back_to_the_standard_library(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The row is the same but for its note, and the log names the mail by its hash."""
    expected = parse_message(RAW, number=7)
    monkeypatch.setattr(parser, "_row", _fails)
    with caplog.at_level(logging.WARNING):
        row = parse_message(RAW, number=7)
    expected.parse_error = "fallback"
    assert row == expected
    assert "SHA-256" in caplog.text
    assert "RecursionError" in caplog.text
    assert "plain" not in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    "raw",
    [
        mail("Subject: a", body="--x\n" * 2001),
        mail("Subject: a", "X: " + "y" * 70_000),
    ],
)
def test_the_fallback_refuses_what_would_be_slow_there(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the minimal row is all there is."""
    monkeypatch.setattr(parser, "_row", _fails)
    row = parse_message(raw)
    assert (row.subject, row.text_body, row.parse_error) == ("a", None, "minimal")


def test_when_all_fails_there_is_still_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Size, and the header lines as they stand."""
    monkeypatch.setattr(parser, "_row", _fails)
    monkeypatch.setattr(fallback, "compat32_row", _fails)
    row = parse_message(b"From: \xe9\0a@b\r\nTo: c\r\nsubject: =?x\r\n\r\nbody", number=2)
    assert row == Message(2, 2, from_="\ufffda@b", to=["c"], subject="=?x", size=40, parse_error="minimal")


def test_a_bug_in_the_headers_gives_the_minimal_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a preview too."""
    monkeypatch.setattr(parser, "_header_row", _fails)
    assert parse_headers(mail("Subject: a")).parse_error == "minimal"


def test_keyboard_interrupt_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever presses Ctrl-C means it."""

    def interrupted(*_arguments: object) -> Message:
        raise KeyboardInterrupt

    monkeypatch.setattr(parser, "_row", interrupted)
    with pytest.raises(KeyboardInterrupt):
        parse_message(RAW)


def test_the_fallback_opens_no_enclosed_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size is not known there: writing it anew could hang."""
    monkeypatch.setattr(parser, "_row", _fails)
    row = parse_message(multipart(mail("Content-Type: message/rfc822", body=RAW), boundary="outer"))
    assert (row.text_body, row.attachments[0].content_type, row.parse_error) == (
        None,
        "message/rfc822",
        "fallback",
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("Content-Type: multipart/mixed; boundary=b", True),
        ("content-type : MULTIPART/Mixed;\r\n boundary=b", True),
        ("Content-Type: application/pdf; name=plan.pdf", True),
        ("Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt", True),
        ("Content-Type: multipart/signed; boundary=b", True),
        ("Content-Type: multipart/alternative; boundary=b", False),
        ("Content-Type: multipart/related; boundary=b", False),
        ("Content-Type: text/html", False),
        ("Content-Type: nonsense", False),
        ("X-Note: Content-Type: multipart/mixed", False),
        ("Subject: none", False),
        ("", False),
    ],
)
def test_a_header_block_tells_whether_attachments_are_probable(fields: str, expected: bool) -> None:
    """With the blank line behind it or not, as TOP answers differ."""
    header = f"From: a@b.example\r\n{fields}".encode()
    assert expected == expects_attachments(header)
    assert expected == expects_attachments(header + b"\r\n\r\n")


def test_expecting_attachments_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever came, or failed: then none are expected."""
    for raw in (b"", b"\0" * 99, b"Content-Type:" * 9999, b"\xff\xfe\r\n\r\n", RAW[:-40]):
        assert expects_attachments(raw) in (True, False)
    monkeypatch.setattr(parser, "described", lambda *_: 1 / 0)
    assert not expects_attachments(RAW)
