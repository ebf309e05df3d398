"""Odd attachments: their names, their encodings, their places."""

from __future__ import annotations

from samples.building import (
    File,
    Sample,
    as_read,
    base64_lines,
    encoded_words,
    multipart,
    percent_encoded,
    raw_part,
    text_part,
    wire,
)
from samples.files import pdf
from samples.oddity import odd
from samples.people import (
    GRACE,
    RAFAEL,
)

BASE64 = "Content-Transfer-Encoding: base64"
PLAN = pdf("plan.pdf", "Harbour plan", "Not to scale")
NOTE = b"The spare key hangs behind the chart.\r\n"


def _with_file(
    name: str,
    oddity: str,
    sender_subject: str,
    part: bytes,
    described: tuple[str, str, int],
    unsure: tuple[str, ...] = (),
    parse_error: str | None = None,
) -> Sample:
    """A short text and one attachment, whose finished part is odd."""
    text = "The file is attached.\n"
    return odd(
        f"attachment-{name}",
        oddity,
        GRACE,
        sender_subject,
        part=multipart("mixed", f"file-{name}", [text_part(text), part]),
        text_starts=as_read(text),
        html_starts=None,
        attachments=[described],
        parse_error=parse_error,
        unsure=unsure,
    )


def _named(disposition: str, file: File) -> bytes:
    """A part in base64 whose Content-Disposition is written by hand."""
    return raw_part(
        file.content_type,
        base64_lines(file.content),
        BASE64,
        f"Content-Disposition: attachment; {disposition}",
    )


LONG_NAME = "Протокол измерения уровня воды, причал № 4, июнь 2026.pdf"
NAME_OCTETS = LONG_NAME.encode()
PIECES = [percent_encoded(each) for each in (NAME_OCTETS[:30], NAME_OCTETS[30:62], NAME_OCTETS[62:])]
BIDI_NAME = "harbour-fees\u202efdp.exe"
SIZE = len(PLAN.content)

ODD_ATTACHMENTS: tuple[Sample, ...] = (
    _with_file(
        "name-rfc2231-continued",
        "a Russian file name in three pieces (RFC 2231), out of order and cut inside a character",
        "Protocol of the fourth pier",
        _named(
            f"\r\n filename*1*={PIECES[1]};\r\n filename*0*=utf-8''{PIECES[0]};\r\n filename*2*={PIECES[2]}",
            PLAN,
        ),
        (LONG_NAME, "application/pdf", SIZE),
    ),
    _with_file(
        "name-encoded-word",
        "a file name as an encoded word inside quotes, which RFC 2047 forbids",
        "Plan, with a name from Nordsiel",
        _named(
            f'filename="{encoded_words("Plan-Außenhafen.pdf").replace(chr(13), "")}"'.replace("\n", "\r\n"),
            PLAN,
        ),
        ("Plan-Außenhafen.pdf", "application/pdf", SIZE),
    ),
    _with_file(
        "without-name",
        "an attachment without a file name",
        "Plan without a name",
        raw_part("application/pdf", base64_lines(PLAN.content), BASE64, "Content-Disposition: attachment"),
        ("", "application/pdf", SIZE),
    ),
    _with_file(
        "name-like-a-path",
        "a file name that climbs out of its folder",
        "Plan from somewhere else",
        _named('filename="../../etc/passwd"', File("", "text/plain", NOTE)),
        ("../../etc/passwd", "text/plain", len(NOTE)),
    ),
    _with_file(
        "name-with-bidi-override",
        "a file name with U+202E, so that .exe is shown as if it ended in .pdf",
        "Harbour fees",
        _named(
            f"filename*=utf-8''{percent_encoded(BIDI_NAME.encode())}",
            File("", "application/octet-stream", b"MZ, not really"),
        ),
        (BIDI_NAME, "application/octet-stream", 14),
    ),
    _with_file(
        "csv",
        "text/csv without a Content-Disposition: a text, but no body",
        "Levels of the night",
        raw_part('text/csv; charset=utf-8; name="night.csv"', wire("time,level_cm\n02:00,212\n04:00,198\n")),
        ("night.csv", "text/csv", len(wire("time,level_cm\n02:00,212\n04:00,198\n"))),
    ),
    _with_file(
        "winmail-dat",
        "a TNEF envelope, which stays closed",
        "Minutes, from the office program",
        _named(
            'filename="winmail.dat"', File("", "application/ms-tnef", b"\x78\x9f\x3e\x22\x01\x00" + bytes(26))
        ),
        ("winmail.dat", "application/ms-tnef", 32),
    ),
    _with_file(
        "empty",
        "an attachment of no octets",
        "The empty form",
        _named('filename="form.pdf"', File("", "application/pdf", b"")),
        ("form.pdf", "application/pdf", 0),
    ),
    _with_file(
        "base64-with-foreign-octets",
        "base64 with exclamation marks and blanks strewn in",
        "Plan, through the old gateway",
        _named('filename="plan.pdf"', PLAN).replace(b"Ug", b"U! g").replace(b"aW", b"a !W"),
        ("plan.pdf", "application/pdf", SIZE),
        ("parse_error",),
    ),
    _with_file(
        "base64-truncated",
        "base64 that ends with two letters of a group of four: one more octet, nothing after it",
        "Note, cut",
        raw_part(
            "application/octet-stream",
            base64_lines(NOTE)[:30] + b"\r\n",
            BASE64,
            'Content-Disposition: attachment; filename="note.bin"',
        ),
        ("note.bin", "application/octet-stream", 22),
        parse_error="encoding",
    ),
    odd(
        "attachment-name-on-inline-text",
        "two plain texts, the second with a file name but no attachment: both are body",
        RAFAEL,
        "My notes, inline",
        part=multipart(
            "mixed",
            "inline-notes",
            [
                text_part("See below.\n"),
                raw_part(
                    'text/plain; charset=utf-8; name="notes.txt"',
                    wire("1. tape\n2. bun\n"),
                    'Content-Disposition: inline; filename="notes.txt"',
                ),
            ],
        ),
        text_starts="See below.\n",
        html_starts=None,
        attachments=[],
    ),
)
