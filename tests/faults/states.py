"""What is in the mailboxes and in the dataset at one moment: read here, not asked of what is under test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from export.mailboxes import ANN

from pop3frames.frames.dataset import Dataset
from pop3frames.server.maildrop import StoredMessage


@dataclass(frozen=True)
class Stored:
    """What is in a dataset. Rows are read and hashed here, without asking the dataset what is safe."""

    rows: tuple[tuple[str, bool], ...]  # unique-id, and whether its original bytes are there and unharmed
    durable: frozenset[bytes]
    known: frozenset[str]
    findings: tuple[str, ...]  # of verify(), those that are not harmless

    @property
    def uidls(self) -> set[str]:
        return {uidl for uidl, _ in self.rows}

    @property
    def whole(self) -> set[str]:
        return {uidl for uidl, whole in self.rows if whole}


@dataclass(frozen=True)
class State:
    """What is on the servers and in the dataset at one moment."""

    served: tuple[tuple[StoredMessage, ...], ...]
    stored: Stored
    files: frozenset[str]
    staged: int


def stored_in(folder: Path) -> Stored:
    """What is there; read once where the very same files were read before: most faults change nothing."""
    paths = sorted(folder.glob("*/*.parquet"))
    key = tuple((str(path.relative_to(folder)), path.read_bytes()) for path in paths)
    if key not in _read:
        if len(_read) > 200:
            _read.clear()
        _read[key] = _stored_in(folder)
    return _read[key]


_read: dict[tuple[tuple[str, bytes], ...], Stored] = {}


def _stored_in(folder: Path) -> Stored:
    dataset = Dataset(folder)
    table = dataset.to_table(["uidl", "raw", "contentHash"])
    columns = (table[name].to_pylist() for name in ("uidl", "raw", "contentHash"))
    rows = [
        (uidl, raw, raw is not None and hashlib.sha256(raw).hexdigest() == digest)
        for uidl, raw, digest in zip(*columns, strict=True)
    ]
    return Stored(
        tuple((uidl, whole) for uidl, _, whole in rows),
        frozenset(raw for _, raw, whole in rows if whole),
        frozenset(dataset.known(ANN).uidls),
        tuple(str(each) for each in dataset.verify().findings if not each.harmless),
    )
