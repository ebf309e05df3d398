"""A recorded mailbox on disk: .eml files, and an index that says what they are and whether it is whole.

    SNAPSHOT/snapshot.json     a line for each mail: file, unique-id, octets, SHA-256; "complete" when whole
    SNAPSHOT/00001.eml ...     the mails in their order
    SNAPSHOT/.gitattributes    keeps git from changing their line ends

Only the format and how it is read; who records one is in `export/snapshot.py`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pop3frames.errors import POP3UsageError
from pop3frames.server.maildrop import StoredMessage

INDEX = "snapshot.json"
VERSION = 1
FILE = re.compile(r"\d{5,}\.eml")  # nothing else is ever opened, whatever an index says

_CHANGED = (
    "is not the mail that was recorded: restore it (git must not change its line ends), "
    f'or take its "sha256" out of {INDEX} if the change is meant'
)


@dataclass(frozen=True, slots=True)
class RecordedMail:
    """One mail of a snapshot. Without `uidl` the server had none; without `sha256` nothing is compared."""

    file: str
    uidl: str | None
    size: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Index:
    """What a snapshot says of itself. `failed` mails were on the server and could not be fetched."""

    complete: bool
    redacted: bool
    failed: int
    mails: tuple[RecordedMail, ...]

    def to_json(self) -> str:
        """One line for each mail, so that two recordings can be compared by eye."""
        head = {"pop3frames-snapshot": VERSION, "complete": self.complete, "redacted": self.redacted}
        lines = ",\n".join(f"    {json.dumps(asdict(mail))}" for mail in self.mails)
        opening = json.dumps(head | {"failed": self.failed})[:-1]
        return f'{opening}, "mails": [\n{lines}\n]}}\n'


def is_snapshot(folder: Path) -> bool:
    """Whether there is an index in the folder."""
    return (folder / INDEX).is_file()


def read_index(folder: Path) -> Index:
    """The index of the snapshot. POP3UsageError when it cannot be read, or is of a later version."""
    try:
        told = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if told["pop3frames-snapshot"] > VERSION:
            raise POP3UsageError(f"{folder} was recorded by a newer pop3frames: update this one")
        mails = tuple(RecordedMail(**{"sha256": None, "uidl": None} | each) for each in told["mails"])
        if not all(FILE.fullmatch(mail.file) for mail in mails):
            raise ValueError("a file's name is not one that a recording gives")
        return Index(told["complete"] is True, told["redacted"] is True, int(told["failed"]), mails)
    except POP3UsageError:  # which is a ValueError
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise POP3UsageError(f"{folder / INDEX} is not the index of a snapshot: record it again") from exc


def read_snapshot(folder: Path) -> Iterator[StoredMessage]:
    """The recorded mails as they came. POP3UsageError for what is not whole, or was changed."""
    index = read_index(folder)
    if not index.complete:
        raise POP3UsageError(f"the recording of {folder} ended early: record it again")
    for number, mail in enumerate(index.mails, 1):
        raw = (folder / mail.file).read_bytes()
        digest = hashlib.sha256(raw).hexdigest()
        if mail.sha256 is not None and digest != mail.sha256:
            raise POP3UsageError(f"{folder / mail.file} {_CHANGED}")
        # A server without unique-ids: one that tells equal mails apart.
        yield StoredMessage(raw, f"{number}-{digest[:32]}" if mail.uidl is None else mail.uidl)
