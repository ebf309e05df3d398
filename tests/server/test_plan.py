"""Which fault plays when: by message, occurrence and connection, the first that fits."""

from __future__ import annotations

from typing import Any

import pytest
from server.playing import answers_of, service_of

from pop3frames.protocol import grammar
from pop3frames.server.faults import Rearrange, Say, Status, Unpipelined, renumbered
from pop3frames.server.plan import FaultPlan
from pop3frames.server.session import ServerSession


def _played(plan: FaultPlan, *commands: tuple[Any, int | None, int]) -> list[bool]:
    """Whether a fault plays in each reply: to verb, number and connection."""
    return [
        plan.reply(verb, () if number is None else (number,), connection) is not None
        for verb, number, connection in commands
    ]


RETR, LIST, GREETING = grammar.RETR, grammar.LIST, grammar.GREETING


@pytest.mark.parametrize(
    ("when", "played"),
    [
        ({}, [True, True, True, True, False]),
        ({"message": 2}, [False, True, False, True, False]),
        ({"nth": 2}, [False, True, False, False, False]),
        ({"connections": {2}}, [False, False, True, True, False]),
        ({"message": 2, "nth": 2}, [False, False, False, True, False]),
        ({"connections": [2], "nth": 2}, [False, False, False, True, False]),
        ({"message": 1, "connections": (1, 2)}, [True, False, True, False, False]),
        ({"nth": 5}, [False] * 5),
    ],
)
def test_a_fault_plays_when_all_it_names_fits(when: dict[str, Any], played: list[bool]) -> None:
    """An occurrence counts only if the rest fits, and over all connections."""
    commands = [(RETR, 1, 1), (RETR, 2, 1), (RETR, 1, 2), (RETR, 2, 2), (LIST, 2, 2)]

    assert played == _played(FaultPlan([Say("RETR", b"", **when)]), *commands)


def test_the_first_that_fits_plays_and_all_are_counted() -> None:
    """So the order of the list decides, not the order of the past."""
    plan = FaultPlan([Status("RETR", b"one", nth=2), Status("RETR", b"two"), Status("RETR", b"three", nth=3)])
    faults = [plan.reply(RETR, (1,), 1) for _ in range(3)]

    assert [b"two", b"one", b"two"] == [fault.line for fault in faults if isinstance(fault, Status)]


def test_without_faults_nothing_plays() -> None:
    """The honest server."""
    plan = FaultPlan()

    assert [False, False] == _played(plan, (RETR, 1, 1), (GREETING, None, 1))
    assert (None, []) == (plan.batch(1), plan.rearrangements(1))


def test_kinds_do_not_hinder_each_other() -> None:
    """A fault of the session is none of a reply."""
    batch, change = Unpipelined(connections=[1]), Rearrange(change=renumbered, nth=2)
    plan = FaultPlan([batch, change, Say("greeting", b"")])

    assert [False, True] == _played(plan, (RETR, 1, 1), (GREETING, None, 1))
    assert [batch, None] == [plan.batch(1), plan.batch(2)]
    assert [[], [change], []] == [plan.rearrangements(n) for n in (1, 2, 3)]


def test_sessions_of_one_service_share_the_count() -> None:
    """The second NOOP of the server, not of a session."""
    service = service_of(faults=[Say("CAPA", b"-ERR\r\n", nth=2)])
    told = [answers_of(ServerSession(service, connection=n), [b"CAPA\r\n"]) for n in (1, 2, 3)]

    assert [b"+OK", b"-ER", b"+OK"] == [each[:3] for each in told]
