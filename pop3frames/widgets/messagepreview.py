"""The preview of one mail: who sent it, its text, and behind a click its HTML, attachments and source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget

from pop3frames.message import Message

_STATIC = Path(__file__).parent / "static"


class MessagePreview(anywidget.AnyWidget):
    """One mail to read. Its content reaches the page by custom messages only, never by a synced trait."""

    _esm = _STATIC / "messagepreview.js"
    _css = _STATIC / "messagepreview.css"

    def __init__(self, **kwargs: Any) -> None:
        self._whole: list[Callable[[], object]] = []
        super().__init__(**kwargs)

    def show(self, row: Message, raw: bytes, *, partial: bool = False) -> None:
        """Show a mail. `raw` is what TOP or RETR gave; `partial`: it is only the beginning."""

    def clear(self) -> None:
        """Show no mail."""

    def on_whole(self, callback: Callable[[], object], *, remove: bool = False) -> None:
        """Call `callback()` when the person asks for the whole of a partly loaded message."""
        (self._whole.remove if remove else self._whole.append)(callback)

    def __repr__(self) -> str:
        return "MessagePreview: run the cell to read the mail, it is not stored in the notebook."
