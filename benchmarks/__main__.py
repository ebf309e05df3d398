"""`make bench`: races against other programs on this machine, in one run.

    python -m benchmarks            everything: about half an hour
    python -m benchmarks --quick    smaller mailboxes and fewer rounds: about two minutes
    python -m benchmarks.stages     where the time of a mail goes, stage by stage
    python -m benchmarks.plot       docs/speed.png from the last full run

Machines differ and are noisy: read the ratios, and CPU time beside wall time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import bench_dataset, bench_download
from benchmarks.mailboxes import huge, large, mixed, small
from benchmarks.programs import BLAST, MPOP, NAIVE, OURS, PASSWORD, Server
from benchmarks.race import measured, race

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from lab.delay import DelayRelay
from lab.dovecot import Dovecot, why_not

RESULTS = Path(__file__).parent / "results"
MAKERS = {
    "a": small,
    "b": large,
    "m": lambda count: (raw for raw, _ in mixed(count)),
    "h": huge,
}
TITLES = {"a": "mails of ~3 KB", "b": "mails of ~50 KB", "m": "mixed mails, ~60 KB", "h": "mails of ~5 MB"}


class _Races:
    """One server, its mailboxes, and what was measured so far."""

    def __init__(self, dovecot: Dovecot, *, quick: bool) -> None:
        self.dovecot, self.results = dovecot, {}
        self.counts = {"a": 10_000, "b": 2000, "m": 2000, "h": 40}
        if quick:
            self.counts = {kind: count // 5 for kind, count in self.counts.items()}
        self.rounds = 3 if quick else 5
        self.distant = 100 if quick else 1000

    def mailbox(self, kind: str, count: int, *, tls: bool = False) -> Server:
        """A mailbox of so many mails, made when first asked for."""
        user, home = f"{kind}{count}", self.dovecot.home / "mail"
        if not (home / user).exists():
            self.dovecot.add_user(user, PASSWORD)
            self.dovecot.deliver(user, MAKERS[kind](count))
        if tls:
            return Server(self.dovecot.tls_port, user, count, str(self.dovecot.ca_file))
        return Server(self.dovecot.port, user, count)

    def near(self) -> None:
        """Everybody, plain and by TLS, without delay."""
        for kind, count in self.counts.items():
            for tls in (False, True):
                title = f"{count:,} {TITLES[kind]}{', TLS' if tls else ''}"
                self.results[title] = race(title, self.mailbox(kind, count, tls=tls), self.rounds)

    def far(self) -> None:
        """Round trips: a program that waits for each answer pays one for each mail."""
        for milliseconds in (20, 100):
            server = self.mailbox("a", self.distant)
            with DelayRelay(server.port, milliseconds / 2000) as relay:
                title = f"{self.distant:,} {TITLES['a']}, a round trip of {milliseconds} ms"
                names = (OURS, BLAST, MPOP, NAIVE)
                self.results[title] = race(title, server._replace(port=relay.port), 2, names)

    def fourfold(self) -> None:
        """Whole process against whole process, imports and all."""
        for kind in ("a", "b"):
            count = self.counts[kind]
            title = f"{4 * count:,} {TITLES[kind]}"
            table = race(title, self.mailbox(kind, 4 * count), 3, (OURS, MPOP, BLAST))
            self.results[title] = table
            if MPOP in table:
                ours, theirs = (table[name]["wall"] + table[name]["imports"] for name in (OURS, MPOP))
                print(f"whole process against whole process: {ours / theirs:.2f}")

    def linear(self) -> None:
        """Time and memory of a mail, as mailboxes grow."""
        for count in (1000, 10_000, 100_000):
            title = f"{count:,} {TITLES['a']}, only ours"
            self.results[title] = table = race(title, self.mailbox("a", count), 1, (OURS,))
            print(f"  {table[OURS]['cpu'] / count * 1e6:.0f} us of CPU a mail")


def starts() -> dict[str, float]:
    """Seconds until something can begin: medians of whole processes."""
    python, shell = sys.executable, str(Path(sys.executable).with_name("pop3frames"))
    commands = {
        "python alone": [python, "-c", "print(0, 0, 0)"],
        "import pop3frames": [python, "-c", "import pop3frames; print(0, 0, 0)"],
        "pop3frames --help": [shell, "--help"],
        "what an export imports": [
            python, "-c", "import pyarrow.parquet; from pop3frames import export_mailbox; print(0, 0, 0)"
        ],
    }  # fmt: skip
    runs = {name: [measured(command) for _ in range(7)] for name, command in commands.items()}
    walls = {name: statistics.median(each.wall + each.imports for each in runs[name]) for name in runs}
    print("\nstart: " + ", ".join(f"{name} {wall:.2f} s" for name, wall in walls.items()))
    return walls


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="about two minutes")
    quick = parser.parse_args().quick
    if reason := why_not():
        sys.exit(f"the races need a real server: {reason}")
    results: dict[str, Any] = {"start": starts()}
    with Dovecot() as dovecot:
        races = _Races(dovecot, quick=quick)
        for part in _parts(races, quick=quick):
            part()
            results["races"] = races.results
            _keep(results, quick=quick)
    if not quick:
        results["downloads"] = bench_download.run()
        results["dataset"] = bench_dataset.run()
    print(f"\nall figures: {_keep(results, quick=quick)}")


def _parts(races: _Races, *, quick: bool) -> Iterator[Any]:
    yield races.near
    yield races.far
    if not quick:
        yield races.fourfold
        yield races.linear


def _keep(results: dict[str, Any], *, quick: bool) -> Path:
    """Written after each part: a run that was broken off has told something."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / ("quick.json" if quick else "full.json")
    path.write_text(json.dumps(results, indent=2))
    return path


if __name__ == "__main__":
    main()
