"""Saving the bytes and nothing else: `POP3.retr_many` against a raw pipelined blast, poplib and mpop.

Counted inside one process, from connect to QUIT, imports left out (mpop is a process of its own, which starts
in milliseconds). The blast sends RETRs and drops what comes: what server and kernel cost, the physical limit.
With a distant server every program waits for round trips. Memory is looked at in a process of its own.

    python -m benchmarks.bench_download
"""

from __future__ import annotations

import multiprocessing
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
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mailboxes import large, small
from benchmarks.race import PASSWORD, mpop
from pop3frames.client.credentials import Secret
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3
from pop3frames.protocol.grammar import CAPA, LIST, RETR, Verb
from pop3frames.protocol.listings import parse_sizes

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from lab.delay import DelayRelay
from lab.dovecot import Dovecot, why_not

ROUNDS = 15  # short ones: the machine is shared, and the least of many is near the truth
ROUND_TRIP = 0.1  # seconds
DISTANT_MAILS = 300  # poplib needs a round trip for each
MANY = 100_000


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
            tail = (tail + data)[-4:]
    return octets


def download(port: int, user: str) -> int:
    """Everything, in memory."""
    with POP3("127.0.0.1", port) as client:
        client.log_in(user, Secret(PASSWORD), ahead=(CAPA, LIST))
        sizes = parse_sizes(client.scan_listings())
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
        results["round trips to the first RETR"] = _round_trips(server.port)
        server.add_user("far", PASSWORD)
        server.deliver("far", small(DISTANT_MAILS))
        with DelayRelay(server.port, ROUND_TRIP / 2) as relay:
            results["far"] = _from_afar(relay.port)
        server.add_user("many", PASSWORD)
        server.deliver("many", small(MANY))
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
            results["memory"] = fresh.submit(flat, server.port).result()
    print(f"\n{MANY} mails streamed, MB of memory: {results['memory']}")
    return results


@dataclass
class Cost:
    """What one download took, in seconds; `kernel` is the part of `cpu` that the system spent."""

    wall: float
    cpu: float
    kernel: float
    octets: int


def _beside_the_blast(title: str, port: int, user: str) -> dict[str, float]:
    count = 2000 if user == "b" else 10_000
    costs: dict[str, list[Cost]] = {}
    for counted in [False] + [True] * ROUNDS:
        for program in (blast, download):
            cost = _measured(program, port, user)
            if counted:
                costs.setdefault(program.__name__, []).append(cost)
    raw, ours = costs["blast"], costs["download"]
    megabytes = ours[0].octets / 1e6
    told = {"wall, ratio to the blast": _median(ours, "wall") / _median(raw, "wall")}
    for name, pick in (("median", _median), ("least", _least)):
        cpu, raw_cpu = pick(ours, "cpu"), pick(raw, "cpu")
        told |= {
            f"CPU, ms a MB ({name})": 1e3 * cpu / megabytes,
            f"CPU beyond 2.5 ms a MB, us a mail ({name})": 1e6 * (cpu - 2.5e-3 * megabytes) / count,
            f"CPU beyond the blast's, us a mail ({name})": 1e6 * (cpu - raw_cpu) / count,
        }
    told |= {
        "of our CPU, in the kernel": _total(ours, "kernel") / _total(ours, "cpu"),
        "wall s": _median(ours, "wall"),
        "blast wall s": _median(raw, "wall"),
    }
    print(f"\n{title}, bytes kept:")
    for name, value in told.items():
        print(f"  {name:45} {value:8.2f}")
    return told


class _Turns:
    """An observer: how often a connection waited for its server before the first RETR was answered."""

    def __init__(self) -> None:
        self.count, self._heard, self._over = 1, True, False  # the greeting is the first

    def sent(self, verb: Verb, _line: bytes) -> None:
        if not self._over:
            self.count += self._heard
        self._heard, self._over = False, self._over or verb is RETR

    def received(self, _data: bytes) -> None:
        self._heard = True

    def secured(self) -> None:
        pass

    def closed(self) -> None:
        pass


def _round_trips(port: int) -> dict[str, int]:
    """From connect to the first octet of a mail, the first time and when the server is known."""
    handler = POP3ProtocolHandler("127.0.0.1", port, "a", PASSWORD, "none")
    told = {}
    for name in ("first", "known"):
        turns = _Turns()
        handler._observers = (turns,)
        handler.fetch_message(1)
        told[name] = turns.count
    print(f"\nround trips from connect to the first octet of RETR: {told}")
    return told


def _from_afar(port: int) -> dict[str, float]:
    programs: list[Callable[[int, str], int]] = [download, with_poplib]
    if shutil.which("mpop"):
        programs.append(with_mpop)
    walls = {program.__name__: _measured(program, port, "far").wall for program in programs}
    print(f"\n{DISTANT_MAILS} mails of ~3 KB, a round trip of {ROUND_TRIP * 1e3:.0f} ms:")
    for name, wall in walls.items():
        print(f"  {name:12} {wall:7.2f} s, {wall / walls['download']:5.1f} times our time")
    return walls


def _measured(program: Callable[[int, str], int], port: int, user: str) -> Cost:
    started, cpu, kernel = time.perf_counter(), time.process_time(), _kernel()
    octets = program(port, user)
    return Cost(time.perf_counter() - started, time.process_time() - cpu, _kernel() - kernel, octets)


def _kernel() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_stime


def _median(costs: list[Cost], field: str) -> float:
    return statistics.median(getattr(cost, field) for cost in costs)


def _least(costs: list[Cost], field: str) -> float:
    return min(getattr(cost, field) for cost in costs)


def _total(costs: list[Cost], field: str) -> float:
    return sum(getattr(cost, field) for cost in costs)


def flat(port: int) -> dict[str, int]:
    """Peak memory in MB: before, more for the listing, and more while so many mails stream by, none kept.

    In a process of its own, which has made no mail: what that took would hide what this takes.
    """
    before = _peak()
    with POP3("127.0.0.1", port) as client:
        client.user("many")
        client.pass_(PASSWORD)
        sizes = parse_sizes(client.scan_listings())
        listed = _peak()
        assert sum(1 for _ in client.retr_many(sizes, sizes)) == MANY
    return {"before": before, "for the listing": listed - before, "while streaming": _peak() - listed}


def _peak() -> int:
    # Not ru_maxrss: a child begins with its parent's.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


if __name__ == "__main__":
    run()
