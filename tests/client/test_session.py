"""What the end of a session must know: what was fetched, what is under way, what was marked."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from lab.relay import Relay
from lab.scripted import CLOSE, LOGIN, NO_CAPA, QUIT, ScriptedServer

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.errors import POP3ConnectionError, POP3UsageError
from pop3frames.server.embedded import EmbeddedServer

UIDL = ("UIDL", b"+OK\r\n1 a\r\n.\r\n")
GMAIL = [
    LOGIN[0],
    ("?CAPA", b"+OK\r\nEXPIRE 0\r\n.\r\n"),
    *LOGIN[2:],
    ("CAPA", b"+OK\r\nEXPIRE 0\r\n.\r\n"),
    UIDL,
    ("RETR 1", b"+OK\r\nSubject: x\r\n\r\n.\r\n"),
]


def to(port: int, **options: Any) -> POP3ProtocolHandler:
    """A handler in plain text."""
    return POP3ProtocolHandler("127.0.0.1", port, "ann", "secret", "none", 5, **options)


def test_looking_ends_without_quit_where_a_quit_would_hide_mail() -> None:
    """EXPIRE 0 (Gmail): what was RETRed may be gone after QUIT, and nobody asked for that."""
    with ScriptedServer(GMAIL) as server:
        assert to(server.port).fetch_message(1) is not None
        assert "QUIT" not in server.commands


def test_deleting_quits_there_too() -> None:
    """Else nothing would be deleted."""
    script = [*LOGIN, UIDL, ("DELE 1", b"+OK\r\n"), QUIT]
    with ScriptedServer(script) as server:
        assert to(server.port).delete_message(1) is True


def test_an_open_session_warns_before_its_quit_hides_mail() -> None:
    """The user said `with`, so QUIT is sent; but not silently."""
    with ScriptedServer([*GMAIL, QUIT]) as server:
        handler = to(server.port)
        handler.connect()
        handler.fetch_message(1)
        with pytest.warns(UserWarning, match="EXPIRE 0"):
            assert handler.disconnect() is True


def test_a_quit_that_is_cut_is_not_confirmed() -> None:
    """Marked is not deleted: whether it happened, the next listing tells."""
    script = [*LOGIN, UIDL, ("DELE 1", b"+OK\r\n"), ("QUIT", CLOSE)]
    with ScriptedServer(script) as server:
        assert to(server.port).delete_messages([1]) == (0, 1)
        with to(server.port) as handler:
            assert handler.delete_message(1) is True
            assert handler.disconnect() is False


def test_a_server_without_unique_ids_can_be_worked_with() -> None:
    """UIDL is optional (RFC 1939 section 7)."""
    script = [*LOGIN, ("UIDL", b"-ERR unknown command\r\n"), ("LIST", b"+OK\r\n1 9\r\n.\r\n"), QUIT]
    with ScriptedServer(script) as server:
        assert to(server.port).list_messages() == ([1], 9)


def test_an_iteration_without_a_session_that_is_left_early_reads_nothing_more(mails: list[bytes]) -> None:
    """The replies under way are not waited for: the connection is closed instead."""
    large = [b"Subject: %d\r\n\r\n%s\r\n" % (number, b"x" * 100_000) for number in range(30)]
    with (
        EmbeddedServer(large, username="ann", password="secret") as server,
        Relay(server.port, buffer=8192) as relay,
    ):
        for message in to(relay.port).iter_messages():
            assert message.subject == "0"
            break

        assert len(relay.from_server[0]) < 1_000_000


def test_after_a_connection_that_broke_everything_says_so_until_connect(server: EmbeddedServer) -> None:
    """No operation opens a session of its own behind the user's back: marks of the old one are gone."""
    with Relay(server.port, after=200) as relay:
        handler = POP3ProtocolHandler("127.0.0.1", relay.port, "ann", server.password, "none", 5)
        handler.connect()
        with pytest.raises(POP3ConnectionError):
            [handler.get_mailbox_stat() for _ in range(50)]
        for use in (handler.list_messages, handler.reset, handler.authenticate, handler.uidl):
            with pytest.raises(POP3ConnectionError, match="call connect"):
                use()
        assert handler.test_connection() is False
        assert handler.connect() is True
        assert handler.get_mailbox_stat()[0] == 3
        assert handler.disconnect() is True


@pytest.mark.parametrize("number", ["1", 1.0, None, True, -1, 2**31])
@pytest.mark.parametrize("pipelining", [True, False])
def test_what_is_no_number_fails_alone(server: EmbeddedServer, number: Any, pipelining: bool) -> None:
    """Serial or pipelined, the rest is fetched."""
    handler = POP3ProtocolHandler(
        "127.0.0.1", server.port, "ann", server.password, "none", 5, pipelining=pipelining
    )
    fetched = list(handler.iter_raw([1, number, 2]))

    assert [type(raw) for _, raw in fetched] == [bytes, POP3UsageError, bytes]
    assert handler.fetch_message(number) is None
    assert handler.delete_message(number) is False


def test_an_unfinished_iteration_is_no_obstacle_to_the_end(server: EmbeddedServer) -> None:
    """QUIT is answered behind all that was still under way."""
    with contextlib.ExitStack() as stack:
        handler = stack.enter_context(
            POP3ProtocolHandler("127.0.0.1", server.port, "ann", server.password, "none", 5)
        )
        messages = handler.iter_messages()
        next(messages)
        handler.delete_message(1)

    assert len(server.maildrop) == 2


def test_a_message_listed_over_the_limit_is_not_asked_for_and_the_rest_go_on() -> None:
    """It fails by itself, with its size; no connection is spent on it."""
    script = [
        *LOGIN,
        NO_CAPA,
        ("UIDL", b"+OK\r\n1 a\r\n2 b\r\n.\r\n"),
        ("LIST", b"+OK\r\n1 99000000\r\n2 15\r\n.\r\n"),
        ("RETR 2", b"+OK\r\nSubject: x\r\n\r\n.\r\n"),
        QUIT,
    ]
    with ScriptedServer(script) as server:
        (large, failure), (small, raw) = to(server.port, pipelining=True).iter_raw()

    assert (large, small, raw) == (1, 2, b"Subject: x\r\n\r\n")
    assert isinstance(failure, POP3UsageError)
    assert "99000000 octets" in str(failure)


def test_a_mail_much_larger_than_listed_is_noted_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    """Honest servers miscount a little; a tenth and 64 KiB more is worth a line in the log."""
    mail = b"Subject: x\r\n\r\n" + b"x" * 70_000 + b"\r\n"
    script = [
        *LOGIN,
        ("UIDL", b"+OK\r\n1 a\r\n.\r\n"),
        ("LIST", b"+OK\r\n1 15\r\n.\r\n"),
        ("RETR 1", b"+OK\r\n" + mail + b".\r\n"),
        QUIT,
    ]
    with ScriptedServer(script) as server, caplog.at_level("INFO", "pop3frames"):
        assert [(1, mail)] == list(to(server.port).iter_raw())
    assert "LIST told of 15" in caplog.text


def test_unique_ids_that_cannot_be_used_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    """One with a blank in it, one of 300 octets: those mails are as if the server had no id for them."""
    listing = b"+OK\r\n1 a b\r\n2 " + b"x" * 300 + b"\r\n3 good\r\n.\r\n"
    with ScriptedServer([*LOGIN, ("UIDL", listing), QUIT]) as server:
        assert {3: "good"} == to(server.port).uidl()
    assert "2 lines of UIDL" in caplog.text
