"""How a client proves who it is: USER and PASS, APOP, and the exchanges of AUTH. No mailbox, no reply bytes.

A mechanism is a generator, as on the client's side: it yields challenges, is sent responses, both decoded,
and returns the user, or why there is none.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass

from pop3frames.protocol import grammar, sasl
from pop3frames.server.features import PLAINTEXT, Features, mechanisms
from pop3frames.server.users import User, Users


@dataclass(frozen=True)
class Refusal:
    """Why a login failed. `credentials`: they were wrong, and not the way they were said."""

    text: str
    credentials: bool = False


@dataclass(frozen=True)
class Challenge:
    """What a mechanism asks next, in base64."""

    text: bytes


Outcome = User | Refusal
Exchange = Generator[bytes, bytes, Outcome]

_MALFORMED = Refusal("malformed response")
_WRONG = Refusal("wrong user name or password", credentials=True)
_NO_TLS = Refusal("start TLS first: STLS")
_EMPTY = b"="  # RFC 5034 section 4: an initial response of no octets


class Logins:
    """The logins of one session. `plaintext` says whether a password may be said on this connection now."""

    def __init__(self, users: Users, features: Features, *, plaintext: bool) -> None:
        self._users, self._features = users, features
        self.plaintext = plaintext
        self.timestamp = b"<%s@pop3frames>" % secrets.token_hex(8).encode() if features.apop else b""
        self._named: str | None = None
        self._exchange: Exchange | None = None

    @property
    def mechanisms(self) -> list[str]:
        """Those of AUTH that are offered now."""
        return mechanisms(self._features, has_tokens=self._users.has_tokens, plaintext=self.plaintext)

    @property
    def in_exchange(self) -> bool:
        """Whether the next line is no command but a response."""
        return self._exchange is not None

    def forget(self) -> None:
        """TLS stands or the exchange is over: what was said before does not count."""
        self._named = self._exchange = None

    def user(self, name: bytes) -> Refusal | None:
        """USER: nothing is wrong with any name, or it would tell which there are."""
        if not self.plaintext:
            return _NO_TLS
        self._named = _text(name)
        return None

    def password(self, password: bytes) -> Outcome:
        """PASS, right after USER."""
        name, self._named = self._named, None
        if name is None:
            return Refusal("USER first")
        return self._users.by_password(name, _text(password)) or _WRONG

    def apop(self, name: bytes, digest: bytes) -> Outcome:
        """APOP (RFC 1939 section 7)."""
        return self._users.by_digest(_text(name), self.timestamp, _text(digest)) or _WRONG

    def auth(self, mechanism: bytes, initial: bytes | None = None) -> Outcome | Challenge:
        """AUTH: the first challenge, or what the initial response leads to (RFC 5034 section 4)."""
        name = _text(mechanism).upper()
        if name not in self.mechanisms:
            hidden = name in PLAINTEXT and name in self._features.sasl and not self.plaintext
            return _NO_TLS if hidden else Refusal("unknown mechanism")
        self._exchange = _EXCHANGES[name](self._users)
        first = next(self._exchange)
        if initial is None:
            return Challenge(base64.b64encode(first))
        return self.respond(b"" if initial == _EMPTY else initial)

    def respond(self, line: bytes) -> Outcome | Challenge:
        """What a line of the client, in base64, leads to."""
        assert self._exchange is not None, "a line is a response only in an exchange"
        exchange, self._exchange = self._exchange, None
        if line == grammar.CANCEL:
            return Refusal("cancelled")
        response = sasl.decoded(line)
        if response is None:
            return Refusal("malformed response: no base64")
        try:
            challenge = exchange.send(response)
        except StopIteration as done:
            outcome: Outcome = done.value
            return outcome
        self._exchange = exchange
        return Challenge(base64.b64encode(challenge))


def _plain(users: Users) -> Exchange:
    pair = sasl.parse_plain((yield b""))
    return _MALFORMED if pair is None else users.by_password(*pair) or _WRONG


def _bearer(
    users: Users, parse: Callable[[bytes], tuple[str, str] | None], refusal: dict[str, str]
) -> Exchange:
    """A refusal comes as a challenge, answered with nothing or ^A (RFC 7628 section 3.2.3)."""
    pair = parse((yield b""))
    if pair is None:
        return _MALFORMED
    user = users.by_token(*pair)
    if user is None:
        yield json.dumps(refusal).encode()
    return user or Refusal("wrong user name or token", credentials=True)


def _xoauth2(users: Users) -> Exchange:
    return _bearer(users, sasl.parse_xoauth2, {"status": "401", "schemes": "bearer", "scope": "mail"})


def _oauthbearer(users: Users) -> Exchange:
    return _bearer(users, sasl.parse_oauthbearer, {"status": "invalid_token", "scope": "mail"})


def _scram_sha_256(users: Users) -> Exchange:
    """RFC 5802; POP3 has no data with +OK, so the last message is a challenge and is answered by nothing."""
    import scramp

    names: list[str] = []

    def look_up(name: str) -> tuple[bytes, bytes, bytes, int]:
        names.append(name)
        made: tuple[bytes, bytes, bytes, int] = mechanism.make_auth_info(users.secret(name))
        return made

    mechanism = scramp.ScramMechanism("SCRAM-SHA-256")
    server = mechanism.make_server(look_up)
    first = yield b""
    try:
        server.set_client_first(first.decode())
        final = yield server.get_server_first().encode()
        server.set_client_final(final.decode())
        yield server.get_server_final().encode()
    except UnicodeDecodeError:
        return _MALFORMED
    except scramp.ScramException:
        return _WRONG if names else _MALFORMED
    return users.by_name(names[0]) or _WRONG


_EXCHANGES: dict[str, Callable[[Users], Exchange]] = {
    "PLAIN": _plain,
    "XOAUTH2": _xoauth2,
    "OAUTHBEARER": _oauthbearer,
    "SCRAM-SHA-256": _scram_sha_256,
}


def _text(octets: bytes) -> str:
    return octets.decode(errors="surrogateescape")
