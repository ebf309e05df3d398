"""Every way to log in to a real Dovecot, in plain text, by STLS and by TLS; its refusals and its locks."""

from __future__ import annotations

import base64
import binascii
import itertools
import logging
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from client.canaries import everything
from lab.dovecot import ELSEWHERE, Dovecot
from lab.relay import Relay

from pop3frames.client.credentials import OAuth2
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.retry import Retry
from pop3frames.errors import POP3AuthenticationError, POP3BusyError
from pop3frames.protocol.grammar import Verb
from pop3frames.protocol.sasl import BEARERS

pytestmark = pytest.mark.dovecot

PASSWORD = "canary-password-77"
# What whoever reads along learns without TLS: SCRAM and APOP prove the password without saying it.
SPOKEN = {"PLAIN", *BEARERS}
_numbers = itertools.count(1)


class Mailbox:
    """A user of one test, and a relay before the server."""

    def __init__(self, server: Dovecot, user: str) -> None:
        self.server, self.user = server, user
        server.add_user(user, PASSWORD)
        server.deliver(user, [b"Subject: one\r\n\r\nhello\r\n"])

    def handler(self, port: int, password: Any = PASSWORD, **options: Any) -> POP3ProtocolHandler:
        options = {"timeout": 10, "cafile": self.server.ca_file} | options
        return POP3ProtocolHandler("localhost", port, self.user, password, **options)

    def target(self, encryption: str) -> int:
        return self.server.tls_port if encryption == "ssl" else self.server.port

    def told(self, pattern: str) -> list[str]:
        """What the log says of this user, as soon as it says something like that."""
        end = time.monotonic() + 10
        while True:
            lines = [line for line in self.server.log.splitlines() if f"user=<{self.user}>" in line]
            found = [match[1] for line in lines if (match := re.search(pattern, line))]
            if found or time.monotonic() > end:
                return found
            time.sleep(0.01)


@pytest.fixture
def mailbox(dovecot: Dovecot) -> Mailbox:
    """A mailbox of this test alone, with one mail."""
    return Mailbox(dovecot, f"login{next(_numbers)}")


def readable(capture: bytes) -> bytes:
    """What whoever reads along can read: the bytes, and behind them what is base64 there."""
    shown = [capture]
    for word in re.findall(rb"[A-Za-z0-9+/=]{8,}", capture):
        try:
            shown.append(base64.b64decode(word, validate=True))
        except binascii.Error:
            continue
    return b"\n".join(shown)


class Provider:
    """Gives these tokens, one after the other whenever it is forced; notes how it was asked."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.asked: list[bool] = []

    def __call__(self, *, force_refresh: bool = False) -> str:
        self.asked.append(force_refresh)
        if force_refresh and len(self.tokens) > 1:
            del self.tokens[0]
        return self.tokens[0]


class Sent:
    """An observer that keeps what was sent, with *** for every secret."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def sent(self, verb: Verb, line: bytes) -> None:
        self.lines.append(line)

    def received(self, data: bytes) -> None: ...

    def secured(self) -> None: ...

    def closed(self) -> None: ...


@pytest.mark.parametrize("encryption", ["ssl", "tls", "none"])
@pytest.mark.parametrize(
    ("auth", "method"),
    [
        (None, "PLAIN"),  # what Dovecot's log calls USER and PASS
        ("USER", "PLAIN"),
        ("PLAIN", "PLAIN"),
        ("SCRAM-SHA-256", "SCRAM-SHA-256"),
        ("APOP", "APOP"),
        ("XOAUTH2", "XOAUTH2"),
        ("OAUTHBEARER", "OAUTHBEARER"),
        (None, "OAUTHBEARER"),  # for an OAuth2, where it is offered
    ],
)
def test_the_right_secret_opens_the_mailbox_and_tls_hides_it(
    mailbox: Mailbox, encryption: str, auth: str | None, method: str
) -> None:
    """By the mechanism asked for; a capture shows the secret only where it is said without TLS."""
    secret = mailbox.server.token(mailbox.user) if method in BEARERS else PASSWORD
    credential = OAuth2(Provider(secret)) if method in BEARERS and auth is None else secret
    with Relay(mailbox.target(encryption)) as relay:
        handler = mailbox.handler(relay.port, credential, encryption=encryption, auth=auth)
        assert 1 == handler.get_mailbox_stat()[0]
        shown = readable(relay.capture)

    assert [method] == mailbox.told(r"Login: .*method=([^,]+)")
    assert (encryption == "none" and method in SPOKEN) == (secret.encode() in shown)
    assert (encryption == "none") == (mailbox.user.encode() in shown)


@pytest.mark.parametrize("auth", [None, "PLAIN", "SCRAM-SHA-256", "APOP"])
def test_a_wrong_password_is_said_once_and_shown_nowhere(
    mailbox: Mailbox, auth: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Repeating it would lock the account; no error, log or frame holds it, nor its base64."""
    caplog.set_level(logging.DEBUG)
    wrong = f"{PASSWORD}-and-more"
    handler = mailbox.handler(mailbox.target("tls"), wrong, encryption="tls", auth=auth, retry=Retry(3))
    with pytest.raises(POP3AuthenticationError) as raised:
        handler.get_mailbox_stat()

    assert "AUTH" == raised.value.code
    assert ["1"] == mailbox.told(r"auth failed, (\d+) attempts")
    shown = readable((everything(raised.value) + caplog.text).encode())
    assert b"Authentication failed" in shown
    assert PASSWORD.encode() not in shown


# Tokens


@pytest.mark.parametrize("auth", ["XOAUTH2", "OAUTHBEARER"])
def test_an_ended_token_is_renewed_and_the_login_goes_on(mailbox: Mailbox, auth: str) -> None:
    """In the same session; nobody else hears of it."""
    ended, good = mailbox.server.token(mailbox.user, seconds=-60), mailbox.server.token(mailbox.user)
    provider = Provider(ended, good)
    handler = mailbox.handler(
        mailbox.target("ssl"), OAuth2(provider), encryption="ssl", auth=auth, retry=Retry(1)
    )
    assert 1 == handler.get_mailbox_stat()[0]

    assert [False, True] == provider.asked
    assert [auth] == mailbox.told(r"Login: .*method=([^,]+)")


@pytest.mark.parametrize(
    ("auth", "said"), [("XOAUTH2", "status 401, scope mail"), ("OAUTHBEARER", "status invalid_token")]
)
def test_a_second_refusal_of_a_token_is_the_last_word(
    mailbox: Mailbox, auth: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A forged one and one of somebody else; the error says why in the server's words, and no token."""
    caplog.set_level(logging.DEBUG)
    forged = mailbox.server.token(mailbox.user, key=b"another key")
    provider = Provider(forged, mailbox.server.token("somebody-else"), mailbox.server.token(mailbox.user))
    handler = mailbox.handler(
        mailbox.target("tls"), OAuth2(provider), encryption="tls", auth=auth, retry=Retry(3)
    )
    with pytest.raises(POP3AuthenticationError, match=said) as raised:
        handler.get_mailbox_stat()

    assert [False, True] == provider.asked
    assert ["2"] == mailbox.told(r"auth failed, (\d+) attempts")
    shown = readable((everything(raised.value) + caplog.text).encode())
    assert b"Authentication failed" in shown
    assert not [part for part in forged.split(".")[1:] if part.encode() in shown]


def test_a_token_that_nobody_can_renew_is_said_once(mailbox: Mailbox) -> None:
    """What the server says against it is told all the same."""
    ended = mailbox.server.token(mailbox.user, seconds=-60)
    handler = mailbox.handler(mailbox.target("ssl"), ended, encryption="ssl", auth="XOAUTH2", retry=Retry(3))
    with pytest.raises(POP3AuthenticationError, match=r"status 401.*there is no newer one"):
        handler.get_mailbox_stat()

    assert ["1"] == mailbox.told(r"auth failed, (\d+) attempts")


# A stricter server


@pytest.fixture(scope="module")
def strict(require: Any) -> Iterator[Dovecot]:
    """A Dovecot that locks mailboxes, marks nothing as read, and wants TLS before a password."""
    with Dovecot(lock_session=True, no_flag_updates=True, disable_plaintext_auth=True) as server:
        yield server


def test_the_long_silence_before_in_use_is_no_hanging_server(dovecot: Dovecot, strict: Dovecot) -> None:
    """Dovecot 2.3 says nothing for 11 seconds: a timeout of 2 would blame the network."""
    mailbox = Mailbox(strict, "locked")
    with mailbox.handler(strict.tls_port, encryption="ssl") as first:
        assert 1 == first.get_mailbox_stat()[0]
        second = mailbox.handler(strict.tls_port, encryption="ssl", timeout=2, retry=Retry(attempts=1))
        with pytest.raises(POP3BusyError, match="locked by another") as raised:
            second.get_mailbox_stat()
        assert 1 == first.get_mailbox_stat()[0]

    assert "IN-USE" == raised.value.code
    assert 1 == second.get_mailbox_stat()[0]


@pytest.mark.parametrize("auth", ["USER", "PLAIN"])
def test_a_password_is_not_said_to_a_server_that_wants_none_in_plain_text(
    dovecot: Dovecot, strict: Dovecot, auth: str
) -> None:
    """It offers neither USER nor PLAIN there; what proves the password without saying it is let in."""
    mailbox = Mailbox(strict, f"plain-{auth}".lower())
    where = (ELSEWHERE, strict.port, mailbox.user, PASSWORD, "none", 10)
    sent = Sent()
    with pytest.raises(POP3AuthenticationError, match=r"\[AUTH\] Plaintext authentication"):
        POP3ProtocolHandler(*where, auth=auth, observers=[sent]).get_mailbox_stat()  # type: ignore[arg-type]

    said = b"AUTH PLAIN\r\n" if auth == "PLAIN" else b"USER %s\r\n" % mailbox.user.encode()
    assert said in sent.lines
    assert [] == [line for line in sent.lines if b"***" in line]
    let_in = POP3ProtocolHandler(*where)  # type: ignore[arg-type]  # by SCRAM, which it offers
    assert 1 == let_in.get_mailbox_stat()[0]


@pytest.mark.parametrize(("which", "marked"), [("dovecot", True), ("strict", False)])
def test_retrieving_marks_as_read_where_the_server_does_so(
    which: str, marked: bool, request: pytest.FixtureRequest
) -> None:
    """The mark in the name of the file; `pop3_no_flag_updates` is what the other one is for."""
    server: Dovecot = request.getfixturevalue(which)
    mailbox = Mailbox(server, f"read-{which}")
    handler = mailbox.handler(server.tls_port, encryption="ssl")
    assert ["one"] == [message["subject"] for message in handler.fetch_messages()]

    folder = server.home / "mail" / mailbox.user / "Maildir" / "cur"
    assert [marked] == [path.name.endswith("S") for path in folder.iterdir()]
