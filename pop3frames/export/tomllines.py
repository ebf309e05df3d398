"""A TOML text, and on which line each of its tables and keys begins: what tomllib does not tell.

Nothing here knows what the text is about.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from typing import Any, NamedTuple

_PLACE = re.compile(r"^(.*) \(at (?:line (\d+), column \d+|end of document)\)$", re.DOTALL)

Steps = tuple[str | int, ...]  # keys of tables and indices of arrays, from the top


class Mistake(NamedTuple):
    """What is wrong, and on which line, from 1."""

    line: int
    meaning: str


class TomlLines:
    """The text up to the end of a statement is a document of its own; up to any other line end it is none.

    So the shortest document that holds a key ends with the statement that wrote it, whatever strings, arrays
    and inline tables stand around it.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.replace("\r\n", "\n").split("\n")

    def document(self) -> dict[str, Any] | Mistake:
        """The whole text, or why it is no TOML."""
        try:
            return tomllib.loads("\n".join(self._lines))
        except tomllib.TOMLDecodeError as exc:
            place = _PLACE.match(str(exc))
            meaning, line = (place[1], place[2]) if place else (str(exc), None)
            return Mistake(int(line) if line else self._begin(len(self._lines)), meaning)
        except RecursionError:
            return Mistake(self._begin(len(self._lines)), "nested too deeply")

    def line(self, steps: Steps) -> int:
        """Where the statement begins that first mentions this."""
        ends = range(len(self._lines) + 1)
        return self._begin(bisect_left(ends, True, key=lambda end: _has(self._before(end)[1], steps)) - 1)

    def _begin(self, end: int) -> int:
        """The line behind the last statement that is whole within the first `end` lines."""
        return self._before(end)[0] + 1

    def _before(self, end: int) -> tuple[int, dict[str, Any]]:
        """The longest document of at most so many lines: how many it has, and what it holds."""
        while end:
            try:
                return end, tomllib.loads("\n".join(self._lines[:end]))
            except (tomllib.TOMLDecodeError, RecursionError):
                end -= 1
        return 0, {}


def _has(document: Any, steps: Steps) -> bool:
    for step in steps:
        if step not in (range(len(document)) if isinstance(document, list) else document):
            return False
        document = document[step]
    return True
