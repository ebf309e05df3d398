"""Putting one new part in the place of others of its account: what compaction and pruning have in common.

The new part is committed like any other, and its footer names the parts it replaces. From its link on they
do not count; they are removed only when it is synced. Killed in between, it leaves files that nobody reads.
Which parts are rewritten, and how their rows change, is decided elsewhere.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pop3frames.errors import POP3ExportError
from pop3frames.frames.batches import MAX_ROWS
from pop3frames.frames.claim import claim, unclaim
from pop3frames.frames.leftovers import remove_replaced
from pop3frames.frames.parquet import NewFile, storage_errors
from pop3frames.frames.parts import ROW_GROUP_BYTES, STAGING, make_folder
from pop3frames.frames.schema import SCHEMA
from pop3frames.frames.snapshot import (
    OTHERS,
    RENUMBERED,
    REPLACES,
    Part,
    encoded,
    is_replaced,
    part_name,
    settled,
)
from pop3frames.frames.versions import conform, extra_fields, schemas_agree

_INTACT = "The parts are as they were, and complete."
_REPLACED = "The new part counts and the old ones do not; remove them by Dataset.sweep()."


@dataclass(frozen=True, slots=True)
class Replacement:
    """One new part and the files it took the place of; `nbytes` after and `nbytes_before`, of the files."""

    path: Path
    replaced: tuple[Path, ...]
    rows: int
    nbytes_before: int
    nbytes: int


def replace_parts(
    root: Path,
    parts: Sequence[Part],
    change: Callable[[pa.Table], pa.Table] | None = None,
    *,
    renumbers: bool = False,
    unless: Callable[[], bool] | None = None,
) -> Replacement | None:
    """Writes the rows of live `parts` of one account as one new part and removes the old ones.

    `change` is given each row group and returns as many rows; `renumbers` says that some have other
    unique-ids then. None when another process has replaced one of the parts; or when `unless` is true: it is
    asked once the new number is chosen, and again when somebody else commits and takes that number. Every
    page is read with its checksum, so that damage is not copied into a file that looks whole.
    POP3ExportError when the disk refuses or a part is damaged. Memory: two row groups.
    """
    folder = parts[0].path.parent
    with storage_errors(f"rewrite parts of {folder}", _INTACT):
        try:
            before = sum(part.path.stat().st_size for part in parts)
            file = _staged(root, parts, change, renumbers or any(part.renumbered for part in parts))
        except FileNotFoundError:
            _unless_live(folder, parts)
            return None
        except POP3ExportError as exc:
            if isinstance(exc.__cause__, FileNotFoundError):
                _unless_live(folder, parts)
                return None
            raise
        with file:
            file.finish()
            rows = pq.read_metadata(file.path).num_rows
            if rows != sum(part.rows for part in parts):
                raise POP3ExportError(f"{folder}: {rows} rows came out of the parts' rows. {_INTACT}")
            nbytes = file.path.stat().st_size
            path = _publish(file, folder, parts, unless)
    if path is None:
        return None
    with storage_errors(f"remove replaced parts of {folder}", _REPLACED):
        remove_replaced(folder, [part.path for part in parts])
    return Replacement(path, tuple(part.path for part in parts), rows, before, nbytes)


def _unless_live(folder: Path, parts: Sequence[Part]) -> None:
    if _all_live(folder, parts):
        raise POP3ExportError(f"{folder}: a folder or part vanished while it was read. {_INTACT}")


def _all_live(folder: Path, parts: Sequence[Part]) -> bool:
    return settled(folder, lambda snapshot: {part.number for part in parts} <= snapshot.live.keys())


def _publish(
    file: NewFile, folder: Path, parts: Sequence[Part], unless: Callable[[], bool] | None
) -> Path | None:
    """Links the file to the next number, which only one of several rewriters can; None for the others."""
    numbers = {part.number for part in parts}
    while True:
        live, number = settled(
            folder, lambda snapshot: (snapshot.live.keys(), max(snapshot.listed, default=0) + 1)
        )
        if not numbers <= live:
            return None
        if unless and unless():  # after the number was chosen: a later commit takes it
            return None
        path = folder / part_name(number)
        try:
            claim(file.path, path)
        except FileExistsError:
            continue
        if not is_replaced(folder, number):
            return path
        unclaim(file.path, path)


def _staged(
    root: Path, parts: Sequence[Part], change: Callable[[pa.Table], pa.Table] | None, renumbered: bool
) -> NewFile:
    extras = extra_fields(parts[0].path)
    schema = pa.schema([*SCHEMA, *extras], metadata=SCHEMA.metadata)
    replaces = encoded({part.number for part in parts}.union(*(part.replaces for part in parts)))
    footer = {REPLACES: replaces}
    if renumbered:
        footer[RENUMBERED] = "yes"
    make_folder(root / STAGING)
    file = NewFile(root / STAGING / f"{uuid.uuid4().hex}.staged", schema, footer)
    try:
        for table in _row_groups(rows for part in parts for rows in _rows_of(part, schema)):
            file.write(change(table) if change else table)
    except BaseException:
        file.discard()
        raise
    return file


def _rows_of(part: Part, schema: pa.Schema) -> Iterator[pa.Table]:
    with (
        storage_errors(f"read {part.path}", OTHERS),
        pq.ParquetFile(part.path, page_checksum_verification=True) as source,
    ):
        if not schemas_agree(source):  # a flipped bit makes seconds of milliseconds, and a mail of today old
            raise POP3ExportError(f"cannot read {part.path}: its footer is damaged. {OTHERS}")
        for group in range(source.num_row_groups):
            rows = source.read_row_group(group)
            ours = conform(rows, SCHEMA.names, part.path)
            extras = [rows.column(name) for name in schema.names[len(SCHEMA) :]]
            yield pa.Table.from_arrays([*ours.columns, *extras], schema=schema)


def _row_groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in row groups of 10,000 rows or 16 MB."""
    waiting: list[pa.Table] = []
    rows = nbytes = 0
    for table in tables:
        waiting.append(table)
        rows, nbytes = rows + table.num_rows, nbytes + table.nbytes
        while rows >= MAX_ROWS or (rows and nbytes >= ROW_GROUP_BYTES):
            joined = pa.concat_tables(waiting)
            yield joined.slice(0, MAX_ROWS)
            rest = joined.slice(MAX_ROWS)
            waiting, rows, nbytes = [rest], rest.num_rows, rest.nbytes
    if waiting:
        yield pa.concat_tables(waiting)
