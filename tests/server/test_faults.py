"""What a fault makes of a reply: steps, without a socket. Which one plays when is in test_plan.py."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from server.playing import MAILS, answers_of, session_of

from pop3frames.errors import POP3UsageError
from pop3frames.server.faults import (
    Add,
    BareLf,
    Corrupt,
    Drip,
    Drop,
    Endless,
    Fault,
    HangUp,
    Lie,
    Pause,
    Rearrange,
    Reset,
    Say,
    Silence,
    Stall,
    Status,
    Step,
    Unpipelined,
    Unstuffed,
    migrated,
    renumbered,
)
from pop3frames.server.maildrop import Maildrop

LOGIN = b"USER ann\r\nPASS a secret\r\n"


def _steps(command: bytes, *faults: Any, maildrop: Maildrop | None = None, most: int = 10) -> list[Step]:
    """What answers one command, after a login."""
    session = session_of(maildrop, faults=faults)
    answers_of(session, [LOGIN])
    session.receive(command + b"\r\n")
    return list(islice(session.replies(), most))


HONEST: Any = _steps(b"RETR 1")[0]


def test_an_honest_reply_is_one_step() -> None:
    """The control for all that follows."""
    assert [b"+OK 32 octets\r\nSubject: one\r\n\r\nfirst\r\n..\r\nlast\r\n.\r\n"] == [HONEST]


@pytest.mark.parametrize(
    ("fault", "steps"),
    [
        (Drop("RETR"), [b"", HangUp()]),
        (Drop("RETR", octets=20), [HONEST[:20], HangUp()]),
        (Drop("RETR", octets=None), [HONEST, HangUp()]),
        (Drop("RETR", executed=False, octets=5), [b"", HangUp()]),
        (Reset("RETR", octets=20), [HONEST[:20], HangUp(reset=True)]),
        (Stall("RETR", octets=20), [HONEST[:20], Silence()]),
        (Add("RETR", b"+OK more\r\n"), [HONEST + b"+OK more\r\n"]),
        (Status("RETR", b"+ERR"), [HONEST.replace(b"+OK 32 octets", b"+ERR")]),
        (Status("RETR", b""), [HONEST.replace(b"+OK 32 octets", b"")]),
        (Status("RETR", b"+OK 99 octets"), [HONEST.replace(b"32", b"99")]),
        (Corrupt("RETR"), [HONEST.replace(b"Subject", b"subject")]),
        (Corrupt("RETR", octet=16, mask=1), [HONEST.replace(b"first", b"girst")]),
        (BareLf("RETR"), [HONEST.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n", 1)]),
        (BareLf("RETR", every_line=False), [HONEST.removesuffix(b"\r\n.\r\n") + b"\n.\n"]),
        (Say("RETR", b"-ERR [SYS/TEMP] no\r\n"), [b"-ERR [SYS/TEMP] no\r\n"]),
        (Say("RETR", b"x", seconds=11), [Pause(11), b"x"]),
    ],
)
def test_a_fault_spoils_the_reply(fault: Fault, steps: list[Step]) -> None:
    """Its own verb's only; the octets before a cut are those of the honest reply."""
    assert steps == _steps(b"RETR 1", fault)
    assert [b"+OK\r\n"] == _steps(b"NOOP", fault)


def test_a_drip_is_the_whole_reply_in_pieces() -> None:
    """With a pause before each."""
    steps = _steps(b"STAT", Drip("STAT", octets=4, seconds=0.9))

    assert [Pause(0.9)] * (len(steps) // 2) == steps[::2]
    assert _steps(b"STAT") == [b"".join(piece for piece in steps if isinstance(piece, bytes))]
    assert {4} == {len(piece) for piece in steps[1:-2:2] if isinstance(piece, bytes)}


def test_what_is_endless_goes_on_and_is_what_it_says() -> None:
    """A line has no line end; a body has lines, none of them a dot; a listing counts."""
    line, body, listing = (
        b"".join(
            each for each in _steps(b"LIST", Endless("LIST", what=what), most=4) if isinstance(each, bytes)
        )
        for what in ("line", "body", "listing")  # type: ignore[arg-type]
    )

    assert (200_000 < len(line), b"\n" in line) == (True, False)
    assert {b"x" * 76} == set(body.split(b"\r\n")[1:-1])
    assert [b"%d %d" % (n, n) for n in range(1, 3001)] == listing.split(b"\r\n")[1:-1]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({1: "-5"}, [b"1 -5", b"2 8", b"3 0"]),
        ({2: None, 9: "10"}, [b"1 32", b"3 0", b"9 10"]),
        ({}, [b"1 32", b"2 8", b"3 0"]),
        (lambda number, value: f"{value}{number}", [b"1 321", b"2 82", b"3 03"]),
    ],
)
def test_a_listing_lies_as_told(values: Any, told: list[bytes]) -> None:
    """In the whole listing and in one entry alike."""
    fault = Lie("LIST", values)
    (listing,), (entry,) = _steps(b"LIST", fault), _steps(b"LIST 1", fault)

    assert isinstance(listing, bytes)
    assert [b"+OK 3 messages", *told, b".", b""] == listing.split(b"\r\n")
    assert b"+OK " + told[0] + b"\r\n" == entry
    assert [b"-ERR no such message\r\n"] == _steps(b"LIST 9", fault)


def test_a_lie_reaches_an_empty_listing() -> None:
    """Messages that are not there."""
    steps = _steps(b"UIDL", Lie("UIDL", {1: "x"}), maildrop=Maildrop())
    assert [b"+OK 0 messages\r\n1 x\r\n.\r\n"] == steps


@pytest.mark.parametrize("raw", [b".\r\n", b".foo\r\n\r\n.x\r\n", b"x\r\n.y\r\n", b""])
def test_a_leading_dot_is_not_stuffed_as_with_dovecot(raw: bytes) -> None:
    """Only at the first octet; the mail that is a dot is an empty one to every client."""
    (honest,), (told,) = (
        _steps(b"RETR 1", *faults, maildrop=Maildrop([raw])) for faults in ((), (Unstuffed("RETR"),))
    )

    assert isinstance(honest, bytes)
    assert honest.replace(b"octets\r\n..", b"octets\r\n.") == told
    assert (raw[:1] == b".") is (honest != told)


# What is carried out


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        (Drop("QUIT"), MAILS[1:]),
        (Drop("QUIT", executed=False), MAILS),
        (Say("QUIT", b"-ERR no\r\n", executed=True), MAILS[1:]),
        (Say("QUIT", b"-ERR no\r\n"), MAILS),
        (Say("DELE", b"+OK marked\r\n"), MAILS),
        (Say("DELE", b"-ERR no\r\n", executed=True), MAILS[1:]),
    ],
)
def test_a_deletion_happens_or_not_whatever_is_said(fault: Fault, left: list[Any]) -> None:
    """A cut or -ERR at QUIT, before the update and after it; a DELE that only says so."""
    maildrop = Maildrop(MAILS)
    session = session_of(maildrop, faults=[fault])
    answers_of(session, [LOGIN, b"DELE 1\r\n", b"QUIT\r\n"])
    session.close()

    assert left == maildrop.messages


def test_a_refused_login_is_silent_for_a_while_and_opens_nothing() -> None:
    """Dovecot waits 11 s for a lock; in an exchange of AUTH the answer is the second reply."""
    busy = b"-ERR [IN-USE] locked\r\n"
    maildrop = Maildrop(MAILS)
    session = session_of(maildrop, faults=[Say("PASS", busy, 11), Say("AUTH", busy, 11, nth=2)])
    session.receive(LOGIN + b"AUTH PLAIN\r\nAGFubgBhIHNlY3JldA==\r\nNOOP\r\n")

    *steps, end = session.replies()
    assert [b"+OK send PASS\r\n", Pause(11), busy, b"+ \r\n", Pause(11), busy] == steps
    assert b"-ERR NOOP is not allowed in the AUTHORIZATION state\r\n" == end
    assert maildrop.open() is not None


def test_octets_injected_behind_stls_come_with_its_reply() -> None:
    """And TLS is started; refused, it is not."""
    session = session_of(has_tls=True, faults=[Add("STLS", b"+OK injected\r\n", nth=1)])
    assert b"+OK begin TLS\r\n+OK injected\r\n" == answers_of(session, [b"STLS\r\n"])
    assert session.wants_tls
    refused = session_of(has_tls=True, faults=[Say("STLS", b"-ERR no\r\n")])
    assert b"-ERR no\r\n" == answers_of(refused, [b"STLS\r\n"])
    assert not refused.wants_tls


def test_the_greeting_can_be_spoilt() -> None:
    """It is a reply too."""
    assert [b"-ERR [SYS/TEMP] no\r\n"] == list(
        session_of(faults=[Say("greeting", b"-ERR [SYS/TEMP] no\r\n")]).greeting()
    )


@pytest.mark.parametrize("closes", [False, True], ids=["drops", "closes"])
def test_what_came_in_one_piece_is_not_served(closes: bool) -> None:
    """Alone every command is answered; behind another it is lost, or the connection is (MailKit#174)."""
    session = session_of(faults=[Unpipelined(closes=closes)])
    assert answers_of(session, [b"USER ann\r\n", b"PASS a secret\r\n", b"NOOP\r\n"]).endswith(b"+OK\r\n")
    session.receive(b"STAT\r\nLIST\r\nNOOP\r\n")

    assert [b"+OK 3 40\r\n"] + [HangUp()] * closes == list(session.replies())


@pytest.mark.parametrize(
    ("change", "uidls"),
    [
        (renumbered, ["empty", "QhdPYR:00WBw1Ph7x7", "whqtswO00WBw418f9t5JxYwZ"]),
        (migrated, ["new-whqtswO00WBw418f9t5JxYwZ", "new-QhdPYR:00WBw1Ph7x7", "new-empty"]),
    ],
)
def test_a_mailbox_is_another_one_in_a_later_session(change: Any, uidls: list[str]) -> None:
    """Other numbers or other unique-ids; what is deleted then is what was named then."""
    maildrop = Maildrop(MAILS)
    faults = [Rearrange(change=change, nth=1)]
    session = session_of(maildrop, faults=faults)
    told = answers_of(session, [LOGIN, b"UIDL\r\n"]).decode()
    answers_of(session, [b"DELE 1\r\nQUIT\r\n"])

    assert [f"{n} {uidl}" for n, uidl in enumerate(uidls, 1)] == told.split("\r\n")[3:6]
    assert uidls[1:] == [message.uidl for message in maildrop.messages]


@pytest.mark.parametrize("verb", ["RERT", "retr", "", "RETR 1", "(greeting)"])
def test_a_verb_that_is_none_is_a_usage_error(verb: str) -> None:
    """It would never play, and the test that relies on it prove nothing."""
    with pytest.raises(POP3UsageError, match="no such verb"):
        Drop(verb)
