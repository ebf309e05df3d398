"""A real Dovecot in plain text, by STLS and by TLS: every byte, and what can be seen from outside."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab.dovecot import Dovecot
from lab.relay import Relay

from pop3frames.client.credentials import Secret
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3AuthenticationError, POP3ConnectionError
from pop3frames.export.accounts import Account
from pop3frames.export.mailbox import export_mailbox
from pop3frames.export.progress import Progress

pytestmark = pytest.mark.dovecot

CANARY = b"canary-in-a-body-91c2"
PASSWORD = "canary password"


def _odd_mails(count: int) -> Iterator[bytes]:
    """Mails as a server may store them: sizes around powers of two, dots, long lines, no last line end."""
    chance = random.Random(1939)
    lines = [
        b".",
        b"..",
        b".foo",
        b". ",
        b"",
        b"From x",
        b"\xff\xfe 8 bit",
        b"x" * 998,
        b"a\rb",
        b"\t\x1b[2J",
        CANARY,
    ]
    for number in range(count):
        header = b"Subject: mail %d\r\nMessage-ID: <%d@example.org>\r\n\r\n" % (number, number)
        body = b"\r\n".join(chance.choices(lines, k=number % 40)) + b"\r\n"
        if number % 50 == 7:
            body += b"x" * 100_000 + b"\r\n"
        if number % 10 == 3:
            body = b"y" * (1 << (number % 17)) + b"z" * chance.randrange(3) + b"\r\n"
        yield header + body[: -2 if number % 3 == 0 and len(body) > 2 else None]


MAILS = list(_odd_mails(500))
# What comes over the wire: line ends are CRLF, and a last line that was not ended is.
ON_THE_WIRE = [mail if mail.endswith(b"\r\n") else mail + b"\r\n" for mail in MAILS]


@pytest.fixture(scope="module")
def ann(dovecot: Dovecot) -> str:
    """A user with 500 odd mails, for those who only look."""
    dovecot.add_user("ann500", PASSWORD)
    dovecot.deliver("ann500", MAILS)
    return "ann500"


def _hashes(mails: list[bytes]) -> list[str]:
    return [hashlib.sha256(mail).hexdigest() for mail in mails]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("encryption", ["none", "tls", "ssl"])
def test_every_byte_arrives_and_the_wire_shows_only_what_it_should(
    dovecot: Dovecot, ann: str, encryption: Any, pipelining: bool
) -> None:
    """Hash by hash; a capture of the wire holds password and mail only where plain text was asked for."""
    target = dovecot.tls_port if encryption == "ssl" else dovecot.port
    logged = len(dovecot.log)
    with Relay(target) as relay:
        handler = POP3ProtocolHandler(
            "localhost",
            relay.port,
            ann,
            PASSWORD,
            encryption,
            10,
            cafile=dovecot.ca_file,
            pipelining=pipelining,
        )
        fetched = dict(handler.iter_raw())
        capture = relay.capture

    assert list(fetched) == list(range(1, 501))
    assert _hashes([raw for raw in fetched.values() if isinstance(raw, bytes)]) == _hashes(ON_THE_WIRE)
    seen = [
        PASSWORD.encode() in capture,
        CANARY in capture,
        b"\r\nRETR 10" in capture,
        b"PASS " + PASSWORD[:2].encode() in capture,
    ]
    assert seen == [encryption == "none"] * 4
    login = next(line for line in dovecot.log[logged:].splitlines() if "Login: user=<ann500>" in line)
    assert (", TLS" in login) == (encryption != "none")


def test_sizes_are_those_of_the_wire_up_to_a_missing_last_line_end(dovecot: Dovecot, ann: str) -> None:
    """What LIST tells is a hint; here it is known how far to trust it."""
    handler = POP3ProtocolHandler("localhost", dovecot.port, ann, PASSWORD, "none", 10)
    numbers, total = handler.list_messages()

    assert len(numbers) == 500
    assert total == sum(map(len, MAILS))


def test_pipelined_commands_leave_before_their_answers_come(dovecot: Dovecot, ann: str) -> None:
    """The positive control of `pipelining=True`: many RETRs in one piece."""
    with Relay(dovecot.port) as relay:
        client = POP3("localhost", relay.port, 10)
        client.user(ann)
        client.pass_(PASSWORD)
        replies = client.retr_many(range(1, 501), dict.fromkeys(range(1, 501), 1))
        next(replies)
        asked = relay.from_clients[0].count(b"RETR ")
        replies.close()
        client.quit()

    assert asked >= 100


def test_a_certificate_of_an_unknown_authority_ends_before_the_login(dovecot: Dovecot, ann: str) -> None:
    """The real server, and a client that does not know its CA."""
    for port, encryption in ((dovecot.tls_port, "ssl"), (dovecot.port, "tls")):
        with Relay(port) as relay:
            handler = POP3ProtocolHandler("localhost", relay.port, ann, PASSWORD, encryption, 10)  # type: ignore[arg-type]
            with pytest.raises(POP3ConnectionError, match="certificate"):
                handler.list_messages()
            assert PASSWORD.encode() not in relay.capture


def test_a_wrong_password_is_refused_and_the_session_usable(dovecot: Dovecot, ann: str) -> None:
    """In the same session the right one is taken."""
    with POP3ProtocolHandler("localhost", dovecot.port, ann, "wrong", "none", 10) as handler:
        with pytest.raises(POP3AuthenticationError) as raised:
            handler.authenticate()
        assert raised.value.code == "AUTH"
        assert handler.authenticate(ann, PASSWORD) is True


def test_nothing_is_deleted_by_looking(dovecot: Dovecot, ann: str) -> None:
    """Whatever the tests before this one did, all 500 files are there."""
    assert len(list((dovecot.home / "mail" / ann / "Maildir" / "cur").iterdir())) == 500


def test_a_mail_that_begins_with_a_dot_is_never_given_to_another_number(
    dovecot: Dovecot, dovecot_user: str
) -> None:
    """Dovecot 2.3 does not stuff the very first dot: the session gets out of step, a new one goes on."""
    mails = [b"Subject: 1\r\n\r\none\r\n", b".\r\n..\r\n\r\n.\r\n", b"Subject: 3\r\n\r\nthree\r\n"]
    dovecot.deliver(dovecot_user, mails)
    handler = POP3ProtocolHandler("localhost", dovecot.port, dovecot_user, "secret", "none", 10)
    fetched = dict(handler.iter_raw())

    assert [fetched[1], fetched[3]] == [mails[0], mails[2]]
    assert fetched[2] == b"" or not isinstance(fetched[2], bytes)


def test_another_users_deletion_in_between_is_an_error_of_one_message(
    dovecot: Dovecot, dovecot_user: str
) -> None:
    """Dovecot lets two sessions in: a message that goes away under us stops nothing else."""
    dovecot.deliver(dovecot_user, [b"Subject: %d\r\n\r\n" % number for number in (1, 2, 3)])
    handler = POP3ProtocolHandler("localhost", dovecot.port, dovecot_user, "secret", "none", 10)
    other = POP3ProtocolHandler("localhost", dovecot.port, dovecot_user, "secret", "none", 10)
    with handler:
        assert handler.list_messages()[0] == [1, 2, 3]
        assert other.delete_message(2) is True
        with pytest.warns(UserWarning, match=r"\[2\]"):
            messages = handler.fetch_messages()

    assert [message["subject"] for message in messages] == ["1", "3"]


def test_a_message_that_goes_away_during_an_export_is_its_only_loss(
    dovecot: Dovecot, dovecot_user: str, tmp_path: Path
) -> None:
    """It is named in the report, what was not asked for yet is fetched, and the next run is clean."""
    dovecot.deliver(dovecot_user, [b"Subject: %d\r\n\r\n" % number for number in (1, 2, 3, 4)])
    where = ("localhost", dovecot.port, dovecot_user)
    other = POP3ProtocolHandler(*where, "secret", "none", 10)
    account = Account("ann", *where, Secret("secret"), "none", pipelining=False)

    def delete_another(progress: Progress) -> None:
        if progress.messages == 1:
            assert other.delete_message(3) is True

    report = export_mailbox(account, tmp_path / "mail", progress=delete_another)
    again = export_mailbox(account, tmp_path / "mail")

    assert [(4, 3, 0, 0), (3, 0, 3, 0)] == [
        (each.listed, each.new, each.known, each.left) for each in (report, again)
    ]
    assert [3] == [failed.number for failed in report.failed]
    assert "expunged" in report.failed[0].reason
