"""What the tests of the notebooks share: the notebooks, a JupyterLab over a copy of them, a page in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab.jupyterlab import LabPage, LabServer, jupyterlab, lab_page, missing

CHECKOUT = Path(__file__).resolve().parents[2]


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
