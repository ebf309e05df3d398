"""Giving stored rows the unique-ids under which a server lists the same mail now.

A part that holds such a row is replaced by one in which the row has its new key; nothing is kept beside the
parts. Which row is which mail is decided elsewhere; here it is only written down, once, whoever else commits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pop3frames.frames.columns import array
from pop3frames.frames.ledger import CONTENT_HASH, UIDL, Known, keys_of
from pop3frames.frames.parquet import storage_errors
from pop3frames.frames.replacement import replace_parts
from pop3frames.frames.schema import SCHEMA
from pop3frames.frames.snapshot import OTHERS, Part, Snapshot, settled
from pop3frames.frames.versions import conform

Key = tuple[str | None, str | None]  # of a row: its unique-id and its content hash


def renumber(root: Path, known: Known, names: Mapping[Key, str]) -> int:
    """Give each row with one of these keys the unique-id named for it; returns how many rows changed.

    A unique-id that any row has already is given to no other, nor is one twice. Killed in between, some parts
    have their new keys and the others the old ones. Beside exports, compactions and other renumberings.
    """
    done = 0
    while True:
        known.refresh()
        missing = {key: name for key, name in names.items() if name not in known.uidls}
        found = settled(known.folder, partial(_first_with, names=missing)) if missing else None
        if found is None:
            return done
        part, keys = found
        here = {key: missing[key] for key in keys}
        if replace_parts(
            root, [part], partial(_named, names=here), renumbers=True, unless=partial(_taken, known, here)
        ):
            done += len(here)


def _named(table: pa.Table, names: Mapping[Key, str]) -> pa.Table:
    """The table with those unique-ids changed."""
    uidls = [names.get(key, key[0]) for key in keys_of(table)]
    column = array(uidls, SCHEMA.field(UIDL).type)
    index = table.schema.get_field_index(UIDL)
    return table.set_column(index, table.schema.field(index), column)


def _taken(known: Known, names: Mapping[Key, str]) -> bool:
    """Whether another writer has stored one of the mails under its new unique-id meanwhile."""
    known.refresh()
    return not known.uidls.isdisjoint(names.values())


def _first_with(snapshot: Snapshot, names: Mapping[Key, str]) -> tuple[Part, list[Key]] | None:
    """A part with rows that are to change, and their keys."""
    hashes = {digest for _, digest in names}
    for part in snapshot.live.values():
        rows = matching(part.path, CONTENT_HASH, hashes, [UIDL, CONTENT_HASH])
        keys = {names[uidl, digest]: (uidl, digest) for uidl, digest in rows if (uidl, digest) in names}
        if keys:
            return part, list(keys.values())
    return None


def matching(path: Path, column: str, values: Collection[Any], names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Of the rows of a part whose `column` is one of `values`, the cells `names`; times as integers."""
    found: list[tuple[Any, ...]] = []
    wanted = array(list(values), SCHEMA.field(column).type)
    with storage_errors(f"read {path}", OTHERS), pq.ParquetFile(path) as file:
        there = [name for name in dict.fromkeys([column, *names]) if name in file.schema_arrow.names]
        for group in range(file.num_row_groups if column in there else 0):
            cells = file.read_row_group(group, [column]).column(0).cast(wanted.type)
            hits = pc.is_in(cells, value_set=wanted)
            if pc.any(hits).as_py():
                table = conform(file.read_row_group(group, there), names, path).filter(hits)
                found += zip(*map(_cells, table.columns), strict=True)
    return found


def _cells(column: pa.ChunkedArray) -> list[Any]:
    is_time = pa.types.is_timestamp(column.type)
    cells: list[Any] = (column.cast(pa.int64()) if is_time else column).to_pylist()
    return cells
