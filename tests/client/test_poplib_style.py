"""A program for poplib also runs with `import pop3frames.client.pop3 as poplib`, and the same happens.

Where the two differ on purpose is in docs/connecting.md.
"""

from __future__ import annotations

import contextlib
import poplib
import ssl
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from client.conftest import Certificates
from lab.scripted import GREETING, QUIT, ScriptedServer

import pop3frames.client.pop3
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.features import Features

MAILS = [b"Subject: %d\r\n\r\nbody %d\r\n.dot\r\n" % (number, number) for number in (1, 2, 3)]


@pytest.fixture(params=[poplib, pop3frames.client.pop3], ids=["poplib", "ours"])
def module(request: pytest.FixtureRequest) -> ModuleType:
    """What the program imported."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def served(certificates: Certificates) -> Iterator[EmbeddedServer]:
    """A server with everything that poplib knows."""
    features = Features(apop=True, utf8=True, plaintext=True)
    with EmbeddedServer(
        MAILS, username="ann", password="secret", context=certificates.server("localhost"), features=features
    ) as server:
        yield server


def trusting(certificates: Certificates) -> ssl.SSLContext:
    """A client's context."""
    return ssl.create_default_context(cafile=certificates.ca_file)


@pytest.fixture
def opened(module: ModuleType, served: EmbeddedServer) -> Iterator[Callable[[], ModuleType]]:
    """`opened()`: a client of that module, not logged in; closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(
            contextlib.closing(module.POP3("127.0.0.1", served.port, timeout=5))
        )


def test_a_whole_mailbox_is_read_and_deleted(module: ModuleType, served: EmbeddedServer) -> None:
    """The usual program, numbers as text where people write them so."""
    client = module.POP3("127.0.0.1", served.port)
    assert client.getwelcome().startswith(b"+OK pop3frames ready")
    assert client.welcome == client.getwelcome()
    client.set_debuglevel(0)
    assert client.user("ann").startswith(b"+OK")
    assert client.pass_("secret").startswith(b"+OK")
    assert (3, sum(map(len, MAILS))) == client.stat()
    assert ([b"%d %d" % (n, len(MAILS[0])) for n in (1, 2, 3)], 18) == client.list()[1:]
    assert b"+OK 2 %d" % len(MAILS[1]) == client.list("2")
    assert 3 == len(client.uidl()[1])
    assert client.uidl("2").startswith(b"+OK 2 ")
    assert [b"Subject: 1", b"", b"body 1", b".dot"] == client.retr("1")[1]
    assert [b"Subject: 1", b"", b"body 1"] == client.top(1, 1)[1]
    assert client.noop().startswith(b"+OK")
    assert client.dele(1).startswith(b"+OK")
    assert client.rset().startswith(b"+OK")
    assert client.dele("3").startswith(b"+OK")
    assert client.quit().startswith(b"+OK")
    client.close()
    assert 2 == len(served.maildrop)


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.pass_("wrong"),
        lambda client: client.stat(),
        lambda client: client.apop("ann", "wrong"),
        lambda client: client.rpop("ann"),
        lambda client: client.list(99) if client.user("ann") and client.pass_("secret") else None,
        lambda client: client.retr(99) if client.user("ann") and client.pass_("secret") else None,
    ],
    ids=["pass_", "stat", "apop", "rpop", "list", "retr"],
)
def test_a_refusal_is_an_error_proto(
    module: ModuleType, opened: Callable[[], object], use: Callable[[object], object]
) -> None:
    """Which is what the program catches."""
    with pytest.raises(module.error_proto):
        use(opened())


def test_a_login_by_apop(opened: Callable[[], poplib.POP3]) -> None:
    """With the timestamp of the greeting."""
    client = opened()
    assert client.apop("ann", "secret").startswith(b"+OK")
    assert 3 == client.stat()[0]


def test_a_login_by_rpop(module: ModuleType) -> None:
    """Where a server of forty years ago still has it."""
    with ScriptedServer([GREETING, ("RPOP ann", b"+OK\r\n"), ("STAT", b"+OK 1 20\r\n"), QUIT]) as server:
        client = module.POP3("127.0.0.1", server.port, timeout=5)
        assert b"+OK" == client.rpop("ann")
        assert (1, 20) == client.stat()
        client.quit()


def test_an_apop_without_a_timestamp_is_an_error_proto(module: ModuleType) -> None:
    """Nothing is sent."""
    with ScriptedServer([GREETING, QUIT]) as server:
        client = module.POP3("127.0.0.1", server.port, timeout=5)
        with pytest.raises(module.error_proto):
            client.apop("ann", "secret")
        client.quit()


def test_capabilities_and_utf8(module: ModuleType, opened: Callable[[], poplib.POP3]) -> None:
    """A dict of lists, and the status line."""
    client = opened()
    told = client.capa()
    assert [] == told["UIDL"]
    assert ["USER"] == told["UTF8"]
    assert client.utf8().startswith(b"+OK")


def test_utf8_where_there_is_none_is_an_error_proto(module: ModuleType) -> None:
    """RFC 6856 is rare."""
    with EmbeddedServer(MAILS) as server:
        client = module.POP3("127.0.0.1", server.port, timeout=5)
        with contextlib.closing(client), pytest.raises(module.error_proto):
            client.utf8()


def test_stls_once(module: ModuleType, served: EmbeddedServer, certificates: Certificates) -> None:
    """Capabilities change with it, and a second time is an error before anything is sent."""
    client = module.POP3("localhost", served.port, timeout=5)
    with contextlib.closing(client):
        assert "STLS" in client.capa()
        assert client.stls(context=trusting(certificates)).startswith(b"+OK")
        assert "STLS" not in client.capa()
        with pytest.raises(module.error_proto):
            client.stls(context=trusting(certificates))
        client.user("ann")
        client.pass_("secret")
        assert 3 == client.stat()[0]


def test_tls_from_the_first_octet(
    module: ModuleType, served: EmbeddedServer, certificates: Certificates
) -> None:
    """With a context; STLS under it is an error."""
    client = module.POP3_SSL("localhost", served.tls_port, timeout=5, context=trusting(certificates))
    with contextlib.closing(client):
        with pytest.raises(module.error_proto):
            client.stls()
        client.user("ann")
        client.pass_("secret")
        assert 3 == client.stat()[0]


def test_a_timeout_of_nothing_is_a_value_error(module: ModuleType, served: EmbeddedServer) -> None:
    """As in the standard library, since Python 3.9."""
    with pytest.raises(ValueError, match=r"[Tt]ime"):
        module.POP3("127.0.0.1", served.port, timeout=0)
    with pytest.raises(ValueError, match=r"[Tt]ime"):
        module.POP3_SSL("127.0.0.1", served.tls_port, timeout=0, context=ssl.create_default_context())
