"""Mails that begin with a dot, where servers do not stuff it: none is given to another number, none lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lab.dovecot import Dovecot

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3ProtocolError
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Unstuffed

FORGED = b".\r\n+OK 30 octets\r\nSubject: FORGED\r\n\r\nyou owe me\r\n"
REAL = [b"Subject: real %d\r\n\r\nbody %d\r\n" % (number, number) for number in range(2, 6)]


def to(port: int, user: str, **options: object) -> POP3ProtocolHandler:
    """A handler in plain text."""
    return POP3ProtocolHandler("127.0.0.1", port, user, "secret", "none", 5, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("pipelining", [None, False])
def test_a_mail_that_plays_the_next_reply_shifts_no_body(
    dovecot: Dovecot, dovecot_user: str, pipelining: bool | None
) -> None:
    """A line "." at its start ends it for us; what follows looks like an answer, and nobody believes it."""
    dovecot.deliver(dovecot_user, [FORGED, *REAL])
    with pytest.warns(UserWarning, match="could not be fetched"):
        messages = to(dovecot.port, dovecot_user, pipelining=pipelining).fetch_messages()

    assert [(number, f"real {number}") for number in (2, 3, 4, 5)] == [
        (each["messageId"], each["subject"]) for each in messages
    ]


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.retr(1),
        lambda client: list(client.retr_many([1, 2])),
        lambda client: list(client.retr_many([1, 2], {1: 49, 2: 29})),
    ],
)
def test_nothing_where_octets_were_told_of_ends_the_session(
    dovecot: Dovecot, dovecot_user: str, use: Callable[[POP3], object]
) -> None:
    """By LIST or by the reply itself: the rest of the mail stands where the next reply belongs."""
    dovecot.deliver(dovecot_user, [FORGED, *REAL])
    client = POP3("127.0.0.1", dovecot.port, timeout=5)
    client.user(dovecot_user)
    client.pass_("secret")
    with pytest.raises(POP3ProtocolError, match="nothing came for RETR"):
        use(client)
    assert client.ended


@pytest.mark.parametrize("pipelining", [None, False])
def test_a_mail_that_plays_the_next_reply_shifts_no_header(
    dovecot: Dovecot, dovecot_user: str, pipelining: bool | None
) -> None:
    """TOP is not stuffed there either: what is shown under a number may be marked, or skipped as too old."""
    dovecot.deliver(dovecot_user, [REAL[0], FORGED, *REAL[1:]])
    shown: list[tuple[int, str | None]] = []
    rows = to(dovecot.port, dovecot_user, pipelining=pipelining).iter_headers()
    with pytest.raises(POP3ProtocolError):
        shown.extend((row.message_id, row.subject) for row in rows)
    assert [(1, "real 2")] == [each for each in shown if each != (2, None)]


def test_an_empty_mail_has_an_empty_header() -> None:
    """And those behind it have theirs."""
    with EmbeddedServer([b"", b"Subject: x\r\n\r\n"], username="ann", password="secret") as server:
        rows = list(to(server.port, "ann").iter_headers())
    assert [(1, None), (2, "x")] == [(row.message_id, row.subject) for row in rows]


def test_an_empty_mail_is_empty() -> None:
    """Where nobody tells of octets."""
    with EmbeddedServer([b"", b"Subject: x\r\n\r\n"], username="ann", password="secret") as server:
        raw = dict(to(server.port, "ann").iter_raw())
    assert {1: b"", 2: b"Subject: x\r\n\r\n"} == raw


def test_a_dot_that_was_never_stuffed_stays(dovecot: Dovecot, dovecot_user: str) -> None:
    """A header field that begins with a dot is odd, and all of it is the mail's."""
    mail = b".hidden: x\r\nSubject: one\r\n\r\nhi\r\n"
    dovecot.deliver(dovecot_user, [mail])
    assert {1: mail} == dict(to(dovecot.port, dovecot_user).iter_raw())
    with EmbeddedServer([mail], username="ann", password="secret", faults=[Unstuffed("RETR")]) as server:
        assert {1: mail} == dict(to(server.port, "ann").iter_raw())
    with EmbeddedServer([mail], username="ann", password="secret") as server:
        assert {1: mail} == dict(to(server.port, "ann").iter_raw())
