"""What must hold after a deletion, however it ended: for the tests of deletions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow.parquet as pq
from export.mailboxes import ANN, account_of

from pop3frames.export.mailbox import export_mailbox
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.maildrop import StoredMessage

ALL = 10_000  # a limit that no mailbox here exceeds


def durable(folder: Path, account: str = ANN) -> set[bytes]:
    """The original bytes in the dataset that hash to what their row says; read without Dataset.safe."""
    found = set()
    for part in Dataset(folder).parts(account):
        for row in pq.read_table(part, columns=["raw", "contentHash"]).to_pylist():
            if row["raw"] is not None and hashlib.sha256(row["raw"]).hexdigest() == row["contentHash"]:
                found.add(row["raw"])
    return found


def left(server: EmbeddedServer) -> list[str]:
    """The unique-ids on the server, in the order of their numbers."""
    return [message.uidl for message in server.maildrop.messages]


def assert_nothing_lost(
    mails: Iterable[StoredMessage], server: Iterable[StoredMessage], folder: Path
) -> None:
    """Each mail ever delivered is on the server or durable, and no unique-id is in the dataset twice."""
    there, kept = {message.raw for message in server}, durable(folder)
    assert [] == [message.uidl for message in mails if message.raw not in there and message.raw not in kept]
    uidls = [uidl for uidl in Dataset(folder).to_table(["uidl"])["uidl"].to_pylist() if uidl is not None]
    assert len(uidls) == len(set(uidls))


def assert_untouched(server: EmbeddedServer, before: Iterable[StoredMessage]) -> None:
    """The mailbox holds what it held."""
    assert list(before) == server.maildrop.messages


def exported(server: EmbeddedServer, folder: Path, *, keep_raw: bool = True) -> None:
    """All of the server's mail in the dataset."""
    export_mailbox(account_of(server), folder, keep_raw=keep_raw)


def rewrite_parts(folder: Path, change: Callable[[dict[str, object]], dict[str, object]]) -> None:
    """Each row of each part replaced by what `change` makes of it, behind the dataset's back."""
    import pyarrow as pa

    for part in Dataset(folder).parts():
        table = pq.read_table(part)
        rows = [change(row) for row in table.to_pylist()]
        pq.write_table(pa.Table.from_pylist(rows, table.schema), part)
