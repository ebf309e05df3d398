"""The later half of a check-up: commands in one flight, a second session, and no trace of either."""

from __future__ import annotations

from typing import Any

import pytest
from checkup.odd_servers import CAPABILITIES, MAILS, block, capa, looked_over, odd
from lab.scripted import CLOSE, Peer

# Pipelining


def forgetful(peer: Peer) -> None:
    """Answers, and forgets what came in the same packet."""
    peer.send(b"+OK\r\n")
    peer._unread.clear()


def confused(peer: Peer) -> None:
    """Answers, and says something else when more is waiting."""
    peer.send(b"+OK\r\n" if not peer._unread else b"-ERR slowly\r\n")


def cutting(peer: Peer) -> None:
    """Answers, and closes when more is waiting."""
    peer.send(b"+OK\r\n") if not peer._unread else CLOSE(peer)


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [(forgetful, "end the session"), (cutting, "end the session"), (confused, "replies differ")],
)
def test_pipelining_that_is_announced_and_not_meant_is_a_problem(behaviour: Any, words: str) -> None:
    """One by one all is well, in one flight the session breaks, hangs, or other replies come."""
    with odd({"NOOP": behaviour}) as server:
        rows = looked_over(server, timeout=0.3)
    assert ("problem", True) == (rows["pipelining"].verdict, words in rows["pipelining"].finding)
    assert "pipelining=False" in rows["pipelining"].meaning
    assert "one by one" in rows["export"].finding
    assert "ok" == rows["retr"].verdict


def test_replies_that_are_swapped_are_noticed() -> None:
    """LIST 2 and LIST 3 answer for each other when they come together."""

    def swapped(peer: Peer) -> None:
        peer.send(b"+OK 3 37\r\n" if peer._unread else b"+OK 2 37\r\n")

    with odd({"LIST 2": swapped}) as server:
        row = looked_over(server)["pipelining"]
    assert ("problem", True) == (row.verdict, "differ" in row.finding)


def test_a_session_that_cannot_be_had_is_no_fault_of_pipelining() -> None:
    """The second session breaks at its listing; another one while commands go one by one."""
    with odd({}, {"UIDL": CLOSE}) as server:
        rows = looked_over(server)
    assert ("problem", "ok") == (rows["uidl stable"].verdict, rows["pipelining"].verdict)
    with odd({}, {"LIST 1": CLOSE}) as server:
        row = looked_over(server)["pipelining"]
    assert ("skipped", True) == (row.verdict, "one by one" in row.finding)


# The second session


@pytest.mark.parametrize(
    ("second", "verdict", "words"),
    [
        ({}, "note", "let in"),
        ({"PASS": b"-ERR [IN-USE] locked\r\n"}, "ok", "refused with a response code: [IN-USE] locked"),
        ({"PASS": b"-ERR locked\r\n"}, "note", "without a code that says busy: locked"),
        ({"PASS": CLOSE}, "note", "not let in"),
        ({"greeting": CLOSE}, "note", "not let in"),
    ],
)
def test_a_mailbox_may_be_locked_for_a_second_session(
    second: dict[str, Any], verdict: str, words: str
) -> None:
    """Then what needs one waits until the first has ended."""
    with odd({}, second, {}) as server:
        rows = looked_over(server)
    assert (verdict, True) == (rows["second session"].verdict, words in rows["second session"].finding)
    assert ("ok", "ok") == (rows["uidl stable"].verdict, rows["pipelining"].verdict)


def test_a_second_session_that_ends_the_first_is_a_warning() -> None:
    """Noticed because the first is asked again."""
    first: list[Peer] = []

    def remembered(peer: Peer) -> None:
        first.append(peer)
        peer.send(b"+OK\r\n")

    def throwing(peer: Peer) -> None:
        CLOSE(first[0])
        peer.send(b"+OK\r\n")

    with odd({"PASS": remembered}, {"PASS": throwing}) as server:
        row = looked_over(server)["second session"]
    assert ("warning", True) == (row.verdict, "ended the first" in row.finding)


@pytest.mark.parametrize(
    ("ids", "verdict"),
    [((b"1 x", b"2 y", b"3 z"), "problem"), ((b"1 uid-2", b"2 uid-3"), "note")],
)
def test_unique_ids_that_change_are_a_problem_and_those_that_go_are_not(
    ids: tuple[bytes, ...], verdict: str
) -> None:
    """Another program may delete meanwhile."""
    listed = {"UIDL": block(b"1 uid-1", b"2 uid-2", b"3 uid-3")}
    with odd(listed, {"UIDL": block(*ids)}) as server:
        assert verdict == looked_over(server)["uidl stable"].verdict


# No trace


def test_a_server_that_hides_what_is_fetched_is_asked_for_headers_only() -> None:
    """EXPIRE 0, said before or only after the login."""
    for key in ("CAPA", "CAPA inside"):
        with odd({key: capa(CAPABILITIES + b"EXPIRE 0\r\n")}) as server:
            rows = looked_over(server)
        assert not [line for line in server.commands if line.startswith("RETR")]
        assert "ok" == rows["top"].verdict


def test_retrieving_there_on_request_ends_without_quit() -> None:
    """A QUIT could hide the mails."""
    with odd({"CAPA": capa(CAPABILITIES + b"EXPIRE 0\r\n")}) as server:
        rows = looked_over(server, retrieve=True)
    assert "ok" == rows["retr"].verdict
    assert 3 == sum(line.startswith("RETR") for line in server.commands)
    assert "QUIT" not in server.commands


def test_every_message_fetched_is_reset_at_once_and_only_after_its_headers() -> None:
    """So that a server which marks as read takes it back; TOP shows first whether RETR would break."""
    with odd({}) as server:
        looked_over(server)
    asked = [line for line in server.commands if line[:4] in ("TOP ", "RETR", "RSET")][:6]
    assert ["TOP 1 5", "RETR 1", "RSET", "TOP 2 5", "RETR 2", "RSET"] == asked
    with odd({}) as server:
        rows = looked_over(server, retrieve=False)
    assert "as you asked" in rows["retr"].finding
    assert "RETR 1" not in server.commands


def test_at_most_so_many_samples_are_taken_spread_over_the_mailbox() -> None:
    """The first and the last among them."""
    with odd({}, mails=MAILS * 10) as server:
        looked_over(server, samples=3)
    assert ["RETR 1", "RETR 15", "RETR 30"] == [line for line in server.commands if line.startswith("RETR")]
