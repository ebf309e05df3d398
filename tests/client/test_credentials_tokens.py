"""OAuth2: when the provider is asked, by how many threads, and that no token shows."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from client.canaries import CANARY, everything

from pop3frames.client.credentials import OAuth2, Secret, SecretReference, as_secret, as_token, resolve
from pop3frames.errors import POP3AuthenticationError, POP3BusyError, POP3Error, POP3UsageError


class Provider:
    """Gives token-1, and the next one whenever it is forced; notes how it was asked."""

    def __init__(self) -> None:
        self.asked: list[bool] = []
        self.number = 1

    def __call__(self, *, force_refresh: bool = False) -> str:
        self.asked.append(force_refresh)
        self.number += force_refresh
        return f"token-{self.number}"


def test_the_provider_is_asked_for_every_login() -> None:
    """It knows best how long a token is good for; nobody forces it without a refusal."""
    provider = Provider()
    credential = OAuth2(provider)

    assert [Secret("token-1")] * 2 == [credential.token(), credential.token()]
    assert [False, False] == provider.asked


def test_a_refused_token_is_replaced_by_force() -> None:
    """Once: what the server just refused is not offered again."""
    provider = Provider()
    credential = OAuth2(provider)

    assert Secret("token-2") == credential.token(refused=credential.token())
    assert [False, True] == provider.asked


def test_a_token_that_another_thread_has_replaced_is_not_replaced_again() -> None:
    """The newer one is good for all who held the old one."""
    provider = Provider()
    credential = OAuth2(provider)
    old = credential.token()
    new = credential.token(refused=old)

    assert [new, new] == [credential.token(refused=old), credential.token(refused=old)]
    assert [False, True] == provider.asked


def test_sixteen_threads_with_a_refused_token_refresh_it_once() -> None:
    """And the provider is called by one of them at a time."""
    provider, together, seen = Provider(), threading.Barrier(2), threading.Barrier(16)

    def alone(*, force_refresh: bool = False) -> str:
        if force_refresh:
            with pytest.raises(threading.BrokenBarrierError):  # nobody else comes in, however long it takes
                together.wait(timeout=0.3)
        return provider(force_refresh=force_refresh)

    credential = OAuth2(alone)
    old = credential.token()

    def login(_: int) -> Secret:
        seen.wait()
        return credential.token(refused=old)

    with ThreadPoolExecutor(16) as pool:
        tokens = list(pool.map(login, range(16)))

    assert [Secret("token-2")] * 16 == tokens
    assert [False, True] == provider.asked


def test_a_provider_with_no_other_token_ends_the_login() -> None:
    """The refused one is not tried again; a later login may ask anew."""
    credential = OAuth2(lambda force_refresh=False: CANARY)
    with pytest.raises(POP3AuthenticationError, match="refused, and there is no newer one") as raised:
        credential.token(refused=credential.token())

    assert CANARY not in everything(raised.value)
    assert Secret(CANARY) == credential.token()


def test_a_token_that_was_never_ours_is_replaced_by_force_too() -> None:
    """Whoever refused it, this credential has a better one."""
    provider = Provider()

    assert Secret("token-2") == OAuth2(provider).token(refused=Secret("older"))
    assert [True] == provider.asked


@pytest.mark.parametrize("provider", [None, CANARY, lambda: CANARY, lambda force: CANARY])
def test_what_cannot_be_asked_by_force_is_no_provider(provider: Any) -> None:
    """Said at once, not at the first refusal, at night."""
    with pytest.raises(POP3UsageError, match=r"provider\(force_refresh=False\)"):
        OAuth2(provider)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        7,
        CANARY.encode(),
        f"{CANARY}\n",
        f"{CANARY} x",
        f"{CANARY}\x01",
        f"{CANARY}\u00e4",
        [CANARY],
    ],
)
def test_what_is_no_token_is_refused_without_showing_it(given: Any) -> None:
    """A line end read with a file would only be a refused login."""
    credential = OAuth2(lambda force_refresh=False: given)
    with pytest.raises(POP3UsageError, match="gave no token") as raised:
        credential.token()

    assert CANARY not in everything(raised.value)


def _network_down(secret: str) -> str:
    raise ConnectionError("no route to host")


def _chained(secret: str) -> str:
    try:
        raise KeyError("access_token")
    except KeyError as exc:
        raise RuntimeError("no token in the answer") from exc


def _grouped(secret: str) -> str:
    errors = []
    try:
        _chained(secret)
    except RuntimeError as exc:
        errors.append(exc)
    raise ExceptionGroup("all endpoints failed", errors)


@pytest.mark.parametrize(
    ("failing", "said"),
    [(_network_down, "ConnectionError"), (_chained, "RuntimeError"), (_grouped, "ExceptionGroup")],
)
def test_a_provider_that_fails_is_told_with_its_place_and_without_its_frames(
    failing: Callable[[str], str], said: str
) -> None:
    """The cause keeps its own words; the token in its locals is in no traceback."""
    credential = OAuth2(lambda force_refresh=False: failing(CANARY))
    with pytest.raises(
        POP3UsageError, match=rf"failed with {said} \(test_credentials_tokens.py, line \d+\)"
    ) as raised:
        credential.token()

    cause = raised.value.__cause__
    assert said == type(cause).__name__
    assert "failing" not in everything(raised.value)  # the lambda's line: no frame of the provider is left
    chain = [cause, *getattr(cause, "exceptions", ())]
    chain += [each.__cause__ for each in chain if each is not None]
    assert {None} == {each.__traceback__ for each in chain if each is not None}


def test_a_provider_that_tells_a_known_token_is_not_quoted() -> None:
    """Its words would stand in the traceback as those of the cause."""

    def provider(*, force_refresh: bool = False) -> str:
        if force_refresh:
            raise ValueError(f"cannot renew {CANARY}")
        return CANARY

    credential = OAuth2(provider)
    with pytest.raises(POP3UsageError, match="ValueError") as raised:
        credential.token(refused=credential.token())

    assert raised.value.__cause__ is None
    assert CANARY not in everything(raised.value)


def test_an_error_of_ours_comes_through_a_provider_as_it_is() -> None:
    """The ready providers say what to do."""
    error = POP3BusyError("x", "later")

    def provider(*, force_refresh: bool = False) -> str:
        raise error

    with pytest.raises(POP3Error) as raised:
        OAuth2(provider).token()

    assert raised.value is error


def test_a_credential_shows_nothing_and_does_not_travel() -> None:
    """Like the Secret it gives."""
    credential = OAuth2(lambda force_refresh=False: CANARY)
    credential.token()

    assert "OAuth2('***')" == repr(credential) == str(credential)
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            copied(credential)


# Other secrets as tokens, and tokens as secrets


def test_a_reference_as_a_token_is_resolved_anew_for_each_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a refusal too, when a command or a rotated variable may say something else."""
    credential = as_token(SecretReference("env:POP3FRAMES_TEST"))
    monkeypatch.setenv("POP3FRAMES_TEST", "first")
    old = credential.token()
    monkeypatch.setenv("POP3FRAMES_TEST", "second")

    assert Secret("first") == old
    assert Secret("second") == credential.token(refused=old)
    with pytest.raises(POP3AuthenticationError):
        credential.token(refused=Secret("second"))


def test_a_reference_that_cannot_be_resolved_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own words, as for a password."""
    monkeypatch.delenv("POP3FRAMES_TEST", raising=False)
    with pytest.raises(POP3UsageError, match="POP3FRAMES_TEST is not set"):
        as_token(SecretReference("env:POP3FRAMES_TEST")).token()


@pytest.mark.parametrize("held", [CANARY, Secret(CANARY)])
def test_a_fixed_token_is_the_only_one_there_is(held: str | Secret) -> None:
    """Nobody can renew it."""
    credential = as_token(held)

    assert Secret(CANARY) == credential.token()
    with pytest.raises(POP3AuthenticationError, match="no newer one"):
        credential.token(refused=Secret(CANARY))


def test_an_oauth2_goes_wherever_a_secret_goes() -> None:
    """It stays what it is, and resolves to its token of the moment."""
    credential = OAuth2(Provider())

    assert credential is as_secret(credential) is as_token(credential)
    assert Secret("token-1") == resolve(credential)
