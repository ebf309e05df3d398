"""TLS or failure: whoever sits in between gets no password, and is not believed."""

from __future__ import annotations

import base64
import datetime
import ssl
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from client.in_memory import GREETING, MemoryWire, in_memory
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lab.relay import Relay
from lab.scripted import CLOSE, STALL, Peer, ScriptedServer, drip, start_tls
from lab.scripted import GREETING as GREETED

from pop3frames.client.credentials import Secret
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3, POP3_SSL
from pop3frames.errors import POP3ConnectionError, POP3ProtocolError, POP3UsageError
from pop3frames.server.embedded import EmbeddedServer

CANARY = "canary-91c4"


def to(port: int | None, encryption: Any, host: str = "127.0.0.1", **options: Any) -> POP3ProtocolHandler:
    """A handler that would log in with the canary."""
    return POP3ProtocolHandler(host, port or 0, "ann", CANARY, encryption, **{"timeout": 5} | options)


def assert_nothing_secret(octets: bytes) -> None:
    """Neither a login nor the canary, in any form a login has."""
    plain = f"\0ann\0{CANARY}".encode()
    for secret in (
        CANARY.encode(),
        base64.b64encode(plain),
        base64.b64encode(CANARY.encode()),
        b"USER",
        b"AUTH",
    ):
        assert secret not in octets


# STLS

INJECTED = [
    b"+OK logged in\r\n",
    b"-ERR\r\n",
    b"x",
    b"\r\n",
    b"+OK\r\nPIPELINING\r\nSASL PLAIN\r\n.\r\n+OK\r\n+OK 1 666\r\n",
    b"-ERR [SYS/TEMP] try in plain text\r\n",
    b"\x16\x03\x03\x00\x02",
    b"\x15\x03\x03\x00\x02\x02\x28",
]
CASES = [(octets, at) for octets in INJECTED for at in range(len(octets) + 1)]


@pytest.fixture(scope="module")
def between(certificates: Any) -> Iterator[tuple[ScriptedServer, ssl.SSLContext]]:
    """A server that injects case by case, and then goes on under a TLS that the client trusts."""
    tls = start_tls(certificates.server("127.0.0.1"))
    scripts = [
        [GREETED, ("STLS", b"+OK go\r\n" + octets[:at], octets[at:], tls, STALL)] for octets, at in CASES
    ]
    with ScriptedServer(*scripts) as server:
        yield server, ssl.create_default_context(cafile=certificates.ca_file)


def test_there_are_a_hundred_cases_of_injection() -> None:
    """Each octet string, cut at each octet."""
    assert 100 <= len(CASES)


def test_what_is_injected_behind_stls_ends_the_session(
    between: tuple[ScriptedServer, ssl.SSLContext],
) -> None:
    """Wherever the network cuts it: an error, though the TLS behind it is that of the real server."""
    server, context = between
    for case in CASES:
        client = POP3("127.0.0.1", server.port, timeout=5)
        with pytest.raises(POP3ConnectionError):
            client.stls(context)
        with pytest.raises(POP3UsageError, match="ended"):
            client.user("ann")
        assert client._wire._socket.fileno() == -1, case
    assert len(CASES) == len(server.peers)
    assert all(bytes(peer.received).startswith(b"STLS\r\n") for peer in server.peers)
    assert_nothing_secret(server.received)


class Handshaking(MemoryWire):
    """Counts the handshakes that were begun."""

    handshakes = 0

    def start_tls(self, context: ssl.SSLContext, timeout: float) -> None:
        self.handshakes += 1


@pytest.mark.parametrize("octets", INJECTED)
def test_what_came_with_the_answer_to_stls_ends_it_before_the_handshake(octets: bytes) -> None:
    """In one piece: not an octet of TLS is read or written."""
    for at in range(len(octets)):
        client = in_memory([GREETING])
        client._wire = wire = Handshaking([b"+OK\r\n" + octets[: at + 1]])
        wire._here.clear()
        wire._replies = iter([b"+OK\r\n" + octets[: at + 1]])
        with pytest.raises(POP3ProtocolError, match="injecting"):
            client.stls(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        assert 0 == wire.handshakes


ANSWERS = [
    b"-ERR\r\n",
    b"-ERR [SYS/TEMP] later\r\n",
    b"+ERR\r\n",
    b"+OKAY\r\n",
    b"",
    b"\r\n",
    b"+OK\n",
    b"+ \r\n",
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_without_an_honest_ok_to_stls_nothing_is_said(answer: bytes) -> None:
    """Refused, garbled or cut off: no CAPA, no name."""
    with ScriptedServer([GREETED, ("STLS", answer, CLOSE)]) as server:
        with pytest.raises(POP3ConnectionError):
            to(server.port, "tls").fetch_messages()
        assert set(server.commands) == {"STLS"}


def test_a_server_that_does_not_offer_stls_is_asked_all_the_same() -> None:
    """What it says it can do was said in plain text, and anybody could have taken STLS out of it."""
    script = [GREETED, ("STLS", b"-ERR\r\n", STALL)]
    with ScriptedServer(script) as server:
        with pytest.raises(POP3ConnectionError, match="offers no TLS by STLS"):
            to(server.port, "tls").fetch_messages()
        assert ["STLS"] == server.commands


def test_capabilities_of_the_plain_text_do_not_choose_the_login(certificates: Any) -> None:
    """SASL PLAIN and PIPELINING before STLS, neither behind it: USER and PASS, one by one."""
    tls = start_tls(certificates.server("127.0.0.1"))
    script = [
        GREETED,
        ("CAPA", b"+OK\r\nPIPELINING\r\nSASL PLAIN\r\nSTLS\r\n.\r\n"),
        ("STLS", b"+OK\r\n", tls),
        ("CAPA", b"+OK\r\nUSER\r\n.\r\n"),
        ("USER ann", b"+OK\r\n"),
        ("PASS " + CANARY, b"+OK\r\n"),
        ("QUIT", b"+OK\r\n"),
    ]
    context = ssl.create_default_context(cafile=certificates.ca_file)
    with ScriptedServer(script) as server:
        client = POP3("127.0.0.1", server.port, timeout=5)
        assert client._password_mechanism() == "PLAIN"
        client.stls(context)
        client.log_in("ann", Secret(CANARY))
        client.quit()


def test_a_plain_greeting_on_the_port_of_tls_is_no_session() -> None:
    """The server sees no more than the beginning of a handshake."""
    with ScriptedServer([(None, b"+OK ready\r\n", STALL)]) as server:
        with pytest.raises(POP3ConnectionError, match="does not speak TLS"):
            to(server.port, "ssl").fetch_messages()
        assert_nothing_secret(server.received)
        assert 1 == len(server.peers)


@pytest.mark.parametrize("steps", [[STALL], [drip(b"\x16\x03\x03\x40\x00" + b"x" * 100, 0.05), STALL]])
def test_a_handshake_that_does_not_end_is_given_up(steps: list[Any]) -> None:
    """Silence, or an octet now and then: the whole of it has one timeout."""
    with ScriptedServer([(None, *steps)]) as server, pytest.raises(POP3ConnectionError):
        POP3_SSL("127.0.0.1", server.port, timeout=0.3)


# Certificates


def _self_signed(folder: Path) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 that nobody but itself has signed."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "self.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        + made.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "self.pem")
    return context


def _old_tls(context: ssl.SSLContext) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


_PAST = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
_FUTURE = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)
BAD: dict[str, tuple[Callable[[Any, Path], ssl.SSLContext], str]] = {
    "unknown authority": (lambda _, __: _context_of(trustme.CA()), "certificate.*not accepted"),
    "self-signed": (lambda _, folder: _self_signed(folder), "certificate.*not accepted.*self.signed"),
    "another name": (lambda good, _: good.server("other.example"), "not valid for|mismatch"),
    "another address": (lambda good, _: good.server("127.0.0.2"), "not valid for|mismatch"),
    "a name for an address": (lambda good, _: good.server("localhost"), "not valid for|mismatch"),
    "expired": (lambda good, _: good.server("127.0.0.1", not_after=_PAST.replace(year=2002)), "expired"),
    "not yet valid": (lambda good, _: good.server("127.0.0.1", not_before=_FUTURE), "not yet valid"),
    "TLS 1.1": (lambda good, _: _old_tls(good.server("127.0.0.1")), "no TLS"),
}


def _context_of(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("encryption", ["ssl", "tls"])
@pytest.mark.parametrize(("make", "reason"), BAD.values(), ids=BAD)
def test_a_peer_that_cannot_prove_who_it_is_gets_no_password(
    certificates: Any,
    tmp_path: Path,
    make: Callable[[Any, Path], ssl.SSLContext],
    reason: str,
    encryption: str,
) -> None:
    """It would have read all that came: under its TLS came nothing, and in plain text STLS at most."""
    read: list[bytes] = []

    def listen(peer: Peer) -> None:
        start_tls(make(certificates, tmp_path))(peer)
        peer.send(b"+OK ready\r\n")
        while data := peer.connection.recv(65536):
            read.append(data)

    first: list[Any] = [(None, listen)] if encryption == "ssl" else [GREETED, ("STLS", b"+OK\r\n", listen)]
    with ScriptedServer(first) as server:
        with pytest.raises(POP3ConnectionError, match=reason) as raised:
            to(server.port, encryption, cafile=certificates.ca_file).fetch_messages()
        assert_nothing_secret(server.received)
        if reason != "no TLS":
            assert (False, 1) == (raised.value.retryable, len(server.peers))
    assert [] == read


@pytest.mark.parametrize("encryption", ["ssl", "tls"])
@pytest.mark.parametrize(("host", "name"), [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost")])
def test_a_peer_that_proves_it_gets_the_password_under_tls_only(
    certificates: Any, encryption: str, host: str, name: str
) -> None:
    """The positive control, by address and by name; whoever reads along sees nothing."""
    context = certificates.server(name)
    with EmbeddedServer([b"Subject: x\r\n\r\n"], username="ann", password=CANARY, context=context) as server:
        port = server.tls_port if encryption == "ssl" else server.port
        with Relay(port or 0) as relay:
            handler = to(relay.port, encryption, host, cafile=certificates.ca_file)
            assert (1, 14) == handler.get_mailbox_stat()
        assert_nothing_secret(relay.capture)


def test_tls_1_1_can_be_served_here_at_all(certificates: Any) -> None:
    """Else the case above proves nothing: a client that allows it gets through."""
    context = ssl.create_default_context(cafile=certificates.ca_file)
    try:
        _old_tls(context)
        with EmbeddedServer(context=_old_tls(certificates.server("127.0.0.1"))) as server:
            POP3_SSL("127.0.0.1", server.tls_port or 0, timeout=5, context=context).close()
    except (POP3ConnectionError, ssl.SSLError) as exc:
        pytest.skip(f"this OpenSSL has no TLS 1.1: {exc}")
