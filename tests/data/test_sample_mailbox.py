"""The sample mailbox is what its script writes, keeps its promises, and is read right by us and by others."""

from __future__ import annotations

import email
import email.policy
import importlib.util
import re
import sys
from email.message import EmailMessage
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pop3frames.message import Message
from pop3frames.parsing.parser import parse_message

DATA = Path(__file__).resolve().parents[2] / "data"
MAILBOX = DATA / "mailbox"


def _script() -> ModuleType:
    """The script that writes the mailbox, loaded without leaving byte code in its folder."""
    spec = importlib.util.spec_from_file_location("make_mailbox", DATA / "make_mailbox.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


SCRIPT = _script()
ORDINARY = SCRIPT.ordinary_samples()
SAMPLES = SCRIPT.samples()

RESERVED = re.compile(r"(?:.*\.)?(?:example|example\.(?:com|org|net)|test|invalid)")
HOST = re.compile(r"(?:@|//)([\w-]+(?:\.[\w-]+)+)")
KNOWN_ENDING = re.compile(r"\b([\w-]+(?:\.[\w-]+)*\.(?:com|org|net|de|fr|pl|ru|jp|kr|cn|io|eu|uk))\b")
PRESCRIBED = {"schemas.openxmlformats.org"}  # the name of a format (ECMA-376), not of a place
DOCUMENTATION = [ip_network(each) for each in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]


def _readable(raw: bytes) -> str:
    """The message as it is and with all its parts decoded, as one text to search in."""
    decoded = [part.get_payload(decode=True) for part in email.message_from_bytes(raw).walk()]
    return "\n".join(each.decode("utf-8", "replace") for each in [raw, *decoded] if isinstance(each, bytes))


def _mailbox_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_committed_mailbox_is_what_the_script_writes(tmp_path: Path) -> None:
    """Nobody edits a message by hand, and the script gives the same bytes every time."""
    SCRIPT.write_mailbox(tmp_path)
    assert _mailbox_bytes(tmp_path) == _mailbox_bytes(MAILBOX)


def test_writing_removes_messages_that_are_gone(tmp_path: Path) -> None:
    """A renamed message does not stay behind under its old name."""
    (tmp_path / "odd-old-name.eml").write_bytes(b"Subject: gone\r\n\r\n")
    SCRIPT.write_mailbox(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [sample.name for sample in SAMPLES]


def test_the_readme_names_every_odd_file_and_no_other() -> None:
    """The table of oddities is complete, current, and about files that exist."""
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(odd-[a-z0-9_-]+\.eml)` \| \S", readme, flags=re.MULTILINE)
    assert named == sorted(path.name for path in MAILBOX.glob("odd-*.eml"))
    assert SCRIPT.readme_with_table(readme) == readme


def test_the_mailbox_is_large_enough_and_small_enough() -> None:
    """At least 45 ordinary and 35 odd messages, all in less than 500 KB."""
    odd = [sample for sample in SAMPLES if sample.oddity]
    assert len(ORDINARY) >= 45
    assert len(odd) >= 35
    assert len({sample.oddity for sample in odd}) >= 35
    assert sum(len(sample.raw) for sample in SAMPLES) < 500_000


def test_names_sort_into_mailbox_order() -> None:
    """Sorted by name the ordinary messages come first, and in the order of their dates."""
    names = [sample.name for sample in SAMPLES]
    dates = [sample.truth["received_at"] for sample in ORDINARY]
    assert sorted(names) == names
    assert names[: len(ORDINARY)] == [sample.name for sample in ORDINARY]
    assert sorted(set(dates)) == dates


def test_lines_end_with_crlf_unless_the_name_says_otherwise() -> None:
    """As on the wire: the only other line ends are those that a file's name announces."""
    for sample in SAMPLES:
        rest = sample.raw.replace(b"\r\n", b"")
        assert ("bare-cr" in sample.name) == (b"\r" in rest), sample.name
        assert ("bare-lf" in sample.name) == (b"\n" in rest), sample.name
        assert sample.raw.endswith(b"\r\n"), sample.name


def test_no_message_begins_with_a_dot() -> None:
    """Dots at the beginning of lines are inside, so that a message is a message."""
    assert [sample.name for sample in SAMPLES if sample.raw.startswith(b".")] == []
    assert b"\r\n.\r\n" in (MAILBOX / "odd-body-lines-beginning-with-dots.eml").read_bytes()


def test_two_files_and_only_they_are_duplicates() -> None:
    """The two duplicates are equal octet for octet; everything else is there once."""
    first_seen: dict[bytes, str] = {}
    twins = [(first_seen.setdefault(sample.raw, sample.name), sample.name) for sample in SAMPLES]
    different = [pair for pair in twins if pair[0] != pair[1]]
    assert different == [("odd-duplicate-first.eml", "odd-duplicate-second.eml")]


def test_every_domain_is_a_reserved_one() -> None:
    """No address, link or host of the mailbox belongs to anybody (RFC 2606, RFC 6761)."""
    seen = set()
    for sample in SAMPLES:
        text = _readable(sample.raw)
        seen |= {host.lower() for pattern in (HOST, KNOWN_ENDING) for host in pattern.findall(text)}
    assert {host for host in seen if not RESERVED.fullmatch(host)} == PRESCRIBED
    assert len(seen) > 20


def test_every_ip_address_is_for_documentation() -> None:
    """No IP address of the mailbox belongs to anybody (RFC 5737)."""
    text = "\n".join(_readable(sample.raw) for sample in SAMPLES)
    addresses = {ip_address(each) for each in re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text)}
    assert len(addresses) > 5
    assert {each for each in addresses if not any(each in network for network in DOCUMENTATION)} == set()


def _shown(header: Any) -> list[str]:
    """The addresses of a header of the standard library, as a table shows them."""
    people = [] if header is None else header.addresses
    return [
        f"{each.display_name} <{each.addr_spec}>" if each.display_name else each.addr_spec for each in people
    ]


@pytest.mark.parametrize("sample", ORDINARY, ids=lambda sample: sample.name)
def test_the_standard_library_reads_an_ordinary_message_as_its_table_says(sample: Any) -> None:
    """A second reader agrees with the truth, so that the truth is about the message and not about us."""
    mail = email.message_from_bytes(sample.raw, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    attachments = [
        (part.get_filename() or "", part.get_content_type(), len(part.get_payload(decode=True) or b""))
        for part in mail.walk()
        if (not part.is_multipart() and part.get_content_type() not in ("text/plain", "text/html"))
        or part.is_attachment()
    ]
    body = mail.get_body(("plain",))
    assert body is not None
    assert sample.truth["from_"] == _shown(mail["from"])[0]
    assert sample.truth["to"] == _shown(mail["to"])
    assert sample.truth["cc"] == _shown(mail["cc"])
    assert sample.truth["message_id_header"] == mail["message-id"]
    assert sample.truth["subject"] == mail["subject"]
    assert sample.truth["received_at"] == mail["date"].datetime.timestamp() * 1000
    assert sample.truth["text_starts"] == body.get_content().replace("\r\n", "\n").rstrip("\n")
    assert sample.truth["attachments"] == attachments


def _row(message: Message, truth: dict[str, Any]) -> dict[str, Any]:
    """Our row in the shape of a truth: its columns only, bodies cut to the length that is certain."""
    row: dict[str, Any] = {}
    for column, right in truth.items():
        if column == "attachments":
            row[column] = [(each.filename, each.content_type, each.size) for each in message.attachments]
        elif column in ("text_starts", "html_starts"):
            body = message.text_body if column == "text_starts" else message.html_body
            row[column] = body if right is None or body is None else body[: len(right)]
        else:
            row[column] = getattr(message, column)
    return row


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_our_parser_reads_a_message_as_its_table_says(sample: Any) -> None:
    """Every column whose right value is certain has it, in ordinary and in odd messages."""
    message = parse_message(sample.raw)
    assert sample.truth == _row(message, sample.truth)
    assert len(sample.raw) == message.size
    assert len(message.attachments) == message.attachment_count


@pytest.mark.parametrize("sample", ORDINARY, ids=lambda sample: sample.name)
def test_our_parser_reads_the_whole_body_of_an_ordinary_message(sample: Any) -> None:
    """Nothing follows the text of the table but the end of its last line."""
    message = parse_message(sample.raw)
    assert sample.truth["text_starts"] == (message.text_body or "").rstrip("\n")
    assert sample.truth["html_starts"] == (message.html_body.rstrip("\n") if message.html_body else None)
