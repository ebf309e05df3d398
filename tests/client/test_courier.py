"""A second opinion: Courier's own TRANSACTION state, with every mail of the sample mailbox."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab import courier as courier_lab
from lab.courier import PASSWORD, Courier

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3Error, POP3ProtocolError

MAILBOX = Path(__file__).resolve().parents[2] / "data" / "mailbox"
MAILS = [path.read_bytes() for path in sorted(MAILBOX.iterdir())]
# Delivered with LF, sent with CRLF: a bare LF inside a mail becomes a line end like the others.
ON_THE_WIRE = [mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for mail in MAILS]
LEADING_DOT = [b"Subject: 1\r\n\r\none\r\n", b".\r\n..\r\n\r\n.\r\n", b"Subject: 3\r\n\r\nthree\r\n"]


@pytest.fixture(scope="module")
def courier(
    tmp_path_factory: pytest.TempPathFactory, require: Callable[[str | None], None]
) -> Iterator[Courier]:
    """A real Courier; ann has the sample mailbox, bob a mail that begins with a dot."""
    tree = tmp_path_factory.mktemp("courier")
    require(courier_lab.unpack(tree))
    with Courier(tree, {"ann": MAILS, "bob": LEADING_DOT}) as server:
        yield server


def to_courier(courier: Courier, user: str = "ann", **options: object) -> POP3ProtocolHandler:
    """A handler for one of its mailboxes."""
    return POP3ProtocolHandler("127.0.0.1", courier.port, user, PASSWORD, "none", 10, **options)  # type: ignore[arg-type]


def hashes(mails: list[bytes]) -> list[str]:
    """Of each mail, so that a difference is short."""
    return [hashlib.sha256(mail).hexdigest() for mail in mails]


@pytest.mark.parametrize("pipelining", [None, False])
def test_every_octet_arrives(courier: Courier, pipelining: bool | None) -> None:
    """Pipelined, as Courier offers it, and one by one."""
    fetched = dict(to_courier(courier, pipelining=pipelining).iter_raw())

    assert list(fetched) == list(range(1, len(MAILS) + 1))
    assert hashes([raw for raw in fetched.values() if isinstance(raw, bytes)]) == hashes(ON_THE_WIRE)


def test_its_capabilities_are_understood(courier: Courier) -> None:
    """Behind the login they are Courier's own: UTF8 with USER, and how long to wait between logins."""
    with to_courier(courier) as handler:
        handler.authenticate()
        capabilities = handler.get_capabilities()

    assert {"PIPELINING", "UIDL", "TOP", "UTF8 USER", "LOGIN-DELAY 10"} <= set(capabilities)
    assert "IMPLEMENTATION Courier Mail Server" in capabilities


def test_its_unique_ids_have_blanks_neither_inside_nor_around_them(courier: Courier) -> None:
    """Such as UID1-1795367003: a number, and when the mailbox was first seen."""
    handler = to_courier(courier)
    first, again = handler.uidl(), handler.uidl()

    assert list(first) == list(range(1, len(MAILS) + 1))
    assert len(set(first.values())) == len(MAILS)
    assert all(uidl.startswith("UID") and "-" in uidl for uidl in first.values())
    assert again == first


def test_its_sizes_are_those_of_the_files_or_of_the_wire(courier: Courier) -> None:
    """LIST is a hint; no mail is LISTed larger than it comes."""
    with POP3("127.0.0.1", courier.port, 10) as client:
        client.user("ann")
        client.pass_(PASSWORD)
        count, octets = client.stat()

    assert count == len(MAILS)
    assert octets <= sum(map(len, ON_THE_WIRE))


@pytest.mark.parametrize("pipelining", [None, False])
def test_a_mail_that_begins_with_a_dot_is_a_typed_error_and_given_to_no_other_number(
    courier: Courier, pipelining: bool | None
) -> None:
    """Courier 1.0.16 does not stuff the very first dot: that mail fails, the others arrive all the same."""
    client = POP3("127.0.0.1", courier.port, 10, pipelining=pipelining)
    client.user("bob")
    client.pass_(PASSWORD)
    with pytest.raises(POP3ProtocolError, match=r"nothing came for RETR"):
        list(client.retr_many([1, 2, 3]))

    fetched = list(to_courier(courier, "bob", pipelining=pipelining).iter_raw([1, 2, 3, 2, 1]))
    assert [number for number, _ in fetched] == [1, 2, 3, 2, 1]
    for number, raw in fetched:
        if number == 2:
            assert isinstance(raw, POP3Error)
        else:
            assert raw == LEADING_DOT[number - 1]
