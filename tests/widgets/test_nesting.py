"""The bound on depth, judged by a real tree builder."""

from __future__ import annotations

import re

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pop3frames.widgets.nesting import measure

# All of them are kept by the judge, but those whose content is not markup.
_NAMES = (
    "a b i u div p span table tbody tr td th ul li dl dd dt form h1 h2 font center em section nobr button "
    "body head html caption col colgroup object marquee address pre select option svg math mi desc "
    "foreignobject template title ruby rt rb big small listing details summary applet"
)
_TEXT = frozenset(("style", "script", "xmp", "iframe", "noscript", "textarea"))
_KEPT = frozenset(_NAMES.split())
_TAG = re.compile(r"<!--.*?-->|<(/?)([a-zA-Z0-9]+)[^>]*>", re.DOTALL)
_IMPLIED = 4  # <td> alone brings a body and a row; a table in a table its cell
_NOISE = [
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    '"',
    "'",
    '<x a="',
    "=",
    ">",
    "--!>",
    "<!-->",
    "<?",
    "</ ",
    "x",
    "/>",
]

names = st.sampled_from(sorted(_KEPT | _TEXT))
tokens = st.one_of(names.map("<{}>".format), names.map("</{}>".format), st.sampled_from(_NOISE))


def built_depth(html: str) -> int:
    """How deep nh3's parser nests it, counted in what it writes."""
    written = nh3.clean(html, tags=set(_KEPT), clean_content_tags=set(_TEXT), attributes={})
    depth = deepest = 0
    for closing, name in _TAG.findall(written):
        if name and name != "col":
            depth += -1 if closing else 1
            deepest = max(deepest, depth)
    return deepest


@settings(max_examples=300, deadline=None)
@given(st.lists(tokens, min_size=1, max_size=8).map("".join))
def test_no_tags_nest_deeper_than_the_bound_says(pattern: str) -> None:
    """Whatever is repeated: a pattern that gains depth unnoticed would gain it a hundred times."""
    html = pattern * 100
    assert built_depth(html) <= _IMPLIED * measure(html)[0] + 8


@pytest.mark.parametrize(
    "pattern",
    [
        "<div><table><td></div></table>",  # inside a cell, </div> closes nothing
        "<div><!--</div>-->",
        '<div title="</div>">',
        "<div a=b='</div>'>",
        '<div x"><div y">',
        "<div><script><!--<script></script></div>--></script>",
        "<svg><td>",  # foreign: nothing is void there, nothing is closed by its like
        "<svg><![CDATA[></svg>]]>",
        "<li><dd>",
        "<style><!--</style><div>",
        "<math><mi></math></mi>",
    ],
)
def test_known_ways_to_hide_depth_are_seen(pattern: str) -> None:
    """Each of these once nested without end, or would, if end tags were simply counted."""
    html = pattern * 100
    assert built_depth(html) <= _IMPLIED * measure(html)[0] + 8
    assert measure(html)[0] >= 100 / _IMPLIED or built_depth(html) < 20


def test_ordinary_mail_is_not_taken_for_deep() -> None:
    """Thousands of tags, closed or left open as HTML allows; scripts and comments that hold tags."""
    table = "<table><tr><td>a<td><p>b<br><img src=x><tr><td><!--[if mso]><table><tr><![endif]-->c</table>"
    head = "<html><head><title>x</title><style>p > a {}</style></head><body>"
    html = f"{head}{table * 500}<ul>{'<li>x' * 500}</ul>"
    depth, work = measure(html + "<script type='application/ld+json'>{\"<div>\":1}</script>" * 300)
    assert depth <= 4
    assert work < 50_000
