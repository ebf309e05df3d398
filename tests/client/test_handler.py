"""The documented operations, call by call, with mocks in the shapes of poplib."""

from __future__ import annotations

import poplib
from unittest.mock import Mock

import pytest

from pop3frames.client.handler import POP3ConnectionError, POP3ProtocolHandler
from pop3frames.errors import POP3CommandError

MAIL = [
    b"From: sender@example.com",
    b"To: recipient@example.com",
    b"Message-ID: <msg@example.com>",
    b"Subject: Test",
    b"",
    b"Body",
]


def retr(*numbers: int) -> object:
    """A `retr` that has these messages and refuses all others."""

    def answer(number: int) -> tuple[str, list[bytes], int]:
        if number not in numbers:
            raise poplib.error_proto(b"-ERR no such message")
        return ("+OK", MAIL, 100)

    return answer


# Messages


def test_listing_gives_numbers_and_the_size_of_the_mailbox(
    client: Mock, connected: POP3ProtocolHandler
) -> None:
    """The sum of the sizes, not the octets of the listing."""
    client.list.return_value = ("+OK", [b"1 120", b"2 200"], 16)

    assert connected.list_messages() == ([1, 2], 320)


def test_fetching_gives_the_documented_dict(client: Mock, connected: POP3ProtocolHandler) -> None:
    """All twenty keys in their order, with the number twice."""
    client.retr.return_value = ("+OK", MAIL, 100)
    message = connected.fetch_message(1)

    assert message is not None
    assert " ".join(message) == (
        "messageId popId messageIdHeader from to cc bcc subject textBody htmlBody receivedAt size "
        "attachmentCount attachments isRead isStarred isDeleted isSpam isDraft isSent"
    )
    assert (message["messageId"], message["popId"], message["from"]) == (1, 1, "sender@example.com")
    assert (message["subject"], message["textBody"]) == ("Test", "Body\n")
    assert message["messageIdHeader"] == "<msg@example.com>"


def test_lines_may_be_text_or_bytes(client: Mock, connected: POP3ProtocolHandler) -> None:
    """A mock that gives str is as good as one that gives bytes."""
    client.retr.return_value = ("+OK", [line.decode() for line in MAIL], 100)
    message = connected.fetch_message(1)

    assert message is not None
    assert message["subject"] == "Test"


def test_a_message_that_cannot_be_fetched_is_none_and_logged(
    client: Mock, connected: POP3ProtocolHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says which and why."""
    client.retr.side_effect = retr(1)

    assert connected.fetch_message(7) is None
    assert "message 7 was not fetched" in caplog.text
    assert "no such message" in caplog.text


def test_fetching_all_asks_for_every_listed_message(client: Mock, connected: POP3ProtocolHandler) -> None:
    """In the order of the listing."""
    client.list.return_value = ("+OK", [b"1 120", b"3 200"], 16)
    client.retr.side_effect = retr(1, 3)

    assert [message["messageId"] for message in connected.fetch_messages()] == [1, 3]


def test_a_bad_message_in_between_never_stops_the_rest(client: Mock, connected: POP3ProtocolHandler) -> None:
    """It is missing from the result, and a warning names it."""
    client.retr.side_effect = retr(1, 3)
    with pytest.warns(UserWarning, match=r"1 message could not be fetched: \[2\]"):
        messages = connected.fetch_messages([1, 2, 3])

    assert [message["messageId"] for message in messages] == [1, 3]


def test_numbers_may_come_from_any_iterable_and_in_any_order(
    client: Mock, connected: POP3ProtocolHandler
) -> None:
    """Newest first, for example."""
    client.retr.side_effect = retr(1, 2)

    assert [message["messageId"] for message in connected.fetch_messages(iter([2, 1]))] == [2, 1]
    assert connected.fetch_messages([]) == []


def test_a_loss_while_fetching_is_repaired_once(client: Mock, connected: POP3ProtocolHandler) -> None:
    """A new connection, and on with the message that was cut."""
    client.retr.side_effect = [("+OK", MAIL, 100), EOFError("cut"), ("+OK", MAIL, 100), ("+OK", MAIL, 100)]

    assert [message["messageId"] for message in connected.fetch_messages([1, 2, 3])] == [1, 2, 3]
    assert client.opened.call_count == 2


def test_a_second_loss_is_raised_with_what_was_fetched(client: Mock, connected: POP3ProtocolHandler) -> None:
    """Nothing that arrived whole is thrown away."""
    client.retr.side_effect = [("+OK", MAIL, 100), EOFError("cut"), ("+OK", MAIL, 100), EOFError("cut")]
    with pytest.raises(POP3ConnectionError) as raised:
        connected.fetch_messages([1, 2, 3, 4])

    assert [message["messageId"] for message in raised.value.messages] == [1, 2]


def test_a_message_that_moved_during_a_loss_is_reported_and_not_confused(
    client: Mock, connected: POP3ProtocolHandler
) -> None:
    """Numbers are promises of one session: the new one says by unique-id what they mean now."""
    client.uidl.side_effect = [("+OK", [b"1 a", b"2 b", b"3 c"], 0), ("+OK", [b"1 b", b"2 d", b"3 c"], 0)]
    client.retr.side_effect = [("+OK", MAIL, 100), EOFError("cut"), ("+OK", MAIL, 100)]
    with pytest.warns(UserWarning, match=r"\[2\]"):
        messages = connected.fetch_messages([1, 2, 3])

    assert [message["messageId"] for message in messages] == [1, 3]


def test_marks_that_are_lost_with_a_connection_are_spoken_of(
    client: Mock, connected: POP3ProtocolHandler
) -> None:
    """The iteration goes on in a new session, where they are not."""
    connected.delete_message(9)
    client.retr.side_effect = [EOFError("cut"), ("+OK", MAIL, 100)]
    with pytest.warns(UserWarning, match="marks were lost"):
        connected.fetch_messages([1])


def test_marks_that_were_taken_back_are_not_lost(client: Mock, connected: POP3ProtocolHandler) -> None:
    """Then a loss needs no warning."""
    connected.delete_message(9)
    connected.reset()
    client.retr.side_effect = [EOFError("cut"), ("+OK", MAIL, 100)]

    assert len(connected.fetch_messages([1])) == 1


# Deletions


def test_a_deletion_marks(client: Mock, connected: POP3ProtocolHandler) -> None:
    """DELE, and no QUIT yet."""
    assert connected.delete_message(2) is True
    client.dele.assert_called_once_with(2)
    client.quit.assert_not_called()


def test_a_refused_deletion_is_false(client: Mock, connected: POP3ProtocolHandler) -> None:
    """No exception: the documented answer."""
    client.dele.side_effect = poplib.error_proto(b"-ERR no such message")

    assert connected.delete_message(2) is False


def test_deletions_are_counted(client: Mock, connected: POP3ProtocolHandler) -> None:
    """So many marked, so many not; one that fails in between stops nothing."""
    client.dele.side_effect = [b"+OK", poplib.error_proto("-ERR gone"), b"+OK"]

    assert connected.delete_messages([1, 2, 3]) == (2, 1)


def test_an_own_session_deletes_by_quitting(client: Mock, handler: POP3ProtocolHandler) -> None:
    """Without a connection the deletion is real when the call returns."""
    assert handler.delete_message(2) is True
    assert [name for name, *_ in client.method_calls if name in ("dele", "quit")] == ["dele", "quit"]


def test_an_own_session_whose_quit_fails_deleted_nothing(client: Mock, handler: POP3ProtocolHandler) -> None:
    """Marked is not deleted."""
    client.quit.side_effect = poplib.error_proto("-ERR [SYS/TEMP] not now")

    assert handler.delete_message(2) is False
    assert handler.delete_messages([1, 2]) == (0, 2)


def test_a_number_that_means_another_message_now_is_not_deleted(
    client: Mock, handler: POP3ProtocolHandler
) -> None:
    """Listed in one session, renumbered before the next: the unique-id decides."""
    client.list.return_value = ("+OK", [b"1 9", b"2 9"], 0)
    client.uidl.side_effect = [("+OK", [b"1 a", b"2 b"], 0), ("+OK", [b"1 b"], 0)]
    handler.list_messages()

    assert handler.delete_message(1) is False
    client.dele.assert_not_called()


@pytest.mark.parametrize(
    "look",
    [
        lambda handler: handler.fetch_message(1),
        lambda handler: handler.top(1),
        lambda handler: handler.get_message_size(1),
        lambda handler: handler.fetch_messages([1]),
        lambda handler: handler.uidl(),
    ],
)
def test_whatever_was_looked_at_is_what_is_deleted(
    client: Mock, handler: POP3ProtocolHandler, look: object
) -> None:
    """A number learned from a fetch, a header or a size binds like one from a listing."""
    client.retr.return_value = client.top.return_value = ("+OK", MAIL, 100)
    client.list.return_value = b"+OK 1 100"
    client.uidl.side_effect = [("+OK", [b"1 a"], 0), ("+OK", [b"1 b"], 0), ("+OK", [b"1 a"], 0)]
    look(handler)  # type: ignore[operator]

    assert handler.delete_message(1) is False
    assert handler.delete_message(1) is True


# Mailbox


def test_the_state_of_the_mailbox_is_count_and_octets(client: Mock, connected: POP3ProtocolHandler) -> None:
    """As STAT says."""
    client.stat.return_value = (2, 320)

    assert connected.get_mailbox_stat() == (2, 320)


def test_the_size_of_a_message_is_what_list_says(client: Mock, connected: POP3ProtocolHandler) -> None:
    """One line, text or bytes."""
    client.list.side_effect = [b"+OK 2 200", "+OK 2 200"]

    assert [connected.get_message_size(2), connected.get_message_size(2)] == [200, 200]


@pytest.mark.parametrize("answer", [poplib.error_proto("-ERR no such message"), [b"+OK"], [b"+OK 7 x"]])
def test_the_size_of_a_message_that_is_not_there_is_minus_one(
    client: Mock, connected: POP3ProtocolHandler, answer: object
) -> None:
    """Also where the answer cannot be read."""
    client.list.side_effect = answer

    assert connected.get_message_size(7) == -1


def test_resetting_takes_marks_back(client: Mock, connected: POP3ProtocolHandler) -> None:
    """RSET; False when the server refuses."""
    client.rset.side_effect = [b"+OK", poplib.error_proto("-ERR")]

    assert [connected.reset(), connected.reset()] == [True, False]


def test_resetting_needs_a_session(handler: POP3ProtocolHandler) -> None:
    """There are no marks outside one."""
    with pytest.raises(POP3ConnectionError, match="not connected"):
        handler.reset()


def test_capabilities_are_lines_of_words(client: Mock, connected: POP3ProtocolHandler) -> None:
    """The name, and its arguments behind it."""
    client.capa.return_value = {"STLS": [], "SASL": ["PLAIN", "LOGIN"], "RESP-CODES": []}

    assert connected.get_capabilities() == ["STLS", "SASL PLAIN LOGIN", "RESP-CODES"]
    client.pass_.assert_not_called()


def test_a_server_without_capabilities_has_none(client: Mock, connected: POP3ProtocolHandler) -> None:
    """RFC 1939 knows no CAPA: -ERR is an honest answer."""
    client.capa.side_effect = poplib.error_proto("-ERR unknown command")

    assert connected.get_capabilities() == []


@pytest.mark.parametrize(
    ("verb", "use"),
    [
        ("list", lambda handler: handler.list_messages()),
        ("retr", lambda handler: handler.fetch_message(1)),
        ("dele", lambda handler: handler.delete_message(1)),
        ("stat", lambda handler: handler.get_mailbox_stat()),
        ("list", lambda handler: handler.get_message_size(1)),
        ("rset", lambda handler: handler.reset()),
        ("capa", lambda handler: handler.get_capabilities()),
        ("uidl", lambda handler: handler.uidl()),
        ("top", lambda handler: handler.top(1)),
    ],
)
@pytest.mark.parametrize("error", [OSError("reset"), EOFError("end"), TimeoutError("late")])
def test_a_lost_connection_raises_everywhere(
    client: Mock, connected: POP3ProtocolHandler, verb: str, use: object, error: Exception
) -> None:
    """None, False and -1 speak of one message; a lost connection is never hidden in them."""
    getattr(client, verb).side_effect = error
    with pytest.raises(POP3ConnectionError) as raised:
        use(connected)  # type: ignore[operator]

    assert raised.value.__cause__ is error
    client.close.assert_called()


@pytest.mark.parametrize(
    ("verb", "use"),
    [
        ("list", lambda handler: handler.list_messages()),
        ("stat", lambda handler: handler.get_mailbox_stat()),
        ("top", lambda handler: handler.top(1)),
    ],
)
def test_a_refusal_where_no_sentinel_is_documented_is_a_command_error(
    client: Mock, connected: POP3ProtocolHandler, verb: str, use: object
) -> None:
    """With the verb and the server's words, the session still usable."""
    getattr(client, verb).side_effect = poplib.error_proto("-ERR sorry")
    with pytest.raises(POP3CommandError, match=rf"{verb.upper()}.*sorry"):
        use(connected)  # type: ignore[operator]

    assert connected.test_connection() is True
