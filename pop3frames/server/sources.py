"""What the embedded server can serve: .eml files, an mbox, a snapshot, or a dataset that kept raw bytes.

Reads, never writes: what a client deletes disappears from memory only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pop3frames.errors import POP3UsageError
from pop3frames.server.maildrop import StoredMessage
from pop3frames.server.recorded import is_snapshot, read_snapshot

_FROM_LINE = re.compile(rb"^From .*\r?\n", re.MULTILINE)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)


def read_mailbox(path: str | Path) -> Iterator[bytes | StoredMessage]:
    """The messages at `path`, in a fixed order, read as the iterator advances.

    It raises POP3UsageError when there is no mailbox or a file cannot be read. A snapshot and a
    dataset give their own unique-ids back; the others get theirs from the content.
    """
    try:
        yield from _messages(Path(path))
    except OSError as exc:
        raise POP3UsageError(f"{exc.filename or path} cannot be read: {exc.strerror}") from exc


def _messages(path: Path) -> Iterable[bytes | StoredMessage]:
    if path.is_dir():
        if is_snapshot(path):
            return read_snapshot(path)
        files = sorted(each for each in path.iterdir() if each.suffix == ".eml")
        if files:
            return (file.read_bytes() for file in files)
        if any(path.glob("*/part-*.parquet")):
            return _from_dataset(path)
        raise POP3UsageError(f"{path} holds no .eml files and is neither a snapshot nor a dataset")
    if not path.exists():
        raise POP3UsageError(
            f"{path} does not exist: give a folder of .eml files, an mbox, a snapshot or a dataset"
        )
    if path.suffix == ".eml":
        return [path.read_bytes()]
    return _from_mbox(path)


def _from_mbox(path: Path) -> Iterator[bytes]:
    """Messages of an mbox (RFC 4155): each follows a "From " line; ">From " in a body loses one ">"."""
    content = path.read_bytes()
    starts = list(_FROM_LINE.finditer(content)) if content.startswith(b"From ") else []
    # A "From " line counts at the start and after an empty line; elsewhere a body forgot to quote it.
    starts = [at for at in starts if at.start() == 0 or content.endswith((b"\n\n", b"\n\r\n"), 0, at.start())]
    if not starts:
        raise POP3UsageError(f"{path} is not an mbox: it must begin with a line that starts with 'From '")
    ends = [at.start() for at in starts[1:]] + [len(content)]
    for start, end in zip(starts, ends, strict=True):
        message = content[start.end() : end]
        # The empty line before the next "From " belongs to the mbox, not to the mail.
        message = message.removesuffix(b"\r\n") if message.endswith(b"\n\r\n") else message
        message = message.removesuffix(b"\n") if message.endswith(b"\n\n") else message
        yield _QUOTED_FROM.sub(rb"\1", message)


def _from_dataset(path: Path) -> Iterator[bytes | StoredMessage]:
    from pop3frames.frames.dataset import Dataset  # pyarrow, only when a dataset is served

    rows = Dataset(path).to_table(columns=["uidl", "raw"]).to_pylist()
    if any(row["raw"] is None for row in rows):
        raise POP3UsageError(
            f"{path} has messages without their original bytes: to be served, it must be exported with "
            "keep_raw=True (--keep-raw)"
        )
    given: set[str] = set()
    for row in rows:
        raw, uidl = row["raw"], row["uidl"]
        # Servers number their mail alike: two accounts of one dataset may have an id in common.
        yield raw if uidl is None or uidl in given else StoredMessage(raw, uidl)
        given.add(uidl)
