"""Run as a program: exports a mailbox in forks of itself, and ends them as each line of its input says.

A line is a JSON object: `port` and `password` of the server, `folder` of the dataset, and how the fork ends:

    {"kill": ["link", 3]}      SIGKILL at the third call of os.link, half of them before it and half behind it
    {"refuse": ["link", 3]}    the third call of os.link and all later ones fail: the disk is full
    {"after": 0.05}            SIGKILL so many seconds after its start
    {"dies": 17}               SIGKILL when 17 messages are done
    {"interrupt": 17}          SIGINT, as Ctrl-C sends it, when 17 messages are done
    {}                         by itself

`attachments` may name the folder of a store.

The answer is a line with how it ended: "done", "killed", or the name of the exception; and the seconds.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from export.mailboxes import account_at

from pop3frames.export import passes
from pop3frames.export.mailbox import export_mailbox
from pop3frames.export.progress import Progress
from pop3frames.frames import columns  # noqa: F401  (imported before the forks: they start at once)

COMMIT_OCTETS = 1500


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        started = time.monotonic()
        ended = fork(order)
        sys.stdout.write(json.dumps([ended, time.monotonic() - started]) + "\n")
        sys.stdout.flush()


def fork(order: dict[str, Any]) -> str:
    """Run the export in a process of its own."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, run(order).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        if "after" in order and not select.select([pipe], [], [], order["after"])[0]:
            os.kill(pid, signal.SIGKILL)
        said = pipe.read()
    os.waitpid(pid, 0)
    return said.decode() or "killed"


def run(order: dict[str, Any]) -> str:
    """One export; the name of what it raised, or "done"."""
    passes.COMMIT_OCTETS = COMMIT_OCTETS
    if "kill" in order:
        arm(*order["kill"])
    if "refuse" in order:
        refuse(*order["refuse"])
    account = account_at(order["port"], order["password"])
    interrupt_at = order.get("interrupt")

    def tell(progress: Progress) -> None:
        if progress.messages == interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        if progress.messages == order.get("dies"):
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        store = order.get("attachments")
        export_mailbox(account, order["folder"], keep_raw=True, attachments=store, progress=tell)
    except BaseException as exc:
        return type(exc).__name__
    return "done"


def arm(call: str, at: int) -> None:
    """SIGKILL at a chosen call: an odd number strikes before it is made, an even one behind it."""
    owner: Any = socket.socket if hasattr(socket.socket, call) else os
    original: Callable[..., Any] = getattr(owner, call)
    count = 0

    def armed(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count == at and at % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return original(*arguments, **options)
        finally:
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, call, armed)


def refuse(call: str, at: int) -> None:
    """ENOSPC from a chosen call on."""
    original: Callable[..., Any] = getattr(os, call)
    count = 0

    def refused(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count >= at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*arguments, **options)

    setattr(os, call, refused)


if __name__ == "__main__":
    main()
