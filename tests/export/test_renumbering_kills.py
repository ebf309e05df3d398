"""Killed at any step of recording new unique-ids and run to the end, an export has each mail once."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from export.mailboxes import digests, hashes, ids, mails, rows, stored

from pop3frames.frames.dataset import Dataset
from pop3frames.server.faults import migrated

MAILS, MOVED = mails(36), migrated(mails(36))
KILLS = [(call, at) for call in ("link", "fsync", "unlink") for at in (1, 2, 3, 8)]

Export = Callable[..., tuple[str, float]]


def assert_whole(folder: Path) -> None:
    """Every mail once, with its bytes, under the unique-id that it has now."""
    assert ids(MOVED) == stored(folder)
    assert digests(MOVED) == hashes(folder)
    assert {message.raw for message in MOVED} == {row["raw"] for row in rows(folder)}
    assert Dataset(folder).verify()


@pytest.mark.parametrize(("call", "at"), KILLS)
def test_a_kill_at_a_chosen_call_of_the_record_loses_nothing_and_doubles_nothing(
    tmp_path: Path, export: Export, call: str, at: int
) -> None:
    """Some rows have the new ids and others the old ones; what the next run cannot tell it fetches."""
    folder = tmp_path / "mail"
    export(folder, MAILS)
    ended, _ = export(folder, MOVED, kill=[call, at])
    assert "killed" == ended
    assert digests(MAILS) == hashes(folder)
    assert "done" == export(folder, MOVED)[0]
    assert_whole(folder)


def test_kills_at_random_moments_of_the_record_double_nothing(tmp_path: Path, export: Export) -> None:
    """Several in a row, each at any moment of what was left to do."""
    export(tmp_path / "measured", MAILS)
    _, whole = export(tmp_path / "measured", MOVED)
    chance = random.Random("renumbered")
    for run in range(4):
        folder = tmp_path / f"mail-{run}"
        export(folder, MAILS)
        for _ in range(3):
            export(folder, MOVED, after=chance.uniform(0, whole))
            assert digests(MAILS) == hashes(folder)
        assert "done" == export(folder, MOVED)[0]
        assert_whole(folder)
