"""One line that says what goes on, how far it is, and what went wrong; a few lines more where they help.

Its words reach the page by custom messages only: a saved notebook holds none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import anywidget

from pop3frames.widgets.assets import asset
from pop3frames.widgets.jobs import Jobs

Tone = Literal["info", "error"]


class Notice(anywidget.AnyWidget):
    """A live line, for screen readers too, with a progress bar and a cancel button while work goes on."""

    _esm = asset("page.js", "notice.js")
    _css = asset("theme.css", "panels.css")

    def __init__(self, **kwargs: Any) -> None:
        self._said: dict[str, Any] = {"text": "", "tone": "info", "lines": [], "pace": None}
        self._cancel: Callable[[], object] | None = None
        super().__init__(**kwargs)
        self.on_msg(self._received)

    def say(self, text: str, tone: Tone = "info", lines: Iterable[str] = ()) -> None:
        """Show this instead of what was said last."""
        self._tell(text=text, tone=tone, lines=list(lines))

    def follow(self, jobs: Jobs) -> None:
        """Say from now on what these jobs say."""
        self._cancel = jobs.cancel
        jobs.observe(lambda _: self._told(jobs), ["status", "error", "running", "pace"])
        self._told(jobs)

    def focus(self, selector: str) -> None:
        """Put the keyboard there (a CSS selector) as soon as the panel or explorer around this has it."""
        self.send({"kind": "focus", "on": selector})

    def __repr__(self) -> str:
        return "Notice: run the cell to see what goes on."

    def _told(self, jobs: Jobs) -> None:
        pace = jobs.pace
        running = None
        if jobs.running:
            running = {"name": jobs.running, "share": pace and pace.share, "words": str(pace) if pace else ""}
        tone: Tone = "error" if jobs.error else "info"
        self._tell(text=jobs.error or jobs.status, tone=tone, lines=[], pace=running)

    def _tell(self, **said: Any) -> None:
        self._said = {**self._said, **said}
        self.send({"kind": "notice", **self._said})

    def _received(self, _: Any, content: Any, _buffers: Any) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "ready":
            self._tell()
        elif kind == "cancel" and self._cancel is not None:
            self._cancel()
