"""What a person fills in, and the account it makes."""

from __future__ import annotations

import pytest

from pop3frames.client.credentials import OAuth2, Secret, SecretReference
from pop3frames.errors import POP3UsageError
from pop3frames.export.accounts import Account
from pop3frames.widgets.form import Form


def filled(**fields: object) -> Form:
    form = Form()
    form.hostname, form.username = "pop.example.org", "ann"
    for name, value in fields.items():
        setattr(form, name, value)
    return form


def test_a_filled_form_is_an_account() -> None:
    """With the name that the dataset will keep its rows under."""
    account = filled(secret=Secret("pw")).account()
    assert account == Account("ann@pop.example.org", "pop.example.org", 995, "ann", Secret("pw"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"hostname": " "}, "host is missing"),
        ({"username": ""}, "user name is missing"),
        ({}, "password is missing"),
        ({"source": "env"}, "secret reference must be"),
        ({"port": 0, "secret": Secret("pw")}, "port must be"),
    ],
)
def test_what_is_missing_is_said(fields: dict[str, object], words: str) -> None:
    """The first thing to fill in."""
    with pytest.raises(POP3UsageError, match=words):
        filled(**fields).account()


@pytest.mark.parametrize("source", ["env", "keyring", "command", "crypt"])
def test_a_secret_may_stay_where_it_is(source: str) -> None:
    """Then nothing is typed at all."""
    form = filled(source=source, place=" a/b#c ")
    assert not form.lacks_secret
    assert form.account().secret == SecretReference(f"{source}:a/b#c")


def test_choosing_a_provider_fills_in_where_it_is() -> None:
    """And says which credentials work there."""
    form = Form()
    form.preset = "gmail"
    assert (form.hostname, form.port, form.encryption) == ("pop.gmail.com", 995, "ssl")
    assert form.credentials.startswith("Gmail wants an app password")
    form.preset = "generic"
    assert (form.hostname, form.credentials) == ("pop.gmail.com", "")


def test_a_provider_that_takes_tokens_only_gets_one() -> None:
    """Outlook: XOAUTH2."""
    form = filled(preset="outlook", secret=Secret("token"))
    assert form.account().auth == "XOAUTH2"


def test_the_usual_port_follows_the_encryption_and_an_own_one_stays() -> None:
    """995 and 110."""
    form = Form()
    form.encryption = "tls"
    assert form.port == 110
    form.port = 1100
    form.encryption = "ssl"
    assert form.port == 1100


def test_an_address_suggests_its_provider_where_nothing_was_chosen() -> None:
    """A host that was filled in stays."""
    form = Form()
    form.username = "ann@fastmail.com"
    form.suggest()
    assert form.hostname == "pop.fastmail.com"
    form = filled(username="ann@gmail.com")
    form.suggest()
    assert form.hostname == "pop.example.org"


def test_an_account_that_was_given_keeps_what_the_form_does_not_show() -> None:
    """Its name, CA file and timeout; its secret, which is no text."""
    given = Account("work", "pop.example.org", 110, "ann", Secret("pw"), "tls", timeout=7)
    form = Form(given)
    assert (form.port, form.encryption, form.source, form.lacks_secret) == (110, "tls", "typed", False)
    assert form.account() == given
    form.secret = Secret("other")
    assert (form.account().name, form.account().secret) == ("work", Secret("other"))
    form.hostname = "pop.example.net"
    assert (form.account().name, form.account().timeout) == ("ann@pop.example.net", 30)


def test_an_accounts_reference_is_shown_as_its_source() -> None:
    """'prompt' means typing here: no thread beside the page could ask."""
    by_variable = Form(Account("a", "h", 995, "u", "env:PASSWORD"))
    assert (by_variable.source, by_variable.place) == ("env", "PASSWORD")
    to_type = Form(Account("a", "h", 995, "u", "prompt"))
    assert (to_type.source, to_type.lacks_secret) == ("typed", True)


def test_tokens_stay_tokens() -> None:
    """An OAuth2 cannot be typed, and is kept."""
    tokens = OAuth2(lambda force_refresh=False: "token")
    assert Form(Account("a", "h", 995, "u", tokens)).account().secret is tokens


def test_no_secret_is_in_a_repr_or_a_trait() -> None:
    """What a form shows of itself."""
    canary = "".join(["can", "ary"])
    form = filled(secret=Secret(canary))
    assert canary not in repr(form) + repr(form.trait_values())
    assert "secret" not in form.trait_names()
