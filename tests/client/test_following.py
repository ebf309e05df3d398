"""Following a session from outside: nothing is lost, and no cut changes what is understood."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from lab import cpu

from pop3frames.client.following import Follower, Kind, Piece
from pop3frames.protocol import grammar
from pop3frames.protocol.grammar import Verb

SENT: list[tuple[Verb, bytes]] = [
    (grammar.USER, b"USER ann\r\n"),
    (grammar.PASS, b"PASS ***\r\n"),
    (grammar.CAPA, b"CAPA\r\n"),
    (grammar.LIST, b"LIST 1\r\n"),
    (grammar.RETR, b"RETR 1\r\n"),
    (grammar.RETR, b"RETR 2\r\n"),
    (grammar.QUIT, b"QUIT\r\n"),
]
SAID = [
    (Kind.STATUS, b"(greeting)", b"+OK ready\r\n"),
    (Kind.STATUS, b"USER", b"+OK\r\n"),
    (Kind.STATUS, b"PASS", b"+OK\r\n"),
    (Kind.STATUS, b"CAPA", b"+OK\r\n"),
    (Kind.BLOCK, b"CAPA", b".\r\n"),
    (Kind.STATUS, b"LIST", b"+OK 1 20\r\n"),
    (Kind.STATUS, b"RETR", b"+OK\r\n"),
    (Kind.BLOCK, b"RETR", b"x\n.\n\r.\r\n.\r\r\n..\r\n\r\n.\r\n"),
    (Kind.STATUS, b"RETR", b"-ERR gone\r\n"),
    (Kind.STATUS, b"QUIT", b"+OK\r\n"),
    (Kind.STRAY, b"QUIT", b"more\r\n"),
]
STREAM = b"".join(octets for _, _, octets in SAID)


def follow(pieces: Iterable[bytes], sent: Iterable[tuple[Verb, bytes]] = SENT) -> list[Piece]:
    """What one who follows understood."""
    follower = Follower()
    for verb, line in sent:
        follower.sent(verb, line)
    found = [piece for data in pieces for piece in follower.feed(data)]
    return [*found, *follower.finish()]


def merged(pieces: list[Piece]) -> list[tuple[Kind, bytes, bytes]]:
    """Kind, verb and octets, blocks and strays put together."""
    groups: list[tuple[Kind, bytes, bytes]] = []
    going_on = False
    for piece in pieces:
        if going_on:
            kind, verb, octets = groups.pop()
            assert (piece.kind, piece.verb.name) == (kind, verb)
            groups.append((kind, verb, octets + piece.data))
        else:
            groups.append((piece.kind, piece.verb.name, piece.data))
        going_on = piece.kind is Kind.STRAY or (piece.kind is Kind.BLOCK and piece.more)
    return groups


def split(octets: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The octets, cut at these places."""
    places = [0, *sorted(cuts), len(octets)]
    return [octets[start:end] for start, end in itertools.pairwise(places)]


def test_pipelined_replies_in_one_piece_are_told_apart() -> None:
    """Each with its verb; only exactly CRLF, dot, CRLF ends a block."""
    assert merged(follow([STREAM])) == SAID


@given(st.sets(st.integers(0, len(STREAM))))
def test_no_cut_changes_what_is_understood(cuts: set[int]) -> None:
    """One octet a read included."""
    assert merged(follow(split(STREAM, cuts))) == SAID


def test_octet_by_octet_is_one_of_the_cuts() -> None:
    """Every place at once."""
    assert merged(follow(bytes([octet]) for octet in STREAM)) == SAID


SCRAPS = st.lists(
    st.sampled_from(
        [
            b"+OK",
            b"-ERR",
            b" ",
            b"\r\n",
            b".\r\n",
            b"\r\n.\r\n",
            b"\n",
            b"+ ",
            b"\r",
            b"\x00\xff",
            b"x" * 20_000,
        ]
    ),
    max_size=30,
).map(b"".join)
COMMANDS = st.lists(
    st.sampled_from([*SENT, (grammar.AUTH, b"AUTH PLAIN\r\n"), (grammar.UIDL, b"UIDL\r\n")]), max_size=8
)


@given(SCRAPS | st.binary(), COMMANDS, st.lists(st.integers(0, 1000), max_size=8))
def test_whatever_comes_is_all_handed_on_in_order_and_nothing_raises(
    octets: bytes, sent: list[tuple[Verb, bytes]], cuts: list[int]
) -> None:
    """Garbage, floods without a line end and half replies."""
    pieces = follow(split(octets, [min(cut, len(octets)) for cut in cuts]), sent)

    assert b"".join(piece.data for piece in pieces) == octets


def test_a_login_is_private_and_so_is_what_left_in_one_flight_with_it() -> None:
    """Behind it, when all of that was answered, nothing is."""
    pieces = follow([b"+OK\r\n" * 3])
    follower = Follower(greeted=True)
    follower.sent(*SENT[0])
    serial = list(follower.feed(b"+OK\r\n"))
    follower.sent(grammar.STAT, b"STAT\r\n")
    serial += follower.feed(b"+OK 1 20\r\n")

    assert [(piece.verb.name, piece.private) for piece in pieces] == [
        (b"(greeting)", False),
        (b"USER", True),
        (b"PASS", True),
    ]
    assert [piece.private for piece in follow([STREAM])][5:8] == [True, True, True]
    assert [piece.private for piece in serial] == [True, False]


def test_a_challenge_leaves_the_command_open() -> None:
    """The answer to it is no command of its own."""
    follower = Follower(greeted=True)
    follower.sent(grammar.AUTH, b"AUTH PLAIN\r\n")
    found = list(follower.feed(b"+ \r\n"))
    follower.sent(grammar.AUTH, b"***\r\n")
    found += follower.feed(b"+OK\r\n")

    assert [piece.kind for piece in found] == [Kind.CHALLENGE, Kind.STATUS]


def test_many_small_replies_in_one_piece_cost_linear_time() -> None:
    """Twice as many replies, at most three times the work."""

    def work(count: int) -> None:
        stream = (
            b"+OK ready\r\n" + b"+OK\r\nSubject: x\r\n\r\n" * count + b".\r\n" + b"+OK\r\nx\r\n.\r\n" * count
        )
        sent = [(grammar.RETR, b"RETR 1\r\n")] * (count + 1)
        assert len(follow([stream], sent)) == 2 * count + 3

    assert cpu.growth(lambda: work(10_000), lambda: work(20_000)) < 3
