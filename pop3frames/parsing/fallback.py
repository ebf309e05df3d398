"""What is left when the own core fails: the standard library's compat32 within limits, then a minimal row.

Both are answers to a bug of ours, never to a limit: no mail may choose the slower parser. The standard
library is trusted with the tree alone; charsets, addresses and dates stay ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message as Tree

from pop3frames.message import Message
from pop3frames.parsing.bodies import fill_contents
from pop3frames.parsing.headers import Fields, fill_columns, top_block, top_fields
from pop3frames.parsing.limits import KIB, MIB, Limits, Notes
from pop3frames.parsing.mime import PLAIN, Part, described

_LONGEST = MIB  # octets of a message, the rest is not given to it
_DELIMITERS = 2_000  # lines that look like one
_FIELD = 64 * KIB  # octets of a header field
_FOLDED = re.compile(rb"[^\n]*+(?:\n[ \t][^\n]*+)*+\n?")


def compat32_row(raw: bytes, number: int, limits: Limits, notes: Notes) -> Message:
    """The row by way of the standard library's tree. May raise, and does for what would be slow there."""
    beginning = raw[:_LONGEST]
    if beginning.count(b"\n--") > _DELIMITERS or any(len(f[0]) > _FIELD for f in _FOLDED.finditer(beginning)):
        raise ValueError("too much for the slower parser")
    notes.add("fallback")
    message = Message(message_id=number, pop_id=number, size=len(raw))
    block, *_ = top_block(beginning, limits, notes)
    fill_columns(message, top_fields(block), block, limits, notes)
    fill_contents(message, _leaves(message_from_bytes(beginning), limits, notes), limits, notes)
    return message


def _leaves(tree: Tree, limits: Limits, notes: Notes) -> Iterator[tuple[bytes, Part]]:
    todo = [tree]
    while todo:
        node = todo.pop()
        payload = node.get_payload()
        if isinstance(payload, list) and node.get_content_maintype() == "multipart":
            todo += [child for child in reversed(payload) if isinstance(child, Tree)]
            continue
        fields: Fields = {}
        for name, value in node.raw_items():
            fields.setdefault(
                name.lower().encode("ascii", "replace"), str(value).encode("utf-8", "surrogateescape")
            )
        # An enclosed message has no bytes here: writing it anew could hang or recurse, so its size stays 0.
        content = payload.encode("utf-8", "surrogateescape") if isinstance(payload, str) else b""
        yield content, described(fields, (0, 0, 0, len(content)), PLAIN, limits, notes)


def minimal_row(raw: bytes, number: int) -> Message:
    """Size and whatever the header expression finds, undecoded. Uses nothing that can raise on any bytes."""
    message = Message(message_id=number, pop_id=number, size=len(raw), parse_error="minimal")
    fields = dict(_SIMPLE.findall(b"\n" + raw[:_FIELD]))
    found = {name.lower(): _plain(value) for name, value in fields.items()}
    message.from_ = found.get(b"from")
    message.subject = found.get(b"subject")
    message.message_id_header = found.get(b"message-id")
    message.to = [found[b"to"]] if b"to" in found else []
    message.cc = [found[b"cc"]] if b"cc" in found else []
    return message


_SIMPLE = re.compile(rb"\n(From|To|Cc|Subject|Message-ID):([^\r\n]*+)", re.IGNORECASE)


def _plain(value: bytes) -> str:
    return value.decode("ascii", "replace").replace("\0", "").strip()
