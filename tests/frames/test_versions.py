"""Parts of older and newer releases, side by side with ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pop3frames.errors import POP3ExportError
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.schema import SCHEMA
from pop3frames.message import Message

Make = Callable[..., Message]
ANN = "ann@example.org"


def _rewrite(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path)


@pytest.fixture
def mixed(folder: Path, message: Make) -> Dataset:
    """One part as it is written today, one without three columns, one with a column more and a wider type."""
    dataset = Dataset(folder)
    for number in (1, 2, 3):
        dataset.append([message(number, raw=None)], ANN)
    _, old, new = dataset.parts()
    _rewrite(old, pq.ParquetFile(old).read().drop_columns(["parseError", "attachmentCount", "attachments"]))
    table = pq.ParquetFile(new).read()
    table = table.set_column(
        table.schema.get_field_index("subject"), "subject", table["subject"].cast(pa.large_string())
    )
    _rewrite(new, table.append_column("spamScore", [[0.5]]))
    return dataset


def test_missing_columns_are_filled_and_unknown_ones_left_out(mixed: Dataset, message: Make) -> None:
    """Null where that is allowed, else what a Message has by default; the types are ours."""
    table = mixed.to_table()
    assert SCHEMA.equals(table.schema, check_metadata=True)
    table.validate(full=True)
    names = ["messageId", "parseError", "attachmentCount", "subject"]
    assert [list(row.values()) for row in table.select(names).to_pylist()] == [
        [1, None, 1, message(1).subject],
        [2, None, 0, message(2).subject],
        [3, None, 1, message(3).subject],
    ]
    assert [len(each) for each in table["attachments"].to_pylist()] == [1, 0, 1]
    assert mixed.to_table(["attachmentCount"]).num_rows == 3
    (found,) = mixed.verify().findings
    assert "column subject has type large_string" in found.meaning


def test_a_writer_goes_on_beside_parts_of_other_releases(mixed: Dataset, message: Make) -> None:
    """Their keys count."""
    assert [commit.rows for commit in mixed.append(map(message, range(1, 6)), ANN)] == [2]


def test_compaction_keeps_the_columns_of_a_newer_release(mixed: Dataset, message: Make) -> None:
    """They are merged among themselves, so that nothing is dropped and nothing invented."""
    mixed.append([message(4, raw=None)], ANN)
    newest = mixed.parts()[-1]
    _rewrite(newest, pq.ParquetFile(newest).read().append_column("spamScore", [[0.7]]))
    assert [each.rows for each in mixed.compact()] == [2, 2]
    scores = [
        pq.ParquetFile(path).read()["spamScore"].to_pylist()
        for path in mixed.parts()
        if "spamScore" in pq.read_schema(path).names
    ]
    assert scores == [[0.5, 0.7]]
    assert mixed.to_table().num_rows == 4


def test_a_version_that_would_be_misread_is_refused_everywhere(folder: Path, message: Make) -> None:
    """Reading, writing, compacting and verifying name the file and what to do; nothing is changed."""
    dataset = Dataset(folder)
    (commit,) = dataset.append([message(1)], ANN)
    table = pq.ParquetFile(commit.path).read()
    _rewrite(commit.path, table.replace_schema_metadata({"pop3frames.schema_version": "2"}))
    for attempt in (dataset.to_table, dataset.compact, lambda: dataset.append([message(2)], ANN)):
        with pytest.raises(POP3ExportError, match=r"schema version '2'.*upgrade pop3frames"):
            attempt()
    assert "upgrade pop3frames" in str(dataset.verify())


def test_a_type_that_cannot_become_ours_is_a_typed_error(folder: Path, message: Make) -> None:
    """Naming the part."""
    dataset = Dataset(folder)
    (commit,) = dataset.append([message(1)], ANN)
    table = pq.ParquetFile(commit.path).read()
    _rewrite(commit.path, table.set_column(table.schema.get_field_index("size"), "size", [["many"]]))
    with pytest.raises(POP3ExportError, match=r"part-00000001\.parquet"):
        dataset.to_table()
