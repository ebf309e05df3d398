"""Recorded and replayed: strict both ways, in any cut, for a client and for a handler."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from client.conftest import PASSWORD, Certificates
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab.relay import Relay

from pop3frames.client.credentials import Secret
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3CommandError, POP3ConnectionError, POP3ProtocolError, POP3UsageError
from pop3frames.protocol.grammar import Limits
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.transcripts.recorder import Recorder
from pop3frames.transcripts.replay import Chunk, replay, replay_handler
from pop3frames.transcripts.tape import ReplayError
from pop3frames.transcripts.transcript import FIRST_LINE

SERIAL = """
S: +OK ready
C: USER ann
S: +OK
C: PASS ***
S: +OK
C: STAT
S: +OK 1 20
C: QUIT
S: +OK bye
"""


@pytest.fixture
def transcript(tmp_path: Path) -> Callable[[str], Path]:
    """`transcript(text)`: a file with these lines."""

    def write(text: str) -> Path:
        path = tmp_path / "session.txt"
        path.write_text(FIRST_LINE + "\n" + text.strip() + "\n")
        return path

    return write


# Strict


@pytest.mark.parametrize("chunk", [None, 1, 7])
def test_what_was_recorded_is_what_a_client_meets(transcript: Callable[[str], Path], chunk: Chunk) -> None:
    """Any password will do; `with` sends QUIT."""
    with replay(transcript(SERIAL), chunk=chunk) as client:
        client.user("ann")
        client.pass_("whatever")
        assert client.stat() == (1, 20)


def start(path: Path) -> POP3:
    """A client behind the login."""
    client = replay(path, chunk=1)
    client.user("ann")
    client.pass_("canary-5e3b")
    return client


def test_another_command_fails_with_line_expected_and_got(transcript: Callable[[str], Path]) -> None:
    """The name of the file too."""
    with pytest.raises(ReplayError) as raised:
        start(transcript(SERIAL)).noop()

    assert str(raised.value).endswith("session.txt, line 7: expected 'C: STAT'; the client sent 'C: NOOP'")


def test_a_command_too_many_fails(transcript: Callable[[str], Path]) -> None:
    """Behind the end of the file."""
    client = start(transcript("\n".join(SERIAL.splitlines()[:8])))
    client.stat()
    with pytest.raises(ReplayError, match="line 8: expected no more commands; the client sent 'C: STAT'"):
        client.stat()


def test_what_is_left_over_fails(transcript: Callable[[str], Path]) -> None:
    """A command that was not sent, or octets that were not read."""
    client = start(transcript(SERIAL))
    with pytest.raises(ReplayError, match="line 7: expected 'C: STAT'; the client was done"), client:
        client.close()
    client = replay(transcript("S: +OK\nC: QUIT\nS: +OK\n" + "S: +OK more\n" * 7), chunk=1)
    with pytest.raises(ReplayError, match="line 5: expected the client to read"):
        client.__exit__(None)


def test_another_user_and_another_mechanism_fail_and_show_no_secret(
    transcript: Callable[[str], Path],
) -> None:
    """Names are compared; a secret is *** on both sides."""
    with pytest.raises(ReplayError, match="expected 'C: USER ann'; the client sent 'C: USER bob'"):
        replay(transcript(SERIAL)).user("bob")
    with pytest.raises(ReplayError) as raised:
        replay(transcript(SERIAL)).pass_("canary-5e3b")
    assert "'C: PASS ***'" in str(raised.value)
    assert "canary" not in str(raised.value)


def test_a_command_that_leaves_before_the_reply_was_read_fails(transcript: Callable[[str], Path]) -> None:
    """A client that pipelines where the recorded one did not."""
    client = replay(transcript(SERIAL), pipelining=True)
    with pytest.raises(ReplayError, match="line 4: expected the client to read"):
        client.log_in("ann", Secret("x"), "USER")


def test_a_client_that_waits_for_what_never_came_fails(transcript: Callable[[str], Path]) -> None:
    """Here the mail has no end: a real one would wait for its timeout."""
    text = "S: +OK\nC: RETR 1\nS: +OK\nS: never ended\nC: QUIT"
    with pytest.raises(ReplayError, match="line 6: expected 'C: QUIT'; the client waits for the server"):
        replay(transcript(text)).retr(1)


def test_a_strayed_client_fails_though_the_error_was_survived(transcript: Callable[[str], Path]) -> None:
    """Code under test that catches everything does not turn a failure into a success."""
    client = replay(transcript(SERIAL))
    with contextlib.suppress(AssertionError):
        client.noop()
    with pytest.raises(ReplayError), client:
        client.close()


def test_an_end_of_the_connection_is_one_to_the_client(transcript: Callable[[str], Path]) -> None:
    """In the middle of a reply."""
    client = replay(transcript("S: +OK\nC: RETR 1\nS: +OK\nS: half\\\n-- closed"))
    with pytest.raises(POP3ConnectionError):
        client.retr(1)


def test_tls_is_a_marker_and_must_come_where_it_was(transcript: Callable[[str], Path]) -> None:
    """No handshake, no certificates."""
    good = "S: +OK\nC: STLS\nS: +OK\n-- TLS\nC: QUIT\nS: +OK"
    with replay(transcript(good), chunk=1) as client:
        client.stls()
    with pytest.raises(ReplayError, match="the client starts TLS"):
        replay(transcript(good.replace("-- TLS\n", ""))).stls()
    with pytest.raises(POP3ProtocolError, match="plain text arrived behind"):
        replay(transcript(good.replace("-- TLS", "S: +OK injected\n-- TLS"))).stls()


def test_a_login_that_nobody_can_repeat_is_refused(transcript: Callable[[str], Path]) -> None:
    """SCRAM makes a nonce for each."""
    with pytest.raises(POP3UsageError, match=r"line 3.*SCRAM"):
        replay(transcript("S: +OK\nC: AUTH SCRAM-SHA-256\nS: + \nC: ***"))


def test_a_file_of_several_connections_needs_a_handler(transcript: Callable[[str], Path]) -> None:
    """And one of none is of no use to anybody."""
    with pytest.raises(POP3UsageError, match="2 connections"):
        replay(transcript("S: +OK\n-- closed\nS: +OK"))
    with pytest.raises(POP3UsageError, match="no connection"):
        replay(transcript("# nothing"))


# Recorded, then replayed


def fetch(client: POP3, user: str) -> list[object]:
    """A session with all that can be cut in the wrong place."""
    client.log_in(user, Secret(PASSWORD))
    seen: list[object] = [client.capa(), client.stat(), client.uidl(), client.list(2)]
    seen += [reply.block for reply in client.retr_many([3, 1, 9, 2, 1])]
    seen += [reply.block for reply in client.top_many([1, 2], 1)]
    seen += [reply.ok for reply in client.dele_many([1, 1])]
    return seen


MAILS = [b"Subject: %d\r\n\r\nline\r\n..\r\n.x\r\n\r\n" % number for number in range(1, 4)]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, tuple[Path, list[object]]]:
    """Sessions with and without pipelining, and what the client saw."""
    seen = {}
    for pipelining in (True, False):
        path = tmp_path_factory.mktemp("recorded") / "session.txt"
        with EmbeddedServer(MAILS, username="ann", password=PASSWORD) as server:
            options = {"pipelining": pipelining, "observers": [Recorder(path, "kept")]}
            with POP3("127.0.0.1", server.port, 5, limits=Limits(window_commands=3), **options) as client:
                seen[pipelining] = path, fetch(client, "ann")
    return seen


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pipelining=st.booleans(), seed=st.integers(), most=st.sampled_from([1, 2, 3, 10, 1000]))
def test_every_cut_of_a_recording_gives_a_client_the_same(
    recorded: dict[bool, tuple[Path, list[object]]], pipelining: bool, seed: int, most: int
) -> None:
    """Also where the recorded client refilled its window in the middle of a read."""
    path, expected = recorded[pipelining]
    chance = random.Random(seed)
    limits = Limits(window_commands=3)
    with replay(path, chunk=lambda: chance.randint(1, most), pipelining=pipelining, limits=limits) as client:
        assert fetch(client, "ann") == expected


def test_a_masked_recording_gives_the_same_shape(tmp_path: Path) -> None:
    """Numbers, sizes and the places of line ends; not a word of the mails."""
    path = tmp_path / "bug.txt"
    with (
        EmbeddedServer(MAILS, username="ann", password=PASSWORD) as server,
        POP3("127.0.0.1", server.port, 5, observers=[Recorder(path)]) as client,
    ):
        expected = fetch(client, "ann")
    with replay(path, chunk=1) as client:
        shown = fetch(client, "user1")

    shape = [len(each) if isinstance(each, bytes) else each for each in shown[4:]]
    assert shown[:3] == expected[:3]
    assert shape == [len(each) if isinstance(each, bytes) else each for each in expected[4:]]
    assert shown[4] == b"Subject: 9\r\n\r\nxxxx\r\n..\r\n.x\r\n\r\n"


@pytest.mark.parametrize("encryption", ["none", "tls", "ssl"])
def test_a_bug_of_a_handler_becomes_a_test(
    tmp_path: Path, certificates: Certificates, encryption: str
) -> None:
    """Every session of its own, and one that is shared, under every kind of encryption."""
    path = tmp_path / "bug.txt"
    context = None if encryption == "none" else certificates.server("localhost")
    with EmbeddedServer(MAILS, username="ann", password=PASSWORD, context=context) as server:
        handler = POP3ProtocolHandler(
            "localhost",
            server.tls_port if encryption == "ssl" else server.port,
            "ann",
            PASSWORD,
            encryption,  # type: ignore[arg-type]
            5,
            cafile=certificates.ca_file,
            observers=[Recorder(path)],
        )
        expected = operations(handler)

    with replay_handler(path, chunk=1) as again:
        assert operations(again) == expected
    assert path.read_text().count("-- TLS") == (0 if encryption == "none" else 3)


def operations(handler: POP3ProtocolHandler) -> list[object]:
    """Two stateless operations, then a shared session."""
    seen: list[object] = [handler.get_mailbox_stat(), handler.list_messages()]
    with handler:
        seen += [len(message["textBody"]) for message in handler.fetch_messages()]
        seen.append(handler.delete_message(2))
    return seen


def test_a_lost_connection_is_lost_in_the_replay_and_the_handler_goes_on(
    tmp_path: Path, to_server: Callable[..., POP3ProtocolHandler], server: EmbeddedServer
) -> None:
    """In the next connection of the file; nobody waits between the two."""
    path = tmp_path / "bug.txt"
    with Relay(server.port, after=450) as relay:
        handler = to_server(relay.port, observers=[Recorder(path)])
        expected = [number for number, raw in handler.iter_raw() if isinstance(raw, bytes)]
        assert len(relay.from_clients) > 1
    with replay_handler(path) as again:
        assert [number for number, raw in again.iter_raw() if isinstance(raw, bytes)] == expected


def test_a_handler_that_does_something_else_fails_though_it_survives(tmp_path: Path) -> None:
    """`fetch_message` takes a ReplayError for that message's fault, and goes on."""
    path = tmp_path / "bug.txt"
    with EmbeddedServer(MAILS, username="ann", password=PASSWORD) as server:
        options = {"observers": [Recorder(path)], "pipelining": False}
        POP3ProtocolHandler("127.0.0.1", server.port, "ann", PASSWORD, "none", 5, **options).fetch_message(1)
    strayed = pytest.raises(ReplayError, match="expected 'C: RETR 1'; the client sent 'C: RETR 2'")
    with strayed, replay_handler(path, pipelining=False) as handler:
        assert handler.fetch_message(2) is None


def test_a_handler_that_connects_too_often_fails(transcript: Callable[[str], Path]) -> None:
    """Or not often enough."""
    connecting = transcript("S: +OK\nC: QUIT\nS: +OK")
    with replay_handler(connecting) as handler, handler:
        pass
    with pytest.raises(ReplayError, match="no more of them"):
        handler.connect()
    strayed = pytest.raises(ReplayError, match="line 3: expected 'C: USER ann'; the client was done")
    with strayed, replay_handler(transcript(SERIAL)):
        pass


def test_an_error_of_the_code_under_test_comes_out_as_it_is(transcript: Callable[[str], Path]) -> None:
    """Only a client that strayed is worth another one."""
    with pytest.raises(ZeroDivisionError), replay_handler(transcript(SERIAL)):
        raise ZeroDivisionError
    with pytest.raises(POP3CommandError), replay(transcript("S: +OK\nC: NOOP\nS: -ERR")) as client:
        client.noop()
