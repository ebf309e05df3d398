"""From a real Dovecot on loopback to a file: pop3frames against mpop (saves bytes) and a script.

Each run is a whole process, measured from outside, start and imports included: wall and CPU seconds and peak
memory. The programs take turns, the first round is not counted. A raw pipelined download that drops the bytes
away is the physical limit.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.mailboxes import large, small

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from lab.dovecot import Dovecot, why_not

ROUNDS = 5
PASSWORD = "secret"
MAILBOXES = {"2,000 mails of ~50 KB": ("large", 2000), "10,000 mails of ~3 KB": ("small", 10_000)}
GENERATORS: dict[str, Callable[[int], Iterator[bytes]]] = {"large": large, "small": small}

EXPORT = """
import sys
from pop3frames import Account, Secret, export_mailbox
port, user, folder = sys.argv[1:]
account = Account("bench", "127.0.0.1", int(port), user, Secret("secret"), "none")
report = export_mailbox(account, folder + "/dataset", progress=False)
assert report.failed == () and report.new == report.listed, report
"""
DOWNLOAD = """
import sys
from pop3frames import POP3
port, user, folder = sys.argv[1:]
client = POP3("127.0.0.1", int(port))
client.user(user); client.pass_("secret")
sizes = {int(line.split()[0]): int(line.split()[1]) for line in client.list()[1]}
kept = [reply.block for reply in client.retr_many(sizes, sizes)]
client.quit()
"""
BLAST = """
import socket, sys
port, user, folder = sys.argv[1:]
wire = socket.create_connection(("127.0.0.1", int(port)))
wire.recv(4096)
wire.sendall(b"USER %s\\r\\nPASS secret\\r\\nSTAT\\r\\n" % user.encode())
answer = b""
while answer.count(b"\\n") < 3:
    answer += wire.recv(4096)
count = int(answer.splitlines()[2].split()[1])
sent = ended = 0
tail = b""
while ended < count:
    if sent < count and sent - ended <= 128:
        wire.sendall(b"".join(b"RETR %d\\r\\n" % n for n in range(sent + 1, min(sent + 256, count) + 1)))
        sent = min(sent + 256, count)
    data = wire.recv(262144)
    ended += (tail + data).count(b"\\r\\n.\\r\\n")
    tail = data[-4:]
"""
NAIVE = """
import email, email.policy, poplib, sys
import pandas
poplib._MAXLINE = 1 << 20
port, user, folder = sys.argv[1:]
client = poplib.POP3("127.0.0.1", int(port))
client.user(user); client.pass_("secret")
rows = []
for number in range(1, client.stat()[0] + 1):
    mail = email.message_from_bytes(b"\\r\\n".join(client.retr(number)[1]), policy=email.policy.default)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    rows.append({
        "from": str(mail["from"]), "to": str(mail["to"]), "subject": str(mail["subject"]),
        "date": str(mail["date"]), "text": text and text.get_content(), "html": html and html.get_content(),
        "attachments": [part.get_filename() for part in mail.iter_attachments()],
    })
client.quit()
pandas.DataFrame(rows).to_parquet(folder + "/naive.parquet")
"""


class Figures(NamedTuple):
    """One run of one program: seconds and megabytes."""

    wall: float
    cpu: float
    memory: float


def run() -> dict[str, dict[str, dict[str, float]]]:
    """Race on every mailbox; medians by mailbox and program."""
    if reason := why_not():
        sys.exit(f"the race needs a real server: {reason}")
    results = {}
    with Dovecot() as server:
        for title, (kind, count) in MAILBOXES.items():
            server.add_user(kind, PASSWORD)
            server.deliver(kind, GENERATORS[kind](count))
            medians = {name: _median(runs) for name, runs in _take_turns(server.port, kind).items()}
            _show(title, medians)
            results[title] = {name: figures._asdict() for name, figures in medians.items()}
    return results


def _programs(port: int, user: str) -> dict[str, Callable[[Path], list[str]]]:
    def script(code: str) -> Callable[[Path], list[str]]:
        return lambda folder: [sys.executable, "-c", code, str(port), user, str(folder)]

    programs = {
        "pop3frames: fetch, parse, Parquet": script(EXPORT),
        "pop3frames: download, bytes kept": script(DOWNLOAD),
        "raw pipelined blast, bytes dropped": script(BLAST),
        "poplib + email + pandas": script(NAIVE),
    }
    if shutil.which("mpop"):
        programs["mpop: saves an mbox"] = lambda folder: mpop(port, user, folder)
    return programs


def mpop(port: int, user: str, folder: Path) -> list[str]:
    """The command that saves a mailbox into an mbox in `folder`."""
    (folder / "mbox").touch()
    return [
        "mpop", "--host=127.0.0.1", f"--port={port}", f"--user={user}", f"--passwordeval=echo {PASSWORD}",
        "--auth=user", "--tls=off", "--keep=on", "--only-new=off", "--quiet", f"--uidls-file={folder}/uidls",
        f"--delivery=mbox,{folder}/mbox",
    ]  # fmt: skip


def _take_turns(port: int, user: str) -> dict[str, list[Figures]]:
    runs: dict[str, list[Figures]] = {}
    for counted in [False] + [True] * ROUNDS:
        for name, command in _programs(port, user).items():
            if name.startswith("poplib") and len(runs.get(name, ())) >= 2:
                continue  # slow, and far away: two runs are enough
            with tempfile.TemporaryDirectory(dir=_memory_folder()) as folder:
                figures = _measure(command(Path(folder)))
            if counted:
                runs.setdefault(name, []).append(figures)
    return runs


def _memory_folder() -> str | None:
    """mpop syncs every mail: on tmpfs the disk does not decide the race."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _measure(command: list[str]) -> Figures:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with status {process.returncode}")
    return Figures(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _median(runs: list[Figures]) -> Figures:
    return Figures(*(statistics.median(values) for values in zip(*runs, strict=True)))


def _show(title: str, medians: dict[str, Figures]) -> None:
    base = medians.get("mpop: saves an mbox") or medians["pop3frames: fetch, parse, Parquet"]
    print(f"\n{title}")
    print(f"{'':36}{'wall s':>8}{'CPU s':>8}{'MB':>7}{'wall, ratio':>13}{'CPU, ratio':>12}")
    for name, each in sorted(medians.items(), key=lambda item: item[1].wall):
        ratios = f"{each.wall / base.wall:>13.2f}{each.cpu / base.cpu:>12.2f}"
        print(f"{name:36}{each.wall:>8.2f}{each.cpu:>8.2f}{each.memory:>7.0f}{ratios}")
