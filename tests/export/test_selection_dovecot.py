"""Selected and renumbered mail on a real Dovecot."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export.mailboxes import ANN, counts, digests, hashes, mails
from lab.dovecot import Dovecot
from lab.relay import Relay

from pop3frames.client.credentials import Secret
from pop3frames.export.accounts import Account
from pop3frames.export.mailbox import export_mailbox
from pop3frames.frames.dataset import Dataset

pytestmark = pytest.mark.dovecot
COUNT = 200


def account(dovecot: Dovecot, username: str, port: int | None = None) -> Account:
    """The user's account in plain text, by that port."""
    return Account(ANN, "127.0.0.1", port or dovecot.port, username, Secret("secret"), "none")


def numbers(relay: Relay, verb: bytes) -> list[int]:
    """Asked for by that verb, in their order."""
    lines = b"".join(map(bytes, relay.from_clients)).split(b"\r\n")
    return [int(line.split()[1]) for line in lines if line.startswith(verb + b" ")]


def subjects(folder: Path) -> list[str]:
    """Of all rows, in the order they were stored."""
    found: list[str] = Dataset(folder).to_table(["subject"])["subject"].to_pylist()
    return found


def renumber(dovecot: Dovecot, username: str) -> None:
    """Another UIDVALIDITY, as after a move to another machine: every unique-id changes."""
    maildir = dovecot.home / "mail" / username / "Maildir"
    listing = maildir / "dovecot-uidlist"
    listing.write_text(re.sub(r" V(\d+)", lambda m: f" V{int(m[1]) + 1000}", listing.read_text(), count=1))
    for index in maildir.glob("dovecot.index*"):
        index.unlink()


def test_rules_select_what_they_say(dovecot: Dovecot, dovecot_user: str, folder: Path) -> None:
    """Old mail costs TOP and no RETR; the newest come first; large ones and the rest stay for later."""
    box = [
        message.raw.replace(b"Jan 2024", b"Jan 2001" if n % 4 == 0 else b"Jan 2024")
        + (b"more\r\n" * 500 if n % 10 == 1 else b"")
        for n, message in enumerate(mails(40))
    ]
    dovecot.deliver(dovecot_user, box)
    expected = [n + 1 for n in range(40) if n % 4 and n % 10 != 1][::-1]
    since = datetime(2020, 1, 1, tzinfo=UTC)
    with Relay(dovecot.port) as relay:
        source = account(dovecot, dovecot_user, relay.port)
        first = export_mailbox(source, folder, since=since, max_size=2000, limit=10, newest_first=True)
        assert expected[:10] == numbers(relay, b"RETR")
        second = export_mailbox(source, folder, since=since, max_size=2000, newest_first=True)
        assert expected == numbers(relay, b"RETR")
    assert [f"mail {number}" for number in expected] == subjects(folder)
    assert (40, 10) == counts(first)[:2]
    assert (40, len(expected) - 10, 10, 0, 0) == counts(second)
    assert 40 - len(expected) == second.skipped
    assert (40, 40 - len(expected), len(expected), 0, 0) == counts(
        export_mailbox(account(dovecot, dovecot_user), folder)
    )


def test_another_uidvalidity_is_recognised_by_headers_and_a_sample(
    dovecot: Dovecot, dovecot_user: str, folder: Path
) -> None:
    """Nothing is stored twice; new mail among it is; and everything may go under its new ids."""
    dovecot.deliver(dovecot_user, [message.raw for message in mails(COUNT)])
    export_mailbox(account(dovecot, dovecot_user), folder, keep_raw=True)
    before = Dataset(folder).to_table(["uidl"])["uidl"].to_pylist()
    renumber(dovecot, dovecot_user)
    dovecot.deliver(dovecot_user, [mails(COUNT + 1)[-1].raw])
    with Relay(dovecot.port) as relay:
        source = account(dovecot, dovecot_user, relay.port)
        report = export_mailbox(source, folder, keep_raw=True)
        assert COUNT + 1 == len(numbers(relay, b"TOP"))
        assert 10 + 1 == len(numbers(relay, b"RETR"))
        assert (COUNT + 1, 0, COUNT + 1, 0, 0) == counts(export_mailbox(source, folder, keep_raw=True))
        assert 10 + 1 == len(numbers(relay, b"RETR"))
    assert (COUNT + 1, 1, COUNT, 0, 0) == counts(report)
    assert digests(mails(COUNT + 1)) == hashes(folder)
    assert set() == set(before) & set(Dataset(folder).to_table(["uidl"])["uidl"].to_pylist())
    gone = export_mailbox(account(dovecot, dovecot_user), folder, keep_raw=True, delete=True)
    assert gone.deleted is not None
    assert (COUNT + 1, {}) == (len(gone.deleted.confirmed), gone.deleted.refused)
    assert 0 == account(dovecot, dovecot_user).handler().get_mailbox_stat()[0]
