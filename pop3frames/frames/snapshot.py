"""Which files of an account's folder count: names, numbers, and the parts that newer ones have replaced.

A part may replace others of its account; its footer names their numbers, and those they had replaced. A
number that a live part names is dead for ever, whatever file bears it. Nothing here writes.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import pyarrow.parquet as pq

from pop3frames.errors import POP3ExportError, POP3UsageError
from pop3frames.frames.parquet import storage_errors
from pop3frames.frames.versions import check_version

REPLACES = "pop3frames.replaces"
RENUMBERED = "pop3frames.renumbered"
OTHERS = "The other parts are not affected."

_PART = re.compile(r"part-(\d{8,})\.parquet")
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_ATTEMPTS = 20
_T = TypeVar("_T")


def folder_name(account: str) -> str:
    """The account's folder: URL-encoded, a leading `.` or `_` too, because readers skip such names."""
    if not account or not isinstance(account, str):
        raise POP3UsageError("an account needs a name: its rows are kept in a folder of that name")
    try:
        name = quote(account, safe="")
    except UnicodeEncodeError as exc:
        raise POP3UsageError("an account's name must be text that UTF-8 can encode") from exc
    return name if name[0] not in "._" else f"%{ord(name[0]):02X}{name[1:]}"


def part_name(number: int) -> str:
    return f"part-{number:08d}.parquet"


def numbered_parts(folder: Path) -> dict[int, Path]:
    """The files with a part's name, by number, replaced ones too; empty where there is no such folder."""
    with storage_errors(f"read {folder}", "Nothing was changed."):
        try:
            names = [entry.name for entry in folder.iterdir()]
        except FileNotFoundError:
            return {}
    found = {int(match[1]): folder / match[0] for match in map(_PART.fullmatch, names) if match}
    return dict(sorted(found.items()))


def encoded(numbers: Iterable[int]) -> str:
    """Part numbers as the footer keeps them: '1-57,60' and a CRC-32: a wrong digit would hide mail."""
    ordered = sorted(numbers)
    starts = [b for a, b in pairwise([-1, *ordered]) if b != a + 1]
    ends = [a for a, b in pairwise([*ordered, ordered[-1] + 2]) if b != a + 1]
    text = ",".join(f"{a}-{b}" if a != b else f"{a}" for a, b in zip(starts, ends, strict=True))
    return f"{text} {zlib.crc32(text.encode()):08x}"


def decoded(text: str, below: int) -> frozenset[int]:
    """The numbers under `below` in what `encoded` wrote. ValueError when it is damaged."""
    ranges, _, checksum = text.partition(" ")
    if f"{zlib.crc32(ranges.encode()):08x}" != checksum:
        raise ValueError("the checksum of the replaced numbers does not fit")
    matches = [match for each in ranges.split(",") if (match := _RANGE.fullmatch(each))]
    bounds = [(int(match[1]), int(match[2] or match[1])) for match in matches]
    return frozenset(n for first, last in bounds for n in range(first, min(last + 1, below)))


@dataclass(frozen=True, slots=True)
class Part:
    """One part as its footer tells: its rows, and every number it stands for besides its own.

    `renumbered`: some rows have other unique-ids than in the parts that it replaced.
    """

    number: int
    path: Path
    rows: int
    replaces: frozenset[int]
    renumbered: bool = False


def open_part(number: int, path: Path) -> Part:
    """POP3ExportError when it cannot be read, or is of a newer, incompatible kind."""
    with storage_errors(f"read {path}", OTHERS):
        metadata = pq.read_metadata(path)
    stored = metadata.metadata or {}
    check_version(stored, path)
    named = stored.get(REPLACES.encode())
    try:
        replaces = decoded(named.decode(), number) if named else frozenset[int]()
    except ValueError as exc:
        raise POP3ExportError(f"cannot read {path}: its footer is damaged ({exc}). {OTHERS}") from exc
    return Part(number, path, metadata.num_rows, replaces, RENUMBERED.encode() in stored)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An account's folder at one moment: all files `listed` by number, and the parts that are `live`."""

    listed: dict[int, Path]
    live: dict[int, Part]

    @property
    def superseded(self) -> list[Path]:
        """Files that a live part replaces, in the order of their numbers."""
        return [path for number, path in self.listed.items() if number not in self.live]


def settled(folder: Path, read: Callable[[Snapshot], _T], seen: Mapping[int, Part] | None = None) -> _T:
    """What `read` makes of the live parts, from a moment at which no replacement got in between.

    `read` may be called several times, so it must change nothing. `seen` saves opening footers again.
    """

    def attempt() -> _T:
        listed = numbered_parts(folder)
        result = read(Snapshot(listed, _live(listed, seen or {})))
        now = numbered_parts(folder)
        # A listing is not atomic: it may miss the new part and the old ones; a second one sees the new part.
        fresh = (open_part(number, path) for number, path in now.items() if number not in listed)
        if not listed.keys() <= now.keys() or any(part.replaces for part in fresh):
            raise FileNotFoundError(f"{folder} has changed meanwhile")
        return result

    return _retried(folder, attempt)


def is_replaced(folder: Path, number: int) -> bool:
    """True when a part with a higher number stands for this one: a file under this number does not count."""

    def attempt() -> bool:
        higher = [(n, path) for n, path in numbered_parts(folder).items() if n > number]
        return any(number in open_part(n, path).replaces for n, path in reversed(higher))

    return _retried(folder, attempt)


def _live(listed: Mapping[int, Path], seen: Mapping[int, Part]) -> dict[int, Part]:
    found: dict[int, Part] = {}
    dead: set[int] = set()
    for number in sorted(
        listed, reverse=True
    ):  # a part names only lower numbers, and dead ones need no opening
        if number not in dead:
            found[number] = seen.get(number) or open_part(number, listed[number])
            dead |= found[number].replaces
    return dict(sorted(found.items()))


def _retried(folder: Path, attempt: Callable[[], _T]) -> _T:
    """Again when a part has vanished: whoever replaced it has put its rows elsewhere."""
    for left in reversed(range(_ATTEMPTS)):
        try:
            return attempt()
        except FileNotFoundError as exc:
            if not left:
                raise POP3ExportError(
                    f"{folder} is being rewritten all the time: wait until that is over. Nothing was changed."
                ) from exc
        except POP3ExportError as exc:
            if not left or not isinstance(exc.__cause__, FileNotFoundError):
                raise
    raise AssertionError("unreachable")
