"""The site is built without a warning, and shows what is made from the code."""

from __future__ import annotations

import html
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import pop3frames
from pop3frames.cli.main import main
from pop3frames.message import COLUMNS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(require: Callable[[str | None], None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    there = all(importlib.util.find_spec(name) for name in ("sphinx", "myst_nb", "pydata_sphinx_theme"))
    require(None if there else "the site's generator is not installed (pip install 'pop3frames[docs]')")
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    trees = ["-d", str(tmp_path_factory.mktemp("trees"))]
    built = subprocess.run([*words, *trees, "docs", str(folder)], cwd=ROOT, capture_output=True, text=True)
    assert (0, "") == (built.returncode, built.stderr)
    return folder


def text_of(page: Path) -> str:
    """What a reader sees."""
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text()))


def test_every_public_name_is_in_the_reference_with_its_docstring(site: Path) -> None:
    """Whoever adds one has documented it."""
    shown = (site / "reference.html").read_text()
    assert [] == [name for name in pop3frames.__all__ if f'id="pop3frames.{name}"' not in shown]
    assert "Add what is new in the mailbox to the dataset" in text_of(site / "reference.html")


def test_every_command_and_every_column_is_shown(site: Path) -> None:
    """As the shell prints it, and as the package declares it."""
    commands, columns = text_of(site / "commands.html"), text_of(site / "columns.html")
    assert [] == [name for name in main.commands if f"Usage: pop3frames {name} " not in commands]
    assert [] == [each.meaning for each in COLUMNS if each.meaning not in columns]


def test_every_notebook_is_shown_with_its_pictures(site: Path) -> None:
    """As it is stored: nothing is run for the site."""
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        page = (site / "gallery" / f"{notebook.stem}.html").read_text()
        assert page.count("cell_output") >= notebook.read_text().count('"output_type": "execute_result"')
        assert page.count("<img") >= notebook.read_text().count('"image/png"')
