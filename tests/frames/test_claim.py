"""Exactly one of many gets a name, with hard links or without."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread
from typing import NoReturn

import pytest

from pop3frames.errors import POP3ExportError
from pop3frames.frames.claim import claim
from pop3frames.frames.dataset import Dataset
from pop3frames.message import Message

REFUSALS = {
    "no links": errno.EPERM,  # vfat, exfat
    "no links on a share": errno.EOPNOTSUPP,
    "no links in user space": errno.ENOSYS,
}


@pytest.fixture(params=["links", *REFUSALS])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file system with hard links, and those that refuse them in their ways."""
    if request.param in REFUSALS:
        refuse_links(monkeypatch, REFUSALS[request.param])
    return str(request.param)


def refuse_links(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """As on a file system that answers link(2) so."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(code, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)


def test_a_free_name_is_taken(tmp_path: Path, file_system: str) -> None:
    """With everything that is in the file."""
    (tmp_path / "staged").write_text("mine")
    claim(tmp_path / "staged", tmp_path / "final")
    assert (tmp_path / "final").read_text() == "mine"


def test_a_taken_name_is_never_replaced(tmp_path: Path, file_system: str) -> None:
    """The one who asked keeps the staged file, to try the next name."""
    (tmp_path / "staged").write_text("mine")
    (tmp_path / "final").write_text("theirs")
    with pytest.raises(FileExistsError):
        claim(tmp_path / "staged", tmp_path / "final")
    assert (tmp_path / "final").read_text() == "theirs"
    assert (tmp_path / "staged").read_text() == "mine"


def test_of_many_at_once_exactly_one_gets_each_name(tmp_path: Path, file_system: str) -> None:
    """Eight threads race for fifty names."""
    start, won = Barrier(8), []

    def race(runner: int) -> None:
        start.wait()
        for number in range(50):
            staged = tmp_path / f"staged-{runner}-{number}"
            staged.write_text(str(runner))
            try:
                claim(staged, tmp_path / f"final-{number}")
            except FileExistsError:
                continue
            won.append((number, str(runner)))

    threads = [Thread(target=race, args=(runner,)) for runner in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [(n, (tmp_path / f"final-{n}").read_text()) for n in range(50)]


def test_other_refusals_pass_through(tmp_path: Path, file_system: str) -> None:
    """A missing file or folder is not a taken name."""
    with pytest.raises(FileNotFoundError):
        claim(tmp_path / "nothing", tmp_path / "final")


class _Refusing:
    """A C library whose rename that replaces nothing is refused, as by some network shares."""

    def renameat2(self, *_: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1

    renamex_np = renameat2


@pytest.mark.parametrize("library", [_Refusing, object], ids=["refused", "too old"])
def test_without_links_and_without_such_a_rename_nothing_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: Callable[[], object]
) -> None:
    """A typed error that says what to do; never a rename that might replace another writer's part."""
    refuse_links(monkeypatch, errno.EPERM)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: library())
    with pytest.raises(POP3ExportError, match=r"choose another|choose a folder"):
        Dataset(tmp_path / "mail").append([Message(uidl="1")], "ann")
    assert [] == [path for path in (tmp_path / "mail").rglob("*") if path.is_file()]
