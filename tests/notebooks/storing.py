"""Runs a notebook in a fresh kernel, or stores it as it is committed: executed, without traces of a machine.

    python tests/notebooks/storing.py notebooks/*.ipynb

What is checked is in `test_notebooks.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

CELL_SECONDS = 60
LIVE_VIEW = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def read(path: Path) -> NotebookNode:
    """The notebook as it is stored."""
    return nbformat.read(path, as_version=4)


def run(notebook: NotebookNode, folder: Path, *, widget_state: bool = False) -> NotebookNode:
    """Runs every cell in a fresh kernel that sits in `folder`; an error raises CellExecutionError."""
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=widget_state,
    )
    return client.execute()


def clean(notebook: NotebookNode) -> NotebookNode:
    """Takes out what is not the same everywhere.

    An output with a live view goes as a whole: without its kernel it is an error message on the page. Its
    cell carries the tag nbval-ignore-output.
    """
    notebook.metadata = NotebookNode(
        kernelspec=NotebookNode(KERNEL), language_info=NotebookNode(name="python")
    )
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = NotebookNode(tags=tags) if tags else NotebookNode()
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if LIVE_VIEW not in output.get("data", {})]
    return notebook


def store(path: Path) -> None:
    """Runs the notebook and writes it over the old one."""
    nbformat.write(clean(run(read(path), path.parent)), path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        store(Path(name).resolve())
