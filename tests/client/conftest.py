"""Fixtures of the client's tests: no waiting between attempts, an embedded server, certificates."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import Mock, patch

import pytest
import trustme

import pop3frames.client.connection
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.retry import Retry
from pop3frames.server.embedded import EmbeddedServer

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds a connect would have waited between attempts; a twentieth of them passes.

    Not nothing: a server needs a moment to notice a connection that was closed without QUIT, and until then
    the mailbox is in use.
    """
    seconds: list[float] = []

    def nap(pause: float) -> None:
        seconds.append(pause)
        time.sleep(pause / 20)

    monkeypatch.setattr(pop3frames.client.connection, "_RETRY", Retry(sleep=nap))
    return seconds


@pytest.fixture
def client() -> Iterator[Mock]:
    """What the documented mock style puts in place of a connected POP3_SSL; `client.opened` makes it."""
    with patch("pop3frames.client.handler.POP3_SSL") as opened:
        opened.return_value.opened = opened
        yield opened.return_value


@pytest.fixture
def handler() -> POP3ProtocolHandler:
    """A handler for the mock; not connected. Its context is none: to read the system's CAs takes 40 ms."""
    return POP3ProtocolHandler("pop.example.org", 995, "ann", "secret", context=Mock())


@pytest.fixture
def connected(client: Mock, handler: POP3ProtocolHandler) -> POP3ProtocolHandler:
    """A handler with an open session on the mock."""
    handler.connect()
    return handler


@pytest.fixture
def mails() -> list[bytes]:
    """Three small mails."""
    return [b"Subject: mail %d\r\n\r\nbody %d\r\n.dot\r\n" % (number, number) for number in (1, 2, 3)]


@pytest.fixture
def server(mails: list[bytes]) -> Iterator[EmbeddedServer]:
    """An embedded server with those mails."""
    with EmbeddedServer(mails, username="ann", password=PASSWORD) as running:
        yield running


@pytest.fixture
def to_server(server: EmbeddedServer) -> Callable[..., POP3ProtocolHandler]:
    """`to_server(port=...)`: a handler for the embedded server, perhaps through a relay at that port."""

    def make(port: int | None = None, **options: object) -> POP3ProtocolHandler:
        options = {"encryption": "none", "timeout": 5} | options
        return POP3ProtocolHandler("127.0.0.1", port or server.port, "ann", PASSWORD, **options)

    return make


@dataclass
class Certificates:
    """A private CA and what a server needs from it."""

    authority: trustme.CA
    ca_file: str

    def server(self, *names: str, **options: object) -> ssl.SSLContext:
        """A server's context, with a certificate for these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*names, **options).configure_cert(context)
        return context


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A CA that nobody trusts unless told to."""
    path: Path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority = trustme.CA()
    authority.cert_pem.write_to_path(path)
    return Certificates(authority, str(path))
