"""What a server can do and how much it puts up with: switches and bounds, and what CAPA says of them.

Only data and the lines of CAPA: what a switch does happens in the sessions.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal

from pop3frames.errors import POP3UsageError
from pop3frames.protocol import grammar
from pop3frames.protocol.grammar import Verb

BEARERS = frozenset({"XOAUTH2", "OAUTHBEARER"})
PLAINTEXT = BEARERS | {"PLAIN"}  # whoever reads along could log in with what was said
_MECHANISMS = PLAINTEXT | {"SCRAM-SHA-256"}


@dataclass(frozen=True, kw_only=True)
class Features:
    """The switches of an embedded server. What is off is not announced, and answered as if it were unknown.

    sasl                 mechanisms of AUTH: XOAUTH2, OAUTHBEARER, PLAIN, SCRAM-SHA-256. Those that cannot
                         work are not offered: the first two without tokens, SCRAM without package scramp
    pipelining           announced; what arrives in one piece is served in order either way
    stls                 with a certificate: TLS may be started on the port that begins without it
    plaintext            a password or token before TLS; None: only where there is no certificate
                         (RFC 2595 section 2.3, RFC 8314 section 3)
    apop                 a timestamp in the greeting, and APOP (RFC 1939 section 7)
    resp_codes           codes such as [IN-USE]; auth_resp_code: [AUTH] among them (RFC 3206)
    login_delay          seconds from one login of a user to the next, then [LOGIN-DELAY]
    expire               days that mail is kept, or "NEVER"; only announced (RFC 2449 section 6.7)
    removes_retrieved    what was RETRed is gone after QUIT, as EXPIRE 0 allows and Gmail does
    shows                the first so many messages in each session, as Gmail does; None: all
    utf8                 UTF8 and UTF8 USER (RFC 6856 section 2); needs_utf8: mail with 8-bit octets in its
                         header is refused with [UTF8] to whoever did not say UTF8
    lang                 LANG, of a server that knows English only (RFC 6856 section 3)
    implementation       what it calls itself; None: nothing
    only_after_login     capabilities announced only then, as Gmail does with PIPELINING
    only_before_login    capabilities no longer announced then, as Dovecot does with SASL
    """

    capa: bool = True
    top: bool = True
    uidl: bool = True
    user: bool = True
    sasl: tuple[str, ...] = ("PLAIN", "XOAUTH2", "OAUTHBEARER")
    pipelining: bool = True
    stls: bool = True
    plaintext: bool | None = None
    apop: bool = False
    resp_codes: bool = True
    auth_resp_code: bool = True
    login_delay: int | None = None
    expire: int | Literal["NEVER"] | None = None
    removes_retrieved: bool = False
    shows: int | None = None
    utf8: bool = False
    needs_utf8: bool = False
    lang: bool = False
    implementation: str | None = "pop3frames"
    only_after_login: tuple[str, ...] = ()
    only_before_login: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = set(self.sasl) - _MECHANISMS
        if unknown:
            raise POP3UsageError(
                f"no such SASL mechanisms: {sorted(unknown)}; there are {sorted(_MECHANISMS)}"
            )
        if self.shows is not None and self.shows < 1:
            raise POP3UsageError("a session shows at least one message: shows is >= 1, or None for all")
        if self.implementation is not None and not self.implementation.isprintable():
            raise POP3UsageError("implementation must be one line")

    def lacks(self, verb: Verb) -> bool:
        """Whether a switch takes this command away."""
        return verb in _SWITCHES and not getattr(self, _SWITCHES[verb])


_SWITCHES = {
    grammar.CAPA: "capa",
    grammar.TOP: "top",
    grammar.UIDL: "uidl",
    grammar.USER: "user",
    grammar.PASS: "user",
    grammar.STLS: "stls",
    grammar.APOP: "apop",
    grammar.AUTH: "sasl",
    grammar.UTF8: "utf8",
    grammar.LANG: "lang",
}


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much an embedded server puts up with.

    connections      at once; one more hears -ERR [SYS/TEMP], or nothing on the port of TLS, and is closed
    errors           -ERR replies in a row that end a session (Dovecot: 20)
    failed_logins    how many seconds each refused login of a session waits for its -ERR; the last ends it
    handshake        seconds that TLS may take to begin
    """

    connections: int = 100
    errors: int = 20
    failed_logins: tuple[float, ...] = (0.0, 1.0, 2.0)
    handshake: float = 30.0

    def __post_init__(self) -> None:
        if self.connections < 1 or self.errors < 1 or not self.failed_logins:
            raise POP3UsageError("a server needs room for one connection, one error and one refused login")


DEFAULT_FEATURES = Features()
DEFAULT_BOUNDS = Bounds()


def mechanisms(features: Features, *, has_tokens: bool, plaintext: bool) -> list[str]:
    """Those of AUTH that can work now, in the order given."""
    impossible = set[str]() if has_tokens else set(BEARERS)
    if not plaintext:
        impossible |= PLAINTEXT
    if importlib.util.find_spec("scramp") is None:
        impossible.add("SCRAM-SHA-256")
    return [name for name in features.sasl if name not in impossible]


def capabilities(
    features: Features, *, sasl: list[str], stls: bool, plaintext: bool, logged_in: bool
) -> list[bytes]:
    """The lines of CAPA: by default the same before and after the login (RFC 2449 section 5)."""
    told = {
        "TOP": features.top,
        "UIDL": features.uidl,
        "RESP-CODES": features.resp_codes,
        "PIPELINING": features.pipelining,
        "AUTH-RESP-CODE": features.resp_codes and features.auth_resp_code,
        "USER": features.user and plaintext,
        f"SASL {' '.join(sasl)}": bool(sasl),
        "STLS": stls,
        f"EXPIRE {features.expire}": features.expire is not None,
        f"LOGIN-DELAY {features.login_delay}": features.login_delay is not None,
        "UTF8 USER": features.utf8,
        "LANG": features.lang,
        f"IMPLEMENTATION {features.implementation}": features.implementation is not None,
    }
    hidden = features.only_before_login if logged_in else features.only_after_login
    return [line.encode() for line, on in told.items() if on and line.split()[0] not in hidden]
