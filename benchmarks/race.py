"""From a real Dovecot on loopback to a file: pop3frames against the programs of `programs.py`.

The programs take turns, the first round is not counted, medians are shown. Wall and CPU seconds stand without
the imports of Python programs, which stand beside them. A program that is slow and far behind runs less
often.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.programs import BLAST, MPOP, NAIVE, OURS, PASSWORD, Server, installed, mpop

__all__ = ["PASSWORD", "Figures", "Table", "measured", "mpop", "race", "show"]

_FAR_BEHIND = 5  # times our time: who needs more runs twice


class Figures(NamedTuple):
    """One run of one program: seconds without imports, those of imports and start, MB (0: unknown)."""

    wall: float
    cpu: float
    imports: float
    memory: float


Table = dict[str, dict[str, float]]  # program -> the medians of its figures


def race(title: str, server: Server, rounds: int, names: Iterable[str] | None = None) -> Table:
    """All installed programs, or those named, take turns; prints and returns the medians."""
    programs = installed()
    chosen = [name for name in names or programs if name in programs]
    runs: dict[str, list[Figures]] = {name: [] for name in chosen}
    for _ in range(rounds + 1):
        for name in chosen:
            if len(runs[name]) >= 2 and runs[name][0].wall > _FAR_BEHIND * runs[chosen[0]][0].wall:
                continue
            with tempfile.TemporaryDirectory(dir=_memory_folder()) as folder:
                figures = measured(programs[name](server, Path(folder)))
            runs[name].append(figures)
    table = {name: _median(each[1:])._asdict() for name, each in runs.items()}
    show(title, table)
    return table


def _memory_folder() -> str | None:
    """mpop syncs every mail: on tmpfs the disk does not decide the race."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def measured(command: list[str]) -> Figures:
    """Run a program to its end."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    told = process.stdout.read().split() if command[0] == sys.executable else []
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with status {process.returncode}")
    inside, cpu, memory = map(float, told) if told else (wall, usage.ru_utime + usage.ru_stime, 0.0)
    return Figures(inside, cpu, wall - inside, memory)


def _median(runs: list[Figures]) -> Figures:
    return Figures(*(statistics.median(values) for values in zip(*runs, strict=True)))


def show(title: str, table: Table) -> None:
    """Print a table, quickest first, with ratios to mpop and to the naive script."""
    print(f"\n{title}")
    print(
        f"{'':36}{'wall s':>8}{'CPU s':>8}{'imports s':>11}{'MB':>6}{'wall / mpop':>13}{'naive / wall':>14}"
    )
    for name, each in sorted(table.items(), key=lambda item: item[1]["wall"]):
        to_mpop = f"{each['wall'] / table[MPOP]['wall']:13.2f}" if MPOP in table else " " * 13
        to_naive = f"{table[NAIVE]['wall'] / each['wall']:14.1f}" if NAIVE in table else ""
        print(
            f"{name:36}{each['wall']:8.2f}{each['cpu']:8.2f}{each['imports']:11.2f}"
            f"{each['memory'] or math.nan:6.0f}"
            f"{to_mpop}{to_naive}"
        )
    if OURS in table and BLAST in table:
        print(f"ours / blast: {table[OURS]['wall'] / table[BLAST]['wall']:.2f}", flush=True)
