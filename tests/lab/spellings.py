"""Whether a file holds a secret, however it is spelled: for tests that plant one and search."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote


def spellings(secret: str) -> set[bytes]:
    """As it is, URL-encoded, in UTF-16, and in the three shapes base64 gives it inside a longer text."""
    shapes = {secret.encode(), quote(secret, safe="").encode()}
    shapes |= {secret.encode("utf-16-le"), secret.encode("utf-16-be")}
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + secret.encode())
        shapes.add(encoded[4 if offset else 0 : -4])  # without the letters its neighbours share
    return shapes


def found(secrets: Iterable[str], data: bytes) -> list[str]:
    """Those of the secrets that these octets hold in any spelling."""
    return [secret for secret in secrets if any(shape in data for shape in spellings(secret))]
