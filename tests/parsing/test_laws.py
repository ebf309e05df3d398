"""Laws that hold for any mail, found by hypothesis."""

from __future__ import annotations

import base64
import email.utils
import quopri
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from parsing.fuzz_parser import TOKENS, check
from parsing.mails import PICTURE, mail, multipart

from pop3frames.parsing.addresses import addresses
from pop3frames.parsing.dates import milliseconds
from pop3frames.parsing.limits import DEFAULT_LIMITS
from pop3frames.parsing.parser import parse_message
from pop3frames.parsing.transfer import decoded_bytes, decoded_size
from pop3frames.parsing.words import decoded_words

# Bytes with the punctuation of mail in them: pure noise finds little.
noise = st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=6)), max_size=40).map(b"".join)
# Text a mail can carry unchanged: no CR, no NUL, no surrogates.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff"), max_size=200)
words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
EARLIEST, LATEST = datetime(1900, 1, 2), datetime(9999, 12, 30)  # noqa: DTZ001  hypothesis wants them naive
local_parts = st.from_regex(r"[a-z0-9.+_-]{1,12}", fullmatch=True)
mailboxes = st.builds("{}@{}.example".format, local_parts, st.from_regex(r"[a-z0-9-]{1,8}", fullmatch=True))


def body(encoding: str, content: bytes) -> bytes:
    """A mail whose text is sent in this transfer encoding."""
    sent = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(
        content
    )
    fields = ("Content-Type: text/plain; charset=utf-8", f"Content-Transfer-Encoding: {encoding}")
    return mail(*fields, body=sent.replace(b"\n", b"\r\n") if encoding != "8bit" else sent)


@given(noise)
def test_any_bytes_give_a_row_that_keeps_every_promise(data: bytes) -> None:
    """No exception, no fallback, clean strings, sizes that agree."""
    check(data)


@given(noise)
def test_every_kind_of_buffer_gives_the_same_row(data: bytes) -> None:
    """bytes, bytearray, memoryview."""
    row = parse_message(data)
    assert row == parse_message(bytearray(data)) == parse_message(memoryview(data))


@given(noise)
def test_the_lf_twin_gives_the_same_row_but_for_sizes(data: bytes) -> None:
    """POP3 sends CRLF, a mock may send LF. Wide charsets are left out: their line ends are other octets."""
    lf = data.replace(b"\r", b"").replace(b"utf-16", b"utf-8").replace(b"\xff\xfe", b"")
    one, other = parse_message(lf), parse_message(lf.replace(b"\n", b"\r\n"))
    for row in (one, other):
        row.size = 0
        row.attachments = [replace(each, size=0) for each in row.attachments]
    assert one == other


@given(texts)
def test_one_more_unknown_header_changes_only_the_size(text: str) -> None:
    """Whatever the mail says."""
    raw = mail("Subject: a", body=text.encode())
    one, other = parse_message(raw), parse_message(b"X-Unknown: y\r\n" + raw)
    assert other.size - one.size == len(b"X-Unknown: y\r\n")
    assert one == replace(other, size=one.size)


@given(texts)
def test_wrapping_in_a_multipart_keeps_bodies_and_attachments(text: str) -> None:
    """A level more is no difference to the reader."""
    part = body("base64", text.encode())
    one, other = (parse_message(raw) for raw in (part, multipart(multipart(part, boundary="inner"), PICTURE)))
    assert (one.text_body, [each.filename for each in other.attachments]) == (other.text_body, ["a.png"])


@given(texts)
@example("a\nb  \n.\n=\n")
def test_encoding_a_part_otherwise_keeps_the_row(text: str) -> None:
    """base64, quoted-printable and 8bit carry the same text."""
    rows = [parse_message(body(each, text.encode())) for each in ("base64", "quoted-printable", "8bit")]
    assert [row.text_body for row in rows] == [text] * 3
    assert {row.parse_error for row in rows} == {None}


@given(st.lists(words, min_size=1, max_size=6), st.data())
def test_folding_a_header_elsewhere_keeps_the_row(pieces: list[str], data: st.DataObject) -> None:
    """A fold may stand before any blank."""
    at = data.draw(st.integers(0, len(pieces)))
    folded = " ".join(pieces[:at]) + "\r\n " + " ".join(pieces[at:])
    flat = " ".join(pieces[:at]) + " " + " ".join(pieces[at:])
    assert (
        parse_message(mail(b"Subject: x" + folded.encode())).subject
        == parse_message(mail(b"Subject: x" + flat.encode())).subject
    )


@given(st.binary(max_size=200), st.integers(0, 80), st.binary(max_size=3))
def test_counted_size_of_base64_is_the_decoded_size(content: bytes, at: int, dirt: bytes) -> None:
    """Whether it is clean or not."""
    sent = base64.encodebytes(content)
    sent = sent[:at] + dirt + sent[at:]
    assert decoded_size(sent, 0, len(sent), "base64", set()) == len(decoded_bytes(sent, "base64", set()))


@given(st.lists(st.tuples(st.one_of(st.just(""), words), mailboxes), max_size=4))
def test_a_joined_list_of_addresses_is_read_back(pairs: list[tuple[str, str]]) -> None:
    """Names are quoted for the way, and come back plain."""
    expected = [f"{name} <{address}>" if name else address for name, address in pairs]
    quoted = [
        '"{}" <{}>'.format(name.replace("\\", "\\\\").replace('"', '\\"'), address) if name else address
        for name, address in pairs
    ]
    decoded = [decoded_words(each, DEFAULT_LIMITS, set()) for each in expected]
    assert addresses(", ".join(quoted).encode(), DEFAULT_LIMITS, set()) == decoded


@given(
    st.datetimes(EARLIEST, LATEST).map(lambda moment: moment.replace(microsecond=0)),
    st.integers(-23 * 60, 23 * 60),
)
def test_the_date_of_a_formatted_timestamp_is_the_timestamp(moment: datetime, offset: int) -> None:
    """In any zone."""
    there = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    expected = (there - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    if there.year >= 1000:
        assert milliseconds(email.utils.format_datetime(there).encode()) == expected


@pytest.mark.parametrize(
    "charset", ["utf-8", "iso-8859-1", "koi8-r", "shift_jis", "gb2312", "big5", "euc-kr"]
)
@given(st.data())
def test_what_is_encoded_in_a_charset_is_read_back(charset: str, data: st.DataObject) -> None:
    """When the label is right and the text is long enough to tell."""
    sample = {
        "iso-8859-1": "Größe ",
        "koi8-r": "Привет ",
        "shift_jis": "日本語",
        "gb2312": "你好",
        "big5": "你好",
    }
    text = sample.get(charset, "한국어" if charset == "euc-kr" else "é日") * data.draw(st.integers(1, 5))
    raw = mail(f"Content-Type: text/plain; charset={charset}", body=text.encode(charset))
    assert parse_message(raw).text_body == text
