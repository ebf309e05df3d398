"""Numbers of octets as people write them: 5MB, 300kB, 2MiB, 4096."""

from __future__ import annotations

import re

import click

_WRITTEN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?) ?([kmg]?)(i?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3}


def octets(text: str) -> int:
    """At least one octet; k, M and G are powers of 1000, with an i of 1024. For `click.option(type=...)`."""
    match = _WRITTEN.fullmatch(text.strip())
    count = 0
    if match is not None:
        base = 1024 if match[3] else 1000
        count = round(float(match[1]) * base ** _POWERS[match[2].lower()])
    if count < 1:
        raise click.BadParameter(f"{text!r} is no size: write 5MB, 300kB or a number of octets")
    return count
