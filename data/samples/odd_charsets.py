"""Odd charsets: old ones, wrong labels, none, unknown."""

from __future__ import annotations

from samples.building import Person, Sample, as_read, encoded_words, raw_part, text_part, wire
from samples.oddity import odd
from samples.people import (
    DMITRI,
    ELLEN,
    GRACE,
    JIWON,
    MEI,
    PRIYA,
    TOMASZ,
    UWE,
    YUKI,
)

EIGHT_BIT = "Content-Transfer-Encoding: 8bit"
SEVEN_BIT = "Content-Transfer-Encoding: 7bit"


def _old_charset(charset: str, sender: Person, subject: str, text: str) -> Sample:
    """A message whose subject and body are in one charset of before Unicode."""
    transfer = "7bit" if charset == "iso-2022-jp" else "8bit"
    return odd(
        f"charset-{charset}",
        f"subject and body in {charset}",
        sender,
        "",
        headers={"Subject": encoded_words(subject, charset)},
        part=text_part(text, "plain", charset, transfer),
        subject=subject,
        text_starts=as_read(text),
        html_starts=None,
        attachments=[],
    )


def _body(
    name: str, oddity: str, sender: Person, subject: str, content_type: str, body: bytes, read: str
) -> Sample:
    """A message of one text/plain part whose octets are given; `read` is how its text begins."""
    part = raw_part(content_type, body, SEVEN_BIT if body.isascii() else EIGHT_BIT)
    return odd(name, oddity, sender, subject, part=part, text_starts=read, html_starts=None, attachments=[])


ODD_CHARSETS: tuple[Sample, ...] = (
    _old_charset("koi8-r", DMITRI, "Акт осмотра рейки", "Рейка в порядке, ноль не менялся.\n"),
    _old_charset("windows-1251", DMITRI, "Ещё один акт", "Подпись стоит на втором листе — внизу.\n"),
    _old_charset("iso-8859-2", TOMASZ, "Śruba i świece", "Łódź stoi na brzegu, śruba gotowa.\n"),
    _old_charset(
        "iso-2022-jp", YUKI, "潮位計の納期について", "九月で問題ありません。\n船便でお願いいたします。\n"
    ),
    _old_charset(
        "shift_jis", YUKI, "注文書の件", "ソフトの表は来週お送りします。\n能登の験潮所にもよろしく。\n"
    ),
    _old_charset("gb18030", MEI, "水池测试结果", "两只传感器的误差都小于一毫米。\n联系人：𠮷田先生。\n"),
    _old_charset("big5", MEI, "會議時間", "星期三上午十點，請準時參加。\n"),
    _old_charset("euc-kr", JIWON, "견적 감사합니다", "가격을 확인했습니다. 다음 주에 주문하겠습니다.\n"),
    _body(
        "charset-windows-1252-labelled-iso-8859-1",
        "dashes, quotes and a euro sign of windows-1252 under the label iso-8859-1",
        ELLEN,
        "Devis du câble",
        "text/plain; charset=iso-8859-1",
        wire("Le câble – « comme promis » – coûte 12 € le mètre…\n", "cp1252"),
        "Le câble – « comme promis » – coûte 12 € le mètre…",
    ),
    _body(
        "charset-utf-8-labelled-iso-8859-1",
        "UTF-8 under the label iso-8859-1",
        ELLEN,
        "Marée haute à sept heures",
        "text/plain; charset=iso-8859-1",
        wire("Déjà vu : la marée haute à sept heures, très calme.\n"),
        "Déjà vu : la marée haute à sept heures, très calme.",
    ),
    _body(
        "charset-unlabelled-8-bit",
        "octets of windows-1252 and no charset",
        UWE,
        "Frohe Ostern",
        "text/plain",
        wire("Grüße vom Außenhafen, schöne Ostern!\n", "cp1252"),
        "Grüße vom Außenhafen, schöne Ostern!",
    ),
    _body(
        "charset-unlabelled-utf-8",
        "UTF-8 and no charset",
        UWE,
        "Frohe Pfingsten",
        "text/plain",
        wire("Grüße vom Außenhafen, schöne Pfingsten!\n"),
        "Grüße vom Außenhafen, schöne Pfingsten!",
    ),
    odd(
        "charset-unknown",
        "a charset nobody has heard of; the octets are UTF-8",
        GRACE,
        "From the new chart plotter",
        part=raw_part("text/plain; charset=x-harbour-8", wire("Depth 3·5 m at the old crane.\n"), EIGHT_BIT),
        text_starts="Depth 3·5 m at the old crane.",
        html_starts=None,
        attachments=[],
        parse_error="charset",
    ),
    odd(
        "charset-utf-8-with-bad-octets",
        "UTF-8 in which two octets are broken",
        PRIYA,
        "Log of the bench",
        part=raw_part(
            "text/plain; charset=utf-8",
            wire("Größe 14 µA, später 15 µA, außen 16 µA.\n").replace(b" 15", b" \xff\xfe15"),
            EIGHT_BIT,
        ),
        text_starts="Größe 14 µA, später \ufffd\ufffd15 µA, außen 16 µA.",
        html_starts=None,
        attachments=[],
        parse_error="charset",
    ),
    odd(
        "charset-only-in-html-meta",
        "HTML whose charset is said by its meta element alone",
        TOMASZ,
        "Strona portu",
        part=raw_part(
            "text/html",
            wire(
                '<html><head><meta charset="iso-8859-2"></head>\n<body>Łódź stoi na brzegu.</body></html>\n',
                "iso-8859-2",
            ),
            EIGHT_BIT,
        ),
        text_starts=None,
        html_starts='<html><head><meta charset="iso-8859-2"></head>\n<body>Łódź stoi na brzegu.',
        attachments=[],
    ),
)
