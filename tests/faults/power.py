"""Power cuts: exports, deletions and rewritings are recorded, and the disk is made again as a cut leaves it.

Run as a program it prints JSON: how many states were looked at, and what was wrong with which. Its argument,
if there is one, names a protection that it does without (`mutants.py`).

What survives: bytes of a file that was synced, names in a folder that was synced since. Of what was done to
names since then, any part may be there, in any order: all subsets are tried where they are few, else some.
Mail on the server survives; what was deleted from it is gone.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, product
from pathlib import Path
from typing import Any

ALL_SUBSETS = 5  # unsynced changes of names: 32 states
SOME = 24  # states where there are more
Entry = list[Any]


class Recorder:
    """Notes every change of names, every sync with the bytes that it made safe, and what else counts."""

    def __init__(self, root: Path) -> None:
        self.log: list[Entry] = []
        self.dies = False  # the process at work, before it can sync what it is about to link
        self._numbers, self._file_of = count(1), dict[int, int]()  # inodes are used again, numbers are not
        self._named(root, new=True)

    def note(self, *entry: Any) -> None:
        """Something that is no I/O."""
        self.log.append(list(entry))

    def _named(self, path: Any, *, new: bool) -> None:
        inode = Path(path).stat().st_ino
        if new:
            self._file_of[inode] = next(self._numbers)
        self.note("name", str(path), self._file_of[inode], Path(path).is_dir())

    def install(self) -> None:
        """For the rest of this process."""
        fsync, opened = os.fsync, io.open

        def synced(descriptor: int) -> None:
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if path.is_dir():
                if self.dies and self.log[-1][0] == "name":
                    raise OSError("the process dies here")
                fsync(descriptor)
                self.note("folder", str(path))
            else:
                fsync(descriptor)
                with opened(path, "rb") as file:
                    self.note("file", self._file_of[os.fstat(descriptor).st_ino], file.read().hex())

        def made(path: Path, mode: str) -> Any:
            file = opened(path, mode)
            self._named(path, new=True)
            return file

        os.fsync = synced
        os.link = _then(os.link, lambda _, new: self._named(new, new=False))
        os.mkdir = _then(os.mkdir, lambda path, *_: self._named(path, new=True))
        os.unlink = _then(os.unlink, lambda path: self.note("gone", str(path)))
        Path.open = made  # type: ignore[method-assign, assignment]


def _then(function: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        result = function(*args, **options)
        note(*args)
        return result

    return call


def script(root: Path) -> list[Entry]:
    """What was recorded of all that a dataset goes through, writers that die before their sync included."""
    from export.mailboxes import account_of, mail
    from faults.tasks import LATER

    from pop3frames.errors import POP3ExportError
    from pop3frames.export import mailbox, passes
    from pop3frames.export.deletion import commit_deletions
    from pop3frames.frames.dataset import Dataset
    from pop3frames.server.embedded import EmbeddedServer
    from pop3frames.server.maildrop import Maildrop

    passes.COMMIT_OCTETS = 1  # a part a mail
    recorder, maildrop, numbers = Recorder(root), Maildrop(), count(1)
    recorder.install()
    dataset, closed = Dataset(root / "mail"), maildrop._close

    def close(deleted: set[int]) -> None:
        there = {message.uidl for message in maildrop.messages}
        closed(deleted)
        recorder.note("deleted", sorted(there - {message.uidl for message in maildrop.messages}))

    maildrop._close = close  # type: ignore[method-assign]

    def deliver(how_many: int) -> list[str]:
        new = [mail(next(numbers)) for _ in range(how_many)]
        for message in new:
            recorder.note("delivered", message.uidl, message.raw.decode())
            maildrop.add(message)
        return [message.uidl for message in new]

    def export(*, delete: bool = False, dies: bool = False) -> None:
        listed = [message.uidl for message in maildrop.messages]
        recorder.dies = dies
        try:
            mailbox.export_mailbox(account_of(server), dataset, keep_raw=True, delete=delete, progress=False)
        except POP3ExportError:
            recorder.note("died")
        else:
            recorder.note("acknowledged", listed)

    with EmbeddedServer(maildrop) as server:
        deliver(2)
        export()
        deliver(1)
        export(dies=True)
        export()  # it reports that mail as known
        dataset.compact()
        unsure = deliver(1)
        export(dies=True)
        commit_deletions(account_of(server), dataset, unsure)
        deliver(2)
        export(delete=True)
        dataset.compact()
        deliver(2)
        export()
        recorder.note("pruning")
        dataset.prune(before=LATER)
        deliver(1)
        export()
        dataset.compact()
    return recorder.log


@dataclass
class Disk:
    """What a disk may hold: names by folder as last synced, and what was done in each folder since."""

    names: dict[str, dict[str, int]] = field(default_factory=dict)
    since: dict[str, list[tuple[str, int | None]]] = field(default_factory=dict)
    content: dict[int, bytes] = field(default_factory=dict)  # of synced files
    folders: dict[int, str] = field(default_factory=dict)

    def apply(self, kind: str, *what: Any) -> None:
        """Takes in one recorded entry."""
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
            self.names[what[0]] = _after(self.names.get(what[0], {}), self.since.pop(what[0], []))

    def states(self, chance: random.Random) -> Iterator[dict[str, dict[str, int]]]:
        """Names by folder, as a cut now may leave them."""
        pending = [(folder, each) for folder, done in self.since.items() for each in done]
        if len(pending) <= ALL_SUBSETS:
            choices: Iterator[tuple[bool, ...]] = product([True, False], repeat=len(pending))
        else:
            drawn = [tuple(chance.random() < 0.5 for _ in pending) for _ in range(SOME)]
            choices = iter([(True,) * len(pending), (False,) * len(pending), *drawn])
        for choice in choices:
            kept: dict[str, list[tuple[str, int | None]]] = {}
            for (folder, each), there in zip(pending, choice, strict=True):
                if there:
                    kept.setdefault(folder, []).append(each)
            yield {
                folder: _after(self.names.get(folder, {}), kept.get(folder, []))
                for folder in self.names.keys() | kept.keys()
            }

    def restore(self, names: dict[str, dict[str, int]], source: str, target: Path) -> None:
        """Writes such a state. Of a file that was not synced, no byte."""
        target.mkdir()
        for name, file in names.get(source, {}).items():
            if file in self.folders:
                self.restore(names, self.folders[file], target / name)
            else:
                (target / name).write_bytes(self.content.get(file, b""))


def _after(names: dict[str, int], done: list[tuple[str, int | None]]) -> dict[str, int]:
    merged = {**names, **dict(done)}
    return {name: file for name, file in merged.items() if file is not None}


@dataclass
class Promises:
    """What is on the server, and what was answered for."""

    served: dict[str, str] = field(default_factory=dict)  # raw by unique-id
    delivered: dict[str, str] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    pruned: bool = False

    def apply(self, kind: str, *what: Any) -> None:
        """Takes in one recorded entry."""
        if kind == "delivered":
            self.served[what[0]] = self.delivered[what[0]] = what[1]
        elif kind == "deleted":
            for uidl in what[0]:
                del self.served[uidl]
        elif kind == "acknowledged":
            self.acknowledged |= set(what[0])
        self.pruned |= kind == "pruning"

    def broken(self, folder: Path) -> str:
        """What a power cut has cost, or ''; then the next run is made, and must complete the work."""
        from export.mailboxes import account_of
        from faults.states import stored_in

        from pop3frames.errors import POP3ExportError
        from pop3frames.export.mailbox import export_mailbox
        from pop3frames.server.embedded import EmbeddedServer
        from pop3frames.server.maildrop import StoredMessage

        try:
            now = stored_in(folder)
            mails = [StoredMessage(raw.encode(), uidl) for uidl, raw in self.served.items()]
            with EmbeddedServer(mails) as server:
                export_mailbox(account_of(server), folder, keep_raw=True, progress=False)
            later = stored_in(folder)
        except POP3ExportError as error:
            return f"unreadable: {error}"
        for moment, stored in (("", now), (" after the next run", later)):
            safe = stored.uidls if self.pruned else stored.whole
            if lost := self.delivered.keys() - self.served.keys() - safe:
                return f"lost{moment}: {sorted(lost)}"
            if forgotten := self.acknowledged - stored.uidls:
                return f"lost{moment}, though acknowledged: {sorted(forgotten)}"
            if len(stored.rows) != len(stored.uidls):
                return f"doubled{moment}: {stored.rows}"
            if stored.uidls != stored.known:
                return f"rows and ledger differ{moment}"
        return "" if later.uidls == self.delivered.keys() else "the next run did not complete the work"


def replay(root: Path, log: list[Entry], enough: int) -> dict[str, Any]:
    """A power cut after every entry of the log, in each state that it may leave, until so much is wrong."""
    disk, promises, states, wrong = Disk(), Promises(), 0, []
    seen = set[str]()
    for at, entry in enumerate(log):
        disk.apply(*entry)
        promises.apply(*entry)
        for names in disk.states(random.Random(at)):
            states += 1
            files = sorted((folder, sorted(found.items())) for folder, found in names.items())
            synced = sorted(
                disk.content.keys() & {file for found in names.values() for file in found.values()}
            )
            state = json.dumps([files, synced, sorted(promises.served), sorted(promises.acknowledged)])
            if state in seen:
                continue
            seen.add(state)
            target = root.parent / "state"
            disk.restore(names, str(root), target)
            if what := promises.broken(target / "mail"):
                wrong.append(f"after {at} {entry[0]}: {what}")
            shutil.rmtree(target)
        if len(wrong) >= enough:
            break
    deaths = sum(entry[0] == "died" for entry in log)
    return {"states": states, "different": len(seen), "deaths": deaths, "wrong": wrong}


def main(without: list[str]) -> None:
    if without:
        from faults.mutants import MUTANTS

        MUTANTS[without[0]].take_away()
    from faults.campaign import place
    from faults.forks import fork

    with place() as home:
        root = Path(home) / "disk"
        root.mkdir()
        answer = fork(lambda say: {"log": script(root)}).answer()
        assert "log" in answer, answer
        sys.stdout.write(json.dumps(replay(root, answer["log"], enough=1 if without else 100)))


if __name__ == "__main__":
    main(sys.argv[1:])
