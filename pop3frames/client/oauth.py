"""Ready token providers for Microsoft and Google mailboxes, by their own libraries.

Each is what `OAuth2` takes. A person signs in once; the refresh token then lies in the keyring, or in a file
of mode 0600 if one is named. No client id is shipped: register your own application (docs/connecting.md).
Needs `pip install 'pop3frames[oauth]'`. How a token is sent to a mail server is not known here.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pop3frames.client.credentials import Secret
from pop3frames.client.vault import extra, read_private, write_private
from pop3frames.errors import (
    POP3AuthenticationError,
    POP3ConnectionError,
    POP3Error,
    POP3UsageError,
    printable,
)

MICROSOFT_AUTHORITY = "https://login.microsoftonline.com"
MICROSOFT_SCOPE = "https://outlook.office.com/POP.AccessAsUser.All"  # msal adds offline_access itself
GOOGLE_SCOPE = "https://mail.google.com/"
SIGN_IN_TIMEOUT = 300  # seconds for a person to come back from Google's page; Microsoft sets its own
HTTP_TIMEOUT = 30  # seconds for one answer of a token endpoint
KEYRING_SERVICE = "pop3frames"

Tell = Callable[[str], object]


def microsoft_tokens(
    client_id: str,
    username: str,
    *,
    tenant: str = "common",
    cache: str | os.PathLike[str] | None = None,
    tell: Tell | None = print,
) -> MicrosoftTokens:
    """Tokens for POP at Microsoft 365 and Outlook.com, by the device code flow: it works on remote hosts too.

    client_id   of your own app registration, with public client flows allowed and POP.AccessAsUser.All
    username    the mailbox; whoever signs in must be allowed to read it
    tenant      'common', 'organizations', 'consumers' (Outlook.com) or the id of one organization
    cache       a file to keep tokens in, mode 0600, instead of the keyring
    tell        shows a person where to sign in; None: never ask, raise POP3UsageError instead
    """
    store = _Store(f"microsoft {client_id} {username}", cache)
    return MicrosoftTokens(client_id, username, tenant, store, tell)


def google_tokens(
    client_secrets: str | os.PathLike[str],
    username: str,
    *,
    cache: str | os.PathLike[str] | None = None,
    tell: Tell | None = print,
) -> GoogleTokens:
    """Tokens for POP at Gmail, by a sign-in page that comes back to this machine (loopback, with PKCE).

    client_secrets  the JSON file of your own OAuth client, of the type "Desktop app"
    username, cache, tell   as for `microsoft_tokens`
    """
    return GoogleTokens(Path(client_secrets), username, cache, tell)


class MicrosoftTokens:
    """A token provider: see `microsoft_tokens`. One thread at a time, as `OAuth2` calls it."""

    def __init__(self, client_id: str, username: str, tenant: str, store: _Store, tell: Tell | None) -> None:
        self._client_id, self._username, self._tenant = client_id, username, tenant
        self._store, self._tell = store, tell
        self._app: Any = None

    def __call__(self, *, force_refresh: bool = False) -> str:
        """The access token: from the cache, by the refresh token, or by asking a person to sign in."""
        return _revealed("Microsoft", lambda: self._token(force_refresh))

    def _token(self, force_refresh: bool) -> Secret:
        if self._app is None:
            self._app = self._application()
        app = self._app
        accounts = app.get_accounts()
        result = accounts and app.acquire_token_silent_with_error(
            [MICROSOFT_SCOPE], account=accounts[0], force_refresh=force_refresh
        )
        if not result or result.get("error") in ("invalid_grant", "interaction_required"):
            result = self._signed_in(app)
        if app.token_cache.has_state_changed:
            self._store.save(app.token_cache.serialize())
        if "access_token" not in result:
            raise _refused("Microsoft", result)
        return Secret(result["access_token"])

    def _application(self) -> Any:
        msal = extra("msal", "oauth")
        cache = msal.SerializableTokenCache()
        cache.deserialize(self._store.load())
        return msal.PublicClientApplication(
            self._client_id,
            authority=f"{MICROSOFT_AUTHORITY}/{self._tenant}",
            instance_discovery=False,  # there is nothing to discover: the authority is known
            token_cache=cache,
            timeout=HTTP_TIMEOUT,
        )

    def _signed_in(self, app: Any) -> Any:
        if self._tell is None:
            raise _nobody("Microsoft", self._username)
        flow = app.initiate_device_flow([MICROSOFT_SCOPE])
        if "user_code" not in flow:
            raise _refused("Microsoft", flow)
        self._tell(f"For the mailbox {printable(self._username)}: {printable(str(flow.get('message')), 500)}")
        return app.acquire_token_by_device_flow(flow)


class GoogleTokens:
    """A token provider: see `google_tokens`. One thread at a time, as `OAuth2` calls it."""

    def __init__(
        self, client_secrets: Path, username: str, cache: str | os.PathLike[str] | None, tell: Tell | None
    ) -> None:
        self._client_secrets, self._username = client_secrets, username
        self._cache, self._tell = cache, tell
        self._credentials: Any = None

    def __call__(self, *, force_refresh: bool = False) -> str:
        """The access token: from the cache, by the refresh token, or by asking a person to sign in."""
        return _revealed("Google", lambda: self._token(force_refresh))

    def _token(self, force_refresh: bool) -> Secret:
        client = self._client()
        store = _Store(f"google {client['client_id']} {self._username}", self._cache)
        held = self._credentials or self._stored(client, store.load())
        if held is not None and not force_refresh and held.valid:
            return Secret(held.token)
        self._credentials = (held and self._refreshed(held)) or self._signed_in(client)
        store.save(_as_json(self._credentials))
        return Secret(self._credentials.token)

    def _client(self) -> dict[str, str]:
        try:
            client = json.loads(self._client_secrets.read_bytes())["installed"]
            return {key: client[key] for key in ("client_id", "client_secret", "auth_uri", "token_uri")}
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise POP3UsageError(
                f"{printable(str(self._client_secrets))} cannot be used ({type(exc).__name__}): it must be "
                'the JSON file of an OAuth client of the type "Desktop app"'
            ) from exc

    def _stored(self, client: dict[str, str], stored: str | None) -> Any:
        """What an earlier sign-in left, or None."""
        if stored is None:
            return None
        kept = json.loads(stored)
        return extra("google.oauth2.credentials", "oauth").Credentials(
            kept["token"],
            refresh_token=kept["refresh_token"],
            token_uri=client["token_uri"],
            client_id=client["client_id"],
            client_secret=client["client_secret"],
            scopes=[GOOGLE_SCOPE],
            expiry=datetime.datetime.fromisoformat(kept["expiry"]),
        )

    def _refreshed(self, held: Any) -> Any:
        """The same with a new access token; None where a person has to sign in again."""
        errors = extra("google.auth.exceptions", "oauth")
        try:
            held.refresh(extra("google.auth.transport.requests", "oauth").Request())
        except errors.RefreshError as exc:
            if exc.retryable:
                raise POP3ConnectionError("Google gives no token at the moment: try again later") from exc
            return None
        except errors.TransportError as exc:
            raise ConnectionError(*exc.args[:1]) from exc
        return held

    def _signed_in(self, client: dict[str, str]) -> Any:
        if self._tell is None:
            raise _nobody("Google", self._username)
        library = extra("google_auth_oauthlib.flow", "oauth")
        flow = library.InstalledAppFlow.from_client_config({"installed": client}, [GOOGLE_SCOPE])
        page, tell = flow.authorization_url, self._tell

        def told(**options: Any) -> Any:
            url, state = page(**options)
            tell(f"For the mailbox {printable(self._username)}, sign in on this machine at {url}")
            return url, state

        flow.authorization_url = told  # the library itself can only print it
        try:
            return flow.run_local_server(
                host="127.0.0.1",
                port=0,
                open_browser=False,
                authorization_prompt_message=None,
                timeout_seconds=SIGN_IN_TIMEOUT,
                login_hint=self._username,
                prompt="consent",  # else a second sign-in brings no refresh token
            )
        except library.WSGITimeoutError as exc:
            raise POP3UsageError(
                f"nobody came back from Google's page within {SIGN_IN_TIMEOUT} seconds; to a remote host it "
                "cannot: sign in on your own machine with cache=FILE, and bring that file here"
            ) from exc
        except extra("oauthlib.oauth2", "oauth").OAuth2Error as exc:
            raise _refused("Google", {"error": exc.error}) from exc


def _as_json(credentials: Any) -> str:
    return json.dumps(
        {
            "token": credentials.token,
            "refresh_token": credentials.refresh_token,
            "expiry": credentials.expiry.isoformat(),
        }
    )


def _refused(whose: str, answer: dict[str, Any]) -> POP3AuthenticationError:
    words = ": ".join(str(answer[key]) for key in ("error", "error_description") if answer.get(key))
    return POP3AuthenticationError(f"the sign-in at {whose}", words.partition("\n")[0])


def _nobody(whose: str, username: str) -> POP3UsageError:
    return POP3UsageError(
        f"nobody is signed in at {whose} for {printable(username)}, or not any more: sign in once where a "
        "person can answer (tell=print), with the same cache"
    )


def _revealed(whose: str, token: Callable[[], Secret]) -> str:
    """The token. What goes wrong is raised anew from here: the libraries' errors and frames hold tokens."""
    error: POP3Error
    for name in ("msal", "requests_oauthlib", "google_auth_oauthlib"):
        logging.getLogger(name).setLevel(logging.WARNING)  # below that they log codes and tokens
    try:
        return token().reveal()
    except POP3Error as exc:
        error = exc
    except OSError as exc:  # so are those of requests
        error = POP3ConnectionError(f"{whose}'s sign-in service cannot be reached: {printable(str(exc))}")
    except Exception as exc:  # noqa: BLE001  (three foreign libraries; their words may hold a token)
        error = POP3UsageError(f"{whose}'s sign-in failed with {type(exc).__name__}")
    error.__traceback__ = error.__cause__ = error.__context__ = None
    raise error


class _Store:
    """Where the tokens of one account are kept between runs: the keyring, or a file of mode 0600."""

    def __init__(self, entry: str, file: str | os.PathLike[str] | None) -> None:
        self._entry, self._file = entry, None if file is None else Path(file)

    def load(self) -> str | None:
        if self._file is None:
            return self._in_keyring(lambda keyring: keyring.get_password(KEYRING_SERVICE, self._entry))
        content = read_private(self._file)
        if content is None:
            return None
        try:
            kept = json.loads(content)
            entry, tokens = kept["entry"], kept["tokens"]
        except (ValueError, KeyError, TypeError) as exc:
            raise POP3UsageError(
                f"{printable(str(self._file))} is not a file of tokens: remove it, and sign in again"
            ) from exc
        if entry != self._entry:
            raise POP3UsageError(
                f"{printable(str(self._file))} holds the tokens of another account: each needs its own file"
            )
        return str(tokens)

    def save(self, tokens: str) -> None:
        if self._file is None:
            self._in_keyring(lambda keyring: keyring.set_password(KEYRING_SERVICE, self._entry, tokens))
        else:
            write_private(self._file, json.dumps({"entry": self._entry, "tokens": tokens}).encode())

    def _in_keyring(self, use: Callable[[Any], str | None]) -> str | None:
        import keyring  # on first use: it looks for its backends
        import keyring.errors

        try:
            return use(keyring)
        except keyring.errors.KeyringError as exc:
            raise POP3UsageError(
                f"the keyring cannot keep tokens ({type(exc).__name__}): name a file for them, cache='FILE'"
            ) from exc
