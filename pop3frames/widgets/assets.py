"""The scripts and style sheets of the widgets: files in static/, joined as they stand."""

from __future__ import annotations

from pathlib import Path

_STATIC = Path(__file__).parent / "static"


def asset(*names: str) -> str:
    """These files, one after the other."""
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in names)
