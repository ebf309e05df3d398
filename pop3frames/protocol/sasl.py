"""SASL mechanisms and APOP as pure functions: what is said, not when (that is the conversation's business).

A mechanism of the client is a generator: it yields responses and is sent the server's challenges, both
decoded. When it ends, a further challenge is cancelled. A secret comes as a function, called where the bytes
are built; what cannot be encoded becomes a login that fails, so that no traceback holds a secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Generator
from typing import Any

from pop3frames.errors import POP3ProtocolError, POP3UsageError, printable
from pop3frames.protocol.grammar import DEFAULT_LIMITS, Limits

Responses = Generator[bytes, bytes, None]
Reveal = Callable[[], str]

# Every way to log in, by the names of the SASL registry; USER stands for USER and PASS.
MECHANISMS = ("USER", "PLAIN", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2", "APOP")
BEARERS = ("OAUTHBEARER", "XOAUTH2")  # mechanisms whose secret is a token, the better one first
_TIMESTAMP = re.compile(rb"<[^<>\s]+>")
_ITERATIONS = re.compile(rb"(?:^|,)i=(\d{1,10})(?:,|$)")
_FEWEST_ITERATIONS = 4096  # RFC 7677 section 4


# The client's side


def plain(username: str, reveal: Reveal) -> Responses:
    """PLAIN (RFC 4616 section 2): no authorization identity, name, password."""
    yield f"\0{username}\0{reveal()}".encode(errors="replace")


def xoauth2(username: str, reveal: Reveal) -> Responses:
    """XOAUTH2: name and token; a refusal comes as a challenge and is answered by nothing."""
    yield f"user={username}\1auth=Bearer {reveal()}\1\1".encode(errors="replace")
    yield b""


def oauthbearer(username: str, reveal: Reveal, host: str, port: int) -> Responses:
    """OAUTHBEARER (RFC 7628 section 3.1); a refusal is answered by ^A (section 3.2.3)."""
    name = username.replace("=", "=3D").replace(",", "=2C")  # RFC 5801 section 4
    yield (f"n,a={name},\1host={host}\1port={port}\1auth=Bearer {reveal()}\1\1".encode(errors="replace"))
    yield b"\1"


def scram_sha_256(username: str, reveal: Reveal, limits: Limits = DEFAULT_LIMITS) -> Responses:
    """SCRAM-SHA-256 (RFC 5802, RFC 7677): neither side shows the password, and the server proves itself.

    POP3UsageError at once without the package scramp; POP3ProtocolError, later, for a server that does not
    keep to it or does not know the password either.
    """
    try:
        import scramp
    except ImportError as exc:
        raise POP3UsageError(
            "SCRAM-SHA-256 needs the package scramp: pip install 'pop3frames[scram]'"
        ) from exc
    return _scram(scramp, username, reveal, limits)


def _scram(scramp: Any, username: str, reveal: Reveal, limits: Limits) -> Responses:
    client, problem = None, ""
    try:
        client = scramp.ScramClient(["SCRAM-SHA-256"], username, reveal())
        server_first = yield client.get_client_first().encode()
        _check_iterations(server_first, limits)
        client.set_server_first(server_first.decode())
        server_final = yield client.get_client_final().encode()
        client.set_server_final(server_final.decode())
    except (scramp.ScramException, ValueError) as exc:
        problem = printable(str(exc))
    if problem:  # raised here, and without `client`: the library keeps the password in its frames and objects
        del client
        raise POP3ProtocolError(f"SCRAM-SHA-256 failed: {problem}")
    yield b""


def _check_iterations(server_first: bytes, limits: Limits) -> None:
    """Few would weaken the password's protection, very many would keep this machine busy for hours."""
    found = _ITERATIONS.search(server_first)
    if not found or not _FEWEST_ITERATIONS <= int(found[1]) <= limits.scram_iterations:
        raise ValueError(
            f"the server asks for no iterations from {_FEWEST_ITERATIONS} to {limits.scram_iterations}"
        )


def apop_timestamp(greeting: bytes) -> bytes | None:
    """What APOP's digest is made with: `<...>` anywhere in the greeting (RFC 1939 section 7), or None."""
    found = _TIMESTAMP.search(greeting)
    return found[0] if found else None


def apop_digest(timestamp: bytes, reveal: Reveal) -> str:
    """The digest of APOP: MD5 of the timestamp and the password, in lower-case hex (RFC 1939 section 7)."""
    return hashlib.md5(timestamp + reveal().encode(errors="replace"), usedforsecurity=False).hexdigest()


def refusal(challenge: bytes) -> str:
    """What a server says about a token it refuses, such as 'status 401, scope mail' (RFC 7628 section 3.2.2).

    Empty where it says nothing that can be read.
    """
    try:
        told = json.loads(challenge)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(told, dict):
        return ""
    names = ("status", "scope", "schemes", "error")
    text = ", ".join(f"{name} {told[name]}" for name in names if isinstance(told.get(name), str))
    return printable(text, DEFAULT_LIMITS.challenge)  # all of it: it may repeat the token


def decoded(text: bytes) -> bytes | None:
    """The octets behind base64 with nothing foreign in it (RFC 5034 section 4); None where it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


# The server's side


def parse_plain(response: bytes) -> tuple[str, str] | None:
    """User name and password of a decoded PLAIN response; None if malformed, or to act for another."""
    try:
        identity, username, password = response.decode().split("\0")
    except ValueError:
        return None
    return (username, password) if identity in ("", username) else None


_XOAUTH2 = re.compile(r"user=([^\x01]+)\x01auth=Bearer ([^\x01]+)\x01\x01", re.IGNORECASE)
_OAUTHBEARER = re.compile(
    r"n,(?:a=([^,\x01]+))?,\x01(?:[a-z]+=[^\x01]*\x01)*?"
    r"auth=Bearer ([^\x01]+)\x01(?:[a-z]+=[^\x01]*\x01)*\x01",
    re.I,
)


def parse_xoauth2(response: bytes) -> tuple[str, str] | None:
    """User name and token of a decoded XOAUTH2 response; None if malformed."""
    return _name_and_token(_XOAUTH2, response)


def parse_oauthbearer(response: bytes) -> tuple[str, str] | None:
    """User name and token of a decoded OAUTHBEARER response (RFC 7628 section 3.1); None if malformed."""
    found = _name_and_token(_OAUTHBEARER, response)
    return None if found is None else (found[0].replace("=2C", ",").replace("=3D", "="), found[1])


def _name_and_token(pattern: re.Pattern[str], response: bytes) -> tuple[str, str] | None:
    try:
        found = pattern.fullmatch(response.decode())
    except UnicodeDecodeError:
        return None
    return (found[1] or "", found[2]) if found else None
