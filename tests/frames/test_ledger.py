"""What is known: names of folders and parts, keys, and the rule for duplicates."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pop3frames.errors import POP3ExportError, POP3UsageError
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.snapshot import folder_name, numbered_parts, part_name
from pop3frames.message import Message

Make = Callable[..., Message]
ANN = "ann@example.org"


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ("00123", "00123"),
        ("a=b/c", "a%3Db%2Fc"),
        ("_me", "%5Fme"),
        (".x", "%2Ex"),
        ("..", "%2E."),
        (ANN, "ann%40example.org"),
    ],
)
def test_an_account_has_a_folder_that_every_reader_sees(account: str, expected: str) -> None:
    """URL-encoded, so that it is one folder and never hidden."""
    assert expected == folder_name(account)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_an_account_can_be_read_back_from_its_folder(account: str) -> None:
    """And the name is a single, visible path component."""
    name = folder_name(account)
    assert account == unquote(name)
    assert name.isascii()
    assert "/" not in name
    assert name[0] not in "._"


def test_an_account_without_a_name_is_refused() -> None:
    """Its folder would be the dataset itself."""
    with pytest.raises(POP3UsageError, match="needs a name"):
        folder_name("")
    with pytest.raises(POP3UsageError, match="UTF-8"):
        folder_name("ann-\udcff")


def test_only_finished_parts_are_listed_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """Numbers may have gaps, and grow past eight digits."""
    for name in (
        "part-00000010.parquet",
        "part-00000009.parquet",
        part_name(10**8),
        "part-x.parquet",
        "n.txt",
    ):
        (tmp_path / name).touch()
    assert list(numbered_parts(tmp_path)) == [9, 10, 10**8]
    assert numbered_parts(tmp_path / "missing") == {}


def test_known_tells_uidls_and_hashes_of_the_account(folder: Path, message: Make) -> None:
    """Of all parts, and of no other account."""
    dataset = Dataset(folder)
    dataset.append([message(1), message(2, uidl=None)], ANN)
    dataset.append([message(3)], ANN)
    dataset.append([message(4, account="bob")], "bob")
    known = dataset.known(ANN)
    assert known.uidls == {"uid-000001", "uid-000003"}
    assert known.hashes == {message(n).content_hash for n in (1, 2, 3)}
    assert dataset.known("nobody").uidls == set()


def test_known_is_a_snapshot_until_it_is_refreshed(folder: Path, message: Make) -> None:
    """Refresh reads only what is new, and returns the highest number."""
    dataset = Dataset(folder)
    known = dataset.known(ANN)
    assert known.hashes == known.uidls == set()
    dataset.append([message(1)], ANN)
    assert known.uidls == set()
    assert known.refresh() == 1
    assert known.uidls == {"uid-000001"}
    assert known.hashes == {message(1).content_hash}


@pytest.mark.parametrize(
    ("stored", "asked", "duplicate"),
    [
        (("u", "h"), ("u", "other"), True),
        (("u", "h"), ("v", "h"), False),
        (("u", "h"), (None, "h"), True),
        (("u", "h"), (None, "g"), False),
        ((None, "h"), (None, "h"), True),
        ((None, "h"), ("u", "h"), True),
        ((None, "h"), ("u", "g"), False),
        ((None, "h"), ("u", None), False),
        (("u", None), ("u", None), True),
        (("u", None), ("v", None), False),
    ],
)
def test_a_row_is_a_duplicate_by_uidl_or_where_one_has_none_by_content(
    folder: Path, message: Make, stored: tuple[str, str], asked: tuple[str, str], duplicate: bool
) -> None:
    """The same answer from the ledger, from what is staged, and from what is committed meanwhile."""
    first, second = (message(n, uidl=u, content_hash=h) for n, (u, h) in enumerate((stored, asked)))
    dataset = Dataset(folder)
    late = dataset.writer(ANN)
    assert late.add([second]) == 1
    with dataset.writer(ANN) as writer:
        assert writer.add([first]) == 1
        assert duplicate is (writer.add([second]) == 0)
        writer.abort()
        writer.add([first])
    assert duplicate is dataset.known(ANN).holds(*asked)
    assert duplicate is (late.commit() is None)


def test_a_part_of_another_account_in_the_folder_is_refused(folder: Path, message: Make) -> None:
    """Its UIDLs would hide this account's mail. Copied by hand, or names that differ only in case."""
    dataset = Dataset(folder)
    commit = dataset.append([message(1, account="bob")], "bob")[0]
    (folder / folder_name(ANN)).mkdir()
    commit.path.rename(folder / folder_name(ANN) / commit.path.name)
    known = dataset.known(ANN)
    for _ in range(2):
        with pytest.raises(POP3ExportError, match="another account"):
            known.holds("uid-000001", None)


def test_a_file_of_someone_else_among_the_parts_is_named(folder: Path, message: Make) -> None:
    """It has no keys, so nothing could be told from it."""
    dataset = Dataset(folder)
    commit = dataset.append([message(1)], ANN)[0]
    pq.write_table(pa.table({"uidl": ["x"]}), commit.path)
    with pytest.raises(POP3ExportError, match="not written by pop3frames"):
        dataset.known(ANN).refresh()


def test_a_damaged_part_is_named(folder: Path, message: Make) -> None:
    """Nothing is appended beside a ledger that cannot be read."""
    dataset = Dataset(folder)
    commit = dataset.append([message(1)], ANN)[0]
    commit.path.write_bytes(b"PAR1 no more")
    for attempt in (lambda: dataset.append([message(2)], ANN), dataset.to_table, lambda: dataset.count(ANN)):
        with pytest.raises(POP3ExportError, match=r"part-00000001\.parquet"):
            attempt()


def test_reading_the_ledger_costs_in_proportion_to_its_rows(folder: Path) -> None:
    """CPU time of 20,000 known unique-ids and of twice as many, in one process."""

    def cost(account: str, rows: int) -> float:
        Dataset(folder).append((Message(uidl=f"{number:032x}") for number in range(rows)), account)
        spent = []
        for _ in range(5):
            began = time.process_time()
            assert rows == len(Dataset(folder).known(account).uidls)
            spent.append(time.process_time() - began)
        return min(spent)

    assert cost("twice", 40_000) < 3 * cost("once", 20_000)
