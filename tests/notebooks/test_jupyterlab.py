"""The notebooks in a real JupyterLab and a real browser: what only a page knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab.jupyterlab import LabPage

pytestmark = pytest.mark.browser

FIRST = "notebooks/01_from_mailbox_to_dataframe.ipynb"


@pytest.fixture
def opened(lab: LabPage, tmp_path: Path) -> Iterator[LabPage]:
    """The first notebook, open and not yet run; how the test left it is in tmp_path/notebook.png."""
    lab.errors.clear()
    lab.open(FIRST)
    yield lab
    lab.page.screenshot(path=tmp_path / "notebook.png")
    lab.close()


def _code(lab: LabPage) -> list[dict[str, Any]]:
    return [cell for cell in lab.cells() if cell["cell_type"] == "code"]


def _failures(lab: LabPage) -> list[str]:
    outputs = [output for cell in _code(lab) for output in cell["outputs"]]
    return ["\n".join(output["traceback"]) for output in outputs if output["output_type"] == "error"]


def _index(lab: LabPage, words: str) -> int:
    return next(i for i, cell in enumerate(lab.cells()) if words in cell["source"])


def test_the_first_notebook_runs_in_jupyterlab(opened: LabPage, tmp_path: Path) -> None:
    """Every cell runs without an error, the plot is a picture on the page, and the page itself is well."""
    opened.run_all()
    assert _failures(opened) == []
    assert [cell["execution_count"] for cell in _code(opened)] == list(range(1, 12))
    assert "all the same" in _code(opened)[-1]["outputs"][0]["text"]

    opened.show(_index(opened, "plt.show()"))
    plot = opened.page.locator(f"{opened.visible} .jp-OutputArea .jp-RenderedImage img")
    plot.wait_for(state="visible")
    assert plot.count() == 1
    assert plot.evaluate("image => image.complete && image.naturalWidth") > 400
    opened.page.screenshot(path=tmp_path / "plot.png")
    assert opened.errors == []


def test_an_export_shows_a_live_progress_bar(opened: LabPage) -> None:
    """Run cell by cell, the export's own output is a bar, which arrives at the last mail."""
    export = _index(opened, "first = export_mailbox")
    for index in range(export + 1):
        opened.run_cell(index)
    assert _failures(opened) == []
    opened.show(export)
    bar = opened.page.locator(f"{opened.visible} .jp-OutputArea .jupyter-widgets").get_by_text("160/160")
    bar.wait_for(state="visible")
    assert opened.errors == []
