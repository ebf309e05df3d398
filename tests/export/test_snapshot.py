"""record_mailbox: what is served again is what was there, or the snapshot says that it is not whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from export.mailboxes import account_at, account_of, listing, mails, refused, retr
from lab.dovecot import Dovecot
from lab.scripted import QUIT, ScriptedServer

from pop3frames.client.credentials import Secret
from pop3frames.errors import POP3ConnectionError, POP3ExportError, POP3UsageError
from pop3frames.export.mailbox import export_mailbox
from pop3frames.export.progress import Progress
from pop3frames.export.snapshot import record_mailbox
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Drop
from pop3frames.server.features import Features
from pop3frames.server.maildrop import StoredMessage
from pop3frames.server.recorded import INDEX, read_index
from pop3frames.server.sources import read_mailbox

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "mailbox"


def test_the_sample_mailbox_is_replayed_octet_by_octet(tmp_path: Path) -> None:
    """Recorded, served and exported again: the same unique-ids, sizes and bytes, in the same order."""
    with EmbeddedServer(SAMPLES) as server:
        report = record_mailbox(account_of(server), tmp_path / "snapshot")
        before = server.maildrop.messages
    assert (160, 160, ()) == (report.listed, report.recorded, report.failed)
    with EmbeddedServer(tmp_path / "snapshot") as server:
        assert before == server.maildrop.messages
        assert len(before) == 160
        assert {n: each.uidl for n, each in enumerate(before, 1)} == account_of(server).handler().uidl()
        sizes = {each.uidl: len(each.raw) for each in before}
        export_mailbox(account_of(server), tmp_path / "mail", keep_raw=True)
    table = Dataset(tmp_path / "mail").to_table(columns=["uidl", "size", "raw"]).to_pylist()
    assert sizes == {row["uidl"]: row["size"] for row in table}
    assert {each.uidl: each.raw for each in before} == {row["uidl"]: row["raw"] for row in table}


def test_a_mail_with_bare_line_ends_and_dots_survives(tmp_path: Path) -> None:
    """Nothing is made regular on the way, in either direction."""
    odd = StoredMessage(b"Subject: x\r\n\r\na\n.\nb\r.\r\n..\r\n.\0\xff\r\n", "odd")
    with EmbeddedServer([odd]) as server:
        record_mailbox(account_of(server), tmp_path / "snapshot")
    assert [odd] == list(read_mailbox(tmp_path / "snapshot"))


def test_redacted_the_unique_ids_stay_and_the_texts_do_not(tmp_path: Path) -> None:
    """The same key, the same snapshot; another key, another one."""
    paths = [tmp_path / name for name in ("one", "two", "three")]
    with EmbeddedServer(mails(5)) as server:
        for path, key in zip(paths, ["k", "k", "other"], strict=True):
            report = record_mailbox(account_of(server), path, redact=True, key=Secret(key))
            assert "5 recorded and redacted" in str(report)
    one, two, three = (list(read_mailbox(path)) for path in paths)
    assert one == two != three
    assert [f"uid-{n:05d}" for n in range(1, 6)] == [each.uidl for each in one if not isinstance(each, bytes)]
    assert read_index(paths[0]).redacted
    assert b"ann" not in b"".join(each.read_bytes().lower() for each in paths[0].iterdir())


def test_only_the_newest_are_recorded_if_so_asked(tmp_path: Path) -> None:
    """The last of the listing, in its order."""
    with EmbeddedServer(mails(5)) as server:
        report = record_mailbox(account_of(server), tmp_path / "snapshot", newest=2)
    assert (2, 2) == (report.listed, report.recorded)
    assert ["uid-00004", "uid-00005"] == [each.uidl for each in read_index(tmp_path / "snapshot").mails]


def test_it_ends_without_quit_where_that_would_hide_mail(tmp_path: Path) -> None:
    """A server that removes what was fetched at QUIT, as EXPIRE 0 allows, still has everything."""
    features = Features(expire=0, removes_retrieved=True)
    with EmbeddedServer(mails(3), features=features) as server:
        record_mailbox(account_of(server), tmp_path / "snapshot")
        assert 3 == len(server.maildrop)


def test_it_never_sends_dele_and_ends_with_quit(tmp_path: Path) -> None:
    """Every command is scripted: a DELE would fail."""
    one, two = mails(2)
    steps = listing({1: one.uidl, 2: two.uidl}, {1: len(one.raw), 2: len(two.raw)})
    with ScriptedServer([*steps, retr(1, one), retr(2, two), QUIT]) as server:
        record_mailbox(account_at(server.port), tmp_path / "snapshot")
    assert [one, two] == list(read_mailbox(tmp_path / "snapshot"))


def test_a_refused_mail_is_reported_and_the_others_are_served(tmp_path: Path) -> None:
    """The index counts it; the reason, which may quote the mail, is only in the report."""
    one, two = mails(2)
    steps = listing({1: one.uidl, 2: two.uidl}, {1: len(one.raw), 2: len(two.raw)})
    with ScriptedServer([*steps, refused(1, b"canary"), retr(2, two), QUIT]) as server:
        report = record_mailbox(account_at(server.port), tmp_path / "snapshot")
    assert [(1, one.uidl)] == [(each.number, each.uidl) for each in report.failed]
    assert "canary" in report.failed[0].reason
    assert 1 == read_index(tmp_path / "snapshot").failed
    assert "canary" not in (tmp_path / "snapshot" / INDEX).read_text()
    assert [two] == list(read_mailbox(tmp_path / "snapshot"))


def test_a_lost_connection_is_gone_on_from(tmp_path: Path) -> None:
    """Once: what came is not fetched again."""
    with EmbeddedServer(mails(6), faults=[Drop("RETR", nth=4)]) as server:
        report = record_mailbox(account_of(server), tmp_path / "snapshot")
    assert (6, 6) == (report.listed, report.recorded)
    assert mails(6) == list(read_mailbox(tmp_path / "snapshot"))


def test_one_that_ends_early_says_so_and_can_be_recorded_again(tmp_path: Path) -> None:
    """A server that cannot be gone on with leaves no snapshot that anybody could serve."""
    one, two = mails(2)
    cutting = EmbeddedServer([one, two], faults=[Drop("RETR", message=2)])
    with cutting as server, pytest.raises(POP3ConnectionError):
        record_mailbox(account_of(server), tmp_path / "snapshot")
    assert (tmp_path / "snapshot" / "00001.eml").exists()
    with pytest.raises(POP3UsageError, match="ended early"):
        list(read_mailbox(tmp_path / "snapshot"))
    with EmbeddedServer([two]) as server:
        record_mailbox(account_of(server), tmp_path / "snapshot")
    assert [two] == list(read_mailbox(tmp_path / "snapshot"))


CHILD = """
import os, sys
from pop3frames import Account, Secret, record_mailbox
port, password, folder = sys.argv[1:]
def die_at(progress):
    if progress.messages == 3:
        os._exit(9)
account = Account("a", "127.0.0.1", int(port), "user", Secret(password), "none")
record_mailbox(account, folder, progress=die_at)
"""


def test_a_killed_recording_says_that_it_is_not_whole(tmp_path: Path) -> None:
    """Three mails are there, and nobody can take them for the mailbox."""
    folder = tmp_path / "snapshot"
    with EmbeddedServer(mails(5)) as server:
        words = [sys.executable, "-c", CHILD, str(server.port), server.password, str(folder)]
        assert 9 == subprocess.run(words).returncode
        assert 3 == len(list(folder.glob("*.eml")))
        with pytest.raises(POP3UsageError, match="ended early"):
            list(read_mailbox(folder))
        record_mailbox(account_of(server), folder)
    assert mails(5) == list(read_mailbox(folder))


@pytest.mark.parametrize("name", ["letter.txt", "00001.eml"])
def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path: Path, name: str) -> None:
    """Not a file of it is touched, and nobody is asked for mail."""
    (tmp_path / name).write_text("mine")
    with pytest.raises(POP3UsageError, match="is not empty: record into a new folder"):
        record_mailbox(account_at(1), tmp_path)
    assert [name] == [each.name for each in tmp_path.iterdir()]


def test_a_whole_snapshot_is_never_overwritten(tmp_path: Path) -> None:
    """Tests may rest on it."""
    with EmbeddedServer(mails(1)) as server:
        record_mailbox(account_of(server), tmp_path / "snapshot")
        with pytest.raises(POP3UsageError, match="is a snapshot already"):
            record_mailbox(account_of(server), tmp_path / "snapshot")
    assert mails(1) == list(read_mailbox(tmp_path / "snapshot"))


def test_a_folder_that_cannot_be_written_is_an_export_error(tmp_path: Path) -> None:
    """With what to do about it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(POP3ExportError, match="a file is where a folder should be"):
        record_mailbox(account_at(1), tmp_path / "file" / "snapshot")


def test_a_server_without_unique_ids_is_recorded(tmp_path: Path) -> None:
    """Replayed by one that invents some; a loss on the way cannot be gone on from."""
    with EmbeddedServer(mails(2), features=Features(uidl=False)) as server:
        record_mailbox(account_of(server), tmp_path / "snapshot")
    assert [None, None] == [each.uidl for each in read_index(tmp_path / "snapshot").mails]
    raws = [each.raw for each in read_mailbox(tmp_path / "snapshot") if not isinstance(each, bytes)]
    assert [each.raw for each in mails(2)] == raws
    lossy = EmbeddedServer(mails(3), features=Features(uidl=False), faults=[Drop("RETR", nth=2)])
    with lossy as server, pytest.raises(POP3ConnectionError, match="numbers the mail otherwise"):
        record_mailbox(account_of(server), tmp_path / "other")


def test_progress_is_told(tmp_path: Path) -> None:
    """Messages and octets, as an export tells them."""
    told: list[Progress] = []
    with EmbeddedServer(mails(2)) as server:
        record_mailbox(account_of(server), tmp_path / "snapshot", progress=told.append)
    assert [(1, 2), (2, 2)] == [(each.messages, each.total_messages) for each in told]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"key": Secret("k")}, "a key is for redact=True"), ({"newest": 0}, "newest must be at least 1")],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: dict, words: str) -> None:
    """Before anything is made or sent."""
    with pytest.raises(POP3UsageError, match=words):
        record_mailbox(account_at(1), tmp_path / "snapshot", **options)
    assert [] == list(tmp_path.iterdir())


def test_git_is_told_to_leave_the_line_ends_alone(
    tmp_path: Path, require_program: Callable[[str], str]
) -> None:
    """A checkout with autocrlf is served like the original."""
    git = require_program("git")
    with EmbeddedServer(mails(2)) as server:
        record_mailbox(account_of(server), tmp_path / "repo" / "snapshot")
    calm = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ["-c", "user.name=x", "-c", "user.email=x@y.example", "-c", "core.autocrlf=input"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["rm", "-rq", "."]):
        subprocess.run([git, *who, *words], cwd=tmp_path / "repo", env=calm, check=True)
    subprocess.run([git, *who, "reset", "-q", "--hard"], cwd=tmp_path / "repo", env=calm, check=True)
    assert mails(2) == list(read_mailbox(tmp_path / "repo" / "snapshot"))


@pytest.mark.dovecot
def test_a_dovecot_is_replayed_with_its_unique_ids(
    tmp_path: Path, dovecot: Dovecot, dovecot_user: str
) -> None:
    """What a real server numbers and sends is what the replay numbers and sends; and it keeps its mail."""
    dovecot.deliver(dovecot_user, [message.raw for message in mails(4)])
    account = account_at(dovecot.port, username=dovecot_user)
    there = account.handler().uidl()
    record_mailbox(account, tmp_path / "snapshot")
    with EmbeddedServer(tmp_path / "snapshot") as server:
        assert there == account_of(server).handler().uidl()
        served = [message["size"] for message in account_of(server).handler().fetch_messages()]
    assert served == [message["size"] for message in account.handler().fetch_messages()]
