"""An export and what servers say: EXPIRE 0, wrong passwords, locked mailboxes, refused listings."""

from __future__ import annotations

from pathlib import Path

import pytest
from export.mailboxes import account_at, account_of, counts, ids, listing, mails, retr, stored
from lab.relay import Relay
from lab.scripted import GREETING, LOGIN, QUIT, Peer, ScriptedServer, Step

from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3AuthenticationError, POP3BusyError, POP3CommandError
from pop3frames.export.mailbox import export_mailbox
from pop3frames.server.embedded import EmbeddedServer


def expiring(count: int) -> list[Step]:
    """A session up to QUIT on a server that says EXPIRE 0: QUIT hides what was RETRed (Gmail)."""
    numbered = dict(enumerate(mails(count), 1))
    uidls = {number: message.uidl for number, message in numbered.items()}
    session = listing(uidls, dict.fromkeys(uidls, 400), b"EXPIRE 0")
    return session + [retr(number, message) for number, message in numbered.items()]


def test_without_the_bytes_an_export_ends_without_quit_where_quit_hides_mail(folder: Path) -> None:
    """The rows are stored and the mail stays visible: the connection is just closed."""
    with ScriptedServer(expiring(3)) as server:
        assert (3, 3, 0, 0, 0) == counts(export_mailbox(account_at(server.port), folder))
    assert "RETR 3" == server.commands[-1]


def test_with_the_bytes_an_export_quits_only_after_its_commit(folder: Path) -> None:
    """When QUIT arrives, all that was RETRed is in the dataset already; then it looks for more."""
    seen: list[list[str | None]] = []

    def look(peer: Peer) -> None:
        seen.append(stored(folder))

    nothing_more = [*listing({}, {}, b"EXPIRE 0"), QUIT]
    with ScriptedServer([*expiring(3), ("QUIT", look, b"+OK\r\n")], nothing_more) as server:
        export_mailbox(account_at(server.port), folder, keep_raw=True)
    assert [ids(mails(3))] == seen


def test_nothing_new_is_no_reason_to_leave_without_quit(folder: Path) -> None:
    """Nothing was RETRed, so QUIT hides nothing."""
    uidls = {1: "uid-00001"}
    with ScriptedServer(expiring(1), [*listing(uidls, {1: 400}, b"EXPIRE 0"), QUIT]) as server:
        export_mailbox(account_at(server.port), folder)
        assert (1, 0, 1, 0, 0) == counts(export_mailbox(account_at(server.port), folder))
    assert "QUIT" == server.commands[-1]


@pytest.mark.parametrize("keep_raw", [True, False])
def test_an_export_never_sends_dele(folder: Path, keep_raw: bool) -> None:
    """Nothing is deleted from the server."""
    with EmbeddedServer(mails(5)) as server, Relay(server.port) as relay:
        export_mailbox(account_at(relay.port, server.password), folder, keep_raw=keep_raw)
        assert 5 == len(server.maildrop)
        assert b"DELE" not in relay.capture


def test_a_wrong_password_is_tried_once(folder: Path) -> None:
    """Repeated tries lock accounts; nothing is created."""
    with EmbeddedServer(mails(2)) as server, Relay(server.port) as relay:
        with pytest.raises(POP3AuthenticationError, match="wrong user name or password"):
            export_mailbox(account_at(relay.port, "guess"), folder)
        assert 1 == len(relay.from_clients)
        assert 1 == relay.capture.count(b"PASS ")
    assert not folder.exists()


def test_a_mailbox_in_use_by_another_session_is_busy(folder: Path, waits: list[float]) -> None:
    """[IN-USE] is no wrong password: it is waited for twice, and then told."""
    with EmbeddedServer(mails(2)) as server:
        other = POP3("127.0.0.1", server.port)
        other.user(server.username)
        other.pass_(server.password)
        with Relay(server.port) as relay, pytest.raises(POP3BusyError) as caught:
            export_mailbox(account_at(relay.port, server.password), folder)
        assert (3, 2) == (relay.capture.count(b"PASS "), len(waits))
        other.quit()
        assert "IN-USE" == caught.value.code
        assert (2, 2, 0, 0, 0) == counts(export_mailbox(account_of(server), folder))


def test_a_refused_list_is_not_an_empty_mailbox(folder: Path) -> None:
    """The server's words reach the caller."""
    script = [*LOGIN, ("UIDL", b"+OK\r\n1 a\r\n.\r\n"), ("LIST", b"-ERR mailbox is broken\r\n")]
    with ScriptedServer(script) as server, pytest.raises(POP3CommandError, match="mailbox is broken"):
        export_mailbox(account_at(server.port), folder)


def test_a_bare_rfc_1939_server_is_enough(folder: Path) -> None:
    """No CAPA, no UIDL, no TOP, one message at a time."""
    [only] = mails(1)
    script = [
        GREETING,
        ("CAPA", b"-ERR\r\n"),
        ("USER user", b"+OK\r\n"),
        ("PASS secret", b"+OK\r\n"),
        ("UIDL", b"-ERR\r\n"),
        ("LIST", b"+OK\r\n1 400\r\n.\r\n"),
        retr(1, only),
        QUIT,
    ]
    with ScriptedServer(script) as server:
        assert (1, 1, 0, 0, 0) == counts(export_mailbox(account_at(server.port), folder))


def test_what_was_popped_and_not_stored_keeps_the_run_from_quitting(folder: Path) -> None:
    """EXPIRE 0: a mail that arrived empty against its LISTed size must not be hidden by our QUIT."""
    uidls = {number: message.uidl for number, message in enumerate(mails(3), 1)}
    listed, empty = listing(uidls, dict.fromkeys(uidls, 400), b"EXPIRE 0"), ("RETR 3", b"+OK\r\n.\r\n")
    with ScriptedServer([*expiring(3)[:-1], empty], [*listed, empty], [*listed, QUIT]) as server:
        assert (3, 2, 0, 1, 0) == counts(export_mailbox(account_at(server.port), folder, keep_raw=True))
        assert [False, False, True] == [b"QUIT" in peer.received for peer in server.peers]


def test_a_mailbox_whose_unique_ids_are_all_new_is_worth_a_warning(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A migration renumbers: the mail is fetched again, but not without a word."""
    with EmbeddedServer(mails(6)) as server:
        export_mailbox(account_of(server), folder)
    assert "renumbered" not in caplog.text
    with EmbeddedServer([message.raw for message in mails(6)]) as server:
        export_mailbox(account_of(server), folder)

    assert "renumbered" in caplog.text
