"""Sessions with real servers, recorded or written from documents: what the client understands of each."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pop3frames.client.credentials import Secret
from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3AuthenticationError, POP3ProtocolError
from pop3frames.protocol.framing import joined
from pop3frames.protocol.listings import parse_sizes, parse_unique_ids
from pop3frames.transcripts.recorder import Recorder
from pop3frames.transcripts.replay import Chunk, ReplayedPOP3, replay
from pop3frames.transcripts.transcript import read_transcript

DATA = Path(__file__).resolve().parents[2] / "data"
TRANSCRIPTS = sorted((DATA / "transcripts").glob("*.txt"))


def sha256(mail: bytes) -> str:
    """In hex."""
    return hashlib.sha256(mail).hexdigest()


SAMPLES = {
    name: (DATA / "mailbox" / f"{name}.eml").read_bytes()
    for name in (
        "odd-body-bare-cr",
        "odd-body-empty",
        "odd-body-lines-beginning-with-dots",
        "odd-header-raw-8-bit",
        "odd-subject-emoji",
    )
}
INVENTED = {
    "one": b"From: a@example.org\r\nSubject: one\r\n\r\nhello\r\n",
    "two": b"From: b@example.org\r\nSubject: two\r\n\r\n.\r\n..\r\nlast\r\n",
}


@dataclass
class Server:
    """How one is logged in to, and what is understood of it."""

    capabilities: dict[str, list[str]]  # some of those behind the login
    uidls: list[str]
    mechanism: str = "USER"
    before: list[str] = field(default_factory=list)  # capabilities there before the login only
    after: list[str] = field(default_factory=list)  # and those there only behind it
    pipelines: bool = True
    sizes: list[int] = field(default_factory=lambda: [len(mail) for mail in INVENTED.values()])
    mails: dict[str, bytes] = field(default_factory=lambda: INVENTED)
    forced: bool | None = None  # pipelining as it was recorded, where that is not as the server says
    stls: bool = False


def dovecot(*, stls: bool, pipelines: bool) -> Server:
    """The recordings of Dovecot differ in these two only."""
    return Server(
        {"PIPELINING": [], "TOP": [], "UIDL": [], "RESP-CODES": [], "AUTH-RESP-CODE": [], "CAPA": []},
        [f"{number:08x}6b037a70" for number in range(1, 6)],
        before=["SASL", "USER"] if stls else ["SASL", "USER", "STLS"],
        pipelines=pipelines,
        sizes=[len(mail) for mail in SAMPLES.values()],
        mails=SAMPLES,
        forced=pipelines,
        stls=stls,
    )


SERVERS = {
    "courier-plain-pipelined": Server(
        {"LOGIN-DELAY": ["10"], "UTF8": ["USER"], "IMPLEMENTATION": ["Courier", "Mail", "Server"]},
        [f"UID{number}-1795390065" for number in range(1, 6)],
        after=["LOGIN-DELAY", "IMPLEMENTATION"],
        sizes=[len(mail) for mail in SAMPLES.values()],
        mails=SAMPLES,
        forced=True,
    ),
    "cyrus": Server(
        {"SASL": ["PLAIN"], "EXPIRE": ["NEVER"], "LOGIN-DELAY": ["0"]},
        ["1795367285.1", "1795367285.2"],
        "PLAIN",
    ),
    "dovecot-plain-pipelined": dovecot(stls=False, pipelines=True),
    "dovecot-plain-serial": dovecot(stls=False, pipelines=False),
    "dovecot-stls-pipelined": dovecot(stls=True, pipelines=True),
    "dovecot-stls-serial": dovecot(stls=True, pipelines=False),
    "exchange-2003": Server({"EXPIRE": ["NEVER"], "SASL": ["NTLM"]}, ["6499", "6500"]),
    "exchange-online": Server(
        {"SASL": ["PLAIN", "XOAUTH2"], "TOP": [], "UIDL": []}, ["15", "16"], "XOAUTH2", pipelines=False
    ),
    "gmail": Server(
        {"EXPIRE": ["0"], "LOGIN-DELAY": ["300"], "X-GOOGLE-RICO": []},
        ["GmailId18c2a7b3d4e5f601", "GmailId18c2a7b3d4e5f602"],
        "XOAUTH2",
        before=["SASL"],
        after=["PIPELINING"],
    ),
    "mailutils": Server(
        {"EXPIRENEVER": [], "IMPLEMENTATION": ["GNU", "Mailutils", "3.15"]},
        ["8b1a9953c4611296a827abf8c47804d7.1700000000.1", "5d41402abc4b2a76b9719d911017c592.1700000000.2"],
        after=["IMPLEMENTATION"],
    ),
    "popa3d": Server({}, ["0f1e2d3c4b5a6978", "8796a5b4c3d2e1f0"], pipelines=False),
    "twisted": Server(
        {"PIPELINE": [], "CELERITY": [], "AUSPEX": [], "POTENCE": []},
        ["0cc175b9c0f1b6a831c399e269772661", "92eb5ffee6ae2fec3ad71c777531578f"],
        pipelines=False,
    ),
}
REFUSING = {"exchange-2003-auth", "gmail-token-refused"}


def chunks(seed: int) -> dict[str, Chunk]:
    """Three ways to cut what a server says."""
    chance = random.Random(seed)
    return {"one octet": 1, "whole": None, "by chance": lambda: chance.randint(1, 200)}


def opened(name: str, chunk: Chunk, **options: object) -> ReplayedPOP3:
    """A client on that transcript."""
    pipelining = SERVERS[name].forced if name in SERVERS else None
    return replay(DATA / "transcripts" / f"{name}.txt", chunk=chunk, pipelining=pipelining, **options)  # type: ignore[arg-type]


def check(client: ReplayedPOP3, server: Server) -> None:
    """The session that all of them hold, and what is understood of it."""
    if server.stls:
        client.stls()
    before = client.known_capabilities
    client.log_in("ann", Secret("a-token-or-a-password"), server.mechanism)
    after = client.known_capabilities
    count, octets = client.stat()
    sizes, uidls = (parse_listing(client) for parse_listing in (listed, identified))
    numbers = list(range(1, count + 1))

    assert sorted(before.keys() - after.keys()) == sorted(server.before)
    assert sorted(after.keys() - before.keys()) == sorted(server.after)
    assert {name: after.get(name) for name in server.capabilities} == server.capabilities
    assert client.can_pipeline is server.pipelines
    assert [sizes, uidls] == [dict(zip(numbers, each, strict=True)) for each in (server.sizes, server.uidls)]
    assert octets == sum(server.sizes)
    replies = list(client.retr_many(numbers, sizes))
    assert [sha256(reply.block or b"") for reply in replies] == [
        sha256(each) for each in server.mails.values()
    ]


def listed(client: POP3) -> dict[int, int]:
    """Sizes by number."""
    return parse_sizes(joined(client.list()[1]))


def identified(client: POP3) -> dict[int, str]:
    """Unique-ids by number."""
    return parse_unique_ids(joined(client.uidl()[1]))


@pytest.mark.parametrize("cut", ["one octet", "whole", "by chance"])
@pytest.mark.parametrize("name", sorted(SERVERS))
def test_a_session_is_understood(name: str, cut: str) -> None:
    """Capabilities on both sides of the login, sizes, unique-ids and every octet of the mails."""
    with opened(name, chunks(1939)[cut]) as client:
        check(client, SERVERS[name])
        if name == "twisted":
            assert client.uidl(1) == b"+OK 0cc175b9c0f1b6a831c399e269772661"
        assert client.expires_retrieved is (name == "gmail")


@pytest.mark.parametrize("cut", ["one octet", "whole", "by chance"])
def test_a_refused_token_ends_in_a_typed_error_that_says_why(cut: str) -> None:
    """The challenge is answered, and the session can go on."""
    with opened("gmail-token-refused", chunks(7)[cut]) as client:
        client.capa()
        with pytest.raises(POP3AuthenticationError) as raised:
            client.log_in("ann", Secret("stale"), "OAUTHBEARER")

    assert raised.value.code == "AUTH"
    assert "invalid_token" in raised.value.text


def test_ok_where_a_challenge_belongs_is_no_login() -> None:
    """Nothing was proved yet, and nothing is sent."""
    client = opened("exchange-2003-auth", 1)
    with pytest.raises(POP3ProtocolError, match="before anything was proved"):
        client.authenticate("PLAIN", "ann", "secret")
    client.tape.check()


def test_the_blob_behind_a_greeting_is_no_response_code() -> None:
    """It is the name of a machine."""
    client = opened("exchange-online", None)

    assert client.getwelcome().startswith(b"+OK The Microsoft Exchange POP3 service is ready. [")


def with_bare_lf(text: str) -> str:
    """The same lines, ended by LF without CR."""
    return re.sub(r"^S:(?: (.*))?$", r"S: \1\\n\\", text, flags=re.MULTILINE)


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_with_bare_line_feeds_each_is_a_typed_error_that_says_so(path: Path, tmp_path: Path) -> None:
    """From the first line on."""
    variant = tmp_path / "bare-lf.txt"
    variant.write_text(with_bare_lf(path.read_text()))
    with pytest.raises(POP3ProtocolError, match="bare LF"):
        replay(variant, chunk=1)


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_with_bare_line_feeds_behind_the_login_each_is_a_typed_error_too(name: str, tmp_path: Path) -> None:
    """Nothing is taken for a mail that was not one."""
    text = (DATA / "transcripts" / f"{name}.txt").read_text()
    start = text.index("C: STAT")
    variant = tmp_path / "bare-lf.txt"
    variant.write_text(text[:start] + with_bare_lf(text[start:]))
    client = replay(variant, chunk=1, pipelining=SERVERS[name].forced)
    with pytest.raises(POP3ProtocolError, match="bare LF"):
        check(client, SERVERS[name])


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_a_replay_can_be_recorded_and_is_the_same(name: str, tmp_path: Path) -> None:
    """Recorder and replay agree about every server; the words of a login's replies are gone."""
    path = tmp_path / "again.txt"
    with opened(name, None, observers=[Recorder(path, "kept")]) as client:
        check(client, SERVERS[name])
        if name == "twisted":
            client.uidl(1)

    assert said(path) == said(DATA / "transcripts" / f"{name}.txt")


def said(path: Path) -> tuple[bytes, bytes]:
    """What each side says in a file, without the words of statuses."""
    (recording,) = read_transcript(path)
    sides = [b"".join(entry.octets for entry in recording.entries if entry.who == who) for who in "CS"]
    return sides[0], re.sub(rb"^(\+OK|-ERR)[^\r]*", rb"\1", sides[1], flags=re.MULTILINE)


def test_every_transcript_is_tested_and_says_where_it_is_from() -> None:
    """And the machine it was recorded on is in none."""
    assert {path.stem for path in TRANSCRIPTS} == {*SERVERS, *REFUSING}
    for path in TRANSCRIPTS:
        head = [line for line in path.read_text().splitlines() if line.startswith("#")]
        assert re.search(r"Recorded by|Sources?: ", "\n".join(head)), path.name
        assert "C: PASS" not in path.read_text().replace("C: PASS ***", "")
