"""Fixtures for all rooms: what a real program needs, and a real Dovecot for the whole run."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from lab import dovecot as dovecot_lab

_names = itertools.count(1)


@pytest.fixture(scope="session")
def require() -> Callable[[str | None], None]:
    """`require(reason)`: go on if there is none, else skip; where POP3FRAMES_REQUIRE_REAL is set, fail."""

    def require(reason: str | None) -> None:
        if reason is None:
            return
        if os.environ.get("POP3FRAMES_REQUIRE_REAL"):
            pytest.fail(f"{reason}, and POP3FRAMES_REQUIRE_REAL is set", pytrace=False)
        pytest.skip(reason)

    return require


@pytest.fixture(scope="session")
def require_program(require: Callable[[str | None], None]) -> Callable[[str], str]:
    """`require_program("curl")`: its path, or a skip (a failure where POP3FRAMES_REQUIRE_REAL is set)."""

    def require_program(name: str) -> str:
        path = shutil.which(name)
        require(None if path else f"{name} is not installed")
        return str(path)

    return require_program


@pytest.fixture(scope="session")
def dovecot(require: Callable[[str | None], None]) -> Iterator[dovecot_lab.Dovecot]:
    """A real Dovecot, one for the whole run: give each test a user of its own."""
    require(dovecot_lab.why_not())
    with dovecot_lab.Dovecot() as server:
        yield server


@pytest.fixture
def dovecot_user(dovecot: dovecot_lab.Dovecot) -> str:
    """A user of this test alone; the password is "secret"."""
    name = f"user{next(_names)}"
    dovecot.add_user(name, "secret")
    return name
