"""Fixtures for all rooms: what a real program needs; a real Dovecot and JupyterLab for the whole run."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab import dovecot as dovecot_lab
from lab.jupyterlab import LabPage, LabServer, jupyterlab, lab_page, missing

CHECKOUT = Path(__file__).resolve().parents[1]

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


@pytest.fixture(scope="session")
def lab_server(
    require: Callable[[str | None], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabServer]:
    """One JupyterLab for the whole run, over a copy of the notebooks beside the sample data."""
    require(missing())
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(
        CHECKOUT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints")
    )
    (folder / "data").symlink_to(CHECKOUT / "data")
    with jupyterlab(folder, tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture(scope="module")
def lab(lab_server: LabServer) -> Iterator[LabPage]:
    """A page with JupyterLab; it ends with the module, because it keeps an event loop in this thread."""
    with lab_page(lab_server) as page:
        yield page
