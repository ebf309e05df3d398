"""What the tests of this room share: a mailbox of odd mails, a certificate, and a bare client."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import trustme

from pop3frames.server.embedded import EmbeddedServer

# Lines under 2048 octets and no line that begins with CR: poplib, a judge here, breaks on both.
MAILS = [
    b"Subject: plain\r\n\r\nhello\r\n",
    b".first octet is a dot\r\n\r\n.\r\n..\r\n...\r\n.x\r\n",
    b"Subject: forgery\r\n\r\nx\r.\r+OK FAKE\r\n",
    b"Subject: octets\r\n\r\n\x00\x01\x1b\x7f\x80\xfe\xff\r\n",
    b"Subject: only a header\r\n",
    b"Subject: blank lines\r\n\r\n\r\n\r\n\r\n",
    "Subject: Grüße\r\n\r\n日本 🙂\r\n".encode(),
    b"Subject: long\r\n\r\n" + b"y" * 2000 + b"\r\n",
    b"Subject: big\r\n\r\n" + b"0123456789" * 50 + b"\r\n" + b"line\r\n" * 20_000,
]


class Client:
    """A socket that sends octets as they are and reads lines: it knows no POP3 and hides nothing."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._file = sock.makefile("rb")

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def line(self) -> bytes:
        """The next line; b"" when the server closed the connection, politely or not."""
        try:
            return self._file.readline()
        except ConnectionError:
            return b""

    def ask(self, command: bytes) -> bytes:
        """Send a command and read a line."""
        self.send(command + b"\r\n")
        return self.line()

    def login(self, server: EmbeddedServer) -> bytes:
        self.ask(b"USER " + server.username.encode())
        return self.ask(b"PASS " + server.password.encode())

    def start_tls(self, context: ssl.SSLContext) -> None:
        self._file.close()
        self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        self._file = self.sock.makefile("rb")

    def close(self) -> None:
        """Without QUIT."""
        self._file.close()
        self.sock.close()


@pytest.fixture(scope="session")
def mails() -> list[bytes]:
    """Mails with an oddity each, as they go over the wire."""
    return MAILS


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Who signed the server's certificate."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """The server's side of TLS: a certificate for localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    """A client's side of TLS: the certificate and the name are checked."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="session")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The authority as a PEM file, for programs."""
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def dial() -> Iterator[Callable[..., Client]]:
    """`dial(server)`: a client that read the greeting; `dial(port=n)`: one that read nothing."""
    with ExitStack() as open_clients:

        def dial(server: EmbeddedServer | None = None, *, port: int | None = None) -> Client:
            where = ("127.0.0.1", port or (server.port if server else 0))
            client = Client(socket.create_connection(where, timeout=20))
            open_clients.callback(client.close)
            if server is not None:
                assert client.line() == b"+OK pop3frames ready\r\n"
            return client

        yield dial
