"""Transfer encodings: decoded as far as they go, and counted without decoding."""

from __future__ import annotations

import base64

import pytest

from pop3frames.parsing.limits import Notes
from pop3frames.parsing.transfer import decoded_bytes, decoded_size, encoding_of


def read(data: bytes, encoding: str) -> tuple[bytes, bool]:
    """The content, and whether the row would be flagged; counting must agree in both."""
    notes: Notes = set()
    counted: Notes = set()
    content = decoded_bytes(data, encoding, notes)
    assert decoded_size(b"xx" + data + b"yy", 2, 2 + len(data), encoding, counted) == len(content)
    assert counted == notes
    return content, notes == {"encoding"}


@pytest.mark.parametrize(
    ("data", "content", "flagged"),
    [
        (b"QUJD", b"ABC", False),
        (b"QUJD\r\nRA==\r\n", b"ABCD", False),
        (b"QUI=", b"AB", False),
        (b"", b"", False),
        (b"QUI", b"AB", True),
        (b"QUJDR", b"ABC", True),
        (b"QU JD!\0", b"ABC", False),
        (b"QQ==QUJD", b"A", True),
        (b"QUJD====", b"ABC", False),
        (b"QUJD====QUJD", b"ABCABC", False),
        (b"Q=UJD", b"ABC", False),
        (b"QQ==\r\n-- \r\nfooter\r\n", b"A", True),
        (b"====", b"", False),
    ],
)
def test_base64_is_read_as(data: bytes, content: bytes, flagged: bool) -> None:
    """Foreign bytes skipped, a lonely letter dropped, text after the padding ignored; a loss is noted."""
    assert read(data, "base64") == (content, flagged)


def test_a_large_base64_part_is_counted_in_slices() -> None:
    """Padding may fall on the far side of a slice."""
    for size in (786_430, 786_431, 786_432, 2_000_000):
        data = base64.encodebytes(b"x" * size)
        assert decoded_size(data, 0, len(data), "base64", set()) == size


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"a=C3=A9=\r\nb=3d", "aéb=".encode()),
        (b"=XY=", b"=XY"),
        (b"a=0Ab\r\n", b"a\nb\r\n"),
        (b"_", b"_"),
        (b"a=c3=a9=20\r\n", "aé \r\n".encode()),
        (b"a= \t\r\nb=\t\nc= ", b"abc"),
        (b"a=  b", b"a=  b"),
        (b"a=\rb\ncd", b"ab\ncd"),
        (b"a=\r\r\nb", b"ab"),
        (b"a==41==\nb", b"a=A=b"),
        (b"=====\n====x", b"========x"),
        (b"a \r\nb", b"a \r\nb"),
    ],
)
def test_quoted_printable_is_read_as(data: bytes, content: bytes) -> None:
    """What is no escape stands for itself, blanks before a line end too; those in a soft line break go."""
    assert read(data, "quoted-printable") == (content, False)


def test_uuencode_as_a_transfer_encoding_is_decoded() -> None:
    """With rubbish in front of begin and after end."""
    assert read(b"hi\r\nbegin 644 a.txt\r\n#86)C\r\n \r\nend\r\nbye\r\n", "x-uuencode") == (b"abc", False)


@pytest.mark.parametrize(
    "data",
    [
        b"begin 0644 a b.txt\n#0V%T\n`\nend\n",
        b"begin 644 a\n#0V%T  \n \nend",
        b"begin 644 a\n#0V%T\n",
    ],
)
def test_variants_of_uuencode_are_read(data: bytes) -> None:
    """Four digits of mode, padded lines, grave or blank for zero, no end."""
    assert read(data, "x-uue") == (b"Cat", False)


def test_broken_uuencode_gives_what_can_be_read() -> None:
    """A line that is none is lost and noted; without a begin line nothing is touched."""
    assert read(b"begin 644 a\n#86)C\n\xff\xff\nend\n", "uuencode") == (b"abc", True)
    assert read(b"no begin", "uuencode") == (b"no begin", True)


@pytest.mark.parametrize("name", [b"7bit", b" 8BIT ", b"Binary", b"", b"8-bit (really)", b"(base64) 7bit"])
def test_encodings_that_change_nothing_are_one(name: bytes) -> None:
    """Whatever their case."""
    assert read(b"a=41", encoding_of(name)) == (b"a=41", False)


def test_an_unknown_encoding_leaves_the_bytes_and_is_noted() -> None:
    """Nothing better can be done."""
    assert read(b"a=41", encoding_of(b"x-martian")) == (b"a=41", True)
