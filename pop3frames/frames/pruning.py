"""Stripping bodies and original bytes from old rows, while the rows stay: the ledger forgets nothing.

A row that lost something has `pruned` as the last code in its parse error. How the new part takes the place
of the old one is `replacement.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pop3frames.errors import POP3UsageError
from pop3frames.frames.columns import array
from pop3frames.frames.parquet import storage_errors
from pop3frames.frames.replacement import Replacement, replace_parts
from pop3frames.frames.schema import SCHEMA, column_name
from pop3frames.frames.snapshot import OTHERS, Part, Snapshot, settled
from pop3frames.frames.versions import conform

PRUNED = "pruned"  # after the codes of `parsing/limits.py`
BODIES_AND_RAW = tuple(map(column_name, ("text_body", "html_body", "raw")))
_RECEIVED, _FETCHED, _NOTES = map(column_name, ("received_at", "fetched_at", "parse_error"))


@dataclass(frozen=True, slots=True)
class Pruning:
    """What went: `octets` of text and bytes from `rows` rows. `replacements` are the parts rewritten."""

    rows: int
    octets: int
    replacements: tuple[Replacement, ...]


def checked(before: datetime, columns: Sequence[str]) -> datetime:
    """`before` in UTC. POP3UsageError for a time without a zone, or a column that holds the ledger."""
    if before.tzinfo is None:
        raise POP3UsageError("`before` needs a time zone, or nobody can tell which mails are older")
    if not columns or not set(columns) <= set(BODIES_AND_RAW):
        raise POP3UsageError(f"only {', '.join(BODIES_AND_RAW)} can be pruned: the rest is the ledger")
    return before.astimezone(UTC)


def prune_account(root: Path, folder: Path, before: datetime, columns: Sequence[str]) -> Pruning:
    """Strips `columns` from the account's rows of mail received (if unknown: fetched) before the moment."""
    done, beaten = Pruning(0, 0, ()), True
    while beaten:  # by a compaction, which put the rows elsewhere
        beaten = False
        for part in settled(folder, partial(_with_work, strip=Strip(before, columns))):
            strip = Strip(before, columns)
            if replacement := replace_parts(root, [part], strip):
                rows, octets = done.rows + strip.rows, done.octets + strip.octets
                done = Pruning(rows, octets, (*done.replacements, replacement))
            else:
                beaten = True
    return done


class Strip:
    """Empties `columns` in old rows of a table, and counts `rows` and `octets`."""

    def __init__(self, before: datetime, columns: Sequence[str]) -> None:
        self.columns = columns
        self._before = array([round(before.timestamp() * 1000)], SCHEMA.field(_RECEIVED).type)[0]
        self.rows = self.octets = 0

    def hits(self, table: pa.Table) -> pa.ChunkedArray:
        """True for a row that is old and has something to lose. A row without any time is not old."""
        when = pc.coalesce(table.column(_RECEIVED), table.column(_FETCHED))
        held = reduce(pc.or_, (pc.is_valid(table.column(name)) for name in self.columns))
        return pc.and_(pc.fill_null(pc.less(when, self._before), False), held)

    def __call__(self, table: pa.Table) -> pa.Table:
        hit = self.hits(table)
        self.rows += pc.sum(hit).as_py() or 0
        for name in self.columns:
            column = table.column(name)
            self.octets += pc.sum(pc.binary_length(column.filter(hit))).as_py() or 0
            table = _with(table, name, pc.if_else(hit, pa.nulls(1, column.type)[0], column))
        notes = table.column(_NOTES)
        return _with(table, _NOTES, pc.if_else(hit, _marked(notes), notes))


def _marked(notes: pa.ChunkedArray) -> pa.ChunkedArray:
    marked = pc.fill_null(pc.ends_with(notes, PRUNED), False)
    added = pc.binary_join_element_wise(notes, PRUNED, ",", null_handling="skip")
    return pc.if_else(marked, notes, added)


def _with(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    index = table.schema.get_field_index(name)
    return table.set_column(index, table.schema.field(index), column)


def _with_work(snapshot: Snapshot, strip: Strip) -> list[Part]:
    return [part for part in snapshot.live.values() if _has_work(part.path, strip)]


def _has_work(path: Path, strip: Strip) -> bool:
    """Looks before anything is written: most parts have nothing for most runs."""
    names = [_RECEIVED, _FETCHED, *strip.columns]
    with storage_errors(f"read {path}", OTHERS), pq.ParquetFile(path) as file:
        there = [name for name in names if name in file.schema_arrow.names]
        tables = (conform(file.read_row_group(i, there), names, path) for i in range(file.num_row_groups))
        return any(pc.any(strip.hits(table)).as_py() for table in tables)
