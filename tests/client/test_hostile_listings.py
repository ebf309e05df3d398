"""Servers that lie about numbers, sizes and unique-ids: such an entry counts for nothing, no mail is lost."""

from __future__ import annotations

import tracemalloc

import pytest
from client.in_memory import GREETING, HandlerInMemory, logged_in

from pop3frames.errors import POP3ProtocolError

MIB = 1 << 20

BIG = b"9" * 31
LISTINGS = {
    "negative": (b"1 20\r\n-2 20\r\n3 -20\r\n", [1]),
    "huge numbers": (b"1 20\r\n%s 20\r\n4294967297 20\r\n" % BIG, [1]),
    "huge sizes": (b"1 20\r\n2 %s\r\n" % BIG, [1]),
    "gaps": (b"1 20\r\n7 20\r\n99 20\r\n", [1, 7, 99]),
    "twice": (b"1 20\r\n1 9999999999\r\n", [1]),
    "no numbers": (b"x y\r\n\r\n \r\n1\r\n\xff \xff\r\n1 20\r\n", [1]),
    "zero": (b"0 20\r\n1 0\r\n", [1]),
    "more than STAT": (b"1 20\r\n2 20\r\n2147483647 20\r\n", [1, 2, 2147483647]),
}


@pytest.mark.parametrize(("listing", "numbers"), LISTINGS.values(), ids=LISTINGS)
def test_a_listing_that_lies_costs_its_entries_and_no_more(listing: bytes, numbers: list[int]) -> None:
    """Only numbers that can be ones are asked for, once each."""
    mail = b"+OK 99999999999999999999 octets\r\nSubject: x\r\n\r\n.\r\n"
    login = [GREETING, b"-ERR\r\n", b"+OK\r\n", b"+OK\r\n", b"-ERR\r\n"]
    handler = HandlerInMemory([*login, b"+OK 1 20\r\n" + listing + b".\r\n", *[mail] * 9, b"+OK\r\n"])
    messages = handler.fetch_messages()

    assert numbers == [message["messageId"] for message in messages]
    assert [b"RETR %d" % number for number in numbers] == handler.wires[0].lines[5:-1]


def test_lines_of_a_listing_that_count_for_nothing_are_told_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """How many, of LIST and of UIDL: whoever looks for a mail learns that one was hidden."""
    login = [GREETING, b"-ERR\r\n", b"+OK\r\n", b"+OK\r\n"]
    uidls = b"+OK\r\n1 a\r\n1 b\r\n2 \xff\r\n.\r\n"
    listing = b"+OK\r\n1 20\r\n1 30\r\nx y\r\n-5 7\r\n.\r\n"
    handler = HandlerInMemory([*login, uidls, listing, b"+OK\r\n"])

    assert ([1], 20) == handler.list_messages()
    assert "2 lines of UIDL" in caplog.text
    assert "3 lines of LIST" in caplog.text


def test_a_message_listed_too_large_is_not_asked_for() -> None:
    """Nor is anything allocated by what LIST or a reply announces."""
    login = [GREETING, b"-ERR\r\n", b"+OK\r\n", b"+OK\r\n", b"-ERR\r\n"]
    small = b"+OK -5 octets\r\nSubject: x\r\n\r\n.\r\n"
    handler = HandlerInMemory([*login, b"+OK\r\n1 9999999999\r\n2 20\r\n.\r\n", small, b"+OK\r\n"])
    tracemalloc.start()
    try:
        with pytest.warns(UserWarning, match=r"\[1\]"):
            assert [2] == [message["messageId"] for message in handler.fetch_messages()]
        grown = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert [b"RETR 2", b"QUIT"] == handler.wires[0].lines[5:]
    assert grown < 2 * MIB


@pytest.mark.parametrize(
    "status", [b"+OK", b"+OK -5 -%s" % BIG, b"+OK 1 -1", b"+OK %s 1" % BIG, b"+OK 1 %s" % BIG]
)
def test_a_stat_that_lies_is_an_error(status: bytes) -> None:
    """Never an IndexError, a ValueError or a negative count."""
    client = logged_in(status + b"\r\n")
    with pytest.raises(POP3ProtocolError, match="STAT"):
        client.stat()
    assert client.wire.closed


@pytest.mark.parametrize("reply", [b"+OK", b"+OK 2 20", b"+OK 1", b"+OK 1 -1", b"+OK 1 %s" % BIG, b"+OK x y"])
def test_the_size_of_a_message_that_a_server_lies_about_is_minus_one(reply: bytes) -> None:
    """As of one that is not there."""
    login = [GREETING, b"-ERR\r\n", b"+OK\r\n", b"+OK\r\n", b"-ERR\r\n"]
    assert -1 == HandlerInMemory([*login, reply + b"\r\n", b"+OK\r\n"]).get_message_size(1)


def test_strange_unique_ids_are_none_and_hide_no_message() -> None:
    """Too long, empty, with control characters, twice: the mail comes without. `../x` is just a string."""
    ids = [b"../x", b"u" * 5120, b"", b"a\x1b[2J", b"a b", b"\xff", b"same", b"same", b"u" * 255]
    uidls = b"+OK\r\n" + b"".join(b"%d %s\r\n" % entry for entry in enumerate(ids, 1)) + b".\r\n"
    sizes = b"+OK\r\n" + b"".join(b"%d 20\r\n" % n for n in range(1, 10)) + b".\r\n"
    mail = b"+OK\r\nSubject: x\r\n\r\n.\r\n"
    login = [GREETING, b"-ERR\r\n", b"+OK\r\n", b"+OK\r\n"]
    handler = HandlerInMemory([*login, uidls, sizes, *[mail] * 9, b"+OK\r\n"])
    messages = list(handler.iter_messages())

    known = {1: "../x", 9: "u" * 255}
    assert {n: known.get(n) for n in range(1, 10)} == {each.message_id: each.uidl for each in messages}
