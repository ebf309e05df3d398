"""Saving the bytes and nothing else: `POP3.retr_many` against a raw pipelined blast, poplib and mpop.

Counted inside one process, from connect to QUIT, imports left out (mpop is a process of its own, which starts
in milliseconds). The blast sends RETRs and drops what comes: what server and kernel cost, the physical limit.
With a distant server every program waits for round trips; `python -m benchmarks.bench_download flat` shows
memory over 100,000 mails.
"""

from __future__ import annotations

import poplib
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.mailboxes import large, small
from benchmarks.race import PASSWORD, mpop
from pop3frames.client.credentials import Secret
from pop3frames.client.pop3 import POP3
from pop3frames.protocol.grammar import CAPA, LIST
from pop3frames.protocol.listings import parse_sizes

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from lab.delay import DelayRelay
from lab.dovecot import Dovecot, why_not

ROUNDS = 7
ROUND_TRIP = 0.1  # seconds
DISTANT_MAILS = 300  # poplib needs a round trip for each


def blast(port: int, user: str) -> int:
    """RETR everything ahead of the replies, keep nothing; the octets that came."""
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.recv(4096)
        wire.sendall(b"USER %s\r\nPASS secret\r\nSTAT\r\n" % user.encode())
        answer = b""
        while answer.count(b"\n") < 3:
            answer += wire.recv(4096)
        count = int(answer.splitlines()[2].split()[1])
        sent = ended = octets = 0
        tail = b""
        while ended < count:
            if sent < count and sent - ended <= 128:
                wire.sendall(
                    b"".join(b"RETR %d\r\n" % n for n in range(sent + 1, min(sent + 256, count) + 1))
                )
                sent = min(sent + 256, count)
            data = wire.recv(262144)
            octets += len(data)
            ended += (tail + data).count(b"\r\n.\r\n")
            tail = data[-4:]
    return octets


def download(port: int, user: str) -> int:
    """Everything, in memory."""
    with POP3("127.0.0.1", port) as client:
        client.log_in(user, Secret(PASSWORD), ahead=(CAPA, LIST))
        sizes = parse_sizes(client.list()[1])
        kept = [reply.block or b"" for reply in client.retr_many(sizes, sizes)]
    return sum(map(len, kept))


def with_poplib(port: int, user: str) -> int:
    """Everything, in memory, one message after the other."""
    client = poplib.POP3("127.0.0.1", port)
    client.user(user)
    client.pass_(PASSWORD)
    kept = [client.retr(number)[1] for number in range(1, client.stat()[0] + 1)]
    client.quit()
    return sum(map(len, kept))


def with_mpop(port: int, user: str) -> int:
    """Everything, into an mbox on tmpfs."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        subprocess.run(mpop(port, user, Path(folder)), check=True, stdin=subprocess.DEVNULL)
    return 0


def run() -> dict[str, object]:
    """Figures by mailbox."""
    if reason := why_not():
        sys.exit(f"the race needs a real server: {reason}")
    results: dict[str, object] = {}
    with Dovecot() as server:
        for title, kind, mails in (
            ("2,000 mails of ~50 KB", "b", large(2000)),
            ("10,000 mails of ~3 KB", "a", small(10_000)),
        ):
            server.add_user(kind, PASSWORD)
            server.deliver(kind, mails)
            results[title] = _beside_the_blast(title, server.port, kind)
        server.add_user("far", PASSWORD)
        server.deliver("far", small(DISTANT_MAILS))
        with DelayRelay(server.port, ROUND_TRIP / 2) as relay:
            results["far"] = _from_afar(relay.port)
    return results


def _beside_the_blast(title: str, port: int, user: str) -> dict[str, float]:
    count = 2000 if user == "b" else 10_000
    figures: dict[str, list[tuple[float, float, int]]] = {}
    for counted in [False] + [True] * ROUNDS:
        for program in (blast, download):
            figure = _measured(program, port, user)
            if counted:
                figures.setdefault(program.__name__, []).append(figure)
    (raw_wall, raw_cpu), (wall, cpu) = (_medians(figures[name]) for name in ("blast", "download"))
    megabytes = figures["download"][0][2] / 1e6
    told = {
        "wall, ratio to the blast": wall / raw_wall,
        "CPU, ms a MB": 1e3 * cpu / megabytes,
        "CPU beyond 2.5 ms a MB, us a mail": 1e6 * (cpu - 2.5e-3 * megabytes) / count,
        "wall s": wall,
        "CPU s": cpu,
        "blast wall s": raw_wall,
        "blast CPU s": raw_cpu,
    }
    print(f"\n{title}, bytes kept: " + ", ".join(f"{name} {value:.2f}" for name, value in told.items()))
    return told


def _from_afar(port: int) -> dict[str, float]:
    programs: list[Callable[[int, str], int]] = [download, with_poplib]
    if shutil.which("mpop"):
        programs.append(with_mpop)
    walls = {program.__name__: _measured(program, port, "far")[0] for program in programs}
    print(f"\n{DISTANT_MAILS} mails of ~3 KB, a round trip of {ROUND_TRIP * 1e3:.0f} ms:")
    for name, wall in walls.items():
        print(f"  {name:12} {wall:7.2f} s, {wall / walls['download']:5.1f} times our time")
    return walls


def _measured(program: Callable[[int, str], int], port: int, user: str) -> tuple[float, float, int]:
    started, cpu = time.perf_counter(), time.process_time()
    octets = program(port, user)
    return time.perf_counter() - started, time.process_time() - cpu, octets


def _medians(figures: list[tuple[float, float, int]]) -> tuple[float, float]:
    return statistics.median(each[0] for each in figures), statistics.median(each[1] for each in figures)


def flat(count: int = 100_000) -> None:
    """Peak memory while so many mails stream by, none kept."""
    with Dovecot() as server:
        server.add_user("many", PASSWORD)
        server.deliver("many", small(count))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with POP3("127.0.0.1", server.port) as client:
            client.user("many")
            client.pass_(PASSWORD)
            sizes = parse_sizes(client.list()[1])
            listed = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            seen = sum(1 for _ in client.retr_many(sizes, sizes))
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"{seen} mails: {(listed - before) / 1024:.0f} MB for the listing, ", end="")
        print(f"{(after - listed) / 1024:.0f} MB more while they streamed")


if __name__ == "__main__":
    flat() if sys.argv[1:] == ["flat"] else run()
