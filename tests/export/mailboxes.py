"""Mailboxes, accounts and what a dataset holds, for the tests of the export."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.scripted import GREETING, LOGIN, QUIT, Step

from pop3frames.client.credentials import Secret
from pop3frames.export.accounts import Account
from pop3frames.export.mailbox import ExportReport
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.maildrop import StoredMessage

ANN = "ann@example.org"


def mail(number: int, octets: int = 400) -> StoredMessage:
    """Mail `number`, of about so many octets; no two are alike."""
    head = (
        f"From: Ann <{ANN}>\r\nTo: bob@example.org\r\nSubject: mail {number}\r\n"
        f"Date: Tue, 2 Jan 2024 03:04:05 +0000\r\nMessage-ID: <{number}@example.org>\r\n\r\n"
    ).encode()
    line = b".%d dots and all of that\r\n" % number
    return StoredMessage(head + line * max(1, (octets - len(head)) // len(line)), f"uid-{number:05d}")


def mails(count: int, octets: int = 400) -> list[StoredMessage]:
    """Mails 1 to `count`."""
    return [mail(number, octets) for number in range(1, count + 1)]


def account_at(port: int, password: str = "secret", **changes: Any) -> Account:
    """Ann's account in plain text on a loopback port."""
    settings: dict[str, Any] = {"username": "user", "encryption": "none", "timeout": 10}
    return Account(ANN, "127.0.0.1", port, secret=Secret(password), **(settings | changes))


def account_of(server: EmbeddedServer, **changes: Any) -> Account:
    """Ann's account on an embedded server."""
    return account_at(server.port, server.password, **changes)


def rows(path: Path) -> list[dict[str, Any]]:
    """All rows of the dataset in the order they were stored."""
    return list(Dataset(path).to_table().to_pylist())


def stored(path: Path) -> list[str | None]:
    """The unique-ids in the dataset, sorted, with their repetitions."""
    return sorted(row["uidl"] for row in rows(path))


def hashes(path: Path) -> list[str]:
    """The content hashes in the dataset, sorted, with their repetitions."""
    return sorted(row["contentHash"] for row in rows(path))


def ids(messages: Iterable[StoredMessage]) -> list[str]:
    """The unique-ids of mails, sorted."""
    return sorted(message.uidl for message in messages)


def digests(messages: Iterable[StoredMessage]) -> list[str]:
    """The SHA-256 of mails in hex, sorted."""
    return sorted(hashlib.sha256(message.raw).hexdigest() for message in messages)


def counts(report: ExportReport) -> tuple[int, int, int, int, int]:
    """Listed, new, known, failed, left; checks that every listed message is accounted for."""
    failed = len(report.failed)
    assert report.listed == report.new + report.known + report.skipped + failed + report.left
    return report.listed, report.new, report.known, failed, report.left


def block(lines: Iterable[bytes]) -> bytes:
    """A +OK reply with these lines."""
    return b"+OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b".\r\n"


def retr(number: int, message: StoredMessage) -> Step:
    """The step in which a scripted server hands out a mail."""
    stuffed = message.raw.replace(b"\r\n.", b"\r\n..")
    return (f"RETR {number}", b"+OK\r\n" + stuffed + b".\r\n")


def refused(number: int, text: bytes = b"not today") -> Step:
    """The step in which a scripted server refuses a mail."""
    return (f"RETR {number}", b"-ERR " + text + b"\r\n")


def listing(uidls: Mapping[int, str] | None, sizes: Mapping[int, int], *capabilities: bytes) -> list[Step]:
    """Login, UIDL (None: the server has none) and LIST of a scripted server; CAPA before and behind it."""
    ids_shown = [f"{number} {uidl}".encode() for number, uidl in (uidls or {}).items()]
    capa = ("?CAPA", block(capabilities))
    return [
        GREETING,
        capa,
        *LOGIN[2:],
        capa,
        ("UIDL", b"-ERR what?\r\n" if uidls is None else block(ids_shown)),
        ("LIST", block(b"%d %d" % entry for entry in sizes.items())),
    ]


def whole_session(
    messages: Iterable[StoredMessage], *capabilities: bytes, uidls: Mapping[int, str] | None
) -> list[Step]:
    """A scripted session in which every mail is asked for and QUIT follows."""
    numbered = dict(enumerate(messages, 1))
    sizes = {number: len(message.raw) for number, message in numbered.items()}
    steps = [retr(number, message) for number, message in numbered.items()]
    return [*listing(uidls, sizes, *capabilities), *steps, QUIT]
