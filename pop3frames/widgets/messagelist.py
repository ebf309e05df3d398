"""The list of messages: ten thousand rows in a page, and what was selected and marked there as Python.

Rules are not here: what a mark means is for whoever registers `on_toggle`. Mail content reaches the page by
custom messages only, so that no saved notebook holds any.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import anywidget
import traitlets

from pop3frames.errors import printable
from pop3frames.message import Message
from pop3frames.widgets.assets import asset
from pop3frames.widgets.guarded import Guarded, GuardedTrait
from pop3frames.widgets.packing import Listing, in_order

_log = logging.getLogger(__name__)

Toggled = Callable[[tuple[str, ...], bool], object]
Opened = Callable[[str], object]


class _Marked(GuardedTrait[frozenset[str], Iterable[str]]):
    """A set of keys: those of rows that are there and can be marked."""

    def validate(self, obj: Any, value: Iterable[str]) -> frozenset[str]:
        markable: frozenset[str] = obj.listing.markable
        return markable.intersection(_keys(value))


class _Keys(GuardedTrait[tuple[str, ...], Iterable[str]]):
    """Keys of rows that are there, in the order of the rows."""

    def validate(self, obj: Any, value: Iterable[str]) -> tuple[str, ...]:
        return in_order(obj.listing.keys, _keys(value))


class _Shown(GuardedTrait[tuple[str, ...], Iterable[str]]):
    """Keys of rows that are there, in the order given."""

    def validate(self, obj: Any, value: Iterable[str]) -> tuple[str, ...]:
        return tuple(key for key in value if key in obj.listing.places)


class _Key(GuardedTrait[str | None, str | None]):
    """The key of a row that is there, or None."""

    def validate(self, obj: Any, value: str | None) -> str | None:
        return value if value in obj.listing.places else None


def _keys(value: Iterable[str]) -> Iterable[str]:
    if isinstance(value, str):
        raise traitlets.TraitError("keys go in a set, list or tuple, not in one str")
    return value


class MessageList(Guarded, anywidget.AnyWidget):
    """Mails to look through, select and mark. Keys are unique-ids; "# 7" for message 7 without a usable one.

    rows      the rows as shown last
    marked    keys struck through and labelled; settable. Only a row with a unique-id can be marked
    selected  keys selected, in the order of the rows; settable
    active    key of the row that the keyboard is on, what a preview shows; settable
    visible   keys that pass the filter, in the order shown; newest first until a page sorts

    All can be observed. Keys of rows that are not there are dropped when set. Observers and callbacks may run
    in another thread while a cell runs, and never under a lock of this widget.
    """

    _esm = asset("page.js", "messagelist.js")
    _css = asset("theme.css", "messagelist.css")

    rows = traitlets.Instance(tuple, args=(), read_only=True)
    visible = _Shown((), read_only=True)
    marked = _Marked(frozenset())
    selected = _Keys(())
    active = _Key(None, allow_none=True)

    def __init__(self, rows: Iterable[Message] = (), **kwargs: Any) -> None:
        self.listing = Listing(())
        self._filtered = False  # whether `visible` is what a filter left
        self._page_has: Any = ((), None)  # selection and focus as the page knows them
        self._displayed = False
        self._turns: dict[str, int] = {}  # of what the page tells by kind, the newest
        self._toggled: list[Toggled] = []
        self._opened: list[Opened] = []
        super().__init__(**kwargs)
        self.on_msg(self._received)
        self.show(rows)

    def show(self, rows: Iterable[Message], *, maybe: Iterable[str] = ()) -> None:
        """Replace the rows. Marks, selection and focus of rows that are still there stay.

        `maybe`: keys of rows of which only headers are known, and these let one expect attachments.
        """
        listing = Listing(tuple(rows), frozenset(_keys(maybe)))
        with self.changing():
            self.listing = listing
            self.set_trait("rows", listing.rows)
            self.marked, self.selected, self.active = self.marked, self.selected, self.active
            self._page_has = (self.selected, self.active)
            self.set_trait("visible", self.visible if self._filtered else listing.newest_first)
        if self._displayed:
            self._send_rows()

    def on_toggle(self, callback: Toggled, *, remove: bool = False) -> None:
        """Call `callback(keys, marked)` when the person marks (True) or takes marks back (False).

        With a callback registered the list changes nothing by itself: the callback sets `marked`.
        """
        (self._toggled.remove if remove else self._toggled.append)(callback)

    def on_open(self, callback: Opened, *, remove: bool = False) -> None:
        """Call `callback(key)` when the person presses Enter on a row, or clicks it twice."""
        (self._opened.remove if remove else self._opened.append)(callback)

    def toggle(self, keys: Iterable[str], marked: bool) -> None:
        """Mark these rows, or take their marks back, as if the person had."""
        wanted = in_order(self.listing.keys, self.listing.markable.intersection(keys))
        if not self._toggled:
            with self.changing():
                self.marked = self.marked | set(wanted) if marked else self.marked - set(wanted)
        for callback in tuple(self._toggled):
            callback(wanted, marked)

    def __repr__(self) -> str:
        return "MessageList: run the cell to see the messages, they are not stored in the notebook."

    @traitlets.observe("marked")
    def _send_marked(self, _: Any = None) -> None:
        with self._lock:
            listing, marked = self.listing, self.marked
        if self._displayed:
            self.send({"kind": "marked", "version": listing.version}, buffers=[listing.bits(marked)])

    @traitlets.observe("selected", "active")
    def _send_selection(self, _: Any) -> None:
        with self._lock:
            listing, selected, active = self.listing, self.selected, self.active
            told, self._page_has = self._page_has, (selected, active)
        if self._displayed and told != (selected, active):
            where = {"version": listing.version, "active": listing.places.get(active or "", -1)}
            self.send({"kind": "selection", **where}, buffers=[listing.bits(selected)])

    def _send_rows(self) -> None:
        with self._lock:
            listing, marked, selected, active = self.listing, self.marked, self.selected, self.active
            plain = self.visible == listing.newest_first
        content = {
            "kind": "rows",
            "version": listing.version,
            "count": len(listing.rows),
            "active": listing.places.get(active or "", -1),
            "plain": plain,
        }
        self.send(content, buffers=[listing.packed(), listing.bits(marked), listing.bits(selected)])

    def _received(self, _: Any, content: Any, buffers: Any) -> None:
        """A message of the page: hostile until checked. What makes no sense is ignored."""
        listing = self.listing
        try:
            act, understood = _ACTIONS[content["kind"]]
            if content["kind"] != "ready" and content["version"] != listing.version:
                return  # about rows that were replaced meanwhile
            known = understood(listing, content, [bytes(each) for each in buffers])
        except (ValueError, TypeError, KeyError, IndexError):
            _log.debug("a message from the page made no sense")
            return
        try:
            act(self, *known)
        except Exception as error:  # noqa: BLE001  a callback's; nothing else on the page would tell of it
            _log.warning("a callback of the message list failed", exc_info=error)
            self.send({"kind": "problem", "text": f"That did not work: {printable(str(error))}"})

    def _was_toggled(self, keys: tuple[str, ...], marked: bool) -> None:
        try:
            self.toggle(keys, marked)
        finally:
            self._send_marked()  # also when nothing changed: the page waits for an answer

    def _was_displayed(self) -> None:
        self._displayed = True
        self._turns.clear()  # another page, another clock
        self._send_rows()

    def _was_ordered(self, turn: int, visible: tuple[str, ...], filtered: bool) -> None:
        with self.changing():
            if self._is_overtaken("order", turn):
                return
            self._filtered = filtered
            self.set_trait("visible", visible)

    def _was_selected(self, turn: int, selected: tuple[str, ...], active: str | None) -> None:
        with self.changing():
            if self._is_overtaken("selection", turn):
                return
            self._page_has = (selected, active)
            self.selected, self.active = selected, active

    def _is_overtaken(self, kind: str, turn: int) -> bool:
        """Whether a later message came first: one may wait for the running cell, a thread take the next."""
        newest = self._turns.get(kind, turn)
        self._turns[kind] = max(turn, newest)
        return turn < newest

    def _was_opened(self, key: str | None) -> None:
        for callback in tuple(self._opened):
            if key is not None:
                callback(key)


def _turn(told: dict[str, Any]) -> int:
    turn = told["turn"]
    if type(turn) is not int or turn < 0:
        raise ValueError("no turn")
    return turn


# What the page may tell, and what it must hold to be understood.
_ACTIONS: dict[str, tuple[Callable[..., None], Callable[[Listing, Any, list[bytes]], tuple[Any, ...]]]] = {
    "ready": (MessageList._was_displayed, lambda *_: ()),
    "order": (
        MessageList._was_ordered,
        lambda rows, told, sent: (_turn(told), rows.keys_of_order(sent[0]), told["filtered"] is True),
    ),
    "selection": (
        MessageList._was_selected,
        lambda rows, told, sent: (_turn(told), rows.keys_of_bits(sent[0]), rows.key_at(told["active"])),
    ),
    "toggle": (
        MessageList._was_toggled,
        lambda rows, told, sent: (rows.keys_of_bits(sent[0]), told["marked"] is True),
    ),
    "open": (MessageList._was_opened, lambda rows, told, _: (rows.key_at(told["row"]),)),
}
