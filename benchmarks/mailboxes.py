"""Mailboxes for the benchmarks: the same mails for the same seed, on any machine.

    mixed(count, seed)   (raw, truth) pairs: notes, newsletters, pictures, files, forwards, invitations in
                         seven scripts and many charsets; about 60 KB on average
    small(count)         raw mails of about 3 KB: what a mail costs
    large(count)         raw mails with one or two base64 files, about 50 KB: what an octet costs
    huge(count)          raw mails with one base64 file, about 5 MB

A truth is a dict of Message attributes with the values a parser should find; attachments are (filename, type,
size). Lines end with CRLF. Only the standard library is needed.
"""

from __future__ import annotations

import base64
import quopri
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

Truth = dict[str, Any]

# Language -> charsets it is sent in, words, names.
LANGUAGES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "en": (
        ("us-ascii", "utf-8", "iso-8859-1"),
        "the quarterly report is ready please review before noon and send comments to all of us thanks",
        "Ann Lee|Lee, Bob|Carl (Sales)|Dora D. Day",
    ),
    "de": (
        ("utf-8", "iso-8859-1", "windows-1252"),
        "bitte prüfen Sie die Übersicht für das größere Büro schöne Grüße aus Köln und bis übermorgen",
        "Jörg Groß|Zoë Müller",
    ),
    "ru": (
        ("utf-8", "koi8-r", "windows-1251"),
        "отчёт готов просим проверить данные до вечера спасибо за работу и хороших выходных",
        "Анна Белова|Пётр Орлов",
    ),
    "ja": (
        ("utf-8", "iso-2022-jp", "shift_jis", "euc-jp"),
        "会議 資料 を 確認 して ください 明日 の 予定 は 次 の とおり です よろしく お願い します",
        "田中 一郎|鈴木 花",
    ),
    "zh": (
        ("utf-8", "gb2312", "gb18030"),
        "会 上 的 文 件 在 此 有 不 同 大 小 我 以 出 入 行 主 人 公 司",
        "王明|李文",
    ),
    "tw": (
        ("utf-8", "big5"),
        "請 各 位 同 仁 確 認 會 議 資 料 明 天 見 謝",
        "陳大文|林小美",
    ),
    "pl": (
        ("utf-8", "iso-8859-2"),
        "proszę sprawdzić łączną sumę i przesłać źródła jeszcze dziś dziękuję za pomoc",
        "Łucja Żak|Michał Wiśniewski",
    ),
}
WEIGHTS = {"en": 50, "de": 14, "ru": 11, "ja": 9, "zh": 6, "tw": 3, "pl": 7}
KINDS = {"note": 38, "letter": 37, "page": 9, "picture": 6, "files": 8, "forward": 1, "invitation": 1}
FILENAMES = ("report.pdf", "photo 1.jpg", "table.xlsx", "Übersicht.pdf", "отчёт.pdf", "資料.zip")
TYPES = {
    "pdf": "application/pdf",
    "jpg": "image/jpeg",
    "xlsx": "application/vnd.ms-excel",
    "zip": "application/zip",
}
ENCODINGS = ("quoted-printable", "quoted-printable", "base64", "8bit")
LOCAL_PARTS = ("info", "first.last", "x+tag")
HOSTS = ("example.com", "example.org", "lists.example.net")


def mixed(count: int, seed: int = 1) -> Iterator[tuple[bytes, Truth]]:
    """Mails as a mailbox holds them, each with what a parser should find."""
    draw = random.Random(seed)
    noise = draw.randbytes(1 << 21)
    for number in range(count):
        yield _Mail(draw, noise, number).written()


def small(count: int, seed: int = 2) -> Iterator[bytes]:
    """Short plain notes."""
    draw = random.Random(seed)
    for number in range(count):
        mail = _Mail(draw, b"", number)
        yield mail.headed(mail.text_part("plain", draw.randrange(300, 1500)))


def large(count: int, seed: int = 3) -> Iterator[bytes]:
    """A short note with files of some ten thousand octets."""
    draw = random.Random(seed)
    noise = draw.randbytes(1 << 20)
    for number in range(count):
        mail = _Mail(draw, noise, number)
        files = [mail.file_part(draw.randrange(10_000, 40_000)) for _ in range(draw.choice((1, 1, 2)))]
        yield mail.headed(mail.multipart("mixed", [mail.text_part("plain", 1500), *files]))


def huge(count: int, seed: int = 4) -> Iterator[bytes]:
    """A short note with a film."""
    draw = random.Random(seed)
    noise = draw.randbytes(4 << 20)
    for number in range(count):
        mail = _Mail(draw, noise, number)
        film = mail.file_part(draw.randrange(3_400_000, 4_000_000))
        yield mail.headed(mail.multipart("mixed", [mail.text_part("plain", 1500), film]))


class _Mail:
    """One mail in the making, and its truth."""

    def __init__(self, draw: random.Random, noise: bytes, number: int) -> None:
        self.draw, self.noise, self.number = draw, noise, number
        self.language = draw.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        charsets, words, names = LANGUAGES[self.language]
        self.charset = draw.choice(charsets)
        self.vocabulary, self.names = words.split(), names.split("|")
        self.truth: Truth = {"text_body": None, "html_body": None, "attachments": []}

    def written(self) -> tuple[bytes, Truth]:
        kind = self.draw.choices(list(KINDS), list(KINDS.values()))[0]
        return self.headed(getattr(self, f"_{kind}")()), self.truth

    # Header

    def headed(self, content: bytes) -> bytes:
        """The message of these Content-* fields and this body, with a header block in front."""
        draw, truth = self.draw, self.truth
        sent = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randrange(150_000_000))
        truth["received_at"] = int(sent.timestamp()) * 1000
        truth["subject"] = self.words(draw.randint(2, 9))
        truth["message_id_header"] = f"<{draw.getrandbits(60):x}.{self.number}@{draw.choice(HOSTS)}>"
        hops = [
            f"Received: from mx{hop}.example.net ([192.0.2.{draw.randrange(1, 255)}])\r\n"
            f"\tby mx.{draw.choice(HOSTS)} with ESMTPS id {draw.getrandbits(50):x}\r\n"
            f"\tfor <a@example.com>; {format_datetime(sent)}"
            for hop in range(draw.randint(2, 7))
        ]
        if draw.random() < 0.6:
            digest = base64.b64encode(draw.randbytes(192)).decode()
            signature = "\r\n\t ".join(digest[at : at + 64] for at in range(0, len(digest), 64))
            hops.append(
                f"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s1;\r\n\th=from:to;\r\n\tb={signature}"
            )
        lines = [
            *hops,
            f"From: {self.addresses('from_', 1)}",
            f"To: {self.addresses('to', draw.choice((1, 1, 1, 1, 2, 5, 20)))}",
            f"Cc: {self.addresses('cc', draw.choice((1, 1, 3)))}"
            if draw.random() < 0.25
            else "X-Priority: 3",
            f"Subject: {encoded(truth['subject'], self.charset)}",
            f"Date: {format_datetime(sent)}",
            f"Message-ID: {truth['message_id_header']}",
            "MIME-Version: 1.0",
        ]
        truth.setdefault("cc", [])
        return "\r\n".join(lines).encode() + b"\r\n" + content

    def words(self, count: int) -> str:
        separator = "" if self.language in ("ja", "zh") else " "
        return separator.join(self.draw.choices(self.vocabulary, k=count))

    def addresses(self, column: str, count: int) -> str:
        """A field value of so many addresses; the truth gets them in their canonical form."""
        listed, sent = [], []
        for _ in range(count):
            address = f"{self.draw.choice(LOCAL_PARTS)}{self.draw.randrange(999)}@{self.draw.choice(HOSTS)}"
            name = self.draw.choice(self.names) if self.draw.random() < 0.8 else ""
            shown = f'"{name}"' if name.isascii() else encoded(name, self.charset)
            listed.append(f"{name} <{address}>" if name else address)
            sent.append(f"{shown} <{address}>" if name else address)
        self.truth[column] = listed[0] if column == "from_" else listed
        return ",\r\n\t".join(sent)

    # Kinds: each gives Content-* fields, an empty line and a body

    def _note(self) -> bytes:
        return self.text_part("plain", self.draw.randrange(150, 3500))

    def _page(self) -> bytes:
        return self.text_part("html", self.draw.randrange(5_000, 40_000))

    def _letter(self) -> bytes:
        sizes = self.draw.randrange(400, 5000), self.draw.randrange(10_000, 45_000)
        return self.multipart(
            "alternative", [self.text_part("plain", sizes[0]), self.text_part("html", sizes[1])]
        )

    def _picture(self) -> bytes:
        return self.multipart("related", [self._letter(), self.file_part(self.draw.randrange(3_000, 60_000))])

    def _files(self) -> bytes:
        sizes = [self.draw.lognormvariate(11.8, 0.9) for _ in range(self.draw.choice((1, 1, 2, 3)))]
        files = [self.file_part(int(min(2_000_000, max(20_000, size)))) for size in sizes]
        return self.multipart("mixed", [self._letter(), *files])

    def _forward(self) -> bytes:
        inner = b"From: inner@example.com\r\nSubject: inner\r\n\r\nThis text is not the row's.\r\n"
        self.truth["attachments"].append(("", "message/rfc822", len(inner)))
        return self.multipart("mixed", [self._note(), b"Content-Type: message/rfc822\r\n\r\n" + inner])

    def _invitation(self) -> bytes:
        calendar = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
        self.truth["attachments"].append(("", "text/calendar", len(calendar)))
        return self.multipart("mixed", [self._note(), b"Content-Type: text/calendar\r\n\r\n" + calendar])

    # Parts

    def text_part(self, subtype: str, size: int) -> bytes:
        lines, length = [], 0
        while length < size:
            line = self.words(self.draw.randint(6, 12))
            if subtype == "html":
                style = f"padding:{self.draw.randrange(30)}px;color:#{self.draw.getrandbits(24):06x}"
                link = f"https://click.example.com/t/{self.draw.getrandbits(90):x}?u=12&amp;id=345"
                line = f'<tr><td style="{style}"><a href="{link}">{line}</a> {self.words(20)}</td></tr>'
            lines.append(line)
            length += len(line)
        text = "\n".join(lines) + "\n"
        self.truth["html_body" if subtype == "html" else "text_body"] = text
        content = text.replace("\n", "\r\n").encode(self.charset)
        encoding = self.draw.choice(ENCODINGS)
        if encoding == "base64":
            content = base64.encodebytes(content).replace(b"\n", b"\r\n")
        elif encoding == "quoted-printable":
            content = quopri.encodestring(content.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
        fields = (
            f'Content-Type: text/{subtype}; charset="{self.charset}"\r\nContent-Transfer-Encoding: {encoding}'
        )
        return fields.encode() + b"\r\n\r\n" + content

    def file_part(self, size: int) -> bytes:
        name = self.draw.choice(FILENAMES)
        kind = TYPES[name.rpartition(".")[2]]
        self.truth["attachments"].append((name, kind, size))
        start = self.draw.randrange(len(self.noise) - size) if size < len(self.noise) else 0
        if name.isascii():
            parameter = f'filename="{name}"'
        elif self.draw.random() < 0.5:
            parameter = f"filename*=utf-8''{quote(name)}"
        else:
            parameter = f'filename="{encoded(name, "utf-8")}"'
        fields = f"Content-Type: {kind}\r\nContent-Disposition: attachment; {parameter}"
        content = base64.encodebytes(self.noise[start : start + size]).replace(b"\n", b"\r\n")
        return fields.encode() + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + content

    def multipart(self, subtype: str, parts: list[bytes]) -> bytes:
        boundary = f"=_part_{self.draw.getrandbits(80):x}"
        delimiter = b"--" + boundary.encode()
        fields = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n'.encode()
        return (
            fields + b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--\r\n"
        )


def encoded(text: str, charset: str) -> str:
    """Text as encoded words of at most 75 characters (RFC 2047); ASCII stays as it is."""
    if text.isascii():
        return text
    step = 40 if charset.startswith(("iso-8859", "windows", "koi8")) else 15  # characters
    pieces = (
        base64.b64encode(text[at : at + step].encode(charset)).decode() for at in range(0, len(text), step)
    )
    return "\r\n ".join(f"=?{charset}?B?{piece}?=" for piece in pieces)
