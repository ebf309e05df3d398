"""`limits=`: what the caller says a server may do holds in handler, pool and session, larger or smaller."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from client.in_memory import GREETING, HandlerInMemory, in_memory, logged_in

from pop3frames import Limits
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pool import POP3ConnectionPool
from pop3frames.errors import POP3ConnectionError, POP3ProtocolError
from pop3frames.protocol import grammar
from pop3frames.protocol.conversation import ClientConversation
from pop3frames.protocol.grammar import DEFAULT_LIMITS
from pop3frames.server.embedded import EmbeddedServer

PASSWORD = "correct horse"
MAILS = [b"Subject: small\r\n\r\nx\r\n", b"Subject: large\r\n\r\n" + b"y" * 600 + b"\r\n"]


def _settings(server: EmbeddedServer, **options: Any) -> dict[str, Any]:
    return {
        "hostname": server.host,
        "port": server.port,
        "username": "ann",
        "password": PASSWORD,
        "encryption": "none",
    } | options


def test_a_handler_does_not_fetch_what_is_larger_than_its_limits_say() -> None:
    """The session asks by the limits of its handler, not by the default."""
    with EmbeddedServer(MAILS, username="ann", password=PASSWORD) as server:
        handler = POP3ProtocolHandler(**_settings(server, limits=Limits(message=500)))
        with pytest.warns(UserWarning, match=r"1 message could not be fetched: \[2\]"):
            assert ["small"] == [message["subject"] for message in handler.fetch_messages()]


def test_a_pool_hands_its_limits_to_every_handler() -> None:
    """As any other option."""
    with EmbeddedServer(MAILS, username="ann", password=PASSWORD) as server:
        settings = _settings(server, limits=Limits(message=500))
        warned = pytest.warns(UserWarning, match=r"\[2\]")
        with POP3ConnectionPool(**settings) as pool, pool.lease() as handler, warned:
            assert 1 == len(handler.fetch_messages())


def test_the_client_of_a_handler_has_its_limits() -> None:
    """A body beyond them ends the connection, whatever LIST said."""
    with EmbeddedServer(MAILS, username="ann", password=PASSWORD) as server:
        handler = POP3ProtocolHandler(**_settings(server, limits=Limits(message=500)))
        with handler, pytest.raises(POP3ProtocolError, match="longer than 500 octets"):
            handler.fetch_message(2)


def test_larger_limits_fetch_what_the_default_refuses() -> None:
    """A message LISTed beyond 64 MiB is asked for, and a longer unique-id is one."""
    size, uidl = DEFAULT_LIMITS.message + 1, b"u" * 300
    session = [
        *[GREETING, b"-ERR\r\n", b"+OK\r\n", b"+OK\r\n"],
        b"+OK\r\n1 %s\r\n.\r\n" % uidl,
        b"+OK\r\n1 %d\r\n.\r\n" % size,
        b"+OK\r\nSubject: x\r\n\r\n.\r\n",
        b"+OK\r\n",
    ]
    handler = HandlerInMemory(session, limits=Limits(message=size, unique_id=300))
    assert [uidl.decode()] == [message.uidl for message in handler.iter_messages()]

    with pytest.warns(UserWarning, match=r"\[1\]"):
        assert [] == HandlerInMemory(session).fetch_messages()


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_the_lines_of_a_listing_are_counted_as_they_come(piece: int) -> None:
    """A listing that has not ended is given up at its first line too many."""
    for count, message in ((20, "was lost"), (21, "more than 20 lines")):
        listing = b"".join(b"%d 120\r\n" % number for number in range(1, count + 1))
        client = logged_in(b"+OK\r\n" + listing + b"22 12", pieces=[piece], limits=Limits(listing_entries=20))
        with pytest.raises(POP3ConnectionError, match=message):
            client.list()


def test_an_endless_listing_is_given_up_at_its_entries_with_little_memory() -> None:
    """What a hostile server has beyond them is never held: 100,000 lines are some 1 MB."""
    conversation = ClientConversation(Limits(listing_entries=100_000))
    conversation.receive(b"+OK\r\n")
    conversation.next_reply()
    conversation.send(grammar.LIST)
    conversation.receive(b"+OK\r\n")

    def endless() -> None:
        for thousands in range(1000):
            conversation.receive(b"".join(b"%d%03d 120\r\n" % (thousands, n) for n in range(1000)))
            assert conversation.next_reply() is None

    tracemalloc.start()
    try:
        with pytest.raises(POP3ProtocolError, match="more than 100000 lines"):
            endless()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 << 20


def test_limits_hold_before_the_login_too() -> None:
    """A greeting longer than the caller believes."""
    with pytest.raises(POP3ProtocolError, match="longer than 20 octets"):
        in_memory([b"+OK " + b"x" * 20 + b"\r\n"], limits=Limits(status_line=20))
