"""Each mechanism says what its RFC says, both ways, and never raises with a password in hand."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
import scramp
from hypothesis import given, settings
from hypothesis import strategies as st

from pop3frames.errors import POP3ProtocolError
from pop3frames.protocol import sasl
from pop3frames.protocol.grammar import Limits
from pop3frames.protocol.sasl import Responses, decoded, parse_plain

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
TOKEN = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)


def plain(username: str, reveal: Callable[[], str]) -> bytes:
    """The one response of PLAIN, in base64 as it is sent."""
    return base64.b64encode(next(sasl.plain(username, reveal)))


def test_plain_is_the_example_of_the_rfc() -> None:
    """RFC 4616 section 4: no authorization identity, Tim, his password."""
    assert b"\0tim\0tanstaaftanstaaf" == base64.b64decode(plain("tim", lambda: "tanstaaftanstaaf"))


@settings(deadline=None)
@given(TEXT, TEXT)
def test_what_plain_says_is_read_back(username: str, password: str) -> None:
    """Blanks, colons, any script; it is one line of base64."""
    response = plain(username, lambda: password)

    assert (username, password) == parse_plain(decoded(response))
    assert not set(response) & set(b"\r\n \0")


@settings(deadline=None)
@given(st.text(st.characters()), st.text(st.characters()))
def test_plain_never_raises(username: str, password: str) -> None:
    """What cannot be encoded becomes a login that fails, not a traceback with a password in it."""
    assert plain(username, lambda: password).isascii()
    assert plain("\udc80", lambda: "\ud800") == plain("?", lambda: "?")


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"=",
        b"*",
        b"AGFubgBwdw",  # no padding
        b"AGFu bgBwdw==",
        b"AGFubgBwdw==\n",
        b"AGFu=bgBwdw=",
        b"caf\xc3\xa9",
        base64.b64encode(b"ann\0pw"),
        base64.b64encode(b"\0ann\0pw\0more"),
        base64.b64encode(b"\0ann\0\xff"),
        base64.b64encode(b"root\0ann\0pw"),  # Ann may not act for root
    ],
)
def test_a_malformed_response_is_none(response: bytes) -> None:
    """Foreign characters, misplaced padding, too few or too many parts, no UTF-8."""
    octets = decoded(response)
    assert octets is None or parse_plain(octets) is None


def test_a_user_may_name_himself_as_the_one_he_acts_for() -> None:
    """RFC 4616 section 2: some clients fill in the authorization identity."""
    assert ("ann", "pw") == parse_plain(b"ann\0ann\0pw")


@settings(deadline=None)
@given(st.binary())
def test_any_response_is_a_pair_or_none(response: bytes) -> None:
    """Never an exception."""
    decoded(response)
    for parse in (parse_plain, sasl.parse_xoauth2, sasl.parse_oauthbearer):
        read = parse(response)
        assert read is None or len(read) == 2


def test_xoauth2_and_oauthbearer_say_what_is_published() -> None:
    """RFC 7628 section 3.1, and Google's page on XOAUTH2, whose answers to a refusal differ."""
    xoauth2 = sasl.xoauth2("ann@example.org", lambda: "ya29.x")
    bearer = sasl.oauthbearer("a=b,c", lambda: "ya29.x", "pop.example.org", 995)

    assert b"user=ann@example.org\1auth=Bearer ya29.x\1\1" == next(xoauth2)
    assert b"n,a=a=3Db=2Cc,\1host=pop.example.org\1port=995\1auth=Bearer ya29.x\1\1" == next(bearer)
    assert [b"", b"\1"] == [xoauth2.send(b"{}"), bearer.send(b"{}")]
    for mechanism in (xoauth2, bearer):
        with pytest.raises(StopIteration):
            mechanism.send(b"more?")


@settings(deadline=None)
@given(NAME, TOKEN)
def test_what_a_bearer_says_is_read_back(username: str, token: str) -> None:
    """Names with commas and equal signs, any script."""
    first = next(sasl.xoauth2(username, lambda: token))
    assert (username, token) == sasl.parse_xoauth2(first)
    first = next(sasl.oauthbearer(username, lambda: token, "localhost", 110))
    assert (username, token) == sasl.parse_oauthbearer(first)


def scram(limits: Limits = sasl.DEFAULT_LIMITS) -> tuple[Responses, scramp.core.ScramServer]:
    """A client with the password "secret", and a server that knows it."""
    mechanism = scramp.ScramMechanism("SCRAM-SHA-256")
    known = mechanism.make_auth_info("secret", iteration_count=4096)
    return sasl.scram_sha_256("ann", lambda: "secret", limits), mechanism.make_server(lambda _: known)


def test_scram_proves_both_sides() -> None:
    """RFC 5802 section 3: two messages each; the password is in none of them."""
    client, server = scram()
    server.set_client_first(next(client).decode())
    proof = client.send(server.get_server_first().encode())
    server.set_client_final(proof.decode())
    assert b"" == client.send(server.get_server_final().encode())
    assert b"secret" not in proof
    with pytest.raises(StopIteration):
        client.send(b"")


@pytest.mark.parametrize("last", [b"", b"v=AAAA", b"e=other-error", b"\xff"])
def test_a_server_that_proves_nothing_is_refused(last: bytes) -> None:
    """An empty challenge stands for +OK: success without the server's signature is none."""
    client, server = scram()
    server.set_client_first(next(client).decode())
    client.send(server.get_server_first().encode())
    with pytest.raises(POP3ProtocolError, match="SCRAM"):
        client.send(last)


@pytest.mark.parametrize("count", [b"i=1", b"i=4095", b"i=2147483647", b"x=1", b"i=99999999999"])
def test_scram_iterations_are_neither_few_nor_endless(count: bytes) -> None:
    """Few let a thief guess the password, many keep this machine busy."""
    client, server = scram()
    server.set_client_first(next(client).decode())
    first = server.get_server_first().encode().replace(b"i=4096", count)
    with pytest.raises(POP3ProtocolError, match="iterations"):
        client.send(first)


def test_the_timestamp_of_apop_may_stand_anywhere_in_the_greeting() -> None:
    """RFC 1939 section 7 gives the digest of its example."""
    timestamp = sasl.apop_timestamp(b"+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us> welcome")

    assert timestamp == b"<1896.697170952@dbc.mtview.ca.us>"
    assert "c4c9334bac560ecc979e58001b3e22fb" == sasl.apop_digest(timestamp, lambda: "tanstaaf")
    assert sasl.apop_timestamp(b"+OK <not a stamp> hi") is None


@pytest.mark.parametrize(
    ("challenge", "shown"),
    [
        (b'{"status":"401","schemes":"bearer","scope":"mail"}', "status 401, scope mail, schemes bearer"),
        (b'{"status":"invalid_token"}', "status invalid_token"),
        (b'{"status":401}', ""),
        (b'{"error":"a\\u001b[2J"}', "error a\\x1b[2J"),
        (b"[" * 100_000, ""),
        (b"\xff", ""),
        (b"[]", ""),
    ],
)
def test_a_refusal_of_a_token_is_told_in_words(challenge: bytes, shown: str) -> None:
    """RFC 7628 section 3.2.2; whatever it is, nothing that a terminal would obey."""
    assert shown == sasl.refusal(challenge)
