"""The preview in a real JupyterLab: hostile mails that load and run nothing, and what a reader does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab.hits import Hits, counting_server
from lab.jupyterlab import LabPage
from playwright.sync_api import expect
from widgets.hostile_html import vectors
from widgets.test_mailhtml import ATTRIBUTES, TAGS

from pop3frames.widgets.mailhtml import safe_document

pytestmark = pytest.mark.browser

MAILBOX = Path(__file__).resolve().parents[2] / "data" / "mailbox"
SPOOFED = (
    b'From: "security@bank.example" <x@xn--bnk-5cd.example>\r\nReply-To: evil@other.example\r\n'
    b"Subject: Your account\r\nDate: Tue, 3 Mar 2026 09:15:00 +0100\r\nContent-Type: text/html\r\n\r\n"
    b"<h2 style='color:#036'>Dear customer</h2>"
    b"<p>Please <a href='https://evil.example/login'>sign in</a>.<img src='https://evil.example/pixel.gif'>"
)
SHOW = f"""
from pathlib import Path
from pop3frames.parsing.parser import parse_headers, parse_message
from pop3frames.widgets.messagepreview import MessagePreview
mailbox = Path({str(MAILBOX)!r})
preview, asked = MessagePreview(), []
def show(raw, partial=False):
    row = parse_headers(raw)
    preview.show(row, raw[:len(raw) // 2] if partial else raw, partial=partial)
photos = (mailbox / "mail-030-photos-from-the-market.eml").read_bytes()
def whole():
    asked.append("whole")
    show(photos)
preview.on_whole(whole)
preview
"""
HOSTILE = """
import json
from ipywidgets import HTML, VBox
header = b"Content-Type: text/html; charset=utf-8\\r\\n\\r\\n"
mails = [header + html.encode() for html in json.loads(Path("hostile.json").read_text())]
previews = [MessagePreview() for _ in mails]
for each, mail in zip(previews, mails):
    each.show(parse_message(mail), mail)
VBox(previews)
"""
CONTROL = """
url = Path("url.txt").read_text()
HTML(f'<img src="{url}/control"><img src=x onerror="window.hacked = 1">')
"""
OPEN_ALL = (
    "() => { for (const tab of document.querySelectorAll('.widget-vbox [data-view=html]')) tab.click(); }"
)
# What the frames of a page hold, as the browser's own parser built it.
PARSED = """documents => documents.map(html => {
    const elements = [...new DOMParser().parseFromString(html, 'text/html').body.querySelectorAll('*')];
    return elements.map(e => [e.localName, e.namespaceURI, [...e.attributes].map(a => [a.name, a.value])]);
})"""


@pytest.fixture(scope="module")
def hits() -> Iterator[Hits]:
    """Who loaded what, for the tests below."""
    with counting_server() as counted:
        yield counted


@pytest.fixture(scope="module")
def opened(open_notebook: Callable[..., LabPage]) -> Iterator[LabPage]:
    """A notebook with a preview; further cells show mails in it."""
    lab = open_notebook(
        SHOW,
        "show(photos, partial=True)",
        f"show({SPOOFED!r})",
        "print(asked)",
        "preview.clear()",
        HOSTILE,
        CONTROL,
    )
    lab.run_cell(0)
    lab.run_cell(1)
    expect(lab.page.locator(f"{lab.visible} .p3f-preview")).to_have_text("Select a message to read it.")
    yield lab
    lab.close()


def test_a_mail_is_read_loaded_whole_and_its_file_saved(opened: LabPage, pictures: Path) -> None:
    """From its beginning to the attachment on the disk, octet for octet; Python is asked once."""
    preview = opened.page.locator(f"{opened.visible} .p3f-preview")
    opened.run_cell(2)
    expect(preview).to_contain_text("Only the beginning was loaded")
    expect(preview).to_contain_text("Two pictures from the fish market")
    expect(preview.get_by_role("button", name="Save PH-02-staff.png")).to_be_disabled()
    preview.screenshot(path=pictures / "preview-partial.png")
    preview.get_by_role("button", name="Load the whole message").click()
    save = preview.get_by_role("button", name="Save PH-02-staff.png")
    expect(save).to_be_enabled()
    with opened.page.expect_download() as download:
        save.click()
    assert "PH-02-staff.png" == download.value.suggested_filename
    assert download.value.path().read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert 1_244 == download.value.path().stat().st_size
    preview.get_by_role("button", name="Source").click()
    expect(preview.locator("pre")).to_contain_text("Content-Type: multipart/mixed")
    preview.screenshot(path=pictures / "preview-source.png")
    assert "['whole']" == opened.printed(4)
    opened.run_cell(5)
    expect(preview).to_have_text("Select a message to read it.")
    assert [] == opened.errors


def test_a_spoofed_sender_is_shown_as_such(opened: LabPage, pictures: Path) -> None:
    """The address beside the name and what speaks against it, before any HTML; links lead nowhere."""
    preview = opened.page.locator(f"{opened.visible} .p3f-preview")
    opened.run_cell(3)
    doubts = preview.get_by_role("note", name="Doubts about the sender")
    expect(doubts).to_contain_text("The name looks like another address: security@bank.example")
    expect(doubts).to_contain_text("Answers would go to another domain: evil@other.example")
    expect(preview.locator("iframe")).to_have_count(0)
    preview.get_by_role("button", name="HTML").click()
    frame = preview.locator("iframe")
    assert ("", "The message as HTML") == (frame.get_attribute("sandbox"), frame.get_attribute("title"))
    inside = preview.frame_locator("iframe")
    expect(inside.locator("body")).to_contain_text("sign in [https://evil.example/login]")
    expect(preview).to_contain_text("1 picture from elsewhere was not loaded.")
    preview.screenshot(path=pictures / "preview-html.png")
    opened.use_theme("JupyterLab Dark")
    opened.page.screenshot(path=pictures / "preview-dark.png")
    opened.use_theme("JupyterLab Light")
    assert [] == opened.errors


def test_no_hostile_mail_loads_runs_or_leads_anywhere(opened: LabPage, hits: Hits) -> None:
    """120 mails as HTML, links clicked: no request and no script, while a plain HTML widget does both."""
    mails = [
        *vectors(f"{hits.url}/hostile")[::8][:120],
        f"<p><a href='{hits.url}/click'>click</a></p>",
        f"<form action='{hits.url}/form'><button>go</button>x</form>",
    ]
    (opened.server.folder / "hostile.json").write_text(json.dumps(mails))
    (opened.server.folder / "url.txt").write_text(hits.url)
    opened.run_cell(6)
    previews = opened.page.locator(f"{opened.visible} .widget-vbox .p3f-preview")
    expect(previews.locator("[data-view=html]")).to_have_count(len(mails))
    opened.page.evaluate(OPEN_ALL)
    expect(previews.locator("iframe")).to_have_count(len(mails), timeout=20_000)
    expect(previews.last.frame_locator("iframe").locator("body")).to_have_text("x")
    assert ([], None) == (hits.paths, opened.page.evaluate("window.hacked"))

    link = previews.nth(len(mails) - 2).frame_locator("iframe").locator("a")
    link.click()
    link.click(modifiers=["Control"])
    assert ([], None) == (hits.paths, opened.page.evaluate("window.hacked"))
    assert 1 == len(opened.page.context.pages)

    opened.run_cell(7)  # a way that is known to leak is seen leaking
    assert hits.wait_for("/control")
    opened.page.wait_for_function("window.hacked")
    assert ["/control"] == hits.paths


def test_the_browsers_own_parser_finds_only_what_is_allowed(opened: LabPage) -> None:
    """Every hostile mail, cleaned, as Chromium builds it: elements and attributes of the list."""
    documents = [safe_document(html) for html in vectors("http://127.0.0.1:9/hit")]
    built = opened.page.evaluate(PARSED, [each.html for each in documents if each])
    assert len(built) >= 500
    for elements in built:
        for name, namespace, attributes in elements:
            assert (True, "http://www.w3.org/1999/xhtml") == (name in TAGS, namespace)
            assert {each for each, _ in attributes} <= ATTRIBUTES
            assert all(value.startswith("data:image/") for each, value in attributes if each == "src")


def test_keys_do_not_leak_into_the_notebook(opened: LabPage) -> None:
    """The letters that add, cut and delete cells, pressed on a button and in the text."""
    opened.run_cell(3)
    preview = opened.page.locator(f"{opened.visible} .p3f-preview").first
    count = len(opened.cells())
    for place in (preview.get_by_role("button", name="Text"), preview.locator("pre")):
        place.focus()
        for key in (*"baxdmyz", "d", "d", "z"):
            opened.page.keyboard.press(key)
    assert count == len(opened.cells())
