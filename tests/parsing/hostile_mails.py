"""Families of mails written to stall a parser or to eat memory: each a function of one size.

Seeds for the linearity test and for the fuzzer.
"""

from __future__ import annotations

from collections.abc import Callable

Family = Callable[[int], bytes]


def _mail(*fields: bytes, body: bytes = b"text\r\n") -> bytes:
    return b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def _multipart(body: bytes, boundary: bytes = b"b") -> bytes:
    return _mail(b'Content-Type: multipart/mixed; boundary="' + boundary + b'"', body=body)


def nested_multiparts(n: int) -> bytes:
    """One multipart in another, each with its own boundary."""
    openings = (b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (i, i) for i in range(n))
    return b"".join(openings) + b"\r\ndeep\r\n"


def open_boundaries_and_dashes(n: int) -> bytes:
    """Boundaries that stay open above many lines that begin like a delimiter."""
    return nested_multiparts(20) + b"--b\r\n" * n


def many_parts(n: int) -> bytes:
    return _multipart(b"--b\r\n\r\nx\r\n" * n + b"--b--\r\n")


def many_part_headers(n: int) -> bytes:
    return _multipart(
        b"--b\r\nContent-Type: text/html; charset=x%d\r\n\r\n" * 1 % 1 + b"--b\r\nA: b\r\n\r\n" * n
    )


def false_delimiters(n: int) -> bytes:
    return _multipart(b"--b\r\n\r\n" + b"--bx\r\n" * n)


def long_boundary(n: int) -> bytes:
    return _multipart(b"--" + b"b" * n + b"\r\n\r\nx", b"b" * n)


def empty_lines(n: int) -> bytes:
    return _multipart(b"\r\n" * n)


def leading_empty_lines(n: int) -> bytes:
    return b"\r\n" * n + _mail(b"Subject: x")


def many_fields(n: int) -> bytes:
    return _mail(*[b"X: y"] * n)


def repeated_needed_fields(n: int) -> bytes:
    return _mail(*[b"To: a@b.example"] * n)


def long_header_line(n: int) -> bytes:
    return _mail(b"Subject: " + b"a" * n)


def long_folded_header(n: int) -> bytes:
    return _mail(b"Subject: a" + b"\r\n b" * n)


def many_received(n: int) -> bytes:
    return _mail(*[b"Received: by x; no date"] * n)


def closed_words(n: int) -> bytes:
    return _mail(b"Subject: " + b"=?utf-8?q?=C3=A9?= " * n)


def unclosed_words(n: int) -> bytes:
    return _mail(b"Subject: " + b"=?utf-8?q?abc " * n)


def unclosed_charsets(n: int) -> bytes:
    return _mail(b"Subject: " + b"=?a" * n)


def question_marks(n: int) -> bytes:
    return _mail(b"Subject: =?utf-8?q?" + b"?" * n)


def addresses(n: int) -> bytes:
    return _mail(b"To: " + b"a@b.example, " * n)


def open_parentheses(n: int) -> bytes:
    return _mail(b"From: " + b"(" * n)


def nested_comments(n: int) -> bytes:
    return _mail(b"From: " + b"(" * n + b")" * n + b" a@b.example")


def dotted_address(n: int) -> bytes:
    return _mail(b"From: " + b"a." * n)


def blanks(n: int) -> bytes:
    return _mail(b"From: a" + b" " * n + b"b")


def quotes(n: int) -> bytes:
    return _mail(b'From: "' + b'\\"' * n)


def angles(n: int) -> bytes:
    return _mail(b"From: " + b"<" * n)


def angles_and_quotes(n: int) -> bytes:
    return _mail(b"From: " + b'<"a' * n)


def escaped_angles(n: int) -> bytes:
    return _mail(b'From: <"' + b'\\<\\"' * n)


def colons(n: int) -> bytes:
    return _mail(b"To: x" + b"a:" * n)


def at_signs(n: int) -> bytes:
    return _mail(b"To: x" + b"a@ :" * n)


def semicolons(n: int) -> bytes:
    return _mail(b"Content-Type: text/plain" + b";" * n)


def parameters(n: int) -> bytes:
    return _mail(b"Content-Type: text/plain" + b"; a=b" * n)


def unclosed_parameters(n: int) -> bytes:
    return _mail(b"Content-Type: text/plain" + b';a="\\' * n)


def parameter_blanks(n: int) -> bytes:
    return _mail(b"Content-Type: text/plain;" + b" " * n + b"a" + b" " * n)


def pieces(n: int) -> bytes:
    numbered = b"".join(b"; filename*%d=a" % i for i in range(n))
    return _mail(b"Content-Disposition: attachment" + numbered)


def date_blanks(n: int) -> bytes:
    return _mail(b"Date: Mon, " + b" " * n)


def date_digits(n: int) -> bytes:
    return _mail(b"Date: Mon, 1 Jan 2020 00:00:00 +" + b"9" * n)


def date_comments(n: int) -> bytes:
    return _mail(b"Date: " + b"(" * n)


def uuencoded_begins(n: int) -> bytes:
    return _mail(b"Content-Transfer-Encoding: x-uuencode", body=b"begin 644 " + b"begin 644 \r" * n)


def base64_with_foreign_bytes(n: int) -> bytes:
    return _mail(b"Content-Type: image/png", b"Content-Transfer-Encoding: base64", body=b"QQ=!" * n)


def meta_tags(n: int) -> bytes:
    return _mail(b"Content-Type: text/html", body=b"\xff" + b"<meta " * n)


def escapes_of_iso_2022(n: int) -> bytes:
    return _mail(b"Content-Type: text/plain; charset=iso-2022-jp", body=b"\x1b$B\xff" * n)


# Each family with a size that takes tens of milliseconds.
FAMILIES: dict[Family, int] = {
    nested_multiparts: 150,
    open_boundaries_and_dashes: 100_000,
    many_parts: 2_000,
    many_part_headers: 2_000,
    false_delimiters: 20_000,
    long_boundary: 1_000_000,
    empty_lines: 2_000_000,
    leading_empty_lines: 500_000,
    many_fields: 100_000,
    repeated_needed_fields: 25_000,
    long_header_line: 2_000_000,
    long_folded_header: 250_000,
    many_received: 5_000,
    closed_words: 10_000,
    unclosed_words: 50_000,
    unclosed_charsets: 200_000,
    question_marks: 300_000,
    addresses: 15_000,
    open_parentheses: 20_000,
    nested_comments: 10_000,
    dotted_address: 300_000,
    blanks: 1_000_000,
    quotes: 30_000,
    angles: 20_000,
    angles_and_quotes: 8_000,
    escaped_angles: 8_000,
    colons: 20_000,
    at_signs: 15_000,
    semicolons: 500_000,
    parameters: 20_000,
    unclosed_parameters: 20_000,
    parameter_blanks: 1_000_000,
    pieces: 12_000,
    date_blanks: 2_000_000,
    date_digits: 2_000_000,
    date_comments: 1_000_000,
    uuencoded_begins: 200_000,
    base64_with_foreign_bytes: 500_000,
    meta_tags: 500_000,
    escapes_of_iso_2022: 20_000,
}
