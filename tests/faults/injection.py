"""Faults as data: which calls there are, what can go wrong at each, and the counter that strikes at one.

A step is one call of interest: a socket's connect, send or recv; opening, reading or writing a file; fsync,
link, rename, mkdir, unlink, stat or the listing of a folder. Parquet files are read by C++ code that Python
does not see: there opening one and reading its rows are the steps.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pop3frames.frames import claim

ON_DISK = ("open", "fsync", "link", "replace", "mkdir", "unlink", "stat", "listdir", "scandir")
ON_THE_WIRE = ("connect", "send", "recv_into")
READING = ("open", "stat", "listdir", "scandir", "read")
CHANGING = ("create", "write", "fsync", "link", "rename", "replace", "mkdir", "unlink")
DISK = (*READING, *CHANGING)

Call = Callable[[], Any]


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _refuse(code: int) -> None:
    raise OSError(code, os.strerror(code))


@dataclass(frozen=True)
class Kind:
    """One way to go wrong, at the calls named; it gets the call, to make it or not.

    `halves` is for calls that take data, and gets the same call with half of it too. A kind that `lasts`
    strikes at each call from its step on.
    """

    calls: tuple[str, ...]
    strike: Callable[[Call], Any] | None = None
    halves: Callable[[Call, Call], Any] | None = None
    lasts: bool = False


def _after(strike: Callable[[], None]) -> Callable[[Call], Any]:
    def made_first(call: Call) -> Any:
        try:
            return call()
        finally:  # also where it fails: a file that is gone already cannot be removed, and nobody minds
            strike()

    return made_first


def _half_and_then(strike: Callable[[], None]) -> Callable[[Call, Call], Any]:
    def made(_: Call, half: Call) -> Any:
        half()
        strike()

    return made


def _raising(*codes: int) -> Callable[[Call], Any]:
    return lambda _: _refuse(codes[0])


def _interrupt(_: Call) -> None:
    raise KeyboardInterrupt


KINDS: dict[str, Kind] = {
    "kill before": Kind((*DISK, *ON_THE_WIRE), lambda _: _kill()),
    "kill after": Kind((*CHANGING, "connect", "send"), _after(_kill)),
    "torn write": Kind(("write", "send"), halves=_half_and_then(_kill)),
    "short write": Kind(("write", "send"), halves=lambda _, half: half()),
    "disk full": Kind(("create", "write", "fsync", "link", "rename", "mkdir"), _raising(errno.ENOSPC)),
    "disk stays full": Kind(
        ("create", "write", "fsync", "link", "rename", "mkdir"), _raising(errno.ENOSPC), lasts=True
    ),
    "disk error": Kind(DISK, _raising(errno.EIO)),
    "disk error after": Kind(CHANGING, _after(lambda: _refuse(errno.EIO))),
    "too many files": Kind(("open", "create", "listdir", "scandir", "connect"), _raising(errno.EMFILE)),
    "read-only from here": Kind(CHANGING, _raising(errno.EROFS), lasts=True),
    "no permission": Kind((*READING, "create", "link", "rename", "mkdir", "unlink"), _raising(errno.EACCES)),
    "connection reset": Kind(ON_THE_WIRE, _raising(errno.ECONNRESET)),
    "cut in a command": Kind(("send",), halves=_half_and_then(lambda: _refuse(errno.EPIPE))),
    "server hangs up": Kind(("recv_into",), lambda _: 0),
    "Ctrl-C": Kind((*DISK, *ON_THE_WIRE), _interrupt),
}


@dataclass
class Injector:
    """Counts the steps of this process, and strikes at one of them.

    kind        a name in KINDS; "meanwhile": `meanwhile` is called before the step and it is made; "none"
    call, at    which step: the one with that number among the calls of that name; without a name, among all,
                or the first after it that the kind is for
    meanwhile   what another process does just then
    notice      told the call that is struck, before it is: this process may not live to say
    links       False: as on a file system without hard links
    """

    kind: str
    call: str | None
    at: int
    notice: Callable[[str], object] = lambda call: None
    meanwhile: Callable[[], object] | None = None
    links: bool = True
    trace: list[str] = field(default_factory=list)
    struck: bool = False

    def step(self, name: str, call: Call, half: Call | None = None) -> Any:
        """Makes the call, or what the fault makes of it."""
        at = self.trace.count(name) if self.call else len(self.trace)
        here = self.call in (None, name) and at >= self.at
        self.trace.append(name)
        if self.kind == "meanwhile" and here and not self.struck and self.meanwhile:
            self._hit(name)
            self.meanwhile()
        kind = KINDS.get(self.kind)
        if kind is None or name not in kind.calls or not (kind.lasts if self.struck else here):
            return call()
        if kind.strike is not None:
            self._hit(name)
            return kind.strike(call)
        if half is None or kind.halves is None:
            return call()
        self._hit(name)
        return kind.halves(call, half)

    def _hit(self, name: str) -> None:
        if not self.struck:
            self.struck = True
            self.notice(name)

    def install(self) -> None:
        """In this process, for good: only in a fork."""
        for name in ON_DISK:
            setattr(os, name, self._watched(name, getattr(os, name)))
        for name in ON_THE_WIRE:
            setattr(socket.socket, name, self._on_the_wire(name, getattr(socket.socket, name)))
        claim._rename_unless_exists = self._watched("rename", claim._rename_unless_exists)
        if not self.links:
            os.link = _without_links
        pq.ParquetFile = self._parquet_file(pq.ParquetFile)
        for name in ("read_metadata", "read_schema"):
            setattr(pq, name, self._watched("open", getattr(pq, name)))
        Path.open = self._opener()  # type: ignore[method-assign]

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **options: self.step(name, lambda: function(*args, **options))

    def _on_the_wire(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(sock: socket.socket, data: Any, *rest: Any) -> Any:
            # A command that waits for more room in the kernel is one step, however often it is tried.
            half = None
            if name == "send" and len(data) > 1:
                half = lambda: function(sock, data[: len(data) // 2])  # noqa: E731
            return self.step(name, lambda: function(sock, data, *rest), half)

        return call

    def _parquet_file(self, real: Any) -> Any:
        step = self.step

        class Watched(real):  # type: ignore[misc]
            def __init__(self, *args: Any, **options: Any) -> None:
                step("open", lambda: super(Watched, self).__init__(*args, **options))

            def read(self, *args: Any, **options: Any) -> Any:
                return step("read", lambda: super(Watched, self).read(*args, **options))

            def iter_batches(self, *args: Any, **options: Any) -> Any:
                return step("read", lambda: super(Watched, self).iter_batches(*args, **options))

            def read_row_group(self, *args: Any, **options: Any) -> Any:
                return step("read", lambda: super(Watched, self).read_row_group(*args, **options))

        return Watched

    def _opener(self) -> Callable[..., Any]:
        step = self.step

        class Watched(io.FileIO):
            def write(self, data: Any) -> Any:
                write = super().write
                half = (lambda: write(data[: len(data) // 2])) if len(data) > 1 else None
                return step("write", lambda: write(data), half)

        def opened(path: Path, mode: str) -> Any:
            return step("create", lambda: io.BufferedWriter(Watched(path, mode)))

        return opened


def _without_links(*_: object, **__: object) -> None:
    _refuse(errno.EPERM)


def faults_at(trace: list[str], kinds: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """Each kind at each step of a traced run that it is for: kind, call, and its number among those calls."""
    for step, call in enumerate(trace):
        fitting = (kind for kind in kinds if kind == "meanwhile" or call in KINDS[kind].calls)
        yield from ((kind, call, trace[:step].count(call)) for kind in fitting)
