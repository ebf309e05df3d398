"""Which mail is safe: its bytes read back from a committed part, and equal to what the row says."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pop3frames.errors import POP3ExportError
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.originals import safe_hashes
from pop3frames.message import Message

ANN, BOB = "ann@example.org", "bob@example.org"
Make = Callable[..., Message]


def kept(message: Make, number: int, raw: bytes | None = None, **changes: object) -> Message:
    """Mail `number` with its original bytes and their hash."""
    raw = b"raw %d" % number if raw is None else raw
    return message(number, **({"raw": raw, "content_hash": hashlib.sha256(raw).hexdigest()} | changes))


def uid(number: int) -> str:
    return f"uid-{number:06d}"


def hashed(number: int) -> str:
    return hashlib.sha256(b"raw %d" % number).hexdigest()


def test_mail_with_its_bytes_is_safe_by_the_hash_of_them(folder: Path, message: Make) -> None:
    """Of those asked for, over all parts."""
    dataset = Dataset(folder)
    for start in (0, 3, 6):
        dataset.append([kept(message, n) for n in range(start, start + 3)], ANN)
    assert {uid(n): hashed(n) for n in (1, 5, 8)} == dataset.safe(ANN, {uid(n) for n in (1, 5, 8, 99)})
    assert {} == dataset.safe(ANN, set())
    assert {} == dataset.safe(BOB, {uid(1)})


def test_an_empty_mail_is_safe_and_one_without_bytes_is_not(folder: Path, message: Make) -> None:
    """No octets are something else than none kept."""
    empty = kept(message, 1, b"")
    Dataset(folder).append([empty, message(2, raw=None)], ANN)
    assert {uid(1): hashlib.sha256(b"").hexdigest()} == Dataset(folder).safe(ANN, {uid(1), uid(2)})


@pytest.mark.parametrize(
    "changes",
    [
        {"content_hash": None},
        {"content_hash": "0" * 64},
        {"content_hash": ""},
        {"uidl": None},
        {"raw": b"other"},
    ],
    ids=str,
)
def test_a_row_that_proves_nothing_is_not_safe(
    folder: Path, message: Make, changes: dict[str, object]
) -> None:
    """No hash, another hash, no unique-id, other bytes."""
    row = replace(kept(message, 1), **changes)  # type: ignore[arg-type]
    Dataset(folder).append([row, kept(message, 2)], ANN)
    assert {uid(2): hashed(2)} == Dataset(folder).safe(ANN, {uid(1), uid(2), ""})


def test_rows_of_another_account_in_the_folder_are_not_safe(folder: Path, message: Make) -> None:
    """A part copied there, or names that a file system takes for one."""
    Dataset(folder).append([kept(message, 1)], ANN)
    [part] = Dataset(folder).parts()
    (folder / "bob%40example.org").mkdir()
    part.rename(folder / "bob%40example.org" / part.name)
    assert {} == Dataset(folder).safe(BOB, {uid(1)})


@pytest.mark.parametrize("name", ["00123", "a=b/c", "_me", ".x", "Zoë"])
def test_an_account_of_any_name_finds_its_own(folder: Path, message: Make, name: str) -> None:
    """However its folder is encoded."""
    Dataset(folder).append([kept(message, 1, account=name)], name)
    assert {uid(1): hashed(1)} == Dataset(folder).safe(name, {uid(1)})


@pytest.mark.parametrize("column", ["raw", "contentHash", "uidl", "account"])
def test_a_part_of_a_release_without_such_a_column_has_nothing_safe(
    folder: Path, message: Make, column: str
) -> None:
    """No proof, and no error either."""
    Dataset(folder).append([kept(message, 1)], ANN)
    [part] = Dataset(folder).parts()
    pq.write_table(pq.read_table(part).drop_columns([column]), part)
    assert {} == safe_hashes(part, {uid(1)})


def test_every_row_group_is_looked_at(folder: Path, message: Make) -> None:
    """Those without one that is wanted are passed over."""
    Dataset(folder).append([kept(message, n) for n in range(9)], ANN)
    [part] = Dataset(folder).parts()
    pq.write_table(pq.read_table(part), part, row_group_size=2)
    assert 5 == pq.ParquetFile(part).num_row_groups
    assert {uid(n): hashed(n) for n in (0, 5, 8)} == safe_hashes(part, {uid(n) for n in (0, 5, 8)})


def test_a_damaged_part_is_an_error_that_says_nothing_was_deleted(folder: Path, message: Make) -> None:
    """Its pages cannot be unpacked."""
    Dataset(folder).append([kept(message, n, os.urandom(4000)) for n in range(3)], ANN)
    [part] = Dataset(folder).parts()
    whole = part.read_bytes()
    start = pq.read_metadata(part).row_group(0).column(_leaf(part, "raw")).data_page_offset
    part.write_bytes(whole[:start] + b"\xff" * 200 + whole[start + 200 :])
    with pytest.raises(POP3ExportError, match="Nothing was deleted"):
        safe_hashes(part, {uid(0)})


def _leaf(part: Path, name: str) -> int:
    """The index of a column among the leaves, which nested columns have several of."""
    group = pq.read_metadata(part).row_group(0)
    return next(n for n in range(group.num_columns) if group.column(n).path_in_schema == name)


def test_a_part_and_the_folders_are_synced_before_a_mail_is_called_safe(
    folder: Path, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who linked the part may have died before, who copied it did not think of it. Nothing safe: no sync."""
    Dataset(folder).append([kept(message, 1)], ANN)
    seen: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        seen.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    assert {} == Dataset(folder).safe(ANN, {"other"})
    assert [] == seen
    assert {uid(1): hashed(1)} == Dataset(folder).safe(ANN, {uid(1)})
    assert ["part-00000001.parquet", "ann%40example.org", folder.name] == seen


LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("happens", "gone"),
    [
        (lambda dataset: dataset.compact(), set()),
        (lambda dataset: dataset.prune(before=LATER, columns=["textBody"]), set()),
        (lambda dataset: dataset.prune(before=LATER), {uid(1), uid(2)}),
        (lambda dataset: dataset.parts()[0].unlink(), {uid(1)}),
        (lambda dataset: shutil.rmtree(dataset.path), {uid(1), uid(2)}),
        (lambda dataset: dataset.renumber(dataset.known(ANN), {(uid(2), hashed(2)): "new"}), {uid(2)}),
    ],
    ids=["compacted", "bodies pruned", "pruned", "a part removed", "all removed", "renumbered"],
)
def test_what_has_gone_since_is_told(
    folder: Path, message: Make, happens: Callable[[Dataset], object], gone: set[str]
) -> None:
    """Of the unique-ids asked for; a row that was only moved has not gone."""
    dataset = Dataset(folder)
    for number in (1, 2, 3):
        dataset.append([kept(message, number)], ANN)
    originals = dataset.originals(ANN, {uid(1), uid(2), uid(3), uid(4)})
    assert set() == originals.gone({uid(1), uid(2)})
    happens(dataset)
    assert gone == originals.gone({uid(1), uid(2), uid(4)})
    assert {uid(n): hashed(n) for n in (1, 2, 3)} == originals.hashes


def test_parts_that_still_count_are_not_read_again(
    folder: Path, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part never changes; of one that was replaced, its mail is looked for wherever it is."""
    dataset = Dataset(folder)
    for number in (1, 2):
        dataset.append([kept(message, number)], ANN)
    originals, read = dataset.originals(ANN, {uid(1), uid(2)}), list[Path]()
    monkeypatch.setattr(
        "pop3frames.frames.originals.safe_hashes",
        lambda path, uidls: read.append(path) or safe_hashes(path, uidls),
    )
    dataset.append([kept(message, 3)], ANN)
    assert set() == originals.gone({uid(1)})
    assert [] == read
    dataset.compact()
    assert set() == originals.gone({uid(1)})
    assert dataset.parts() == read


def test_bytes_are_compared_as_they_are_stored(folder: Path, message: Make) -> None:
    """A column of the larger binary type, as other programs write it, is the same mail."""
    Dataset(folder).append([kept(message, 1)], ANN)
    [part] = Dataset(folder).parts()
    table = pq.read_table(part)
    at = table.schema.get_field_index("raw")
    pq.write_table(table.set_column(at, "raw", table["raw"].cast(pa.large_binary())), part)
    assert {uid(1): hashed(1)} == safe_hashes(part, {uid(1)})
