"""Recording a mailbox for replay: into a folder that `EmbeddedServer` serves again, redacted if asked.

The format is in `server/recorded.py`. The index says "not complete" from before the first mail until every
mail is durable: whatever ends a recording early, nobody can take it for a whole one.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pop3frames.client.connection import LISTINGS
from pop3frames.client.credentials import Secret, SecretReference
from pop3frames.client.retry import Resumption
from pop3frames.client.session import Session, log
from pop3frames.errors import POP3ConnectionError, POP3Error, POP3UsageError, printable
from pop3frames.export.accounts import Account
from pop3frames.export.progress import Progress, ProgressBar
from pop3frames.export.redaction import Redactor
from pop3frames.export.report import FailedMessage
from pop3frames.frames.parquet import storage_errors, sync_folder
from pop3frames.frames.parts import make_folder
from pop3frames.server.recorded import FILE, INDEX, Index, RecordedMail, is_snapshot, read_index

_ATTRIBUTES = "*.eml -text\n"  # or git ends lines as the machine does, and no mail is what it was
_NOT_WHOLE = "The snapshot says that it is not whole: record it again."


@dataclass(frozen=True)
class SnapshotReport:
    """What became of every listed message: `listed == recorded + len(failed)`. `path` can be served."""

    account: str
    path: Path
    listed: int
    recorded: int
    failed: tuple[FailedMessage, ...]
    octets: int
    seconds: float
    redacted: bool

    def __str__(self) -> str:
        how = "recorded and redacted" if self.redacted else "recorded"
        counts = f"{self.listed} listed: {self.recorded} {how}, {len(self.failed)} failed"
        return f"{self.account}: {counts} ({self.octets / 1e6:.1f} MB in {self.seconds:.1f} s)"


def record_mailbox(
    account: Account,
    folder: str | os.PathLike[str],
    *,
    redact: bool = False,
    key: Secret | SecretReference | None = None,
    newest: int | None = None,
    progress: bool | Callable[[Progress], object] | None = None,
) -> SnapshotReport:
    """Record the mailbox into a new folder, a snapshot, which `EmbeddedServer(folder)` then serves.

    redact     replace addresses, names, texts and attachments by invented ones (`export/redaction.py`)
    key        the same key gives the same stand-ins in another snapshot; None: a random one, kept nowhere
    newest     only so many, the last of the listing
    progress   as `export_mailbox` takes it

    Unique-ids and octets are those of the server; redacted, sizes are only about the same, and a unique-id
    that may hold a name is replaced. Nothing is deleted, and where fetching leaves a trace (EXPIRE 0) the
    session ends without QUIT. A folder with anything else in it is a POP3UsageError, a refusal of the disk a
    POP3ExportError; after a POP3ConnectionError the folder says that it is not whole, and can be used again.
    """
    if key is not None and not redact:
        raise POP3UsageError("a key is for redact=True: nothing else is changed in a snapshot")
    if newest is not None and newest < 1:
        raise POP3UsageError("newest must be at least 1")
    path = Path(folder).expanduser().absolute()
    redactor = Redactor(_octets(key)) if redact else None
    with storage_errors(f"record into {path}", _NOT_WHOLE):
        _prepare(path, redact)
        with ProgressBar(account.name, progress) as bar:
            return _Recording(account.asked(), path, redactor, newest, bar).run()


def _octets(key: Secret | SecretReference | None) -> bytes | None:
    if key is None:
        return None
    secret = key.resolve("Key of the redaction: ") if isinstance(key, SecretReference) else key
    return hashlib.sha256(secret.reveal().encode(errors="surrogatepass")).digest()


def _prepare(path: Path, redacted: bool) -> None:
    """An empty snapshot that says it is not whole. What a recording that ended early left is replaced."""
    make_folder(path)
    there = {each.name for each in path.iterdir()}
    if there and not is_snapshot(path):
        raise POP3UsageError(f"{path} is not empty: record into a new folder")
    if is_snapshot(path):
        if read_index(path).complete:
            raise POP3UsageError(f"{path} is a snapshot already: record into a new folder, or remove it")
        for name in there:
            if FILE.fullmatch(name):
                (path / name).unlink()
    _write_index(path, Index(complete=False, redacted=redacted, failed=0, mails=()))
    (path / ".gitattributes").write_text(_ATTRIBUTES, encoding="ascii")


def _write_index(path: Path, index: Index) -> None:
    """The index, whole or as it was (rename(2))."""
    staged = path / f"{INDEX}.new"
    with staged.open("w", encoding="utf-8") as file:
        file.write(index.to_json())
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path / INDEX)
    sync_folder(path)


@dataclass
class _Recording:
    """One run: every message that the first session listed, in one session or, after a loss, another."""

    account: Account
    path: Path
    redactor: Redactor | None
    newest: int | None
    bar: ProgressBar
    started: float = field(default_factory=time.monotonic)
    listed: int = 0
    octets: int = 0
    waiting: list[tuple[int, str | None]] | None = None  # number and unique-id, as the first session said
    mails: list[RecordedMail] = field(default_factory=list)
    failed: list[FailedMessage] = field(default_factory=list)

    def run(self) -> SnapshotReport:
        handler, resumption = self.account.handler(), Resumption()
        while True:
            before = len(self.waiting or ())
            try:
                with handler.operation(ahead=LISTINGS) as session:
                    self._take(session)
                break
            except POP3ConnectionError as exc:
                if self.waiting is None:
                    raise
                numbers = [number for number, _ in self.waiting]
                if resumption.leaves_out(exc, numbers[:1], before - len(numbers)):
                    self._fail(exc)
                log.warning("%s: %s; going on in a new session", self.account.name, exc)
        self._finish()
        return SnapshotReport(
            account=self.account.name,
            path=self.path,
            listed=self.listed,
            recorded=len(self.mails),
            failed=tuple(self.failed),
            octets=self.octets,
            seconds=time.monotonic() - self.started,
            redacted=self.redactor is not None,
        )

    def _take(self, session: Session) -> None:
        uidls, sizes = session.unique_ids(), session.sizes()
        if self.waiting is None:
            numbers = session.numbers(sizes)[-(self.newest or 0) :]
            self.waiting, self.listed = [(number, uidls.get(number)) for number in numbers], len(numbers)
        elif any(uidls.get(number) != uidl or uidl is None for number, uidl in self.waiting):
            raise POP3ConnectionError(
                "the connection was lost, and the new session numbers the mail otherwise: record it again",
                retryable=False,
            )
        numbers = [number for number, _ in self.waiting]
        self.bar.start(len(numbers), sum(sizes.get(number, 0) for number in numbers))
        for _, raw in session.retrieve(numbers, sizes):
            if isinstance(raw, bytes):
                self._keep(raw, self.waiting[0][1])
                self.waiting.pop(0)
                self.bar.step(len(raw))
            else:
                self._fail(raw)

    def _keep(self, raw: bytes, uidl: str | None) -> None:
        self.octets += len(raw)
        if self.redactor is not None:
            raw, uidl = self.redactor.mail(raw), self.redactor.uidl(uidl) if uidl else uidl
        name = f"{len(self.mails) + 1:05}.eml"
        (self.path / name).write_bytes(raw)
        self.mails.append(RecordedMail(name, uidl, len(raw), hashlib.sha256(raw).hexdigest()))

    def _fail(self, error: POP3Error) -> None:
        assert self.waiting, "only a message that waits can fail"
        number, uidl = self.waiting.pop(0)
        self.failed.append(FailedMessage(number, uidl, printable(str(error))))
        self.bar.step(0)

    def _finish(self) -> None:
        """Everything is durable, then the index says so."""
        for mail in self.mails:
            with (self.path / mail.file).open("rb") as file:
                os.fsync(file.fileno())
        index = Index(
            complete=True,
            redacted=self.redactor is not None,
            failed=len(self.failed),
            mails=tuple(self.mails),
        )
        _write_index(self.path, index)
