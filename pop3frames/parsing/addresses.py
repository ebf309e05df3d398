"""Address fields (RFC 5322 section 3.4): text in, a list of 'Name <address>' out.

Names are decoded after the list is split, so a decoded comma never splits. One bad address is kept as it
stands and never costs its neighbours. Everything is linear: a fast path of possessive expressions for what is
usual, and one left-to-right scan for the rest. `email.utils.getaddresses` is never called: it recurses on
parentheses and has returned wrong addresses (CVE-2023-27043).
"""

from __future__ import annotations

import re
from functools import lru_cache

from pop3frames.parsing.charsets import raw_text
from pop3frames.parsing.limits import Limits, Notes
from pop3frames.parsing.words import ENCODED_TEXT, decoded_words, unfolded

# One usual address with its separator: a quoted name, a bare name (encoded words included) or none, then
# <address>; or an address alone.
_NAME = rf'[^"(),:;<>\\=]*+(?:=(?:\?[^?\s"]++\?[bBqQ]\?{ENCODED_TEXT}\?=|(?!\?))[^"(),:;<>\\=]*+)*+'
_ADDRESS = r'[^\s"(),:;<>\\@]++@[^\s"(),:;<>\\@]++'
_USUAL = re.compile(
    rf'[ \t]*+(?:(?:"((?:[^"\\]++|\\.)*+)"[ \t]*+|({_NAME}))<({_ADDRESS})>|({_ADDRESS}))[ \t]*+(?:,|\Z)'
)
_SPECIAL = re.compile(r'[",;:<>()]|\\.|=\?', re.DOTALL)
_WORD = re.compile(rf'=\?[^?\s"]++\?[bBqQ]\?{ENCODED_TEXT}\?=')
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_PARENTHESIS = re.compile(r"[()]|\\.", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ANGLE = re.compile(r'<{1,2}+([^<>"]*+(?:"[^"]*+"[^<>"]*+)?+)>{1,2}+')  # <<a@b>> is an old slip
_UNCLOSED_ANGLE = re.compile(r"<([^<>,;@]*+@[^<>,;]*+)")
_COMMENT = re.compile(r"\([^()]*+\)")
_ROUTE = re.compile(r"\s*+@[^:]*+:")  # RFC 5322 section 4.4: <@a,@b:c@d>
_DOT_OR_AT = re.compile(r"([.@])")
_STEPS = 8  # special characters looked at, for each address allowed
_CACHED_NAME = 256  # characters; a cache keeps what it saw
_COMMENT_DEPTH = 32  # a deeper one is taken for stray parentheses


def addresses(value: bytes, limits: Limits, notes: Notes) -> list[str]:
    """The addresses of a raw field value, each as 'Name <address>' or 'address', cut at the limit."""
    text = raw_text(unfolded(value))
    found: list[str] = []
    at, end = 0, len(text)
    while at < end:
        usual = _USUAL.match(text, at)
        if usual is None:
            scan = _Scan(text[at:], limits, notes)
            scan.run(limits.addresses - len(found))
            return found + scan.found
        if len(found) == limits.addresses:
            notes.add("limit:addresses")
            break
        quoted, bare, address, alone = usual.groups()
        name = quoted or bare or ""
        if "\\" in name:  # only where it was quoted
            name = _ESCAPE.sub(r"\1", name)
        found.append(_formatted(name, address or alone, limits, notes))
        at = usual.end()
    return found


def _formatted(name: str, address: str, limits: Limits, notes: Notes) -> str:
    name = name.strip()
    if "=?" in name and len(name) <= _CACHED_NAME:
        name, noted = _decoded_name(name, limits)
        notes.update(noted)
    elif "=?" in name or not name.isprintable():
        name = decoded_words(name, limits, notes)
    if "=?" in address or not address.isprintable():
        address = decoded_words(address, limits, notes)
    return f"{name} <{address}>" if name and address else name or address


@lru_cache(maxsize=1024)
def _decoded_name(name: str, limits: Limits) -> tuple[str, frozenset[str]]:
    """Remembered: the same people write and are written to again and again."""
    notes: Notes = set()
    return decoded_words(name, limits, notes), frozenset(notes)


def _closed_up(address: str) -> str:
    """Without the blanks RFC 5322 section 4.4 allows around dots and "@"; as it stands if others remain."""
    if " " not in address or '"' in address:
        return address
    closed = "".join(piece.strip() for piece in _DOT_OR_AT.split(address))
    return address if " " in closed else closed


class _Scan:
    """One pass over a list that the fast path does not match, special character by special character."""

    def __init__(self, text: str, limits: Limits, notes: Notes) -> None:
        self.text, self.limits, self.notes = text, limits, notes
        self.found: list[str] = []
        # Once a quote or a comment does not close, later ones are not tried: that would cost the square.
        self.quotes_close = self.comments_close = True
        self._begin()

    def _begin(self) -> None:
        self.name: list[str] = []  # quotes and escapes undone
        self.written: list[str] = []  # as it stands
        self.comments: list[str] = []
        self.at_seen = False
        self.address: str | None = None
        self.named = 0  # pieces of the name that stood before the address

    def run(self, wanted: int) -> None:
        """Fill `found` with up to `wanted` addresses."""
        text, at = self.text, 0
        steps = (wanted + 1) * _STEPS
        while (special := _SPECIAL.search(text, at)) and len(self.found) < wanted and steps:
            steps -= 1
            self._plain(text[at : special.start()])
            at = self._special(special)
        if special:
            self.notes.add("limit:addresses")
        else:
            self._plain(text[at:])
            self._finish()

    def _plain(self, run: str) -> None:
        self.name.append(run)
        self.written.append(run)
        self.at_seen = self.at_seen or "@" in run

    def _special(self, special: re.Match[str]) -> int:
        """Handle one special character; returns where to go on."""
        character, at = special[0], special.start()
        if character in (",", ";"):  # ";" ends a group; some mail programs separate with it
            self._finish()
        elif character == '"' and self.quotes_close:
            return self._quoted(at)
        elif character == "(" and self.comments_close:
            return self._comment(at)
        elif character == "<":
            return self._angle(at)
        elif character == ":" and not self.at_seen:
            self._begin()  # what stands before it is the name of a group: its members count
        elif character == "=?" and (word := _WORD.match(self.text, at)):
            self._plain(word[0])
            return word.end()
        elif character[0] == "\\":
            self.name.append(character[1])
            self.written.append(character)
        else:
            self._plain(character)
        return special.end()

    def _quoted(self, at: int) -> int:
        quoted = _QUOTED.match(self.text, at)
        if quoted is None:
            self.quotes_close = False
            self._plain('"')
            return at + 1
        self.name.append(_ESCAPE.sub(r"\1", quoted[1]))
        self.written.append(quoted[0])
        return quoted.end()

    def _comment(self, at: int) -> int:
        depth = 0
        for parenthesis in _PARENTHESIS.finditer(self.text, at):
            depth += {"(": 1, ")": -1}.get(parenthesis[0], 0)
            if depth > _COMMENT_DEPTH:
                break
            if depth == 0:
                self.comments.append(_ESCAPE.sub(r"\1", self.text[at + 1 : parenthesis.start()]))
                self._plain(" ")
                return parenthesis.end()
        self.comments_close = False
        self._plain("(")
        return at + 1

    def _angle(self, at: int) -> int:
        angle = _ANGLE.match(self.text, at) or _UNCLOSED_ANGLE.match(self.text, at)
        if angle is None:
            self._plain("<")
            return at + 1
        if self.address is not None:  # a second one without a comma between: both count
            name, self.name = self.name[self.named :], self.name[: self.named]
            self._finish()
            self.name = name
        route = _ROUTE.match(angle[1])
        address = _COMMENT.sub("", angle[1][route.end() :] if route else angle[1])
        self.address = _closed_up(address.strip())
        self.named = len(self.name)
        return angle.end()

    def _finish(self) -> None:
        """One address is complete: bring it into its form."""
        name = " ".join("".join(self.name).split()) if self.comments else "".join(self.name).strip()
        address = self.address
        if address is None:
            written = _closed_up("".join(self.written).strip())
            address, name = (written, "") if "@" in written else (name, "")
        if not name and address and self.comments:
            name = self.comments[0]
        if name or address:
            self.found.append(_formatted(name, address, self.limits, self.notes))
        self._begin()
