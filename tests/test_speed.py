"""The guard of the hot path: it turns red when a mail, a row or a file costs 1.5 times what it did.

Nothing here knows a second. Each test is a ratio of CPU times in one process, ours to a yardstick that does a
like work with the same interpreter and libraries, on the same mails in turns. Other programs on the machine
only ever add time, so the shortest of several rounds counts on both sides.

A bound is about 1.2 times the ratio measured when it was set; docs/speed.md says how to set it anew.
"""

from __future__ import annotations

import email
import email.policy
import itertools
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.mailboxes import large, mixed, small
from pop3frames.client.rows import as_row
from pop3frames.frames.batches import record_batches
from pop3frames.frames.parquet import NewFile
from pop3frames.frames.schema import SCHEMA
from pop3frames.message import COLUMNS, Message
from pop3frames.parsing.parser import parse_message

ROUNDS = range(6, 31)  # at least, and at most when others keep the machine busy
MAILS = {
    "small": lambda: list(small(300)),
    "large": lambda: list(large(40)),
    "mixed": lambda: [raw for raw, _ in mixed(40)],
}
# Ours / the yardstick's, as measured times about 1.2.
PARSING = {
    "small": 0.94,
    "large": 0.18,
    "mixed": 0.205,
}  # email.message_from_bytes with compat32: the tree alone
TO_ARROW = 2.45  # pyarrow.Table.from_pylist of ready dicts
TO_PARQUET = 1.35  # pyarrow.parquet.write_table of the same table, with zstd 3


def seconds(work: Callable[[], object]) -> float:
    """CPU time of one call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def ratio(ours: Callable[[], object], yardstick: Callable[[], object], bound: float) -> float:
    """The shortest of ours to the shortest of the yardstick's, over as many rounds as it takes."""
    mine = reference = float("inf")
    for done in range(ROUNDS.stop):
        mine, reference = min(mine, seconds(ours)), min(reference, seconds(yardstick))
        if done >= ROUNDS.start and mine / reference < bound:
            break
    return mine / reference


@pytest.mark.parametrize("kind", MAILS)
def test_a_mail_costs_no_more_than_it_did(kind: str) -> None:
    """Bytes to a complete row, against the standard library that only builds its tree."""
    mails = MAILS[kind]()

    def tree() -> None:
        for raw in mails:
            email.message_from_bytes(raw, policy=email.policy.compat32)

    assert ratio(lambda: [parse_message(raw) for raw in mails], tree, PARSING[kind]) < PARSING[kind]


@pytest.fixture(scope="module")
def rows() -> list[Message]:
    """Some thousand rows of every kind."""
    raws = itertools.chain(small(2000), (raw for raw, _ in mixed(100)))
    return [as_row(raw, number, account="a", uidl=f"{number:08x}") for number, raw in enumerate(raws, 1)]


def test_a_row_costs_arrow_no_more_than_it_did(rows: list[Message]) -> None:
    """Messages to record batches, some hundred at a time as in an export; pyarrow is given ready dicts."""
    dicts: list[dict[str, Any]] = [
        {column.name: getattr(row, column.attribute) for column in COLUMNS}
        | {"attachments": [each.to_dict() for each in row.attachments]}
        for row in rows
    ]

    def build() -> pa.Table:
        return pa.Table.from_batches(record_batches(rows, max_rows=500), SCHEMA)

    def from_pylist() -> pa.Table:
        return pa.Table.from_pylist(dicts, SCHEMA)

    assert from_pylist().equals(build())
    assert ratio(build, from_pylist, TO_ARROW) < TO_ARROW


def test_a_row_costs_parquet_no_more_than_it_did(rows: list[Message], tmp_path: Path) -> None:
    """What index, checksums and dictionaries add to the same file without them."""
    table = pa.Table.from_batches(record_batches(rows), SCHEMA)
    names = itertools.count()

    def ours() -> None:
        with NewFile(tmp_path / f"{next(names)}.parquet") as file:
            file.write(table)
            file.finish()

    def plain() -> None:
        pq.write_table(
            table, tmp_path / "plain.parquet", compression="zstd", compression_level=3, use_dictionary=False
        )

    assert ratio(ours, plain, TO_PARQUET) < TO_PARQUET


@pytest.mark.parametrize(
    "start", ["import pop3frames", "from pop3frames.cli.main import main; main(['--help'])"]
)
def test_a_start_loads_nothing_that_it_does_not_use(start: str) -> None:
    """numpy, pyarrow and pandas cost half a second; who only asks for help does not wait for them."""
    program = f"""
import atexit, sys
heavy = ("numpy", "pyarrow", "pandas", "ipywidgets", "email", "tqdm", "keyring")
atexit.register(lambda: print([name for name in heavy if name in sys.modules]))
{start}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.splitlines()[-1]
