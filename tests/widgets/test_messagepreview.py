"""The preview without a browser: what it tells a page of a mail, and what it gives when asked."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from widgets.page import Page, unpacked

from pop3frames.parsing.parser import parse_headers, parse_message
from pop3frames.widgets.messagepreview import MessagePreview

SENTENCE = "MessagePreview: run the cell to read the mail, it is not stored in the notebook."
FILE = bytes(range(256)) * 5_000
MAIL = (
    b"From: Ann <ann@example.org>\r\nTo: Bob <bob@example.org>, c@example.org\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Date: Tue, 3 Mar 2026 09:15:00 +0100\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nHello \x1b[2J\r\n"
    b'--b\r\nContent-Type: text/html\r\n\r\n<p>Hello <img src="cid:pic"><img src=http://a/b></p>\r\n'
    b"--b\r\nContent-Type: image/png\r\nContent-ID: <pic>\r\n\r\n\x89PNG\r\n\x1a\n\r\n"
    b"--b\r\nContent-Type: application/x-thing\r\n"
    b'Content-Disposition: attachment; filename="../../.bashrc"\r\n\r\n'
    + FILE.replace(b"\n", b"x").replace(b"\r", b"y")
    + b"\r\n--b--\r\n"
)


@pytest.fixture
def preview() -> MessagePreview:
    """A preview of the mail above."""
    shown = MessagePreview()
    shown.show(parse_message(MAIL), MAIL)
    return shown


@pytest.fixture
def page(preview: MessagePreview) -> Page:
    """A page that shows it."""
    return Page(preview).open()


def content(page: Page) -> dict[str, Any]:
    """What the page was told of the mail."""
    told: dict[str, Any] = unpacked(page.last("mail")[1][0])
    return told


def ask(page: Page, what: str, number: int = 0) -> bytes:
    """Fetch something piece by piece, as the page does."""
    version, got = page.last("mail")[0]["version"], b""
    while True:
        page.send({"kind": "get", "version": version, "what": what, "number": number, "offset": len(got)})
        told, (piece,) = page.last("piece")
        assert (what, number, len(got)) == (told["what"], told["number"], told["offset"])
        assert len(piece) <= 1 << 19
        got += piece
        if len(got) >= told["total"]:
            return got


def test_a_page_is_told_who_what_and_when(page: Page) -> None:
    """Names with addresses, the date as sent and as an instant, the text; not the HTML."""
    told = content(page)
    assert [{"name": "Ann", "address": "ann@example.org"}] == told["from"]
    assert ["bob@example.org", "c@example.org"] == [each["address"] for each in told["to"]]
    assert ("Grüße", "Tue, 3 Mar 2026 09:15:00 +0100", 1_772_525_700) == (
        told["subject"],
        told["date"],
        told["seconds"],
    )
    assert ("Hello ␛[2J", True, False, []) == (told["text"], told["html"], told["partial"], told["doubts"])
    assert "<p>" not in json.dumps(told)


def test_attachments_are_listed_under_safe_names(page: Page) -> None:
    """With the name as sent where it differs."""
    size = len(FILE)
    assert [
        {"name": "attachment-1", "type": "image/png", "size": 8},
        {"name": "bashrc", "type": "application/x-thing", "size": size, "sentAs": "../../.bashrc"},
    ] == content(page)["attachments"]


def test_an_attachment_is_saved_to_the_octet(page: Page) -> None:
    """In pieces, and only when asked for."""
    assert "piece" not in page.kinds()
    assert FILE.replace(b"\n", b"x").replace(b"\r", b"y") == ask(page, "file", 1)
    assert page.kinds().count("piece") == 3


def test_html_comes_when_asked_for_as_a_harmless_document(page: Page) -> None:
    """With the mail's own picture in it, and how many others are not."""
    told = json.loads(ask(page, "html"))
    assert "data:image/png;base64,iVBORw0KGgo=" in told["html"]
    assert "http://a/b" not in told["html"]
    assert (1, "") == (told["notLoaded"], told["refused"])


def test_html_that_cannot_be_cleaned_is_refused_with_the_reason() -> None:
    """The text view says so too, when there is no other text."""
    mail = b"Content-Type: text/html\r\n\r\n" + b"<div>" * 300
    preview = MessagePreview()
    preview.show(parse_message(mail), mail)
    page = Page(preview).open()
    told = json.loads(ask(page, "html"))
    assert "" == told["html"]
    assert "too deeply nested" in told["refused"]
    assert told["refused"] == content(page)["text"]


def test_a_mail_of_html_alone_is_read_as_words_first() -> None:
    """With the addresses of its links."""
    mail = b"Content-Type: text/html\r\n\r\n<p>Dear Ann,<br>see <a href=http://x/>this</a>"
    preview = MessagePreview()
    preview.show(parse_message(mail), mail)
    text = content(Page(preview).open())["text"]
    assert "(This mail has no text beside its HTML.)\n\nDear Ann,\nsee this [http://x/]" == text


def test_the_source_is_what_came_with_controls_made_visible(page: Page) -> None:
    """And octets that are no UTF-8 escaped."""
    source = ask(page, "source").decode()
    assert source.startswith("From: Ann <ann@example.org>\nTo: Bob")
    assert "Hello ␛[2J\n" in source
    assert "\\x89PNG" in source
    assert "… cut here: " in source


def test_of_a_beginning_no_file_can_be_saved_and_the_rest_can_be_asked_for() -> None:
    """What TOP gave ends anywhere: half a file is not a file. The size is that of the whole."""
    row = parse_headers(MAIL)
    row.size = len(MAIL)
    preview, asked = MessagePreview(), []
    preview.show(row, MAIL[:5_000], partial=True)
    preview.on_whole(callback := lambda: asked.append(1))
    page = Page(preview).open()
    told, version = content(page), page.last("mail")[0]["version"]
    assert (True, 5_000, len(MAIL)) == (told["partial"], told["loaded"], told["size"])
    page.send({"kind": "get", "version": version, "what": "file", "number": 0, "offset": 0})
    assert "piece" not in page.kinds()
    page.send({"kind": "whole", "version": version})
    preview.on_whole(callback, remove=True)
    page.send({"kind": "whole", "version": version})
    assert [1] == asked


def test_a_callback_that_fails_is_told_on_the_page(
    preview: MessagePreview, page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    """Else nobody would see it."""

    def fail() -> None:
        raise OSError("gone")

    preview.on_whole(fail)
    with caplog.at_level(logging.WARNING):
        page.send({"kind": "whole", "version": page.last("mail")[0]["version"]})
    assert "That did not work: gone" == page.last("problem")[0]["text"]


@pytest.mark.parametrize(
    "message",
    [
        None,
        "get",
        {},
        {"kind": "get"},
        {"kind": ["get"]},
        {"kind": "get", "what": "file", "number": 2, "offset": 0},
        {"kind": "get", "what": "file", "number": -1, "offset": 0},
        {"kind": "get", "what": "file", "number": True, "offset": 0},
        {"kind": "get", "what": "file", "number": 0, "offset": -5},
        {"kind": "get", "what": "file", "number": "0", "offset": 0},
        {"kind": "get", "what": "file", "number": 0, "offset": 0.5},
        {"kind": "get", "what": "file", "number": 10**30, "offset": 0},
        {"kind": "get", "what": "/etc/passwd", "number": 0, "offset": 0},
        {"kind": "get", "what": {"a": 1}, "number": 0, "offset": 0},
        {"kind": "show", "row": 1},
    ],
)
def test_nonsense_from_the_page_is_given_nothing(page: Page, message: Any) -> None:
    """With the right version and with others."""
    for version in (page.last("mail")[0]["version"], 0, "1", None):
        page.send({"version": version} | message if isinstance(message, dict) else message)
    assert ["mail"] == page.kinds()


def test_what_is_asked_of_an_earlier_mail_is_not_answered(preview: MessagePreview, page: Page) -> None:
    """The page has moved on, so that the answer would belong to another mail."""
    old = page.last("mail")[0]["version"]
    preview.show(parse_message(b"\r\n"), b"\r\n")
    page.send({"kind": "get", "version": old, "what": "source", "number": 0, "offset": 0})
    preview.clear()
    page.send({"kind": "get", "version": old + 1, "what": "source", "number": 0, "offset": 0})
    assert ["mail", "mail", "nothing"] == page.kinds()


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n", b"\0" * 100, b"From: <", b"x" * 200_000, b"\xff\xfe: \r\n\r\n\xff"]
)
def test_any_bytes_can_be_previewed(raw: bytes) -> None:
    """No mail stops the reader."""
    preview = MessagePreview()
    preview.show(parse_message(raw), raw)
    page = Page(preview).open()
    assert "mail" in page.kinds()
    assert ask(page, "source") or not raw


def test_nothing_of_the_mail_is_in_the_widgets_state_or_repr(preview: MessagePreview) -> None:
    """That is what a saved notebook holds: state equals that of a preview of nothing."""
    page = Page(preview).open()
    ask(page, "source")
    other = MessagePreview()
    names = [name for name in preview.get_state() if name != "layout"]  # a widget of its own
    assert [other.get_state()[name] for name in names] == [preview.get_state()[name] for name in names]
    assert [] == page.synced
    assert SENTENCE == repr(preview)
    assert SENTENCE == preview._repr_mimebundle_()[0]["text/plain"]
