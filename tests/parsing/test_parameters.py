"""Content-Type and Content-Disposition: types, quoted values, RFC 2231 pieces."""

from __future__ import annotations

import pytest

from pop3frames.parsing.limits import DEFAULT_LIMITS, Limits
from pop3frames.parsing.parameters import content_type, disposition


def kind(value: str | bytes) -> tuple[str, str, str, str]:
    """Media type, charset, boundary and name."""
    return content_type(value if isinstance(value, bytes) else value.encode(), DEFAULT_LIMITS)[:4]


def filename(value: str) -> str:
    """The file name after these parameters."""
    return disposition(b"attachment; " + value.encode(), DEFAULT_LIMITS).filename


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/plain", ("text/plain", "", "", "")),
        (" TEXT/Html ; Charset=UTF-8", ("text/html", "UTF-8", "", "")),
        ('multipart/mixed; boundary="a b=:"; x=y', ("multipart/mixed", "", "a b=:", "")),
        ("multipart/mixed;\r\n\tboundary=abc", ("multipart/mixed", "", "abc", "")),
        ("text/plain; charset=us-ascii (plain)", ("text/plain", "us-ascii", "", "")),
        ('text/plain; charset="utf-8', ("text/plain", "utf-8", "", "")),
        ("text/plain;;; charset = utf-8 ;", ("text/plain", "utf-8", "", "")),
        ("text/plain; charset=a; charset=b", ("text/plain", "a", "", "")),
        ("text", ("text/plain", "", "", "")),
        ("", ("text/plain", "", "", "")),
        ("/plain", ("text/plain", "", "", "")),
        ("a\0b/c\0d", ("text/plain", "", "", "")),
        ("application/pdf; name=my file.pdf", ("application/pdf", "", "", "my file.pdf")),
        ("text/plain charset=utf-8", ("text/plain", "utf-8", "", "")),
        ("multipart/mixed\r\n\tboundary=b", ("multipart/mixed", "", "b", "")),
        ("text/plain, charset=utf-8", ("text/plain", "utf-8", "", "")),
        ("message/rfc822\r\n Content-Type: a/b", ("message/rfc822", "", "", "")),
        ("text/html (c; d); charset=utf-8", ("text/html", "utf-8", "", "")),
        ("(c) text/html; charset=utf-8", ("text/html", "utf-8", "", "")),
        ("text / html;=x;charset=y;z", ("text/html", "y", "", "")),
        ('text/html; x="a; charset=b"; charset=c', ("text/html", "c", "", "")),
        ("text/html; charset=a; charset*=us-ascii'en'b", ("text/html", "b", "", "")),
        ("multipart/mixed; boundary=----=_a.b=", ("multipart/mixed", "", "----=_a.b=", "")),
        ('multipart/mixed; boundary="a\r\n b "', ("multipart/mixed", "", "a b", "")),
    ],
)
def test_a_content_type_is_read_as(value: str, expected: tuple[str, str, str, str]) -> None:
    """Lower case, first parameter of a name, quotes undone; without a slash it is text/plain."""
    assert kind(value) == expected


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("filename=a.txt", "a.txt"),
        ('filename="a; b.txt"', "a; b.txt"),
        (r'filename="a\"b\\c.txt"', r'a"b\c.txt'),
        (r'filename="C:\TEMP\new.txt"', r"C:\TEMP\new.txt"),
        ('filename="=?utf-8?q?=C3=A9.txt?="', "é.txt"),
        ("filename==?utf-8?q?=C3=A9.txt?=", "é.txt"),
        ("filename=né.txt", "né.txt"),
        ("filename*=utf-8'en'%C3%A9%20a.txt", "é a.txt"),
        ("filename*=iso-8859-1''%E9.txt", "é.txt"),
        ("filename=plain.txt; filename*=utf-8''%C3%A9.txt", "é.txt"),
        ("filename*0=a; filename*1=b.txt", "ab.txt"),
        ("filename*1*=%A9.txt; filename*0*=utf-8''a%C3", "aé.txt"),
        ("filename*0*=utf-8''%C3%A9; filename*1=\"%41.txt\"", "é%41.txt"),
        ("filename*10=c; filename*2=b; filename*0=a", "abc"),
        ("filename*=no%20charset", "no charset"),
        ("filename*=utf-8''a%0D%0Ab%00%07.txt", "a b.txt"),
        ('filename=""', ""),
        ('filename*0="a%20"; filename*1="b"', "a%20b"),
        ("filename*=''%C3%A9", "é"),
        ("filename*0*=''%C3; filename*1*=%A9", "é"),
        ("filename*=utf-8''it's", "it's"),
        ("filename*=UTF-8''a%zz", "a%zz"),
        ("filename*1=rest; filename=whole.txt", "whole.txt"),
        ("filename*0*=iso-2022-jp'ja'%1B$BF%7C; filename*1*=K%5C%1B(B", "日本"),
        ('filename="=?utf-8?b?w6k=?= =?utf-8?q?.txt?="', "é.txt"),
        ("filename=report (1).pdf", "report (1).pdf"),
        ('filename="a\r\n b.txt"', "a b.txt"),
    ],
)
def test_a_file_name_is_read_as(value: str, name: str) -> None:
    """Quoted, bare, encoded words although forbidden, and RFC 2231 in pieces, which wins."""
    assert filename(value) == name


def test_a_disposition_is_lower_case_and_may_be_missing_before_its_parameters() -> None:
    """Some programs send parameters alone."""
    assert disposition(b" ATTACHMENT ; x=y", DEFAULT_LIMITS).kind == "attachment"
    assert disposition(b"filename=a.txt", DEFAULT_LIMITS)[:2] == ("", "a.txt")
    assert disposition(b"; filename=a.txt", DEFAULT_LIMITS)[:2] == ("", "a.txt")


@pytest.mark.parametrize(
    "value",
    [
        "attachment filename=a",
        '"attachment"; filename=a',
        "attachment (c); filename=a",
        "attachment,filename=a",
    ],
)
def test_a_malformed_disposition_is_still_an_attachment(value: str) -> None:
    """Else a file would be shown as text."""
    assert disposition(value.encode(), DEFAULT_LIMITS)[:2] == ("attachment", "a")


def test_parameters_and_pieces_beyond_the_limit_are_ignored_and_noted() -> None:
    """Each by its own limit."""
    limits = Limits(parameters=1, pieces=2)
    value = b"attachment; a=1; filename=x; filename*0=a; filename*1=b; filename*2=c"
    found = disposition(value, limits)
    assert (found.filename, found.notes) == ("ab", {"limit:parameters", "limit:pieces"})


def test_a_long_value_is_read_but_not_cached() -> None:
    """The cache must not keep what an attacker sends."""
    before = content_type.__globals__["_content_type"].cache_info().currsize
    assert kind(b"text/html; x=" + b"y" * 2000)[0] == "text/html"
    assert content_type.__globals__["_content_type"].cache_info().currsize == before
