"""What waits in the staged file: row groups that fill up, leftovers, refusals on the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pop3frames.errors import POP3ExportError
from pop3frames.frames.batches import record_batches
from pop3frames.frames.dataset import Dataset
from pop3frames.message import Message

Make = Callable[..., Message]
ANN = "ann@example.org"


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _uidls(dataset: Dataset) -> list[str]:
    return sorted(dataset.to_table(["uidl"])["uidl"].to_pylist())


@pytest.fixture
def row_groups(message: Make) -> Callable[[int], list[pa.RecordBatch]]:
    """`row_groups(2)`: batches that fill a row group each, so that they are written at once."""

    def make(count: int) -> list[pa.RecordBatch]:
        return list(record_batches(map(message, range(count * 10_000))))

    return make


def test_small_additions_become_full_row_groups(folder: Path, message: Make) -> None:
    """Rows wait until there are 10,000, whether they come as messages or as batches."""
    with Dataset(folder).writer(ANN) as writer:
        for start in range(0, 12_000, 500):
            mails = [message(n) for n in range(start, start + 500)]
            writer.add(mails if start % 1000 else next(iter(record_batches(mails))))
    metadata = pq.read_metadata(writer.commits[0].path)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [10_000, 2_000]


def test_a_staged_file_is_not_seen_by_readers(
    folder: Path, row_groups: Callable[[int], list[pa.RecordBatch]]
) -> None:
    """It lies in .staging, under a name that no glob for Parquet matches; abort removes it."""
    writer = Dataset(folder).writer(ANN)
    writer.add(row_groups(1)[0])
    (staged,) = _files(folder)
    assert staged.startswith(".staging/")
    assert staged.endswith(".staged")
    assert writer.nbytes > 0
    assert Dataset(folder).accounts() == []
    writer.abort()
    assert (_files(folder), writer.rows, writer.nbytes) == ([], 0, 0)


def test_rows_staged_in_several_row_groups_are_dropped_alike(
    folder: Path, message: Make, row_groups: Callable[[int], list[pa.RecordBatch]]
) -> None:
    """Rewriting goes row group by row group; what is new comes out whole."""
    dataset = Dataset(folder)
    writer = dataset.writer(ANN)
    for batch in row_groups(2):
        writer.add(batch)
    dataset.append(map(message, range(5_000, 15_000)), ANN)
    commit = writer.commit()
    assert commit is not None
    assert (commit.rows, commit.dropped) == (10_000, 10_000)
    assert len(dataset.known(ANN).uidls) == dataset.count(ANN) == 20_000
    assert len(_files(folder)) == 2


def test_leftovers_are_swept_by_age_only(folder: Path, message: Make) -> None:
    """A young staged file may be another writer's; a new writer sweeps what is older than a day."""
    dataset = Dataset(folder)
    dataset.append([message(1)], ANN)
    old, young = folder / ".staging" / "old.staged", folder / ".staging" / "young.staged"
    for path in (old, young):
        path.touch()
    os.utime(old, (1, 1))
    dataset.writer(ANN)
    assert (old.exists(), young.exists()) == (False, True)
    assert dataset.sweep(older_than=-1) == 1
    assert not young.exists()


def test_a_writer_whose_staged_file_was_removed_says_so(
    folder: Path, message: Make, row_groups: Callable[[int], list[pa.RecordBatch]]
) -> None:
    """It does not report a commit; the next attempt stores the messages."""
    dataset = Dataset(folder)
    writer = dataset.writer(ANN)
    writer.add(row_groups(1)[0])
    dataset.sweep(older_than=-1)
    with pytest.raises(POP3ExportError, match="see who removed it"):
        writer.commit()
    assert writer.add([message(1)]) == 1
    assert writer.commit() is not None


def test_a_message_that_no_cell_can_hold_is_not_taken_for_stored(
    folder: Path, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused each time; the others are committed, and the ledger does not know it."""
    monkeypatch.setattr("pop3frames.frames.batches.CELL_LIMIT", 10_000)
    dataset = Dataset(folder)
    with dataset.writer(ANN) as writer:
        for _ in range(2):
            with pytest.raises(POP3ExportError, match="leave it out"):
                writer.add([message(1), message(2, raw=b"x" * 10_001)])
    assert dataset.known(ANN).uidls == {"uid-000001"}


def test_a_refused_addition_gives_up_what_was_staged_and_the_writer_goes_on(
    folder: Path, message: Make, row_groups: Callable[[int], list[pa.RecordBatch]]
) -> None:
    """As the error says: those messages are not stored and must be fetched again."""
    dataset = Dataset(folder)
    writer = dataset.writer(ANN)
    writer.add([message(1)])
    folder.mkdir()
    (folder / ".staging").touch()
    with pytest.raises(POP3ExportError, match="were not stored and can be fetched again"):
        writer.add(row_groups(1)[0])
    assert writer.rows == 0
    (folder / ".staging").unlink()
    assert writer.add([message(1)]) == 1
    writer.commit()
    assert _uidls(dataset) == ["uid-000001"]
