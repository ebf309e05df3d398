"""Who may log in, with what, and to which mailbox. No protocol text, no I/O."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pop3frames.protocol import sasl
from pop3frames.server.maildrop import Maildrop

# A token for each name, or a function that is asked whether this token is that user's.
Tokens = Mapping[str, str] | Callable[[str, str], bool]
Clock = Callable[[], float]


@dataclass(frozen=True)
class User:
    """A name, its password, which no repr shows, and its mailbox."""

    name: str
    password: str = field(repr=False)
    maildrop: Maildrop


class Users:
    """All users of a server. Every comparison of secrets takes the same time, whatever is wrong.

    `clock` counts seconds, from anywhere; it tells how long ago a user logged in.
    """

    def __init__(
        self, users: Iterable[User], tokens: Tokens | None = None, clock: Clock = time.monotonic
    ) -> None:
        self._users = {user.name: user for user in users}
        self._tokens = tokens
        self._clock = clock
        self._lock = threading.Lock()  # guards `_logins`
        self._logins: dict[str, float] = {}
        self._nobody = secrets.token_urlsafe(12)  # the password of names that are unknown

    @property
    def has_tokens(self) -> bool:
        """Whether anybody can log in by a token."""
        return self._tokens is not None

    def by_password(self, name: str, password: str) -> User | None:
        """The user with that name and password."""
        return self._if(name, _same(password, self.secret(name)))

    def by_digest(self, name: str, timestamp: bytes, digest: str) -> User | None:
        """The user whose password makes this digest of APOP."""
        return self._if(name, _same(digest, sasl.apop_digest(timestamp, lambda: self.secret(name))))

    def by_token(self, name: str, token: str) -> User | None:
        """The user whose token this is."""
        if callable(self._tokens):
            return self._if(name, self._tokens(name, token))
        return self._if(name, _same(token, (self._tokens or {}).get(name, self._nobody)))

    def by_name(self, name: str) -> User | None:
        """The user, for a mechanism that has proven who it is by itself."""
        return self._users.get(name)

    def secret(self, name: str) -> str:
        """The password of that user; for a name that is unknown one that nobody has."""
        user = self._users.get(name)
        return self._nobody if user is None else user.password

    def too_soon(self, name: str, delay: float) -> bool:
        """Whether the last login of that user was less than `delay` seconds ago; if not, this is one."""
        now = self._clock()
        with self._lock:
            last = self._logins.get(name)
            if last is not None and now - last < delay:
                return True
            self._logins[name] = now
            return False

    def _if(self, name: str, proven: bool) -> User | None:
        return self._users.get(name) if proven else None


def _same(one: str, other: str) -> bool:
    # Every string has octets of its own: what a client sends need not be UTF-8.
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode(errors="surrogatepass"))
