"""The ready token providers, through msal and google-auth themselves, against authorities on loopback."""

from __future__ import annotations

import json
import logging
import re
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.errors
import pytest
from client.authorities import Authority
from client.canaries import CANARY, everything

from pop3frames.client import oauth
from pop3frames.client.credentials import OAuth2, Secret
from pop3frames.client.oauth import google_tokens, microsoft_tokens
from pop3frames.errors import POP3AuthenticationError, POP3ConnectionError, POP3Error, POP3UsageError

EXPIRED = (400, {"error": "invalid_grant", "error_description": "AADSTS70000: gone\r\nTrace: 1"})


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


@pytest.fixture
def ring() -> Iterator[Ring]:
    """Asked instead of the system's keyring."""
    before = keyring.get_keyring()
    kept = Ring()
    keyring.set_keyring(kept)
    yield kept
    keyring.set_keyring(before)


@pytest.fixture
def authority(
    certificates: Any, require: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Authority]:
    """An authority that the libraries trust, with Microsoft's address turned to it."""
    missing = [name for name in ("msal", "google_auth_oauthlib") if not find_spec(name)]
    require(f"{' and '.join(missing)} not installed (pop3frames[oauth])" if missing else None)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificates.ca_file)
    with Authority(certificates.server("127.0.0.1"), CANARY) as running:
        monkeypatch.setattr(oauth, "MICROSOFT_AUTHORITY", running.url)
        yield running


@pytest.fixture
def client_secrets(authority: Authority, tmp_path: Path) -> Path:
    """A "Desktop app" client whose endpoints are the authority's."""
    client = {
        "client_id": "id",
        "client_secret": f"{CANARY}-client",
        "auth_uri": f"{authority.url}/authorize",
        "token_uri": f"{authority.url}/token",
    }
    path = tmp_path / "client.json"
    path.write_text(json.dumps({"installed": client}))
    return path


Provider = Callable[..., Callable[..., str]]


@pytest.fixture(params=["microsoft", "google"])
def provider(request: pytest.FixtureRequest, authority: Authority, client_secrets: Path) -> Provider:
    """`provider(...)` makes one of each kind, with a person who agrees."""

    def make(**options: Any) -> Callable[..., str]:
        if request.param == "microsoft":
            return microsoft_tokens("id", "ann@example.org", **({"tell": lambda _: None} | options))
        return google_tokens(client_secrets, "ann@example.org", **({"tell": authority.person} | options))

    make.kind = request.param  # type: ignore[attr-defined]
    return make


def failure(ask: Callable[..., object], kind: type[POP3Error], said: str, **options: Any) -> str:
    """What the error says; no frame, cause or attribute of it shows a token, a code or a client's secret."""
    with pytest.raises(kind, match=said) as raised:
        ask(**options)
    assert CANARY not in everything(raised.value)
    return str(raised.value)


# Both


def test_a_person_signs_in_once_and_the_token_is_used_until_it_ends(
    provider: Provider, authority: Authority, ring: Ring
) -> None:
    """Also by the next process, which finds it in the keyring under `pop3frames`."""
    first = provider()

    assert [f"{CANARY}-access-1"] * 2 == [first(), first()]
    assert f"{CANARY}-access-1" == provider(tell=None)()
    assert 1 == len(authority.grants)
    assert {"pop3frames"} == {service for service, _ in ring.entries}


def test_a_forced_refresh_asks_for_a_new_token_without_a_person(
    provider: Provider, authority: Authority, ring: Ring
) -> None:
    """As OAuth2 does after a refusal; the new one is kept."""
    credential = OAuth2(provider())
    old = credential.token()

    assert Secret(f"{CANARY}-access-2") == credential.token(refused=old)
    assert "refresh_token" == authority.grants[-1]
    assert f"{CANARY}-access-2" == provider(tell=None)()


def test_an_ended_sign_in_is_done_anew(provider: Provider, authority: Authority, ring: Ring) -> None:
    """A password change ends refresh tokens."""
    asking = provider()
    asking()
    authority.answers = [EXPIRED]

    assert f"{CANARY}-access-2" == asking(force_refresh=True)
    assert "refresh_token" != authority.grants[-1] != authority.grants[-2]


def test_where_nobody_can_answer_nobody_is_asked(
    provider: Provider, authority: Authority, ring: Ring
) -> None:
    """tell=None, for jobs at night: an error at once, without a sign-in and after one that ended."""
    said = failure(provider(tell=None), POP3UsageError, r"nobody is signed in at \w+ for ann@example.org")
    provider()()
    authority.answers = [EXPIRED]

    assert said == failure(provider(tell=None), POP3UsageError, "nobody", force_refresh=True)


def test_tokens_lie_in_a_file_only_when_one_is_named(provider: Provider, ring: Ring, tmp_path: Path) -> None:
    """Mode 0600, one account in it; the keyring is left alone."""
    file = tmp_path / "tokens.json"
    provider(cache=file)()

    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert {} == ring.entries
    assert f"{CANARY}-access-1" == provider(cache=file, tell=None)()


def test_a_file_of_tokens_is_refused_when_it_is_not_right(provider: Provider, tmp_path: Path) -> None:
    """Of another account, readable for others, or of another kind."""
    file = tmp_path / "tokens.json"
    provider(cache=file)()
    whole = json.loads(file.read_text())
    file.write_text(json.dumps(whole | {"entry": "other"}))
    failure(provider(cache=file), POP3UsageError, "tokens of another account")
    file.write_text("[]")
    failure(provider(cache=file), POP3UsageError, "is not a file of tokens: remove it")
    file.chmod(0o644)
    failure(provider(cache=file), POP3UsageError, "chmod 600")


def test_without_a_keyring_a_file_is_advised_before_anybody_signs_in(
    provider: Provider, authority: Authority, ring: Ring
) -> None:
    """As on a server without a desktop."""
    keyring.set_keyring(keyring.backends.fail.Keyring())

    failure(provider(), POP3UsageError, r"keyring cannot keep tokens .*cache='FILE'")
    assert [] == authority.grants


def test_a_keyring_that_keeps_nothing_shows_no_token(
    provider: Provider, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refresh token is in the very call that fails."""

    def locked(service: str, username: str, password: str) -> None:
        raise keyring.errors.PasswordSetError(f"cannot store {password}")

    monkeypatch.setattr(ring, "set_password", locked)

    failure(provider(), POP3UsageError, "keyring cannot keep tokens")


def test_an_authority_that_cannot_be_reached_is_the_networks_fault(
    provider: Provider, authority: Authority, ring: Ring
) -> None:
    """Not the caller's: a later attempt may succeed."""
    asking = provider()
    asking()
    authority.__exit__()

    failure(asking, POP3ConnectionError, "sign-in service cannot be reached", force_refresh=True)


def test_an_authority_with_a_foreign_certificate_is_not_trusted(
    provider: Provider, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is told to it."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    failure(provider(), POP3ConnectionError, "cannot be reached.*CERTIFICATE_VERIF")


@pytest.mark.parametrize(
    "answer",
    [(200, {}), (200, {"refresh_token": CANARY}), (400, {"error": f"odd {CANARY[:3]}"}), (200, [CANARY])],
)
def test_an_odd_answer_of_an_authority_is_an_error_of_ours(
    provider: Provider, authority: Authority, ring: Ring, answer: Any
) -> None:
    """Whatever the libraries make of it."""
    asking = provider()
    asking()
    authority.answers = [answer] * 3

    failure(asking, POP3Error, r"\w", force_refresh=True)


def test_nothing_secret_is_logged(
    provider: Provider, authority: Authority, ring: Ring, caplog: pytest.LogCaptureFixture
) -> None:
    """With everything at DEBUG, also what the libraries say."""
    caplog.set_level(logging.DEBUG)
    asking = provider()
    asking()
    asking(force_refresh=True)

    assert caplog.records  # the positive control
    assert CANARY not in caplog.text


def test_a_missing_library_is_told_with_the_extra_that_brings_it(
    provider: Provider, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first token, in words for pip."""
    for name in ("msal", "google_auth_oauthlib.flow"):
        monkeypatch.setitem(sys.modules, name, None)

    failure(provider(), POP3UsageError, r"pip install 'pop3frames\[oauth\]'")


# Microsoft


def test_a_device_code_is_told_with_the_mailbox_and_asks_for_pop_alone(
    authority: Authority, ring: Ring
) -> None:
    """What the authority says goes to a terminal: escaped."""
    told: list[str] = []
    microsoft_tokens("id", "ann@example.org", tell=told.append)()
    path, form = authority.requests[0]

    assert [
        "For the mailbox ann@example.org: open https://example.org/device and enter ABCD-EFGH\\x1b[2J"
    ] == told
    assert "devicecode" == path
    assert {"https://outlook.office.com/POP.AccessAsUser.All", "offline_access", "openid", "profile"} == set(
        form["scope"].split()
    )


def test_a_person_may_take_a_while(authority: Authority, ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authority is asked again until it knows."""
    flow = authority.device()
    authority.answers = [flow, *[(400, {"error": "authorization_pending"})] * 2]

    assert f"{CANARY}-access-1" == microsoft_tokens("id", "ann", tell=lambda _: None)()
    assert ["device_code"] * 3 == authority.grants


@pytest.mark.parametrize("at", ["flow", "token"])
def test_a_refused_sign_in_says_why_in_microsofts_words(authority: Authority, ring: Ring, at: str) -> None:
    """The first line of them: the rest is for Microsoft's support."""
    refusal = (400, {"error": "access_denied", "error_description": "AADSTS65004: declined\r\nTrace ID: 1"})
    authority.answers = [refusal] if at == "flow" else [authority.device(), refusal]
    asking = microsoft_tokens("id", "ann", tell=lambda _: None)

    said = failure(
        asking, POP3AuthenticationError, "sign-in at Microsoft: access_denied: AADSTS65004: declined"
    )
    assert "Trace" not in said


# Google


def test_googles_page_is_asked_for_mail_alone_with_pkce(
    authority: Authority, client_secrets: Path, ring: Ring
) -> None:
    """And it comes back to a port of loopback."""
    google_tokens(client_secrets, "ann@example.org", tell=authority.person)()
    (_, page), (_, form) = authority.requests

    assert "https://mail.google.com/" == page["scope"]
    wanted = {"code_challenge_method": "S256", "access_type": "offline", "prompt": "consent"}
    assert wanted | {"login_hint": "ann@example.org"} == {key: page[key] for key in (*wanted, "login_hint")}
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", page["redirect_uri"])
    assert 43 <= len(form["code_verifier"]) <= 128


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ({"error": "access_denied"}, POP3AuthenticationError, "sign-in at Google: access_denied"),
        ({"state": "forged"}, POP3AuthenticationError, "mismatching_state"),
    ],
)
def test_a_page_that_comes_back_with_anything_else_signs_nobody_in(
    authority: Authority, client_secrets: Path, ring: Ring, answer: dict[str, str], kind: Any, said: str
) -> None:
    """A person who declines; a page that somebody else sent (RFC 6749 section 10.12)."""
    asking = google_tokens(client_secrets, "ann", tell=lambda text: authority.person(text, **answer))

    failure(asking, kind, said)
    assert [] == authority.grants


def test_a_page_that_never_comes_back_is_told_with_the_way_round(
    client_secrets: Path, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a remote notebook host."""
    monkeypatch.setattr(oauth, "SIGN_IN_TIMEOUT", 0.1)
    asking = google_tokens(client_secrets, "ann", tell=lambda _: None)

    failure(asking, POP3UsageError, r"nobody came back .*cache=FILE, and bring that file here")


@pytest.mark.parametrize("content", [None, "", "[]", '{"web": {}}', '{"installed": {"client_id": "x"}}'])
def test_a_file_that_is_no_desktop_client_is_told(tmp_path: Path, content: str | None, ring: Ring) -> None:
    """By its path, and with the type that is needed."""
    path = tmp_path / "client.json"
    if content is not None:
        path.write_text(content)

    failure(google_tokens(path, "ann"), POP3UsageError, r'client.json cannot be used .*"Desktop app"')


def test_threads_share_one_sign_in(provider: Provider, authority: Authority, ring: Ring) -> None:
    """Through OAuth2, which lets one of them in."""
    credential = OAuth2(provider())
    threads = [threading.Thread(target=credential.token) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert 1 == authority.tokens
