"""Adding parts to a dataset: staging, the commit, and what happens when another writer was faster.

The commit protocol: write `DATASET/.staging/<random>.staged`, flush, fsync; link it to the next part number,
which succeeds for exactly one writer; see that the number is not one of a part that was replaced meanwhile;
fsync the folders; remove the staged name. A part is complete or absent.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from pop3frames.errors import POP3UsageError
from pop3frames.frames.batches import MAX_BYTES, MAX_ROWS, BatchBuilder
from pop3frames.frames.claim import claim, unclaim
from pop3frames.frames.columns import mask
from pop3frames.frames.ledger import ACCOUNT, Keys, Known, keys_of, make_durable
from pop3frames.frames.leftovers import remove_leftovers
from pop3frames.frames.parquet import UNSURE, NewFile, storage_errors, sync_folder
from pop3frames.frames.schema import SCHEMA
from pop3frames.frames.snapshot import Part, is_replaced, part_name
from pop3frames.message import Message

STAGING = ".staging"
ROW_GROUP_BYTES = MAX_BYTES // 4  # cells, arrays and pages of a row group add up to five times its size
_CHUNK_ROWS = 500  # become arrays together: more would leave the processor's caches before they do
_NO_KEY = "a message needs a UIDL or a content hash, or nobody can tell it from another"
_INTACT = "Parts committed before are complete; these messages were not stored and can be fetched again."


@dataclass(frozen=True, slots=True)
class Commit:
    """One part that is now in the dataset.

    `nbytes` is the size of its file; `dropped` counts staged rows that were left out because another writer
    had committed them in the meantime.
    """

    path: Path
    rows: int
    nbytes: int
    dropped: int


class PartWriter:
    """Collects new messages of one account and commits them as parts, as often as `commit` is called.

    `with` aborts when left by an exception and otherwise commits what is staged. Messages that the dataset or
    this writer already holds are skipped. Memory stays flat (row groups of 10,000 rows or 16 MB); the rest
    waits in a staged file. For one thread; any number of writers may work on one account, in any number of
    processes.

    `rows` are staged and not yet committed, `commits` lists what was committed so far.
    """

    def __init__(self, root: Path, known: Known) -> None:
        self._root, self._known = root, known
        self._account, self._folder = known.account, known.folder
        self.commits: list[Commit] = []
        self._file: NewFile | None = None
        self._forget()

    def _forget(self) -> None:
        self._keys, self.rows = Keys(), 0
        self._builder = BatchBuilder(_CHUNK_ROWS, ROW_GROUP_BYTES)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0

    @property
    def nbytes(self) -> int:
        """Size of the staged file so far plus, not yet compressed, what waits in memory."""
        written = self._file.nbytes if self._file else 0
        return written + self._builder.nbytes + self._waiting_bytes

    def add(self, messages: Iterable[Message] | pa.RecordBatch) -> int:
        """Stages the messages, or rows of SCHEMA, that are new; returns how many were.

        A message without an account gets this writer's; one of another account, or with neither UIDL nor
        content hash, raises POP3UsageError. When the disk refuses, everything staged is given up and
        POP3ExportError says so. An error of the source passes through; what came before it stays staged.
        """
        before = self.rows
        if isinstance(messages, pa.RecordBatch):
            self._add_rows(messages)
        else:
            for message in messages:
                self._add_message(message)
        return self.rows - before

    def _add_message(self, message: Message) -> None:
        if message.account != self._account:
            if message.account:
                raise POP3UsageError("a message of another account cannot go into this account's part")
            message = replace(message, account=self._account)
        if self._is_new(message.uidl, message.content_hash):
            full = self._builder.append(message)
            self._keys.add(message.uidl, message.content_hash)
            self.rows += 1
            if full is not None:
                self._stage(full)

    def _add_rows(self, batch: pa.RecordBatch) -> None:
        if not batch.schema.equals(SCHEMA):
            raise POP3UsageError("these rows are not of pop3frames' schema: cast them to SCHEMA first")
        if not set(batch.column(ACCOUNT).unique().to_pylist()) <= {self._account}:
            raise POP3UsageError("rows of another account cannot go into this account's part")
        rows = list(keys_of(batch))
        if (None, None) in rows:
            raise POP3UsageError(_NO_KEY)
        fresh = []
        for uidl, digest in rows:
            fresh.append(self._is_new(uidl, digest))
            if fresh[-1]:
                self._keys.add(uidl, digest)
        self.rows += sum(fresh)
        self._stage(self._builder.finish())
        self._stage(batch.filter(mask(fresh)))

    def _is_new(self, uidl: str | None, content_hash: str | None) -> bool:
        if uidl is None and content_hash is None:
            raise POP3UsageError(_NO_KEY)
        return not (self._keys.holds(uidl, content_hash) or self._known.holds(uidl, content_hash))

    def _stage(self, batch: pa.RecordBatch) -> None:
        """Keeps rows until they fill a row group: small row groups make a file nearly twice as big."""
        if batch.num_rows:
            self._waiting.append(batch)
            self._waiting_bytes += batch.nbytes
        rows = sum(waiting.num_rows for waiting in self._waiting)
        if rows >= MAX_ROWS or self._waiting_bytes >= ROW_GROUP_BYTES:
            self._write_waiting()

    def _write_waiting(self) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if waiting:
            self._write(pa.Table.from_batches(waiting, SCHEMA))

    def _write(self, table: pa.Table) -> None:
        if not table.num_rows:
            return
        try:
            with storage_errors(f"stage messages in {self._root / STAGING}", _INTACT):
                if self._file is None:
                    make_folder(self._root / STAGING)
                    self._file = NewFile(self._root / STAGING / f"{uuid.uuid4().hex}.staged")
                self._file.write(table)
        except BaseException:
            self.abort()
            raise

    def commit(self) -> Commit | None:
        """Makes everything staged one part, and returns when it would survive a power cut.

        None when nothing is staged, or when other writers have committed all of it. POP3ExportError when the
        disk refuses: then everything staged is given up, except that a part already linked stays.
        """
        staged = self.rows
        try:
            self._stage(self._builder.finish())
            self._write_waiting()
            if self._file is None:
                return None
            with storage_errors(f"commit to {self._folder}", _INTACT):
                self._file.finish()
                commit = self._publish(self._file, staged)
        finally:
            self.abort()
        if commit:
            self.commits.append(commit)
        return commit

    def _publish(self, file: NewFile, staged: int) -> Commit | None:
        make_folder(self._folder)
        while True:
            number = self._known.refresh() + 1
            remove_leftovers(self._folder, self._known.parts)
            if self._known.clashes(self._keys):
                fresh = self._restage(file)
                if fresh is None:
                    return None
                file = fresh
            path, nbytes = self._folder / part_name(number), file.path.stat().st_size
            try:
                claim(file.path, path)
            except FileExistsError:
                continue  # another writer took the number: see what it wrote
            if is_replaced(self._folder, number):
                # Another writer had the number before, and its part was compacted away since we looked.
                unclaim(file.path, path)
                continue
            with storage_errors(f"sync {self._folder}", UNSURE):
                make_durable(self._folder)
            self._known.learn(Part(number, path, self.rows, frozenset()), self._keys)
            return Commit(path, self.rows, nbytes, dropped=staged - self.rows)

    def _restage(self, file: NewFile) -> NewFile | None:
        """Writes the staged rows again, without those that are committed by now; None when all are."""
        self._file = None
        self._forget()
        with file, pq.ParquetFile(file.path) as source:
            for group in range(source.num_row_groups):
                table = source.read_row_group(group)
                rows = list(keys_of(table))
                fresh = [not self._known.holds(*row) for row in rows]
                for row in compress(rows, fresh):
                    self._keys.add(*row)
                self.rows += sum(fresh)
                self._write(table.filter(mask(fresh)))
        if self._file:
            self._file.finish()
        return self._file

    def abort(self) -> None:
        """Gives up what is staged and not committed; the writer can go on."""
        file, self._file = self._file, None
        self._forget()  # first: Ctrl-C while the file is removed must not leave its rows to another commit
        if file is not None:
            file.discard()

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.abort()


def make_folder(path: Path) -> None:
    """The folder and those above it, each name synced as it is made."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sweep(root: Path, older_than: float) -> int:
    """Removes staged files not touched for `older_than` seconds; returns how many.

    By age and never by owner: a younger file may belong to a writer that is alive on another machine.
    """
    removed = 0
    with storage_errors(f"look into {root / STAGING}", "Nothing was changed."):
        staged = list((root / STAGING).glob("*.staged"))
    for path in staged:
        with suppress(OSError):  # another sweep was faster, or it is not ours to remove
            if path.stat().st_mtime < time.time() - older_than:
                path.unlink()
                removed += 1
    return removed
