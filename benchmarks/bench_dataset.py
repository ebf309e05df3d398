"""What a dataset costs: a run that finds nothing new among a million, an export's memory, its CPU, its files.

Each figure is of a whole export in a process of its own, counted from after its imports; the server is
another process. Beside each stands the goal. On a busy machine trust CPU time, not wall time.

    python -m benchmarks.bench_dataset          all of them
    python -m benchmarks.bench_dataset quick    a tenth of the mails
"""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.mailboxes import small
from pop3frames.frames.columns import strings
from pop3frames.frames.parquet import NewFile
from pop3frames.frames.schema import SCHEMA
from pop3frames.frames.snapshot import folder_name, part_name
from pop3frames.frames.versions import conform
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.maildrop import StoredMessage

KNOWN = 1_000_000
MAILS = (10_000, 100_000)
PARTS = 20  # of the known million
ACCOUNT = "bench"
MEGABYTES = 200
EXPORT = """
import json, sys, time
from pathlib import Path
from pop3frames import Account, Dataset, Secret, export_mailbox
from pop3frames.frames import columns, parts

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024

def timed(method):
    def call(*args):
        global writing
        began = time.process_time()
        result = method(*args)
        writing += time.process_time() - began
        return result
    return call

writing = 0.0
for name in ("add", "commit"):
    setattr(parts.PartWriter, name, timed(getattr(parts.PartWriter, name)))
port, password, folder = sys.argv[1:]
account = Account("bench", "127.0.0.1", int(port), "user", Secret(password), "none")
before, began, cpu = peak(), time.perf_counter(), time.process_time()
report = export_mailbox(account, folder, progress=False)
print(json.dumps({
    "listed": report.listed, "new": report.new, "failed": len(report.failed), "octets": report.octets,
    "wall": time.perf_counter() - began, "cpu": time.process_time() - cpu, "writing": writing,
    "megabytes": peak() - before, "files": sum(path.stat().st_size for path in report.parts),
}))
"""


def run(scale: int = 1) -> dict[str, dict[str, float]]:
    """Measures and prints; figures by title. `scale` divides the numbers of mails."""
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as home:
        known = Path(home) / "known"
        build(known, KNOWN // scale)
        for listed in (KNOWN // scale, 50):  # a server that keeps all mail, and one that is emptied
            with _serving("listing", listed) as address:
                title = f"{KNOWN // scale:,} known, {listed:,} listed, none new"
                results[title] = _export(address, known)
        for count in (number // scale for number in MAILS):
            with _serving("mails", count) as address:
                results[f"{count:,} new mails"] = _export(address, Path(home) / str(count))
    _show(results)
    return results


def _show(results: dict[str, dict[str, float]]) -> None:
    rows = []
    for title, found in results.items():
        if not found["new"]:
            rows.append((title, "wall", f"{found['wall']:.2f} s", "2 s"))
            rows.append((title, "CPU", f"{found['cpu']:.2f} s", "2 s"))
        rows.append((title, "memory beyond imports", f"{found['megabytes']:.0f} MB", f"{MEGABYTES} MB"))
        if found["new"]:
            rows.append(
                (title, "Arrow and Parquet, of the CPU", f"{found['writing'] / found['cpu']:.1%}", "15 %")
            )
            rows.append((title, "files, of the mail", f"{found['files'] / found['octets']:.1%}", "30 %"))
    print(f"\n{'dataset':46}{'':32}{'measured':>10}{'goal':>10}")
    for title, what, measured, goal in rows:
        print(f"{title:46}{what:32}{measured:>10}{goal:>10}")


def _export(address: list[str], folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, *address, str(folder)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    assert not found["failed"], found
    return found


def unique_id(number: int) -> str:
    """Of 32 characters, as servers make them."""
    return hashlib.md5(b"%d" % number, usedforsecurity=False).hexdigest()


def build(root: Path, count: int) -> None:
    """A dataset of so many rows that have keys and nothing else, in PARTS parts."""
    folder, each = root / folder_name(ACCOUNT), count // PARTS
    folder.mkdir(parents=True)
    for part in range(PARTS):
        ids = [unique_id(number) for number in range(part * each, (part + 1) * each)]
        columns = {"account": [ACCOUNT] * each, "uidl": ids, "contentHash": [i * 2 for i in ids]}
        table = pa.table({name: strings(values) for name, values in columns.items()})
        with NewFile(folder / part_name(part + 1)) as file:
            file.write(conform(table, SCHEMA.names, file.path))
            file.finish()
            (folder / "kept").hardlink_to(file.path)  # `with` removes the name
        (folder / "kept").rename(folder / part_name(part + 1))


@contextmanager
def _serving(kind: str, count: int) -> Iterator[list[str]]:
    """A server in a process of its own: port and password."""
    command = [sys.executable, "-m", "benchmarks.bench_dataset", kind, str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()
    finally:
        process.communicate()


def serve_mails(count: int) -> None:
    """Text mails of about 3 KB, each under an id of its own, until stdin ends."""
    mails = cycle(list(small(min(count, 10_000))))
    messages = (StoredMessage(raw, f"uid-{n}") for n, raw in enumerate(islice(mails, count)))
    with EmbeddedServer(messages) as server:
        print(server.port, server.password, flush=True)
        sys.stdin.read()


def serve_listing(count: int) -> None:
    """A server that has its answers ready: how long it takes to make them is not the question."""
    ids = (b"%d %s\r\n" % (number + 1, unique_id(number).encode()) for number in range(count))
    sizes = (b"%d %d\r\n" % (number + 1, 3000 + number % 1000) for number in range(count))
    answers = {
        b"CAPA": b"+OK\r\nUSER\r\nUIDL\r\nTOP\r\nPIPELINING\r\n.\r\n",
        b"UIDL": b"+OK\r\n" + b"".join(ids) + b".\r\n",
        b"LIST": b"+OK\r\n" + b"".join(sizes) + b".\r\n",
    }
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], "secret", flush=True)
        wire, _ = listener.accept()
        with wire, wire.makefile("rb") as commands:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.sendall(b"+OK ready\r\n")
            for command in commands:
                wire.sendall(answers.get(command.split()[0].upper(), b"+OK\r\n"))


def main(arguments: list[str]) -> Any:
    if arguments[:1] == ["listing"]:
        return serve_listing(int(arguments[1]))
    if arguments[:1] == ["mails"]:
        return serve_mails(int(arguments[1]))
    return run(10 if arguments == ["quick"] else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
