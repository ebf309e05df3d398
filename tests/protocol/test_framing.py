"""Lines and dot-stuffed blocks: the same for any cut, whole whatever they hold, and within their limits."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lab import cpu

from pop3frames.errors import POP3ProtocolError
from pop3frames.protocol.framing import ReceiveBuffer, joined, lines, stuff, unstuff

MANY = 1 << 40
Cut = Callable[[bytes, list[int]], list[bytes]]


def _block(pieces: list[bytes], limit: int = MANY) -> tuple[bytes | None, bytes]:
    """The first block of these pieces and what is left behind it, taken as early as it is there."""
    buffer = ReceiveBuffer()
    block = None
    for piece in pieces:
        buffer.feed(piece)
        if block is None:
            block = buffer.take_block(limit)
    return block, bytes(buffer)


def _stuffed_by_the_book(content: bytes) -> bytes:
    """RFC 1939 section 3 line by line: an independent, slow way to the same bytes."""
    wire = b"".join(b"." * line.startswith(b".") + line + b"\r\n" for line in content.split(b"\r\n")[:-1])
    return wire + b".\r\n"


@settings(deadline=None)
@given(data=st.data())
def test_a_content_arrives_as_it_was_sent_for_any_cut(
    data: st.DataObject, wirelike: st.SearchStrategy[bytes], places: st.SearchStrategy[list[int]], cut: Cut
) -> None:
    """Stuffing and unstuffing is the identity, and what follows the block is left alone."""
    content, rest = data.draw(wirelike), data.draw(wirelike)
    content += b"\r\n" if content else b""

    assert (content, rest) == _block(cut(stuff(content) + rest, data.draw(places)))


@pytest.mark.parametrize("word", [b".", b"\r\n.", b"\r\n..", b"\n.\r\n", b"\r\n.\r\n", b"\r\n", b".\r\n."])
def test_a_long_stretch_without_dots_hides_no_line_that_starts_with_one(word: bytes) -> None:
    """Where a search jumps to the next dot, what begins with one is found at both edges of the jump."""
    for size in [*range(4080, 4110), *range(8180, 8200)]:
        stretch = b"A" * size
        for content in (stretch + word + b"\r\n", b"...\r\n" + stretch + word + stretch + word + b"\r\n"):
            assert (content, b"+OK") == _block([stuff(content) + b"+OK"])


def test_octets_of_an_earlier_block_that_lie_behind_are_not_searched() -> None:
    """The buffer is written over from its front: what it held before is not what came."""
    buffer = ReceiveBuffer()
    buffer.feed(b"a line of the first\r\n.\r\n")
    assert b"a line of the first\r\n" == buffer.take_block(MANY)
    buffer.feed(b"more")
    assert buffer.take_block(MANY) is None
    buffer.feed(b"\r\n.\r\n")
    assert b"more\r\n" == buffer.take_block(MANY)


@settings(deadline=None)
@given(data=st.data())
def test_stuffing_is_what_the_rfc_says_line_by_line(
    data: st.DataObject, wirelike: st.SearchStrategy[bytes]
) -> None:
    """The dot of every line that starts with one is doubled, the very first line's too."""
    content = data.draw(wirelike) + b"\r\n"

    assert _stuffed_by_the_book(content) == stuff(content)


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"", b".\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b".a\r\n.\r\n..\r\n", b"..a\r\n..\r\n...\r\n.\r\n"),
        (b"a\n.\nb", b"a\n.\nb\r\n.\r\n"),
        (b"a\r", b"a\r\r\n.\r\n"),
    ],
)
def test_a_content_goes_over_the_wire_stuffed_and_ended(content: bytes, wire: bytes) -> None:
    """The last line is ended, then a line that is only a dot."""
    assert wire == stuff(content)


@pytest.mark.parametrize("first", [b".foo", b"..foo", b"."])
def test_any_line_with_a_dot_in_front_loses_exactly_that_dot(first: bytes) -> None:
    """Not only a doubled one (RFC 1939 section 3; poplib strips doubled ones only)."""
    assert b"x\r\n" + first[1:] + b"\r\n" == unstuff(b"x\r\n" + first + b"\r\n")


@pytest.mark.parametrize(("first", "meant"), [(b"..foo", b".foo"), (b"..", b"."), (b".foo", b".foo")])
def test_a_single_dot_at_the_very_start_was_never_stuffed_and_stays(first: bytes, meant: bytes) -> None:
    """Dovecot 2.3 and Courier do not stuff the first octet of a mail: without this it would lose its dot."""
    assert meant + b"\r\nx\r\n" == unstuff(first + b"\r\nx\r\n")


FORGERIES = [
    b"x\n.\n+OK FAKE\r\n",
    b"x\r\n.\n+OK FAKE\r\n",
    b"x\n.\r\n+OK FAKE\r\n",
    b"x\r.\r+OK FAKE\r\n",
    b"x\r\n.\r+OK FAKE\r\n",
    b"x\r\r\n.\n\r\n",
    b"\n.\n\r\n",
    b"\0\r\n\0.\0\r\n",
    b"\r\r\r\n",
    b"\x00" * 3000 + b"\r\n",
    b"y" * 100_000 + b"\r\n",
    bytes(range(256)) + b"\r\n",
]


@pytest.mark.parametrize("body", FORGERIES, ids=lambda body: repr(body[:12]))
@pytest.mark.parametrize("size", [1, 2, 3, 10**9], ids=["octet by octet", "twos", "threes", "whole"])
def test_only_crlf_dot_crlf_ends_a_block(body: bytes, size: int) -> None:
    """A mail with bare CR, bare LF or NUL around a dot is whole, and forges no reply."""
    wire = stuff(body) + b"-ERR refused\r\n"
    pieces = [wire[at : at + size] for at in range(0, len(wire), size)]

    assert (body, b"-ERR refused\r\n") == _block(pieces)


def test_an_unfinished_block_or_line_is_nothing_yet() -> None:
    """None, and nothing is consumed."""
    wire = stuff(b"a\r\n.b\r\n")
    for end in range(len(wire)):
        assert (None, wire[:end]) == _block([wire[:end]])

    buffer = ReceiveBuffer()
    for octet in b"+OK\r":
        buffer.feed(bytes([octet]))
        assert buffer.take_line(100) is None
    buffer.feed(b"\n")
    assert b"+OK\r\n" == buffer.take_line(100)


@settings(deadline=None)
@given(data=st.data())
def test_lines_are_the_same_for_any_cut(
    data: st.DataObject, wirelike: st.SearchStrategy[bytes], places: st.SearchStrategy[list[int]], cut: Cut
) -> None:
    """Each with its line end, a bare LF left for the caller to refuse."""
    wire = data.draw(wirelike)
    buffer, taken = ReceiveBuffer(), []
    for piece in cut(wire, data.draw(places)):
        buffer.feed(piece)
        while (line := buffer.take_line(MANY)) is not None:
            taken.append(line)

    assert wire.split(b"\n") == [*(line.removesuffix(b"\n") for line in taken), bytes(buffer)]


@pytest.mark.parametrize("size", [1, 10**9], ids=["octet by octet", "whole"])
@pytest.mark.parametrize("excess", [0, 1])
def test_a_line_may_be_as_long_as_its_limit_and_not_an_octet_longer(size: int, excess: int) -> None:
    """The line end counts."""
    buffer, line = ReceiveBuffer(), b"x" * (18 + excess) + b"\r\n"

    def take() -> bytes | None:
        taken = None
        for at in range(0, len(line), size):
            buffer.feed(line[at : at + size])
            taken = buffer.take_line(20)
        return taken

    if excess:
        with pytest.raises(POP3ProtocolError, match="longer than 20 octets"):
            take()
    else:
        assert line == take()


def test_a_line_is_given_up_as_soon_as_it_cannot_end_within_its_limit() -> None:
    """A peer that sends no more is not waited for."""
    buffer = ReceiveBuffer()
    buffer.feed(b"x" * 19)
    assert buffer.take_line(20) is None
    buffer.feed(b"x")
    with pytest.raises(POP3ProtocolError):
        buffer.take_line(20)


@pytest.mark.parametrize("size", [1, 10**9], ids=["octet by octet", "whole"])
@pytest.mark.parametrize("excess", [0, 1])
def test_a_block_may_be_as_long_as_its_limit_and_not_an_octet_longer(size: int, excess: int) -> None:
    """Its lines with their ends count, as they come over the wire; the final dot does not."""
    content = b"x" * 10 + b"\r\n" + b"y" * (6 + excess) + b"\r\n"
    wire = stuff(content) + b"+OK the next reply\r\n"
    pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
    if excess:
        with pytest.raises(POP3ProtocolError, match="longer than 20 octets"):
            _block(pieces, limit=20)
    else:
        assert (content, b"+OK the next reply\r\n") == _block(pieces, limit=20)


def test_an_endless_block_is_given_up_at_its_limit() -> None:
    """Before more than the limit and one piece is held."""
    buffer = ReceiveBuffer()

    def read_on() -> None:
        while True:
            buffer.feed(b"x" * 100)
            buffer.take_block(5000)

    with pytest.raises(POP3ProtocolError):
        read_on()
    assert len(buffer) <= 5100


def test_clearing_forgets_what_came_and_where_the_search_was() -> None:
    """As after STLS: the next line is found from its beginning."""
    buffer = ReceiveBuffer()
    buffer.feed(b"injected by somebody")
    assert buffer.take_line(100) is None
    buffer.clear()
    buffer.feed(b"+OK\r\n")

    assert (b"+OK\r\n", 0) == (buffer.take_line(100), len(buffer))


def held_after(*sizes: int) -> int:
    """Octets that a buffer holds when blocks of these sizes came one by one and were taken."""
    tracemalloc.start()
    buffer = ReceiveBuffer()
    for size in sizes:
        buffer.feed(b"x" * size + b"\r\n.\r\n")
        assert size + 2 == len(buffer.take_block(MANY) or b"")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held


def test_what_a_very_large_block_needed_is_given_back_when_it_is_taken() -> None:
    """Not when something comes next: a listing of a million is looked at for a while."""
    assert held_after(9 << 20) < 1 << 20


def test_what_a_large_block_needed_is_kept_for_the_next_large_one_only() -> None:
    """To get it and fill it with zeros costs more than all else that is done for a mail of 5 MB."""
    assert 5 << 20 < held_after(5 << 20) < 9 << 20
    assert 5 << 20 < held_after(5 << 20, 3 << 20) < 9 << 20
    assert held_after(5 << 20, 3000) < 1 << 20


@settings(deadline=None)
@given(st.lists(st.binary().map(lambda b: b.replace(b"\r\n", b""))))
def test_lines_and_joined_are_inverse(parts: list[bytes]) -> None:
    """Cut at CRLF only: bare CR and LF stay inside a line."""
    parts = [part.replace(b"\r\n", b"") for part in parts if not part.endswith(b"\r")]

    assert parts == lines(joined(parts))


def _long_body(pieces: int) -> None:
    buffer, piece = ReceiveBuffer(), b"x" * 62 + b"\r\n"
    for _ in range(pieces):
        buffer.feed(piece)
        assert buffer.take_block(MANY) is None


def _many_lines(count: int) -> None:
    buffer = ReceiveBuffer()
    buffer.feed((b"+OK " + b"x" * 200 + b"\r\n") * count)
    while buffer.take_line(512):
        pass


def _many_blocks(count: int) -> None:
    buffer = ReceiveBuffer()
    buffer.feed((b"x" * 200 + b"\r\n.\r\n") * count)
    while buffer.take_block(MANY):
        pass


@pytest.mark.parametrize(
    ("work", "size"), [(_long_body, 20_000), (_many_lines, 8_000), (_many_blocks, 8_000)]
)
def test_twice_the_bytes_cost_about_twice_the_time(work: Callable[[int], None], size: int) -> None:
    """A long body is searched once however small its pieces, and a full buffer is emptied in place."""
    assert cpu.growth(lambda: work(size), lambda: work(2 * size)) < 3
