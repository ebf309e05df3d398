"""The fuzz harness of the parser: one entry function, `check`, and mutators that know what mail is made of.

With atheris installed:  python tests/parsing/fuzz_parser.py [CORPUS_FOLDER] [-max_total_time=60]
Without it test_fuzz_parser.py runs a short round of its own over the same function.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from pop3frames.message import Message
from pop3frames.parsing.contents import attachments, headers, iter_parts
from pop3frames.parsing.parser import parse_headers, parse_message

HEADER_COLUMNS = ("message_id_header", "from_", "to", "cc", "bcc", "subject", "received_at", "size")
TOKENS = (
    b"\r\n", b"\n", b"\r", b"\x00", b" ", b"\t", b"--", b"--b", b"--b--", b"\r\n\r\n", b"\r\n ", b"=",
    b"=\r\n", b"=?", b"?=", b"=?utf-8?b?", b"=?iso-2022-jp?q?", b"=E9", b"<", b">", b"(", b")", b'"', b"\\",
    b",", b";", b":", b"@", b"\x1b$B", b"\x1b(B", b"+2AA-", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe9",
    b"\xf0\x9f\x98\x80", b"%00", b"*0*=", b"''", b"begin 644 a\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: message/rfc822\r\n",
    b"Content-Type: text/html; charset=utf-7\r\n", b"Content-Transfer-Encoding: base64\r\n",
    b"charset=utf-16", b"Content-Transfer-Encoding: x-uuencode\r\n",
    b"Date: 31 Dec 9999 23:59:60 -9999\r\n", b"999999999999999999999", b"filename*1*=utf-8''%00%ff",
    b"To: a:b:;,<>,<@x:y@z>\r\n", b"Received: by x;\r\n", b"QQ==QUJD",
)  # fmt: skip


def strings(row: Any) -> list[str]:
    """Every string in a message or an attachment, those in lists too."""
    found: list[str] = []
    for field in fields(row):
        value = getattr(row, field.name)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                found.append(each)
            elif hasattr(each, "filename"):
                found += strings(each)
    return found


def check(data: bytes) -> Message:
    """The promises that hold for any bytes. Raises AssertionError, or whatever the parser raised."""
    row = parse_message(data, number=7)
    for text in strings(row):
        text.encode("utf-8")
        assert "\0" not in text
    assert (row.message_id, row.pop_id, row.size) == (7, 7, len(data))
    assert row.attachment_count == len(row.attachments)
    assert "fallback" not in (row.parse_error or "")
    assert "minimal" not in (row.parse_error or "")
    preview = parse_headers(data, number=7)
    if row.parse_error != "empty":
        assert [getattr(row, name) for name in HEADER_COLUMNS] == [
            getattr(preview, name) for name in HEADER_COLUMNS
        ]
    files = list(attachments(data))
    assert [(each.content_type, each.size) for each in row.attachments] == [
        (each.content_type, len(each.content)) for each in files
    ]
    for part in iter_parts(data):
        (part.text() + part.content_id).encode("utf-8")
    for name, value in headers(data):
        (name + value).encode("utf-8")
    return row


# Mutators


def _cut(data: bytes, draw: random.Random) -> bytes:
    start, end = sorted((draw.randrange(len(data) + 1), draw.randrange(len(data) + 1)))
    return data[:start] + data[end:]


def _keep_beginning(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _insert_token(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(TOKENS) * draw.choice((1, 1, 1, 2, 50)) + data[at:]


def _change_byte(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]


def _swap_lines(data: bytes, draw: random.Random) -> bytes:
    lines = data.split(b"\n")
    one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _repeat_line(data: bytes, draw: random.Random) -> bytes:
    lines = data.split(b"\n")
    at = draw.randrange(len(lines))
    return b"\n".join([*lines[:at], *[lines[at]] * draw.choice((2, 3, 40)), *lines[at:]])


def _nest(data: bytes, draw: random.Random) -> bytes:
    boundary = draw.choice((b"b", b"b1", b"=_x"))
    opening = b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n--" + boundary + b"\r\n"
    return opening + data + b"\r\n--" + boundary + draw.choice((b"--", b"", b"x")) + b"\r\n"


def _drop_carriage_returns(data: bytes, draw: random.Random) -> bytes:
    return data.replace(b"\r\n", b"\n")


MUTATORS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut,
    _keep_beginning,
    _insert_token,
    _insert_token,
    _insert_token,
    _change_byte,
    _swap_lines,
    _repeat_line,
    _nest,
    _drop_carriage_returns,
)


def mutated(data: bytes, draw: random.Random) -> bytes:
    """`data` after one to six mutations."""
    for _ in range(draw.randint(1, 6)):
        data = draw.choice(MUTATORS)(data, draw)
    return data


def main() -> None:
    """Run under atheris, with its own mutations and ours in turn."""
    import atheris

    def custom_mutator(data: bytes, max_size: int, seed: int) -> bytes:
        draw = random.Random(seed)
        changed = mutated(data, draw) if draw.random() < 0.5 else atheris.Mutate(data, max_size)
        return changed[:max_size]

    atheris.instrument_all()
    atheris.Setup(sys.argv, check, custom_mutator=custom_mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
