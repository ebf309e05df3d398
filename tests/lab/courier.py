"""A throwaway Courier: the TRANSACTION state of another real server, for root and for an ordinary user alike.

    reason = unpack(tree)                 # once a run: Debian's packages, unpacked and not installed
    with Courier(tree, {"ann": [b"Subject: hello\\r\\n\\r\\nhi\\r\\n"]}) as server:
        ...                               # server.port; the password is "secret"

Its packages conflict with those of other servers, so they are only unpacked. Greeting, CAPA, USER and PASS
are played here and prove nothing about Courier; what follows the login is its own `courierpop3d`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

LOOPBACK = "127.0.0.1"
PASSWORD = "secret"
# The program, and the libraries it needs that a system without Courier may not have.
_PACKAGES = ("courier-pop", "courier-authlib", "libcourier-unicode4", "libidn12")
_PROGRAM = "usr/lib/courier/courier/courierpop3d"
_LIBRARIES = ("usr/lib", "usr/lib/*-linux-gnu", "lib/*-linux-gnu")
_CAPABILITIES = b"+OK Here's what I can do:\r\nTOP\r\nUSER\r\nPIPELINING\r\nUIDL\r\nUTF8 USER\r\n.\r\n"


def unpack(tree: Path) -> str | None:
    """Download and unpack Courier into `tree`; why that is not possible here, or None."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            return f"there is no {program} to fetch Courier with"
    # apt's own user cannot write into a private folder; only root can change users in the first place.
    sandbox = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["apt-get", "-qq", *sandbox, "download", *_PACKAGES], cwd=folder, capture_output=True, text=True
        )
        if done.returncode:
            return f"Courier cannot be downloaded (apt-get update?): {done.stderr.strip()[-200:]}"
        for package in sorted(Path(folder).glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(tree)], check=True)
    return _lacking(tree)


def _lacking(tree: Path) -> str | None:
    """What keeps the unpacked program from running, or None."""
    done = subprocess.run(
        ["ldd", str(tree / _PROGRAM)], env=_environment(tree), capture_output=True, text=True, check=True
    )
    missing = [line.split()[0] for line in done.stdout.splitlines() if "not found" in line]
    return f"Courier lacks {', '.join(missing)}" if missing else None


def _environment(tree: Path) -> dict[str, str]:
    folders = [str(folder) for pattern in _LIBRARIES for folder in tree.glob(pattern)]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(folders)}


class Courier:
    """Serves these mailboxes while a `with` block runs: a process for each connection, as inetd does it."""

    def __init__(self, tree: Path, mailboxes: Mapping[str, Iterable[bytes]]) -> None:
        self._tree, self._mailboxes = tree, mailboxes
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self._stopping = False
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self.home = Path(tempfile.mkdtemp(prefix="courier-"))
        for user, mails in self._mailboxes.items():
            self._deliver(user, mails)
        self._start(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping = True
        for each in [self._listener, *self._connections]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # a process whose connection ends, ends
        for thread in self._threads:
            thread.join()
        for each in [self._listener, *self._connections]:
            each.close()
        shutil.rmtree(self.home)

    def _deliver(self, user: str, mails: Iterable[bytes]) -> None:
        """Into a Maildir, with LF line ends, as mail servers store them."""
        for name in ("cur", "new", "tmp"):
            (self.home / user / name).mkdir(parents=True)
        for number, mail in enumerate(mails):
            path = self.home / user / "cur" / f"{1_700_000_000 + number}.P1.lab:2,"
            path.write_bytes(mail.replace(b"\r\n", b"\n"))

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the block ended
                return
            self._connections.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            user = self._log_in(connection)
            if user is not None:
                subprocess.run(
                    [str(self._tree / _PROGRAM), user],
                    stdin=connection,
                    stdout=connection,
                    stderr=subprocess.DEVNULL,
                    cwd=self.home,
                    env={**_environment(self._tree), "AUTHENTICATED": user},
                    check=False,
                )
            connection.shutdown(socket.SHUT_RDWR)

    def _log_in(self, connection: socket.socket) -> str | None:
        """The part of Courier's login daemon; who logged in, or None."""
        user = ""
        connection.sendall(b"+OK Hello there.\r\n")
        while line := _line(connection):
            verb, _, argument = line.strip().decode("latin-1").partition(" ")
            if verb == "PASS" and user in self._mailboxes and argument == PASSWORD:
                return user
            if verb == "USER":
                user = argument
            answers = {"USER": b"+OK Password required.\r\n", "CAPA": _CAPABILITIES, "QUIT": b"+OK\r\n"}
            connection.sendall(answers.get(verb, b"-ERR Login failed.\r\n"))
            if verb == "QUIT":
                return None
        return None


def _line(connection: socket.socket) -> bytes:
    """Octet by octet: what a client pipelines behind PASS must stay in the socket for the server."""
    line = b""
    while not line.endswith(b"\n"):
        octet = connection.recv(1)
        if not octet:
            return b""
        line += octet
    return line
