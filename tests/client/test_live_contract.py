"""The documented contract against servers that answer: one suite for the embedded one and a real Dovecot.

In both modes: every operation with a session of its own, and all sharing an open one.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from lab.dovecot import Dovecot
from lab.relay import Relay

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.errors import POP3AuthenticationError, POP3BusyError, POP3ConnectionError
from pop3frames.server.embedded import EmbeddedServer

MAILS = [
    b"Subject: mail %d\r\nMessage-ID: <%d@example.org>\r\n\r\n%s\r\n.dot\r\n"
    % (number, number, b"line\r\n" * 400)
    for number in range(1, 7)
]
SUBJECTS = [f"mail {number}" for number in range(1, 7)]


class Mailbox(Protocol):
    """A mailbox with those mails on some server."""

    port: int

    def handler(self, **options: Any) -> POP3ProtocolHandler:
        """Somebody who can log in; `port` for a way round through a relay."""

    def left(self) -> list[str]:
        """SHA-256 of what the mailbox holds now, as seen without POP3."""


class EmbeddedMailbox:
    def __init__(self, server: EmbeddedServer) -> None:
        self.server, self.port = server, server.port

    def handler(self, **options: Any) -> POP3ProtocolHandler:
        options = {"port": self.port, "password": self.server.password, "timeout": 5} | options
        return POP3ProtocolHandler("127.0.0.1", username="ann", encryption="none", **options)

    def left(self) -> list[str]:
        return [hashlib.sha256(message.raw).hexdigest() for message in self.server.maildrop.messages]


class DovecotMailbox:
    def __init__(self, server: Dovecot, user: str) -> None:
        self.server, self.user, self.port = server, user, server.port

    def handler(self, **options: Any) -> POP3ProtocolHandler:
        options = {"port": self.port, "password": "secret", "timeout": 5} | options
        return POP3ProtocolHandler("localhost", username=self.user, encryption="none", **options)

    def left(self) -> list[str]:
        files = sorted((self.server.home / "mail" / self.user / "Maildir" / "cur").iterdir())
        return [hashlib.sha256(file.read_bytes().replace(b"\n", b"\r\n")).hexdigest() for file in files]


@pytest.fixture(params=["embedded", pytest.param("dovecot", marks=pytest.mark.dovecot)])
def mailbox(request: pytest.FixtureRequest) -> Iterator[Mailbox]:
    """Six mails of 2.5 KB on each kind of server."""
    if request.param == "embedded":
        with EmbeddedServer(MAILS, username="ann") as server:
            yield EmbeddedMailbox(server)
    else:
        dovecot, user = request.getfixturevalue("dovecot"), request.getfixturevalue("dovecot_user")
        dovecot.deliver(user, MAILS)
        yield DovecotMailbox(dovecot, user)


Opened = Callable[[POP3ProtocolHandler], contextlib.AbstractContextManager[POP3ProtocolHandler]]


@pytest.fixture(params=["stateless", "connected"])
def opened(request: pytest.FixtureRequest) -> Opened:
    """`with opened(handler) as handler`: with an open session inside, or without."""
    return contextlib.nullcontext if request.param == "stateless" else lambda handler: handler


ALL = [hashlib.sha256(mail).hexdigest() for mail in MAILS]


def test_looking_tells_numbers_sizes_and_ids(mailbox: Mailbox, opened: Opened) -> None:
    """LIST, STAT, UIDL and the size of one message agree with what was delivered."""
    sizes = [len(mail) for mail in MAILS]
    with opened(mailbox.handler()) as handler:
        assert handler.list_messages() == ([1, 2, 3, 4, 5, 6], sum(sizes))
        assert handler.get_mailbox_stat() == (6, sum(sizes))
        assert [handler.get_message_size(number) for number in (1, 6, 7, 0)] == [sizes[0], sizes[5], -1, -1]
        assert [len(set(handler.uidl().values())), list(handler.uidl())] == [6, [1, 2, 3, 4, 5, 6]]
        assert "PIPELINING" in handler.get_capabilities()

    assert mailbox.left() == ALL


def test_what_a_server_can_do_is_asked_without_a_login_where_nobody_has_logged_in(mailbox: Mailbox) -> None:
    """Between connect and authenticate, where the ways to log in are told; the password would be refused."""
    handler = mailbox.handler(password="wrong")
    handler.connect()
    before = handler.get_capabilities()
    handler.authenticate(password=mailbox.handler()._credential())
    after = handler.get_capabilities()
    handler.disconnect()

    assert any(each.startswith("SASL ") for each in before)
    assert "PIPELINING" in after


def test_fetching_gives_what_was_delivered(mailbox: Mailbox, opened: Opened) -> None:
    """One, some, all, and the original bytes."""
    with opened(mailbox.handler()) as handler:
        one = handler.fetch_message(3)
        assert one is not None
        assert (one["subject"], one["messageIdHeader"], one["size"]) == (
            "mail 3",
            "<3@example.org>",
            len(MAILS[2]),
        )
        assert [message["subject"] for message in handler.fetch_messages([5, 2])] == ["mail 5", "mail 2"]
        assert [message["subject"] for message in handler.fetch_messages()] == SUBJECTS
        assert [raw for _, raw in handler.iter_raw()] == MAILS
        assert handler.top(1, 1).startswith(b"Subject: mail 1\r\n")


def test_a_message_carries_its_account_its_unique_id_and_its_hash(mailbox: Mailbox, opened: Opened) -> None:
    """What a dataset will know it by."""
    with opened(mailbox.handler()) as handler:
        messages = list(handler.iter_messages())

        assert [message.content_hash for message in messages] == ALL
        assert {message.message_id: message.uidl for message in messages} == handler.uidl()
        assert {message.account for message in messages} == {f"{handler.username}@{handler.hostname}"}


def test_what_is_not_there_is_none_minus_one_or_false(mailbox: Mailbox, opened: Opened) -> None:
    """And a number that is none is no reason to stop."""
    with opened(mailbox.handler()) as handler:
        assert [handler.fetch_message(99), handler.get_message_size(99)] == [None, -1]
        assert handler.delete_messages([99, 0, -1]) == (0, 3)
        with pytest.warns(UserWarning, match="2 messages could not be fetched"):
            assert [message["messageId"] for message in handler.fetch_messages([1, 99, 0, 2])] == [1, 2]

    assert mailbox.left() == ALL


def test_deleting_deletes_when_the_session_ends_well(mailbox: Mailbox, opened: Opened) -> None:
    """At once without a session, with the QUIT of the `with` block otherwise."""
    with opened(mailbox.handler()) as handler:
        assert handler.delete_messages([2, 5]) == (2, 0)

    assert mailbox.left() == [ALL[0], ALL[2], ALL[3], ALL[5]]


def test_a_deletion_in_an_open_session_is_only_a_mark_and_can_be_taken_back(mailbox: Mailbox) -> None:
    """RSET before QUIT: nothing happened."""
    with mailbox.handler() as handler:
        handler.delete_messages([1, 2])
        assert handler.get_mailbox_stat()[0] == 4
        assert handler.delete_message(1) is False
        assert handler.reset() is True
        assert handler.get_mailbox_stat()[0] == 6

    assert mailbox.left() == ALL


def test_leaving_by_an_exception_deletes_nothing(mailbox: Mailbox) -> None:
    """Marks that the failed work made are not committed."""
    with contextlib.suppress(KeyError), mailbox.handler() as handler:
        assert handler.delete_messages([1, 2, 3]) == (3, 0)
        raise KeyError("the work on the messages failed")

    assert mailbox.left() == ALL


def test_leaving_an_iteration_by_an_exception_deletes_nothing(mailbox: Mailbox) -> None:
    """Also with replies still under way."""
    with contextlib.suppress(KeyError), mailbox.handler() as handler:
        for message in handler.iter_messages():
            handler.delete_message(message.message_id)
            if message.message_id == 3:
                raise KeyError("the third message is a bad one")

    assert mailbox.left() == ALL


def test_deleting_inside_an_iteration_deletes_what_was_seen(mailbox: Mailbox) -> None:
    """DELE goes out while RETRs are under way, and no reply is taken for another."""
    with mailbox.handler() as handler:
        seen = []
        for message in handler.iter_messages():
            seen.append(message.subject)
            if message.message_id % 2:
                assert handler.delete_message(message.message_id) is True

    assert seen == SUBJECTS
    assert mailbox.left() == [ALL[1], ALL[3], ALL[5]]


def test_a_number_that_changed_between_sessions_is_not_deleted(mailbox: Mailbox, opened: Opened) -> None:
    """Listed, then somebody else deletes the first one: every number now means another mail."""
    ours = mailbox.handler()
    with opened(ours):
        numbers, _ = ours.list_messages()
    assert mailbox.handler().delete_message(1) is True
    with opened(ours):
        assert ours.delete_messages(numbers) == (0, 6)
        assert ours.list_messages()[0] == [1, 2, 3, 4, 5]
        assert ours.delete_message(1) is True

    assert mailbox.left() == ALL[2:]


def test_deleting_one_by_one_from_a_listing_never_deletes_a_neighbour(mailbox: Mailbox) -> None:
    """Each deletion without a session renumbers the rest; those are refused, not deleted instead."""
    handler = mailbox.handler()
    numbers, _ = handler.list_messages()

    assert [handler.delete_message(number) for number in numbers[:3]] == [True, False, False]
    assert mailbox.left() == ALL[1:]


@pytest.mark.parametrize("then", ["cut", "reset"])
def test_fetching_goes_on_after_one_loss(mailbox: Mailbox, opened: Opened, then: Any) -> None:
    """Cut in the middle of the third mail: it is fetched again, whole, and nothing comes twice."""
    with (
        Relay(mailbox.port, after=7000, then=then) as relay,
        opened(mailbox.handler(port=relay.port)) as handler,
    ):
        assert [message["subject"] for message in handler.fetch_messages()] == SUBJECTS
        assert len(relay.from_clients) == 2


def test_a_second_loss_raises_with_the_messages_that_came_whole(mailbox: Mailbox, opened: Opened) -> None:
    """Two mails before the first cut, two before the second; a half one is none."""
    with (
        Relay(mailbox.port, after=7000, first=2) as relay,
        opened(mailbox.handler(port=relay.port)) as handler,
        pytest.raises(POP3ConnectionError) as raised,
    ):
        handler.fetch_messages()

    assert [message["subject"] for message in raised.value.messages] == SUBJECTS[:4]


def test_an_iteration_left_early_leaves_the_session_in_step(mailbox: Mailbox) -> None:
    """What was under way is read and dropped; the next answer is that of the next command."""
    with mailbox.handler() as handler:
        for message in handler.iter_messages():
            assert message.subject == "mail 1"
            break
        assert handler.get_message_size(4) == len(MAILS[3])
        fetched = handler.fetch_message(6)

    assert fetched is not None
    assert fetched["subject"] == "mail 6"


def test_a_wrong_password_is_refused_once(mailbox: Mailbox, opened: Opened) -> None:
    """One login attempt, whatever the operation."""
    with (
        Relay(mailbox.port) as relay,
        contextlib.suppress(POP3AuthenticationError),
        opened(mailbox.handler(port=relay.port, password="wrong")) as handler,
    ):
        handler.list_messages()
        pytest.fail("let in with a wrong password")

    assert relay.capture.count(b"PASS wrong") == 1


def test_sasl_plain_logs_in_too(mailbox: Mailbox, opened: Opened) -> None:
    """In two steps, as RFC 5034 wants it where a line could get too long."""
    with Relay(mailbox.port) as relay, opened(mailbox.handler(port=relay.port, auth="PLAIN")) as handler:
        assert handler.get_mailbox_stat()[0] == 6

    assert b"AUTH PLAIN\r\n" in relay.capture
    assert b"PASS" not in relay.capture


def test_a_locked_mailbox_is_busy_and_no_wrong_password(server: EmbeddedServer, to_server: Any) -> None:
    """[IN-USE] has its own error: nobody should type a password again for it."""
    with to_server() as first:
        first.authenticate()
        with pytest.raises(POP3BusyError, match="locked"):
            to_server().list_messages()


def test_deleting_without_a_session_inside_an_iteration_meets_the_lock(to_server: Any) -> None:
    """Both would need the mailbox; the iteration goes on unharmed."""
    handler = to_server()
    seen = []
    for message in handler.iter_messages():
        seen.append(message.subject)
        with pytest.raises(POP3BusyError):
            handler.delete_message(message.message_id)

    assert seen == ["mail 1", "mail 2", "mail 3"]


def test_tables_come_from_the_same_messages(to_server: Any, tmp_path: Any) -> None:
    """A DataFrame, record batches and a Parquet file of the mailbox."""
    import pyarrow
    import pyarrow.parquet

    to_server().export_parquet(tmp_path / "mail.parquet")

    assert to_server().fetch_dataframe()["subject"].tolist() == ["mail 1", "mail 2", "mail 3"]
    assert pyarrow.table(to_server().record_batches([2]))["messageId"].to_pylist() == [2]
    assert pyarrow.parquet.read_table(tmp_path / "mail.parquet").num_rows == 3


def test_headers_alone_are_rows_without_bodies(mailbox: Mailbox, opened: Opened) -> None:
    """From TOP, with the LISTed size and the unique-id, and without a hash: nothing was fetched."""
    with opened(mailbox.handler()) as handler:
        rows = list(handler.iter_headers())
        uidls = handler.uidl()

    assert SUBJECTS == [row.subject for row in rows]
    assert uidls == {row.message_id: row.uidl for row in rows}
    assert [len(mail) for mail in MAILS] == [row.size for row in rows]
    assert {(None, None, None, 0)} == {
        (row.text_body, row.content_hash, row.raw, row.attachment_count) for row in rows
    }


def test_headers_come_for_the_numbers_asked_for_and_in_their_order(mailbox: Mailbox, opened: Opened) -> None:
    """A number that is nobody's is left out, with a warning that names it."""
    with (
        opened(mailbox.handler()) as handler,
        pytest.warns(UserWarning, match=r"1 message gave no header: \[99\]"),
    ):
        rows = list(handler.iter_headers([5, 99, 2]))

    assert ["mail 5", "mail 2"] == [row.subject for row in rows]
