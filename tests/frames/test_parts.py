"""Adding to a dataset: staged, then committed whole, or given up without a trace."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from pop3frames.errors import POP3ConnectionError, POP3UsageError
from pop3frames.frames.batches import record_batches
from pop3frames.frames.dataset import Dataset
from pop3frames.frames.schema import SCHEMA
from pop3frames.message import Message

Make = Callable[..., Message]
ANN = "ann@example.org"


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _uidls(dataset: Dataset) -> list[str]:
    return sorted(dataset.to_table(["uidl"])["uidl"].to_pylist())


def test_a_commit_is_one_part_and_leaves_nothing_staged(folder: Path, message: Make) -> None:
    """It says what it wrote."""
    dataset = Dataset(folder)
    writer = dataset.writer(ANN)
    assert writer.add(map(message, range(5))) == writer.rows == 5
    commit = writer.commit()
    assert commit is not None
    assert _files(folder) == ["ann%40example.org/part-00000001.parquet"]
    assert (commit.path, commit.rows, commit.dropped) == (dataset.parts(ANN)[0], 5, 0)
    assert commit.nbytes == commit.path.stat().st_size
    assert (writer.rows, writer.nbytes, writer.commits) == (0, 0, [commit])


def test_a_writer_commits_as_often_as_it_is_asked(folder: Path, message: Make) -> None:
    """Each time the next number; what it committed itself is known to it."""
    writer = Dataset(folder).writer(ANN)
    for number in range(3):
        assert writer.add([message(number), message(0)]) == 1
        writer.commit()
    assert [commit.path.name[5:13] for commit in writer.commits] == ["00000001", "00000002", "00000003"]
    assert _uidls(Dataset(folder)) == ["uid-000000", "uid-000001", "uid-000002"]


def test_nothing_new_creates_nothing(folder: Path, message: Make) -> None:
    """Neither asking, nor writing nothing, makes a folder; a known message makes no part."""
    dataset = Dataset(folder)
    assert (dataset.accounts(), dataset.parts(), dataset.count(ANN)) == ([], [], 0)
    assert dataset.append([], ANN) == []
    assert dataset.writer(ANN).commit() is None
    assert not folder.exists()
    dataset.append([message(1)], ANN)
    assert dataset.append([message(1)], ANN) == []
    assert dataset.count(ANN) == 1


def test_leaving_by_an_exception_gives_up_what_is_staged(folder: Path, message: Make) -> None:
    """What was committed before stays."""
    dataset = Dataset(folder)

    def add_and_fail() -> None:
        with dataset.writer(ANN) as writer:
            writer.add([message(1)])
            writer.commit()
            writer.add([message(2)])
            raise KeyError("anything")

    with pytest.raises(KeyError):
        add_and_fail()
    assert _uidls(dataset) == ["uid-000001"]
    assert len(_files(folder)) == 1


def test_leaving_normally_commits_what_is_staged(folder: Path, message: Make) -> None:
    """Nothing that was added is lost in silence."""
    with Dataset(folder).writer(ANN) as writer:
        writer.add([message(1)])
    assert [commit.rows for commit in writer.commits] == [1]


def test_what_a_failing_source_gave_can_still_be_committed(folder: Path, message: Make) -> None:
    """A lost connection costs the messages that were not read, no others."""

    def source() -> Iterator[Message]:
        yield message(1)
        raise POP3ConnectionError("the connection was lost")

    dataset = Dataset(folder)
    writer = dataset.writer(ANN)
    with pytest.raises(POP3ConnectionError):
        writer.add(source())
    assert writer.commit() is not None
    assert _uidls(dataset) == ["uid-000001"]


def test_rows_that_another_writer_committed_meanwhile_are_dropped(folder: Path, message: Make) -> None:
    """The second writer takes the next number, with what is left of its rows."""
    first, second = Dataset(folder).writer(ANN), Dataset(folder).writer(ANN)
    first.add(map(message, range(4)))
    second.add(map(message, range(2, 8)))
    first.commit()
    commit = second.commit()
    assert commit is not None
    assert (commit.rows, commit.dropped, commit.path.name) == (4, 2, "part-00000002.parquet")
    assert _uidls(Dataset(folder)) == [f"uid-{n:06d}" for n in range(8)]
    assert len(_files(folder)) == 2


def test_a_number_taken_at_the_last_moment_is_noticed(
    folder: Path, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another writer commits between our look and our link, twice."""
    dataset, link = Dataset(folder), os.link
    others = [[message(1), message(2)], [message(3)]]

    def slow_link(*args: object, **options: object) -> None:
        monkeypatch.setattr(os, "link", link)
        if others:
            Dataset(folder).append(others.pop(), ANN)
        if others:
            monkeypatch.setattr(os, "link", slow_link)
        link(*args, **options)  # type: ignore[arg-type]

    writer = dataset.writer(ANN)
    writer.add(map(message, range(5)))
    monkeypatch.setattr(os, "link", slow_link)
    commit = writer.commit()
    assert commit is not None
    assert (commit.rows, commit.dropped, commit.path.name) == (2, 3, "part-00000003.parquet")
    assert _uidls(dataset) == [f"uid-{n:06d}" for n in range(5)]


def test_two_writers_that_share_what_is_known_do_not_double(folder: Path, message: Make) -> None:
    """The second finds the first one's rows without reading a part."""
    dataset = Dataset(folder)
    known = dataset.known(ANN)
    writers = [dataset.writer(ANN, known) for _ in range(2)]
    for writer in writers:
        writer.add([message(1)])
    assert [writer.commit() is None for writer in writers] == [False, True]
    assert _uidls(dataset) == ["uid-000001"]


def test_known_of_another_account_is_refused(folder: Path) -> None:
    """It would make new messages look old."""
    dataset = Dataset(folder)
    with pytest.raises(POP3UsageError, match="another account"):
        dataset.writer(ANN, dataset.known("bob"))


def test_a_message_gets_the_account_of_its_part(folder: Path, message: Make) -> None:
    """One without an account is filed here, and itself not changed; one of another is refused."""
    dataset, anonymous = Dataset(folder), message(1, account="")
    with dataset.writer(ANN) as writer:
        writer.add([anonymous])
        with pytest.raises(POP3UsageError, match="another account"):
            writer.add([message(2, account="bob")])
    assert dataset.to_table(["account"])["account"].to_pylist() == [ANN]
    assert anonymous.account == ""


def test_a_message_without_any_key_is_refused(folder: Path, message: Make) -> None:
    """It could never be told from a second copy of itself."""
    writer = Dataset(folder).writer(ANN)
    nameless = message(1, uidl=None, content_hash=None)
    with pytest.raises(POP3UsageError, match="UIDL or a content hash"):
        writer.add([nameless])
    batch = next(iter(record_batches([message(2), nameless])))
    with pytest.raises(POP3UsageError, match="UIDL or a content hash"):
        writer.add(batch)
    assert writer.add([message(2)]) == 1


def test_batches_can_be_added_like_messages(folder: Path, message: Make) -> None:
    """Duplicates are left out, also inside the batch; order is kept; schema comments may be missing."""
    dataset = Dataset(folder)
    batch = next(iter(record_batches([message(2), message(3), message(2), message(1)])))
    with dataset.writer(ANN) as writer:
        assert writer.add([message(1)]) == 1
        assert writer.add(batch.replace_schema_metadata(None)) == 2
        assert writer.add([message(4)]) == 1
    assert dataset.to_table(["messageId"])["messageId"].to_pylist() == [1, 2, 3, 4]
    assert SCHEMA.equals(dataset.to_table().schema, check_metadata=True)


@pytest.mark.parametrize(
    ("change", "complaint"), [({"account": "bob"}, "another account"), (None, "not of pop3frames' schema")]
)
def test_batches_that_do_not_belong_here_are_refused(
    folder: Path, message: Make, change: dict[str, str] | None, complaint: str
) -> None:
    """By account, or by schema."""
    batch = next(iter(record_batches([message(1, **(change or {}))])))
    with pytest.raises(POP3UsageError, match=complaint):
        Dataset(folder).writer(ANN).add(batch if change else batch.select(["uidl"]))


def test_what_is_known_was_synced_before_it_was_said(
    folder: Path, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer may have died between its link and its sync, and a mail may be deleted on our word."""
    dataset = Dataset(folder)
    part = dataset.append([message(1)], ANN)[0].path
    synced, fsync = [], os.fsync

    def watched(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    assert dataset.known(ANN).uidls
    assert synced == [part.parent.stat().st_ino, folder.stat().st_ino]


def test_a_file_system_without_hard_links_will_do(
    folder: Path, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rename that replaces nothing decides; nothing stays staged."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    writers = [Dataset(folder).writer(ANN) for _ in range(2)]
    for number, writer in enumerate(writers):
        writer.add([message(0), message(1 + number)])
    commits = [writer.commit() for writer in writers]
    assert [(each.rows, each.dropped) for each in commits if each] == [(2, 0), (1, 1)]
    assert len(_files(folder)) == 2
    assert _uidls(Dataset(folder)) == ["uid-000000", "uid-000001", "uid-000002"]
