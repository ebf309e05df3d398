"""Text of a mail as a page may show it: what cannot be seen, or turns the text around it, is made visible."""

from __future__ import annotations

import re

# Unicode TR9: embeddings, overrides and isolates reorder what follows them; a name or an address that holds
# one reads as something else. The marks (U+200E, U+200F, U+061C) are ordinary in right-to-left mail and stay.
_TURNING = "\u202a-\u202e\u2066-\u2069"
_HIDDEN = re.compile(f"[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{_TURNING}]")
_HIDDEN_IN_A_LINE = re.compile(f"[\0-\x1f\x7f-\x9f\u2028\u2029{_TURNING}]")


def visible(text: str) -> str:
    """`text` with control and reordering characters as signs for them; line ends and tabs stay."""
    return _HIDDEN.sub(_sign, text)


def visible_line(text: str, limit: int = 1_000) -> str:
    """The same in one line of at most `limit` characters."""
    shown = _HIDDEN_IN_A_LINE.sub(_sign, text[: limit + 1])
    return shown if len(text) <= limit else shown[:limit] + "…"


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)  # the picture of the control: ␀
    return "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"
