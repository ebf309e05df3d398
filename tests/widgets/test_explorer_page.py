"""The explorer in a real JupyterLab, as a new user would drive it. Each test asks Python too."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab.jupyterlab import LabPage
from lab.spellings import found
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser

PASSWORD = "-".join(["canary", secrets.token_hex(8)])
IMPORT = "from widgets.exploring import Visit"
SLOW = "visit = Visit(200, seconds=0.02); visit.explorer"
SAMPLE = "visit = Visit(source='data/mailbox'); visit.explorer"
CELLS = [IMPORT, "visit = Visit(); visit.explorer", SLOW, SAMPLE, "visit.tell()"]
VISIT, SLOW_VISIT, SAMPLE_VISIT, TELL = 3, 4, 5, 6


class Explorer:
    """An explorer on the page, and Python's side of it."""

    def __init__(self, lab: LabPage, cell: int) -> None:
        lab.run_cell(cell)
        lab.show(cell)
        self.lab, self.page = lab, lab.page
        self.root = self.page.locator(f"{lab.visible} .jp-OutputArea .p3f-explorer").last
        self.password = self.root.get_by_label("Password", exact=True)
        self.rows = self.root.locator(".p3f-mails .p3f-row")
        self.said = self.root.locator(".p3f-notice").first

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def python(self) -> dict[str, Any]:
        """What Python knows, when no work goes on."""
        told: dict[str, Any] = json.loads(self.lab.printed(TELL))
        return told

    def connect(self, password: str = PASSWORD) -> None:
        self.root.get_by_label("User name").fill("user")
        self.password.fill(password)
        self.password.press("Enter")

    def listed(self) -> Explorer:
        """Connected, the messages listed."""
        self.connect()
        expect(self.rows.first).to_be_visible()
        return self


@pytest.fixture(scope="module")
def notebook(open_notebook: Callable[..., LabPage]) -> Iterator[LabPage]:
    """One notebook for the tests below: each runs a cell of it anew."""
    secret = f"import os; os.environ['PASSWORD'] = {PASSWORD[:9]!r} + {PASSWORD[9:]!r}"
    lab = open_notebook(secret, *CELLS)
    for cell in (0, 1, 2):
        lab.run_cell(cell)
    yield lab
    lab.close()


@pytest.fixture
def explorer(notebook: LabPage) -> Iterator[Explorer]:
    """Forty mails; nobody is connected yet."""
    yield Explorer(notebook, VISIT)
    assert notebook.errors == []


def test_a_person_connects_and_the_password_leaves_no_trace_in_the_page(explorer: Explorer) -> None:
    """No field holds it any more, the list is there, the fields give way to one line."""
    explorer.root.get_by_label("User name").fill("user")
    explorer.password.fill(PASSWORD)
    explorer.password.press("Enter")
    explorer.page.wait_for_function(  # the field may be gone already
        "password => ![...document.querySelectorAll('input')].some(field => field.value === password)",
        arg=PASSWORD,
    )
    expect(explorer.rows.first).to_be_visible()
    expect(explorer.root.get_by_text("user at 127.0.0.1")).to_be_visible()
    expect(explorer.button("Connect")).to_have_count(0)
    assert PASSWORD not in explorer.page.content()
    assert explorer.python() | {"rows": 40, "error": ""} == explorer.python()


def test_a_click_on_connect_takes_the_typed_password_along(explorer: Explorer) -> None:
    """The field is left by that click; password and click may reach Python in either order."""
    explorer.root.get_by_label("User name").fill("user")
    explorer.password.fill(PASSWORD)
    explorer.button("Connect").click()
    expect(explorer.rows.first).to_be_visible()
    assert explorer.python()["rows"] == 40


def test_a_wrong_password_is_told_in_plain_words_and_can_be_typed_again(explorer: Explorer) -> None:
    """The cursor is back in the field."""
    explorer.connect("wrong")
    expect(explorer.said).to_contain_text("Problem: The server refused the login. Check the user name")
    expect(explorer.password).to_be_focused()
    assert explorer.python()["rows"] == 0
    explorer.connect()
    expect(explorer.rows.first).to_be_visible()
    expect(explorer.said).not_to_contain_text("Problem")
    assert explorer.python()["rows"] == 40


def test_what_the_server_can_do_is_told_before_anything_is_read(explorer: Explorer) -> None:
    """The check logs in and lists nothing."""
    explorer.root.get_by_label("User name").fill("user")
    explorer.password.fill(PASSWORD)
    explorer.button("Check only").click()
    expect(explorer.root.get_by_text("fetches many at a time")).to_be_visible()
    assert explorer.python()["rows"] == 0


def test_messages_are_read_marked_and_unmarked_by_keys_alone(explorer: Explorer) -> None:
    """From the first field on no mouse: Tab, type, Enter, arrows, Delete; and the notebook hears no key."""
    page = explorer.page
    explorer.root.get_by_label("User name").focus()
    page.keyboard.type("user")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(explorer.password).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(explorer.root.get_by_role("grid").first).to_be_focused()
    cells = len(explorer.lab.cells())
    explorer.button("Undo").focus()
    for key in "xdda":
        page.keyboard.press(key)
    assert len(explorer.lab.cells()) == cells

    explorer.root.get_by_role("grid").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Delete")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Delete")
    expect(explorer.root.get_by_text("2 messages marked")).to_be_visible()
    expect(explorer.root.locator(".p3f-preview .p3f-subject")).to_contain_text("mail")
    told = explorer.python()
    assert len(told["marked"]) == 2
    assert told["read"].startswith("mail ")

    explorer.button("Undo").focus()
    page.keyboard.press("Enter")
    expect(explorer.root.get_by_text("1 message marked")).to_be_visible()
    assert len(explorer.python()["marked"]) == 1


def test_a_deletion_needs_two_acts_and_tells_what_became_of_it(explorer: Explorer, pictures: Path) -> None:
    """The second button names the number; the safe one has the focus; afterwards it returns."""
    explorer.listed()
    for number in (1, 3):
        explorer.rows.nth(number).locator("[role=checkbox]").click()
    expect(explorer.root.get_by_text("2 messages marked")).to_be_visible()
    explorer.button("Review and delete…").click()
    expect(explorer.root.get_by_text("2 messages would go")).to_be_visible()
    expect(explorer.button("Delete nothing")).to_be_focused()
    explorer.page.screenshot(path=pictures / "explorer-review.png")
    before = explorer.python()
    assert (before["server"], before["stored"]) == (40, 0)

    explorer.button("Delete 2 messages from the server").click()
    expect(explorer.said).to_contain_text("2 messages deleted from the server")
    expect(explorer.button("Review and delete…")).to_be_focused()
    told = explorer.python()
    assert sorted(told["confirmed"]) == before["marked"]
    assert (told["server"], told["rows"], told["stored"], told["marked"]) == (38, 38, 2, [])


def test_an_export_tells_how_far_it_is_and_can_be_cancelled(notebook: LabPage, pictures: Path) -> None:
    """A bar with a value, and words; what was exported until then is a whole dataset."""
    explorer = Explorer(notebook, SLOW_VISIT).listed()
    explorer.button("Export").click()
    bar = explorer.root.get_by_role("progressbar", name="exporting")
    expect(bar).to_have_attribute("value", re.compile(r"0\.\d+"))
    expect(explorer.said).to_contain_text(re.compile(r"\d+ of 200 messages .* left"))
    explorer.page.screenshot(path=pictures / "explorer-export.png")
    explorer.button("Cancel").click()
    expect(explorer.said).to_contain_text("Cancelled: ")
    expect(bar).to_be_hidden()
    told = explorer.python()
    assert 0 < told["stored"] == 200 - told["left"] < 200
    assert told["server"] == 200


@pytest.fixture
def themed(notebook: LabPage) -> Iterator[LabPage]:
    """A page that is light again, and as wide as before, for the next tests: the server keeps the theme."""
    yield notebook
    notebook.use_theme("JupyterLab Light")
    notebook.page.set_viewport_size({"width": 1100, "height": 900})


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_it_is_looked_at_in_both_themes(theme: str, themed: LabPage, pictures: Path) -> None:
    """The picture is for people; the panels follow the theme."""
    themed.page.set_viewport_size({"width": 1280, "height": 1000})
    themed.use_theme(f"JupyterLab {theme}")
    explorer = Explorer(themed, SAMPLE_VISIT).listed()
    explorer.rows.nth(4).click()
    for number in (1, 2):
        explorer.rows.nth(number).locator("[role=checkbox]").click()
    expect(explorer.root.locator(".p3f-preview .p3f-subject")).to_be_visible()
    expect(explorer.root.get_by_text("2 messages marked")).to_be_visible()
    explorer.root.screenshot(path=pictures / f"explorer-{theme.lower()}.png")
    panel = explorer.root.locator(".p3f-panel").first
    paper = panel.evaluate("panel => getComputedStyle(panel).backgroundColor")
    light = sum(map(int, re.findall(r"\d+", paper)[:3])) > 3 * 128
    assert light == (theme == "Light")
    assert len(explorer.python()["marked"]) == 2


@pytest.mark.parametrize("saved_state", [False, True])
def test_a_notebook_saved_by_jupyterlab_holds_nothing_of_it(saved_state: bool, notebook: LabPage) -> None:
    """With "Save Widget State Automatically" off and on; passwords, subjects, senders and bodies."""
    explorer = Explorer(notebook, SAMPLE_VISIT).listed()
    explorer.rows.nth(3).click()
    expect(explorer.root.locator(".p3f-preview .p3f-subject")).to_be_visible()
    explorer.rows.nth(1).locator("[role=checkbox]").click()
    explorer.button("Review and delete…").click()
    expect(explorer.root.get_by_text("1 message would go")).to_be_visible()
    notebook.save_widget_state(saved_state)
    file = notebook.save()
    notebook.save_widget_state(False)
    assert (b"widget-state+json" in file) == saved_state
    said = [PASSWORD, "Oskar Lindner", "Water will be off on Tuesday", "harbourmaster", "Frohe Pfingsten"]
    assert found(said, file) == []
