"""Exactly one of many gets a name, with hard links or without."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from threading import Barrier, Thread
from typing import NoReturn

import pytest

from pop3frames.frames.claim import claim


@pytest.fixture(params=["links", "no links"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file system with hard links, and one that refuses them as FAT does."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EPERM, "no hard links here")

    if request.param == "no links":
        monkeypatch.setattr(os, "link", refuse)
    return str(request.param)


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
