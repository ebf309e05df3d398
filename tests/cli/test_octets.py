"""Sizes as people write them."""

from __future__ import annotations

import click
import pytest

from pop3frames.cli.octets import octets


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("4096", 4096),
        ("1b", 1),
        ("5MB", 5_000_000),
        ("5m", 5_000_000),
        ("1.5 kB", 1500),
        ("300K", 300_000),
        ("2MiB", 2 << 20),
        ("1gib", 1 << 30),
        (" 64KiB ", 64 << 10),
    ],
)
def test_units_are_powers_of_a_thousand_or_of_1024(text: str, count: int) -> None:
    """With an i they are binary; the B may be left out, the case does not matter."""
    assert count == octets(text)


@pytest.mark.parametrize("text", ["", "0", "0.0001k", "-1", "MB", "5 TB", "5MBit", "1e9", "١", "9" * 40])
def test_what_is_no_size_is_refused_with_examples(text: str) -> None:
    """One sentence says how to write it."""
    with pytest.raises(click.BadParameter, match="write 5MB"):
        octets(text)
