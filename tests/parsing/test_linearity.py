"""Cost: a mail twice as long costs at most about twice as much, with every limit switched off."""

from __future__ import annotations

from dataclasses import fields

import pytest
from lab import cpu
from parsing.hostile_mails import FAMILIES, Family

from pop3frames.parsing.limits import Limits
from pop3frames.parsing.parser import parse_message

NO_LIMITS = Limits(**{field.name: 1 << 40 for field in fields(Limits)})
ATTEMPTS = 4  # other programs on the machine can only make a ratio worse, so the best of a few counts


def seconds(raw: bytes, limits: Limits) -> float:
    """CPU time of one row."""
    return cpu.seconds(lambda: parse_message(raw, limits=limits))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_twice_the_mail_costs_less_than_three_times_the_time(family: Family) -> None:
    """Quadratic code would cost four times as much."""
    single, double = family(FAMILIES[family]), family(2 * FAMILIES[family])
    ratios = []
    for _ in range(ATTEMPTS):
        ratios.append(
            min(seconds(double, NO_LIMITS) for _ in "12") / min(seconds(single, NO_LIMITS) for _ in "12")
        )
        if ratios[-1] < 3:
            break
    assert min(ratios) < 3


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_hostile_mail_gives_a_row_under_the_default_limits(family: Family) -> None:
    """Flagged or not, but by the own core: an attacker must not be able to choose the slower parser."""
    row = parse_message(family(FAMILIES[family]))
    assert row.size == len(family(FAMILIES[family]))
    assert not {"fallback", "minimal"} & set((row.parse_error or "").split(","))
