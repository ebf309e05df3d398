"""Removing parts that a newer part has replaced: at once, or later where the process that replaced them died.

They count no more, so that nothing is gained in a hurry: a part goes only when the one in its place is
synced, and a leftover only when every mail of it is in a live part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from pop3frames.errors import POP3ExportError
from pop3frames.frames.keys import KeySet
from pop3frames.frames.ledger import CONTENT_HASH, UIDL, key_columns, keys_of, make_durable
from pop3frames.frames.parquet import sync_folder
from pop3frames.frames.snapshot import Part, Snapshot, settled


def removable(snapshot: Snapshot) -> list[Path]:
    """The replaced parts whose every mail is in a live one, so that they may go.

    What somebody copied here from another dataset may bear the number of a part that was replaced: such a
    file is not read, but it may hold mail that is nowhere else. One that cannot be read stays too.
    """
    if not snapshot.superseded:
        return []
    uidls, hashes = KeySet(), KeySet()
    for part in snapshot.live.values():
        rows = key_columns(part.path)
        uidls.add(rows.column(UIDL).filter(rows.column(CONTENT_HASH).is_null()).chunks)
        hashes.add(rows.column(CONTENT_HASH).chunks)
    return [path for path in snapshot.superseded if _all_in(path, uidls, hashes)]


def _all_in(path: Path, uidls: KeySet, hashes: KeySet) -> bool:
    try:
        rows = key_columns(path)
    except POP3ExportError:  # perhaps because somebody else has just removed it
        return False
    # By content, for a renumbering gives a mail another unique-id; a row of headers alone has no hash.
    return all(uidl in uidls if digest is None else digest in hashes for uidl, digest in keys_of(rows))


def remove_leftovers(folder: Path, seen: Mapping[int, Part] | None = None) -> int:
    """Removes what a killed replacement left; returns how many files. OSError as it comes.

    `seen` saves opening the footers of live parts again.
    """
    leftovers = settled(folder, removable, seen)
    return remove_replaced(folder, leftovers) if leftovers else 0


def remove_replaced(folder: Path, paths: Iterable[Path]) -> int:
    """Removes parts that a live one has replaced; returns how many. OSError as it comes.

    The lowest number first: a reader that holds an older listing then misses that one, and looks again.
    """
    make_durable(folder)  # whoever linked the live part may have died before its sync
    removed = 0
    for path in paths:
        with suppress(FileNotFoundError):  # somebody else was faster
            path.unlink()
            removed += 1
    sync_folder(folder)
    return removed
