"""Where a secret comes from and where it never goes.

A `Secret` shows itself nowhere. A `SecretReference` names the place where one is kept and is safe to store,
log or send to another machine. Nothing here talks to a server.
"""

from __future__ import annotations

import getpass
import hmac
import os
from dataclasses import dataclass
from typing import Any, NoReturn

from pop3frames.errors import POP3UsageError

_FORMS = "'prompt', 'env:NAME' or 'keyring:service/username'"


class Secret:
    """A password that no repr, str, format, pickle or copy gives away; `reveal()` does."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str) or not value:
            raise POP3UsageError("a password must be a string that is not empty")
        self._value = value

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


@dataclass(frozen=True)
class SecretReference:
    """A place where a password is kept: safe to store and show. Resolved where the session is opened."""

    text: str

    def __post_init__(self) -> None:
        scheme, _, target = self.text.partition(":")
        if self.text == "prompt" or (scheme == "env" and target):
            return
        if scheme == "keyring" and all(target.rpartition("/")[::2]):
            return
        # Not shown, and gone from what a traceback holds: it may be the password itself.
        object.__setattr__(self, "text", "")
        del scheme, target
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
        try:
            return Secret(getpass.getpass(prompt))
        except EOFError as exc:
            raise POP3UsageError(
                "no terminal to type a password at: name an environment variable or a keyring entry instead"
            ) from exc

    def _from_keyring(self, target: str) -> Secret:
        import keyring  # on first use: it looks for its backends, and most sessions need none
        import keyring.errors

        service, _, username = target.rpartition("/")
        try:
            password = keyring.get_password(service, username)
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


def as_secret(source: str | Secret | SecretReference) -> Secret | SecretReference:
    """A literal password becomes a Secret; the other two stay as they are."""
    return source if isinstance(source, Secret | SecretReference) else Secret(source)


def resolve(source: Secret | SecretReference, prompt: str = "Password: ") -> Secret:
    """The secret itself, fetched now if `source` only refers to it."""
    return source.resolve(prompt) if isinstance(source, SecretReference) else source
