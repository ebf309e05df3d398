"""Switches that concern mail: UTF8 mode, languages, servers that delete what was retrieved or show a part."""

from __future__ import annotations

import pytest
from server.playing import LOGIN, MAILS, answers_of, play, session_of

from pop3frames.errors import POP3UsageError
from pop3frames.server.features import Features
from pop3frames.server.maildrop import Maildrop

UTF8_MAILS = ["Subject: Grüße\r\n\r\nx\r\n".encode(), "Subject: x\r\n\r\nGrüße\r\n".encode()]


def test_mail_with_an_8_bit_header_is_for_those_who_said_utf8() -> None:
    """Where the server wants it (RFC 6856 section 5); 8-bit octets in a body never mattered."""
    refused = "S: -ERR [UTF8] the header is not ASCII: say UTF8 before the login"
    session = session_of(Maildrop(UTF8_MAILS), utf8=True, needs_utf8=True)
    play(f"{LOGIN}C: RETR 1\n{refused}\nC: TOP 1 0\n{refused}\nC: LIST 1\nS: +OK 1 23\n", session)

    assert b"+OK 23 octets" in answers_of(session, [b"RETR 2\r\n"])
    said = session_of(Maildrop(UTF8_MAILS), utf8=True, needs_utf8=True)
    assert b"+OK 23 octets" in answers_of(said, [b"UTF8\r\nUSER ann\r\nPASS a secret\r\nRETR 1\r\n"])
    tolerant = session_of(Maildrop(UTF8_MAILS), utf8=True)
    assert b"+OK 23 octets" in answers_of(tolerant, [b"USER ann\r\nPASS a secret\r\nRETR 1\r\n"])
    codeless = session_of(Maildrop(UTF8_MAILS), needs_utf8=True, resp_codes=False)
    assert b"-ERR the header" in answers_of(codeless, [b"USER ann\r\nPASS a secret\r\nRETR 1\r\n"])


def test_utf8_is_for_the_authorization_state_and_forbids_stls() -> None:
    """RFC 6856 section 2.1."""
    session = session_of(has_tls=True, utf8=True, plaintext=True)
    play("C: UTF8\nS: +OK UTF8 mode\nC: STLS\nS: -ERR not after UTF8\n", session, greets=False)
    assert not session.wants_tls
    play("C: USER ann\nS: +OK…\nC: PASS a secret\nS: +OK…\nC: UTF8\nS: -ERR…\n", session, greets=False)


@pytest.mark.parametrize(
    "login", ["", LOGIN.replace("\nS: +OK pop3frames ready", "")], ids=["before", "after"]
)
def test_a_server_that_knows_english_says_so(login: str) -> None:
    """LANG is for both states; `*` is what the server likes best (RFC 6856 section 3)."""
    play(
        f"""{login}
C: LANG
S: +OK languages follow
S: en English
S: i-default English
S: .
C: LANG EN
S: +OK en it stays English
C: LANG *
S: +OK en it stays English
C: LANG fr
S: -ERR no such language
""",
        session_of(lang=True),
        greets=False,
    )


def test_a_server_may_delete_what_was_retrieved() -> None:
    """At QUIT and not without it; TOP retrieves nothing, RSET takes nothing back (EXPIRE 0, as Gmail)."""
    for removes, quits, left in ((True, True, MAILS[1:2]), (True, False, MAILS), (False, True, MAILS[:2])):
        maildrop = Maildrop(MAILS)
        session = session_of(maildrop, expire=0, removes_retrieved=removes)
        answers_of(session, [b"USER ann\r\nPASS a secret\r\nRETR 1\r\nTOP 2 9\r\nRSET\r\nDELE 3\r\n"])
        answers_of(session, [b"QUIT\r\n" * quits])
        session.close()
        assert left == maildrop.messages


def test_a_server_may_show_the_first_messages_only() -> None:
    """The next session shows the next ones once these are gone; the others are there all the time."""
    maildrop = Maildrop(MAILS)
    login = b"USER ann\r\nPASS a secret\r\n"
    first = answers_of(session_of(maildrop, shows=2), [login + b"STAT\r\nRETR 3\r\nDELE 1\r\nQUIT\r\n"])
    octets = sum(len(message.raw) for message in MAILS[:2])
    assert b"+OK 2 %d\r\n-ERR no such message\r\n" % octets in first
    assert MAILS[1:] == maildrop.messages
    second = answers_of(session_of(maildrop, shows=2), [login + b"UIDL 1\r\nQUIT\r\n"])
    assert b"+OK 1 %s\r\n" % MAILS[1].uidl.encode() in second


def test_a_server_that_shows_nothing_is_refused() -> None:
    """Not by a session that has no message to show."""
    with pytest.raises(POP3UsageError, match="at least one"):
        Features(shows=0)
