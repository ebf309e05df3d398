"""Charsets: what a label means, and what is shown when it lies."""

from __future__ import annotations

import codecs

import pytest

from pop3frames.parsing.charsets import codec_of, decoded
from pop3frames.parsing.labels import CODECS
from pop3frames.parsing.limits import Notes


def read(data: bytes, label: str = "", *, html: bool = False) -> tuple[str, bool]:
    """The text, and whether the row would be flagged."""
    notes: Notes = set()
    text = decoded(data, label, notes, html=html)
    assert notes <= {"charset"}
    return text, bool(notes)


def test_every_label_names_a_text_codec_of_python() -> None:
    """The table has no slip of the pen."""
    assert {codec for codec in CODECS.values() if not codecs.lookup(codec)._is_text_encoding} == set()


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("iso-8859-1", "cp1252"),
        ("US-ASCII", "utf_8"),
        ("unknown-8bit", "utf_8"),
        ("GB2312", "gb18030"),
        ("gbk", "gb18030"),
        ("euc-kr", "cp949"),
        ("ks_c_5601-1987", "cp949"),
        ("Shift_JIS", "cp932"),
        ("iso-8859-9", "cp1254"),
        ("tis-620", "cp874"),
        ("big5", "big5hkscs"),
        (' "utf-8" ', "utf_8"),
        ("UTF_8", "utf_8"),
        ("windows1251", "cp1251"),
        ("CP-850", "cp850"),
        ("iso8859_11", "cp874"),
        ("x-sjis", "cp932"),
    ],
)
def test_a_label_means_what_the_web_takes_it_for(label: str, codec: str) -> None:
    """Labels lie in known ways."""
    assert codec_of(label) == codec


@pytest.mark.parametrize(
    "label", ["idna", "punycode", "unicode_escape", "rot13", "base64", "a\0b", "x" * 200, ""]
)
def test_what_is_no_charset_is_never_looked_up(label: str) -> None:
    """Python's registry knows codecs that have no business in mail."""
    assert codec_of(label) is None


@pytest.mark.parametrize(
    "label", ["utf-8", "koi8-r", "iso-8859-2", "windows-1251", "gb18030", "euc-jp", "utf-16"]
)
def test_a_label_that_fits_is_believed(label: str) -> None:
    """Without a note."""
    text = {"iso-8859-2": "Żółć", "gb18030": "你好", "euc-jp": "日本"}.get(label, "Привет")
    assert read(text.encode(label), label) == (text, False)


def test_latin_text_that_is_valid_utf8_is_utf8() -> None:
    """True Latin text almost never is."""
    assert read("Grüße".encode(), "iso-8859-1") == ("Grüße", False)
    assert read("Grüße".encode("latin-1"), "iso-8859-1") == ("Grüße", False)


def test_a_known_label_that_does_not_fit_gives_way_to_utf8() -> None:
    """Strictly valid UTF-8 is no accident."""
    assert read("日本語".encode(), "shift_jis") == ("日本語", False)


def test_a_known_label_that_does_not_fit_at_all_loses_characters_and_says_so() -> None:
    """U+FFFD where the label makes no sense."""
    text, flagged = read(b"ab\xff\xff", "euc-kr")
    assert (text[:2], "\ufffd" in text, flagged) == ("ab", True, True)


def test_utf8_with_a_few_bad_bytes_stays_utf8() -> None:
    """Also when it was cut within a character."""
    assert read("日本語".encode()[:-1], "utf-8") == ("日本\ufffd", True)
    assert read(b"\xe6\x97", "utf-8") == ("\ufffd", True)
    assert read("héé".encode() + b"\xff!", "utf-8") == ("héé\ufffd!", True)


def test_hardly_any_valid_utf8_is_windows_1252() -> None:
    """The label was a lie, and the row says so."""
    assert read("Grüße für Zoë".encode("cp1252"), "utf-8") == ("Grüße für Zoë", True)
    assert read(b"caf\xe9", "utf-8") == ("café", True)


def test_without_a_label_it_is_a_bom_then_utf8_then_windows_1252() -> None:
    """And none of them is worth a note."""
    assert read(codecs.BOM_UTF16_LE + "né".encode("utf-16-le")) == ("né", False)
    assert read(codecs.BOM_UTF8 + "né".encode()) == ("né", False)
    assert read("né".encode()) == ("né", False)
    assert read(b"n\xe9") == ("né", False)


def test_without_a_label_the_escapes_of_iso_2022_jp_are_known() -> None:
    """They are ASCII bytes, which is why the ASCII short cut must not be taken."""
    assert read("日本語".encode("iso2022_jp")) == ("日本語", False)


def test_without_a_label_html_may_name_its_own_charset() -> None:
    """Within the first 1,024 octets, as in a browser."""
    page = '<html><META http-equiv=x content="text/html; charset=koi8-r">Привет'.encode("koi8-r")
    assert read(page, html=True)[0].endswith("Привет")
    assert not read(page)[0].endswith("Привет")
    assert not read(b" " * 1100 + page, html=True)[0].endswith("Привет")
    assert read(b'<meta charset="utf-16">\xe9', html=True)[0].endswith("é")


def test_an_unknown_label_is_noted_and_guessed() -> None:
    """Also when the text turns out to be plain ASCII."""
    assert read("né".encode(), "x-martian") == ("né", True)
    assert read(b"plain", "x-martian") == ("plain", True)


@pytest.mark.parametrize("codec", ["iso2022_jp", "hz", "utf_7", "utf_16_be", "utf_32_le", "iso2022_kr"])
def test_codecs_that_hide_in_ascii_are_decoded(codec: str) -> None:
    """bytes.isascii() says nothing about them."""
    text = "한국" if codec.endswith("kr") else "日本"
    label = {"iso2022_jp": "iso-2022-jp", "iso2022_kr": "iso-2022-kr", "utf_32_le": "utf-32le"}.get(
        codec, codec
    )
    label = label.replace("utf_16_be", "utf-16be").replace("utf_7", "utf-7")
    assert read(text.encode(codec), label) == (text, False)


def test_utf16_without_a_bom_is_read_by_its_zeros() -> None:
    """Little-endian unless the first octet is zero."""
    assert read("hi".encode("utf-16-le"), "utf-16") == ("hi", False)
    assert read("hi".encode("utf-16-be"), "utf-16") == ("hi", False)
    assert read("hi".encode("utf-16"), "utf-16") == ("hi", False)


@pytest.mark.parametrize("label", ["utf-16", "utf-16le", "utf-16be", "utf-32"])
def test_a_wide_label_on_narrow_text_gives_no_nonsense(label: str) -> None:
    """Wide text without a single zero octet would hold neither a blank nor a line end."""
    assert read(b"plain text\r\n", label) == ("plain text\r\n", False)
    assert read("née".encode(), label) == ("née", False)


def test_wide_text_without_zeros_that_is_no_utf8_is_believed() -> None:
    """Japanese needs neither blanks nor Latin letters."""
    assert read("日本".encode("utf-16-be"), "utf-16be") == ("日本", False)


def test_a_byte_order_mark_of_utf16_overrules_a_label_of_utf8() -> None:
    """No UTF-8 can begin like that (Encoding Standard, "decode")."""
    assert read("né".encode("utf-16"), "utf-8") == ("né", False)


def test_labels_that_differ_only_in_punctuation_never_mean_two_codecs() -> None:
    """Else the loose comparison would depend on the order of the table."""
    found: dict[str, set[str]] = {}
    for label, codec in CODECS.items():
        found.setdefault("".join(filter(str.isalnum, label)), set()).add(codec)
    assert {label: codecs_ for label, codecs_ in found.items() if len(codecs_) > 1} == {}


@pytest.mark.parametrize(
    ("data", "label", "text"),
    [
        (b"\x1b(J\\a\x1b(B", "iso-2022-jp", "¥a"),
        (b"\x1b(I1\x1b(B", "iso-2022-jp", "ｱ"),
        (b"\xc4\xe3\x81\x40", "gb2312", "你丂"),
        ("㗎".encode("big5hkscs"), "big5", "㗎"),
        ("їґ".encode("koi8-u"), "koi8-u", "їґ"),
        (b"\x85", "windows-874", "…"),
        ("日本①".encode("cp932"), "x-sjis", "日本①"),
        (b"Hi +Jjo-", "utf-7", "Hi ☺"),
        ("é".encode(), "unknown-8bit", "é"),
        (b"\x80", "iso-8859-1", "€"),
        (b"\xa4", "iso-8859-15", "€"),
        ("똠".encode("cp949"), "ks_c_5601-1987", "똠"),
        (b"~{VPND~}", "hz-gb-2312", "中文"),
        (codecs.BOM_UTF8 + b"hi", "us-ascii", "hi"),
    ],
)
def test_text_in_a_charset_is_read_as(data: bytes, label: str, text: str) -> None:
    """Characters beyond the narrow meaning of the label, without a note."""
    assert read(data, label) == (text, False)


def test_utf7_never_gives_a_lone_surrogate() -> None:
    """One of them would make a whole batch of rows fail."""
    assert read(b"a+2AA-b", "utf-7") == ("a\ufffdb", True)
    assert read("😀".encode("utf-7"), "utf-7") == ("😀", False)


def test_circled_digits_of_nec_survive_in_japanese() -> None:
    """Row 13 is in no JIS standard of that time, and in very many mails."""
    pair = b"\x2d\x21"
    assert read(b"\x1b$B" + pair + b"\x1b(B!", "iso-2022-jp") == ("①!", False)
    assert read(bytes(byte | 0x80 for byte in pair), "euc-jp") == ("①", False)
    assert read(b"\x87\x40", "shift_jis") == ("①", False)


def test_half_width_katakana_in_iso_2022_jp_survives_beside_nec_characters() -> None:
    """And a shift ends with its line."""
    assert read(b"\x1b$B\x2d\x21\x1b(I1\n\x1b(Bz", "iso-2022-jp") == ("①ｱ\nz", False)


def test_nul_is_removed() -> None:
    """Databases refuse it, and mislabelled UTF-16 becomes readable."""
    assert read("né".encode("utf-16-le")[:2] + b"x\0y", "us-ascii")[0] == "nxy"


def test_bytes_undefined_in_windows_1252_are_lost_and_noted() -> None:
    """Five of them have no character."""
    assert read(b"\xe9\x81", "windows-1252") == ("é\ufffd", True)
    assert read(b"\xe9\x81") == ("é\ufffd", True)
