"""The message list in a real JupyterLab: what only a page knows, and what Python then knows of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab.jupyterlab import LabPage
from playwright.sync_api import expect
from widgets.sample_rows import rows

pytestmark = pytest.mark.browser

SHOW = """
from pop3frames.widgets.messagelist import MessageList
from widgets.sample_rows import rows
listed = MessageList(rows(10_000))
listed
"""
TELL = """
import json
told = {"marked": sorted(listed.marked), "selected": listed.selected, "active": listed.active}
print(json.dumps(told | {"visible": len(listed.visible), "first": listed.visible[:3]}))
"""
# Busy until the test says otherwise, by the end of a file.
BUSY = """
from pathlib import Path
from time import monotonic
end = monotonic() + 30
while Path("busy").exists() and monotonic() < end: pass
"""
SCROLLED_BY = """async (grid, step) => {
    const began = performance.now();
    grid.scrollTop += step;
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    return [performance.now() - began, grid.querySelectorAll('[role=row]').length];
}"""
SCROLLED = f"grid => ({SCROLLED_BY})(grid, 140_000 - grid.scrollTop)"
# How long, in milliseconds, until what was begun is on the screen: from the arrival of the rows, whose first
# use is to inflate them; from a key to the label of the marked.
WATCH_ARRIVAL = """() => {
    const Inflate = window.DecompressionStream;
    window.painted = new Promise(done => {
        window.DecompressionStream = class extends Inflate {
            constructor(format) {
                super(format);
                window.DecompressionStream = Inflate;
                const began = performance.now();
                const seen = new MutationObserver(() => {
                    seen.disconnect();
                    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));
                });
                const list = document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden) .p3f-body');
                seen.observe(list, {childList: true, subtree: true, characterData: true});
            }
        };
    });
}"""
LABELLED = """([grid, status]) => new Promise(done => {
    const began = performance.now();
    const look = () => status.textContent.includes('10,000 marked') ? done(performance.now() - began) : 0;
    new MutationObserver(look).observe(status, {childList: true, subtree: true, characterData: true});
    grid.dispatchEvent(new KeyboardEvent('keydown', {key: 'm', bubbles: true}));
})"""
HEAR_FIRST = """() => {
    window.hearFirst = event => jupyterapp.commands.processKeydownEvent(event);
    document.addEventListener('keydown', window.hearFirst, true);
}"""
HINTED = "listed.show(rows(3), maybe={'00000001', '00000002'})"
NAME_OF_FOCUS = "() => document.activeElement.ariaLabel || document.activeElement.textContent"
WIDE = {"width": 1280, "height": 900}
NEWEST = "00002710"
BY_NAME = [row.uidl for row in rows(10_000) if row.from_ == "Olga Smirnova <olga.smirnova@nordsiel.example>"][
    :3
]


class Listed:
    """The list on the page, and Python's side of it."""

    def __init__(self, lab: LabPage) -> None:
        self.lab, self.page = lab, lab.page
        self.root = self.page.locator(f"{lab.visible} .jp-OutputArea .p3f-list")
        self.grid = self.root.get_by_role("grid")
        self.rows = self.grid.locator(".p3f-row")
        self.status = self.root.locator(".p3f-status")

    def python(self, **expected: Any) -> dict[str, Any]:
        """Python's side, once it is as expected: the page tells it in the background, when it has settled."""
        deadline = time.monotonic() + 10
        while True:
            told: dict[str, Any] = json.loads(self.lab.printed(2))
            if expected.items() <= told.items() or time.monotonic() > deadline:
                assert expected == {name: told[name] for name in expected}
                return told

    def press(self, *keys: str) -> None:
        """Keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture(scope="module")
def listed(open_notebook: Callable[..., LabPage]) -> Iterator[Listed]:
    """One list of ten thousand mails for the tests below; each begins where `begin` puts it."""
    lab = open_notebook(
        *(SHOW, TELL, BUSY, HINTED, "listed.show([])", "listed.show(rows(10_000))"),
        "listed.marked = listed.selected = ()",
    )
    lab.page.set_viewport_size(WIDE)
    lab.run_cell(0)
    lab.run_cell(1)
    shown = Listed(lab)
    expect(shown.status).to_contain_text("10,000 messages")
    yield shown
    lab.close()


@pytest.fixture(autouse=True)
def begin(listed: Listed) -> Iterator[None]:
    """No filter, nothing selected or marked, the newest row first and the keyboard in the list."""
    listed.lab.errors.clear()
    listed.root.get_by_role("searchbox").fill("")
    by_date = listed.root.get_by_role("columnheader", name="Date")
    while by_date.get_attribute("aria-sort") != "descending":
        by_date.get_by_role("button").click()
    listed.python(visible=10_000, first=[NEWEST, "0000270f", "0000270e"])
    listed.lab.run_cell(7)
    expect(listed.status).to_have_text("10,000 messages, 288 MB")
    listed.grid.focus()
    listed.press("Home", "Escape")
    listed.python(marked=[], selected=[], active=NEWEST)
    listed.grid.focus()
    yield
    assert [] == listed.lab.errors


def test_ten_thousand_rows_are_there_and_scroll(listed: Listed, pictures: Path) -> None:
    """Only those in view are drawn, the newest first; a jump into the middle is drawn within a moment."""
    expect(listed.grid).to_have_attribute("aria-rowcount", "10001")
    assert listed.rows.count() < 40
    listed.page.screenshot(path=pictures / "list.png")
    _, drawn = listed.grid.evaluate(SCROLLED)
    assert drawn < 50
    expect(listed.rows.first).to_have_attribute("aria-rowindex", "4994")
    listed.press("End")
    expect(listed.grid.locator("[aria-rowindex='10001']")).to_be_visible()
    listed.python(active="00000001")


def test_it_scrolls_sorts_and_filters_while_the_kernel_is_busy(listed: Listed) -> None:
    """The page has all the rows: it asks nobody. Python learns of it when it is free again."""
    flag = listed.lab.server.folder / "busy"
    flag.touch()
    listed.page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 3; }")
    listed.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-cell'); }")
    prompt = listed.page.locator(f"{listed.lab.visible} .jp-InputArea-prompt").nth(3)
    expect(prompt).to_have_text("[*]:")
    listed.grid.evaluate(SCROLLED)
    expect(listed.rows.first).to_have_attribute("aria-rowindex", "4994")
    listed.root.get_by_role("searchbox").fill("invoice björn")
    expect(listed.status).to_contain_text(" of 10,000 messages")
    listed.root.get_by_role("button", name="Size").click()
    expect(listed.root.get_by_role("columnheader", name="Size")).to_have_attribute("aria-sort", "descending")
    expect(prompt).to_have_text("[*]:")
    flag.unlink()
    shown = int(listed.grid.get_attribute("aria-rowcount") or 0) - 1
    assert 0 < shown < 300
    listed.python(visible=shown)
    listed.root.get_by_role("button", name="Date").click()


def test_sorting_by_each_column(listed: Listed) -> None:
    """Said to screen readers, seen in Python; a second click turns the order round."""
    for name, first, second in (("Size", "descending", "ascending"), ("From", "ascending", "descending")):
        for expected in (first, second):
            listed.root.get_by_role("button", name=name).click()
            header = listed.root.get_by_role("columnheader", name=name)
            expect(header).to_have_attribute("aria-sort", expected)
    expect(listed.rows.first).to_contain_text("Olga Smirnova")
    listed.python(visible=10_000, first=BY_NAME)
    listed.root.get_by_role("button", name="Date").click()
    listed.python(first=[NEWEST, "0000270f", "0000270e"])


def test_filtering_as_you_type(listed: Listed, pictures: Path) -> None:
    """Words in sender, subject or recipient; what is hidden is not selected. Escape takes it back."""
    listed.press("Control+a", "/")
    listed.page.keyboard.type("INVOICE björn")
    expect(listed.status).to_contain_text(" of 10,000 messages")
    shown = int(listed.grid.get_attribute("aria-rowcount") or 0) - 1
    assert shown == len(listed.python(visible=shown)["selected"]) < 300
    listed.root.get_by_role("searchbox").focus()
    listed.root.screenshot(path=pictures / "list-filtered.png")
    listed.press("Escape")
    expect(listed.status).to_contain_text("10,000 messages")
    listed.page.keyboard.type("nobody wrote this")
    expect(listed.root).to_contain_text("No message matches “nobody wrote this”.")
    listed.root.screenshot(path=pictures / "list-none.png")
    listed.python(visible=0)


def test_selecting_by_keyboard_and_mouse(listed: Listed) -> None:
    """Arrows, Shift, Control, Space, Home, End, Page Down and Escape, as lists have them."""
    listed.press("ArrowDown", "Shift+ArrowDown", "Shift+ArrowDown")
    listed.python(selected=["0000270d", "0000270e", "0000270f"], active="0000270d")
    listed.rows.nth(5).click()
    listed.rows.nth(7).click(modifiers=["Control"])
    listed.python(selected=["00002709", "0000270b"])
    listed.rows.nth(9).click(modifiers=["Shift"])
    listed.python(selected=["00002707", "00002708", "00002709"])
    listed.grid.focus()
    listed.press("Home", "Space", "Control+ArrowDown", "Control+ArrowDown", "Space")
    listed.python(selected=["0000270e"], active="0000270e")
    listed.grid.focus()
    listed.press("PageDown", "Shift+End", "Escape")
    listed.python(selected=[], active="00000001")
    listed.grid.focus()
    listed.press("Control+a")
    expect(listed.status).to_contain_text("10,000 selected")
    listed.python(selected=[f"{number:08x}" for number in range(1, 10_001)])


def test_marked_rows_are_struck_and_labelled(listed: Listed, pictures: Path) -> None:
    """By Delete, d, m, the box and the button; not by colour alone. Python has the unique-ids."""
    listed.press("Home", "Shift+ArrowDown", "Delete")
    expect(listed.rows.first).to_contain_text("marked")
    assert "line-through" in listed.rows.first.locator(".p3f-title").evaluate(
        "e => getComputedStyle(e).textDecoration"
    )
    listed.python(marked=["0000270f", NEWEST])
    listed.grid.focus()
    listed.press("d")
    expect(listed.status).not_to_contain_text("marked")
    listed.rows.nth(4).get_by_role("checkbox").click()
    expect(listed.rows.nth(4).get_by_role("checkbox")).to_be_checked()
    listed.rows.nth(6).click()
    listed.root.get_by_role("button", name="Mark").click()
    expect(listed.status).to_contain_text("2 marked")
    listed.page.screenshot(path=pictures / "list-marked.png")
    listed.python(marked=["0000270a", "0000270c"])


def test_ten_thousand_rows_are_marked_at_once(listed: Listed) -> None:
    """And unmarked."""
    listed.press("Control+a", "m")
    expect(listed.status).to_contain_text("10,000 marked")
    assert 10_000 == len(listed.python()["marked"])
    listed.grid.focus()
    listed.press("m")
    expect(listed.status).not_to_contain_text("marked")


@pytest.mark.parametrize("early", [False, True])
def test_keys_do_not_leak_into_the_notebook(listed: Listed, early: bool) -> None:
    """The letters that add, cut and delete cells, in the list, in its filter and on its buttons.

    `early`: the notebook hears of a key before the list does, as in Notebook 7.
    """
    if early:
        listed.page.evaluate(HEAR_FIRST)
    count = len(listed.lab.cells())
    for place in (
        listed.grid,
        listed.root.get_by_role("searchbox"),
        listed.root.get_by_role("button", name="Size"),
    ):
        place.focus()
        listed.press(*"baxdmyz", "d", "d", "z", "Shift+m", "ArrowUp", "ArrowDown", "1", "Escape")
    assert count == len(listed.lab.cells())
    assert "edit" != listed.page.evaluate("jupyterapp.shell.currentWidget.content.mode")
    listed.root.get_by_role("searchbox").fill("")
    if early:
        listed.page.evaluate("() => document.removeEventListener('keydown', window.hearFirst, true)")
    listed.python(visible=10_000, first=[NEWEST, "0000270f", "0000270e"])


def test_tab_leaves_the_list(listed: Listed) -> None:
    """Filter, button, headers and the list are stops; the ten thousand rows are none."""
    listed.root.get_by_role("searchbox").focus()
    stops = []
    for _ in range(9):
        stops.append(listed.page.evaluate(NAME_OF_FOCUS))
        listed.press("Tab")
    assert ["From", "Subject", "Attachments", "Date", "Size", "Messages"] == stops[2:8]
    assert not listed.root.evaluate("root => root.contains(document.activeElement)")


def test_a_screen_reader_finds_a_grid(listed: Listed) -> None:
    """In Chromium's own accessibility tree: headers, rows, cells, labelled boxes; the active row is known."""
    listed.press("Home")
    session = listed.page.context.new_cdp_session(listed.page)
    nodes = {node["nodeId"]: node for node in session.send("Accessibility.getFullAXTree")["nodes"]}

    def told(node: dict[str, Any]) -> tuple[str, str]:
        return node["role"]["value"], node.get("name", {}).get("value", "")

    def below(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for child in map(nodes.__getitem__, node["childIds"]):
            yield told(child)
            yield from below(child)

    grid = next(node for node in nodes.values() if told(node) == ("grid", "Messages"))
    found = list(below(grid))
    assert ["Mark", "From", "Subject", "Attachments", "Date", "Size"] == [
        n for r, n in found if r == "columnheader"
    ]
    assert ("checkbox", "Mark Minutes of the meeting 425") in found
    assert {("gridcell", "Minutes of the meeting 425"), ("gridcell", "6.2 kB")} <= set(found)
    focused = {each["name"]: each["value"] for each in grid["properties"]}
    assert focused["multiselectable"]["value"]
    active = focused["activedescendant"]["relatedNodes"][0]
    assert active["idref"].endswith("-row-9999")


def test_it_follows_the_theme_and_fits_narrow_pages(listed: Listed, pictures: Path) -> None:
    """Light and dark; with little room a row has two lines, and nothing hangs over the edge."""
    light = listed.root.evaluate("e => getComputedStyle(e.querySelector('.p3f-table')).backgroundColor")
    listed.lab.use_theme("JupyterLab Dark")
    dark = listed.root.evaluate("e => getComputedStyle(e.querySelector('.p3f-table')).backgroundColor")
    assert ("rgb(255, 255, 255)", "rgb(17, 17, 17)") == (light, dark)
    expect(listed.rows.nth(15)).to_be_attached()
    listed.page.screenshot(path=pictures / "list-dark.png")
    listed.lab.use_theme("JupyterLab Light")
    listed.page.set_viewport_size({"width": 700, "height": 700})
    expect(listed.rows.first).to_have_css("height", "46px")
    listed.page.wait_for_timeout(100)
    listed.root.screenshot(path=pictures / "list-narrow.png")
    tops = [row.bounding_box() for row in (listed.rows.nth(0), listed.rows.nth(1))]
    assert [46.0] == [tops[1]["y"] - tops[0]["y"]] if tops[0] and tops[1] else [] == tops
    assert listed.grid.evaluate("e => e.scrollWidth <= e.clientWidth")
    listed.page.set_viewport_size(WIDE)
    expect(listed.rows.first).to_have_css("height", "28px")
    listed.python(visible=10_000)


def test_other_rows_and_none(listed: Listed, pictures: Path) -> None:
    """A refresh from Python reaches the page; an empty list says so."""
    listed.lab.run_cell(4)
    expect(listed.status).to_contain_text("3 messages")
    listed.python(visible=3)
    clips = listed.grid.get_by_role("gridcell", name="attachment")  # from the newest on
    expect(clips).to_have_count(2)
    probable = "Probably has attachments: only its headers were read"
    assert ["1 attachment", probable] == [each.get_attribute("title") for each in clips.all()]
    assert ["none", '"?" / ""'] == clips.evaluate_all(
        "all => all.map(e => getComputedStyle(e, '::after').content)"
    )
    listed.root.screenshot(path=pictures / "list-hints.png")
    listed.root.get_by_role("button", name="Attachments").click()
    listed.python(visible=3, first=["00000002", "00000001", "00000003"])
    listed.root.get_by_role("button", name="Attachments").click()
    listed.python(visible=3, first=["00000003", "00000001", "00000002"])
    listed.lab.run_cell(5)
    expect(listed.root).to_contain_text("No messages.")
    listed.root.screenshot(path=pictures / "list-empty.png")
    listed.python(visible=0)
    listed.lab.run_cell(6)
    expect(listed.status).to_contain_text("10,000 messages")


def test_how_long_a_person_waits(listed: Listed, pictures: Path) -> None:
    """Measured and written down, not judged: a machine may be busy. Octets are the same anywhere."""
    received: list[int] = []
    session = listed.page.context.new_cdp_session(listed.page)
    session.on("Network.webSocketFrameReceived", lambda event: received.append(_octets(event["response"])))
    session.send("Network.enable")
    listed.lab.run_cell(5)
    expect(listed.status).to_contain_text("0 messages")
    received.clear()
    listed.page.evaluate(WATCH_ARRIVAL)
    listed.lab.run_cell(6)
    expect(listed.status).to_contain_text("10,000 messages")
    numbers = {"rows_to_paint_ms": listed.page.evaluate("window.painted")}
    socket_octets = sum(received)
    assert 100_000 < socket_octets < 200_000
    listed.grid.focus()
    steps = [listed.grid.evaluate(SCROLLED_BY, 420)[0] for _ in range(20)]
    numbers["scroll_step_ms"] = sorted(steps)[len(steps) // 2]
    listed.press("Control+a")
    handles = [listed.grid.element_handle(), listed.status.element_handle()]
    numbers["mark_all_to_label_ms"] = listed.page.evaluate(LABELLED, handles)
    assert 10_000 == len(listed.python()["marked"])
    told = {name: round(value, 1) for name, value in numbers.items()} | {"socket_octets": socket_octets}
    (pictures / "numbers.json").write_text(json.dumps(told, indent=1))


def _octets(frame: dict[str, Any]) -> int:
    """Binary frames come as base64."""
    return len(frame["payloadData"]) * 3 // 4 if frame["opcode"] == 2 else len(frame["payloadData"])


def test_a_second_view_shows_the_same(listed: Listed) -> None:
    """Both are pictures of one list: what is selected in one is selected in the other."""
    listed.page.evaluate(
        "() => jupyterapp.shell.currentWidget.content.widgets[4].model.sharedModel.setSource('listed')"
    )
    listed.lab.run_cell(4)
    expect(listed.root).to_have_count(2)
    second = listed.root.nth(1)
    expect(second.locator(".p3f-status")).to_contain_text("10,000 messages")
    second.locator(".p3f-row").nth(2).click()
    expect(listed.root.nth(0).locator("[aria-selected=true]")).to_have_attribute("aria-rowindex", "4")
    listed.python(selected=["0000270e"])
    listed.page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 4; }")
    listed.page.evaluate("() => jupyterapp.commands.execute('notebook:clear-cell-output')")
    expect(listed.root).to_have_count(1)


def test_a_notebook_opened_again_shows_the_rows_again(listed: Listed) -> None:
    """They are not stored in it: the new page asks the kernel, which goes on running."""
    listed.grid.focus()
    listed.press("Home", "d")
    expect(listed.status).to_contain_text("1 marked")
    listed.lab.reopen()
    expect(listed.status).to_have_text("10,000 messages, 288 MB · 1 selected · 1 marked, 6.2 kB")
    expect(listed.rows.first).to_contain_text("marked")
    listed.python(marked=[NEWEST], selected=[NEWEST])
