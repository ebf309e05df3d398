"""Writing Parquet files: the one place that knows how, and the words for when the disk refuses.

A file here is finished or absent. Part numbers, keys and duplicates belong to `ledger.py` and `parts.py`.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pop3frames.errors import POP3ExportError, printable
from pop3frames.frames.schema import SCHEMA, column_name

# Dictionaries pay where values repeat; on bodies and ids they only cost (measured on 15,000 mails).
_DICTIONARY = [
    column_name("account"),
    column_name("from_"),
    *(f"{column_name(name)}.list.element" for name in ("to", "cc", "bcc")),
    f"{column_name('attachments')}.list.element.{column_name('content_type')}",
]

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space and run it again",
    errno.EDQUOT: "the disk quota is used up: free some space and run it again",
    errno.EFBIG: "the file grew over a limit: raise it (ulimit -f) or commit smaller parts",
    errno.EACCES: "no permission there, or it is read-only: change that or choose another folder",
    errno.EPERM: "the system does not allow it: change the permissions or choose another folder",
    errno.EROFS: "it is mounted read-only: choose another folder",
    errno.ENOENT: "a folder is missing: create it first, or see who removed it",
    errno.EEXIST: "a file is where a folder should be: choose another path",
    errno.ENOTDIR: "a file is where a folder should be: choose another path",
    errno.EISDIR: "it is a folder: name a file inside it",
    errno.ENAMETOOLONG: "the name is too long for this file system: choose a shorter one",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    errno.ENOSYS: "the file system has no hard links, and no rename that replaces nothing: choose another",
    errno.EINVAL: "the file system cannot do that: choose a folder on a local one with hard links",
    errno.EIO: "the disk reported an error: check it before running again",
}

UNSURE = "The file is there and complete, but a power cut may still lose it."


@contextmanager
def storage_errors(task: str, intact: str) -> Iterator[None]:
    """Turns a refusal of the disk into a POP3ExportError: what failed, why, what to do, what is `intact`."""
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError) as exc:  # the last: damaged names in a footer
        unforeseen = f"{type(exc).__name__}: {printable(str(exc))}"
        reason = _ADVICE.get(getattr(exc, "errno", None) or 0, unforeseen)
        raise POP3ExportError(f"cannot {task}: {reason}. {intact}") from exc


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` survive a power cut (fsync(2): syncing a file does not sync its name)."""
    sync(folder, os.O_DIRECTORY)


def sync(path: Path, flags: int = 0) -> None:
    """Makes what is in a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class NewFile:
    """A Parquet file being written under a new name; one row group for each batch or table it is given.

    `footer` goes into the file's key-value metadata beside the schema's.

    `finish` leaves a complete, synced file at `path`, `discard` leaves nothing. Raises OSError as it comes.
    """

    def __init__(
        self, path: Path, schema: pa.Schema = SCHEMA, footer: Mapping[str, str] | None = None
    ) -> None:
        self.path, self._footer = path, dict(footer or {})
        # Buffered, because Arrow ignores how much a raw write took: a short one would pass unseen.
        self._file = path.open("xb")
        try:
            self._writer = _writer(self._file, schema)
        except BaseException:
            self._file.close()
            path.unlink(missing_ok=True)
            raise

    @property
    def nbytes(self) -> int:
        """Bytes in the file so far."""
        return self._file.tell()

    def write(self, table: pa.Table | pa.RecordBatch) -> None:
        """Appends the rows as one row group."""
        if table.num_rows:
            self._writer.write(table, row_group_size=table.num_rows)

    def finish(self) -> None:
        """Writes the footer and waits until the disk has everything."""
        if self._footer:
            self._writer.add_key_value_metadata(self._footer)
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Removes this name of the file, finished or not. Never raises: what stays behind is swept by age."""
        for close in (self._writer.close, self._writer.close, self._file.close):
            with suppress(OSError, ValueError):  # a full disk refuses the footer too; Arrow is done after two
                close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> NewFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


def write_file(path: str | os.PathLike[str], batches: Iterable[pa.RecordBatch]) -> int:
    """Writes record batches of SCHEMA as one Parquet file, whole or not at all; returns its rows.

    An existing file is replaced only by a finished one. An error of the source of `batches` passes through as
    it is; a refusal of the disk is a POP3ExportError. Either way nothing of the new file stays.
    """
    path = Path(path)
    task, intact = f"write {path}", "No file was written there, and one that was there is unchanged."
    rows = 0
    with ExitStack() as stack:
        with storage_errors(task, intact):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
            # A glob for *.parquet must not see it, and a rename needs the same file system.
            file = stack.enter_context(NewFile(path.with_name(f".{uuid.uuid4().hex}.part")))
        for batch in batches:
            with storage_errors(task, intact):
                file.write(batch)
            rows += batch.num_rows
        with storage_errors(task, intact):
            file.finish()
            file.path.replace(path)
        with storage_errors(f"sync {path.parent}", UNSURE):
            sync_folder(path.parent)
    return rows


def _writer(sink: Any, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=_DICTIONARY,
        write_page_index=True,
        write_page_checksum=True,
    )
