"""Opening, logging in and ending, with one session for all or one for each: with mocks in poplib's shapes."""

from __future__ import annotations

import contextlib
import poplib
import ssl
from unittest.mock import Mock, call

import pytest

from pop3frames.client.handler import POP3AuthenticationError, POP3ConnectionError, POP3ProtocolHandler
from pop3frames.errors import POP3CommandError, POP3UsageError


def test_connecting_dials_the_server_with_tls(client: Mock, handler: POP3ProtocolHandler) -> None:
    """Host, port and timeout as given; the answer is True."""
    assert handler.connect() is True

    (host, port), options = client.opened.call_args
    assert (host, port, options["timeout"]) == ("pop.example.org", 995, 30)


def test_connecting_twice_keeps_the_session(client: Mock, connected: POP3ProtocolHandler) -> None:
    """No second connection is made."""
    assert connected.connect() is True
    assert client.opened.call_count == 1


@pytest.mark.parametrize("error", [OSError("refused"), EOFError(), poplib.error_proto("-ERR go away")])
def test_connecting_fails_after_three_attempts(
    client: Mock, handler: POP3ProtocolHandler, naps: list[float], error: Exception
) -> None:
    """Whatever the client raises becomes POP3ConnectionError, with pauses in between."""
    client.opened.side_effect = error
    with pytest.raises(POP3ConnectionError, match=r"pop\.example\.org:995") as raised:
        handler.connect()

    assert client.opened.call_count == 3
    assert [0.5 <= naps[0] < 0.7, 1.0 <= naps[1] < 1.3, len(naps)] == [True, True, 2]
    assert raised.value.__cause__ is error


def test_a_second_attempt_can_succeed(client: Mock, handler: POP3ProtocolHandler, naps: list[float]) -> None:
    """One failure costs one pause and is forgotten."""
    client.opened.side_effect = [OSError("refused"), client]

    assert handler.connect() is True
    assert len(naps) == 1


def test_logging_in_sends_the_credentials_of_the_handler(
    client: Mock, connected: POP3ProtocolHandler
) -> None:
    """USER, then PASS."""
    assert connected.authenticate() is True
    assert client.method_calls == [call.user("ann"), call.pass_("secret")]


def test_logging_in_with_other_credentials_sends_those(client: Mock, connected: POP3ProtocolHandler) -> None:
    """And the handler goes on with them."""
    assert connected.authenticate("bob", "other") is True
    assert client.method_calls == [call.user("bob"), call.pass_("other")]
    assert connected.username == "bob"


def test_logging_in_again_as_the_same_user_sends_nothing(
    client: Mock, connected: POP3ProtocolHandler
) -> None:
    """A pool lends both kinds, so authenticate() must be harmless."""
    connected.authenticate()
    client.reset_mock()

    assert connected.authenticate() is True
    assert client.method_calls == []


def test_logging_in_as_somebody_else_needs_a_new_session(connected: POP3ProtocolHandler) -> None:
    """POP3 has no way back out of a mailbox."""
    connected.authenticate()
    with pytest.raises(POP3UsageError, match="disconnect first"):
        connected.authenticate("bob", "other")


def test_a_refused_login_is_an_authentication_error(client: Mock, connected: POP3ProtocolHandler) -> None:
    """And is not tried again: that locks accounts."""
    client.pass_.side_effect = poplib.error_proto(b"-ERR invalid password")
    with pytest.raises(POP3AuthenticationError, match="invalid password"):
        connected.authenticate()

    assert client.pass_.call_count == 1


@pytest.mark.parametrize("error", [OSError("reset"), EOFError("end"), TimeoutError("late")])
def test_a_connection_lost_in_the_login_is_a_connection_error(
    client: Mock, connected: POP3ProtocolHandler, error: Exception
) -> None:
    """It says nothing about the password."""
    client.pass_.side_effect = error
    with pytest.raises(POP3ConnectionError):
        connected.authenticate()


def test_logging_in_needs_a_connection(handler: POP3ProtocolHandler) -> None:
    """The error says what to call."""
    with pytest.raises(POP3ConnectionError, match=r"call connect\(\)"):
        handler.authenticate()


def test_disconnecting_quits_once(client: Mock, connected: POP3ProtocolHandler) -> None:
    """A second time there is nothing to do, and that is fine."""
    assert connected.disconnect() is True
    assert connected.disconnect() is True
    assert client.quit.call_count == 1


@pytest.mark.parametrize("error", [OSError("reset"), EOFError(), poplib.error_proto("-ERR not removed")])
def test_a_failed_quit_is_a_forced_close_and_false(
    client: Mock, connected: POP3ProtocolHandler, error: Exception
) -> None:
    """Only +OK to QUIT makes deletions real, so False must say that it did not come."""
    client.quit.side_effect = error

    assert connected.disconnect() is False
    client.close.assert_called()


def test_disconnecting_a_lost_session_does_not_claim_that_deletions_happened(
    client: Mock, connected: POP3ProtocolHandler
) -> None:
    """The marks went with the connection."""
    connected.delete_message(1)
    client.noop.side_effect = EOFError()

    assert connected.test_connection() is False
    assert connected.disconnect() is False


def test_a_lost_session_can_be_replaced(client: Mock, connected: POP3ProtocolHandler) -> None:
    """Every use says what to do, and connect() does it."""
    client.stat.side_effect = [EOFError(), (2, 320)]
    with pytest.raises(POP3ConnectionError, match="STAT"):
        connected.get_mailbox_stat()
    with pytest.raises(POP3ConnectionError, match=r"connect\(\) for a new one"):
        connected.get_mailbox_stat()

    assert connected.connect() is True
    assert connected.get_mailbox_stat() == (2, 320)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(None, True), (OSError("reset"), False), (poplib.error_proto("-ERR"), False), (EOFError(), False)],
)
def test_testing_a_connection_sends_noop(
    client: Mock, connected: POP3ProtocolHandler, answer: object, expected: bool
) -> None:
    """True only if the server answers; never an exception."""
    client.noop.side_effect = answer

    assert connected.test_connection() is expected


def test_testing_without_a_connection_is_false(handler: POP3ProtocolHandler) -> None:
    """There is nothing that could answer."""
    assert handler.test_connection() is False


# Context manager


def test_a_with_block_connects_and_quits(client: Mock, handler: POP3ProtocolHandler) -> None:
    """And logs in only when something needs it."""
    with handler as inside:
        assert inside is handler
        assert client.opened.call_count == 1
        client.user.assert_not_called()

    client.quit.assert_called_once()


def test_leaving_by_an_exception_closes_without_quit(client: Mock, handler: POP3ProtocolHandler) -> None:
    """So nothing that was marked is deleted."""
    with contextlib.suppress(KeyError), handler:
        handler.delete_message(1)
        raise KeyError("somebody's mistake")

    client.quit.assert_not_called()
    client.close.assert_called()


def test_an_own_session_that_fails_ends_without_quit(client: Mock, handler: POP3ProtocolHandler) -> None:
    """Also where the handler opened the session itself."""
    client.stat.side_effect = poplib.error_proto("-ERR")
    with pytest.raises(POP3CommandError):
        handler.get_mailbox_stat()

    client.quit.assert_not_called()
    client.close.assert_called()


def test_each_operation_without_a_connection_has_a_session_of_its_own(
    client: Mock, handler: POP3ProtocolHandler
) -> None:
    """Connect, log in, work, quit: each time."""
    client.stat.return_value = (0, 0)
    handler.get_mailbox_stat()
    handler.get_mailbox_stat()

    assert [client.opened.call_count, client.pass_.call_count, client.quit.call_count] == [2, 2, 2]


# Arguments


@pytest.mark.parametrize(
    "wrong",
    [
        {"encryption": "starttls"},
        {"auth": "XOAUTH"},
        {"port": "995"},
        {"port": 0},
        {"port": 65536},
        {"port": True},
        {"password": ""},
        {"password": None},
        {"password": b"secret"},
        {"cafile": "ca.pem", "context": ssl.create_default_context()},
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(wrong: dict[str, object]) -> None:
    """At once, not at the first use."""
    arguments = {"hostname": "h", "port": 995, "username": "u", "password": "p"} | wrong
    with pytest.raises(POP3UsageError):
        POP3ProtocolHandler(**arguments)  # type: ignore[arg-type]


def test_the_state_is_shown_without_secrets(client: Mock, handler: POP3ProtocolHandler) -> None:
    """Who, where, how, and whether connected."""
    assert repr(handler) == "<POP3ProtocolHandler ann@pop.example.org:995 ssl, not connected>"
    handler.connect()
    assert repr(handler) == "<POP3ProtocolHandler ann@pop.example.org:995 ssl, connected>"
