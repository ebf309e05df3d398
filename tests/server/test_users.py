"""Who may log in: names, passwords, tokens, and how soon again."""

from __future__ import annotations

import hashlib

import pytest

from pop3frames.server.maildrop import Maildrop
from pop3frames.server.users import User, Users

ANN = User("ann", "secret", Maildrop())
BOB = User("bob", "gruß \udcff", Maildrop())
TIMESTAMP = b"<1896.697170952@dbc.mtview.ca.us>"


def _users() -> Users:
    return Users([ANN, BOB], {"ann": "token"})


def test_a_user_is_who_knows_the_password() -> None:
    """Any string of octets is one, and equals only itself."""
    users = _users()

    assert [ANN, BOB] == [users.by_password("ann", "secret"), users.by_password("bob", "gruß \udcff")]
    wrong = [("ann", ""), ("ann", "Secret"), ("ann", "gruß \udcff"), ("eve", "secret"), ("bob", "gruß ?")]
    assert [None] * 5 == [users.by_password(*pair) for pair in wrong]


def test_a_digest_is_that_of_the_password_and_the_timestamp() -> None:
    """RFC 1939 section 7."""
    users = _users()
    digest = hashlib.md5(TIMESTAMP + b"secret").hexdigest()

    assert ANN is users.by_digest("ann", TIMESTAMP, digest)
    assert None is users.by_digest("ann", b"<other>", digest)
    assert None is users.by_digest("bob", TIMESTAMP, digest)
    assert None is users.by_digest("eve", TIMESTAMP, digest)


def test_a_token_is_looked_up_or_asked_about_at_each_login() -> None:
    """What is good now may not be later."""
    tokens = {"ann": "one"}
    looked_up, asked = Users([ANN], tokens), Users([ANN], lambda name, token: token == f"{name}-token")
    assert [ANN, None, None] == [looked_up.by_token("ann", each) for each in ("one", "two", "")]
    tokens["ann"] = "two"

    assert [None, ANN] == [looked_up.by_token("ann", each) for each in ("one", "two")]
    assert [ANN, None] == [asked.by_token("ann", each) for each in ("ann-token", "eve-token")]
    assert None is asked.by_token("eve", "eve-token")
    assert [True, True, False] == [each.has_tokens for each in (looked_up, asked, Users([ANN]))]
    assert None is Users([ANN]).by_token("ann", "")


@pytest.mark.parametrize("guess", ["", "None", "nobody"])
def test_an_unknown_name_has_a_password_that_nobody_has(guess: str) -> None:
    """So that every answer takes the same way; it is another one for each server."""
    one, other = _users(), _users()

    assert None is one.by_password("eve", guess)
    assert None is one.by_password("eve", one.secret("eve"))
    assert one.secret("eve") != other.secret("eve")
    assert "secret" == one.secret("ann")


def test_a_login_too_soon_is_none() -> None:
    """The delay is counted from the last one that succeeded, for each user apart."""
    now = [0.0]
    users = Users([ANN, BOB], clock=lambda: now[0])

    def at(seconds: float, name: str) -> bool:
        now[0] = seconds
        return users.too_soon(name, 10)

    told = [at(0, "ann"), at(9.9, "ann"), at(9.9, "bob"), at(10, "ann"), at(19.9, "ann"), at(20, "ann")]
    assert [False, True, False, False, True, False] == told


def test_no_repr_shows_a_password() -> None:
    """Those of what holds it included."""
    assert "secret" not in repr(ANN) + repr(_users())
