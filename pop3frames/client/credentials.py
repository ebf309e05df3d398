"""Where a secret comes from and where it never goes.

A `Secret` shows itself nowhere. A `SecretReference` names the place where one is kept and is safe to store,
log or send to another machine. `OAuth2` is a token that somebody else renews. Nothing here talks to a server.
"""

from __future__ import annotations

import getpass
import hmac
import inspect
import os
import re
import shlex
import subprocess
import threading
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

from pop3frames.errors import POP3AuthenticationError, POP3Error, POP3UsageError, printable

COMMAND_TIMEOUT = 60  # seconds for a program that prints a secret: time to type the PIN it may ask for

_FORMS = "'prompt', 'env:NAME', 'keyring:service/username', 'command:PROGRAM ARGS' or 'crypt:FILE#NAME'"
_TOKEN = re.compile(r"[\x21-\x7e]+")  # what RFC 6750 section 2.1 allows, and a little more


class Secret:
    """A password that no repr, str, format, pickle or copy gives away; `reveal()` does."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value if isinstance(value, str) else ""
        del value  # octets, say: a password all the same, and not for a traceback
        if not self._value:
            raise POP3UsageError("a password must be a string that is not empty")

    def reveal(self) -> str:
        """The password itself: call it in the expression that builds the bytes, keep it in no variable."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, _spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, others = (each._value.encode(errors="surrogatepass") for each in (self, other))
        return hmac.compare_digest(mine, others)

    def __hash__(self) -> int:
        return hash(Secret)  # the same for all: equal secrets hash alike, and none is given away

    def __reduce_ex__(self, _protocol: Any) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied: pass a reference such as 'env:NAME'")


@dataclass(frozen=True, init=False)
class SecretReference:
    """A place where a password is kept: safe to store and show. Resolved where the session is opened.

    'prompt' asks at the terminal, 'env:NAME' reads an environment variable, 'keyring:service/username' the
    keyring, 'command:PROGRAM ARGS' takes the first line that a program prints (no shell is involved), and
    'crypt:FILE#NAME' an entry of an encrypted file (`pop3frames credentials`, see vault.py).
    """

    text: str

    def __init__(self, text: str) -> None:  # written out: a generated one would hold `text` in a traceback
        object.__setattr__(self, "text", text if _is_reference(text) else "")
        del text  # it may be the password itself
        if not self.text:
            raise POP3UsageError(
                f"a secret reference must be {_FORMS}; a password itself must be wrapped: Secret('...')"
            )

    def resolve(self, prompt: str = "Password: ") -> Secret:
        """The secret, fetched now. Raises POP3UsageError, saying what is missing, when there is none."""
        scheme, _, target = self.text.partition(":")
        if scheme == "env":
            if not os.environ.get(target):
                raise POP3UsageError(
                    f"the environment variable {target} is not set or empty: it must hold the password"
                )
            return Secret(os.environ[target])
        if scheme == "keyring":
            return self._from_keyring(target)
        if scheme == "command":
            printed = _printed_by(target)
            if isinstance(printed, POP3UsageError):
                raise printed
            return printed
        if scheme == "crypt":
            from pop3frames.client.vault import Vault  # on first use: most sessions need none

            file, _, name = target.rpartition("#")
            return Vault(Path(file).expanduser()).get(name)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", getpass.GetPassWarning)  # what is typed could be seen
                return Secret(getpass.getpass(prompt))
        # A kernel that runs a notebook as a check; pytest, which captures what would be asked.
        except (EOFError, NotImplementedError, OSError, getpass.GetPassWarning) as exc:
            raise POP3UsageError(
                "no terminal to type a password at: name an environment variable or a keyring entry instead; "
                "account_from_environment() takes POP3FRAMES_PASSWORD or POP3FRAMES_SECRET"
            ) from exc

    def _from_keyring(self, target: str) -> Secret:
        import keyring  # on first use: it looks for its backends, and most sessions need none
        import keyring.errors

        service, _, username = target.rpartition("/")
        try:
            password = keyring.get_password(service, username)
        except keyring.errors.NoKeyringError as exc:
            raise POP3UsageError(
                "this machine has no keyring that can be used: keep the password elsewhere ('env:NAME', "
                "'command:PROGRAM ARGS' or 'crypt:FILE#NAME')"
            ) from exc
        except keyring.errors.KeyringError as exc:
            raise POP3UsageError(
                f"the keyring cannot be read ({exc}): use an environment variable ('env:NAME') instead"
            ) from exc
        if not password:
            raise POP3UsageError(
                f"the keyring has no password for {service!r} and {username!r}; "
                f"store it with: keyring set {service} {username}"
            )
        return Secret(password)


def _is_reference(text: str) -> bool:
    scheme, _, target = text.partition(":")
    if scheme == "command":
        try:
            return bool(shlex.split(target))
        except ValueError:  # a quotation without an end
            return False
    if scheme in ("keyring", "crypt"):
        return all(target.rpartition("/" if scheme == "keyring" else "#")[::2])
    return text == "prompt" or (scheme == "env" and bool(target))


def _printed_by(command: str) -> Secret | POP3UsageError:
    """The first line that a program prints, or what to raise: not from here, where its output is in locals.

    At a terminal the program may ask there, as gpg and sign-in scripts do; elsewhere nobody would answer, and
    a pipe that feeds this process is not the program's to read.
    """
    words = shlex.split(command)
    name, at_terminal = printable(words[0]), os.isatty(0)
    try:
        done = subprocess.run(  # noqa: S603  (the words are the caller's own, and no shell reads them)
            words,
            stdin=None if at_terminal else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if at_terminal else subprocess.PIPE,
            timeout=COMMAND_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return POP3UsageError(
            f"{name} did not end within {COMMAND_TIMEOUT} seconds: run it by hand to see what it waits for"
        )
    except (OSError, ValueError) as exc:
        return POP3UsageError(
            f"the program {name} cannot be run ({getattr(exc, 'strerror', None) or type(exc).__name__}): "
            "is it installed, on the PATH and executable?"
        )
    line, told = (
        (output or b"").partition(b"\n")[0].removesuffix(b"\r") for output in (done.stdout, done.stderr)
    )
    if done.returncode:  # else its words may be the secret, printed to the wrong place
        said = f', saying "{printable(told)}"' if told and not (line and line in told) else ""
        return POP3UsageError(
            f"{name} ended with status {done.returncode}{said}: run it by hand, it must print the secret"
        )
    if not line:
        return POP3UsageError(f"{name} printed no secret: it must be the first line of its standard output")
    return Secret(line.decode(errors="surrogateescape"))


class TokenProvider(Protocol):
    """What gives access tokens: called for each login, and with force_refresh=True after a refusal.

    It returns the token as a string, from a cache of its own if it likes; with `force_refresh` it must ask
    for a new one. What it raises is shown as the cause of a POP3UsageError: keep tokens out of those words.
    """

    def __call__(self, *, force_refresh: bool = False) -> str: ...


class OAuth2:
    """A credential that is an access token, renewed by `provider`: for XOAUTH2 and OAUTHBEARER.

    Threads may share one: the provider is called by one of them at a time, and a token that the server
    refused is replaced once for all of them.
    """

    __slots__ = ("_latest", "_lock", "_provider")

    def __init__(self, provider: TokenProvider) -> None:
        if not callable(provider) or not _takes_force_refresh(provider):
            raise POP3UsageError(
                "a token provider must be callable as provider(force_refresh=False) and return the token"
            )
        self._provider = provider
        self._lock = threading.Lock()  # held while the provider works; guards _latest
        self._latest: Secret | None = None

    def token(self, refused: Secret | None = None) -> Secret:
        """The token for a login that is about to happen; `refused` is the one the server just refused.

        Then the provider is asked for a new one, unless another thread has got one meanwhile. Raises
        POP3AuthenticationError when there is no other one; POP3UsageError when the provider fails.
        """
        with self._lock:
            if refused is None or self._latest is None or self._latest == refused:
                self._latest = self._asked(force_refresh=refused is not None)
            if self._latest == refused:
                raise POP3AuthenticationError(
                    "AUTH", "the token was refused, and there is no newer one", "AUTH"
                )
            return self._latest

    def _asked(self, force_refresh: bool) -> Secret:
        answer = _provided_by(self._provider, force_refresh, self._latest)
        if isinstance(answer, POP3Error):
            raise answer from answer.__cause__
        return answer

    def __repr__(self) -> str:
        return "OAuth2('***')"

    def __reduce_ex__(self, _protocol: Any) -> NoReturn:
        raise TypeError("an OAuth2 credential cannot be pickled or copied: make one where it is needed")


def _takes_force_refresh(provider: TokenProvider) -> bool:
    try:
        inspect.signature(provider).bind(force_refresh=False)
    except TypeError:
        return False
    except ValueError:  # written in C, and it does not say
        return True
    return True


def _provided_by(provider: TokenProvider, force_refresh: bool, known: Secret | None) -> Secret | POP3Error:
    """The token, or what to raise: not from here, where it is in locals."""
    try:
        value: object = provider(force_refresh=force_refresh)
    except Exception as exc:  # noqa: BLE001  (a provider is somebody else's code)
        place = traceback.extract_tb(exc.__traceback__)[-1]
        _cut_frames(exc)
        if isinstance(exc, POP3Error):
            return exc
        error = POP3UsageError(
            f"the token provider failed with {type(exc).__name__} "
            f"({Path(place.filename).name}, line {place.lineno})"
        )
        words = "".join(traceback.format_exception(exc))
        if known is None or known.reveal() not in words:
            error.__cause__ = exc
        return error
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        return POP3UsageError(
            f"the token provider gave no token ({type(value).__name__}): it must return a string of visible "
            "ASCII characters, without blanks or line ends (RFC 6750 section 2.1)"
        )
    return Secret(value)


def _cut_frames(error: BaseException) -> None:
    """Without its frames an error of a foreign library holds no token: only they know all its locals."""
    chain = [error]
    for each in chain:  # grows meanwhile
        each.__traceback__ = None
        more = (each.__cause__, each.__context__, *getattr(each, "exceptions", ()))
        chain += [one for one in more if one is not None and one not in chain]


def as_secret(source: str | Secret | SecretReference | OAuth2) -> Secret | SecretReference | OAuth2:
    """A literal password becomes a Secret; the others stay as they are."""
    try:
        return source if isinstance(source, Secret | SecretReference | OAuth2) else Secret(source)
    finally:
        del source


def as_token(source: str | Secret | SecretReference | OAuth2, prompt: str = "Token: ") -> OAuth2:
    """The same credential as a source of tokens: keep it for as long as logins may be repeated.

    A reference is resolved for each login (so a command runs each time) and again after a refusal; a Secret
    is the only token there is.
    """
    held = as_secret(source)
    if isinstance(held, OAuth2):
        return held

    def provider(*, force_refresh: bool = False) -> str:  # noqa: ARG001  (a reference is always read anew)
        return resolve(held, prompt).reveal()

    return OAuth2(provider)


def resolve(source: Secret | SecretReference | OAuth2, prompt: str = "Password: ") -> Secret:
    """The secret itself, fetched now if `source` only refers to it; of an OAuth2, the current token."""
    if isinstance(source, OAuth2):
        return source.token()
    return source.resolve(prompt) if isinstance(source, SecretReference) else source
