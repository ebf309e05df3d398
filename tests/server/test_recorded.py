"""A snapshot on disk: served as it was recorded, or refused with the reason."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pop3frames.errors import POP3UsageError
from pop3frames.server.maildrop import StoredMessage
from pop3frames.server.recorded import INDEX, Index, RecordedMail, read_index
from pop3frames.server.sources import read_mailbox

FIRST, SECOND = b"Subject: one\r\n\r\nbare\nline\n.\nend\r\n", b""


def snapshot(folder: Path, **changes: Any) -> Path:
    """Two mails, the second of a server without unique-ids; `changes` to the first one's entry."""
    entries = [
        RecordedMail(name, uidl, len(raw), hashlib.sha256(raw).hexdigest())
        for name, uidl, raw in [("00001.eml", "uid-1", FIRST), ("00002.eml", None, SECOND)]
    ]
    (folder / "00001.eml").write_bytes(FIRST)
    (folder / "00002.eml").write_bytes(SECOND)
    told = json.loads(Index(True, False, 0, tuple(entries)).to_json())
    told["mails"][0] |= changes.pop("mail", {})
    (folder / INDEX).write_text(json.dumps(told | changes))
    return folder


def test_mails_are_read_octet_by_octet(tmp_path: Path) -> None:
    """Bare line feeds too; where there was no unique-id there is one now that tells mails apart."""
    first, second = read_mailbox(snapshot(tmp_path))
    assert StoredMessage(FIRST, "uid-1") == first
    assert isinstance(second, StoredMessage)
    assert (SECOND, True) == (second.raw, second.uidl.startswith("2-"))


def test_an_index_has_a_line_for_each_mail(tmp_path: Path) -> None:
    """And is read as it was written."""
    mails = tuple(RecordedMail(f"{n:05}.eml", f"uid-{n}", n, None) for n in range(1, 4))
    index = Index(complete=True, redacted=True, failed=2, mails=mails)
    (tmp_path / INDEX).write_text(index.to_json())
    assert index == read_index(tmp_path)
    assert 3 == sum("uid-" in line for line in index.to_json().splitlines())


def test_one_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    """Whatever ended the recording."""
    with pytest.raises(POP3UsageError, match="ended early: record it again"):
        list(read_mailbox(snapshot(tmp_path, complete=False)))


def test_a_changed_mail_is_refused_unless_the_change_is_meant(tmp_path: Path) -> None:
    """Git may have changed its line ends; whoever edits a mail takes its hash away."""
    snapshot(tmp_path)
    (tmp_path / "00001.eml").write_bytes(FIRST.replace(b"\r\n", b"\n"))
    with pytest.raises(POP3UsageError, match=r"00001\.eml is not the mail that was recorded: restore it"):
        list(read_mailbox(tmp_path))
    snapshot(tmp_path, mail={"sha256": None})
    (tmp_path / "00001.eml").write_bytes(b"Subject: other\r\n\r\n")
    assert StoredMessage(b"Subject: other\r\n\r\n", "uid-1") == next(iter(read_mailbox(tmp_path)))


def test_a_missing_mail_is_refused(tmp_path: Path) -> None:
    """By its name."""
    (snapshot(tmp_path) / "00002.eml").unlink()
    with pytest.raises(POP3UsageError, match=r"00002\.eml cannot be read"):
        list(read_mailbox(tmp_path))


@pytest.mark.parametrize("name", ["../secret.eml", "/etc/passwd", "00001.eml/../../x", "a.eml", ""])
def test_an_index_cannot_name_a_file_elsewhere(tmp_path: Path, name: str) -> None:
    """A snapshot may come from anybody."""
    with pytest.raises(POP3UsageError, match="is not the index of a snapshot"):
        list(read_mailbox(snapshot(tmp_path, mail={"file": name})))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", "\xff", '{"pop3frames-snapshot": "x"}', "[" * 100_000]
)
def test_what_is_no_index_is_refused(tmp_path: Path, text: str) -> None:
    """With what to do, and never by another error."""
    (tmp_path / INDEX).write_bytes(text.encode("latin-1"))
    with pytest.raises(POP3UsageError, match="is not the index of a snapshot: record it again"):
        list(read_mailbox(tmp_path))


def test_one_of_a_later_version_is_refused(tmp_path: Path) -> None:
    """Rather than misread."""
    with pytest.raises(POP3UsageError, match="recorded by a newer pop3frames"):
        list(read_mailbox(snapshot(tmp_path, **{"pop3frames-snapshot": 2})))
