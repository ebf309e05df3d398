"""Run as a program: power cuts at every step of commits, compactions and a pruning.

    power_child.py ROOT nothing    replays what was recorded, without what was not synced
    power_child.py ROOT folder     the same as if no folder were ever synced: this must lose mail
    power_child.py ROOT file       the same as if no file were

It prints JSON: how many states were replayed, and what was wrong with which.
"""

from __future__ import annotations

import errno
import io
import json
import os
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from pop3frames.errors import POP3ExportError
from pop3frames.frames.dataset import Dataset
from pop3frames.message import Message

ANN = "ann@example.org"
VARIANTS = ("none", "all", "some", "others")


@dataclass
class Disk:
    """What a disk may hold: names by folder as last synced, and what was done in each folder since."""

    names: dict[str, dict[str, int]] = field(default_factory=dict)
    since: dict[str, list[tuple[str, int | None]]] = field(default_factory=dict)
    content: dict[int, bytes] = field(default_factory=dict)  # of synced files
    folders: dict[int, str] = field(default_factory=dict)
    acked: set[str] = field(default_factory=set)

    def apply(self, operation: list[Any]) -> None:
        """Takes in one recorded operation."""
        kind, *what = operation
        if kind == "name":
            path, file, is_folder = what
            self.since.setdefault(str(Path(path).parent), []).append((Path(path).name, file))
            if is_folder:
                self.folders[file] = path
        elif kind == "gone":
            self.since.setdefault(str(Path(what[0]).parent), []).append((Path(what[0]).name, None))
        elif kind == "file":
            self.content[what[0]] = bytes.fromhex(what[1])
        elif kind == "folder":
            done = self.since.pop(what[0], [])
            self.names[what[0]] = _after(self.names.get(what[0], {}), done)
        elif kind == "ack":
            self.acked |= set(what[0])

    def restore(self, source: str, target: Path, variant: str, chance: random.Random) -> None:
        """Writes a state that a power cut may leave: of what was not synced, any part may be there."""
        target.mkdir()
        since = self.since.get(source, [])
        if variant in ("some", "others"):
            since = [each for each in since if chance.random() < 0.5]
        for name, file in _after(self.names.get(source, {}), since if variant != "none" else []).items():
            if file in self.folders:
                self.restore(self.folders[file], target / name, variant, chance)
            else:
                (target / name).write_bytes(self.content.get(file, b""))


def _after(names: dict[str, int], done: list[tuple[str, int | None]]) -> dict[str, int]:
    merged = {**names, **dict(done)}
    return {name: file for name, file in merged.items() if file is not None}


class Recorder:
    """Notes every change of names and every sync, with the bytes that a sync made safe."""

    def __init__(self, root: Path) -> None:
        self.log: list[list[Any]] = []
        self._numbers, self._file_of = count(1), dict[int, int]()  # inodes are used again, numbers are not
        self._name(root, new=True)

    def _name(self, path: Any, *, new: bool) -> None:
        inode = Path(path).stat().st_ino
        if new:
            self._file_of[inode] = next(self._numbers)
        self.log.append(["name", str(path), self._file_of[inode], Path(path).is_dir()])

    def ack(self, uidls: list[str]) -> None:
        self.log.append(["ack", uidls])

    def install(self) -> None:
        """For the rest of this process."""
        fsync, opened = os.fsync, io.open

        def synced(descriptor: int) -> None:
            fsync(descriptor)
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if path.is_dir():
                self.log.append(["folder", str(path)])
            else:
                with opened(path, "rb") as file:
                    self.log.append(["file", self._file_of[os.fstat(descriptor).st_ino], file.read().hex()])

        def made(path: Path, mode: str) -> Any:
            file = opened(path, mode)
            self._name(path, new=True)
            return file

        os.fsync = synced
        os.link = _then(os.link, lambda _, new: self._name(new, new=False))
        os.mkdir = _then(os.mkdir, lambda path, *_: self._name(path, new=True))
        os.unlink = _then(os.unlink, lambda path: self.log.append(["gone", str(path)]))
        Path.open = made  # type: ignore[method-assign, assignment]


def _then(function: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        result = function(*args, **options)
        note(*args)
        return result

    return call


def script(root: Path) -> list[list[Any]]:
    """What was recorded of exports with rewritings in between."""
    recorder = Recorder(root)
    recorder.install()
    dataset = Dataset(root / "mail")

    def append(numbers: range) -> None:
        mails = [Message(uidl=f"uid-{n}", raw=b"x", fetched_at=1, account=ANN) for n in numbers]
        dataset.append(mails, ANN)
        recorder.ack([f"uid-{n}" for n in numbers])

    for start in (0, 2, 4):
        append(range(start, start + 2))
    dataset.compact()
    for start in (6, 8):
        append(range(start, start + 2))
    dataset.prune(before=datetime(2100, 1, 1, tzinfo=UTC))
    dataset.compact()
    append(range(10, 12))
    return recorder.log


def wrong_with(state: Path, acked: set[str]) -> str:
    """What a power cut has cost, or ''."""
    try:
        stored = Dataset(state / "mail").to_table(["uidl"])["uidl"].to_pylist()
        known = Dataset(state / "mail").known(ANN).uidls
    except POP3ExportError as error:
        return str(error)
    if len(stored) != len(set(stored)):
        return "a mail is there twice"
    if set(stored) != known:
        return "rows and ledger differ"
    return "" if acked <= known else f"lost: {sorted(acked - known)}"


def replay(root: Path, log: list[list[Any]], forgotten: str) -> dict[str, Any]:
    """Every prefix of the log, each in four states; syncs of the `forgotten` kind are left out."""
    disk, states, wrong = Disk(), 0, []
    for at, operation in enumerate(log):
        if operation[0] != forgotten:
            disk.apply(operation)
        for variant in VARIANTS:
            state = root.parent / "state"
            disk.restore(str(root), state, variant, random.Random(f"{at} {variant}"))
            states += 1
            if what := wrong_with(state, disk.acked):
                wrong.append(f"after {at} {operation[0]}, {variant}: {what}")
            shutil.rmtree(state)
    return {"states": states, "wrong": wrong}


def recorded(root: Path) -> list[list[Any]]:
    """The script's log, recorded in a process of its own."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = errno.EFAULT
        try:
            with os.fdopen(write, "w") as pipe:
                json.dump(script(root), pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    if os.waitpid(pid, 0)[1]:
        sys.exit("the script failed")
    return list(json.loads(said))


if __name__ == "__main__":
    where = Path(sys.argv[1]) / "disk"
    where.mkdir()
    result = replay(where, recorded(where), sys.argv[2])
    sys.stdout.write(json.dumps(result))
