"""HTML of mails, cleaned: hostile mails by the hundred, and what of honest ones must stay."""

from __future__ import annotations

import base64
import re
import time
from html.parser import HTMLParser

import pytest
from widgets.hostile_html import vectors

from pop3frames.widgets.mailhtml import plain_text, safe_document

HOSTILE = vectors("http://127.0.0.1:9/hit")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
START = (
    '<!DOCTYPE html><html><head><meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
)

# Written out here once more, on purpose: what is added over there must be added here by somebody who thinks.
_TAGS = (
    "a abbr address article aside b blockquote br caption center cite code col colgroup dd del dfn div dl dt "
    "em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q "
    "s samp section small span strike strong sub sup table tbody td tfoot th thead tr tt u ul var wbr"
)
_ATTRIBUTES = (
    "align valign bgcolor color face size width height border cellpadding cellspacing colspan rowspan span "
    "dir lang alt title start type nowrap style src"
)
TAGS, ATTRIBUTES = frozenset(_TAGS.split()), frozenset(_ATTRIBUTES.split())
SOURCE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
IN_STYLE = re.compile(r"url|\\|/\*|image|expression|@|var|src|//", re.IGNORECASE)


class Judge(HTMLParser):
    """A parser that knows nothing of ours, and lists what should not be there."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            allowed = name in ATTRIBUTES and (name != "src" or tag == "img")
            harmless = not (name == "src" and not SOURCE.fullmatch(value or ""))
            if not allowed or not harmless or (name == "style" and IN_STYLE.search(value or "")):
                self.wrong.append(f"<{tag} {name}={value!r}>")

    def handle_comment(self, data: str) -> None:
        self.wrong.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.wrong.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.wrong.append(f"<?{data}>")


def body(html: str) -> str:
    """The body of the document made of this HTML."""
    document = safe_document(html)
    assert document is not None
    return document.html.partition("<body>")[2].removesuffix("</body></html>")


def wrong(html: str) -> list[str]:
    """What the judge says of it."""
    judge = Judge()
    judge.feed(html)
    judge.close()
    return judge.wrong


def test_there_are_five_hundred_hostile_mails_and_the_judge_sees_most_of_them() -> None:
    """A judge that finds nothing wrong anywhere would prove nothing."""
    assert len(set(HOSTILE)) >= 500
    assert sum(bool(wrong(html)) for html in HOSTILE) >= 0.9 * len(HOSTILE)


def test_nothing_of_any_hostile_mail_is_left_that_could_run_load_or_lead_away() -> None:
    """Tags and attributes of an allow-list, pictures inside, no address in a style; also read again."""
    for html in HOSTILE:
        left = body(html)
        assert [] == wrong(left), html
        assert [] == wrong(body(left)), html


def test_the_policy_is_the_first_thing_in_every_document() -> None:
    """What stands before it would not be bound by it; a policy of the mail's own is gone."""
    for html in HOSTILE:
        document = safe_document(html)
        assert document is not None
        assert document.html.startswith(START)
        assert 1 == document.html.count("http-equiv")


def test_ordinary_formatting_stays() -> None:
    """Tables, lists, fonts, colours: a mail is still the mail."""
    html = (
        '<table width="600" cellpadding="4" bgcolor="#fff"><tbody><tr><td align="center" style="color: #036; '
        'font-size:14px;padding:2px 4px;background-color:rgb(1, 2,3)"><b>Hi</b> <font color="red">x</font>'
        '</td></tr></tbody></table><ul><li>one</li></ul><p dir="rtl">שלום</p>'
    )
    assert html.replace("color: #036; ", "color:#036;") == body(html)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            '<a href="https://evil.example/?a=1&amp;b">your bank</a>',
            "<a>your bank</a> <small>[https://evil.example/?a=1&amp;b]</small>",
        ),
        ('<a href="https://a.example/">https://a.example/</a>', "<a>https://a.example/</a>"),
        ('<a href="mailto:ann@a.example">ann@a.example</a>', "<a>ann@a.example</a>"),
        ("<a href='x\"><b>'>y</a>", '<a>y</a> <small>[x"&gt;&lt;b&gt;]</small>'),
        ("<a href='http://a/\u202eb'>y</a>", "<a>y</a> <small>[http://a/⟨U+202E⟩b]</small>"),
        ("<a name=x>y</a>", "<a>y</a>"),
        ("<a href=http://a><img alt=z></a>", '<a><img alt="z"></a> <small>[http://a]</small>'),
        ("<b title=' href=\"http://b\"'>y</b>", '<b title=" href=&quot;http://b&quot;">y</b>'),
    ],
)
def test_a_link_leads_nowhere_and_says_where_it_would(html: str, expected: str) -> None:
    """The address stands behind it as text, unless the label says it already."""
    assert expected == body(html)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(PNG, "png"), (b"\xff\xd8\xff\xe0", "jpeg"), (b"GIF89a", "gif"), (b"RIFF\0\0\0\0WEBPVP8", "webp")],
)
def test_a_picture_of_the_mail_becomes_part_of_the_document(content: bytes, kind: str) -> None:
    """By its Content-ID, percent-encoded or not; of the kind that its bytes show."""
    asked: list[str] = []
    document = safe_document('<img src="cid:a%40b" alt="x">', lambda name: asked.append(name) or content)
    assert document is not None
    data = base64.b64encode(content).decode()
    assert f'<img src="data:image/{kind};base64,{data}" alt="x">' in document.html
    assert ["a@b"] == asked
    assert 0 == document.not_loaded


@pytest.mark.parametrize(
    "content", [None, b"", b"<svg onload=alert(1)>", b"%PDF-1.7", PNG + bytes(2 << 20)], ids=str
)
def test_other_parts_do_not_become_pictures(content: bytes | None) -> None:
    """SVG least of all, whatever the mail calls it; and nothing over 2 MiB."""
    document = safe_document('<img src="cid:x">', lambda _: content)
    assert document is not None
    assert "data:image" not in document.html


def test_pictures_together_have_a_limit() -> None:
    """One part named a thousand times must not fill the page."""
    document = safe_document('<img src="cid:x">' * 1000, lambda _: PNG + bytes(1 << 20))
    assert document is not None
    assert 5 == document.html.count("data:image")


def test_pictures_from_elsewhere_are_counted_and_not_loaded() -> None:
    """So that the reader knows why they are missing."""
    document = safe_document(
        '<img src="http://a/1.gif" alt="pic"><img src="//b/2"><img src="data:image/png;base64,AA==">'
    )
    assert document is not None
    assert 2 == document.not_loaded
    assert document.html.count("<img") == 3


@pytest.mark.parametrize(
    "html",
    [
        "<p>" + "x" * (1 << 20),
        "<div>" * 257,
        "<svg>" + "<a>" * 300,
        "<p>" + "".join(f"<b title={n}>" for n in range(250)) + "<p>x" * 20_000,
    ],
    ids=["long", "deep", "foreign", "opened anew in every paragraph"],
)
def test_too_long_and_too_deep_is_not_cleaned_at_all(html: str) -> None:
    """The reader gets text or source instead."""
    assert safe_document(html) is None
    assert plain_text(html) is None


def test_cleaning_costs_what_its_length_does() -> None:
    """CPU time of twice the mail is at most three times as much, for what stays just under the limits."""

    def cost(html: str) -> float:
        begun = time.process_time()
        assert safe_document(html) is not None
        return time.process_time() - begun

    families = (
        "<p>x" * 8_000,
        "<div>" * 250 + "<br>" * 1_500,
        "<b>x</b>" * 8_000,
        "<a href=http://x>y</a>" * 4_000,
    )
    for family in families:
        whole = family + family.removeprefix("<div>" * 250)
        once = min(cost(family) for _ in range(3))
        assert min(cost(whole) for _ in range(3)) < 3 * once + 0.05


def test_html_as_words() -> None:
    """For mails without a text of their own: lines where lines end, links with their addresses."""
    html = "<style>p{}</style><h1>Dear  Ann</h1><p>see\n<a href=http://x/>here</a>,<br>please</p><ul><li>a<li>b</ul>&lt;b&gt;"
    assert "Dear Ann\nsee here [http://x/],\nplease\na\nb\n\n<b>" == plain_text(html)
