"""Verification finds what is damaged, missing, doubled or misplaced, and changes nothing."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pop3frames.errors import POP3ExportError
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.snapshot import folder_name, part_name
from pop3frames.message import Message

Make = Callable[..., Message]
ANN = "ann@example.org"


@pytest.fixture
def whole(message: Make) -> Callable[[Path], Dataset]:
    """`whole(folder)`: two accounts, three parts, raw bytes with their hashes."""

    def make(folder: Path) -> Dataset:
        def mail(number: int, **changes: Any) -> Message:
            raw = b"From: x\r\n\r\n" + os.urandom(300)
            return message(number, raw=raw, content_hash=hashlib.sha256(raw).hexdigest(), **changes)

        dataset = Dataset(folder)
        dataset.append([mail(1), mail(2)], ANN)
        dataset.append([mail(3), mail(4, uidl=None)], ANN)
        dataset.append([mail(1, account="bob")], "bob")
        return dataset

    return make


def _put(path: Path, mails: list[Message]) -> None:
    """A part as some other program might put it there."""
    other = Dataset(path.parent.parent / ".other")
    other.append(mails, mails[0].account)
    other.parts()[0].rename(path)
    shutil.rmtree(other.path)


def test_a_whole_dataset_has_no_findings(folder: Path, whole: Callable[[Path], Dataset]) -> None:
    """Also compacted; an empty one is whole too."""
    assert (bool(Dataset(folder).verify()), Dataset(folder).verify().parts) == (True, 0)
    dataset = whole(folder)
    dataset.compact(ANN)
    report = dataset.verify()
    assert (report.parts, report.rows, report.findings) == (2, 5, ())
    assert str(report) == "2 parts, 5 rows: whole"
    assert len(report.to_dataframe()) == 0


@pytest.mark.parametrize(
    ("change", "meaning", "row"),
    [
        ({"uidl": "uid-000001"}, "is also in part-00000001", 0),
        ({"raw": b"other"}, "contentHash is not the SHA-256 of raw", 0),
        ({"account": "eve"}, "in the folder of another", 0),
    ],
)
def test_a_row_that_is_wrong_is_named(
    folder: Path,
    message: Make,
    whole: Callable[[Path], Dataset],
    change: dict[str, Any],
    meaning: str,
    row: int,
) -> None:
    """With its file, its row, what it means and what to do."""
    dataset = whole(folder)
    path = folder / folder_name(ANN) / part_name(3)
    _put(path, [message(9, **change)])
    report = dataset.verify()
    (found,) = report.findings
    assert not report
    assert (path, row) == (found.path, found.row)
    assert meaning in found.meaning
    assert found.advice
    assert list(report.to_dataframe()["row"]) == [row]
    assert str(path) in str(report)


def test_text_that_is_not_utf8_is_found_where_no_checksum_tells(
    folder: Path, whole: Callable[[Path], Dataset]
) -> None:
    """In a file that another program wrote; readers stop at it or show nonsense."""
    dataset = whole(folder)
    path = dataset.parts("bob")[0]
    table = pq.ParquetFile(path).read()
    index = table.schema.get_field_index("subject")
    pq.write_table(table.set_column(index, "subject", pa.array([b"\xff"]).view(pa.string())), path)
    (found,) = dataset.verify().findings
    assert "UTF8" in found.meaning


def test_mail_without_a_uidl_is_found_twice_by_its_content(
    folder: Path, message: Make, whole: Callable[[Path], Dataset]
) -> None:
    """Whichever of the two rows comes first."""
    dataset = whole(folder)
    digest = dataset.to_table(["contentHash"], ANN)["contentHash"][3].as_py()
    _put(folder / folder_name(ANN) / part_name(3), [message(9, uidl="new", content_hash=digest)])
    (found,) = dataset.verify().findings
    assert "is also in part-00000002" in found.meaning


def test_a_printed_report_has_an_end(folder: Path, message: Make) -> None:
    """A part full of wrong hashes does not fill the terminal; all findings are in the report."""
    dataset = Dataset(folder)
    dataset.append((message(n, raw=b"x") for n in range(30)), ANN)
    report = dataset.verify()
    assert (len(report.findings), len(report.to_dataframe())) == (30, 30)
    assert str(report).splitlines()[-1] == "and 10 more: see findings"
    assert len(str(report).splitlines()) == 22


def test_a_missing_part_is_noticed(folder: Path, whole: Callable[[Path], Dataset]) -> None:
    """Numbers have no gaps but those that a compaction names; the last part cannot be missed."""
    dataset = whole(folder)
    dataset.parts(ANN)[0].unlink()
    (found,) = dataset.verify().findings
    assert (found.path.name, found.harmless) == ("part-00000001.parquet", False)


def test_missing_parts_one_after_another_are_one_finding(
    folder: Path, whole: Callable[[Path], Dataset]
) -> None:
    """However many: a file that somebody gave a high number does not cost the memory of a hundred million."""
    dataset = whole(folder)
    part = dataset.parts(ANN)[1]
    part.rename(part.with_name(part_name(99_999_999)))
    (found,) = dataset.verify().findings
    assert (found.path.name, found.harmless) == (part_name(2), False)
    assert "99999997 parts from this one on are missing" in found.meaning


def test_a_file_with_the_number_of_a_replaced_part_and_other_mail_is_no_leftover(
    folder: Path, whole: Callable[[Path], Dataset], message: Make
) -> None:
    """It was copied here, and may hold the only copy: it is told, and neither sweep nor commit removes it."""
    dataset = whole(folder)
    dataset.compact()
    stray = folder / folder_name(ANN) / part_name(1)
    _put(stray, [message(50, content_hash="a" * 64)])
    assert 0 == dataset.sweep()
    dataset.append([message(51)], ANN)
    dataset.compact()
    (found,) = dataset.verify().findings
    assert (found.path, found.harmless) == (stray, False)

    stray.write_bytes(b"no Parquet")
    assert 0 == dataset.sweep()
    (found,) = dataset.verify().findings
    assert (found.path, found.harmless) == (stray, False)


def test_leftovers_are_told_and_harmless(
    folder: Path, whole: Callable[[Path], Dataset], tmp_path: Path
) -> None:
    """A staged file, and parts that were replaced."""
    dataset = whole(folder)
    shutil.copytree(folder, tmp_path / "copy")
    dataset.compact()
    shutil.copytree(tmp_path / "copy", folder, dirs_exist_ok=True)
    (folder / ".staging" / "x.staged").touch()
    report = dataset.verify()
    assert report
    assert [found.path.name for found in report.findings] == ["x.staged", part_name(1), part_name(2)]


def test_a_part_that_cannot_be_opened_does_not_hide_the_others(
    folder: Path, whole: Callable[[Path], Dataset]
) -> None:
    """Both kinds of damage in one report."""
    dataset = whole(folder)
    first, second = dataset.parts(ANN)
    first.write_bytes(b"PAR1 no more")
    table = pq.ParquetFile(second).read()
    pq.write_table(table.set_column(0, "raw", [[b"?"] * 2]).drop_columns("uidl"), second)
    assert {first, second} == {found.path for found in dataset.verify().findings}


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EACCES])
@pytest.mark.parametrize("opening", [1, 4, 8])
def test_what_the_system_does_not_let_us_open_is_not_called_damaged(
    folder: Path, whole: Callable[[Path], Dataset], monkeypatch: pytest.MonkeyPatch, code: int, opening: int
) -> None:
    """Whoever restored a sound part from an old copy on that advice would lose mail."""
    dataset, real, opened = whole(folder), pq.ParquetFile, [0]

    def refusing(*args: Any, **options: Any) -> Any:
        opened[0] += 1
        if opened[0] == opening:
            raise OSError(code, os.strerror(code))
        return real(*args, **options)

    monkeypatch.setattr(pq, "ParquetFile", refusing)
    monkeypatch.setattr(pq, "read_metadata", lambda path: refusing(path).metadata)
    with pytest.raises(POP3ExportError, match=r"too many files are open|no permission"):
        dataset.verify()
    assert opened[0] == opening


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_byte_is_found_or_changes_nothing_that_is_read(
    data: st.DataObject, whole: Callable[[Path], Dataset], tmp_path: Path
) -> None:
    """Anywhere in a file. What Parquet cannot notice are texts and statistics in footer and page index, and
    the checksum's own absence: the rows read back are the same then."""
    if not (tmp_path / "mail").exists():
        whole(tmp_path / "mail")
    dataset = Dataset(tmp_path / "mail")
    path = dataset.path / folder_name("bob") / part_name(1)
    content = path.read_bytes()
    before = pq.ParquetFile(path).read()
    at, bit = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 7))
    damaged = bytearray(content)
    damaged[at] ^= 1 << bit
    try:
        path.write_bytes(damaged)
        if dataset.verify():
            assert before.equals(pq.ParquetFile(path).read()), f"bit {bit} of byte {at} of {len(content)}"
    finally:
        path.write_bytes(content)


def test_every_byte_of_the_pages_is_covered(folder: Path, whole: Callable[[Path], Dataset]) -> None:
    """The cells themselves: a flipped bit in any page is found."""
    dataset = whole(folder)
    path = dataset.parts("bob")[0]
    content = path.read_bytes()
    group = pq.read_metadata(path).row_group(0)
    for i in range(group.num_columns):
        chunk = group.column(i)
        at = chunk.data_page_offset + chunk.total_compressed_size - 1
        if chunk.has_dictionary_page:
            at = chunk.dictionary_page_offset + chunk.total_compressed_size - 1
        damaged = bytearray(content)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        assert not dataset.verify(), chunk.path_in_schema
