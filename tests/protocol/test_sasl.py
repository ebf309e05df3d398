"""PLAIN says what RFC 4616 says, both ways, and never raises with a password in hand."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pop3frames.protocol.sasl import parse_plain, plain

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def test_plain_is_the_example_of_the_rfc() -> None:
    """RFC 4616 section 4: no authorization identity, Tim, his password."""
    assert b"\0tim\0tanstaaftanstaaf" == base64.b64decode(plain("tim", lambda: "tanstaaftanstaaf"))


@settings(deadline=None)
@given(TEXT, TEXT)
def test_what_plain_says_is_read_back(username: str, password: str) -> None:
    """Blanks, colons, any script; it is one line of base64."""
    response = plain(username, lambda: password)

    assert (username, password) == parse_plain(response)
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
    assert parse_plain(response) is None


def test_a_user_may_name_himself_as_the_one_he_acts_for() -> None:
    """RFC 4616 section 2: some clients fill in the authorization identity."""
    assert ("ann", "pw") == parse_plain(base64.b64encode(b"ann\0ann\0pw"))


@settings(deadline=None)
@given(st.binary())
def test_any_response_is_a_pair_or_none(response: bytes) -> None:
    """Never an exception."""
    for each in (response, base64.b64encode(response)):
        read = parse_plain(each)
        assert read is None or len(read) == 2
