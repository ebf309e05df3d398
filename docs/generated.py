"""Pages made from the code when the site is built: the reference of the public door, the commands."""

from __future__ import annotations

from collections.abc import Iterator

import click

import pop3frames
from pop3frames.cli.main import main

# By the question a reader has; a public name whose room is not here is listed at the end.
# Classes of others, whose members are no part of this reference.
_FOREIGN = ["tuple", "Thread", "object", "AnyWidget", "VBox", "Box", "CoreWidget", "DOMWidget", "Widget"]
_FOREIGN += ["LoggingHasTraits", "HasTraits", "HasDescriptors"]

_ROOMS = {
    "client": "Reach a server",
    "export": "Export, record, delete",
    "frames": "Tables and datasets",
    "message": "Messages",
    "parsing": "Messages",
    "checkup": "Look a server over",
    "widgets": "See and mark, in a notebook",
    "server": "Be a server",
    "testing": "Tests and notebooks",
    "transcripts": "Recorded sessions",
    "errors": "Errors",
}


def reference() -> str:
    """Every public name with its docstring, by room."""
    rooms: dict[str, list[str]] = {}
    for name in pop3frames.__all__:
        room = pop3frames._HOMES[name].split(".")[1]
        rooms.setdefault(_ROOMS.get(room, "More"), []).append(name)
    titles = [title for title in dict.fromkeys([*_ROOMS.values(), "More"]) if title in rooms]
    lines = [
        "# Reference",
        "",
        "Everything here is imported from `pop3frames`. Signatures and texts are those of the code.",
        "",
        "```{toctree}",
        "columns",
        "commands",
        "```",
    ]
    for title in titles:
        lines += ["", f"## {title}", "", "```{eval-rst}", *_directives(rooms[title]), "```"]
    return "\n".join(lines) + "\n"


def _directives(names: list[str]) -> Iterator[str]:
    for name in names:
        value = getattr(pop3frames, name)
        if isinstance(value, type):
            yield f".. autoclass:: pop3frames.{name}"
            yield "   :members:"
            if not issubclass(value, Exception):
                yield f"   :inherited-members: {', '.join(_FOREIGN)}"
        else:
            yield f".. autofunction:: pop3frames.{name}"
        yield ""


def commands() -> str:
    """What `--help` prints, command by command."""
    lines = ["# Commands", "", "What `pop3frames COMMAND --help` prints."]
    for name, command in sorted(main.commands.items()):
        context = click.Context(command, info_name=f"pop3frames {name}", max_content_width=100)
        context.terminal_width = 100
        lines += ["", f"## {name}", "", "```text", command.get_help(context), "```"]
        for below, each in sorted(getattr(command, "commands", {}).items()):
            inner = click.Context(each, info_name=f"pop3frames {name} {below}", max_content_width=100)
            inner.terminal_width = 100
            lines += ["", f"### {name} {below}", "", "```text", each.get_help(inner), "```"]
    return "\n".join(lines) + "\n"
