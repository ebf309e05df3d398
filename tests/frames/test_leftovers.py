"""Replaced parts that nobody removed: they go with the next commit or sweep, but no mail goes with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pop3frames.errors import POP3ExportError
from pop3frames.frames import leftovers
from pop3frames.frames.batches import record_batches
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.parquet import write_file
from pop3frames.frames.snapshot import folder_name, part_name
from pop3frames.message import Message

Make = Callable[..., Message]
ANN = "ann@example.org"


@pytest.fixture
def left(folder: Path, message: Make, tmp_path: Path) -> Dataset:
    """As after a kill between the link of a compacted part and the removal of the two that it replaced."""
    dataset = Dataset(folder)
    for n in range(2):
        dataset.append([message(n)], ANN)
    shutil.copytree(folder, tmp_path / "copy")
    dataset.compact()
    shutil.copytree(tmp_path / "copy", folder, dirs_exist_ok=True)
    return dataset


def files(dataset: Dataset) -> list[str]:
    """The names of all parts, live or not."""
    return sorted(path.name for path in dataset.path.glob("*/*.parquet"))


def test_the_next_commit_removes_them(left: Dataset, message: Make) -> None:
    """So that plain readers do not see doubles for long."""
    left.append([message(11)], ANN)
    assert [part_name(3), part_name(4)] == files(left)


def test_a_sweep_removes_them_and_counts(left: Dataset) -> None:
    """Whatever their age: nobody needs them."""
    assert 2 == left.sweep()
    assert [part_name(3)] == files(left)
    assert 0 == left.sweep()


def test_nobody_who_only_asks_what_is_known_reads_them(
    left: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To know that they may go takes the keys of every part: that is the price of a commit, not of a look."""
    monkeypatch.setattr(leftovers, "key_columns", None)
    assert 3 == left.known(ANN).refresh()
    assert [part_name(1), part_name(2), part_name(3)] == files(left)


def test_they_go_only_when_the_part_in_their_place_is_durable(
    left: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer may have died before the sync: where that fails now, they stay, and the error says why."""

    def refused(_: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(leftovers, "make_durable", refused)
    with pytest.raises(POP3ExportError, match=r"cannot remove replaced parts .* disk reported an error"):
        left.sweep()
    assert [part_name(1), part_name(2), part_name(3)] == files(left)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_file_with_a_replaced_number_and_other_mail_stays(
    left: Dataset, message: Make, damaged: bool
) -> None:
    """It was copied here, and may hold the only copy; what cannot be read may too."""
    left.sweep()
    stray = left.path / folder_name(ANN) / part_name(1)
    write_file(stray, record_batches([message(50)]))
    if damaged:
        stray.write_bytes(b"no Parquet")
    assert 0 == left.sweep()
    left.append([message(51)], ANN)
    assert [part_name(1), part_name(3), part_name(4)] == files(left)


def test_the_same_mail_under_another_unique_id_is_no_other_mail(left: Dataset, message: Make) -> None:
    """A renumbering gives it a new one, and the content decides; without a hash the unique-id does."""
    left.sweep()
    stray = left.path / folder_name(ANN) / part_name(1)
    write_file(stray, record_batches([message(0, uidl="another")]))
    assert 1 == left.sweep()
    write_file(stray, record_batches([message(0, uidl="another", content_hash=None)]))
    assert 0 == left.sweep()


def test_where_the_part_in_their_place_is_lost_they_count_again(left: Dataset) -> None:
    """No harm comes of leaving them: they are live then, and stay."""
    left.parts(ANN)[0].unlink()
    assert 0 == left.sweep()
    assert 2 == left.count(ANN)
    assert [part_name(1), part_name(2)] == files(left)
