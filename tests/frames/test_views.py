"""The same rows under other names, lazily, and as a view of DuckDB."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pop3frames.errors import POP3UsageError
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.schema import SCHEMA
from pop3frames.message import Message

Make = Callable[..., Message]
ANN = "ann@example.org"


@pytest.fixture
def dataset(tmp_path: Path, message: Make) -> Dataset:
    """Two accounts, in a folder whose name means something to SQL and to globs."""
    made = Dataset(tmp_path / "we[i]rd 'mail'*")
    made.append(map(message, (1, 2)), ANN)
    made.append([message(3)], ANN)
    made.append([message(4, account="bob")], "bob")
    return made


def test_snake_case_names_are_those_of_a_message(dataset: Dataset) -> None:
    """Except for `to`, which SQL reserves like `from`."""
    frame = dataset.read(rename="snake")
    expected = ["message_id", "pop_id", "message_id_header", "from_", "to_", "cc", "bcc", "subject"]
    assert expected == list(frame.columns[:8])
    assert list(dataset.read(["textBody", "to"], rename="snake")) == ["text_body", "to_"]
    assert dataset.to_table().num_rows == len(frame) == 4
    with pytest.raises(POP3UsageError, match="not 'camel'"):
        dataset.read(rename="camel")  # type: ignore[arg-type]


def test_a_view_gives_duckdb_every_row_without_quotes(dataset: Dataset) -> None:
    """No column of it is a reserved word; values are those of the table."""
    database = duckdb.connect()
    database.execute(dataset.duckdb_view())
    rows = database.sql("select message_id, from_, len(to_), account from mail order by 1").fetchall()
    assert [(n, "Ann <ann@example.org>", 2, ANN if n < 4 else "bob") for n in (1, 2, 3, 4)] == rows
    assert dataset.to_table(rename="snake").column_names == database.sql("from mail").columns
    database.execute(dataset.duckdb_view('my "mail"', ANN))
    assert database.sql('select count(*) from "my ""mail"""').fetchall() == [(3,)]


def test_a_view_leaves_out_replaced_parts(dataset: Dataset) -> None:
    """One of two compacted parts is back, as after a kill: a glob would show its mail twice."""
    left = dataset.parts(ANN)[0]
    content = left.read_bytes()
    dataset.compact()
    left.write_bytes(content)
    database = duckdb.connect()
    database.execute(dataset.duckdb_view())
    assert database.sql("select count(*) from mail").fetchall() == [(4,)]
    assert dataset.to_arrow_dataset().count_rows() == 4


def test_a_view_fills_columns_that_some_or_all_parts_lack(dataset: Dataset) -> None:
    """As parts of an older release do."""
    for part in dataset.parts():
        pq.write_table(pq.ParquetFile(part).read().drop_columns("parseError"), part)
    pq.write_table(pq.ParquetFile(part).read().drop_columns("subject"), part)
    database = duckdb.connect()
    database.execute(dataset.duckdb_view())
    assert database.sql("select count(*), count(subject), count(parse_error) from mail").fetchall() == [
        (4, 3, 0)
    ]


def test_a_view_over_nothing_is_refused(tmp_path: Path) -> None:
    """DuckDB would refuse it later, and less clearly."""
    with pytest.raises(POP3UsageError, match="nothing is committed yet"):
        Dataset(tmp_path / "mail").duckdb_view()


def test_a_scanner_reads_filtered_rows_lazily(dataset: Dataset) -> None:
    """Only live parts; the schema is ours; an empty dataset has no rows."""
    found = dataset.scanner(["messageId", "account"], filter=ds.field("size") > 1002).to_table()
    assert found.to_pylist() == [{"messageId": 3, "account": ANN}, {"messageId": 4, "account": "bob"}]
    assert SCHEMA.equals(dataset.to_arrow_dataset().schema)
    assert dataset.to_arrow_dataset("bob").count_rows() == 1
    assert Dataset(dataset.path / "none").to_arrow_dataset().count_rows() == 0
