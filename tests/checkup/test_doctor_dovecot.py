"""A check-up of a real Dovecot: in plain text, by STLS and by TLS, and no trace of it afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkup.odd_servers import assert_harmless
from lab.dovecot import Dovecot

from pop3frames.checkup.doctor import check_up
from pop3frames.checkup.findings import Check
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3

pytestmark = pytest.mark.dovecot

MAILS = [
    b"Subject: mail %d\r\nFrom: ann@example.org\r\n\r\nbody\r\n.dot\r\n" % number for number in range(12)
]


def rows_of(server: Dovecot, user: str, encryption: str, **options: object) -> dict[str, Check]:
    """The rows by name."""
    port = server.tls_port if encryption == "ssl" else server.port
    password = options.pop("password", "secret")
    handler = POP3ProtocolHandler("localhost", port, user, password, encryption, 10, **options)  # type: ignore[arg-type]
    rows = check_up(handler)
    assert_harmless(rows)
    return {row.check: row for row in rows}


def folders(server: Dovecot, user: str) -> list[str]:
    """The names of all mails, which hold their flags: S stands for seen."""
    return sorted(path.name for path in (Path(server.home) / "mail" / user / "Maildir" / "cur").iterdir())


@pytest.mark.parametrize("encryption", ["none", "tls", "ssl"])
def test_a_real_server_is_well_and_nobody_was_there(
    dovecot: Dovecot, dovecot_user: str, encryption: str
) -> None:
    """Nothing worse than a note, messages were fetched, and no flag of a mail has changed."""
    dovecot.deliver(dovecot_user, MAILS)
    before = folders(dovecot, dovecot_user)
    options = {} if encryption == "none" else {"cafile": dovecot.ca_file}
    rows = rows_of(dovecot, dovecot_user, encryption, **options)

    assert set() == {row.check for row in rows.values() if row.verdict in ("warning", "problem")}
    names = ("retr", "sizes", "octets", "top against retr", "uidl stable", "pipelining", "framing", "export")
    assert ["ok"] * 8 == [rows[name].verdict for name in names]
    assert "many at a time, keyed by unique-id" in rows["export"].finding
    assert before == folders(dovecot, dovecot_user)
    assert all(name.endswith(":2,") for name in before)


def test_the_flags_would_tell(dovecot: Dovecot, dovecot_user: str) -> None:
    """The positive control: RETR without RSET sets the flag, even without QUIT."""
    dovecot.deliver(dovecot_user, MAILS[:1])
    client = POP3("localhost", dovecot.port, 10)
    client.user(dovecot_user)
    client.pass_("secret")
    client.retr(1)
    client.quit()
    assert [True] == [name.endswith(":2,S") for name in folders(dovecot, dovecot_user)]


@pytest.mark.parametrize("encryption", ["tls", "ssl"])
def test_an_unknown_authority_is_the_first_and_only_problem(
    dovecot: Dovecot, dovecot_user: str, encryption: str
) -> None:
    """With advice for a private CA, and no login."""
    rows = rows_of(dovecot, dovecot_user, encryption)
    assert {"certificate", "tls", "export"} == {
        row.check for row in rows.values() if row.verdict == "problem"
    }
    assert "cafile=" in rows["certificate"].meaning
    assert "skipped" == rows["login"].verdict


def test_a_wrong_password_is_the_logins_problem(dovecot: Dovecot, dovecot_user: str) -> None:
    """Tried once."""
    rows = rows_of(dovecot, dovecot_user, "none", password="wrong")
    assert ("problem", True) == (rows["login"].verdict, "[AUTH]" in rows["login"].finding)
    assert "skipped" == rows["mailbox"].verdict


def test_a_mail_that_begins_with_a_dot_is_found_and_nothing_is_marked(
    dovecot: Dovecot, dovecot_user: str
) -> None:
    """Dovecot does not double it: TOP shows that first, so it is never fetched, and the rest is looked at."""
    dovecot.deliver(dovecot_user, [MAILS[0], b".\r\n..\r\n\r\n.\r\n", MAILS[1]])
    before = folders(dovecot, dovecot_user)
    rows = rows_of(dovecot, dovecot_user, "none")
    assert ("problem", True) == (rows["framing"].verdict, "message 2" in rows["framing"].finding)
    assert "ok" == rows["pipelining"].verdict
    assert before == folders(dovecot, dovecot_user)
