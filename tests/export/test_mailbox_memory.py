"""What an export costs: memory that does not grow with the mailbox, and no import it does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from export.mailboxes import ids, mail, stored

from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.maildrop import StoredMessage

MIB = 1 << 10  # in the KiB that getrusage counts
MOST = 128 * MIB  # above the process after its imports: one row group of 10,000 rows as cells and as Arrow
SLACK = 16 * MIB  # between 20,000 messages and 40,000

PROGRAM = """
import json, resource, sys
from export.mailboxes import account_at
from pop3frames.export.mailbox import export_mailbox

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

before = peak()
report = export_mailbox(account_at(int(sys.argv[1]), sys.argv[2]), sys.argv[3])
needless = [name for name in ("pandas", "ipywidgets", "IPython", "tqdm") if name in sys.modules]
print(json.dumps({"new": report.new, "grown": peak() - before, "needless": needless}))
"""


def export(server: EmbeddedServer, folder: Path) -> dict[str, Any]:
    """An export in a process of its own: its new messages, the KiB it grew by, needless imports."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(server.port), server.password, str(folder)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
        check=True,
    )
    assert "" == run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> dict[int, int]:
    """KiB that exports of 20,000 and of 40,000 mails of 3 KB each grew by."""
    raw = mail(1, octets=400).raw + b"Fifty octets of text, and then another line of it.\r\n" * 50
    found = {}
    for count in (20_000, 40_000):
        with EmbeddedServer(StoredMessage(raw, f"uid-{number}") for number in range(count)) as server:
            run = export(server, tmp_path_factory.mktemp("memory") / "mail")
        assert count == run["new"]
        found[count] = run["grown"]
    return found


def test_memory_stays_within_its_bound(grown: dict[int, int]) -> None:
    """20,000 mails of 3 KB, 60 MB on the wire."""
    assert grown[20_000] < MOST


def test_memory_does_not_grow_with_the_mailbox(grown: dict[int, int]) -> None:
    """Twice as many mails need hardly more."""
    assert grown[40_000] < grown[20_000] + SLACK


def test_an_export_imports_neither_pandas_nor_widgets(tmp_path: Path) -> None:
    """They cost a second, and machines that only export need none of them."""
    with EmbeddedServer([mail(1), mail(2)]) as server:
        run = export(server, tmp_path / "mail")
    assert [] == run["needless"]
    assert ids([mail(1), mail(2)]) == stored(tmp_path / "mail")
