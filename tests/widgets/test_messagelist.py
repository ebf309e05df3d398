"""The message list without a browser: its traits, its callbacks, and the very messages that a page sends."""

from __future__ import annotations

import logging
import struct
import threading
from dataclasses import replace
from typing import Any

import pytest
import traitlets
from widgets.page import Page, unpacked
from widgets.sample_rows import rows

from pop3frames.message import Message
from pop3frames.widgets.messagelist import MessageList
from pop3frames.widgets.packing import PROBABLY

SENTENCE = "MessageList: run the cell to see the messages, they are not stored in the notebook."


def mails(*keys: str | None) -> list[Message]:
    """A mail for each unique-id, numbered from 1, each an hour newer than the one before."""
    return [
        Message(message_id=n, uidl=key, subject=f"mail {n}", received_at=n * 3_600_000, size=n * 100)
        for n, key in enumerate(keys, 1)
    ]


@pytest.fixture
def shown() -> MessageList:
    """A list of five mails; the fifth has no unique-id."""
    return MessageList(mails("a", "b", "c", "d", None))


@pytest.fixture
def page(shown: MessageList) -> Page:
    """A page that shows the list."""
    return Page(shown).open()


def bits(*places: int) -> bytes:
    """A set of places among up to eight."""
    return bytes([sum(1 << place for place in places)])


def version(page: Page) -> int:
    return int(page.last("rows")[0]["version"])


def test_a_new_list_shows_the_newest_first_and_marks_nothing(shown: MessageList) -> None:
    """A key is the unique-id; a mail without one is known by its number, which no unique-id can look like."""
    assert ("# 5", "d", "c", "b", "a") == shown.visible
    assert (frozenset(), (), None) == (shown.marked, shown.selected, shown.active)
    assert [1, 2, 3, 4, 5] == [row.message_id for row in shown.rows]


def test_two_mails_with_one_unique_id_are_not_taken_for_each_other() -> None:
    """Both are shown under their numbers, and neither can be marked."""
    listed = MessageList(mails("a", "same", "same"))
    listed.marked = {"a", "same", "# 2", "# 3"}
    assert ("# 3", "# 2", "a") == listed.visible
    assert {"a"} == listed.marked


def test_a_mail_without_a_date_comes_last() -> None:
    """As in the page: the order is one."""
    undated = replace(mails("x")[0], received_at=None)
    assert ("b", "a", "x") == MessageList([undated, *mails("a", "b")]).visible


def test_marks_can_be_set_and_only_on_mail_that_has_a_unique_id(shown: MessageList) -> None:
    """Unknown keys are dropped; a single str is refused, since its letters would be taken for keys."""
    shown.marked = ["a", "# 5", "gone"]
    assert frozenset({"a"}) == shown.marked
    with pytest.raises(traitlets.TraitError, match="not in one str"):
        shown.marked = "abc"


def test_showing_other_rows_keeps_what_is_still_there(shown: MessageList) -> None:
    """Marks, selection and focus of rows that went are gone, the others stay."""
    shown.marked, shown.selected, shown.active = {"a", "b"}, ("b", "a"), "b"
    shown.show(mails("b", "c", "new"))
    assert ({"b"}, ("b",), "b") == (shown.marked, shown.selected, shown.active)
    assert ("new", "c", "b") == shown.visible
    shown.show([])
    assert (frozenset(), (), None, ()) == (shown.marked, shown.selected, shown.active, shown.visible)


def test_every_change_is_told_to_observers(shown: MessageList) -> None:
    """Once each, after it was made."""
    told: list[tuple[str, Any]] = []
    shown.observe(
        lambda change: told.append((change.name, change.new)), ["marked", "selected", "active", "rows"]
    )
    shown.marked, shown.selected, shown.active = {"a"}, ["b"], "b"
    shown.marked = {"a", "gone"}
    assert [("marked", {"a"}), ("selected", ("b",)), ("active", "b")] == told


def test_a_page_is_sent_the_rows_when_it_asks(shown: MessageList, page: Page) -> None:
    """All at once in one deflated buffer, with marks and selection; nothing before it asks."""
    told, (packed, marked, selected) = page.last("rows")
    columns = unpacked(packed)
    assert (5, -1, True) == (told["count"], told["active"], told["plain"])
    assert [f"mail {n}" for n in range(1, 6)] == columns["subject"]
    assert [3600, 7200, 10800, 14400, 18000] == columns["seconds"]
    assert [4] == columns["unmarkable"]
    assert (bits(), bits()) == (marked, selected)
    unseen = MessageList(mails("a"))
    silent = Page(unseen)
    unseen.show(mails("b"))
    unseen.marked = {"b"}
    assert [] == silent.received


def test_attachments_are_counted_or_probable(shown: MessageList, page: Page) -> None:
    """What is known for sure counts for more than a hint; keys of no row are dropped, one str is refused."""
    rows = mails("a", "b", "c")
    rows[0].attachment_count = 2
    shown.show(rows, maybe=["a", "b", "gone"])
    assert [2, PROBABLY, 0] == unpacked(page.last("rows")[1][0])["attachments"]
    shown.show(rows)
    assert [2, 0, 0] == unpacked(page.last("rows")[1][0])["attachments"]
    with pytest.raises(traitlets.TraitError):
        shown.show(rows, maybe="a")


def test_each_view_is_sent_the_rows_anew(shown: MessageList, page: Page) -> None:
    """A reloaded page, a second view: with what is marked and selected by now."""
    shown.marked, shown.selected, shown.active = {"b"}, ("c", "d"), "d"
    page.open()
    told, (_, marked, selected) = page.last("rows")
    assert (3, bits(1), bits(2, 3)) == (told["active"], marked, selected)


def test_a_selection_of_the_page_is_seen_from_python(shown: MessageList, page: Page) -> None:
    """With memoryviews, as a comm delivers them; and it is not sent back to where it came from."""
    page.send({"kind": "selection", "version": version(page), "turn": 1, "active": 3}, bits(1, 3))
    assert (("b", "d"), "d") == (shown.selected, shown.active)
    assert "selection" not in page.kinds()
    shown.selected = ("a",)
    assert bits(0) == page.last("selection")[1][0]


def test_a_message_that_was_overtaken_does_not_undo_the_later_one(shown: MessageList, page: Page) -> None:
    """One may wait for the running cell while another thread takes the next; a new page begins anew."""
    for turn, place in ((7, 1), (6, 2), (8, 3), (5, 0)):
        told = {"kind": "selection", "version": version(page), "turn": turn, "active": place}
        page.send(told, bits(place))
    assert (("d",), "d") == (shown.selected, shown.active)
    page.open()
    page.send({"kind": "selection", "version": version(page), "turn": 1, "active": 0}, bits(0))
    assert (("a",), "a") == (shown.selected, shown.active)


def test_a_filtered_order_of_the_page_is_seen_from_python(shown: MessageList, page: Page) -> None:
    """And rows that come later are not counted as passing the filter before the page says so."""
    told = {"kind": "order", "version": version(page), "turn": 1, "filtered": True}
    page.send(told, struct.pack("<2I", 2, 0))
    assert ("c", "a") == shown.visible
    shown.show(mails("a", "new", "c"))
    assert ("c", "a") == shown.visible
    told |= {"version": version(page), "turn": 2, "filtered": False}
    page.send(told, struct.pack("<3I", 0, 1, 2))
    assert ("a", "new", "c") == shown.visible


def test_a_mark_of_the_page_marks_when_nobody_else_decides(shown: MessageList, page: Page) -> None:
    """And taking it back takes it back. The page is answered with what is marked now."""
    page.send({"kind": "toggle", "version": version(page), "marked": True}, bits(0, 2, 4))
    assert {"a", "c"} == shown.marked
    assert [bits(0, 2)] == page.last("marked")[1]
    page.send({"kind": "toggle", "version": version(page), "marked": False}, bits(2))
    assert {"a"} == shown.marked


def test_who_registers_for_marks_decides(shown: MessageList, page: Page) -> None:
    """The list then marks nothing itself, but answers the page all the same."""
    asked: list[tuple[tuple[str, ...], bool]] = []
    shown.on_toggle(decide := lambda keys, marked: asked.append((keys, marked)))
    page.send({"kind": "toggle", "version": version(page), "marked": True}, bits(0, 1, 4))
    assert [(("a", "b"), True)] == asked
    assert frozenset() == shown.marked
    assert [bits()] == page.last("marked")[1]
    shown.on_toggle(decide, remove=True)
    shown.toggle(["a"], True)
    assert {"a"} == shown.marked


def test_opening_a_row_is_told(shown: MessageList, page: Page) -> None:
    """By its key."""
    opened: list[str] = []
    shown.on_open(opened.append)
    page.send({"kind": "open", "version": version(page), "row": 4})
    assert ["# 5"] == opened


def test_a_callback_that_fails_is_told_on_the_page(
    shown: MessageList, page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    """Else it would be seen nowhere; control characters of the error are escaped."""

    def fail(keys: tuple[str, ...], marked: bool) -> None:
        raise ValueError("no \x1b[2J room")

    shown.on_toggle(fail)
    with caplog.at_level(logging.WARNING):
        page.send({"kind": "toggle", "version": version(page), "marked": True}, bits(0))
    assert "That did not work: no \\x1b[2J room" == page.last("problem")[0]["text"]
    assert "a callback of the message list failed" in caplog.text


NONSENSE: list[tuple[Any, tuple[bytes, ...]]] = [
    (None, ()),
    ("ready!", ()),
    ([1], ()),
    ({}, ()),
    ({"kind": []}, ()),
    ({"kind": "__init__"}, ()),
    ({"kind": "show", "rows": [1]}, ()),
    ({"kind": "selection", "active": 0, "version": None}, (b"\x01",)),
    ({"kind": "selection", "active": 9}, (b"\x01",)),
    ({"kind": "selection", "active": -2}, (b"\x01",)),
    ({"kind": "selection", "active": True}, (b"\x01",)),
    ({"kind": "selection", "active": "0"}, (b"\x01",)),
    ({"kind": "selection", "active": 0.0}, (b"\x01",)),
    ({"kind": "selection", "active": {"$": 1}}, (b"\x01",)),
    ({"kind": "selection", "active": 0, "turn": None}, (b"\x01",)),
    ({"kind": "selection", "active": 0, "turn": 1.5}, (b"\x01",)),
    ({"kind": "selection", "active": 0}, ()),
    ({"kind": "selection", "active": 0}, (b"",)),
    ({"kind": "selection", "active": 0}, (b"\x01\x00",)),
    ({"kind": "selection", "active": 0}, (b"\x20",)),  # a sixth of five rows
    ({"kind": "selection", "active": 0}, (b"\xff",)),
    ({"kind": "order", "filtered": True}, (b"",) * 0),
    ({"kind": "order", "filtered": True}, (b"\x00\x00\x00",)),
    ({"kind": "order", "filtered": True}, (struct.pack("<I", 5),)),
    ({"kind": "order", "filtered": True}, (struct.pack("<2I", 1, 1),)),
    ({"kind": "order", "filtered": True}, (struct.pack("<6I", *range(6)),)),
    ({"kind": "order", "filtered": True}, (struct.pack("<I", 2**32 - 1),)),
    ({"kind": "order"}, (struct.pack("<I", 0),)),
    ({"kind": "toggle", "marked": True}, (b"\xff",)),
    ({"kind": "toggle"}, (b"\x01",)),
    ({"kind": "open", "row": 7}, ()),
    ({"kind": "open", "row": None}, ()),
]


@pytest.mark.parametrize(("content", "buffers"), NONSENSE)
def test_nonsense_from_the_page_changes_nothing(
    shown: MessageList, page: Page, content: Any, buffers: tuple[bytes, ...]
) -> None:
    """Wrong types, lengths, places and kinds, with the right version and with a wrong one."""
    shown.marked, shown.selected, shown.active = {"b"}, ("b",), "b"
    before = (shown.marked, shown.selected, shown.active, shown.visible)
    for each in (version(page), version(page) + 1, None, "1", 1e9):
        page.send({"version": each, "turn": 1} | content if isinstance(content, dict) else content, *buffers)
    assert before == (shown.marked, shown.selected, shown.active, shown.visible)


def test_what_the_page_says_of_rows_that_were_replaced_is_ignored(shown: MessageList, page: Page) -> None:
    """The same place is another mail by now."""
    old = version(page)
    shown.show(mails("x", "y", "z", "v", "w"))
    page.send({"kind": "toggle", "version": old, "marked": True}, bits(0))
    page.send({"kind": "selection", "version": old, "turn": 1, "active": 0}, bits(0))
    assert (frozenset(), (), None) == (shown.marked, shown.selected, shown.active)


def test_observers_may_take_locks_that_other_threads_hold_while_they_set(shown: MessageList) -> None:
    """Callbacks come on a thread of their own in the middle of a cell: no lock is held while they run."""
    model, in_observer, go_on = threading.Lock(), threading.Event(), threading.Event()

    def observe(_: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            in_observer.set()
            assert go_on.wait(20)
            with model:
                pass

    shown.observe(observe, "marked")
    page = threading.Thread(target=shown.toggle, args=(["a"], True), daemon=True)
    page.start()
    assert in_observer.wait(20)
    with model:
        go_on.set()
        shown.marked = {"b", "c"}  # would wait for ever if the other thread held the list's lock
    page.join(20)
    assert not page.is_alive()
    assert {"b", "c"} == shown.marked


def test_a_mark_of_the_page_does_not_undo_one_set_meanwhile(shown: MessageList) -> None:
    """To mark is to read, to change and to write: as one, after whoever is at it."""
    page = threading.Thread(target=shown.toggle, args=(["a"], True), daemon=True)
    with shown.changing():
        page.start()
        page.join(0.3)  # it waits for the end of this block
        shown.marked = {"b"}
    page.join(20)
    assert {"a", "b"} == shown.marked


def test_ten_thousand_rows_fit_into_200_kb(shown: MessageList) -> None:
    """All columns together, as they cross the socket."""
    listed = MessageList(rows(10_000))
    _, buffers = Page(listed).open().last("rows")
    assert sum(map(len, buffers)) < 200_000


def test_control_and_reordering_characters_are_made_visible() -> None:
    """What cannot be seen, or turns the rest of a row, is a sign for itself."""
    row = replace(mails("a")[0], subject="a\x1b[2J\u202egpj.exe", from_="x\n<y@z>")
    columns = unpacked(Page(MessageList([row])).open().last("rows")[1][0])
    assert ["a␛[2J⟨U+202E⟩gpj.exe"] == columns["subject"]
    assert ["x␊<y@z>"] == columns["from"]


def test_nothing_of_a_mail_is_in_the_widgets_state_or_repr() -> None:
    """That is what a saved notebook holds: the state of a list with mail equals that of an empty one."""
    listed, empty = MessageList(rows(3)), MessageList()
    page = Page(listed).open()
    listed.marked, listed.selected, listed.active = {"00000001"}, ("00000002",), "00000003"
    differing = {"layout"}  # a widget of its own
    state = {name: value for name, value in listed.get_state().items() if name not in differing}
    assert {name: value for name, value in empty.get_state().items() if name not in differing} == state
    assert [] == page.synced
    assert SENTENCE == repr(listed)
    assert SENTENCE == listed._repr_mimebundle_()[0]["text/plain"]
