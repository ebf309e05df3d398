"""What the panels are made of: plain ipywidgets with labels above them, in rows that wrap.

A panel shows nothing of a mail and of a login in its repr. No rules are here, and no words of a mail.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import ipywidgets
import traitlets

from pop3frames.widgets.jobs import Jobs
from pop3frames.widgets.notice import Notice

F = TypeVar("F", bound=ipywidgets.DOMWidget)


class Panel(ipywidgets.VBox):  # type: ignore[misc]  # it ships no types
    """A box with a border, whose clicks end in words when they fail.

    notice   says what goes on; None: the panel stands alone and has one of its own
    """

    def __init__(self, jobs: Jobs, notice: Notice | None) -> None:
        super().__init__()
        self.jobs, self.alone = jobs, notice is None
        self.notice = notice or Notice()
        if self.alone:
            self.notice.follow(jobs)
        self.add_class("p3f").add_class("p3f-panel")

    def show(self, *children: ipywidgets.Widget) -> None:
        """These, and below them the notice if it stands here."""
        self.children = (*children, self.notice) if self.alone else children

    def button(self, label: str, act: Callable[[], object], **options: Any) -> ipywidgets.Button:
        """A button whose failures are told: an exception in its callback would appear nowhere."""

        def clicked(_button: ipywidgets.Button) -> None:
            with self.jobs.told():
                act()

        button = ipywidgets.Button(description=label, **options)
        button.on_click(clicked)
        return button

    def __repr__(self) -> str:
        return f"{type(self).__name__}: run the cell to use it, it stores nothing in the notebook."


def field(widget: F, *, width: str = "", grow: bool = False) -> F:
    """The widget with its label above it."""
    widget.add_class("p3f-panel-field")
    widget.layout = ipywidgets.Layout(width=width or "auto", min_width="0")
    if grow:
        widget.add_class("p3f-panel-grow")
    return widget


def row(*children: ipywidgets.Widget) -> ipywidgets.HBox:
    """Side by side, as far as there is room."""
    box = ipywidgets.HBox(children)
    box.add_class("p3f-panel-row")
    return box


def words(text: str = "", kind: str = "soft") -> ipywidgets.HTML:
    """Words of ours that change rarely. Never those of a mail or a server: they are kept in a notebook."""
    widget = ipywidgets.HTML(html.escape(text))
    widget.add_class(f"p3f-panel-{kind}")
    return widget


def listed(sentences: Iterable[str]) -> str:
    """As HTML, one behind the other."""
    return "<ul>" + "".join(f"<li>{html.escape(each)}</li>" for each in sentences) + "</ul>"


def link(model: traitlets.HasTraits, name: str, widget: ipywidgets.Widget) -> None:
    """The widget's value and this trait of the model are the same from now on."""
    traitlets.link((model, name), (widget, "value"))
