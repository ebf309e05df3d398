"""POP3 has poplib's names and shapes: the standard library is the judge, on the same server."""

from __future__ import annotations

import contextlib
import poplib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab.scripted import GREETING, ScriptedServer

from pop3frames.client.pop3 import POP3
from pop3frames.errors import (
    POP3AuthenticationError,
    POP3CommandError,
    POP3ConnectionError,
    POP3UsageError,
)
from pop3frames.server.embedded import EmbeddedServer


@pytest.fixture
def both(server: EmbeddedServer) -> Iterator[Callable[[Callable[[Any], object]], tuple[object, object]]]:
    """`both(use)`: what `use` gives with our client and with poplib's, one after the other."""

    def run(use: Callable[[Any], object]) -> tuple[object, object]:
        results = []
        for make in (POP3, poplib.POP3):
            client = make("127.0.0.1", server.port, timeout=5)
            with contextlib.closing(client):
                client.user("ann")
                client.pass_(server.password)
                results.append(use(client))
                # Its +OK says that the mailbox is free for the other one; unless QUIT was what was tried.
                with contextlib.suppress(POP3UsageError, AttributeError, OSError):
                    client.quit()
        return results[0], results[1]

    return run


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("getwelcome", ()),
        ("stat", ()),
        ("list", ()),
        ("list", (2,)),
        ("uidl", ()),
        ("uidl", (2,)),
        ("retr", (1,)),
        ("top", (1, 1)),
        ("dele", (1,)),
        ("noop", ()),
        ("rset", ()),
        ("capa", ()),
        ("quit", ()),
    ],
)
def test_every_verb_answers_in_the_shape_of_poplib(
    both: Callable[..., tuple[object, object]], verb: str, arguments: tuple[int, ...]
) -> None:
    """The same values, octets included: a dot at a line start is in the mail."""
    ours, theirs = both(lambda client: getattr(client, verb)(*arguments))

    assert ours == theirs


def test_a_mail_that_poplib_cannot_read_is_read() -> None:
    """A line of 100 KB: the standard library stops at 2,048 octets and is out of step."""
    mail = b"Subject: x\r\n\r\n" + b"x" * 100_000 + b"\r\n"
    with (
        EmbeddedServer([mail], username="ann", password="secret") as server,
        POP3("127.0.0.1", server.port, timeout=5) as client,
    ):
        client.user("ann")
        client.pass_("secret")
        status, lines, octets = client.retr(1)

    assert b"\r\n".join(lines) + b"\r\n" == mail
    assert (status, octets) == (b"+OK %d octets" % len(mail), len(mail))


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.user("ann\r\nDELE 1"),
        lambda client: client.pass_("secret\r\nDELE 1"),
        lambda client: client.user(""),
        lambda client: client.user("x" * 300),
        lambda client: client.pass_("x" * 300),
        lambda client: client.retr("1\r\nDELE 1"),
        lambda client: client.retr(True),
        lambda client: client.dele(0),
        lambda client: client.dele(2**31),
        lambda client: client.top(1, -1),
        lambda client: client.authenticate("PLAIN", "ann", ""),
    ],
)
def test_an_argument_that_breaks_the_grammar_is_refused_and_not_sent(
    server: EmbeddedServer, use: Callable[[POP3], object]
) -> None:
    """The session is as it was before, and nothing was deleted."""
    with POP3("127.0.0.1", server.port, timeout=5) as client:
        with pytest.raises(POP3UsageError):
            use(client)
        client.user("ann")
        client.pass_(server.password)
        assert client.stat()[0] == 3


def test_a_refused_command_leaves_the_session_usable(server: EmbeddedServer) -> None:
    """The error has verb, text and code."""
    with POP3("127.0.0.1", server.port, timeout=5) as client:
        client.user("ann")
        with pytest.raises(POP3AuthenticationError) as raised:
            client.pass_("wrong")
        assert (raised.value.verb, raised.value.code) == ("PASS", "AUTH")
        client.user("ann")
        client.pass_(server.password)
        with pytest.raises(POP3CommandError, match="no such message"):
            client.retr(99)
        assert client.stat()[0] == 3


def test_leaving_a_with_block_quits_and_an_exception_does_not(server: EmbeddedServer) -> None:
    """So a mark becomes real only if the block went well."""
    left = []
    for mistake in (None, KeyError):
        with contextlib.suppress(KeyError), POP3("127.0.0.1", server.port, timeout=5) as client:
            client.user("ann")
            client.pass_(server.password)
            client.dele(1)
            if mistake:
                raise mistake
        left.append(len(server.maildrop))

    assert left == [2, 2]


def test_closing_is_possible_at_any_time_and_twice(server: EmbeddedServer) -> None:
    """After it nothing can be sent."""
    client = POP3("127.0.0.1", server.port, timeout=5)
    client.close()
    client.close()
    with pytest.raises(POP3UsageError, match="ended"):
        client.noop()


def test_the_repr_shows_host_encryption_and_state(server: EmbeddedServer) -> None:
    """And nothing of the login."""
    with POP3("127.0.0.1", server.port, timeout=5) as client:
        shown = f"<POP3 127.0.0.1:{server.port} plain text AUTHORIZATION>"
        assert repr(client) == shown
        client.user("ann")
        client.pass_(server.password)
        assert repr(client) == shown.replace("AUTHORIZATION", "TRANSACTION")


def test_a_server_that_goes_on_asking_after_auth_plain_is_no_login() -> None:
    """PLAIN has one response: a second challenge is not taken for success, and the session is closed."""
    script = [
        GREETING,
        ("AUTH PLAIN", b"+ \r\n"),
        ("[A-Za-z0-9+/=]+", b"+ bW9yZQ==\r\n"),
        (r"\*", b"-ERR\r\n"),
    ]
    with ScriptedServer(script) as server:
        client = POP3("127.0.0.1", server.port, timeout=5)
        with pytest.raises(POP3ConnectionError, match="do not belong"):
            client.authenticate("PLAIN", "ann", "secret")
        with pytest.raises(POP3UsageError, match="ended"):
            client.noop()
