"""What a server says of itself, judged: TLS and certificates on real handshakes, the rest as data."""

from __future__ import annotations

import datetime
import ssl
from typing import Any

import pytest
from checkup.odd_servers import CAPABILITIES, PASSWORD, capa, looked_over, odd, under_tls
from lab.scripted import Peer, ScriptedServer, start_tls

from pop3frames.checkup import checkups
from pop3frames.checkup.findings import Check

SOON = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=5, hours=1)
GONE = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
LONG_AGO = GONE - datetime.timedelta(days=9)


def by_tls(served: ssl.SSLContext, **options: Any) -> tuple[dict[str, Check], bytes]:
    """The rows of a server under TLS from the first byte, and all it received behind the handshake."""
    with ScriptedServer(under_tls(served, {})) as server:
        rows = looked_over(server, **({"host": "localhost", "encryption": "ssl"} | options))
    return rows, server.received


def by_stls(
    certificates: Any, plain: bytes, *, refused: bool = False, injected: bytes = b""
) -> dict[str, Check]:
    """The rows of a server that says this in plain text, and the rest under TLS."""
    context = certificates.server("localhost")

    def begin(peer: Peer) -> None:
        if refused:
            peer.send(b"-ERR not today\r\n")
            return
        peer.send(b"+OK\r\n" + injected)
        start_tls(context)(peer)
        changes["CAPA"] = capa(CAPABILITIES)

    changes: dict[str, Any] = {"CAPA": capa(plain), "STLS": begin}
    with odd(changes) as server:
        return looked_over(server, host="localhost", encryption="tls", cafile=certificates.ca_file)


def test_tls_from_the_first_byte_is_described(certificates: Any) -> None:
    """Version, cipher, names, authority and days; what only concerns plain text is skipped."""
    rows, _ = by_tls(certificates.server("localhost"), cafile=certificates.ca_file)
    assert ("ok", "ok") == (rows["tls"].verdict, rows["certificate"].verdict)
    assert rows["tls"].finding.startswith("TLSv1.3 with TLS_")
    assert "for localhost; from trustme" in rows["certificate"].finding
    assert ("skipped", "skipped") == (rows["stls"].verdict, rows["plaintext login"].verdict)
    assert "ok" == rows["export"].verdict


def test_a_certificate_that_ends_soon_is_a_warning(certificates: Any) -> None:
    """While it still holds, in days."""
    rows, _ = by_tls(certificates.server("localhost", not_after=SOON), cafile=certificates.ca_file)
    assert ("warning", True) == (
        rows["certificate"].verdict,
        "expires in 5 days" in rows["certificate"].finding,
    )


@pytest.mark.parametrize(
    ("names", "options", "trusted", "words", "advice"),
    [
        (("localhost",), {}, False, "issuer certificate", "cafile="),
        (("other.example",), {}, True, "Hostname mismatch", "dial the name"),
        (("localhost",), {"not_before": LONG_AGO, "not_after": GONE}, True, "expired", "renew"),
    ],
)
def test_a_certificate_that_is_refused_ends_it_before_anything_is_sent(
    certificates: Any, names: tuple[str, ...], options: dict[str, Any], trusted: bool, words: str, advice: str
) -> None:
    """Unknown authority, another name, expired: the row says which, and what to do."""
    context = certificates.server(*names, **options)
    rows, received = by_tls(context, **({"cafile": certificates.ca_file} if trusted else {}))
    row = rows["certificate"]
    assert ("problem", True, True) == (row.verdict, words in row.finding, advice in row.meaning), row
    assert ("ok", "problem", "problem") == tuple(rows[n].verdict for n in ("reach", "tls", "export"))
    assert b"" == received


def test_a_context_that_checks_less_is_a_warning(certificates: Any) -> None:
    """No certificate asked for, or no host name compared."""
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname = False
    careless.load_verify_locations(certificates.ca_file)
    rows, _ = by_tls(certificates.server("other.example"), context=careless)
    assert "does not compare the host name" in rows["certificate"].finding
    careless.verify_mode = ssl.CERT_NONE
    more, _ = by_tls(certificates.server("other.example"), context=careless)
    assert "not checked" in more["certificate"].finding
    assert ["warning"] * 4 == [each[n].verdict for each in (rows, more) for n in ("certificate", "export")]


def test_stls_is_begun_and_what_was_said_before_it_is_kept_apart(certificates: Any) -> None:
    """Logins offered in plain text are told, and what TLS changes."""
    rows = by_stls(certificates, CAPABILITIES + b"STLS\r\n")
    assert ("ok", "ok", "ok") == tuple(rows[n].verdict for n in ("tls", "stls", "certificate"))
    assert "by STLS" in rows["tls"].finding
    assert "offered without TLS: USER" == rows["plaintext login"].finding
    assert rows["capabilities"].finding.endswith("AUTH-RESP-CODE (under TLS gone: STLS)")
    assert "ok" == by_stls(certificates, b"STLS\r\n")["plaintext login"].verdict


def test_stls_that_is_not_announced_may_work_all_the_same(certificates: Any) -> None:
    """That is worth a note: others go by CAPA."""
    assert "note" == by_stls(certificates, b"TOP\r\n")["stls"].verdict


@pytest.mark.parametrize(
    ("plain", "words"), [(b"STLS\r\n", "offered, but it does not work"), (b"TOP\r\n", "not offered")]
)
def test_stls_that_is_refused_ends_it(certificates: Any, plain: bytes, words: str) -> None:
    """Never plain text instead."""
    rows = by_stls(certificates, plain, refused=True)
    assert ("problem", words) == (rows["stls"].verdict, rows["stls"].finding)
    assert ("problem", "skipped") == (rows["tls"].verdict, rows["login"].verdict)


def test_plain_text_behind_the_reply_to_stls_is_an_injection(certificates: Any) -> None:
    """Before any handshake is trusted."""
    rows = by_stls(certificates, b"STLS\r\n", injected=b"+OK forged\r\n")
    assert ("problem", True) == (rows["tls"].verdict, "injecting" in rows["tls"].finding)


def test_a_refused_certificate_behind_stls_is_the_certificates_fault(certificates: Any) -> None:
    """STLS itself works."""
    with odd({"CAPA": capa(b"STLS\r\n"), "STLS": lambda peer: shake(peer, certificates)}) as server:
        rows = looked_over(server, host="localhost", encryption="tls")
    assert ("problem", "problem", "ok") == tuple(rows[n].verdict for n in ("certificate", "tls", "stls"))
    assert PASSWORD.encode() not in server.received


def shake(peer: Peer, certificates: Any) -> None:
    """+OK to STLS, and the handshake."""
    peer.send(b"+OK\r\n")
    start_tls(certificates.server("localhost"))(peer)


def test_plain_text_over_a_network_is_a_warning() -> None:
    """What is only a note on loopback."""
    offered = {"USER": [], "SASL": ["PLAIN", "SCRAM-SHA-256"], "STLS": []}
    rows = [
        checkups.unencrypted(loopback=False),
        checkups.stls(offered, "none", loopback=False),
        checkups.plaintext_login(offered, "none", loopback=False),
        checkups.plaintext_login(offered, "tls", loopback=False),
    ]
    assert ["warning"] * 4 == [row.verdict for row in rows]
    assert "USER PLAIN" == rows[2].said
    assert "does not use it" in rows[3].meaning


def test_a_challenge_only_login_before_tls_gives_nothing_away() -> None:
    """SCRAM shows no password."""
    assert "ok" == checkups.plaintext_login({"SASL": ["SCRAM-SHA-256"]}, "tls", loopback=False).verdict


@pytest.mark.parametrize("words", [["x"], [], ["99999999999"], ["-5"]])
def test_a_login_delay_that_is_no_number_is_none(words: list[str]) -> None:
    """Numbers from a server are hints."""
    assert 0 == checkups.login_delay({"LOGIN-DELAY": words})


def test_a_greeting_with_a_timestamp_offers_apop() -> None:
    """Which is used only when it is asked for."""
    row = checkups.mechanisms({"USER": []}, b"+OK <1.2@example.org> ready", "USER")
    assert ("ok", "USER APOP") == (row.verdict, row.said)
