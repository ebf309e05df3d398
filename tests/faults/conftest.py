"""Fixtures of this room: a warm process for a module, a folder in memory for a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.campaign import place
from faults.warm import Warm


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    """With all protections."""
    with Warm() as program:
        yield program


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of this test, in memory if possible."""
    with place() as folder:
        yield Path(folder)
