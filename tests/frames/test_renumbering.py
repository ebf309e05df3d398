"""Rows get other unique-ids: whole, once, whoever else writes, and whatever is done to the parts later."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pop3frames.errors import POP3ExportError
from pop3frames.frames.dataset import Dataset, enclosing_dataset
from pop3frames.frames.snapshot import settled
from pop3frames.message import Message

Make = Callable[..., Message]
ANN = "ann@example.org"


@pytest.fixture
def small(folder: Path, message: Make) -> Dataset:
    """Five parts of two mails each."""
    dataset = Dataset(folder)
    for start in range(0, 10, 2):
        dataset.append([message(start), message(start + 1)], ANN)
    return dataset


def keys(dataset: Dataset) -> list[tuple[str | None, str]]:
    """Unique-id and content hash of all rows, by their hash."""
    table = dataset.to_table(["uidl", "contentHash"], ANN).to_pylist()
    return sorted(((row["uidl"], row["contentHash"]) for row in table), key=lambda key: key[1])


def new_names(messages: list[Message]) -> dict[tuple[str | None, str | None], str]:
    """`new-<number>` for each."""
    return {(each.uidl, each.content_hash): f"new-{each.message_id}" for each in messages}


def test_only_the_unique_ids_of_the_named_rows_change(small: Dataset, message: Make) -> None:
    """All other cells, the number of rows and of parts stay; parts without such rows are not touched."""
    before = small.to_table().to_pylist()
    untouched = small.parts(ANN)[2:]
    assert 3 == small.renumber(small.known(ANN), new_names([message(number) for number in (0, 2, 3)]))
    names = {"uid-000000": "new-0", "uid-000002": "new-2", "uid-000003": "new-3"}
    expected = [row | {"uidl": names.get(row["uidl"], row["uidl"])} for row in before]
    assert sorted(expected, key=str) == sorted(small.to_table().to_pylist(), key=str)
    assert untouched == small.parts(ANN)[:3]
    assert (5, True) == (len(small.parts(ANN)), bool(small.verify()))


def test_a_row_whose_hash_is_another_keeps_its_unique_id(small: Dataset) -> None:
    """The key is both: a row that somebody replaced meanwhile is not that mail."""
    assert 0 == small.renumber(small.known(ANN), {("uid-000001", "0" * 64): "new"})


def test_a_row_without_a_unique_id_gets_one(folder: Path, message: Make) -> None:
    """It is keyed by its content until then."""
    dataset, loose = Dataset(folder), message(1, uidl=None)
    dataset.append([loose, message(2)], ANN)
    assert 1 == dataset.renumber(dataset.known(ANN), {(None, loose.content_hash): "new-1"})
    known = dataset.known(ANN)
    assert ({"new-1", "uid-000002"}, frozenset()) == (set(known.uidls), set(known.loose))


def test_a_unique_id_that_is_stored_already_is_given_to_no_other_row(small: Dataset, message: Make) -> None:
    """Two rows of one key would be one mail twice."""
    zero = message(0)
    assert 0 == small.renumber(small.known(ANN), {(zero.uidl, zero.content_hash): "uid-000009"})
    assert bool(small.verify())


def test_whoever_read_the_old_parts_before_learns_the_new_unique_ids(small: Dataset, message: Make) -> None:
    """Also through a compaction that came behind: a part that replaced known ones is read all the same."""
    one, other = small.known(ANN), small.known(ANN)
    assert (10, 10) == (len(one.uidls), len(other.uidls))
    small.renumber(small.known(ANN), new_names([message(3)]))
    one.refresh()
    small.compact()
    other.refresh()
    assert ("new-3" in one.uidls, "new-3" in other.uidls) == (True, True)


def test_a_writer_that_staged_the_same_mail_under_its_new_id_drops_it(small: Dataset, message: Make) -> None:
    """It fetched what another run knew again: the row is there by the time of its commit."""
    known = small.known(ANN)
    writer = small.writer(ANN, known)
    assert 2 == writer.add([message(3, uidl="new-3"), message(77)])
    small.renumber(small.known(ANN), new_names([message(3)]))
    commit = writer.commit()
    assert commit is not None
    assert (1, 1) == (commit.rows, commit.dropped)
    assert 11 == small.count(ANN)
    assert bool(small.verify())


@pytest.mark.parametrize("compacted", [False, True])
def test_a_mail_that_was_stored_under_its_new_id_meanwhile_is_not_there_twice(
    small: Dataset, message: Make, monkeypatch: pytest.MonkeyPatch, compacted: bool
) -> None:
    """Whoever commits in between takes the number: the renumbering sees it, and leaves that row alone."""
    link = os.link

    def slow_link(*arguments: object, **options: object) -> None:
        monkeypatch.setattr(os, "link", link)
        small.append([message(50, uidl="new-3")], ANN)
        if compacted:
            small.compact()
        link(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", slow_link)
    assert 1 == small.renumber(small.known(ANN), new_names([message(2), message(3)]))
    assert {"new-2", "new-3", "uid-000003"} <= {uidl for uidl, _ in keys(small)}
    assert (11, True) == (small.count(ANN), bool(small.verify()))


def test_of_two_renumberings_at_once_one_does_the_work(
    small: Dataset, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other finds it done."""
    link, names = os.link, new_names([message(number) for number in range(10)])

    def slow_link(*arguments: object, **options: object) -> None:
        monkeypatch.setattr(os, "link", link)
        assert 10 == small.renumber(small.known(ANN), names)
        link(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", slow_link)
    assert 0 == small.renumber(small.known(ANN), names)
    assert {f"new-{number}" for number in range(10)} == {uidl for uidl, _ in keys(small)}
    assert (10, True) == (small.count(ANN), bool(small.verify()))


@pytest.mark.parametrize("call", ["link", "unlink", "fsync"])
@pytest.mark.parametrize("at", range(1, 12))
def test_broken_off_anywhere_each_row_is_there_once_and_the_next_completes_it(
    small: Dataset, message: Make, monkeypatch: pytest.MonkeyPatch, call: str, at: int
) -> None:
    """As if killed at that call: some rows have their new keys and the others the old ones."""

    class Killed(BaseException):
        """No code of ours catches it."""

    original, count = getattr(os, call), 0

    def dying(*arguments: object, **options: object) -> object:
        nonlocal count
        count += 1
        if count >= at:
            raise Killed
        return original(*arguments, **options)

    names = new_names([message(number) for number in range(10)])
    with monkeypatch.context() as patch:
        patch.setattr(os, call, dying)
        try:
            small.renumber(small.known(ANN), names)
        except Killed:
            assert count >= at
    found = {digest: uidl for uidl, digest in keys(small)}
    assert (10, 10) == (len(found), small.count(ANN))
    for (old, digest), new in names.items():
        assert found[str(digest)] in (old, new)
    small.renumber(small.known(ANN), names)
    small.sweep(older_than=0)
    assert set(names.values()) == {uidl for uidl, _ in keys(small)}
    assert (10, (), True) == (small.count(ANN), small.verify().findings, bool(small.verify()))


def test_a_disk_that_refuses_leaves_the_rows_as_they_were(
    small: Dataset, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of ours, and nothing is changed."""
    before = keys(small)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(POP3ExportError, match="disk is full"):
        small.renumber(small.known(ANN), new_names([message(1)]))
    assert before == keys(small)


def test_columns_of_a_newer_release_stay(small: Dataset, message: Make) -> None:
    """The part is rewritten with all it has."""
    path = small.parts(ANN)[0]
    table = pq.read_table(path).append_column("newer", pa.array([7, 8]))
    pq.write_table(table, path)
    small.renumber(small.known(ANN), new_names([message(0)]))
    assert [7, 8] == pq.read_table(small.parts(ANN)[-1])["newer"].to_pylist()


def test_sizes_are_told_only_of_mail_that_was_fetched_under_its_unique_id(
    small: Dataset, message: Make
) -> None:
    """Also after compaction and pruning: whoever deletes by unique-id and size takes no hint for a proof."""
    small.renumber(small.known(ANN), new_names([message(0)]))
    assert {f"uid-{number:06d}": 1000 + number for number in range(2, 10)} == small.sizes(ANN)
    small.prune(before=datetime(2100, 1, 1, tzinfo=UTC))
    assert 8 == len(small.sizes(ANN))
    small.compact()
    assert {} == small.sizes(ANN)


def test_a_part_that_was_not_renumbered_says_nothing_of_it(small: Dataset, message: Make) -> None:
    """What old releases wrote, and what compaction makes of it, is what it was."""
    small.compact()
    live = settled(small.path / "ann%40example.org", lambda snapshot: list(snapshot.live.values()))
    assert [False] == [part.renumbered for part in live]
    small.renumber(small.known(ANN), new_names([message(0)]))
    live = settled(small.path / "ann%40example.org", lambda snapshot: list(snapshot.live.values()))
    assert [True] == [part.renumbered for part in live]


def test_rows_are_found_by_their_cells(small: Dataset) -> None:
    """Times come as integers; a column that a part lacks is null."""
    found = small.rows_with(ANN, "size", {1001, 1008}, ["uidl", "receivedAt", "size"])
    assert [
        ("uid-000001", 1_700_000_000_001, 1001),
        ("uid-000008", 1_700_000_000_008, 1008),
    ] == found
    assert [] == small.rows_with(ANN, "size", set(), ["uidl"])


@pytest.mark.parametrize(
    "inside", ["x.parquet", "ann%40example.org/x.parquet", "deep/er/x.parquet", ".staging/x.parquet"]
)
def test_a_path_inside_a_dataset_is_recognised(small: Dataset, inside: str) -> None:
    """Whatever folder of it; a reader of all its files would take that file for a part."""
    assert small.path == enclosing_dataset(small.path / inside)


def test_a_path_beside_a_dataset_is_not_inside(small: Dataset) -> None:
    """Nor is one in a folder that is not there yet."""
    assert enclosing_dataset(small.path.parent / "x.parquet") is None
    assert enclosing_dataset(small.path.parent / "new" / "x.parquet") is None


def test_a_path_inside_a_copy_of_the_parts_is_recognised(small: Dataset) -> None:
    """A published copy has no folder for staging."""
    (small.path / ".staging").rmdir()
    assert small.path == enclosing_dataset(small.path / "x.parquet")
    assert small.path == enclosing_dataset(small.path / "ann%40example.org" / "x.parquet")
