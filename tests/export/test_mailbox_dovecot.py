"""Exports from a real Dovecot, read back by independent readers of Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import duckdb
import pandas as pd
import polars as pl
import pytest
from export.mailboxes import ANN, counts, digests, hashes, mails
from lab.dovecot import Dovecot

from pop3frames.client.credentials import Secret
from pop3frames.export.accounts import Account
from pop3frames.export.mailbox import export_mailbox

pytestmark = pytest.mark.dovecot
COUNT = 500


@pytest.fixture
def mailbox(dovecot: Dovecot, dovecot_user: str) -> str:
    """A user with 500 mails."""
    dovecot.deliver(dovecot_user, [message.raw for message in mails(COUNT)])
    return dovecot_user


def account(dovecot: Dovecot, username: str, encryption: Literal["ssl", "tls", "none"]) -> Account:
    """The user's account by that kind of encryption."""
    port = dovecot.tls_port if encryption == "ssl" else dovecot.port
    cafile = None if encryption == "none" else dovecot.ca_file
    return Account(ANN, "localhost", port, username, Secret("secret"), encryption, cafile)


@pytest.mark.parametrize("encryption", ["none", "tls", "ssl"])
def test_an_export_is_complete_and_twice_adds_nothing(
    dovecot: Dovecot, mailbox: str, folder: Path, encryption: Literal["ssl", "tls", "none"]
) -> None:
    """Plain, STLS, and TLS from the first byte with a CA of our own; each mail by its SHA-256."""
    source = account(dovecot, mailbox, encryption)
    assert (COUNT, COUNT, 0, 0, 0) == counts(export_mailbox(source, folder, keep_raw=True))
    assert digests(mails(COUNT)) == hashes(folder)
    assert (COUNT, 0, COUNT, 0, 0) == counts(export_mailbox(source, folder, keep_raw=True))
    dovecot.deliver(mailbox, [b"Subject: one more\n\nhi\n"])
    assert (COUNT + 1, 1, COUNT, 0, 0) == counts(export_mailbox(source, folder, keep_raw=True))


def test_pandas_duckdb_and_polars_agree_on_what_is_in_it(
    dovecot: Dovecot, mailbox: str, folder: Path
) -> None:
    """Counts and sums, each by the reader's own code."""
    export_mailbox(account(dovecot, mailbox, "none"), folder)
    expected = (COUNT, sum(len(message.raw) for message in mails(COUNT)), COUNT)
    frame = pd.read_parquet(folder)
    assert expected == (len(frame), frame["size"].sum(), frame["uidl"].nunique())
    query = f"select count(*), sum(\"size\"), count(distinct uidl) from '{folder}/*/part-*.parquet'"
    assert expected == duckdb.sql(query).fetchall()[0]
    table = pl.read_parquet(f"{folder}/*/part-*.parquet")
    assert expected == (len(table), table["size"].sum(), table["uidl"].n_unique())
    first = frame["receivedAt"].min()
    assert pd.Timestamp("2024-01-02T03:04:05Z") == first
    assert first == table["receivedAt"].min()


def test_a_mail_that_may_have_lost_a_dot_on_the_way_is_not_deleted(
    dovecot: Dovecot, dovecot_user: str, folder: Path
) -> None:
    """Dovecot does not stuff the first octet: what begins with two dots arrives with one, every time."""
    dovecot.deliver(dovecot_user, [b"..x: y\r\nSubject: one\r\n\r\nhi\r\n", b"Subject: two\r\n\r\nhi\r\n"])
    account = Account("dots", "127.0.0.1", dovecot.port, dovecot_user, Secret("secret"), "none")
    report = export_mailbox(account, folder, keep_raw=True, delete=True)

    assert report.deleted is not None
    assert (1, 1, 0) == tuple(
        map(len, (report.deleted.confirmed, report.deleted.refused, report.deleted.unknown))
    )
    assert 1 == account.handler().get_mailbox_stat()[0]
