"""The recipes of docs/dataset.md give the dataset's rows: in polars, DuckDB, Delta, Iceberg and Spark."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import polars
import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from pop3frames.frames.dataset import Dataset
from pop3frames.frames.schema import SCHEMA
from pop3frames.frames.views import SNAKE_NAMES
from pop3frames.message import Message

PAGE = (Path(__file__).parents[2] / "docs" / "dataset.md").read_text()
ANN = "ann@example.org"
KEYS = ["account", "uidl", "contentHash"]
SPARK = """
import json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
{recipe}
rows = spark.sql("SELECT account, uidl, contentHash FROM mail").collect()
print("rows:" + json.dumps([list(row) for row in rows]))
"""


@pytest.fixture
def dataset(folder: Path, message: Callable[..., Message], monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Two accounts, one with a mail that has no unique-id; beside it the current folder, as in the docs."""
    monkeypatch.chdir(folder.parent)
    made = Dataset("demo-dataset")
    made.append([message(1), message(2, uidl=None)], ANN)
    made.append([message(3)], ANN)
    made.append([message(4, account="00123")], "00123")
    return made


def recipe(word: str) -> str:
    """The example of the page that mentions it."""
    [found] = [code for code in re.findall(r"```(?:python)?\n(.*?)```", PAGE, re.DOTALL) if word in code]
    return str(found)


def run(word: str) -> dict[str, Any]:
    """The names that such an example leaves."""
    names: dict[str, Any] = {}
    exec(recipe(word), names)
    return names


def keys(table: Any) -> list[tuple[str, ...]]:
    """The keys of its rows, in an order."""
    columns = pa.table(table).select(KEYS).to_pydict()
    return sorted(zip(*columns.values(), strict=True), key=str)


def test_polars_and_duckdb_read_the_files(dataset: Dataset) -> None:
    """By the globs of the page, with account names that look like numbers."""
    assert keys(dataset.to_table()) == keys(polars.scan_parquet("demo-dataset/*/*.parquet").collect())
    assert keys(dataset.to_table()) == keys(duckdb.sql("FROM 'demo-dataset/*/*.parquet'").to_arrow_table())
    assert "FROM 'demo-dataset/*/*.parquet' GROUP BY \"from\"" in recipe("sum(size) AS octets")


@pytest.mark.parametrize(("word", "where"), [('mode="overwrite"', "mail-delta"), ("merge", "mail-added")])
def test_delta_has_each_mail_once_however_often_it_is_run(dataset: Dataset, word: str, where: str) -> None:
    """Twice, and after more mail has come; descriptions of the columns come along."""
    run(word)
    run(word)
    assert keys(dataset.to_table()) == keys(deltalake.DeltaTable(where).to_pyarrow_table())
    dataset.append([Message(message_id=5, uidl="late", content_hash="ab", account=ANN)], ANN)
    run(word)
    stored = deltalake.DeltaTable(where)
    assert keys(dataset.to_table()) == keys(stored.to_pyarrow_table())
    assert SCHEMA.names == [column.name for column in stored.schema().fields]


def test_delta_takes_a_stream(dataset: Dataset) -> None:
    """For more mail than memory holds."""
    deltalake.write_deltalake("streamed", dataset.scanner().to_reader())
    assert keys(dataset.to_table()) == keys(deltalake.DeltaTable("streamed").to_pyarrow_table())


def test_iceberg_has_each_mail_once_however_often_it_is_run(dataset: Dataset) -> None:
    """Twice; non-null columns stay so, and times are the same moments in microseconds."""
    run("pyiceberg").get("catalog").close()
    names = run("pyiceberg")
    catalog: SqlCatalog = names["catalog"]
    table = catalog.load_table("mail.inbox").scan().to_arrow()
    catalog.close()
    assert keys(dataset.to_table()) == keys(table)
    assert pa.timestamp("us", "UTC") == table.schema.field("receivedAt").type
    expected = set(dataset.to_table()["receivedAt"].to_pylist())
    assert expected == set(table["receivedAt"].to_pylist())


def test_spark_reads_the_files(dataset: Dataset) -> None:
    """Where it is installed with Java: `pip install pyspark` brings 400 MB, too much for every run."""
    if not (importlib.util.find_spec("pyspark") and shutil.which("java")):
        pytest.skip("pyspark or java is not installed")
    code = SPARK.format(recipe=recipe("recursiveFileLookup"))
    environment = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert 0 == done.returncode, done.stderr
    rows = done.stdout.partition("rows:")[2].replace("null", "None")
    assert keys(dataset.to_table()) == sorted(map(tuple, eval(rows)), key=str)


def test_no_snake_case_name_is_a_reserved_word() -> None:
    """By the list of the DuckDB that is installed; `from` and `to` are on it, so it is the right one."""
    categories = "('reserved', 'type_function')"
    query = f"SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category IN {categories}"
    reserved = {name for (name,) in duckdb.sql(query).fetchall()}
    assert {"from", "to"} <= reserved
    assert set() == reserved & set(SNAKE_NAMES.values())
    for name in SNAKE_NAMES.values():
        assert [name] == duckdb.sql(f"SELECT 1 AS {name}").select(name).columns
