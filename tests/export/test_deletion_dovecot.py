"""Deletions on a real Dovecot: what is gone is gone from its mailbox, what is in doubt is still there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from export.deletion_oracle import durable
from export.mailboxes import ANN, mails
from lab.dovecot import Dovecot
from lab.relay import Relay

from pop3frames.client.credentials import Secret
from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3ConnectionError
from pop3frames.export.accounts import Account
from pop3frames.export.deletion import Verify, commit_deletions, plan_deletions
from pop3frames.export.mailbox import export_mailbox
from pop3frames.frames.dataset import Dataset

pytestmark = pytest.mark.dovecot
MAILS = mails(40)


@pytest.fixture
def mailbox(dovecot: Dovecot, dovecot_user: str) -> str:
    """A user with 40 mails."""
    dovecot.deliver(dovecot_user, [message.raw for message in MAILS])
    return dovecot_user


def account(dovecot: Dovecot, username: str, port: int | None = None) -> Account:
    """The user's account over STLS; by a relay, in plain text."""
    if port is not None:
        return Account(ANN, "127.0.0.1", port, username, Secret("secret"), "none")
    return Account(ANN, "localhost", dovecot.port, username, Secret("secret"), "tls", dovecot.ca_file)


@pytest.mark.parametrize("verify", ["hash", "uidl"])
def test_what_was_planned_is_gone_from_the_disk_of_the_server(
    dovecot: Dovecot, mailbox: str, folder: Path, verify: Verify
) -> None:
    """And the rest is there; the next plan no longer lists it."""
    source = account(dovecot, mailbox)
    export_mailbox(source, folder, keep_raw=True)
    chosen = plan_deletions(source, folder)["uidl"][::3].tolist()
    report = commit_deletions(source, folder, plan_deletions(source, folder, uidls=chosen), verify=verify)
    left = dovecot.mails(mailbox)
    assert (chosen, {}, []) == (report.confirmed, report.refused, report.unknown)
    assert {message.raw for message in MAILS} - left == {message.raw for message in MAILS[::3]}
    assert set(chosen).isdisjoint(plan_deletions(source, folder)["uidl"])


def test_marks_on_mail_that_was_pruned_meanwhile_are_taken_back(
    dovecot: Dovecot, mailbox: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By RSET, before QUIT."""
    source, original = account(dovecot, mailbox), POP3.dele_many

    def pruned(client: POP3, numbers: Sequence[int]) -> Any:
        Dataset(folder).prune(before=datetime(2030, 1, 1, tzinfo=UTC))
        return original(client, numbers)

    export_mailbox(source, folder, keep_raw=True)
    monkeypatch.setattr(POP3, "dele_many", pruned)
    report = export_mailbox(source, folder, keep_raw=True, delete=True)
    assert report.deleted is not None
    assert (0, 40, 0) == tuple(
        map(len, (report.deleted.confirmed, report.deleted.refused, report.deleted.unknown))
    )
    assert {message.raw for message in MAILS} == dovecot.mails(mailbox)


def test_an_export_that_deletes_leaves_an_empty_mailbox_and_a_whole_dataset(
    dovecot: Dovecot, mailbox: str, folder: Path
) -> None:
    """Mail that came meanwhile goes with the next run."""
    source = account(dovecot, mailbox)
    report = export_mailbox(source, folder, keep_raw=True, delete=True)
    assert report.deleted is not None
    assert (40, set()) == (len(report.deleted.confirmed), dovecot.mails(mailbox))
    assert {message.raw for message in MAILS} == durable(folder)
    dovecot.deliver(mailbox, [b"Subject: one more\n\nhi\n"])
    again = export_mailbox(source, folder, keep_raw=True, delete=True)
    assert again.deleted is not None
    assert (1, 1, 41) == (again.new, len(again.deleted.confirmed), Dataset(folder).count(ANN))


def test_a_cut_anywhere_in_a_deletion_loses_nothing(dovecot: Dovecot, mailbox: str, folder: Path) -> None:
    """Every 150 octets of its session: what is gone is durable, what was confirmed is gone."""
    export_mailbox(account(dovecot, mailbox), folder, keep_raw=True)
    uidls = plan_deletions(account(dovecot, mailbox), folder)["uidl"].tolist()
    everything, kept = {message.raw for message in MAILS}, durable(folder)
    by_uidl = dict(zip(uidls, (message.raw for message in MAILS), strict=True))
    for turn, after in enumerate(range(1500, 4500, 150)):
        with Relay(dovecot.port, after=after) as relay:
            try:
                wanted = uidls[2 * turn : 2 * turn + 2]
                report = commit_deletions(account(dovecot, mailbox, relay.port), folder, wanted)
            except POP3ConnectionError as exc:
                report = exc.report
        left = dovecot.mails(mailbox)
        assert everything - left <= kept
        assert {by_uidl[uidl] for uidl in report.confirmed}.isdisjoint(left)
        assert {by_uidl[uidl] for uidl in report.refused} <= left
