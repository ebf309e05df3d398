"""One Parquet file: written with our settings, read by everyone, whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pop3frames.errors import POP3ConnectionError, POP3ExportError
from pop3frames.frames.batches import record_batches, to_dataframe
from pop3frames.frames.parquet import write_file
from pop3frames.frames.schema import SCHEMA
from pop3frames.message import COLUMNS, Attachment, Message

Make = Callable[..., Message]
CHILD = Path(__file__).with_name("refusals_child.py")


def _messages(table: pa.Table) -> Iterator[Message]:
    """The way back, to compare with what went in."""
    times = {field.name for field in SCHEMA if pa.types.is_timestamp(field.type)}
    for name in times:
        index = table.schema.get_field_index(name)
        table = table.set_column(index, name, table[name].cast(pa.int64()))
    for row in table.to_pylist():
        values: dict[str, Any] = {column.attribute: row[column.name] for column in COLUMNS}
        values["attachments"] = [
            Attachment(each["filename"], each["contentType"], each["size"]) for each in row["attachments"]
        ]
        yield Message(**values)


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_messages_come_back_from_a_file_as_they_went_in(
    data: st.DataObject, any_message: st.SearchStrategy[Message], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any messages, any cut; the schema comes back with its comments."""
    messages = data.draw(st.lists(any_message, max_size=5))
    path = tmp_path_factory.getbasetemp() / "round.parquet"
    assert len(messages) == write_file(path, record_batches(messages, max_rows=2))
    table = pq.ParquetFile(path).read()
    assert SCHEMA.equals(table.schema, check_metadata=True)
    assert messages == list(_messages(table))


def test_pandas_polars_and_duckdb_read_the_same_rows(tmp_path: Path, message: Make) -> None:
    """Nested columns and times included."""
    mails = [message(1), message(2, to=[], attachments=[], subject=None, raw=b"\x00\xff")]
    path = tmp_path / "mail.parquet"
    write_file(path, record_batches(mails))
    expected = pa.table(record_batches(mails))
    assert mails == list(_messages(pa.Table.from_pandas(pd.read_parquet(path), schema=SCHEMA)))
    assert mails == list(_messages(pl.read_parquet(path).to_arrow().cast(SCHEMA)))
    nested = duckdb.sql(f'select messageId, "from", "to", attachments, raw from \'{path}\'').to_arrow_table()
    assert expected.select(nested.column_names).to_pylist() == nested.to_pylist()
    epochs = duckdb.sql(f"select epoch_ms(receivedAt) from '{path}'").fetchall()
    assert [(m.received_at,) for m in mails] == epochs


def test_a_file_is_zstd_with_indexes_and_one_row_group_for_each_batch(tmp_path: Path, message: Make) -> None:
    """Statistics let readers skip by time; checksums are in the next test."""
    path = tmp_path / "mail.parquet"
    write_file(path, record_batches(map(message, range(25)), max_rows=10))
    metadata = pq.ParquetFile(path).metadata
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [10, 10, 5]
    chunks = [group.column(i) for group in groups for i in range(group.num_columns)]
    assert {"ZSTD"} == {chunk.compression for chunk in chunks}
    assert all(chunk.has_column_index and chunk.has_offset_index for chunk in chunks)


def test_dictionaries_are_written_only_where_values_repeat(tmp_path: Path, message: Make) -> None:
    """On bodies and identifiers they only cost."""
    path = tmp_path / "mail.parquet"
    write_file(path, record_batches([message(1, cc=["c"], bcc=["b"])]))
    group = pq.ParquetFile(path).metadata.row_group(0)
    chunks = [group.column(i) for i in range(group.num_columns)]
    assert {
        "account",
        "from",
        "to.list.element",
        "cc.list.element",
        "bcc.list.element",
        "attachments.list.element.contentType",
    } == {chunk.path_in_schema for chunk in chunks if chunk.has_dictionary_page}


def test_a_flipped_bit_is_noticed_by_a_reader_that_checks(tmp_path: Path, message: Make) -> None:
    """Every page carries a checksum."""
    path = tmp_path / "mail.parquet"
    write_file(path, record_batches([message(1, raw=os.urandom(5000))]))
    group = pq.ParquetFile(path).metadata.row_group(0)
    damaged = bytearray(path.read_bytes())
    columns = map(group.column, range(group.num_columns))
    damaged[next(each for each in columns if each.path_in_schema == "raw").data_page_offset + 2000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(OSError, match="CRC checksum"):
        pq.ParquetFile(path, page_checksum_verification=True).read()


def test_a_failing_source_leaves_the_old_file_and_nothing_else(tmp_path: Path, message: Make) -> None:
    """The error keeps its type."""
    path = tmp_path / "mail.parquet"
    write_file(path, record_batches([message(1)]))

    def source() -> Iterator[Message]:
        yield from map(message, range(5))
        raise POP3ConnectionError("the connection was lost")

    with pytest.raises(POP3ConnectionError):
        write_file(path, record_batches(source(), max_rows=2))
    assert [path] == list(tmp_path.iterdir())
    assert pq.read_metadata(path).num_rows == 1


def test_an_unfinished_file_is_not_seen_by_a_glob_for_parquet(tmp_path: Path, message: Make) -> None:
    """DuckDB's globs match names that begin with a dot, so the ending must differ too."""
    seen = []

    def source() -> Iterator[Message]:
        for number in range(5):
            seen.extend(path.name for path in tmp_path.iterdir())
            yield message(number)

    write_file(tmp_path / "mail.parquet", record_batches(source(), max_rows=2))
    assert seen
    assert not [name for name in seen if name.endswith(".parquet") or name[0] not in "._"]


def test_a_finished_file_replaces_an_older_one(tmp_path: Path, message: Make) -> None:
    """A second export to the same path is the second export."""
    path = tmp_path / "mail.parquet"
    for count in (3, 2):
        assert count == write_file(str(path), record_batches(map(message, range(count))))
    assert len(to_dataframe(pq.ParquetFile(path).read())) == 2


@pytest.mark.parametrize(
    ("name", "advice"),
    [("missing/mail.parquet", "create it first"), (".", "name a file inside it"), ("x" * 300, "shorter one")],
)
def test_a_path_that_cannot_be_written_is_an_error_with_advice(
    tmp_path: Path, message: Make, name: str, advice: str
) -> None:
    """Before a single message is asked for."""

    def source() -> Iterator[Message]:
        pytest.fail("read a message")
        yield message(1)

    with pytest.raises(POP3ExportError, match=advice):
        write_file(tmp_path / name, record_batches(source()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("case", "advice", "at_the_door"),
    [
        ("read-only folder", "no permission", True),
        ("file limit", "grew over a limit", False),
        ("open files", "ulimit -n", False),
    ],
)
def test_a_refusal_of_the_real_system_is_an_error_with_advice(
    case: str, advice: str, at_the_door: bool
) -> None:
    """In a process of its own: permissions as an ordinary user, RLIMIT_FSIZE in the middle of a write,
    RLIMIT_NOFILE at the open; for a file, a dataset, and `check_writable`. No file stays, and an older one
    is unchanged."""
    done = subprocess.run(
        [sys.executable, str(CHILD), case],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    *errors, left = done.stdout.splitlines()
    assert [True, True, at_the_door] == [advice in error for error in errors]
    assert left == "left behind: [] the old file is unchanged"
