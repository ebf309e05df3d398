"""Records `transcripts/dovecot-*` and `courier-*` from the real servers: python data/make_transcripts.py

The other transcripts are written by hand. A recording differs from the one before in the greeting's timestamp
and in its unique-ids, which tests/client/test_transcripts_of_servers.py knows as well.
"""

from __future__ import annotations

import socket
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from lab import courier, dovecot  # noqa: E402

from pop3frames.client.credentials import Secret  # noqa: E402
from pop3frames.client.pop3 import POP3  # noqa: E402
from pop3frames.client.wire import default_context  # noqa: E402
from pop3frames.transcripts.recorder import Recorder  # noqa: E402

NAMES = (
    "odd-body-bare-cr",
    "odd-body-empty",
    "odd-body-lines-beginning-with-dots",
    "odd-header-raw-8-bit",
    "odd-subject-emoji",
)
MAILS = [(HERE / "mailbox" / f"{name}.eml").read_bytes() for name in NAMES]


def walk(client: POP3, numbers: Iterable[int]) -> None:
    """What every recording has in it."""
    client.capa()
    client.log_in("ann", Secret("secret"))
    client.capa()
    client.stat()
    client.list()
    client.uidl()
    for _ in client.retr_many(numbers):
        pass
    client.quit()


def record(name: str, port: int, notes: list[str], *, ca_file: str | None = None, pipelining: bool) -> None:
    """One session of a real server."""
    path = HERE / "transcripts" / f"{name}.txt"
    path.unlink(missing_ok=True)
    recorder = Recorder(path, "kept", [*notes, "Recorded by data/make_transcripts.py."])
    client = POP3("localhost", port, 10, pipelining=pipelining, observers=[recorder])
    if ca_file is not None:
        client.stls(default_context(ca_file))
    walk(client, range(1, len(MAILS) + 1))
    # Dovecot's greeting names the machine, which is nobody's business.
    path.write_text(path.read_text().replace(f"@{socket.gethostname()}>", "@pop.example.org>"))
    path.chmod(0o644)


def main() -> None:
    """All recordings."""
    with dovecot.Dovecot() as server:
        server.add_user("ann", "secret")
        server.deliver("ann", MAILS)
        for encryption, ca_file in (("plain", None), ("stls", server.ca_file)):
            for manner, pipelining in (("pipelined", True), ("serial", False)):
                notes = [f"Dovecot 2.3.19, {encryption}, {manner}."]
                record(
                    f"dovecot-{encryption}-{manner}",
                    server.port,
                    notes,
                    ca_file=ca_file,
                    pipelining=pipelining,
                )
    with tempfile.TemporaryDirectory() as tree:
        if reason := courier.unpack(Path(tree)):
            sys.exit(reason)
        with courier.Courier(Path(tree), {"ann": MAILS}) as other:
            notes = ["Courier 1.0.16, plain, pipelined. Up to the reply to USER it is tests/lab/courier.py."]
            record("courier-plain-pipelined", other.port, notes, pipelining=True)


if __name__ == "__main__":
    main()
