"""Merging the many small parts that frequent exports leave into few large ones.

Only the choice of parts; how one part takes the place of others is `replacement.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pop3frames.frames.parquet import storage_errors
from pop3frames.frames.replacement import Replacement, replace_parts
from pop3frames.frames.snapshot import Part, Snapshot, settled
from pop3frames.frames.versions import extra_fields

SMALL_BYTES = 64 << 20  # a part of this size is left alone
TARGET_BYTES = 128 << 20  # of the parts merged into one; the last of them may go up to 64 MB over it


def compact_account(root: Path, folder: Path) -> list[Replacement]:
    """Merges the account's small parts, one new part at a time, and returns what was done."""
    groups = settled(folder, _plan)
    done = (replace_parts(root, group) for group in groups)
    return [replacement for replacement in done if replacement]


def _plan(snapshot: Snapshot) -> list[list[Part]]:
    """Small parts in the order of their numbers, cut where they reach the target; single ones stay."""
    groups: list[list[Part]] = []
    by_columns: dict[object, list[tuple[Part, int]]] = {}
    for part, nbytes in _small(snapshot.live.values()):
        # Parts with columns that others lack (of a newer release) are merged among themselves.
        key = tuple((field.name, str(field.type)) for field in extra_fields(part.path))
        group = by_columns.setdefault(key, [])
        group.append((part, nbytes))
        if sum(size for _, size in group) >= TARGET_BYTES:
            groups.append([part for part, _ in by_columns.pop(key)])
    groups += [[part for part, _ in group] for group in by_columns.values()]
    return [group for group in groups if len(group) > 1]


def _small(parts: Iterable[Part]) -> Iterable[tuple[Part, int]]:
    for part in parts:
        with storage_errors(f"read {part.path}", "Nothing was changed."):
            nbytes = part.path.stat().st_size
        if nbytes < SMALL_BYTES:
            yield part, nbytes
