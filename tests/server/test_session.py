"""Whole sessions, as RFC 1939 writes them down."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server.playing import LOGIN, MAILS, PLAIN, SIZES, answers_of, play, session_of

from pop3frames.errors import POP3ProtocolError
from pop3frames.protocol.grammar import VERBS
from pop3frames.server.features import Bounds
from pop3frames.server.maildrop import Maildrop


def test_a_session_reads_and_deletes() -> None:
    """The example of RFC 1939 section 10, with our mails."""
    maildrop = Maildrop(MAILS)
    transcript = f"""{LOGIN}
C: STAT
S: +OK 3 {sum(SIZES)}
C: LIST
S: +OK 3 messages
S: 1 {SIZES[0]}
S: 2 {SIZES[1]}
S: 3 0
S: .
C: RETR 1
S: +OK {SIZES[0]} octets
S: Subject: one
S:
S: first
S: ..
S: last
S: .
C: DELE 1
S: +OK…
C: RETR 2
S: +OK {SIZES[1]} octets
S: ..dot
S:
S: .
C: RETR 3
S: +OK 0 octets
S: .
C: QUIT
S: +OK…
"""
    session = play(transcript, session_of(maildrop))

    assert session.ended
    assert MAILS[1:] == maildrop.messages
    play(transcript)


def test_marked_messages_are_omitted_and_numbers_do_not_move() -> None:
    """STAT, LIST and UIDL leave them out; to name one is an error (RFC 1939 section 5)."""
    play(
        f"""{LOGIN}
C: DELE 2
S: +OK…
C: STAT
S: +OK 2 {SIZES[0]}
C: LIST
S: +OK 2 messages
S: 1 {SIZES[0]}
S: 3 0
S: .
C: UIDL
S: +OK 2 messages
S: 1 whqtswO00WBw418f9t5JxYwZ
S: 3 empty
S: .
C: LIST 2
S: -ERR no such message
C: UIDL 2
S: -ERR no such message
C: RETR 2
S: -ERR no such message
C: TOP 2 0
S: -ERR no such message
C: DELE 2
S: -ERR no such message
C: LIST 3
S: +OK 3 0
C: UIDL 3
S: +OK 3 empty
"""
    )


def test_reset_takes_all_marks_back() -> None:
    """And deletes nothing at QUIT."""
    maildrop = Maildrop(MAILS)
    transcript = f"""{LOGIN}
C: DELE 1
S: +OK…
C: DELE 3
S: +OK…
C: RSET
S: +OK…
C: STAT
S: +OK 3 {sum(SIZES)}
C: QUIT
S: +OK…
"""
    play(transcript, session_of(maildrop))

    assert MAILS == maildrop.messages


def test_top_shows_the_header_and_some_lines() -> None:
    """Stuffed like a whole message."""
    play(
        f"""{LOGIN}
C: TOP 1 0
S: +OK…
S: Subject: one
S:
S: .
C: TOP 1 2
S: +OK…
S: Subject: one
S:
S: first
S: ..
S: .
C: TOP 2 9999999999
S: +OK…
S: ..dot
S:
S: .
"""
    )


def test_a_mailbox_without_mail_has_empty_listings() -> None:
    """Zero is a number."""
    session = session_of(Maildrop())
    play(
        f"""{LOGIN}
C: STAT
S: +OK 0 0
C: LIST
S: +OK 0 messages
S: .
C: UIDL
S: +OK 0 messages
S: .
C: RETR 1
S: -ERR no such message
""",
        session,
    )


def test_malformed_and_misplaced_commands_are_refused_and_the_session_goes_on() -> None:
    """RFC 1939 section 3: -ERR to what is unknown, unimplemented, malformed or in the wrong state."""
    play(f"""
S: +OK pop3frames ready
C: STAT
S: -ERR…
C: EHLO me
S: -ERR…
C:
S: -ERR…
C: USER
S: -ERR…
C: PASS too early
S: -ERR…
C: STLS
S: -ERR…
C: {"x" * 300}
S: -ERR…
C: USER ann
S: +OK…
C: PASS a secret
S: +OK…
C: USER ann
S: -ERR…
C: AUTH PLAIN
S: -ERR…
C: RETR
S: -ERR…
C: RETR 0
S: -ERR…
C: RETR -1
S: -ERR…
C: RETR 4
S: -ERR…
C: RETR 1 2
S: -ERR…
C: TOP 1
S: -ERR…
C: LIST one
S: -ERR…
C: LAST
S: -ERR…
C: noop
S: +OK
C: STAT
S: +OK 3 {sum(SIZES)}
""")


def test_a_wrong_login_is_refused_with_its_code_and_can_be_repeated() -> None:
    """Whether the name or the password was wrong is not told."""
    play("""
S: +OK pop3frames ready
C: USER eve
S: +OK send PASS
C: PASS a secret
S: -ERR [AUTH] wrong user name or password
C: PASS a secret
S: -ERR USER first
C: USER ann
S: +OK send PASS
C: PASS a  secret
S: -ERR [AUTH] wrong user name or password
C: USER ann
S: +OK send PASS
C: PASS a secret
S: +OK…
""")


def test_a_second_login_finds_the_mailbox_in_use_until_the_first_has_ended() -> None:
    """The credentials are right, and that is what the code says (RFC 2449 section 8.1.2)."""
    maildrop = Maildrop(MAILS)
    first = play(LOGIN, session_of(maildrop))
    second = session_of(maildrop)
    play(LOGIN.replace("PASS a secret\nS: +OK…", "PASS a secret\nS: -ERR [IN-USE]…"), second)
    play("C: QUIT\nS: +OK…", first, greets=False)
    play("C: USER ann\nS: +OK…\nC: PASS a secret\nS: +OK…", second, greets=False)


@pytest.mark.parametrize("ending", [b"", b"QUI", b"QUIT", b"RSET\r\n", b"DELE 1\r\nQUIT\n"])
def test_nothing_is_deleted_without_quit(ending: bytes) -> None:
    """A session that is cut enters no UPDATE state (RFC 1939 section 6), and gives the lock back."""
    maildrop = Maildrop(MAILS)
    session = session_of(maildrop)
    answers_of(session, [b"USER ann\r\nPASS a secret\r\nDELE 1\r\nDELE 2\r\n", ending])
    session.close()
    session.close()

    assert MAILS == maildrop.messages
    assert maildrop.open() is not None


def test_quit_before_the_login_ends_the_session_and_deletes_nothing() -> None:
    """It works on no mailbox."""
    maildrop = Maildrop(MAILS)
    holder = maildrop.open()
    session = play("S: +OK pop3frames ready\nC: QUIT\nS: +OK…", session_of(maildrop))

    assert session.ended
    assert holder is not None
    assert maildrop.open() is None


def test_nothing_behind_quit_is_answered() -> None:
    """The session is over."""
    assert 1 == answers_of(session_of(), [b"QUIT\r\nCAPA\r\nQUIT\r\n"]).count(b"\r\n")


def test_tls_starts_once_and_forgets_what_was_said_before() -> None:
    """What stood behind STLS in plain text is never run, the user name is asked again."""
    session = session_of(has_tls=True, plaintext=True)
    assert b"\r\nSTLS\r\n" in answers_of(session, [b"CAPA\r\n"])
    told = answers_of(session, [b"USER ann\r\nSTLS\r\nPASS a secret\r\nDELE 1\r\n"])

    assert b"+OK send PASS\r\n+OK begin TLS\r\n" == told
    assert session.wants_tls
    session.tls_started()
    assert not session.wants_tls
    assert b"-ERR USER first\r\n" == answers_of(session, [b"PASS a secret\r\n"])
    assert b"-ERR TLS is not available\r\n" == answers_of(session, [b"STLS\r\n"])
    assert b"\r\nSTLS\r\n" not in answers_of(session, [b"CAPA\r\n"])


LINES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [name + tail for name in VERBS for tail in (b"", b" 1", b" 2", b" 1 1", b" ann", b" a secret")]
    ),
    st.sampled_from(
        [b"USER ann", b"PASS a secret", b"AUTH PLAIN", PLAIN.encode(), b"*", b"AUTH PLAIN " + PLAIN.encode()]
    ),
)


@settings(deadline=None)
@given(st.lists(LINES, max_size=15), st.lists(st.integers(0, 300), max_size=8))
def test_whatever_a_client_sends_is_answered_in_order_and_the_same_for_any_cut(
    lines: list[bytes], places: list[int]
) -> None:
    """No exception but a flood's; each line has an answer that starts as POP3 says."""
    wire = b"\r\n".join([b"USER ann", b"PASS a secret", *lines, b""])
    marks = sorted({0, len(wire), *(place % len(wire) for place in places)})
    whole = answers_of(session_of(), [wire])

    assert whole == answers_of(session_of(), [wire[a:b] for a, b in pairwise(marks)])
    assert whole.startswith(b"+OK send PASS\r\n+OK logged in\r\n")
    session = session_of()
    for line in wire.split(b"\n")[:-1]:
        over = session.ended
        session.receive(line + b"\n")
        told = list(session.replies())
        assert [] == told if over else [True] == [each.startswith((b"+OK", b"-ERR", b"+ ")) for each in told]
        assert all(each.endswith(b"\r\n") for each in told)


@pytest.mark.parametrize("error", [b"XYZZY", b"RETR", b"RETR 9", b"USER again", b"STLS"])
def test_errors_in_a_row_end_the_session_and_one_success_forgives_them(error: bytes) -> None:
    """As with Dovecot: whoever makes so many talks to the wrong server."""
    session = session_of(bounds=Bounds(errors=5))
    told = answers_of(session, [b"USER ann\r\nPASS a secret\r\n" + (error + b"\r\n") * 4 + b"NOOP\r\n"])
    assert (4, False) == (told.count(b"-ERR"), session.ended)
    told = answers_of(session, [(error + b"\r\n") * 6])
    assert (5, True) == (told.count(b"-ERR"), session.ended)


def test_a_line_without_end_ends_thesession_of() -> None:
    """The owner is told to close the connection; in an exchange too."""
    for before in (b"", b"AUTH PLAIN\r\n"):
        session = session_of()
        session.receive(before + b"x" * 20_000)
        with pytest.raises(POP3ProtocolError):
            list(session.replies())


def test_answers_are_made_one_by_one_as_they_are_taken() -> None:
    """20,000 commands asking for 20 GB cost one message of memory while nobody reads."""
    session = session_of(Maildrop([b"x" * 1_000_000]))
    answers_of(session, [b"USER ann\r\nPASS a secret\r\n"])
    tracemalloc.start()
    try:
        session.receive(b"RETR 1\r\n" * 20_000)
        replies = session.replies()
        first = [len(next(replies)) for _ in range(5)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert [1_000_025] * 5 == first
    assert peak < 8_000_000
