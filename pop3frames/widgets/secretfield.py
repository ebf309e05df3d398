"""A field for a password: sent to the kernel once, emptied at once, and a Secret from there on.

No trait holds it, so that neither the state of a widget nor a saved notebook can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
from traitlets import Unicode

from pop3frames.client.credentials import Secret
from pop3frames.widgets.assets import asset

Typed = Callable[[Secret | None, bool], object]


class SecretField(anywidget.AnyWidget):
    """A password is typed here and leaves the page when the field is left, or by Enter.

    label   what stands above it
    """

    _esm = asset("secretfield.js")
    _css = asset("theme.css", "secretfield.css")

    label = Unicode("Password").tag(sync=True)

    def __init__(self, **kwargs: Any) -> None:
        self._typed: list[Typed] = []
        self._held = False
        super().__init__(**kwargs)
        self.on_msg(self._received)

    def on_typed(self, callback: Typed) -> None:
        """Call `callback(secret, entered)` for each one typed; after Enter (`entered`) perhaps with None."""
        self._typed.append(callback)

    def show_held(self, held: bool) -> None:
        """Say beside the empty field whether a password was typed and is kept by the kernel."""
        self._held = held
        self.send({"kind": "held", "held": held})

    def focus(self) -> None:
        """Put the cursor there."""
        self.send({"kind": "focus"})

    def __repr__(self) -> str:
        return "SecretField: run the cell to type a password, it is not stored in the notebook."

    def _received(self, _: Any, content: Any, buffers: list[Any]) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "ready":
            self.show_held(self._held)
        elif kind == "typed":
            secret = _taken_out(buffers)
            for callback in tuple(self._typed):
                callback(secret, content.get("entered") is True)


def _taken_out(buffers: list[Any]) -> Secret | None:
    """The secret, from the buffers of a message, which the kernel keeps until the next one comes."""
    try:
        return Secret(bytes(buffers.pop()).decode()) if buffers and len(buffers[-1]) else None
    except (TypeError, ValueError):  # from a page that is not ours; no UTF-8
        return None
    finally:
        buffers.clear()
