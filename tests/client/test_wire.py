"""Reaching a server or not, TLS or failure, deadlines: hostile and broken peers from the first byte on."""

from __future__ import annotations

import datetime
import socket
import ssl
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.scripted import CLOSE, GREETING, LOGIN, QUIT, RESET, STALL, ScriptedServer, drip, endless, start_tls

from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3, POP3_SSL
from pop3frames.client.wire import Deadline, Wire
from pop3frames.errors import POP3CommandError, POP3ConnectionError, POP3ProtocolError, POP3UsageError
from pop3frames.protocol.grammar import Limits
from pop3frames.server.embedded import EmbeddedServer

CANARY = "canary-7f3a"


@pytest.fixture
def tls_server(mails: list[bytes], certificates: Any) -> Iterator[EmbeddedServer]:
    """An embedded server with a certificate for localhost."""
    context = certificates.server("localhost", "127.0.0.1")
    with EmbeddedServer(mails, username="ann", password=CANARY, context=context) as running:
        yield running


def to(port: int | None, **options: Any) -> POP3ProtocolHandler:
    """A handler that would log in with the canary."""
    options = {"timeout": 5} | options
    return POP3ProtocolHandler("127.0.0.1", port or 0, "ann", CANARY, **options)


def _unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# Reaching it


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a\0b", "x" * 70 + ".example", ""])
def test_an_unknown_host_is_said_to_be_unknown(host: str) -> None:
    """Names that do not exist, and names that cannot."""
    with pytest.raises(POP3ConnectionError, match=r"unknown host|refused"):
        POP3(host, _unused_port(), timeout=5)


def test_a_refused_port_asks_whether_the_port_is_right() -> None:
    """And names the usual ones."""
    with pytest.raises(POP3ConnectionError, match=r"refused the connection.*995.*110"):
        POP3("127.0.0.1", _unused_port(), timeout=5)


def test_a_port_out_of_range_is_a_connection_error() -> None:
    """No foreign exception from the depths of the socket module."""
    with pytest.raises(POP3ConnectionError):
        POP3("127.0.0.1", 70_000, timeout=5)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_must_be_positive(timeout: float) -> None:
    """Zero would mean to fail always, and is not "for ever"."""
    with pytest.raises(POP3UsageError, match="timeout"):
        POP3("127.0.0.1", _unused_port(), timeout=timeout)


def test_a_greeting_of_err_is_a_connection_error_with_the_reason(naps: list[float]) -> None:
    """Tried again, since servers say it when they are busy; what they say is shown escaped."""
    with (
        ScriptedServer([(None, b"-ERR too many \x1b[2Jconnections\r\n")]) as server,
        pytest.raises(POP3ConnectionError, match=r"too many \\x1b\[2Jconnections"),
    ):
        to(server.port, encryption="none").connect()

    assert (len(server.peers), len(naps), server.received) == (3, 2, b"")


# TLS or failure


def test_a_known_certificate_is_accepted(tls_server: EmbeddedServer, certificates: Any) -> None:
    """By cafile and by context, from the first byte and by STLS."""
    context = ssl.create_default_context(cafile=certificates.ca_file)
    for options in ({"cafile": certificates.ca_file}, {"context": context}):
        assert to(tls_server.tls_port, encryption="ssl", **options).get_mailbox_stat()[0] == 3
        assert to(tls_server.port, encryption="tls", **options).get_mailbox_stat()[0] == 3


@pytest.mark.parametrize("encryption", ["ssl", "tls"])
def test_a_certificate_of_an_unknown_authority_is_refused_at_once(
    tls_server: EmbeddedServer, naps: list[float], encryption: Any
) -> None:
    """Another attempt would see the same certificate."""
    port = tls_server.tls_port if encryption == "ssl" else tls_server.port
    with pytest.raises(POP3ConnectionError, match=r"certificate.*not accepted.*cafile=") as raised:
        to(port, encryption=encryption).list_messages()

    assert (raised.value.retryable, naps) == (False, [])


_LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("names", "options", "reason"),
    [
        (["other.example"], {}, "not valid for|mismatch"),
        (["localhost"], {}, "not valid for|mismatch"),  # 127.0.0.1 was dialled
        (["127.0.0.1"], {"not_before": _LONG_AGO, "not_after": _LONG_AGO.replace(year=2002)}, "expired"),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused(
    certificates: Any, names: list[str], options: dict[str, Any], reason: str
) -> None:
    """Of another host, for a name when an address was dialled, out of date: by TLS and by STLS."""
    with EmbeddedServer(username="ann", context=certificates.server(*names, **options)) as server:
        for port, encryption in ((server.tls_port, "ssl"), (server.port, "tls")):
            with pytest.raises(POP3ConnectionError, match=reason) as raised:
                to(port, encryption=encryption, cafile=certificates.ca_file).connect()
            assert raised.value.retryable is False


def test_tls_below_1_2_is_refused(certificates: Any) -> None:
    """RFC 8996: 1.0 and 1.1 are gone."""
    context = certificates.server("127.0.0.1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        EmbeddedServer(context=context) as server,
        pytest.raises(POP3ConnectionError, match="no TLS"),
    ):
        to(server.tls_port, cafile=certificates.ca_file).connect()


def test_tls_on_a_plain_port_says_what_to_try(server: EmbeddedServer, naps: list[float]) -> None:
    """And is not tried again."""
    with pytest.raises(POP3ConnectionError, match=r"does not speak TLS from the first byte.*'tls'"):
        to(server.port, encryption="ssl").connect()

    assert naps == []


def test_plain_text_on_a_tls_port_ends_in_a_timeout(tls_server: EmbeddedServer) -> None:
    """Each waits for the other to speak first."""
    with pytest.raises(POP3ConnectionError, match="did not answer in time"):
        POP3("127.0.0.1", tls_server.tls_port or 0, timeout=0.2)


def test_a_file_that_is_no_ca_is_a_usage_error(tmp_path: Any) -> None:
    """Missing, or not PEM."""
    (tmp_path / "ca.pem").write_text("no certificate")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(POP3UsageError, match="PEM"):
            to(995, cafile=str(path)).connect()


STLS_ENDINGS = {
    "refused": [b"-ERR not here\r\n", STALL],
    "closed": [CLOSE],
    "reset": [RESET],
    "closed after +OK": [b"+OK go ahead\r\n", CLOSE],
    "reset after +OK": [b"+OK go ahead\r\n", RESET],
    "plain text instead of a handshake": [
        b"+OK go ahead\r\n",
        lambda peer: peer.receive(),
        b"+OK plain\r\n",
        STALL,
    ],
    "no status": [b"hello\r\n", STALL],
}


@pytest.mark.parametrize("ending", STLS_ENDINGS.values(), ids=STLS_ENDINGS)
def test_stls_or_failure_but_never_plain_text(ending: list[Any]) -> None:
    """Whatever happens to STLS: the server never sees a name or a password."""
    with ScriptedServer([GREETING, ("STLS", *ending)]) as server:
        with pytest.raises(POP3ConnectionError):
            to(server.port, encryption="tls").list_messages()

        assert CANARY.encode() not in server.received
        assert b"USER" not in server.received
        assert server.received.startswith(b"STLS\r\n")


def test_a_server_without_stls_is_not_asked_twice(naps: list[float]) -> None:
    """The error says what to try instead."""
    with (
        ScriptedServer([GREETING, ("STLS", b"-ERR unknown command\r\n")]) as server,
        pytest.raises(POP3ConnectionError, match=r"offers no TLS by STLS \(unknown command\).*'ssl'"),
    ):
        to(server.port, encryption="tls").connect()

    assert naps == []


_INJECTED = b"+OK begin TLS\r\n+OK logged in\r\n+OK 1 666\r\n"


def test_nothing_said_before_the_handshake_is_believed(certificates: Any) -> None:
    """A reply in plain text behind +OK to STLS, cut anywhere: an error, although real TLS would follow."""
    tls = start_tls(certificates.server("127.0.0.1"))
    context = ssl.create_default_context(cafile=certificates.ca_file)
    splits = range(len(_INJECTED) + 1)
    scripts = [[GREETING, ("STLS", _INJECTED[:n], _INJECTED[n:], tls, STALL)] for n in splits]
    with ScriptedServer(*scripts) as server:
        for _ in splits:
            with pytest.raises(POP3ConnectionError):
                to(server.port, encryption="tls", context=context).get_mailbox_stat()

        assert len(server.peers) >= len(splits)  # where it looked like a bad handshake it was tried again
        assert CANARY.encode() not in server.received


def test_capabilities_are_asked_again_under_tls(certificates: Any) -> None:
    """Those of the plain text are forgotten: anybody could have sent them."""
    tls = start_tls(certificates.server("127.0.0.1"))
    script = [
        GREETING,
        ("CAPA", b"+OK\r\nPIPELINING\r\nSTLS\r\n.\r\n"),
        ("STLS", b"+OK\r\n", tls),
        ("CAPA", b"+OK\r\nTOP\r\n.\r\n"),
        QUIT,
    ]
    context = ssl.create_default_context(cafile=certificates.ca_file)
    with ScriptedServer(script) as server, POP3("127.0.0.1", server.port, timeout=5) as client:
        assert client.can_pipeline is True
        client.stls(context)
        assert client.can_pipeline is False


def test_tls_records_that_have_come_are_read_together(certificates: Any) -> None:
    """A server that writes records of 1 KB does not cost a turn for each; the end waits its turn."""
    context = ssl.create_default_context(cafile=certificates.ca_file)
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:
        serving = pool.submit(_sends_records, listener, certificates.server("127.0.0.1"), [b"x" * 1000] * 20)
        wire = Wire(*listener.getsockname(), timeout=5, context=context)
        into = memoryview(bytearray(64 << 10))
        serving.result()  # all is here
        assert wire.receive(Deadline(5), into) == 20_000
        with pytest.raises(POP3ConnectionError, match="the server closed it"):
            wire.receive(Deadline(5), into)


def _sends_records(listener: socket.socket, context: ssl.SSLContext, records: list[bytes]) -> None:
    """Greets the next who comes by TLS with these records, in one piece, and closes."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    peer, _ = listener.accept()
    with peer:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                peer.sendall(outgoing.read())
                incoming.write(peer.recv(65536))
        for record in records:
            tls.write(record)
        peer.sendall(outgoing.read())


def test_a_password_in_plain_text_beyond_this_machine_is_warned_of(
    to_server: Callable[..., POP3ProtocolHandler], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On loopback it is not: there every other test would fail by the warning."""
    monkeypatch.setattr(Wire, "is_loopback", False)
    with pytest.warns(UserWarning, match="crosses the network in plain text"):
        to_server().get_mailbox_stat()


# Deadlines


def test_silence_ends_in_an_error_that_speaks_of_the_timeout() -> None:
    """In the greeting, and after the first line of a mail."""
    scripts = [[(None, STALL)], [*LOGIN, ("RETR 1", b"+OK 99 octets\r\nSubject: x\r\n", STALL)]]
    with ScriptedServer(*scripts) as server:
        with pytest.raises(POP3ConnectionError, match=r"did not answer in time \(timeout 0.2 s\)"):
            POP3("127.0.0.1", server.port, timeout=0.2)
        client = POP3("127.0.0.1", server.port, timeout=0.2)
        client.user("ann")
        client.pass_("secret")
        with pytest.raises(POP3ConnectionError, match="did not answer in time"):
            client.retr(1)


def test_a_server_that_drips_is_not_waited_for() -> None:
    """A byte in 0.3 s never is silence; still the whole operation ends about when its timeout says."""
    with ScriptedServer([(None, drip(b"+OK " + b"x" * 200, 0.3))]) as server:
        with pytest.raises(POP3ConnectionError, match="did not answer in time"):
            POP3("127.0.0.1", server.port, timeout=1)

        assert 2 <= server.peers[0].sent <= 8


def test_a_login_may_take_longer_than_other_commands() -> None:
    """Dovecot waits 11 seconds for a locked mailbox before it says [IN-USE]."""
    limits = Limits(login_patience=30)
    script = [GREETING, ("USER ann", b"+OK\r\n"), ("PASS secret", drip(b"+OK in\r\n", 0.1)), QUIT]
    with (
        ScriptedServer(script) as server,
        POP3("127.0.0.1", server.port, timeout=0.3, limits=limits) as client,
    ):
        client.user("ann")
        assert client.pass_("secret") == b"+OK in"


@given(
    timeout=st.floats(0.1, 100),
    steps=st.lists(st.tuples(st.floats(0, 10), st.integers(1, 100_000)), max_size=20),
)
def test_a_deadline_allows_the_timeout_and_a_second_a_kibibyte(
    timeout: float, steps: list[tuple[float, int]]
) -> None:
    """Never more than the timeout since the last byte, never more in all than the slowest rate allows."""
    now = 100.0
    deadline = Deadline(timeout, 1024, clock=lambda: now)
    last, octets = now, 0
    for pause, count in steps:
        now += pause
        deadline.progress(count)
        last, octets = now, octets + count

    expected = min(last + timeout, 100.0 + timeout + octets / 1024) - now
    assert deadline.remaining() == pytest.approx(expected)


# What is not POP3


def logged_in(server: ScriptedServer, **options: Any) -> POP3:
    """A client behind the login."""
    client = POP3("127.0.0.1", server.port, **{"timeout": 5} | options)
    client.user("ann")
    client.pass_("secret")
    return client


def assert_closed(client: POP3) -> None:
    """The session cannot be used by mistake: nothing it reads could be trusted."""
    assert client._wire._socket.fileno() == -1
    with pytest.raises(POP3UsageError, match="ended"):
        client.noop()


def test_an_endless_line_is_cut_off() -> None:
    """A greeting without end costs 4 KiB and one error."""
    with (
        ScriptedServer([(None, endless(b"x" * 65536))]) as server,
        pytest.raises(POP3ProtocolError, match="4096"),
    ):
        POP3("127.0.0.1", server.port, timeout=5)


def test_an_endless_mail_is_cut_off() -> None:
    """At the limit, whatever LIST said."""
    with ScriptedServer([*LOGIN, ("RETR 1", b"+OK\r\n", endless(b"x" * 998 + b"\r\n"))]) as server:
        client = logged_in(server, limits=Limits(message=1 << 20))
        with pytest.raises(POP3ProtocolError, match="1048576"):
            client.retr(1)
        assert_closed(client)


def test_an_endless_listing_is_cut_off() -> None:
    """Three million lines are not remembered first and counted then."""
    with ScriptedServer([*LOGIN, ("UIDL", b"+OK\r\n", endless(b"1 abc\r\n" * 1000))]) as server:
        client = logged_in(server, limits=Limits(listing=1 << 20))
        with pytest.raises(POP3ProtocolError):
            client.uidl()
        assert_closed(client)


def test_a_server_that_ends_lines_with_lf_is_told_so() -> None:
    """Nothing is guessed: a body could not be told from its end."""
    with (
        ScriptedServer([(None, b"+OK ready\n")]) as server,
        pytest.raises(POP3ProtocolError, match="bare LF"),
    ):
        POP3("127.0.0.1", server.port, timeout=5)


@pytest.mark.parametrize(
    "status",
    [b"", b"OK", b"+ERR", b"+OKAY", b"...", b"+ ", b"-ERROR", b" +OK", b"+ok 1 2", b"Subject: x", b"\x00"],
)
def test_a_false_status_line_ends_the_session(status: bytes) -> None:
    """What stands where a status should be is out of step; what follows belongs to nobody."""
    with ScriptedServer([*LOGIN, ("STAT", status + b"\r\n+OK 1 2\r\n", STALL)]) as server:
        client = logged_in(server)
        with pytest.raises(POP3ProtocolError, match="out of step"):
            client.stat()
        assert_closed(client)


def test_bytes_that_no_command_asked_for_end_the_session() -> None:
    """Two replies to one NOOP: the second is not the answer to the DELE that follows."""
    with ScriptedServer([*LOGIN, ("NOOP", b"+OK\r\n+OK 9 999\r\n", STALL)]) as server:
        client = logged_in(server)
        client.noop()
        with pytest.raises(POP3ProtocolError, match="answer no command"):
            client.dele(1)
        assert_closed(client)
        assert "DELE 1" not in server.commands


@pytest.mark.parametrize("status", [b"+OK", b"+OK -5 -99", b"+OK x y", b"+OK 1", b"+OK 99999999999 1"])
def test_a_stat_without_numbers_ends_the_session(status: bytes) -> None:
    """A POP3ProtocolError promises that the connection is closed."""
    with ScriptedServer([*LOGIN, ("STAT", status + b"\r\n", STALL)]) as server:
        client = logged_in(server)
        with pytest.raises(POP3ProtocolError, match="STAT"):
            client.stat()
        assert_closed(client)


def test_a_mail_cannot_forge_a_reply() -> None:
    """Bare line feeds around a dot are part of the mail; the refused DELE stays refused."""
    body = b"Subject: x\r\n\r\nx\n.\n+OK deleted\r\n\r.\r\r\n\n.\n"
    script = [*LOGIN, ("RETR 1", b"+OK\r\n" + body + b"\r\n.\r\n"), ("DELE 1", b"-ERR read-only\r\n"), QUIT]
    with ScriptedServer(script) as server:
        client = logged_in(server)
        assert b"\r\n".join(client.retr(1)[1]) == body
        with pytest.raises(POP3CommandError, match="read-only"):
            client.dele(1)
        client.quit()


@pytest.mark.parametrize("ending", [CLOSE, RESET])
def test_a_mail_cut_in_the_middle_is_no_mail(ending: Any) -> None:
    """The error is that of a lost connection, and the session has ended."""
    with ScriptedServer([*LOGIN, ("RETR 1", b"+OK\r\nSubject: x\r\n\r\nhalf a", ending)]) as server:
        client = logged_in(server)
        with pytest.raises(POP3ConnectionError, match="was lost"):
            client.retr(1)
        assert_closed(client)


def test_a_handler_ends_what_is_out_of_step_and_can_connect_anew() -> None:
    """After the error connect() opens another session; the first one is not asked anything more."""
    scripts = [
        [*LOGIN, ("STAT", b"nonsense\r\n", STALL)],
        [*LOGIN, ("STAT", b"+OK 1 2\r\n"), QUIT],
        LOGIN,
    ]
    with ScriptedServer(*scripts) as server, to(server.port, encryption="none") as handler:
        with pytest.raises(POP3ProtocolError):
            handler.get_mailbox_stat()
        assert handler.test_connection() is False
        handler.connect()
        assert handler.get_mailbox_stat() == (1, 2)


def test_a_connection_that_dies_at_capa_is_known_to_be_dead() -> None:
    """Asked by itself before a fetch: connect() must open another session afterwards."""
    scripts = [[GREETING, ("CAPA", CLOSE)], [*LOGIN, ("STAT", b"+OK 1 2\r\n"), QUIT]]
    with ScriptedServer(*scripts) as server, to(server.port, encryption="none") as handler:
        with pytest.raises(POP3ConnectionError):
            handler.fetch_messages()
        handler.connect()
        assert handler.get_mailbox_stat() == (1, 2)


def test_poplibs_tls_class_has_the_usual_port() -> None:
    """995, RFC 8314."""
    assert POP3_SSL.__init__.__defaults__ == (995,)
