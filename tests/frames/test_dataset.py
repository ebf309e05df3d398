"""The dataset as a whole: what it gives back, who else can read it, and its laws against a plain model."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from pop3frames.errors import POP3ExportError, POP3UsageError
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.schema import SCHEMA
from pop3frames.message import Message

Make = Callable[..., Message]
ANN = "ann@example.org"
ODD_ACCOUNTS = ["00123", "a=b/c", "_me", ".x"]


@pytest.fixture
def odd(folder: Path, message: Make) -> Dataset:
    """Four accounts whose names mislead readers, two parts each, three mails each."""
    dataset = Dataset(folder)
    for account in ODD_ACCOUNTS:
        dataset.append([message(1, account=account), message(2, account=account, to=[])], account)
        dataset.append([message(3, account=account, received_at=None)], account)
    return dataset


def test_every_reader_sees_all_rows_of_oddly_named_accounts(odd: Dataset) -> None:
    """pandas on the folder, DuckDB and polars on the glob; account stays a string."""
    expected = sorted([account, n] for account in ODD_ACCOUNTS for n in (1, 2, 3))
    frame = pd.read_parquet(odd.path)
    assert expected == sorted(frame[["account", "messageId"]].to_numpy().tolist())
    glob = f"{odd.path}/*/*.parquet"
    rows = duckdb.sql(f"select account, messageId from '{glob}'").fetchall()
    assert expected == sorted(map(list, rows))
    lazy = pl.scan_parquet(glob).select("account", "messageId").collect()
    assert expected == sorted(map(list, lazy.rows()))


def test_every_reader_sees_nested_columns_and_the_documented_time(odd: Dataset) -> None:
    """Attachments are structs in lists, receivedAt as int64 is the number of the message dict."""
    glob = f"{odd.path}/*/*.parquet"
    frame = pd.read_parquet(odd.path, dtype_backend="pyarrow")
    assert set(frame["attachments"].list[0].struct.field("size")) == {77}
    epochs = frame["receivedAt"].astype("int64[pyarrow]").dropna()
    assert set(epochs) == {1_700_000_000_001, 1_700_000_000_002}
    assert set(odd.read()["receivedAt"].dropna().astype("int64")) == set(epochs)
    sizes = duckdb.sql(
        f"select distinct attachments[1].size, len(\"to\") from '{glob}' order by 2"
    ).fetchall()
    assert sizes == [(77, 0), (77, 2)]
    exploded = (
        pl.scan_parquet(glob).select(pl.col("attachments").explode().struct.field("filename")).collect()
    )
    assert exploded["filename"].unique().to_list() == ["plan.pdf"]


def test_accounts_parts_and_counts_tell_what_is_there(odd: Dataset) -> None:
    """Accounts by their real names; parts in order, of one account or of all."""
    assert sorted(ODD_ACCOUNTS) == odd.accounts()
    assert [path.name for path in odd.parts("_me")] == ["part-00000001.parquet", "part-00000002.parquet"]
    assert len(odd.parts()) == 8
    assert (odd.count("a=b/c"), odd.count("nobody")) == (3, 0)


def test_rows_can_be_read_by_account_and_by_column(odd: Dataset) -> None:
    """In the order asked for; DataFrame and table alike; the table keeps the schema."""
    table = odd.to_table(["uidl", "messageId"], ".x")
    assert table.column_names == ["uidl", "messageId"]
    assert table["messageId"].to_pylist() == [1, 2, 3]
    assert list(odd.read(["messageId"], "00123")["messageId"]) == [1, 2, 3]
    assert SCHEMA.equals(odd.to_table().schema, check_metadata=True)
    assert odd.to_table().equals(pa.Table.from_pandas(odd.read(), schema=SCHEMA))


def test_an_empty_dataset_reads_as_no_rows(folder: Path) -> None:
    """With the columns there will be."""
    assert SCHEMA.equals(Dataset(folder).to_table().schema)
    assert (len(Dataset(folder).read()), list(Dataset(folder).read(["uidl"]))) == (0, ["uidl"])


def test_a_column_that_does_not_exist_is_named(odd: Dataset) -> None:
    """Instead of being left out in silence."""
    with pytest.raises(POP3UsageError, match="no such columns: \\['body'\\]"):
        odd.read(["uidl", "body"])


def test_append_cuts_parts_by_size(folder: Path, message: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a size that readers like; here one that tests like."""
    monkeypatch.setattr("pop3frames.frames.dataset.PART_BYTES", 20_000)
    commits = Dataset(folder).append((message(n, raw=b"x" * 5_000) for n in range(10)), ANN)
    assert [commit.rows for commit in commits] == [4, 4, 2]


def test_a_path_that_is_a_file_is_refused_at_the_door(tmp_path: Path) -> None:
    """Before anything is fetched; also when a file is further up."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "mail"):
        with pytest.raises(POP3ExportError, match="a file is where a folder should be: choose another path"):
            Dataset(path).writer(ANN)


def test_a_path_that_can_be_made_is_accepted_and_not_made(tmp_path: Path) -> None:
    """However deep."""
    Dataset(tmp_path / "a" / "b").check_writable()
    assert list(tmp_path.iterdir()) == []


def test_an_object_store_is_refused() -> None:
    """It would otherwise become a local folder called s3:."""
    with pytest.raises(POP3UsageError, match="local folder"):
        Dataset("s3://bucket/mail")


@pytest.mark.parametrize("path", ["mail\0", "mail-\udcff"])
def test_a_path_that_no_part_could_be_opened_by_is_refused(path: str) -> None:
    """NUL ends a name for the system; Arrow opens no name that is not UTF-8."""
    with pytest.raises(POP3UsageError, match="UTF-8"):
        Dataset(path)


def test_an_account_name_too_long_for_the_file_system_is_a_typed_error(folder: Path, message: Make) -> None:
    """And nothing stays behind."""
    name = "ü" * 60
    with pytest.raises(POP3ExportError, match="choose a shorter one"):
        Dataset(folder).append([message(1, account=name)], name)
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_export_and_ledger_import_neither_pandas_nor_ipywidgets(tmp_path: Path) -> None:
    """Half a second at every start, and a hundred megabytes on every worker."""
    program = f"""
import sys
from pop3frames.frames.batches import record_batches
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.parquet import write_file
from pop3frames.message import Attachment, Message

def mails(start):
    for n in range(start, start + 4):
        files = [Attachment("a", "b/c", n)]
        yield Message(uidl=str(n) if n % 2 else None, content_hash=f"h{{n}}", attachments=files, to=["x"])

dataset = Dataset({str(tmp_path / "mail")!r})
late = dataset.writer("a")
late.add(mails(2))
dataset.append(mails(0), "a")
assert late.commit().rows == 2
assert (dataset.known("a").uidls, len(dataset.known("a").hashes)) == ({{"1", "3", "5"}}, 6)
assert dataset.to_table(account="a").num_rows == dataset.count("a") == 6
write_file({str(tmp_path / "one.parquet")!r}, record_batches(mails(0)))
heavy = {{"pandas", "pyarrow.dataset", "ipywidgets", "email"}} & set(sys.modules)
sys.exit(f"imported {{heavy}}" if heavy else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


Key = tuple[str | None, str]
KEYS = st.tuples(st.none() | st.sampled_from("abcdef"), st.sampled_from("pqrst"))
WHICH = st.integers(0, 1)


def _duplicate(key: Key, rows: list[Key]) -> bool:
    """The rule, said once more and in another way than the package says it."""
    uidl, digest = key
    for other, content in rows:
        if uidl is not None and uidl == other:
            return True
        if digest == content and (uidl is None or other is None):
            return True
    return False


class Ledger(RuleBasedStateMachine):
    """Two writers, each with a Dataset of its own, against lists."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.committed: list[Key] = []
        self.writers = [Dataset(self.folder).writer(ANN) for _ in range(2)]
        self.staged: list[list[Key]] = [[], []]
        self.seen: list[list[Key] | None] = [None, None]

    @rule(which=WHICH)
    def renew(self, which: int) -> None:
        """Gives up what is staged and starts again, as after a crash."""
        self.writers[which].abort()
        self.writers[which] = Dataset(self.folder).writer(ANN)
        self.staged[which], self.seen[which] = [], None

    @rule(which=WHICH, keys=st.lists(KEYS, min_size=1, max_size=6))
    def add(self, which: int, keys: list[Key]) -> None:
        """New rows are staged, judged by what this writer has seen."""
        before = len(self.staged[which])
        if self.seen[which] is None:
            self.seen[which] = list(self.committed)
        for key in keys:
            if not _duplicate(key, [*self.staged[which], *(self.seen[which] or ())]):
                self.staged[which].append(key)
        added = self.writers[which].add(Message(uidl=u, content_hash=h) for u, h in keys)
        assert len(self.staged[which]) - before == added

    @precondition(lambda self: any(self.staged))
    @rule(which=WHICH)
    def commit(self, which: int) -> None:
        """What nobody committed meanwhile becomes a part."""
        staged, self.staged[which] = self.staged[which], []
        fresh = [key for key in staged if not _duplicate(key, self.committed)]
        commit = self.writers[which].commit()
        assert (len(fresh), len(staged) - len(fresh)) == (
            (commit.rows, commit.dropped) if commit else (0, len(staged))
        )
        self.committed += fresh
        if staged:
            self.seen[which] = list(self.committed)
        rows = Dataset(self.folder).to_table(["uidl", "contentHash"]).to_pylist()
        assert self.committed == [(row["uidl"], row["contentHash"]) for row in rows]

    def teardown(self) -> None:
        """Whatever happened, every UIDL is there once, and nothing is staged."""
        for writer in self.writers:
            writer.abort()
        known = Dataset(self.folder).known(ANN)
        uidls = [uidl for uidl, _ in self.committed if uidl is not None]
        assert sorted(uidls) == sorted(known.uidls)
        assert {content for _, content in self.committed} == known.hashes
        assert not list((self.folder / ".staging").glob("*"))
        shutil.rmtree(self.folder)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(deadline=None, max_examples=30, stateful_step_count=15)
