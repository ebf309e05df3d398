"""What a footer says of replaced parts: exact, short, and refused when damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3frames.errors import POP3ExportError
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.snapshot import REPLACES, decoded, encoded
from pop3frames.message import Message

Make = Callable[..., Message]
ANN = "ann@example.org"


@given(st.sets(st.integers(1, 60), min_size=1))
def test_numbers_come_back_as_they_were_written(numbers: set[int]) -> None:
    """Those below the part's own number; nothing above it is believed."""
    assert numbers == decoded(encoded(numbers), 61)
    assert {n for n in numbers if n < 30} == decoded(encoded(numbers), 30)


def test_neighbours_are_written_as_ranges() -> None:
    """A compaction a day for years fits into a footer."""
    assert encoded({3, 1, 2, 5, 7, 8}).split()[0] == "1-3,5,7-8"
    assert len(encoded(range(1, 100_000))) < 20


@pytest.mark.parametrize("damaged", ["1-4 0ff6ab5a", "1-3", "", "1-3 zzzz"])
def test_numbers_with_a_wrong_checksum_are_refused(damaged: str) -> None:
    """A wrong digit would hide mail."""
    with pytest.raises(ValueError, match="checksum"):
        decoded(damaged, 10)


def test_a_part_whose_footer_is_damaged_there_is_a_typed_error(folder: Path, message: Make) -> None:
    """It names the part; nothing is guessed."""
    dataset = Dataset(folder)
    (commit,) = dataset.append([message(1)], ANN)
    table = pq.ParquetFile(commit.path).read()
    pq.write_table(table.replace_schema_metadata({REPLACES: "1-9 00000000"}), commit.path)
    with pytest.raises(POP3ExportError, match="its footer is damaged"):
        dataset.to_table()
