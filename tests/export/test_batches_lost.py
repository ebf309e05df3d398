"""What a killed export costs: at most the batch that was not committed is fetched again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from export.exporting import COMMIT_OCTETS
from export.mailboxes import account_at, digests, hashes, ids, mails, stored
from lab.relay import Relay

from pop3frames.export.mailbox import export_mailbox
from pop3frames.server.embedded import EmbeddedServer

MAILS = mails(36)
BATCH = -(-COMMIT_OCTETS // len(MAILS[0].raw))  # mails that are committed together

Export = Callable[..., tuple[str, float]]


@pytest.mark.parametrize("dies", [1, 4, 5, 18, 36])
def test_a_kill_costs_no_more_than_one_batch_that_is_fetched_again(
    tmp_path: Path, export: Export, dies: int
) -> None:
    """A batch is four mails here: of those done, only they can be missing, and nothing else is asked for."""
    folder = tmp_path / "mail"
    assert "killed" == export(folder, dies=dies)[0]
    kept = stored(folder)
    assert dies - BATCH <= len(kept) <= dies
    with EmbeddedServer(MAILS) as server, Relay(server.port) as relay:
        report = export_mailbox(account_at(relay.port, server.password), folder, keep_raw=True)
        asked = [int(line[5:]) for line in bytes(relay.from_clients[0]).split(b"\r\n") if b"RETR" in line]
    assert [n for n, message in enumerate(MAILS, 1) if message.uidl not in kept] == asked
    assert 36 - len(kept) == report.new
    assert ids(MAILS) == stored(folder)
    assert digests(MAILS) == hashes(folder)
