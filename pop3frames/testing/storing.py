"""A notebook as it is stored: run in a fresh kernel, without traces of the machine it ran on."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

CELL_SECONDS = 60.0
LIVE_VIEW = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
OURS = "pop3frames"  # the key of a notebook's metadata that is kept: how it is to be checked


def read(path: Path) -> NotebookNode:
    """The notebook as it is stored."""
    return nbformat.read(path, as_version=4)


def run(
    notebook: NotebookNode, folder: Path, *, widget_state: bool = False, cell_seconds: float = CELL_SECONDS
) -> NotebookNode:
    """Runs every cell in a fresh kernel that sits in `folder`; an error raises CellExecutionError."""
    client = NotebookClient(
        notebook,
        timeout=cell_seconds,
        kernel_name="python3",
        extra_arguments=["--log-level=40"],  # its warnings about itself would stand between our lines
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
    kept = {OURS: notebook.metadata[OURS]} if OURS in notebook.metadata else {}
    notebook.metadata = NotebookNode(
        kernelspec=NotebookNode(KERNEL), language_info=NotebookNode(name="python"), **kept
    )
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = NotebookNode(tags=tags) if tags else NotebookNode()
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if LIVE_VIEW not in output.get("data", {})]
    return notebook


def store(path: Path, cell_seconds: float = CELL_SECONDS) -> bool:
    """Runs the notebook and writes it over the old one, whole or not at all; whether anything is new."""
    before = path.read_text(encoding="utf-8")
    after = nbformat.writes(clean(run(read(path), path.parent, cell_seconds=cell_seconds))) + "\n"
    if after == before:
        return False
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        staged.write_text(after, encoding="utf-8")
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    return True
