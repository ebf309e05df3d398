"""Header text: folding, encoded words, control characters."""

from __future__ import annotations

import pytest

from pop3frames.parsing.limits import DEFAULT_LIMITS, Limits, Notes
from pop3frames.parsing.words import decoded_words, header_text


def text(value: str | bytes, limits: Limits = DEFAULT_LIMITS) -> str:
    """The value as a row would show it."""
    return header_text(value if isinstance(value, bytes) else value.encode(), limits, set())


def test_folding_loses_the_line_end_and_keeps_the_blank() -> None:
    """RFC 5322 section 2.2.3."""
    assert text(" one\r\n two\n\tthree") == "one two three"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe_aus?=", "Grüße aus"),
        ("=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=\r\n =?iso-8859-1?q?=E9?=", "aé"),
        ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        ('"=?utf-8?q?=C3=A9?="', '"é"'),
        ("Re:=?utf-8?q?=C3=A9?=!", "Re:é!"),
        ("=?utf-8*de?q?=C3=A9?=", "é"),
        ("=?utf-8?q?a b?=", "a b"),
        ("=?utf-8?q?really??=", "really?"),
        ("=?utf-8?q?1=2?=", "1=2"),
        ("=?utf-8?b?w6k?=", "é"),
        ("=?utf-8?b?w6k===?=", "é"),
        ("=?utf-8?b? w6 k= ?=", "é"),
        ("=?utf-8?b?w6lx?=", "éq"),
        ("=?us-ascii?Q?is_it=3F?=", "is it?"),
        ("=?utf-8?q?=5F=3D_?= x", "_=  x"),
        ("=?UtF-8?q?=c3=a9?=", "é"),
        ("=?utf-8?B?w6k?=", "é"),
        ("=?iso-8859-1?q?a?= =?iso-8859-2?q?_b?=", "a b"),
        ("(=?iso-8859-1?q?a?= =?iso-8859-1?q?b?=)", "(ab)"),
        ("=?utf-8?q?a?=b=?utf-8?q?c?=", "abc"),
        ("=?utf-8?q??=", ""),
        ("=?utf-8?q?a=4?=", "a=4"),
        ("=?utf-8?q?a=?=", "a="),
        ("=?gb2312?B?xA==?= =?gb2312?B?4w==?=", "你"),
        ("=?utf-8?q?=F0=9F=98?=\r\n\t=?utf-8?q?=80?=", "😀"),
        ("=?utf-7?q?+AOk-?=", "é"),
        ("=?x-martian?q?abc?=", "abc"),
        ("=?koi8-r?B?8NLJ18XU?=", "Привет"),
    ],
)
def test_encoded_words_are_decoded_wherever_they_stand(value: str, shown: str) -> None:
    """Glued to text, in quotes, with blanks inside, with a language, with wrong padding."""
    assert text(value) == shown


@pytest.mark.parametrize("value", ["=?utf-8?q?open", "=?utf-8?x?no?=", "=??q?no?=", "=?utf-8?q", "=? ?q?a?="])
def test_what_is_not_closed_stays_as_written(value: str) -> None:
    """Nothing is lost."""
    assert text(value) == value


def test_an_unclosed_word_leaves_the_next_one_alone() -> None:
    """Each is looked at for itself."""
    assert text("=?utf-8?q?open =?utf-8?q?=C3=A9?=") == "=?utf-8?q?open é"


def test_a_character_cut_in_two_words_survives() -> None:
    """Neighbours in one charset are joined as bytes, whatever their encoding."""
    assert text("=?utf-8?q?=E2=82?= =?UTF-8?b?rA==?=") == "€"


def test_words_in_shifting_charsets_are_decoded_one_by_one() -> None:
    """Each ISO-2022 word begins in ASCII (RFC 1468)."""
    assert text("=?iso-2022-jp?b?GyRCJCI=?= =?iso-2022-jp?b?GyRCJCQ=?=") == "あい"


def test_raw_eight_bit_text_is_utf8_or_windows_1252() -> None:
    """Never a surrogate."""
    assert text("é".encode()) == "é"
    assert text(b"\xe9t\xe9") == "été"
    assert text(b"caf\xe9") == "café"


def test_a_wrong_charset_in_a_word_goes_down_the_same_ladder_as_a_body() -> None:
    """Labelled UTF-8, written in Latin 1."""
    notes: Notes = set()
    assert decoded_words("=?utf-8?q?=E9t=E9?=", DEFAULT_LIMITS, notes) == "été"
    assert notes == {"charset"}


def test_control_characters_go_and_line_ends_become_blanks() -> None:
    """Also those that an encoded word smuggles in."""
    assert text(b"a\0b\x1bc\td") == "abc d"
    assert text("=?utf-8?q?a=0D=0ABcc:=09b=00?=") == "a Bcc: b"


def test_bidi_characters_stay_in_the_data() -> None:
    """They are escaped where they are shown."""
    assert text("a\u202eb") == "a\u202eb"


def test_words_beyond_the_limit_stay_as_written() -> None:
    """And the row is flagged."""
    notes: Notes = set()
    assert decoded_words(" =?utf-8?q?a?=" * 3, Limits(encoded_words=2), notes) == " aa =?utf-8?q?a?="
    assert notes == {"limit:encoded_words"}


def test_a_value_beyond_the_limit_is_cut() -> None:
    """And the row is flagged."""
    notes: Notes = set()
    assert header_text(b"abcdef", Limits(header_value=4), notes) == "abcd"
    assert notes == {"limit:header_value"}
