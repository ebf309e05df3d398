"""Run in the kernel of a notebook: an explorer over a fresh mailbox, and what Python knows of it as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from export.mailboxes import mails

from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Drip
from pop3frames.widgets.explorer import MailboxExplorer, explore


class Visit:
    """A mailbox on a server of this kernel, and an explorer in which the password is still to be typed."""

    def __init__(self, count: int = 40, source: Any = None, seconds: float = 0.0) -> None:
        """`seconds`: so long takes each RETR."""
        faults = [Drip("RETR", 1 << 20, seconds)] if seconds else []
        self.server = EmbeddedServer(
            mails(count, 2000) if source is None else source, password=os.environ["PASSWORD"], faults=faults
        ).start()
        self.explorer: MailboxExplorer = explore()
        form = self.explorer.connecting.form
        form.hostname, form.encryption, form.port = "127.0.0.1", "none", self.server.port
        self.explorer.mailbox.dataset = str(Path(mkdtemp()) / "mail")

    def tell(self) -> None:
        """Print what Python knows, when no work goes on."""
        explorer = self.explorer
        explorer.mailbox.jobs.wait(20)
        report = explorer.report
        look = explorer.mailbox.look
        told = {
            "rows": len(explorer.mailbox.rows),
            "marked": sorted(explorer.marked),
            "read": look and look.row.subject,
            "server": len(self.server.maildrop),
            "confirmed": getattr(report, "confirmed", None),
            "left": getattr(report, "left", None),
            "stored": explorer.dataset.count("user@127.0.0.1") if explorer.dataset.path.exists() else 0,
            "status": explorer.mailbox.jobs.status,
            "error": explorer.mailbox.jobs.error,
        }
        print(json.dumps(told))  # noqa: T201
