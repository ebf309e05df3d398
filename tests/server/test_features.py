"""Switches and bounds: what CAPA says, and that what is off is answered as if it were unknown."""

from __future__ import annotations

from typing import Any

import pytest
from server.playing import answers_of, session_of

from pop3frames.errors import POP3UsageError
from pop3frames.server.features import Bounds, Features

LOGIN = b"USER ann\r\nPASS a secret\r\n"


def _told(*, has_tls: bool = False, after: bytes = b"", **options: Any) -> list[str]:
    """The lines of CAPA, perhaps after some commands."""
    session = session_of(has_tls=has_tls, **options)
    answers_of(session, [after])
    return answers_of(session, [b"CAPA\r\n"]).decode().split("\r\n")[1:-2]


DEFAULT = ["TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "USER", "SASL PLAIN"]
ITSELF = "IMPLEMENTATION pop3frames"


def test_what_can_be_done_is_announced_the_same_before_and_after_the_login() -> None:
    """RFC 2449 section 5."""
    assert [*DEFAULT, ITSELF] == _told() == _told(after=LOGIN)


@pytest.mark.parametrize(
    ("switches", "gone", "added"),
    [
        ({"top": False}, ["TOP"], []),
        ({"uidl": False}, ["UIDL"], []),
        ({"pipelining": False}, ["PIPELINING"], []),
        ({"user": False}, ["USER"], []),
        ({"sasl": ()}, ["SASL PLAIN"], []),
        ({"auth_resp_code": False}, ["AUTH-RESP-CODE"], []),
        ({"resp_codes": False}, ["RESP-CODES", "AUTH-RESP-CODE"], []),
        ({"implementation": None}, [ITSELF], []),
        ({"implementation": "Other 2.0"}, [ITSELF], ["IMPLEMENTATION Other 2.0"]),
        ({"expire": 0}, [], ["EXPIRE 0"]),
        ({"expire": "NEVER"}, [], ["EXPIRE NEVER"]),
        ({"login_delay": 300}, [], ["LOGIN-DELAY 300"]),
        ({"utf8": True}, [], ["UTF8 USER"]),
        ({"lang": True}, [], ["LANG"]),
        ({"apop": True, "removes_retrieved": True, "needs_utf8": True}, [], []),
    ],
)
def test_a_switch_changes_its_own_lines_and_no_others(
    switches: dict[str, Any], gone: list[str], added: list[str]
) -> None:
    """Some switches are not for CAPA to tell."""
    assert sorted({*DEFAULT, ITSELF} - set(gone) | set(added)) == sorted(_told(**switches))


def test_some_servers_say_less_before_the_login_and_some_after_it() -> None:
    """Gmail does so with PIPELINING, Dovecot with SASL."""
    late = {"only_after_login": ("PIPELINING",)}
    early = {"only_before_login": ("SASL", "USER")}

    assert "PIPELINING" not in _told(**late)
    assert [*DEFAULT, ITSELF] == _told(**late, after=LOGIN) == _told(**early)
    assert [*DEFAULT[:-2], ITSELF] == _told(**early, after=LOGIN)


def test_mechanisms_are_offered_where_they_can_work() -> None:
    """The bearer ones need tokens, all but SCRAM a connection nobody reads along."""
    every = ("SCRAM-SHA-256", "PLAIN", "XOAUTH2", "OAUTHBEARER")
    told = {
        (tokens, tls): [
            line for line in _told(sasl=every, tokens=tokens and {}, has_tls=tls) if "SASL" in line
        ]
        for tokens in (None, True)
        for tls in (False, True)
    }

    assert ["SASL SCRAM-SHA-256 PLAIN"] == told[None, False]
    assert ["SASL SCRAM-SHA-256 PLAIN XOAUTH2 OAUTHBEARER"] == told[True, False]
    assert ["SASL SCRAM-SHA-256"] == told[None, True] == told[True, True]


def test_with_a_certificate_plain_text_is_for_those_who_ask_for_it() -> None:
    """STLS is then the only way in (RFC 2595 section 2.3)."""
    offered = {"USER", "SASL PLAIN", "STLS"}

    assert {"STLS"} == offered & set(_told(has_tls=True))
    assert offered == offered & set(_told(has_tls=True, plaintext=True))
    assert set() == offered & set(_told(plaintext=False))
    assert set() == offered & set(_told(has_tls=True, stls=False))


@pytest.mark.parametrize(
    ("switch", "commands"),
    [
        ("capa", [b"CAPA"]),
        ("user", [b"USER ann", b"PASS a secret"]),
        ("sasl", [b"AUTH PLAIN"]),
        ("apop", [b"APOP ann 0123456789abcdef0123456789abcdef"]),
        ("stls", [b"STLS"]),
        ("utf8", [b"UTF8"]),
        ("lang", [b"LANG", b"LANG en"]),
        ("top", [b"TOP 1 0"]),
        ("uidl", [b"UIDL", b"UIDL 1"]),
    ],
)
def test_what_is_off_is_as_unknown_as_nonsense(switch: str, commands: list[bytes]) -> None:
    """And works when it is on."""
    for on in (False, True):
        session = session_of(
            has_tls=True, plaintext=True, **{switch: on if switch != "sasl" else ("PLAIN",) * on}
        )
        answers_of(session, [LOGIN] if switch in ("top", "uidl") else [])
        nonsense = answers_of(session, [b"XYZZY\r\n"])
        told = [answers_of(session, [command + b"\r\n"]) == nonsense for command in commands]
        assert [not on] * len(commands) == told


def test_without_response_codes_there_are_none() -> None:
    """[AUTH] can be missing by itself: RFC 3206 is younger."""
    wrong = [b"USER ann\r\nPASS wrong\r\n"]

    assert b"-ERR [AUTH] wrong" in answers_of(session_of(), wrong)
    assert b"-ERR wrong" in answers_of(session_of(auth_resp_code=False), wrong)
    assert b"-ERR wrong" in answers_of(session_of(resp_codes=False), wrong)


@pytest.mark.parametrize(
    "made",
    [
        lambda: Features(sasl=("CRAM-MD5",)),
        lambda: Features(implementation="x\r\nSTLS"),
        lambda: Bounds(failed_logins=()),
        lambda: Bounds(errors=0),
        lambda: Bounds(connections=0),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(made: Any) -> None:
    """A mechanism that is none, a name with a line end, no room for anybody."""
    with pytest.raises(POP3UsageError):
        made()
