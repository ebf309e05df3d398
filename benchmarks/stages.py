"""Where the time of a mail goes: CPU microseconds a mail for each stage between the socket and the file.

    python -m benchmarks.stages [COUNT]

Each stage runs alone over the same mails, several times; the shortest counts, for other programs only ever
add. Memories of the parser are emptied before each pass: a mailbox is read once. The first line is a download
from a real Dovecot whose bytes are dropped.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import _lru_cache_wrapper
from pathlib import Path

import pyarrow as pa

from benchmarks.mailboxes import large, mixed, small
from benchmarks.programs import PASSWORD
from pop3frames.client.credentials import Secret
from pop3frames.client.pop3 import POP3
from pop3frames.client.rows import as_row
from pop3frames.frames.batches import BatchBuilder
from pop3frames.frames.parquet import NewFile
from pop3frames.message import Message
from pop3frames.parsing import addresses, charsets, headers, mime, parameters, transfer
from pop3frames.parsing.limits import DEFAULT_LIMITS
from pop3frames.protocol.listings import parse_sizes

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from lab.dovecot import Dovecot, why_not

ROUNDS = 7
_MEMORIES = [
    value
    for module in (addresses, charsets, parameters, transfer)
    for value in vars(module).values()
    if isinstance(value, _lru_cache_wrapper)
]
Stages = dict[str, float]  # microseconds a mail


def shortest(work: Callable[[], object], count: int) -> float:
    """Microseconds of CPU a mail."""
    best = float("inf")
    for _ in range(ROUNDS):
        for memory in _MEMORIES:
            memory.cache_clear()
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best / count * 1e6


def stages(mails: list[bytes]) -> Stages:
    """Everything after the wire."""
    count, limits, notes = len(mails), DEFAULT_LIMITS, set[str]()
    blocks = [headers.top_block(raw, limits, notes) for raw in mails]
    fields = [headers.top_fields(block) for block, _, _ in blocks]
    roots = [
        mime.described(found, (head, body, body, len(raw)), mime.PLAIN, limits, notes)
        for raw, found, (_, head, body) in zip(mails, fields, blocks, strict=True)
    ]
    parts = [mime.leaves(raw, root, limits, notes) for raw, root in zip(mails, roots, strict=True)]
    texts = [(raw, part) for raw, found in zip(mails, parts, strict=True) for part in found if part.is_body]
    files = [
        (raw, part) for raw, found in zip(mails, parts, strict=True) for part in found if not part.is_body
    ]
    encoded = [(raw[part.start : part.end], part) for raw, part in texts]
    decoded = [(transfer.decoded_bytes(data, part.encoding, notes), part) for data, part in encoded]
    lists = [found[name] for found in fields for name in (b"from", b"to", b"cc") if name in found]
    rows = [as_row(raw, number, account="a", uidl=f"{number:08x}") for number, raw in enumerate(mails, 1)]
    batch = _built(rows)
    works: dict[str, Callable[[], object]] = {
        "header block and fields": lambda: [
            headers.top_fields(headers.top_block(raw, limits, notes)[0]) for raw in mails
        ],
        "addresses": lambda: [addresses.addresses(value, limits, notes) for value in lists],
        "subject, date, Message-ID": lambda: [
            headers.fill_columns(
                Message(),
                {name: found[name] for name in (b"subject", b"date", b"message-id") if name in found},
                b"",
                limits,
                notes,
            )
            for found in fields
        ],
        "MIME parts": lambda: [
            mime.leaves(
                raw,
                mime.described(found, (head, body, body, len(raw)), mime.PLAIN, limits, notes),
                limits,
                notes,
            )
            for raw, found, (_, head, body) in zip(mails, fields, blocks, strict=True)
        ],
        "transfer encodings of texts": lambda: [
            transfer.decoded_bytes(data, part.encoding, notes) for data, part in encoded
        ],
        "charsets, line ends": lambda: [
            charsets.decoded_lines(data, part.content_type.charset, notes) for data, part in decoded
        ],
        "sizes of attachments": lambda: [
            transfer.decoded_size(raw, part.start, part.end, part.encoding, notes) for raw, part in files
        ],
        "SHA-256": lambda: [hashlib.sha256(raw).hexdigest() for raw in mails],
        "rows to Arrow": lambda: _built(rows),
        "Parquet": lambda: _written(batch),
        "all from bytes to a file": lambda: _written(
            _built([as_row(raw, 1, account="a", uidl=f"{n:08x}") for n, raw in enumerate(mails)])
        ),
    }
    return {name: shortest(work, count) for name, work in works.items()}


def _built(rows: list[Message]) -> pa.RecordBatch:
    builder = BatchBuilder(len(rows), 1 << 30)
    for row in rows:
        builder.append(row)
    return builder.finish()


def _written(batch: pa.RecordBatch) -> None:
    folder = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder) as home, NewFile(Path(home) / "x.parquet") as file:
        file.write(batch)
        file.finish()


def wire(port: int, user: str, count: int) -> float:
    """Socket, framing and unstuffing, bytes dropped: all that comes before the parser."""

    def download() -> None:
        with POP3("127.0.0.1", port) as client:
            client.log_in(user, Secret(PASSWORD))
            sizes = parse_sizes(client.scan_listings())
            for _ in client.retr_many(sizes, sizes):
                pass

    return shortest(download, count)


def main() -> None:
    if reason := why_not():
        sys.exit(f"the wire needs a real server: {reason}")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    columns: dict[str, Stages] = {}
    with Dovecot() as server:
        for name, mails in _mailboxes(count):
            server.add_user(name, PASSWORD)
            server.deliver(name, mails)
            found = {"socket, framing, unstuffing": wire(server.port, name, len(mails))}
            columns[f"{name}, {sum(map(len, mails)) / len(mails) / 1000:.1f} KB"] = found | stages(mails)
    print(f"\n{'microseconds of CPU a mail':30}" + "".join(f"{title:>18}" for title in columns))
    for stage in next(iter(columns.values())):
        print(f"{stage:30}" + "".join(f"{found[stage]:18.1f}" for found in columns.values()))


def _mailboxes(count: int) -> Iterator[tuple[str, list[bytes]]]:
    yield "small", list(small(count))
    yield "large", list(large(count // 3))
    yield "mixed", [raw for raw, _ in mixed(count // 3)]


if __name__ == "__main__":
    main()
