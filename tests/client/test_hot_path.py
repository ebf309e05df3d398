"""What a small mail costs on its way through the client: little more than finding its end and copying it."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from client.in_memory import logged_in
from lab import cpu

from pop3frames.protocol.framing import stuff

MAILS = 1000
MAIL = b"Subject: a mail of about 3 KB\r\n\r\n" + b"a line of text as people write them, and a dot.\r\n" * 64
REPLY = b"+OK 3169 octets\r\n" + stuff(MAIL)
SIZES = dict.fromkeys(range(1, MAILS + 1), len(MAIL))


def _download(kept: list[bytes | None]) -> None:
    client = logged_in(*[REPLY] * MAILS, pieces=[64 << 10], pipelining=True)
    kept.extend(reply.block for reply in client.retr_many(SIZES, SIZES))


def _splitting() -> None:
    """The same octets cut into mails by the shortest loop there is: one search and one copy."""
    octets, at, kept = memoryview(REPLY * MAILS), 0, []
    stream = bytearray(octets)
    while (end := stream.find(b"\r\n.\r\n", at)) >= 0:
        kept.append(stream[at:end])
        at = end + 5
    assert len(kept) == MAILS


def test_a_small_mail_costs_a_few_times_what_finding_and_copying_it_does() -> None:
    """Everything between the wire and whoever asked, at half as much again; three times is too dear."""
    kept: list[bytes | None] = []
    _download(kept)
    assert kept == [MAIL] * MAILS

    assert cpu.ratio(lambda: _download([]), _splitting, rounds=40) < 3


def test_a_small_mail_costs_a_handful_of_calls() -> None:
    """Counted, not timed: 13 of Python functions and 24 of others, commands and reads with them."""
    calls = {"call": 0, "c_call": 0}

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        if event in calls:
            calls[event] += 1

    client = logged_in(*[REPLY] * MAILS, pieces=[64 << 10], pipelining=True)
    replies = client.retr_many(SIZES, SIZES)
    sys.setprofile(count)
    try:
        for _ in replies:
            pass
    finally:
        sys.setprofile(None)

    assert calls["call"] < 16 * MAILS
    assert calls["c_call"] < 30 * MAILS
