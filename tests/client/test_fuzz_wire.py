"""Short rounds of the fuzz harness of the wire."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from typing import Any

import pytest
from client.fuzz_wire import (
    CHECKS,
    DOVECOT,
    SESSIONS,
    client_events,
    mutated,
    pieces,
    recordings,
    run,
    server_events,
)

from pop3frames.errors import POP3ConnectionError, POP3ProtocolError, POP3UsageError
from pop3frames.protocol.framing import ReceiveBuffer

RUNS = 20_000
ROUNDS = 8


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Warnings of lost sessions, some thousand of them, are not what is looked at."""
    logging.getLogger("pop3frames").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("pop3frames").setLevel(logging.NOTSET)


@pytest.mark.parametrize("part", range(ROUNDS))
def test_spoilt_sessions_end_in_replies_or_typed_errors_and_the_same_for_any_cut(part: int) -> None:
    """On both sides of the wire."""
    for seed in range(part * RUNS // ROUNDS, (part + 1) * RUNS // ROUNDS):
        try:
            run(seed)
        except BaseException as exc:
            exc.add_note(f"seed {seed}")
            raise


def test_the_recordings_are_honest_sessions() -> None:
    """The positive control: unspoilt, none of them breaks, and both sides say what was recorded."""
    for session, replies, said in recordings()[: len(SESSIONS)]:
        events = client_events(session, replies, (), True)
        assert not _broken(events)
        assert said == events[-1]
        assert b"".join(replies) == b"".join(server_events(said, ()))
    for session, replies, _ in recordings()[-len(DOVECOT) :]:
        events = client_events(session, replies, (), False)
        assert not _broken(events)


def _broken(events: list[Any]) -> list[Any]:
    """Those that say that the connection is gone."""
    kinds = (POP3ConnectionError, POP3ProtocolError, POP3UsageError)
    return [event for event in events if isinstance(event, tuple) and event[0] in kinds]


def test_the_harness_sees_a_client_that_reads_by_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law can be broken: a client for which each piece is a reply is found out."""
    take_line = ReceiveBuffer.take_line

    def careless(buffer: ReceiveBuffer, limit: int) -> bytes | None:
        line = take_line(buffer, limit)
        if line is None and len(buffer):
            line = bytes(buffer) + b"\r\n"
            buffer.clear()
        return line

    monkeypatch.setattr(ReceiveBuffer, "take_line", careless)

    def runs() -> None:
        for seed in range(0, 500, len(CHECKS)):
            run(seed)

    with pytest.raises(AssertionError):
        runs()


def test_mutations_take_any_octets() -> None:
    """Nothing at all, too."""
    draw = random.Random(1)
    for data in (b"", b"x", b"+OK\r\n"):
        for _ in range(100):
            assert isinstance(mutated(data, draw), bytes)
    assert all(size > 0 for size in pieces(draw))
