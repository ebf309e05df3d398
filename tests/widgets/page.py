"""The browser's end of a widget's comm, without a browser: what a page receives and may send."""

from __future__ import annotations

import json
import zlib
from typing import Any

from ipywidgets import Widget


class Page:
    """A page that shows this widget: keeps what comes, and sends as a browser does."""

    def __init__(self, widget: Widget) -> None:
        self.widget = widget
        self.received: list[tuple[dict[str, Any], list[bytes]]] = []
        self.synced: list[dict[str, Any]] = []
        widget.comm.publish_msg = self._published

    def _published(self, kind: str, data: dict[str, Any], buffers: Any = None, **_: Any) -> None:
        if data.get("method") == "custom":
            self.received.append((data["content"], [bytes(each) for each in buffers or []]))
        else:
            self.synced.append(data)

    def send(self, content: Any, *buffers: bytes) -> None:
        """A custom message, its buffers as memoryviews: that is what arrives in a kernel."""
        data = {"method": "custom", "content": content}
        self.widget._handle_msg({"content": {"data": data}, "buffers": [memoryview(b) for b in buffers]})

    def open(self) -> Page:
        """Render: a page asks for what it shows."""
        self.send({"kind": "ready"})
        return self

    def last(self, kind: str) -> tuple[dict[str, Any], list[bytes]]:
        """The newest message of this kind."""
        return next(message for message in reversed(self.received) if message[0]["kind"] == kind)

    def kinds(self) -> list[str]:
        """The kinds of what came, in order."""
        return [content["kind"] for content, _ in self.received]


def unpacked(octets: bytes) -> Any:
    """What the script of the page makes of a deflated buffer."""
    return json.loads(zlib.decompress(octets))
