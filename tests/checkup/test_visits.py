"""Sessions of a check-up with servers that are hostile, endless, elsewhere or not there."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from checkup.odd_servers import MAILS, PASSWORD, assert_harmless, capa, looked_over, odd
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.scripted import STALL, drip, endless

from pop3frames.checkup import visits
from pop3frames.checkup.doctor import check_up
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.server.embedded import EmbeddedServer

# Hostile servers


def test_words_of_a_server_never_reach_the_terminal_as_they_came() -> None:
    """In greeting, capabilities and refusals."""
    bad = b"\x1b[2J\x07\xe2\x80\xae"
    changes = {
        "greeting": b"+OK " + bad + b"\r\n",
        "CAPA": capa(b"USER\r\nIMPLEMENTATION " + bad + b"\r\n"),
        "STAT": b"+OK " + bad + b"\r\n",
        "RETR": b"-ERR " + bad + b"\r\n",
    }
    with odd(changes) as server:
        rows = looked_over(server)
    assert "\\x1b[2J" in rows["greeting"].finding
    assert "\\u202e" in rows["implementation"].finding


@pytest.mark.parametrize(
    "form",
    [
        PASSWORD.encode(),
        base64.b64encode(PASSWORD.encode()),
        base64.b64encode(f"\0ann\0{PASSWORD}".encode()),
    ],
)
def test_a_password_that_a_server_repeats_is_not_shown(form: bytes) -> None:
    """As it is, in base64, or as PLAIN sends it."""
    changes = {
        "CAPA inside": capa(b"IMPLEMENTATION " + form + b"\r\n"),
        "STAT": b"-ERR " + form + b"\r\n",
        "RETR": b"-ERR " + form + b"\r\n",
    }
    with odd(changes) as server:
        rows = looked_over(server)
    for name in ("implementation", "mailbox", "retr", "capabilities after login"):
        assert rows[name].finding.endswith("(not shown: it repeats the password)"), name
    with odd({"PASS": b"-ERR " + form + b"\r\n"}) as server:
        assert form.decode() not in str(looked_over(server))
    with odd({"STAT": b"+OK " + form + b"\r\n"}) as server:
        assert looked_over(server)["mailbox"].finding.endswith("(not shown: it repeats the password)")


@pytest.mark.parametrize("verb", ["LIST", "TOP", "RETR"])
@pytest.mark.parametrize("behaviour", [STALL, drip(b"+OK " + b"x" * 10**6, 0.01)])
def test_a_server_that_never_ends_is_left_when_the_time_is_over(verb: str, behaviour: Any) -> None:
    """Whatever the timeout of one answer is."""
    with odd({verb: behaviour}) as server:
        rows = looked_over(server, patience=0.2, timeout=60)
    assert "problem" == rows["export"].verdict
    assert [] != [row for row in rows.values() if "seconds of this check-up were over" in row.finding]


@pytest.mark.parametrize("verb", ["CAPA", "USER", "STAT", "UIDL", "RETR", "NOOP"])
def test_a_server_that_floods_is_left(verb: str) -> None:
    """Lines without end, or replies that nobody asked for."""
    with odd({verb: endless(b"+OK\r\n" + b"x" * 512)}) as server:
        rows = looked_over(server, patience=0.2, timeout=60)
    assert "problem" == rows["export"].verdict


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["CAPA", "CAPA inside", "STAT", "LIST", "UIDL", "TOP", "RETR", "NOOP", "QUIT"]),
        st.lists(
            st.sampled_from([b"+OK", b"-ERR", b" ", b"1", b"99999999999", b"\r\n", b".\r\n", b"\xff", b"x"])
        ),
        max_size=3,
    )
)
def test_whatever_a_server_says_the_table_is_whole(changes: dict[str, list[bytes]]) -> None:
    """A law: no words of a server raise an exception."""
    with odd({name: b"".join(words) for name, words in changes.items()}) as server:
        looked_over(server, patience=0.2)


# Who cannot be reached


def test_a_port_that_speaks_tls_only_is_recognized(certificates: Any) -> None:
    """The client waits for a greeting, the server for a handshake."""
    with EmbeddedServer(MAILS, context=certificates.server("localhost")) as server:
        handler = POP3ProtocolHandler("localhost", server.tls_port or 0, "ann", "x", "none", 0.5)
        rows = {row.check: row for row in check_up(handler)}
    assert "problem" == rows["reach"].verdict
    assert f"port {server.tls_port} answers with encryption='ssl'" == rows["reach"].meaning
    assert "would not begin, see reach" == rows["export"].finding


def test_a_port_of_plain_text_is_recognized() -> None:
    """TLS from the first byte was asked for."""
    with EmbeddedServer(MAILS) as server:
        handler = POP3ProtocolHandler(server.host, server.port, "ann", "x", "ssl", 5)
        rows = {row.check: row for row in check_up(handler)}
    assert ("ok", "problem") == (rows["reach"].verdict, rows["tls"].verdict)
    assert f"port {server.port} answers with encryption='tls' (or 'none')" == rows["tls"].meaning


def test_the_usual_port_is_tried_when_another_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on the one; on what stands for 110 somebody does."""
    with EmbeddedServer() as gone:
        pass
    with EmbeddedServer(MAILS) as server:
        monkeypatch.setattr(visits, "_USUAL", {"ssl": gone.port, "none": server.port})
        handler = POP3ProtocolHandler(server.host, gone.port, "ann", "x", "ssl", 5)
        rows = {row.check: row for row in check_up(handler)}
    assert "refused the connection" in rows["reach"].finding
    assert f"port {server.port} answers with encryption='tls' (or 'none')" == rows["reach"].meaning


def test_a_host_that_has_no_address_is_one_problem() -> None:
    """Everything else is skipped."""
    rows = check_up(POP3ProtocolHandler("no.such.host.invalid", 995, "ann", "x"))
    assert_harmless(rows)
    by_name = {row.check: row for row in rows}
    assert "unknown host" in by_name["reach"].finding
    assert {"reach", "export"} == {row.check for row in rows if row.verdict != "skipped"}
