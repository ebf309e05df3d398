"""Pruning: old rows lose their bodies and bytes, and nothing that the ledger needs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pop3frames.errors import POP3UsageError
from pop3frames.frames.dataset import Dataset
from pop3frames.message import Message

Make = Callable[..., Message]
ANN = "ann@example.org"
DAY = 86_400_000
BEFORE = datetime(1970, 1, 3, tzinfo=UTC)


@pytest.fixture
def aged(folder: Path, message: Make) -> Dataset:
    """Old by its date, old by its fetch, young, of unknown age; one old mail with notes of the parser."""
    digest = hashlib.sha256(b"raw").hexdigest()
    body = {"text_body": "text", "html_body": "<p>", "raw": b"raw", "content_hash": digest}
    dataset = Dataset(folder)
    dataset.append(
        [
            message(1, received_at=DAY, fetched_at=9 * DAY, **body),
            message(2, received_at=None, fetched_at=DAY, **body),
            message(3, received_at=9 * DAY, fetched_at=DAY, **body),
            message(4, received_at=None, fetched_at=None, **body),
        ],
        ANN,
    )
    dataset.append([message(5, received_at=DAY, parse_error="charset", text_body="ü", raw=None)], ANN)
    dataset.append([message(6, received_at=DAY, text_body=None)], ANN)
    return dataset


def test_old_rows_lose_bodies_and_raw_and_say_so(aged: Dataset) -> None:
    """By receivedAt, else by fetchedAt; octets of text and bytes; what has nothing to lose is not marked."""
    done = aged.prune(before=BEFORE)
    rows = {row["messageId"]: row for row in aged.to_table().to_pylist()}
    kept = {
        n for n, row in rows.items() if any(row[name] is not None for name in ("textBody", "htmlBody", "raw"))
    }
    assert (done.rows, done.octets, len(done.replacements)) == (3, 10 + 10 + 2, 2)
    assert kept == {3, 4}
    notes = {n: row["parseError"] for n, row in rows.items()}
    assert notes == {1: "pruned", 2: "pruned", 3: None, 4: None, 5: "charset,pruned", 6: None}


def test_the_ledger_and_all_other_columns_stay(aged: Dataset) -> None:
    """No export fetches the mail again."""
    others = [
        name
        for name in aged.to_table().column_names
        if name not in ("textBody", "htmlBody", "raw", "parseError")
    ]
    before = aged.to_table(others).sort_by("messageId")
    known = aged.known(ANN)
    uidls, hashes = set(known.uidls), set(known.hashes)
    aged.prune(before=BEFORE)
    assert before.equals(aged.to_table(others).sort_by("messageId"))
    assert (uidls, hashes) == (aged.known(ANN).uidls, aged.known(ANN).hashes)
    assert aged.verify()


def test_pruning_again_rewrites_nothing(aged: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part is as it was, and nothing was staged to find that out."""
    aged.prune(before=BEFORE)
    parts = aged.parts()
    monkeypatch.delattr("pop3frames.frames.replacement.NewFile")
    assert aged.prune(before=BEFORE).replacements == ()
    assert parts == aged.parts()
    assert not list((aged.path / ".staging").iterdir())


def test_columns_can_be_pruned_one_by_one_and_the_mark_is_made_once(aged: Dataset) -> None:
    """First the bytes, later the bodies."""
    assert aged.prune(before=BEFORE, columns=["raw"]).octets == 6
    assert aged.prune(before=BEFORE).octets == 16
    assert set(aged.to_table(["parseError"])["parseError"].to_pylist()) == {None, "pruned", "charset,pruned"}


def test_only_the_account_asked_for_is_pruned(aged: Dataset) -> None:
    """The others keep everything."""
    assert aged.prune(before=BEFORE, account="bob").rows == 0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"before": datetime(2020, 1, 1)}, "time zone"),  # noqa: DTZ001
        ({"before": BEFORE, "columns": ["uidl"]}, "the rest is the ledger"),
    ],
)
def test_what_cannot_be_meant_is_refused(aged: Dataset, options: dict[str, object], complaint: str) -> None:
    """A time without a zone, a column of the ledger."""
    with pytest.raises(POP3UsageError, match=complaint):
        aged.prune(**options)  # type: ignore[arg-type]


def test_rows_that_a_compaction_moved_meanwhile_are_pruned_all_the_same(
    aged: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was faster; the pruning looks again."""
    link = os.link

    def slow_link(*args: object, **options: object) -> None:
        monkeypatch.setattr(os, "link", link)
        assert len(aged.compact()) == 1
        link(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", slow_link)
    assert aged.prune(before=BEFORE).rows == 3
    assert len(aged.parts()) == 1
    assert aged.to_table(["raw"])["raw"].null_count == 4


def test_pruned_parts_can_be_compacted(aged: Dataset) -> None:
    """Prune, then compact; every row once."""
    aged.prune(before=BEFORE)
    aged.compact()
    assert sorted(aged.to_table(["messageId"])["messageId"].to_pylist()) == [1, 2, 3, 4, 5, 6]
    assert len(aged.parts()) == 1
