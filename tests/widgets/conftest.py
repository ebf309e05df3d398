"""What the widgets' browser tests share: notebooks made of cells, and where pictures of them go."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from lab.jupyterlab import LabPage

_names = itertools.count(1)
_TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go, to be looked at: POP3FRAMES_PICTURES, else a temporary folder."""
    named = os.environ.get("POP3FRAMES_PICTURES")
    folder = Path(named) if named else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def open_notebook(lab: LabPage) -> Callable[..., LabPage]:
    """`open_notebook(*cells)`: a notebook of these cells in JupyterLab, with a kernel, not yet run."""

    def open_notebook(*cells: str) -> LabPage:
        path = f"widgets-{next(_names)}.ipynb"
        first = f"import sys; sys.path.insert(0, {str(_TESTS)!r})"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in (first, *cells)])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, lab.server.folder / path)
        lab.errors.clear()
        lab.open(path)
        return lab

    return open_notebook
