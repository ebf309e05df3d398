"""Message numbers are promises of one session: what a handler deletes is what was seen under that number."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy
import pytest
from lab.scripted import CLOSE, LOGIN, NO_CAPA, QUIT, ScriptedServer, Step

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.server.embedded import EmbeddedServer

UIDL_REFUSED: Step = ("UIDL", b"-ERR\r\n")


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """Four mails: a, b, c, d."""
    with EmbeddedServer([b"Subject: %s\r\n\r\n" % name for name in (b"a", b"b", b"c", b"d")]) as server:
        yield server


def to(server: EmbeddedServer) -> POP3ProtocolHandler:
    """A handler that opens a session for each operation."""
    return POP3ProtocolHandler(server.host, server.port, server.username, server.password, "none", 5)


def subjects(server: EmbeddedServer) -> str:
    """What is left on the server."""
    return "".join(message.raw[9:10].decode() for message in server.maildrop.messages)


def test_deleting_by_number_again_and_again_never_hits_another_mail(server: EmbeddedServer) -> None:
    """Nobody listed anything: the first deletion remembers what the numbers meant."""
    handler = to(server)

    assert [True, False, False] == [handler.delete_message(number) for number in (1, 2, 3)]
    assert "bcd" == subjects(server)


def test_a_look_at_one_message_says_nothing_about_the_others(server: EmbeddedServer) -> None:
    """Listed as a, then renumbered: b was never shown as number 1."""
    handler = to(server)
    handler.list_messages()
    to(server).delete_message(1)
    shown = handler.fetch_message(2)

    assert shown is not None
    assert "c" == shown["subject"]
    assert handler.delete_message(1) is False
    assert handler.delete_message(2) is True
    assert "bd" == subjects(server)


def test_without_unique_ids_a_deletion_ends_the_use_of_old_numbers() -> None:
    """Nothing tells which mail is number 2 now: list again, then delete."""
    one = [*LOGIN, UIDL_REFUSED, ("DELE 1", b"+OK\r\n"), QUIT]
    refused = [*LOGIN, UIDL_REFUSED, QUIT]
    listed = [*LOGIN, UIDL_REFUSED, ("LIST", b"+OK\r\n1 20\r\n.\r\n"), QUIT]
    with ScriptedServer(one, refused, listed, one) as server:
        handler = POP3ProtocolHandler("127.0.0.1", server.port, "ann", "secret", "none", 5)
        outcomes = [handler.delete_message(1), handler.delete_message(2)]
        handler.list_messages()

        assert [True, False, True] == [*outcomes, handler.delete_message(1)]


def test_a_new_session_says_that_marks_were_lost_with_the_old_one() -> None:
    """Else `disconnect()` would seem to confirm deletions that never happened."""
    marked = [*LOGIN, ("UIDL", b"+OK\r\n1 a\r\n.\r\n"), ("DELE 1", b"+OK\r\n"), ("NOOP", CLOSE)]
    with ScriptedServer(marked, [*LOGIN[:1], QUIT]) as server:
        handler = POP3ProtocolHandler("127.0.0.1", server.port, "ann", "secret", "none", 5)
        handler.connect()
        assert handler.delete_message(1)
        assert not handler.test_connection()
        with pytest.warns(UserWarning, match="marks were lost"):
            handler.connect()
        handler.disconnect()


def test_a_listing_line_that_cannot_be_read_hides_no_message() -> None:
    """UIDL names the message too."""
    script = [
        *LOGIN,
        ("UIDL", b"+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n"),
        ("LIST", b"+OK\r\n1 20\r\n2 %!d(float64=5)\r\n3 20\r\n.\r\n"),
        QUIT,
    ]
    with ScriptedServer(script) as server:
        handler = POP3ProtocolHandler("127.0.0.1", server.port, "ann", "secret", "none", 5)

        assert ([1, 2, 3], 40) == handler.list_messages()


def test_a_unique_id_that_two_mails_share_is_none_in_the_table() -> None:
    """As the column says: null when missing or not unique."""
    script = [
        *LOGIN,
        ("UIDL", b"+OK\r\n1 same\r\n2 same\r\n3 own\r\n.\r\n"),
        *[(f"RETR {number}", b"+OK\r\nSubject: x\r\n\r\n.\r\n") for number in (1, 2, 3)],
        NO_CAPA,
        QUIT,
    ]
    with ScriptedServer(script) as server:
        handler = POP3ProtocolHandler("127.0.0.1", server.port, "ann", "secret", "none", 5, pipelining=False)
        messages = list(handler.iter_messages([1, 2, 3]))

    assert [None, None, "own"] == [message.uidl for message in messages]


@pytest.mark.parametrize(
    "use",
    [
        lambda handler, number: handler.fetch_message(number)["subject"] == "b",
        lambda handler, number: handler.fetch_messages(numpy.array([number]))[0]["messageId"] == 2,
        lambda handler, number: handler.get_message_size(number) > 0,
        lambda handler, number: handler.top(number).startswith(b"Subject: b"),
        lambda handler, number: handler.delete_message(number),
    ],
)
def test_numbers_out_of_a_table_are_numbers(
    server: EmbeddedServer, use: Callable[[POP3ProtocolHandler, object], bool]
) -> None:
    """numpy's integers come out of every DataFrame."""
    assert use(to(server), numpy.int64(2))
