"""Proving a dataset whole: everything is read, compared and counted, and nothing is changed.

What is found is told, never mended: whoever finds damage must decide what is true.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from pop3frames.errors import POP3ExportError, counted, printable
from pop3frames.frames.ledger import ACCOUNT, CONTENT_HASH, UIDL, keys_of
from pop3frames.frames.leftovers import removable
from pop3frames.frames.parquet import storage_errors
from pop3frames.frames.parts import STAGING
from pop3frames.frames.schema import SCHEMA, column_name
from pop3frames.frames.snapshot import (
    OTHERS,
    Part,
    Snapshot,
    folder_name,
    numbered_parts,
    open_part,
    part_name,
    settled,
)
from pop3frames.frames.versions import conform, schemas_agree

if TYPE_CHECKING:
    import pandas

_RAW = column_name("raw")
_RESTORE = "restore this file from a copy, or move it away: the next export fetches its mail again"
# What the system refuses says nothing of the file: it may be whole.
_REFUSALS = {errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_SHOWN = 20  # findings in a printed report
_STRAY = "if it was copied here from another dataset, move it away and merge the two as docs/dataset.md says"
_BY_HAND = "keep one of them: nothing here decides which"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    `row` counts from 0 in the file, None where the whole file is meant. `harmless` findings cost no mail.
    """

    path: Path
    row: int | None
    meaning: str
    advice: str
    harmless: bool = False

    def __str__(self) -> str:
        where = f"{self.path}" if self.row is None else f"{self.path}, row {self.row}"
        return f"{where}: {self.meaning}; {self.advice}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was read, and every `Finding`. True when nothing but harmless things was found."""

    parts: int
    rows: int
    findings: tuple[Finding, ...]

    def __bool__(self) -> bool:
        return all(finding.harmless for finding in self.findings)

    def __str__(self) -> str:
        verdict = "whole" if self else "NOT whole"
        lines = [
            f"{counted(self.parts, 'part')}, {counted(self.rows, 'row')}: {verdict}",
            *map(str, self.findings[:_SHOWN]),
        ]
        if len(self.findings) > _SHOWN:
            lines.append(f"and {len(self.findings) - _SHOWN} more: see findings")
        return "\n".join(lines)

    def to_dataframe(self) -> pandas.DataFrame:
        """One row a finding: path, row, meaning, advice, harmless."""
        import pandas

        columns = list(Finding.__dataclass_fields__)
        rows = [asdict(finding) | {"path": str(finding.path)} for finding in self.findings]
        return pandas.DataFrame(rows, columns=columns).astype({"row": "Int64", "harmless": "bool"})


def verify(root: Path) -> Verification:
    """Reads every byte of every live part.

    POP3ExportError when a folder cannot even be listed, or the system does not let us open what is there.
    """
    counted = [0, 0]
    findings = list(_staged(root))
    for folder in _folders(root):
        try:
            parts, rows, found = settled(folder, _account)
        except POP3ExportError as exc:
            _raise_refusal(exc)
            parts, rows, found = _without_footers(folder)
        counted = [counted[0] + parts, counted[1] + rows]
        findings += found
    return Verification(counted[0], counted[1], tuple(findings))


def _raise_if_gone(exc: POP3ExportError) -> None:
    """Raises it too where another process has replaced the file meanwhile: `settled` looks again."""
    if isinstance(exc.__cause__, FileNotFoundError):
        raise exc
    _raise_refusal(exc)


def _raise_refusal(exc: Exception) -> None:
    """Raises it where it is no damage."""
    if getattr(exc.__cause__, "errno", None) in _REFUSALS:
        raise exc


def _folders(root: Path) -> list[Path]:
    with storage_errors(f"read {root}", "Nothing was changed."):
        entries = [entry for entry in root.iterdir() if entry.is_dir()] if root.exists() else []
    return sorted(entry for entry in entries if entry.name[0] not in "._" and numbered_parts(entry))


def _staged(root: Path) -> Iterator[Finding]:
    meaning = "a staged file: of a writer at work, or of one that was killed"
    with storage_errors(f"look into {root / STAGING}", "Nothing was changed."):
        staged = sorted((root / STAGING).glob("*"))
    for path in staged:
        yield Finding(path, None, meaning, "a day after it was written it is removed", harmless=True)


def _without_footers(folder: Path) -> tuple[int, int, list[Finding]]:
    """Where a footer cannot be read, the other parts are verified, and nobody can tell what it replaced."""
    live, broken = {}, []
    for number, path in numbered_parts(folder).items():
        try:
            live[number] = open_part(number, path)
        except POP3ExportError as exc:
            _raise_refusal(exc)
            broken.append(Finding(path, None, f"it cannot be opened: {exc}", _RESTORE))
    dead = frozenset[int]().union(*(part.replaces for part in live.values()))
    readable = {number: part for number, part in live.items() if number not in dead}
    parts, rows, found = _account(Snapshot(numbered_parts(folder), readable), gaps=False)
    return parts + len(broken), rows, broken + [each for each in found if not each.harmless]


def _account(snapshot: Snapshot, *, gaps: bool = True) -> tuple[int, int, list[Finding]]:
    parts = list(snapshot.live.values())
    found = [*_gaps(snapshot)] if gaps else []
    found += _leftovers(snapshot)
    seen = _Seen(_loose_hashes(parts))
    for part in parts:
        try:
            found += _part(part, seen)
        except POP3ExportError as exc:
            _raise_if_gone(exc)
            found.append(Finding(part.path, None, f"it cannot be read: {exc}", _RESTORE))
    return len(parts), sum(part.rows for part in parts), found


def _gaps(snapshot: Snapshot) -> Iterator[Finding]:
    """Numbers are given one after another, and a part that replaces others names them."""
    named = frozenset[int]().union(*(part.replaces for part in snapshot.live.values()))
    for before, after in pairwise([0, *sorted(snapshot.live.keys() | named)]):
        if missing := after - before - 1:
            which = (
                "this part is missing" if missing == 1 else f"{missing} parts from this one on are missing"
            )
            meaning = (
                f"{which}, and no other says that it replaced what is missing: its mail is lost from here"
            )
            path = snapshot.live[max(snapshot.live)].path.with_name(part_name(before + 1))
            yield Finding(path, None, meaning, _RESTORE)


def _leftovers(snapshot: Snapshot) -> Iterator[Finding]:
    try:
        done = set(removable(snapshot))
    except POP3ExportError as exc:
        _raise_if_gone(exc)
        done = set(snapshot.superseded)  # a live part is damaged, which is found when it is read
    for path in snapshot.superseded:
        if path in done:
            meaning = "a newer part has replaced it; readers other than pop3frames see its mail twice"
            yield Finding(path, None, meaning, "remove it by Dataset.sweep()", harmless=True)
        else:
            meaning = (
                "it bears the number of a part that was replaced, so it does not count, but it cannot be "
                "read or holds mail that no part has"
            )
            yield Finding(path, None, meaning, _STRAY)


class _Seen:
    """Keys met so far in one account, and the file where; `loose` are the hashes of rows without a UIDL."""

    def __init__(self, loose: set[str]) -> None:
        self.loose = loose
        self.uidls: dict[str, str] = {}
        self.contents: dict[str, str] = {}

    def first(self, uidl: str | None, digest: str | None, path: Path) -> str | None:
        """The file that has the same mail already, or None."""
        before = None
        if uidl is not None:
            before = self.uidls.get(uidl)
            self.uidls.setdefault(uidl, path.name)
        if digest is not None and digest in self.loose:
            before = before or self.contents.get(digest)
            self.contents.setdefault(digest, path.name)
        return before


def _loose_hashes(parts: list[Part]) -> set[str]:
    """Read ahead, because a row with a UIDL may come before the one without that has the same content."""
    found: set[str] = set()
    for part in parts:
        try:
            with storage_errors(f"read {part.path}", OTHERS), pq.ParquetFile(part.path) as file:
                rows = list(keys_of(file.read([UIDL, CONTENT_HASH])))
        except (POP3ExportError, KeyError) as exc:
            _raise_refusal(exc)
            continue  # damage is found when everything is read
        found.update(digest for uidl, digest in rows if uidl is None and digest is not None)
    return found


def _part(part: Part, seen: _Seen) -> Iterator[Finding]:
    row = 0
    with (
        storage_errors(f"read {part.path}", OTHERS),
        pq.ParquetFile(part.path, page_checksum_verification=True) as file,
    ):
        if missing := {ACCOUNT, UIDL, CONTENT_HASH} - set(file.schema_arrow.names):
            meaning = f"it has no columns {sorted(missing)}: pop3frames did not write it"
            yield Finding(part.path, None, meaning, "move it out of the dataset")
            return
        if not schemas_agree(file):
            meaning = "the footer contradicts itself about its columns: it is damaged"
            yield Finding(part.path, None, meaning, _RESTORE)
        for field in file.schema_arrow:
            if field.name in SCHEMA.names and field.type != SCHEMA.field(field.name).type:
                meaning = (
                    f"column {field.name} has type {field.type}: damaged, or rewritten by another program"
                )
                yield Finding(part.path, None, meaning, _RESTORE)
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            table.validate(full=True)
            if table.num_rows != file.metadata.row_group(group).num_rows:
                meaning = f"row group {group} has {table.num_rows} rows, not as many as its footer says"
                yield Finding(part.path, row, meaning, _RESTORE)
            conform(table, SCHEMA.names, part.path)
            yield from _rows(part.path, row, table, seen)
            row += table.num_rows
    if row != part.rows:
        yield Finding(part.path, None, f"{row} rows can be read, its footer says {part.rows}", _RESTORE)


def _rows(path: Path, start: int, table: pa.Table, seen: _Seen) -> Iterator[Finding]:
    accounts = table.column(ACCOUNT).to_pylist()
    raws = _raws(table)
    rows = zip(accounts, keys_of(table), raws, strict=True)
    for row, (account, (uidl, digest), raw) in enumerate(rows, start):
        if not account or folder_name(account) != path.parent.name:
            meaning = f"it is of account {printable(account or '')!r}, in the folder of another"
            yield Finding(path, row, meaning, "move the file to that account's folder")
        if uidl is None and digest is None:
            yield Finding(path, row, "it has neither UIDL nor hash", "nothing can tell it from other mail")
        if raw is not None and hashlib.sha256(raw).hexdigest() != digest:
            yield Finding(path, row, f"{CONTENT_HASH} is not the SHA-256 of {_RAW}", _RESTORE)
        if other := seen.first(uidl, digest, path):
            what = f"UIDL {printable(uidl)!r}" if uidl is not None else f"content {digest}"
            yield Finding(path, row, f"the mail with {what} is also in {other}", _BY_HAND)


def _raws(table: pa.Table) -> Iterator[memoryview | None]:
    """Without a copy of the bytes."""
    if _RAW not in table.column_names:
        yield from [None] * table.num_rows
        return
    for cell in table.column(_RAW):
        yield memoryview(cell.as_buffer()) if cell.is_valid else None
