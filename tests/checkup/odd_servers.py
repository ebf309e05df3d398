"""A small POP3 server whose every reply a test may change: for what a check-up must find."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from lab.scripted import Action, Peer, Script, ScriptedServer, start_tls

from pop3frames.checkup.doctor import check_up
from pop3frames.checkup.findings import CHECKS, Check
from pop3frames.client.handler import POP3ProtocolHandler

PASSWORD = 'correct "horse" \\7c1f'  # with what a repr writes otherwise
MAILS = [b"Subject: mail %d\r\n\r\nbody %d\r\nand more\r\n" % (number, number) for number in (1, 2, 3)]
CAPABILITIES = b"TOP\r\nUIDL\r\nUSER\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"

Changes = Mapping[str, Any]  # by line, by verb, or "greeting" and "CAPA inside": bytes or an action


def block(*lines: bytes, status: bytes = b"+OK") -> bytes:
    """A multi-line reply."""
    return b"\r\n".join([status, *lines, b".", b""])


def capa(text: bytes) -> bytes:
    """A reply to CAPA."""
    return b"+OK\r\n" + text + b".\r\n"


def honest(line: str, mails: list[bytes]) -> bytes:
    """What a good server says."""
    verb, _, rest = line.partition(" ")
    numbers = [int(each) for each in rest.split() if each.isdecimal()]
    mail = mails[numbers[0] - 1] if numbers and 1 <= numbers[0] <= len(mails) else None
    if verb == "CAPA":
        return capa(CAPABILITIES)
    if verb == "STAT":
        return b"+OK %d %d\r\n" % (len(mails), sum(map(len, mails)))
    if verb in ("LIST", "UIDL"):
        told = [b"%d" % len(each) if verb == "LIST" else b"uid-%d" % hash_of(each) for each in mails]
        if numbers:
            return b"+OK %d %s\r\n" % (numbers[0], told[numbers[0] - 1])
        return block(*(b"%d %s" % (number, each) for number, each in enumerate(told, 1)))
    if verb == "RETR" and mail is not None:
        return b"+OK %d octets\r\n" % len(mail) + mail + b".\r\n"
    if verb == "TOP" and mail is not None:
        header, _, body = mail.partition(b"\r\n\r\n")
        lines = body.split(b"\r\n")[: numbers[1]]
        return block(*header.split(b"\r\n"), b"", *(each for each in lines if each))
    return b"+OK\r\n"


def hash_of(mail: bytes) -> int:
    """A number that belongs to the mail."""
    return zlib.crc32(mail)


def played(changes: Changes, mails: list[bytes] = MAILS) -> Script:
    """One connection of such a server."""

    def talk(peer: Peer) -> None:
        inside = False
        while (line := peer.line()) is not None:
            text = line.decode("latin-1")
            verb = text.partition(" ")[0]
            key = "CAPA inside" if inside and verb == "CAPA" and "CAPA inside" in changes else verb
            reply: Action = changes.get(text if key == verb else key, changes.get(key, honest(text, mails)))
            inside |= verb == "PASS"
            peer.send(reply) if isinstance(reply, bytes) else reply(peer)
            if verb == "QUIT":
                return

    greeting = changes.get("greeting", b"+OK ready\r\n")
    return [(None, *(greeting if isinstance(greeting, tuple) else (greeting,))), (None, talk)]


def odd(changes: Changes, *later: Changes, mails: list[bytes] = MAILS) -> ScriptedServer:
    """A server with these changes; `later`: those of the second and further connections instead."""
    return ScriptedServer(*(played(each, mails) for each in (changes, *later)))


def under_tls(context: Any, changes: Changes) -> Script:
    """One connection under TLS from the first byte."""
    return [(None, start_tls(context)), *played(changes)]


def looked_over(server: ScriptedServer, log_in: bool = True, **options: Any) -> dict[str, Check]:
    """The rows of a check-up by name; it must be whole, delete nothing, and repeat no password."""
    names = ("retrieve", "samples", "patience")
    handler = POP3ProtocolHandler(
        options.pop("host", "127.0.0.1"),
        server.port,
        "ann",
        PASSWORD,
        **({"encryption": "none", "timeout": 5} | {k: v for k, v in options.items() if k not in names}),
    )
    rows = check_up(handler, log_in=log_in, **{name: options[name] for name in names if name in options})
    assert list(CHECKS) == [row.check for row in rows]
    assert_harmless(rows)
    assert b"DELE" not in server.received
    return {row.check: row for row in rows}


def assert_harmless(rows: Iterable[Check]) -> None:
    """Nothing a terminal would obey, and no password."""
    for row in rows:
        assert (row.finding + row.meaning).isprintable(), row
        assert PASSWORD not in row.finding + row.meaning
