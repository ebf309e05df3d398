"""The preview of one mail: who sent it, its text, and behind a click its HTML, attachments and source.

Its content reaches the page by custom messages only, so that no saved notebook holds any. Larger pieces go
when the page asks for them, cut so that Jupyter's limit of a megabyte a second can be kept.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable
from typing import Any

import anywidget

from pop3frames.errors import printable
from pop3frames.message import Message
from pop3frames.widgets.assets import asset
from pop3frames.widgets.reading import TOO_MUCH, Reading

_log = logging.getLogger(__name__)
_PIECE = 1 << 19  # octets in one message to the page

Asked = Callable[[], object]


class MessagePreview(anywidget.AnyWidget):
    """One mail to read, safely: text first, HTML in a frame that runs and loads nothing, files by a click.

    Callbacks may run in another thread while a cell runs.
    """

    _esm = asset("page.js", "messagepreview.js")
    _css = asset("theme.css", "messagepreview.css")

    def __init__(self, **kwargs: Any) -> None:
        self._reading: Reading | None = None
        self._displayed = False
        self._wanted: list[Asked] = []
        self._piece_of: tuple[Any, bytes] | None = None  # what pieces are sent of, made once
        super().__init__(**kwargs)
        self.on_msg(self._received)

    def show(self, row: Message, raw: bytes, *, partial: bool = False) -> None:
        """Show a mail. `raw` is what TOP or RETR gave; `partial`: it is only the beginning."""
        self._reading = Reading(row, bytes(raw), partial)
        self._send_mail()

    def clear(self) -> None:
        """Show no mail."""
        self._reading = self._piece_of = None
        self._send_mail()

    def on_whole(self, callback: Asked, *, remove: bool = False) -> None:
        """Call `callback()` when the person asks for the whole of a partly loaded message."""
        (self._wanted.remove if remove else self._wanted.append)(callback)

    def __repr__(self) -> str:
        return "MessagePreview: run the cell to read the mail, it is not stored in the notebook."

    def _send_mail(self) -> None:
        reading = self._reading
        if not self._displayed:
            return
        if reading is None:
            self.send({"kind": "nothing"})
            return
        packed = zlib.compress(json.dumps(reading.content()).encode())
        self.send({"kind": "mail", "version": reading.version}, buffers=[packed])

    def _received(self, _: Any, content: Any, __: Any) -> None:
        """A message of the page: hostile until checked. What makes no sense is ignored."""
        reading = self._reading
        try:
            kind = content["kind"]
            if kind == "ready":
                self._displayed = True
                self._send_mail()
            elif reading is not None and content["version"] == reading.version:
                if kind == "whole":
                    self._ask_for_whole()
                elif kind == "get":
                    self._send_piece(reading, content["what"], content["number"], content["offset"])
        except (ValueError, TypeError, KeyError, IndexError):
            _log.debug("a message from the page made no sense")

    def _ask_for_whole(self) -> None:
        try:
            for callback in tuple(self._wanted):
                callback()
        except Exception as error:  # noqa: BLE001  nothing else on the page would tell of it
            _log.warning("loading the whole message failed", exc_info=error)
            self.send({"kind": "problem", "text": f"That did not work: {printable(str(error))}"})

    def _send_piece(self, reading: Reading, what: object, number: object, offset: object) -> None:
        if type(number) is not int or type(offset) is not int or number < 0 or offset < 0:
            raise ValueError("no piece of anything")
        asked = (reading.version, what, number)
        known = self._piece_of
        if known is None or known[0] != asked:
            known = self._piece_of = (asked, _content(reading, what, number))
        whole = known[1]
        where = {"version": reading.version, "what": what, "number": number, "offset": offset}
        piece = whole[offset : offset + _PIECE]
        self.send({"kind": "piece", "total": len(whole), **where}, buffers=[piece])


def _content(reading: Reading, what: object, number: int) -> bytes:
    """The octets of what a page asks for. ValueError for anything else."""
    if what == "file" and not reading.partial:
        return reading.file(number)
    if what == "source":
        return reading.source().encode()
    if what == "html":
        document = reading.document()
        html, not_loaded = document or ("", 0)
        told = {"html": html, "notLoaded": not_loaded, "refused": TOO_MUCH if document is None else ""}
        return json.dumps(told).encode()
    raise ValueError("nothing that could be shown")
