"""The files that travel as attachments: tiny but real PDF, PNG, ZIP, XLSX, DOCX, CSV and calendar files.

Nothing here is compressed: the output of a compressor differs between versions of zlib, these bytes must not.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from samples.building import File, wire

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
# Names that the Office formats prescribe (ECMA-376): identifiers, not places anybody visits.
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
FORMAT = "application/vnd.openxmlformats-officedocument"


def pdf(name: str, *lines: str) -> File:
    """A PDF of one A5 page with some lines of Helvetica."""
    shown = "".join(f"({line}) Tj T* " for line in lines).encode("cp1252")
    stream = b"BT /F1 12 Tf 40 540 Td 18 TL " + shown + b"ET"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 595] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    )
    content, offsets = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    content += b"xref\n0 6\n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        table,
        len(content),
    )
    return File(name, "application/pdf", content)


def png(name: str, rows: Sequence[str], colours: Mapping[str, tuple[int, int, int]], zoom: int = 4) -> File:
    """A PNG painted by letters: each letter of each row becomes a square of its colour."""
    pixels = b""
    for row in rows:
        line = b"".join(bytes(colours[letter]) * zoom for letter in row)
        pixels += (b"\0" + line) * zoom
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(pixels), len(pixels) ^ 0xFFFF) + pixels
    stored += struct.pack(">I", zlib.adler32(pixels))
    head = struct.pack(">IIBBBBB", len(rows[0]) * zoom, len(rows) * zoom, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", head), (b"IDAT", stored), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return File(name, "image/png", content)


def archive(name: str, members: Mapping[str, str], content_type: str = "application/zip") -> File:
    """A ZIP file of text members, stored, all dated 1 January 2026."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as folder:
        for member, text in members.items():
            entry = zipfile.ZipInfo(member, (2026, 1, 1, 0, 0, 0))
            entry.create_system = 3  # else it names the system that wrote it
            folder.writestr(entry, text.encode())
    return File(name, content_type, buffer.getvalue())


def _package(kind: str, main: str, main_text: str, more: Mapping[str, str]) -> dict[str, str]:
    overrides = "".join(
        f'<Override PartName="/{part}" ContentType="{FORMAT}.{kind_of}+xml"/>'
        for part, kind_of in {main: f"{kind}.main", **more}.items()
    )
    return {
        "[Content_Types].xml": f'{XML}<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>',
        "_rels/.rels": f'{XML}<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="{main}"/></Relationships>',
        main: XML + main_text,
    }


def xlsx(name: str, rows: Sequence[Sequence[str | float]]) -> File:
    """A workbook of one sheet; texts are kept inline, numbers as numbers."""
    cells = ""
    for row in rows:
        cells += "<row>"
        for value in row:
            if isinstance(value, str):
                cells += f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
            else:
                cells += f"<c><v>{value}</v></c>"
        cells += "</row>"
    book = (
        f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="r1"/></sheets></workbook>'
    )
    members = _package("spreadsheetml.sheet", "xl/workbook.xml", book, {})
    members["[Content_Types].xml"] = members["[Content_Types].xml"].replace(
        "</Types>",
        '<Override PartName="/xl/worksheets/sheet1.xml" '
        f'ContentType="{FORMAT}.spreadsheetml.worksheet+xml"/></Types>',
    )
    members["xl/_rels/workbook.xml.rels"] = (
        f'{XML}<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    )
    members["xl/worksheets/sheet1.xml"] = (
        f'{XML}<worksheet xmlns="{SHEET}"><sheetData>{cells}</sheetData></worksheet>'
    )
    return archive(name, members, f"{FORMAT}.spreadsheetml.sheet")


def docx(name: str, *paragraphs: str) -> File:
    """A word processor's document of plain paragraphs."""
    text = "".join(f"<w:p><w:r><w:t>{escape(paragraph)}</w:t></w:r></w:p>" for paragraph in paragraphs)
    body = f'<w:document xmlns:w="{WORD}"><w:body>{text}</w:body></w:document>'
    return archive(
        name,
        _package("wordprocessingml.document", "word/document.xml", body, {}),
        f"{FORMAT}.wordprocessingml.document",
    )


def csv(name: str, rows: Sequence[Sequence[object]], separator: str = ",") -> File:
    """A CSV file in UTF-8 with CRLF line ends (RFC 4180)."""
    text = "\n".join(separator.join(str(value) for value in row) for row in rows)
    return File(name, "text/csv; charset=utf-8", wire(text))


def plain(name: str, text: str) -> File:
    """A text file in UTF-8."""
    return File(name, "text/plain; charset=utf-8", wire(text))


def calendar(uid: str, start: str, end: str, summary: str, place: str, organiser: str) -> str:
    """An invitation (RFC 5546); times as in 20260115T130000Z."""
    return f"""
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Saltmark Gauges//Office calendar//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:{uid}@saltmark.example
DTSTAMP:{start}
DTSTART:{start}
DTEND:{end}
SUMMARY:{summary}
LOCATION:{place}
ORGANIZER:mailto:{organiser}
ATTENDEE;RSVP=TRUE:mailto:ines.albrecht@saltmark.example
END:VEVENT
END:VCALENDAR
"""


def tide_readings(station: str, day: str, every: int, count: int) -> list[list[object]]:
    """Water levels in centimetres, a triangle wave of 745 minutes: whole numbers, so no rounding differs."""
    rows: list[list[object]] = [["station", "time", "level_cm"]]
    for number in range(count):
        minute = number * every
        level = 40 + abs(745 - 2 * (minute % 745)) * 320 // 745
        rows.append([station, f"{day}T{minute // 60 % 24:02d}:{minute % 60:02d}:00Z", level])
    return rows
