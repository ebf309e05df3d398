"""SASL messages as pure functions: what a mechanism says, not when (that is the conversation's business)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable


def plain(username: str, reveal: Callable[[], str]) -> bytes:
    """The base64 response of PLAIN (RFC 4616 section 2): no authorization identity, name, password.

    Never raises, so that no traceback holds the password: what cannot be encoded becomes a login that fails.
    """
    return base64.b64encode(f"\0{username}\0{reveal()}".encode(errors="replace"))


def parse_plain(response: bytes) -> tuple[str, str] | None:
    """The user name and password of a PLAIN response; None if malformed, or to act for another."""
    try:
        identity, username, password = base64.b64decode(response, validate=True).decode().split("\0")
    except (binascii.Error, ValueError):
        return None
    return (username, password) if identity in ("", username) else None
