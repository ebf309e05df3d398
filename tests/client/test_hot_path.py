"""What a small mail costs on its way through the client: little more than finding its end and copying it."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from client.in_memory import logged_in
from lab import cpu

from pop3frames.client.pop3 import POP3
from pop3frames.protocol.framing import stuff

MAILS = 200
MAIL = b"Subject: a mail of about 3 KB\r\n\r\n" + b"a line of text as people write them, and a dot.\r\n" * 64
REPLY = b"+OK 3169 octets\r\n" + stuff(MAIL)
STREAM = bytearray(REPLY * MAILS)
SIZES = dict.fromkeys(range(1, MAILS + 1), len(MAIL))
ROUNDS = 80


def _client() -> POP3:
    return logged_in(*[REPLY] * MAILS, pieces=[64 << 10], pipelining=True)


def _splitting() -> None:
    """The same octets cut into mails by the shortest loop there is: one search and one copy."""
    at = count = 0
    while (end := STREAM.find(b"\r\n.\r\n", at)) >= 0:
        count += STREAM[at:end].endswith(MAIL[:-2])
        at = end + 5
    assert count == MAILS


def test_a_small_mail_costs_a_few_times_what_finding_and_copying_it_does() -> None:
    """Two and a half times, everything between the wire and whoever asked; four times is too dear.

    Clients are made before and no mail is kept: what a heap costs that grows and shrinks depends on what ran
    before.
    """
    clients = iter([_client() for _ in range(ROUNDS)])

    def download() -> None:
        assert MAILS == sum(reply.block == MAIL for reply in next(clients).retr_many(SIZES, SIZES))

    assert cpu.ratio(download, _splitting, rounds=ROUNDS) < 4


def test_a_small_mail_costs_a_handful_of_calls() -> None:
    """Counted, not timed: 13 of Python functions and 24 of others, commands and reads with them."""
    calls = {"call": 0, "c_call": 0}

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        if event in calls:
            calls[event] += 1

    replies = _client().retr_many(SIZES, SIZES)
    sys.setprofile(count)
    try:
        for _ in replies:
            pass
    finally:
        sys.setprofile(None)

    assert calls["call"] < 16 * MAILS
    assert calls["c_call"] < 30 * MAILS
