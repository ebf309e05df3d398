"""The only way HTML of a mail reaches a page: cleaned by an allow-list, in a document that may load nothing.

Three layers, of which any one would do: nh3 keeps harmless tags and attributes; the document forbids itself
to load or send anything (CSP, first in it); the page shows it in `<iframe sandbox="">`, where no script runs.
A link loses its address, which is shown behind it as text: even in such a frame a click would load it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from html import escape, unescape
from typing import NamedTuple
from urllib.parse import unquote

import nh3

from pop3frames.widgets.nesting import measure
from pop3frames.widgets.visible import visible_line

MIB = 1 << 20
LONGEST = MIB  # characters of HTML
DEEPEST = 256
MOST_WORK = 1_000_000  # see nesting.py: about half a second
LARGEST_PICTURE = 2 * MIB  # octets
PICTURES_TOGETHER = 6 * MIB

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_DOCUMENT = (
    '<!DOCTYPE html><html><head><meta http-equiv="Content-Security-Policy" content="{policy}">'
    '<meta charset="utf-8"><meta name="referrer" content="no-referrer"><style>{style}</style></head>'
    "<body>{body}</body></html>"
)
_STYLE = (
    ":root{color-scheme:light}body{margin:12px;background:#fff;color:#111;overflow-wrap:break-word;"
    "font:14px/1.45 system-ui,sans-serif}img{max-width:100%;height:auto}a{color:#0b57d0;"
    "text-decoration:underline}small{color:#666;overflow-wrap:anywhere}pre{white-space:pre-wrap}"
)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TAGS = _names(
    "a abbr address article aside b blockquote br caption center cite code col colgroup dd del dfn div dl dt "
    "em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q "
    "s samp section small span strike strong sub sup table tbody td tfoot th thead tr tt u ul var wbr"
)
_CONTENT_DROPPED = _names(
    "script style title template noscript noembed noframes iframe object embed applet svg math xmp plaintext "
    "textarea select option button audio video canvas map"
)
_PLAIN_ATTRIBUTES = _names(
    "align valign bgcolor color face size width height border cellpadding cellspacing colspan rowspan span "
    "dir lang alt title start type nowrap"
)
_SCHEMES = frozenset(("http", "https", "ftp", "mailto", "tel", "cid", "data"))

_PROPERTIES = re.compile(
    r"color|background-color|text-align|text-decoration|text-transform|text-indent|vertical-align|white-space"
    r"|font|font-(?:family|size|style|weight)|line-height|letter-spacing|direction|list-style-type|border-collapse"
    r"|border-spacing|(?:max-|min-)?(?:width|height)|(?:margin|padding)(?:-(?:top|right|bottom|left))?"
    r"|border(?:-(?:top|right|bottom|left))?(?:-(?:color|style|width))?|border-radius"
)
# Words, numbers and colours. No escape, no address, and of functions only those that name a colour.
_VALUE = re.compile(r"""(?:(?:rgb|hsl)a?\([\d\s.,%/]*+\)|[\w\s#%.,'"!+-])*+""", re.ASCII)

_PICTURES = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
_DATA = re.compile(
    r"data:image/(?:png|jpe?g|gif|webp);base64,([A-Za-z0-9+/=\s]++)\Z", re.ASCII | re.IGNORECASE
)
_LINK = re.compile(r"<a(?: [^>]*+)?+>|</a>")
_ADDRESS = re.compile(r' href="([^"]*+)"')
_ANY_TAG = re.compile(r"<[^>]*+>")
_LINE_END = re.compile(
    r"<br>|<hr>|</(?:p|div|tr|li|h[1-6]|table|ul|ol|blockquote|pre|section|header|footer)>"
)
_MANY_EMPTY_LINES = re.compile(r"\n{3,}+")


class SafeDocument(NamedTuple):
    """A document for `srcdoc`, and how many pictures it does not load from elsewhere."""

    html: str
    not_loaded: int


def safe_document(html: str, picture: Callable[[str], bytes | None] | None = None) -> SafeDocument | None:
    """The HTML of a mail as a harmless document; None where it is too long or too deep to be cleaned.

    `picture` gives the bytes of a part by its Content-ID, for "cid:" addresses (RFC 2392). PNG, JPEG, GIF and
    WebP up to 2 MiB become part of the document, nothing else does.
    """
    if not _can_be_cleaned(html):
        return None
    first = _Filter(picture)
    body = _cleaned(html, first, {"href"})
    body = _cleaned(
        _with_addresses(body), _Filter(None), set()
    )  # what was put together is not trusted either
    document = _DOCUMENT.format(policy=CONTENT_SECURITY_POLICY, style=_STYLE, body=body)
    return SafeDocument(document, first.not_loaded)


def plain_text(html: str) -> str | None:
    """The words of HTML, where a mail has no text of its own; None as for `safe_document`."""
    if not _can_be_cleaned(html):
        return None
    cleaned = _with_addresses(_cleaned(html, _Filter(None), {"href"}))
    lines = _ANY_TAG.sub("", _LINE_END.sub("\n", " ".join(cleaned.split()))).splitlines()
    text = "\n".join(unescape(line).strip() for line in lines)
    return _MANY_EMPTY_LINES.sub("\n\n", text).strip()


def _can_be_cleaned(html: str) -> bool:
    if len(html) > LONGEST:
        return False
    depth, work = measure(html)
    return depth <= DEEPEST and work <= MOST_WORK


def _cleaned(html: str, keep: _Filter, of_links: set[str]) -> str:
    return nh3.clean(
        html,
        tags=_TAGS,
        clean_content_tags=_CONTENT_DROPPED,
        attributes={"*": _PLAIN_ATTRIBUTES | {"style"}, "a": of_links, "img": {"src"}},
        attribute_filter=keep,
        url_schemes=_SCHEMES,
        link_rel=None,
    )


class _Filter:
    """What stays of an attribute: called by nh3 with tag, name and value."""

    def __init__(self, picture: Callable[[str], bytes | None] | None) -> None:
        self._picture = picture
        self._room = PICTURES_TOGETHER
        self.not_loaded = 0

    def __call__(self, _: str, name: str, value: str) -> str | None:
        if name == "style":
            return _harmless_style(value)
        if name == "src":
            return self._source(value.strip())
        return value

    def _source(self, address: str) -> str | None:
        content: bytes | None = None
        if address[:4].lower() == "cid:":
            content = self._picture(unquote(address[4:])) if self._picture else None
        elif data := _DATA.match(address):
            content = _from_base64(data[1])
        else:
            self.not_loaded += 1
        kind = next((kind for kind, magic in _PICTURES.items() if content and magic.match(content)), None)
        if content is None or kind is None or len(content) > min(LARGEST_PICTURE, self._room):
            return None
        self._room -= len(content)
        return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _from_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return None


def _harmless_style(style: str) -> str | None:
    kept = []
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip().lower(), value.strip()
        if value and _PROPERTIES.fullmatch(name) and _VALUE.fullmatch(value):
            kept.append(f"{name}:{value}")
    return ";".join(kept) or None


def _with_addresses(cleaned: str) -> str:
    """Links without address, which stands behind them as text. `cleaned` is nh3's: attributes hold no ">"."""
    pieces: list[str] = []
    at, label_start, address = 0, 0, ""
    for link in _LINK.finditer(cleaned):
        pieces.append(cleaned[at : link.start()])
        at = link.end()
        if link[0] != "</a>":
            found = _ADDRESS.search(link[0])
            address, label_start = unescape(found[1]) if found else "", at
            pieces.append("<a>")
            continue
        pieces.append("</a>")
        label = unescape(_ANY_TAG.sub("", cleaned[label_start : link.start()])).strip()
        if address and address.removeprefix("mailto:") != label:
            pieces.append(f" <small>[{escape(visible_line(address, 2_000))}]</small>")
        address = ""
    return "".join([*pieces, cleaned[at:]])
