"""The attachment store: decoded attachments as files named by their SHA-256, each content once.

    STORE/ab/ab3f....bin           complete, or not there at all; mode 0600
    STORE/.staging/                empty, except while something is written

Nothing that a mail says becomes part of a path here: the names in a mail are only used by `save`, made
harmless by `parsing/filenames.py`. Which row names which file is in the column `attachmentHashes`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

from pop3frames.client.session import log
from pop3frames.errors import POP3ExportError, POP3UsageError, printable
from pop3frames.frames.claim import claim
from pop3frames.frames.dataset import ONE_DAY, Dataset
from pop3frames.frames.parquet import storage_errors, sync_folder
from pop3frames.frames.parts import STAGING, PartWriter, make_folder, sweep
from pop3frames.frames.schema import column_name
from pop3frames.frames.verification import Finding
from pop3frames.message import Attachment
from pop3frames.parsing.contents import MailPart, iter_parts
from pop3frames.parsing.filenames import safe_filename

LARGEST = 64 << 20  # octets of one attachment; no mail that is fetched is larger
NOT_STORED = ""  # in place of a hash

_DIGEST = re.compile(r"[0-9a-f]{64}")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a planted FIFO must not be waited for
_MOST_NAMES = 10_000  # tried in one folder
_INTACT = "Attachments stored before are complete."
_HASHES = column_name("attachment_hashes")


class AttachmentStore:
    """Attachments in a local folder, which must not lie in a dataset. Opening one touches nothing.

    largest   octets; an attachment beyond that is not stored

    Threads and processes may share the folder. POP3ExportError when the disk refuses.
    """

    def __init__(self, path: str | os.PathLike[str], *, largest: int = LARGEST) -> None:
        if "://" in os.fspath(path):
            raise POP3UsageError("attachments are stored in a local folder, not in an object store")
        self.path, self.largest = Path(path).expanduser().absolute(), largest

    def __repr__(self) -> str:
        return f"AttachmentStore({str(self.path)!r})"

    def file(self, digest: str) -> Path:
        """Where the content with this SHA-256 (hex) is, or would be."""
        if not _DIGEST.fullmatch(digest):
            raise POP3UsageError("an attachment is named by its SHA-256: 64 digits of 0-9 and a-f")
        return self.path / digest[:2] / f"{digest}.bin"

    def __contains__(self, digest: str) -> bool:
        return self.file(digest).is_file()

    def put(self, content: bytes) -> str:
        """Stores the content, unless it is there; its hash, once it would survive a power cut."""
        writer = AttachmentWriter(self)
        digest = writer.put(content)
        writer.sync()
        return digest

    def read(self, digest: str) -> bytes:
        """The content. POP3UsageError when there is none; POP3ExportError when its name does not fit it."""
        path = self.file(digest)
        try:
            with (
                storage_errors(f"read {path}", "The other attachments are not affected."),
                _opened(path) as file,
            ):
                content = file.read()
        except POP3ExportError as exc:
            if isinstance(exc.__cause__, FileNotFoundError):
                raise POP3UsageError(f"{self.path} has no attachment {digest}") from exc
            raise
        if hashlib.sha256(content).hexdigest() != digest:
            raise POP3ExportError(f"{path} is damaged: store it again from the raw mail, or fetch that again")
        return content

    def save(self, digest: str, folder: str | os.PathLike[str], filename: str = "") -> Path:
        """Copies one into a folder under a harmless form of that name, with a number where it is taken.

        No file is ever overwritten and no link followed. Returns the path; mode 0600.
        """
        content = self.read(digest)
        name = safe_filename(filename, f"{digest[:16]}.bin")
        with storage_errors(f"save {name!r} in {folder}", "No file was changed."):
            for each in _numbered(name):
                path = Path(folder) / each
                with suppress(FileExistsError):
                    _write(path, content)
                    return path
        raise POP3UsageError(f"{folder} has {_MOST_NAMES} files of that name already: choose another folder")

    def verify(self, dataset: Dataset | str | Path | None = None) -> list[Finding]:
        """Reads every file; what is damaged or foreign. With a dataset: also what its rows name in vain.

        An empty list means that all is well. What killed writers left in `.staging/` does no harm and is not
        told: `sweep` removes it.
        """
        findings = list(self._damaged())
        if dataset is not None:
            findings += self._missing(dataset if isinstance(dataset, Dataset) else Dataset(dataset))
        return findings

    def sweep(self, older_than: float = ONE_DAY) -> int:
        """Removes what killed writers left in `.staging/` and is so many seconds old; returns how many."""
        return sweep(self.path, older_than)

    def _damaged(self) -> Iterator[Finding]:
        if not self.path.exists():  # no attachment came yet
            return
        with storage_errors(f"read {self.path}", "Nothing was changed."):
            folders = sorted(each for each in self.path.iterdir() if each.name != STAGING)
            files = [
                file for each in folders for file in (sorted(each.iterdir()) if each.is_dir() else [each])
            ]
        for path in files:
            digest = path.name.removesuffix(".bin")
            if not _DIGEST.fullmatch(digest) or path != self.file(digest):
                yield Finding(path, None, "not a file of this store", "move it away")
            elif not _holds(path, digest):
                yield Finding(
                    path, None, "the content does not fit the name", "remove it, and store it again"
                )

    def _missing(self, dataset: Dataset) -> Iterator[Finding]:
        rows = dataset.to_table([_HASHES]).column(0).to_pylist()
        for digest in sorted({digest for digests in rows for digest in digests or ()} - {NOT_STORED}):
            if not _DIGEST.fullmatch(digest) or digest not in self:
                meaning = f"attachment {printable(digest)} is named by rows of {dataset.path}, and missing"
                yield Finding(self.path, None, meaning, "store it again from raw")


class AttachmentWriter:
    """Stores attachments in one thread of one run."""

    def __init__(self, store: AttachmentStore) -> None:
        self.store = store
        self._fresh: set[str] = set()  # there, but a power cut may still take the name

    def keep(self, raw: bytes, described: Sequence[Attachment]) -> list[str] | None:
        """Stores the attachments of a mail; a hash for each that the row describes, '' for one not stored.

        None when the mail does not show the same attachments again: a parser's fallback described them.
        """
        try:
            parts = [part for part in iter_parts(raw) if not part.is_body]
        except Exception:  # noqa: BLE001  (one mail must not stop a run)
            parts = []
        if len(parts) != len(described):
            log.warning("the attachments of a mail with %d octets cannot be told apart: not stored", len(raw))
            return None
        return [self._kept(part, each.size) for part, each in zip(parts, described, strict=True)]

    def _kept(self, part: MailPart, size: int) -> str:
        if size > self.store.largest:
            log.warning("an attachment of %d octets is not stored: the limit is %d", size, self.store.largest)
            return NOT_STORED
        try:
            content = part.content()
        except Exception as exc:  # noqa: BLE001  (one attachment must not stop a run)
            log.warning("an attachment of %d octets is not stored: %s", size, type(exc).__name__)
            return NOT_STORED
        return self.put(content)

    def put(self, content: bytes) -> str:
        """Stores the content, unless it is there. Whole under its name, or not there, whatever happens."""
        digest = hashlib.sha256(content).hexdigest()
        if digest in self._fresh:
            return digest
        path = self.store.file(digest)
        with storage_errors(f"store an attachment in {self.store.path}", _INTACT):
            if path.parent.is_symlink():
                raise POP3ExportError(f"{path.parent} is a symbolic link: somebody planted it, remove it")
            if not _holds(path, digest):
                self._write(path, content, digest)
        self._fresh.add(digest)
        return digest

    def _write(self, path: Path, content: bytes, digest: str) -> None:
        staging = self.store.path / STAGING
        make_folder(staging)
        make_folder(path.parent)
        staged = staging / f"{uuid.uuid4().hex}.staged"
        _write(staged, content)
        try:
            claim(staged, path)
        except FileExistsError:
            if not _holds(path, digest):  # damaged, or planted: the name belongs to this content alone
                staged.replace(path)
        finally:
            with suppress(OSError):  # swept by age
                staged.unlink(missing_ok=True)

    def sync(self) -> None:
        """What was stored since the last call survives a power cut."""
        folders = {self.store.file(digest).parent for digest in self._fresh}
        with storage_errors(f"sync {self.store.path}", "Mail that names these attachments is not stored."):
            for folder in sorted(folders):
                sync_folder(folder)
            if folders:
                sync_folder(self.store.path)
        self._fresh.clear()

    def sync_before(self, writer: PartWriter) -> None:
        """The same, before a commit; where it fails, what is staged is given up: it names these files."""
        try:
            self.sync()
        except BaseException:
            writer.abort()
            raise


def attachment_writer(store: AttachmentStore | str | Path, dataset: Dataset) -> AttachmentWriter:
    """A writer for a run into that dataset. POP3UsageError when the store lies in it."""
    store = store if isinstance(store, AttachmentStore) else AttachmentStore(store)
    # polars refuses to read a folder with other files in it, wherever they are.
    if store.path.resolve().is_relative_to(dataset.path.resolve()):
        raise POP3UsageError(
            f"the folder for attachments lies in the dataset: choose one beside {dataset.path}"
        )
    store.sweep()
    return AttachmentWriter(store)


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    """A regular file, through no link. OSError as it comes."""
    descriptor = os.open(path, _OLD)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def _holds(path: Path, digest: str) -> bool:
    """Whether this very content is there."""
    try:
        with _opened(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except FileNotFoundError:
        return False
    except OSError as exc:
        if exc.errno in (errno.ELOOP, errno.EINVAL, errno.ENXIO):  # a link, a folder, a device, a socket
            return False
        raise


def _write(path: Path, content: bytes) -> None:
    """A new file, synced, or none. OSError as it comes."""
    descriptor = os.open(path, _NEW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _numbered(name: str) -> Iterator[str]:
    """The name, then `name (2).ending`, `name (3).ending` and so on."""
    yield name
    stem, dot, ending = name.rpartition(".")
    for number in range(2, _MOST_NAMES + 1):
        yield f"{stem} ({number}){dot}{ending}" if stem else f"{name} ({number})"
