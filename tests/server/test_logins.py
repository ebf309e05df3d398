"""Logins in dialogues: every mechanism, in one step and in two, cancelled, malformed, too often, too soon."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
import scramp
from server.playing import LOGIN, answers_of, base64_of, octets_of, play, session_of

from pop3frames.protocol import sasl
from pop3frames.server.faults import Pause
from pop3frames.server.features import Bounds
from pop3frames.server.session import ServerSession

READY = "\nS: +OK pop3frames ready\n"
PLAIN, WRONG = base64_of(b"\0ann\0a secret"), base64_of(b"\0ann\0wrong")
BEARERS = {
    "XOAUTH2": (b"user=%s\1auth=Bearer %s\1\1", b""),
    "OAUTHBEARER": (b"n,a=%s,\1host=h\1port=110\1auth=Bearer %s\1\1", b"\1"),
}


def _bearer(mechanism: str, name: bytes = b"ann", token: bytes = b"a.token") -> str:
    return base64_of(BEARERS[mechanism][0] % (name, token))


# SASL


def test_a_login_by_sasl_takes_one_step_or_two() -> None:
    """RFC 5034 section 4; a cancelled or malformed exchange leaves the session usable."""
    play(f"""{READY}
C: AUTH CRAM-MD5
S: -ERR unknown mechanism
C: AUTH PLAIN
S: +…
C: *
S: -ERR cancelled
C: AUTH PLAIN
S: +…
C: not base64
S: -ERR malformed response…
C: AUTH PLAIN
S: +…
C: AGFubgBhIHNlY3JldA=!
S: -ERR malformed response…
C: AUTH PLAIN
S: +…
C: {base64_of(b"no zeros")}
S: -ERR malformed response
C: AUTH PLAIN =
S: -ERR malformed response
C: AUTH PLAIN
S: +…
C:
S: -ERR malformed response
C: AUTH PLAIN *
S: -ERR cancelled
C: AUTH PLAIN
S: +…
C: {WRONG}
S: -ERR [AUTH] wrong user name or password
C: AUTH PLAIN
S: +…
C: {PLAIN}
S: +OK…
C: AUTH PLAIN {PLAIN}
S: -ERR…
""")
    play(f"{READY}C: auth plain {PLAIN}\nS: +OK…\nC: NOOP\nS: +OK")


@pytest.mark.parametrize("mechanism", BEARERS)
def test_a_login_by_token(mechanism: str) -> None:
    """A refusal is a challenge that says why in JSON; then comes -ERR, whatever the client answers."""
    refusal, answer = None, base64_of(BEARERS[mechanism][1])
    session = session_of(tokens={"ann": "a.token"})
    for token in (b"b.token", b"c.token"):
        challenge = answers_of(session, [f"AUTH {mechanism} {_bearer(mechanism, token=token)}\r\n".encode()])
        assert challenge.startswith(b"+ ")
        refusal = sasl.refusal(sasl.decoded(challenge[2:-2]) or b"")
        assert "status" in refusal
        end = b"-ERR [AUTH] wrong user name or token\r\n" if token == b"b.token" else b"-ERR cancelled\r\n"
        reply = answer if token == b"b.token" else "*"
        assert end == answers_of(session, [reply.encode() + b"\r\n"])
    play(
        f"""
C: AUTH {mechanism} {base64_of(b"nonsense")}
S: -ERR malformed response
C: AUTH {mechanism}
S: +…
C: {_bearer(mechanism)}
S: +OK…
""",
        session,
        greets=False,
    )


@pytest.mark.parametrize("mechanism", BEARERS)
def test_a_token_of_somebody_unknown_is_refused(mechanism: str) -> None:
    """As a wrong one."""
    session = session_of(tokens={"ann": "a.token"})
    line = f"AUTH {mechanism} {_bearer(mechanism, name=b'eve')}\r\n".encode()

    assert answers_of(session, [line]).startswith(b"+ ")


def _scram(session: ServerSession, name: str, password: str) -> tuple[bytes, scramp.ScramClient]:
    """The end of an exchange with scramp as the client, and that client."""
    client = scramp.ScramClient(["SCRAM-SHA-256"], name, password)
    first = base64_of(client.get_client_first().encode())
    told = answers_of(session, [f"AUTH SCRAM-SHA-256 {first}\r\n".encode()])
    client.set_server_first((sasl.decoded(told[2:-2]) or b"").decode())
    return answers_of(session, [base64_of(client.get_client_final().encode()).encode() + b"\r\n"]), client


def test_a_login_by_scram_proves_both_sides() -> None:
    """The package's own client accepts the server's signature; POP3 wants one more empty line."""
    session = session_of(sasl=("SCRAM-SHA-256",))
    told, client = _scram(session, "ann", "a secret")
    client.set_server_final((sasl.decoded(told[2:-2]) or b"").decode())

    assert b"+OK logged in\r\n" == answers_of(session, [b"\r\n"])


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong"), ("eve", "a secret")])
def test_a_wrong_login_by_scram_fails_at_the_same_place_whatever_was_wrong(name: str, password: str) -> None:
    """The proof: an unknown name is not told earlier."""
    session = session_of(sasl=("SCRAM-SHA-256",))
    told, _ = _scram(session, name, password)

    assert b"-ERR [AUTH] wrong user name or password\r\n" == told


@pytest.mark.parametrize("response", [b"nonsense", b"\xff", b"", b"n,,n=ann", b"y,,n=ann,r=\x80"])
def test_a_malformed_scram_message_is_refused(response: bytes) -> None:
    """And the session goes on."""
    session = session_of(sasl=("SCRAM-SHA-256",))
    line = b"AUTH SCRAM-SHA-256 " + (base64_of(response).encode() or b"=") + b"\r\n"

    assert answers_of(session, [line]).startswith(b"-ERR ")
    assert answers_of(session, [LOGIN_LINES]).endswith(b"+OK logged in\r\n")


LOGIN_LINES = b"USER ann\r\nPASS a secret\r\n"


# APOP, USER and PASS


def test_a_login_by_apop_uses_the_timestamp_of_this_greeting() -> None:
    """Each session has another, so that a digest that was overheard is of no use."""
    digests = []
    sessions = [session_of(apop=True) for _ in range(2)]
    for session in sessions:
        timestamp = re.search(rb"<[^<>\s]+@[^<>\s]+>", octets_of(session.greeting()))
        assert timestamp is not None
        digests.append(hashlib.md5(timestamp[0] + b"a secret").hexdigest().encode())

    assert digests[0] != digests[1]
    assert b"-ERR [AUTH]" in answers_of(sessions[0], [b"APOP ann " + digests[1] + b"\r\n"])
    assert b"-ERR [AUTH]" in answers_of(sessions[0], [b"APOP eve " + digests[0] + b"\r\n"])
    assert b"+OK logged in\r\n" == answers_of(sessions[0], [b"APOP ann " + digests[0] + b"\r\n"])


def test_plain_text_is_refused_before_tls_and_welcome_after_it() -> None:
    """Nothing about the password is told; where SCRAM and APOP show none, they are welcome always."""
    switches: dict[str, Any] = {"sasl": ("PLAIN", "XOAUTH2", "SCRAM-SHA-256"), "apop": True}
    session = session_of(has_tls=True, tokens={"ann": "a.token"}, **switches)
    play(
        f"""
C: USER ann
S: -ERR start TLS first: STLS
C: PASS a secret
S: -ERR USER first
C: AUTH PLAIN
S: -ERR start TLS first: STLS
C: AUTH PLAIN {PLAIN}
S: -ERR start TLS first: STLS
C: AUTH XOAUTH2
S: -ERR start TLS first: STLS
C: AUTH OAUTHBEARER
S: -ERR unknown mechanism
C: AUTH SCRAM-SHA-256
S: +…
C: *
S: -ERR cancelled
C: APOP ann x
S: -ERR [AUTH]…
C: STLS
S: +OK begin TLS
""",
        session,
        greets=False,
    )
    session.tls_started()

    assert answers_of(session, [LOGIN_LINES]).endswith(b"+OK logged in\r\n")


# How often, how soon


def test_wrong_logins_wait_longer_each_time_and_end_the_session() -> None:
    """What else is wrong with a login costs nothing."""
    session = session_of(bounds=Bounds(failed_logins=(0.0, 1.5, 4.0)))
    session.receive(b"USER eve\r\nPASS x\r\nPASS x\r\nAUTH PLAIN =\r\n")
    session.receive(f"AUTH PLAIN {WRONG}\r\nUSER ann\r\nPASS x\r\nNOOP\r\n".encode())
    steps = list(session.replies())

    pauses = [at for at, step in enumerate(steps) if isinstance(step, Pause)]
    assert [Pause(1.5), Pause(4.0)] == [steps[at] for at in pauses]
    assert [b"-ERR [AUTH] wrong user name or password\r\n"] * 2 == [steps[at + 1] for at in pauses]
    assert session.ended
    assert 7 + 2 == len(steps)


def test_a_login_too_soon_is_told_to_wait() -> None:
    """[LOGIN-DELAY] (RFC 2449 section 8.1.1): the credentials were right, and the mailbox is free again."""
    now = [0.0]
    session = session_of(login_delay=300, clock=lambda: now[0])
    service = session._service
    play(LOGIN + "C: QUIT\nS: +OK…", session)
    later = ServerSession(service)
    now[0] = 299.0
    told = play(
        LOGIN.replace("secret\nS: +OK…", "secret\nS: -ERR [LOGIN-DELAY] log in 300 seconds apart"), later
    )
    now[0] = 300.0
    play("C: USER ann\nS: +OK…\nC: PASS a secret\nS: +OK…", told, greets=False)
