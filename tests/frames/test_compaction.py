"""Compaction: many small parts become few, and no reader or writer notices."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lab.cpu import growth

from pop3frames.errors import POP3ExportError
from pop3frames.frames import replacement
from pop3frames.frames.batches import record_batches
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.replacement import replace_parts
from pop3frames.frames.schema import SCHEMA
from pop3frames.frames.snapshot import settled
from pop3frames.message import Message

Make = Callable[..., Message]
ANN = "ann@example.org"


def _uidls(dataset: Dataset) -> list[str]:
    return sorted(dataset.to_table(["uidl"])["uidl"].to_pylist())


def _numbers(dataset: Dataset) -> list[int]:
    return [int(path.name[5:13]) for path in dataset.parts(ANN)]


@pytest.fixture
def small(folder: Path, message: Make) -> Dataset:
    """Five parts of two mails each."""
    dataset = Dataset(folder)
    for start in range(0, 10, 2):
        dataset.append([message(start, raw=b"x"), message(start + 1)], ANN)
    return dataset


def test_small_parts_become_one_with_the_same_rows_and_schema(small: Dataset) -> None:
    """Under the next number; a plain reader sees every row once too."""
    before = small.to_table()
    (done,) = small.compact()
    assert before.equals(small.to_table(), check_metadata=True)
    assert (_numbers(small), done.rows, len(done.replaced)) == ([6], 10, 5)
    assert len(pd.read_parquet(small.path)) == 10
    assert SCHEMA.equals(pq.ParquetFile(done.path).read().schema)
    assert done.nbytes == done.path.stat().st_size < done.nbytes_before


def test_compacting_again_finds_nothing_to_do(small: Dataset) -> None:
    """One small part is as few as can be."""
    small.compact()
    assert small.compact() == []
    assert _numbers(small) == [6]


def test_accounts_are_compacted_apart_and_one_alone_if_asked(small: Dataset, message: Make) -> None:
    """Bob's two parts stay two."""
    for number in (1, 2):
        small.append([message(number, account="bob")], "bob")
    small.compact(ANN)
    assert (len(small.parts(ANN)), len(small.parts("bob"))) == (1, 2)
    small.compact()
    assert (len(small.parts("bob")), small.count("bob")) == (1, 2)


def test_large_parts_are_left_alone_and_groups_end_at_the_target(
    small: Dataset, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes that tests like."""
    size = small.parts(ANN)[0].stat().st_size
    small.append([message(10, raw=os.urandom(50_000))], ANN)
    monkeypatch.setattr("pop3frames.frames.compaction.SMALL_BYTES", 2 * size)
    monkeypatch.setattr("pop3frames.frames.compaction.TARGET_BYTES", 2 * size - 100)
    assert [len(each.replaced) for each in small.compact()] == [2, 2]
    assert _numbers(small) == [5, 6, 7, 8]
    assert len(set(_uidls(small))) == 11


def test_row_groups_are_joined_up_to_the_limit_and_not_beyond(
    folder: Path, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many small ones make a file nearly twice as big."""
    monkeypatch.setattr("pop3frames.frames.replacement.MAX_ROWS", 4)
    dataset = Dataset(folder)
    for start in range(0, 9, 3):
        dataset.append(map(message, range(start, start + 3)), ANN)
    (done,) = dataset.compact()
    metadata = pq.read_metadata(done.path)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [4, 4, 1]


def test_many_parts_of_a_mail_each_cost_what_they_hold(message: Make) -> None:
    """An export every ten minutes leaves a thousand a week: twice as many cost twice as much."""
    table = pa.Table.from_batches(record_batches([message(1)]))

    def joined(count: int) -> None:
        assert [count] == [group.num_rows for group in replacement._row_groups(iter([table] * count))]

    assert growth(lambda: joined(200), lambda: joined(800)) < 10


def test_a_replaced_part_that_was_not_removed_does_not_count(small: Dataset, tmp_path: Path) -> None:
    """As after a kill between the link and the removal: not in rows, keys, counts or parts; swept then."""
    shutil.copytree(small.path, tmp_path / "copy")
    small.compact()
    shutil.copytree(tmp_path / "copy", small.path, dirs_exist_ok=True)
    assert (_numbers(small), small.count(ANN), len(_uidls(small))) == ([6], 10, 10)
    assert 6 == small.known(ANN).refresh()
    assert small.sweep() == 5
    assert len(list(small.path.glob("*/*.parquet"))) == 1


def test_parts_replaced_long_ago_do_not_count_either(small: Dataset, message: Make, tmp_path: Path) -> None:
    """A part that replaced them was itself replaced; so a slow writer's number stays dead for ever."""
    shutil.copytree(small.path, tmp_path / "copy")
    small.compact()
    small.append([message(11)], ANN)
    small.compact()
    shutil.copytree(tmp_path / "copy", small.path, dirs_exist_ok=True)
    assert (_numbers(small), len(_uidls(small))) == ([8], 11)


def test_a_writer_that_was_open_during_a_compaction_goes_on(small: Dataset, message: Make) -> None:
    """It knows its rows from before; nothing is doubled, and the merged part is not read again."""
    writer = small.writer(ANN)
    assert writer.add([message(3), message(20)]) == 1
    small.compact()
    commit = writer.commit()
    assert commit is not None
    assert commit.path.name == "part-00000007.parquet"
    assert writer.add([message(3), message(20), message(21)]) == 1
    writer.commit()
    assert len(_uidls(small)) == len(set(_uidls(small))) == 12


def test_a_merged_part_is_not_read_by_who_knows_its_rows(
    small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its footer says enough."""
    known = small.known(ANN)
    assert known.refresh() == 5
    small.compact()
    monkeypatch.delattr(pq, "ParquetFile")
    assert (known.refresh(), len(known.uidls)) == (6, 10)


def test_a_compaction_keeps_what_is_known(small: Dataset) -> None:
    """UIDLs and hashes, for those who asked before and those who ask later."""
    early = small.known(ANN)
    uidls = set(early.uidls)
    hashes = set(small.known(ANN).hashes)
    small.compact()
    assert early.hashes == hashes == small.known(ANN).hashes
    assert early.refresh() == 6
    assert uidls == early.uidls == small.known(ANN).uidls


@pytest.mark.parametrize("links", [True, False])
def test_a_slow_writer_does_not_link_into_the_hole_of_a_removed_part(
    small: Dataset, message: Make, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """It looked, then another committed that number and a compaction removed it again: the number is dead,
    and a part under it would not count. With hard links and without."""
    link = os.link
    writer = small.writer(ANN)
    writer.add([message(20), message(30)])

    def slow_link(*args: object, **options: object) -> None:
        monkeypatch.setattr(os, "link", link)
        small.append([message(30)], ANN)
        small.compact()
        if not links:
            monkeypatch.setattr(os, "link", _refuse)
        os.link(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", slow_link)
    commit = writer.commit()
    assert commit is not None
    assert (commit.path.name, commit.rows, commit.dropped) == ("part-00000008.parquet", 1, 1)
    assert len(_uidls(small)) == len(set(_uidls(small))) == 12
    assert not list((small.path / ".staging").iterdir())


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError(1, "no hard links here")


@pytest.mark.parametrize("also", [[], [77]])
def test_of_two_compactions_at_once_one_does_the_work(
    small: Dataset, message: Make, monkeypatch: pytest.MonkeyPatch, also: list[int]
) -> None:
    """The other finds its parts replaced, and drops what it wrote; also where its number was taken by a
    commit, and is free again because the first compaction took that in."""
    link = os.link

    def slow_link(*args: object, **options: object) -> None:
        monkeypatch.setattr(os, "link", link)
        small.append(map(message, also), ANN)
        assert len(small.compact()) == 1
        link(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", slow_link)
    assert small.compact() == []
    assert (_numbers(small), len(_uidls(small))) == ([6 + len(also)], 10 + len(also))
    assert len(list(small.path.glob("*/*.parquet"))) == 1
    assert not list((small.path / ".staging").iterdir())


def test_a_listing_that_misses_old_and_new_parts_is_not_believed(
    small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder is not listed at once: it may show neither what was removed meanwhile nor what was made."""
    listdir = os.listdir

    def torn(path: Path) -> list[str]:
        if path.name != "ann%40example.org":
            return listdir(path)
        monkeypatch.setattr(os, "listdir", listdir)
        small.compact()
        return []

    known = small.known(ANN)
    monkeypatch.setattr(os, "listdir", torn)
    assert (known.refresh(), len(known.uidls)) == (6, 10)


def test_a_reader_whose_parts_vanish_looks_again(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compaction happens after its listing; also when it had read some of the parts already."""
    parquet_file, opened = pq.ParquetFile, []

    def slow_open(source: object, **options: object) -> pq.ParquetFile:
        opened.append(source)
        if len(opened) == 3:
            small.compact()
        return parquet_file(source, **options)

    monkeypatch.setattr(pq, "ParquetFile", slow_open)
    assert len(_uidls(small)) == 10
    assert len(set(_uidls(small))) == 10


def test_a_folder_that_is_never_at_rest_ends_in_an_error(
    small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not in an endless loop."""
    part = small.parts(ANN)[0]
    part.unlink()
    part.symlink_to("nowhere")
    with pytest.raises(POP3ExportError, match=r"part-00000001\.parquet"):
        small.to_table()


def test_a_part_whose_footer_contradicts_itself_is_not_rewritten(small: Dataset) -> None:
    """Here the name of a column is damaged; with a unit of time, new mail would look old enough to prune."""
    path = small.parts(ANN)[0]
    path.write_bytes(path.read_bytes().replace(b"fetchedAt", b"fetchedAu", 1))
    with pytest.raises(POP3ExportError, match="footer is damaged"):
        small.prune(before=datetime(2100, 1, 1, tzinfo=UTC))
    assert path in small.parts(ANN)


def test_rows_that_get_lost_on_the_way_stop_everything(small: Dataset) -> None:
    """A defence against ourselves: the count is taken from the finished file."""
    parts = settled(small.parts(ANN)[0].parent, lambda snapshot: list(snapshot.live.values()))
    with pytest.raises(POP3ExportError, match="9 rows came out"):
        replace_parts(small.path, parts, lambda table: table.slice(1))
    assert _numbers(small) == [1, 2, 3, 4, 5]


def test_damage_is_not_copied_into_a_part_that_looks_whole(small: Dataset, message: Make) -> None:
    """A page that can be read, with a wrong checksum: the compaction stops, and nothing is removed."""
    small.append([message(20, raw=os.urandom(5000))], ANN)
    path = small.parts(ANN)[-1]
    group = pq.ParquetFile(path).metadata.row_group(0)
    damaged = bytearray(path.read_bytes())
    columns = map(group.column, range(group.num_columns))
    damaged[next(each for each in columns if each.path_in_schema == "raw").data_page_offset + 2000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(POP3ExportError, match=r"part-00000006\.parquet"):
        small.compact()
    assert _numbers(small) == [1, 2, 3, 4, 5, 6]
    assert not list((small.path / ".staging").iterdir())
