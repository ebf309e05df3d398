"""What is known of providers: found by name and by address, complete, and marked for what nobody checked."""

from __future__ import annotations

import re

import pytest

from pop3frames.client.presets import PRESETS, Preset, preset, suggested_preset
from pop3frames.errors import POP3UsageError


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_found_by_its_name(name: str) -> None:
    """In any case, with blanks around it."""
    assert preset(name) is preset(f" {name.upper()} ") is PRESETS[name]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gmial", r"did you mean 'gmail'\?; there are gmail, outlook, microsoft365, yahoo"),
        ("microsoft", "did you mean 'microsoft365'"),
        ("x", "no preset of that name; there are"),
        ("iCloud", "IMAP only"),
    ],
)
def test_an_unknown_provider_is_told_with_those_there_are(name: str, said: str) -> None:
    """And the nearest; one without POP3 says so."""
    with pytest.raises(POP3UsageError, match=said):
        preset(name)


@pytest.mark.parametrize("each", PRESETS.values(), ids=PRESETS)
def test_every_preset_is_encrypted_and_says_what_it_rests_on(each: Preset) -> None:
    """A host by name, implicit TLS, and where the provider says so; `generic` alone leaves the host open."""
    assert (995, "ssl") == (each.port, each.encryption)
    assert each.credentials
    if each.name == "generic":
        assert ("", ()) == (each.hostname, each.domains)
    else:
        assert re.fullmatch(r"[a-z0-9]+(\.[a-z0-9]+)+", each.hostname)
        assert each.documented
        assert each.hearsay or each.name == "fastmail"


def test_microsoft_takes_nothing_but_tokens() -> None:
    """Whoever tries a password there gets locked out at worst."""
    assert {"XOAUTH2"} == {preset(name).auth for name in ("outlook", "microsoft365")}
    assert {None} == {preset(name).auth for name in ("gmail", "yahoo", "aol", "fastmail", "generic")}


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("ann@gmail.com", "gmail"),
        ("recent:Ann@GoogleMail.com", "gmail"),
        ("ann@outlook.com", "outlook"),
        ("ann@hotmail.co.uk", "outlook"),
        ("ann@live.nl", "outlook"),
        ("ann@msn.com", "outlook"),
        ("ann@firm.onmicrosoft.com", "microsoft365"),
        ("ann@yahoo.com", "yahoo"),
        ("ann@yahoo.com.br", "yahoo"),
        ("ann@yahoo.co.uk", "yahoo"),
        ("ann@ymail.com", "yahoo"),
        ("ann@aol.com", "aol"),
        ("ann@fastmail.fm", "fastmail"),
        ("ann@yahoo.co.jp", None),  # another company
        ("ann@yahoo.example.org", None),
        ("ann@notgmail.com", None),
        ("ann@gmail.com.example.org", None),
        ("ann@firm.example", None),
        ("ann", None),
        ("", None),
    ],
)
def test_an_address_suggests_its_provider(address: str, name: str | None) -> None:
    """By the whole domain, so that a look-alike gets no suggestion."""
    suggested = suggested_preset(address)

    assert name == (suggested and suggested.name)


def test_only_gmail_has_a_name_for_recent_mail() -> None:
    """It is put before the name once."""
    assert "recent:ann@gmail.com" == preset("gmail").recent_username("ann@gmail.com")
    assert "recent:ann@gmail.com" == preset("gmail").recent_username("recent:ann@gmail.com")
    with pytest.raises(POP3UsageError, match="yahoo has no user name for recent mail"):
        preset("yahoo").recent_username("ann@yahoo.com")
