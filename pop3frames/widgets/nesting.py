"""How deep HTML nests and what reading it would cost, bounded from above by one linear scan.

A parser of HTML is quadratic in depth (10,000 nested <div> take a second, 100,000 nearly a minute), and a
few hundred open <b> are opened anew in every paragraph. So a mail is measured before any parser sees it.
The bound must hold for what hostile mail does to the tree builder (HTML standard, section 13.2.6): an end
tag counts only where it certainly closes what is innermost; where text might be taken for tags or tags for
text, nothing closes any more.
"""

from __future__ import annotations

import re

_SPACE = r"\t\n\f\r "
_ATTRIBUTES = (
    rf"(?:[{_SPACE}/]++|[^{_SPACE}/>][^{_SPACE}/>=]*+"
    rf"""(?:[{_SPACE}]*+=[{_SPACE}]*+(?:"[^"]*+"|'[^']*+'|(?!["'>])[^{_SPACE}>]++)?+)?+)*+"""
)
_TOKEN = re.compile(
    rf"<!--(?:-?>|.*?(?:--!?>|\Z))|<(?:[!?]|/(?![a-zA-Z]))[^>]*+>?+"
    rf"|<(/?+)([a-zA-Z][^{_SPACE}/>]*+){_ATTRIBUTES}(?:>|\Z)",
    re.DOTALL,
)
_START = re.compile(r"<[a-zA-Z]")
# Never hold elements of HTML; or are closed by the next of their kind, their limits being counted ones.
_FLAT_NAMES = (
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr "
    "p li tr td th tbody thead tfoot colgroup"
)
_FLAT = frozenset(_FLAT_NAMES.split())
_TEXT = {name: re.compile(rf"</{name}[{_SPACE}/>]", re.IGNORECASE) for name in ("script", "style", "title")}
# Inside or after these other rules hold: foreign content, text that is no text elsewhere, ignored tags.
_STRANGE_NAMES = "svg math select template frameset plaintext xmp iframe noembed noframes noscript textarea"
_STRANGE = frozenset(_STRANGE_NAMES.split())


def measure(html: str) -> tuple[int, int]:
    """Depth and work: at least as many elements as are ever nested, and their number summed over all tags."""
    open_names: list[str] = []
    depth = work = at = 0
    while token := _TOKEN.search(html, at):
        at = token.end()
        closing, name = token[1], (token[2] or "").lower()
        work += len(open_names)
        if not name:
            continue
        if closing:
            if open_names and open_names[-1] == name:
                open_names.pop()
            continue
        if name in _TEXT:
            end = _TEXT[name].search(html, at)
            # "<!--" in a script may let it run past its first end tag (section 13.2.5.20)
            if name != "script" or "<!--" not in html[at : end.start() if end else None]:
                at = end.start() if end else len(html)
                continue
        if name in _STRANGE or name in _TEXT:
            rest = len(_START.findall(html, token.start()))
            reached = len(open_names) + rest
            return max(depth, reached), work + rest * reached
        if name not in _FLAT:
            open_names.append(name)
            depth = max(depth, len(open_names))
    return depth, work
