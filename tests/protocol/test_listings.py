"""Numbers and names from a server: read where they can be, left out where they cannot, never trusted."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab import cpu

from pop3frames.errors import POP3ProtocolError
from pop3frames.protocol.framing import joined
from pop3frames.protocol.grammar import Limits
from pop3frames.protocol.listings import (
    parse_capabilities,
    parse_sizes,
    parse_stat,
    parse_unique_ids,
)
from pop3frames.protocol.numbered import Numbered

LISTLIKE = st.lists(
    st.binary(max_size=20)
    | st.lists(st.sampled_from([b"1", b"2", b"-1", b" ", b"  ", b"99999999999", b"x", b"\t", b"\n"])).map(
        b"".join
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (b"+OK 2 320", (2, 320)),
        (b"+OK 0 0", (0, 0)),
        (b"+OK  2   320 and more", (2, 320)),
        (b"+OK 1 9999999999999999999", (1, 9999999999999999999)),
    ],
)
def test_stat_is_a_count_and_octets_and_anything(status: bytes, expected: tuple[int, int]) -> None:
    """RFC 1939 section 5."""
    assert expected == parse_stat(status)


@pytest.mark.parametrize(
    "status",
    [
        b"+OK",
        b"+OK 2",
        b"+OK two 320",
        b"+OK -5 -9999999999999999999999",
        b"+OK 2 320x",
        b"+OK 1" + b"0" * 30 + b" 1",
        b"+OK 1 1" + b"0" * 30,
        b"+OK \xd9\xa1 1",
        b"+OK 2\x1b[2J 1",
    ],
)
def test_a_stat_that_is_no_stat_is_a_typed_error(status: bytes) -> None:
    """That can be printed."""
    with pytest.raises(POP3ProtocolError, match="STAT") as caught:
        parse_stat(status)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], {}),
        ([b"1 120", b"2 200"], {1: 120, 2: 200}),
        ([b"1   120", b" 2 200 by ann"], {1: 120, 2: 200}),
        ([b"2 200", b"7 0"], {2: 200, 7: 0}),
        ([b"1 %!d(float64=5461)", b"2 200"], {2: 200}),
        ([b"", b"1", b"1 ", b"x 1", b"1 x", b"-1 5", b"1 -5", b"+1 5", b"1\t5", b"1 5x"], {}),
        ([b"0 5", b"2147483648 5", b"2147483647 5"], {2147483647: 5}),
        ([b"1 99999999999", b"99999999999 1"], {}),
        ([b"1 5", b"1 6"], {1: 5}),
        ([b"\xd9\xa1 5", b"1 \xd9\xa1"], {}),
    ],
)
def test_sizes_are_read_from_the_lines_that_have_them(lines: list[bytes], expected: dict[int, int]) -> None:
    """A line that cannot be read costs its entry and no more; listed twice, the first counts."""
    assert expected == parse_sizes(joined(lines))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            [b"1 whqtswO00WBw418f9t5JxYwZ", b"2 QhdPYR:00WBw1Ph7x7"],
            {1: "whqtswO00WBw418f9t5JxYwZ", 2: "QhdPYR:00WBw1Ph7x7"},
        ),
        ([b"1   abc ", b" 2 d"], {1: "abc", 2: "d"}),
        ([b"1 ../x", b"2 ;&$(id)"], {1: "../x", 2: ";&$(id)"}),
        ([b"1", b"1 ", b"2 a b", b"3 a\tb", b"4 a\0", b"5 caf\xc3\xa9", b"6 \x1b[2J", b"7 a\x7f"], {}),
        ([b"1 a", b"1 b", b"2 a"], {1: "a", 2: "a"}),
        ([b"0 a", b"-1 b", b"99999999999 c", b"x d"], {}),
    ],
)
def test_unique_ids_are_read_from_the_lines_that_have_them(
    lines: list[bytes], expected: dict[int, str]
) -> None:
    """0x21 to 0x7E (RFC 1939 section 7); the same id twice is for the caller to notice."""
    assert expected == parse_unique_ids(joined(lines))


def test_a_unique_id_may_be_as_long_as_its_limit() -> None:
    """255 by default: the RFC says 70, servers differ."""
    assert {1: "x" * 255} == parse_unique_ids(joined([b"1 " + b"x" * 255, b"2 " + b"x" * 256]))
    assert {1: "xx"} == parse_unique_ids(joined([b"1 xx", b"2 xxx"]), Limits(unique_id=2))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            [b"TOP", b"SASL PLAIN XOAUTH2", b"EXPIRE 0 USER"],
            {"TOP": [], "SASL": ["PLAIN", "XOAUTH2"], "EXPIRE": ["0", "USER"]},
        ),
        ([b"pipelining", b"Sasl plain"], {"PIPELINING": [], "SASL": ["plain"]}),
        ([b"", b"  ", b"EXPIRENEVER"], {"EXPIRENEVER": []}),
        ([b"IMPLEMENTATION \xff"], {"IMPLEMENTATION": ["\\xff"]}),
    ],
)
def test_capabilities_are_names_in_upper_case_with_arguments_as_they_came(
    lines: list[bytes], expected: dict[str, list[str]]
) -> None:
    """RFC 2449 section 5: tags are case-insensitive."""
    assert expected == parse_capabilities(lines)


@settings(deadline=None)
@given(LISTLIKE)
def test_any_lines_give_entries_that_can_be_used(lines: list[bytes]) -> None:
    """Never an exception; numbers in range, ids printable ASCII, sizes not negative."""
    sizes, ids = parse_sizes(joined(lines)), parse_unique_ids(joined(lines))

    assert all(1 <= number < 2**31 for number in [*sizes, *ids])
    assert all(size >= 0 for size in sizes.values())
    assert all(each.isascii() and each.isprintable() and " " not in each for each in ids.values())
    assert all(name == name.upper() for name in parse_capabilities(lines))


NEARLY_PLAIN = st.lists(
    st.tuples(
        st.sampled_from([None] * 20 + [b"1", b"7", b"01", b"+1", b"1_0", b"0", b"99999999999"]),
        st.sampled_from([b" "] * 20 + [b"  ", b"\t", b"", b"\x0b"]),
        st.sampled_from([b"120", b"0", b"9999999999", b"whqtswO00WBw418f9t5JxYwZ"] * 5)
        | st.sampled_from(
            [b"", b"x y", b"1 ", b"00000000120", b"1_0", b"x" * 256, b"\x7f", b"\xa0", b"1\n", b"\r"]
        ),
    ),
    max_size=9,
).map(lambda rows: joined([(n or b"%d" % at) + gap + end for at, (n, gap, end) in enumerate(rows, 1)]))


@pytest.mark.parametrize("parse", [parse_sizes, parse_unique_ids])
@pytest.mark.parametrize("piece", [1, 1 << 20])
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(block=NEARLY_PLAIN | LISTLIKE.map(joined))
def test_a_plain_listing_is_read_as_any_other(
    parse: Callable[[bytes], Mapping[int, object]], piece: int, block: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more line, that cannot be read, and it is read line by line: the entries are the same."""
    monkeypatch.setattr("pop3frames.protocol.listings._PIECE", piece)
    plain, odd = parse(block), parse(block + b"?\r\n")
    assert type(odd) is dict
    assert odd == plain
    assert list(odd.items()) == list(plain.items())
    assert list(odd.values()) == list(plain.values()) == [plain[number] for number in plain]


@pytest.mark.parametrize("parse", [parse_sizes, parse_unique_ids])
def test_a_plain_listing_is_read_like_a_dict(parse: Callable[[bytes], Mapping[int, object]]) -> None:
    """By numbers only, from 1; and whatever equals one, as with a dict."""
    listing = parse(b"1 120\r\n2 121\r\n3 122\r\n")
    assert isinstance(listing, Numbered)
    assert ("122", 3, range(1, 4)) == (str(listing[3]), len(listing), listing.numbers)
    assert (True, True, True) == (1 in listing, 1.0 in listing, listing.get(True) == listing[1])
    for missing in (0, -1, 4, "1", None, 1.5):
        assert missing not in listing
        assert listing.get(missing) is None  # type: ignore[call-overload]
        with pytest.raises(KeyError):
            listing[missing]  # type: ignore[index]


def test_a_plain_listing_costs_little_more_than_its_octets() -> None:
    """As a dict it would be five times as much: a million unique-ids fit where others have a tenth."""
    block = b"".join(b"%d %032x\r\n" % (number, number) for number in range(1, 30_001))
    parse_unique_ids(block[: block.index(b"9 ")])
    tracemalloc.start()
    listing = parse_unique_ids(block)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 30_000 == len(listing)
    assert [f"{number:032x}" for number in (1, 9_999, 30_000)] == [listing[n] for n in (1, 9_999, 30_000)]
    assert kept < len(block)


@settings(deadline=None)
@given(st.binary(max_size=60) | LISTLIKE.map(lambda lines: b"+OK " + b" ".join(lines)))
def test_any_status_is_a_stat_or_a_typed_error(status: bytes) -> None:
    """Counts and octets are never negative."""
    try:
        count, octets = parse_stat(status)
    except POP3ProtocolError:
        return
    assert count >= 0
    assert octets >= 0


@pytest.mark.parametrize(
    "parse",
    [
        lambda lines: parse_sizes(joined(lines)),
        lambda lines: parse_unique_ids(joined(lines)),
        parse_capabilities,
    ],
)
@pytest.mark.parametrize("fill", [b"x", b" ", b"1", b"1 "])
def test_a_long_line_costs_time_in_proportion(parse: Callable[[list[bytes]], object], fill: bytes) -> None:
    """No pattern goes over it again and again."""
    n = 1_000_000 // len(fill)

    once, twice = b"1 " + fill * n + b"\x01", b"1 " + fill * 2 * n + b"\x01"

    # Where the first octets decide there is nothing to compare: 5 ms stand for that.
    assert cpu.growth(lambda: parse([once]), lambda: parse([twice]), least=0.005) < 3
