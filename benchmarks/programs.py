"""The programs that race: each gets a server and a folder, and makes what it makes of a whole mailbox.

A Python program is a script in a process of its own. It times itself from where its imports are done and
prints wall and CPU seconds since then and its peak memory in MB; the whole process is measured from outside
as well. C programs start in milliseconds and are measured from outside only, without their memory: what the
system tells of it includes that of the process that started them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PASSWORD = "secret"
OURS, MPOP, NAIVE, BLAST = (
    "pop3frames: fetch, parse, Parquet",
    "mpop: saves an mbox",
    "poplib + email + pandas",
    "raw pipelined blast, bytes dropped",
)


class Server(NamedTuple):
    """Where a mailbox of `count` mails is; `ca_file` where it is reached by TLS, else ''."""

    port: int
    user: str
    count: int
    ca_file: str = ""


Command = Callable[[Server, Path], list[str]]

_FRAME = """
import ssl, sys, time
port, user, ca_file, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
context = ssl.create_default_context(cafile=ca_file) if ca_file else None
{imports}
started, cpu = time.perf_counter(), time.process_time()
{work}
wall, cpu = time.perf_counter() - started, time.process_time() - cpu
[peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(wall, cpu, int(peak) / 1024)
"""
_EXPORT = (
    "import pyarrow.parquet\nfrom pop3frames import Account, Secret, export_mailbox",
    """
encryption = "ssl" if ca_file else "none"
account = Account("bench", "127.0.0.1", port, user, Secret("secret"), encryption, ca_file or None)
report = export_mailbox(account, folder + "/dataset", progress=False)
assert report.failed == () and report.new == report.listed, report
""",
)
_DOWNLOAD = (
    "from pop3frames import POP3, POP3_SSL",
    """
client = POP3_SSL("127.0.0.1", port, context=context) if ca_file else POP3("127.0.0.1", port)
client.user(user); client.pass_("secret")
sizes = {int(line.split()[0]): int(line.split()[1]) for line in client.list()[1]}
kept = [reply.block for reply in client.retr_many(sizes, sizes)]
client.quit()
""",
)
_BLAST = (
    "import socket",
    """
wire = socket.create_connection(("127.0.0.1", port))
if context:
    wire = context.wrap_socket(wire, server_hostname="127.0.0.1")
wire.recv(4096)
wire.sendall(b"USER %s\\r\\nPASS secret\\r\\nSTAT\\r\\n" % user.encode())
answer = b""
while answer.count(b"\\n") < 3:
    answer += wire.recv(4096)
count = int(answer.splitlines()[2].split()[1])
sent = ended = 0
tail = b""
while ended < count:
    if sent < count and sent - ended <= 768:
        wire.sendall(b"".join(b"RETR %d\\r\\n" % n for n in range(sent + 1, min(sent + 256, count) + 1)))
        sent = min(sent + 256, count)
    data = wire.recv(262144)
    ended += (tail + data).count(b"\\r\\n.\\r\\n")
    tail = (tail + data)[-4:]
""",
)
_POPLIB_CONNECT = """
poplib._MAXLINE = 1 << 20
client = poplib.POP3_SSL("127.0.0.1", port, context=context) if ca_file else poplib.POP3("127.0.0.1", port)
client.user(user); client.pass_("secret")
"""
_POPLIB = (
    "import poplib",
    f"""{_POPLIB_CONNECT}
kept = [client.retr(number)[1] for number in range(1, client.stat()[0] + 1)]
client.quit()
""",
)
_NAIVE = (
    "import email, email.policy, poplib\nimport pandas, pyarrow.parquet",
    f"""{_POPLIB_CONNECT}
rows = []
for number in range(1, client.stat()[0] + 1):
    mail = email.message_from_bytes(b"\\r\\n".join(client.retr(number)[1]), policy=email.policy.default)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    rows.append({{
        "from": str(mail["from"]), "to": str(mail["to"]), "subject": str(mail["subject"]),
        "date": str(mail["date"]), "text": text and text.get_content(), "html": html and html.get_content(),
        "attachments": [part.get_filename() for part in mail.iter_attachments()],
    }})
client.quit()
pandas.DataFrame(rows).to_parquet(folder + "/naive.parquet")
""",
)


def _script(imports: str, work: str) -> Command:
    code = _FRAME.format(imports=imports, work=work)
    return lambda server, folder: [
        sys.executable, "-c", code, str(server.port), server.user, server.ca_file, str(folder)
    ]  # fmt: skip


def _curl(server: Server, folder: Path) -> list[str]:
    """One message after the other on one connection, each into a file."""
    tls = ["--cacert", server.ca_file] if server.ca_file else []
    url = f"pop3{'s' if tls else ''}://127.0.0.1:{server.port}/[1-{server.count}]"
    return ["curl", "--silent", "--user", f"{server.user}:{PASSWORD}", *tls, url, "-o", f"{folder}/#1"]


def _mpop(server: Server, folder: Path) -> list[str]:
    command = mpop(server.port, server.user, folder)
    if not server.ca_file:
        return command
    tls = ["--tls=on", "--tls-starttls=off", f"--tls-trust-file={server.ca_file}"]
    return [each for each in command if each != "--tls=off"] + tls


def mpop(port: int, user: str, folder: Path) -> list[str]:
    """The command that saves a mailbox into an mbox in `folder`."""
    (folder / "mbox").touch()
    return [
        "mpop", "--host=127.0.0.1", f"--port={port}", f"--user={user}", f"--passwordeval=echo {PASSWORD}",
        "--auth=user", "--tls=off", "--keep=on", "--only-new=off", "--quiet", f"--uidls-file={folder}/uidls",
        f"--delivery=mbox,{folder}/mbox",
    ]  # fmt: skip


def installed() -> dict[str, Command]:
    """The programs that can race here, by the name they are shown under."""
    found: dict[str, Command] = {
        OURS: _script(*_EXPORT),
        "pop3frames: download, bytes kept": _script(*_DOWNLOAD),
        BLAST: _script(*_BLAST),
        "poplib: download, bytes kept": _script(*_POPLIB),
        NAIVE: _script(*_NAIVE),
    }
    if shutil.which("mpop"):
        found[MPOP] = _mpop
    if shutil.which("curl"):
        found["curl: saves files"] = _curl
    return found
