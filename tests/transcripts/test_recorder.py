"""What a recording holds: everything but secrets and, unless asked for, names and what mails say."""

from __future__ import annotations

import contextlib
import logging
import stat
import tempfile
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from client.wires import MemoryPOP3, answering
from hypothesis import given
from hypothesis import strategies as st

from pop3frames.errors import POP3Error, POP3UsageError
from pop3frames.protocol import grammar
from pop3frames.protocol.grammar import Verb
from pop3frames.transcripts.masking import Mail
from pop3frames.transcripts.recorder import Recorder
from pop3frames.transcripts.transcript import read_transcript

ROOT = Path(__file__).resolve().parents[2]
MIXED = (
    b"From: Ann <ann@example.org>\r\nContent-Type: multipart/mixed;\r\n"
    b' boundary="quay"; name=plan.pdf\r\n\r\n'
    b"Dear Bob\r\n--quay\r\nContent-Type: text/plain; charset=iso-8859-1\r\nX-Mood: fine\r\n\r\n"
    b"caf\xe9 7\r\n\r\nContent-Type: not a header\r\n--quay \r\n"
    b"Content-Type: multipart/mixed; boundary=yuaq\r\n\r\n--yuaq\r\n\r\n..dots\r\n--yuaq--\r\n--quay--\r\n"
)
MASKED = (
    b"From: Xxx <xxx@xxxxxxx.xxx>\r\nContent-Type: multipart/mixed;\r\n"
    b' boundary="xxx1"; name=xxxx.pdf\r\n\r\n'
    b"Xxxx Xxx\r\n--xxx1\r\nContent-Type: text/plain; charset=iso-8859-1\r\nX-Mood: xxxx\r\n\r\n"
    b"xxx\xe4 9\r\n\r\nXxxxxxx-Xxxx: xxx x xxxxxx\r\n--xxx1 \r\n"
    b"Content-Type: multipart/mixed; boundary=xxx2\r\n\r\n--xxx2\r\n\r\n..xxxx\r\n--xxx2--\r\n--xxx1--\r\n"
)


def record(path: Path, sent: Iterable[tuple[Verb, bytes]], octets: bytes, **options: object) -> list[str]:
    """The lines of a recording of these commands, then these octets."""
    recorder = Recorder(path, **options)  # type: ignore[arg-type]
    for verb, line in sent:
        recorder.sent(verb, line)
    recorder.received(octets)
    recorder.closed()
    return path.read_text().splitlines()[2:]


RETR = (grammar.RETR, b"RETR 1\r\n")


def replayed(path: Path) -> bytes:
    """What a server says in a replay of the only connection."""
    entries = read_transcript(path)[0].entries
    return b"".join(entry.octets for entry in entries if entry.who == "S")


# The file


def test_a_file_is_for_its_owner_and_never_one_that_is_there(tmp_path: Path) -> None:
    """Nor a link that somebody put there."""
    path = tmp_path / "bug.txt"
    Recorder(path)
    (tmp_path / "link.txt").symlink_to(tmp_path / "elsewhere.txt")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for taken in (path, tmp_path / "link.txt", tmp_path / "missing" / "bug.txt"):
        with pytest.raises(POP3UsageError, match="new file"):
            Recorder(taken)
    with pytest.raises(POP3UsageError, match="masked"):
        Recorder(tmp_path / "other.txt", "plain")  # type: ignore[arg-type]


def test_what_crossed_is_in_the_file_at_once(tmp_path: Path) -> None:
    """A crash leaves it readable."""
    path = tmp_path / "bug.txt"
    client = MemoryPOP3(b"+OK ready\r\n", answering({b"NOOP": b"+OK\r\n"}), observers=[Recorder(path)])
    client.noop()

    assert path.read_text().splitlines()[2:] == ["S: +OK ready", "C: NOOP", "S: +OK"]
    client.close()


def test_connections_follow_each_other_in_one_file_and_leave_nothing_open(tmp_path: Path) -> None:
    """As a handler's do."""
    recorder = Recorder(tmp_path / "bug.txt", notes=["one\ntwo", "three"])
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(2):
        MemoryPOP3(b"+OK\r\n", answering({}), observers=[recorder]).close()
    lines = (tmp_path / "bug.txt").read_text().splitlines()

    assert lines[1:] == ["# mail: masked", "# one", "# two", "# three", *["S: +OK", "-- closed"] * 2]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_that_cannot_be_written_ends_the_recording_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk is not the client's business."""
    recorder = Recorder(tmp_path / "bug.txt")
    (tmp_path / "bug.txt").unlink()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            recorder.received(b"+OK\r\n")

    assert [record.message[:24] for record in caplog.records] == ["the transcript ends here"]


# Octets


@given(st.binary(), st.lists(st.sampled_from([b"\r\n", b".\r\n", b"\n", b"x" * 70_000, b"\r"])).map(b"".join))
def test_a_kept_recording_says_every_octet(noise: bytes, body: bytes) -> None:
    """Whatever stands in a mail, and whatever comes behind it."""
    octets = b"+OK ready\r\n+OK\r\n" + body + b"\r\n.\r\n" + noise
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kept.txt")
        record(path, [RETR], octets, mail="kept")
        assert replayed(path) == octets


def test_a_masked_recording_keeps_lengths_line_ends_and_dots(tmp_path: Path) -> None:
    """Of every mail in the sample mailbox; and no word of four letters is left of what they say."""
    mails = [path.read_bytes() for path in sorted((ROOT / "data" / "mailbox").iterdir())]
    for number, mail in enumerate(mails):
        path = tmp_path / f"{number}.txt"
        octets = b"+OK ready\r\n+OK\r\n" + mail.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        record(path, [RETR], octets)
        shown = replayed(path)

        assert len(shown) == len(octets)
        for structure in (b"\r\n", b"\n", b"\r", b".", b"--", b":"):
            assert shown.count(structure) == octets.count(structure)


def test_masked_mail_keeps_what_says_how_it_is_built() -> None:
    """Field names, MIME's own words, boundaries that stay different; nothing else."""
    mail = Mail()

    assert b"".join(mail.line(line) for line in MIXED.splitlines(keepends=True)) == MASKED
    assert len(MASKED) == len(MIXED)


def test_names_are_masked_everywhere_and_always_alike(tmp_path: Path) -> None:
    """Users, hosts and addresses: in the greeting, in commands, in unique-ids."""
    sent = [
        (grammar.CAPA, b"CAPA\r\n"),
        (grammar.USER, b"USER ann@example.org\r\n"),
    ]
    octets = (
        b"+OK pop.example.org ready <1.2@pop.example.org> [QUJDREVGR0hJSktMTU5PUFFS]\r\n"
        b"+OK\r\nIMPLEMENTATION 1.0.16 at 192.0.2.7\r\n.\r\n+OK welcome ann@example.org\r\n"
    )
    lines = record(tmp_path / "one.txt", sent, octets)
    uidl = [(grammar.UIDL, b"UIDL\r\n")]
    ids = b"+OK ready\r\n+OK\r\n1 17000.P1.pop.example.org\r\n2 17001.P1.pop.example.org\r\n3 17.1\r\n.\r\n"

    assert lines[1] == "C: USER user1"
    assert lines[2] == "S: +OK host1.invalid ready <address1@example.invalid> [XXXXXXXXX9xXXxxXXX9XXXXX]"
    assert lines[3:7] == ["S: +OK", "S: IMPLEMENTATION 1.0.16 at host2.invalid", "S: .", "S: +OK"]
    assert record(tmp_path / "two.txt", uidl, ids)[3:6] == [
        "S: 1 host1.invalid",
        "S: 2 host2.invalid",
        "S: 3 17.1",
    ]


def test_a_users_name_is_found_in_what_the_server_says_later(tmp_path: Path) -> None:
    """As a word; and a name of digits does not hide message numbers."""
    recorder = Recorder(tmp_path / "bug.txt")
    recorder.received(b"+OK\r\n")
    for name in (b"ann", b"1"):
        recorder.sent(grammar.USER, b"USER %s\r\n" % name)
        recorder.received(b"+OK\r\n")
    recorder.sent(grammar.STAT, b"STAT\r\n")
    recorder.received(b"+OK 1 20 for ann, not annabel\r\n")

    assert (tmp_path / "bug.txt").read_text().splitlines()[-1] == "S: +OK 1 20 for user1, not annabel"
    recorder.closed()


def test_a_challenge_is_replaced_by_one_that_has_the_same_effect(tmp_path: Path) -> None:
    """Empty, base64, or neither."""
    recorder = Recorder(tmp_path / "bug.txt")
    recorder.received(b"+OK\r\n")
    recorder.sent(grammar.AUTH, b"AUTH XOAUTH2\r\n")
    recorder.received(b"+ \r\n+\r\n+ c2VjcmV0\r\n+ sec:ret\r\n")
    lines = (tmp_path / "bug.txt").read_text().splitlines()[4:]

    assert lines == ["S: + \\x20".replace(" \\", "\\"), "S: +", "S: + e30=", "S: + !"]
    recorder.closed()


def test_in_one_flight_with_a_login_only_lines_of_a_listing_are_kept(tmp_path: Path) -> None:
    """Or lines that came before the login, when there was no secret to repeat."""
    recorder = Recorder(tmp_path / "bug.txt", "kept")
    recorder.received(b"+OK\r\n")
    recorder.sent(grammar.CAPA, b"CAPA\r\n")
    recorder.received(b"+OK\r\nIMPLEMENTATION known\r\n.\r\n")
    for verb in (grammar.USER, grammar.PASS, grammar.CAPA, grammar.LIST, grammar.UIDL):
        recorder.sent(verb, verb.name + b"\r\n")
    before = len((tmp_path / "bug.txt").read_text().splitlines())
    recorder.received(b"+OK\r\n+OK\r\n+OK\r\nIMPLEMENTATION known\r\nIMPLEMENTATION hunter2\r\nhunter2\r\n")
    recorder.received(b"SASL PLAIN XOAUTH2\r\nSASL PLAIN hunter2\r\nEXPIRE 31 USER\r\n.\r\n")
    recorder.received(b"+OK hunter2\r\n1 120\r\n2 120 hunter2\r\n.\r\n+OK\r\n1 abc\r\n2 a hunter2\r\nhunt")
    recorder.closed()
    lines = (tmp_path / "bug.txt").read_text().splitlines()[before:]

    assert lines == [
        *["S: +OK"] * 3,
        *["S: IMPLEMENTATION known", "S: ***", "S: ***"],
        *["S: SASL PLAIN XOAUTH2", "S: ***", "S: EXPIRE 31 USER", "S: ."],
        *["S: +OK", "S: 1 120", "S: ***", "S: ."],
        *["S: +OK", "S: 1 abc", "S: ***", "S: ***\\", "-- closed"],
    ]


# Bounds


@pytest.mark.parametrize("size", [1, 3, 1000, 1 << 20])
def test_mail_over_the_bound_is_left_out_and_as_long_in_a_replay(tmp_path: Path, size: int) -> None:
    """The bound is on all mails together; what is no mail is always kept."""
    octets = (
        b"+OK\r\n" + b"+OK\r\n" + b"1234567\r\n" * 100 + b".\r\n" + b"+OK\r\n..\r\n.\r\n" + b"+OK\r\n.\r\n"
    )
    recorder = Recorder(tmp_path / "bug.txt", octets=100)
    for _ in range(3):
        recorder.sent(*RETR)
    for at in range(0, len(octets), size):
        recorder.received(octets[at : at + size])
    recorder.closed()
    text = (tmp_path / "bug.txt").read_text()

    assert len(replayed(tmp_path / "bug.txt")) == len(octets)
    assert "-- omitted 4\nS: .\n" in text
    assert text.endswith("S: +OK\nS: .\n-- closed\n")
    assert len(text) < 400


def test_a_mail_without_an_end_costs_little_memory_and_a_bounded_file(tmp_path: Path) -> None:
    """64 MB on one line."""
    recorder = Recorder(tmp_path / "bug.txt", octets=1 << 20)
    recorder.sent(*RETR)
    recorder.received(b"+OK\r\n+OK\r\n")
    chunk = b"x" * (256 << 10)
    tracemalloc.start()
    for _ in range(256):
        recorder.received(chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    recorder.closed()

    assert peak < 8 << 20
    assert (tmp_path / "bug.txt").stat().st_size < 2 << 20


@given(
    st.binary(),
    st.lists(st.sampled_from([RETR, (grammar.CAPA, b"CAPA\r\n"), (grammar.PASS, b"PASS ***\r\n")])),
)
def test_no_recording_raises(octets: bytes, sent: list[tuple[Verb, bytes]]) -> None:
    """Garbage, masked: the file can be read all the same."""
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder, "bug.txt"), sent, b"+OK\r\n+OK\r\n" + octets)
        assert len(read_transcript(Path(folder, "bug.txt"))) == 1


def test_what_is_out_of_step_is_masked_like_a_mail(tmp_path: Path) -> None:
    """It may be one's rest."""
    path = tmp_path / "bug.txt"
    with contextlib.suppress(POP3Error):
        client = MemoryPOP3(
            b"+OK\r\n", answering({b"RETR": b"+OK\r\n.\r\nDear Bob\r\n"}), observers=[Recorder(path)]
        )
        client.retr(1)
        client.noop()

    assert path.read_text().splitlines()[-2:] == ["S: Xxxx Xxx", "-- closed"]
