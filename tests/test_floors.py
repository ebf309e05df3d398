"""The floors hold: rooms import downwards only, files and functions stay small, and the check can fail."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pop3frames"
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 330
MOST_LINES_OF_A_FUNCTION = 60


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the package in that folder, with its pyproject.toml."""
    command = [str(Path(sysconfig.get_path("scripts")) / "lint-imports"), "--no-cache"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": str(folder)}
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the package and of pyproject.toml, to be changed."""
    shutil.copytree(PACKAGE, tmp_path / "pop3frames", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_room_imports_only_from_floors_below_it() -> None:
    """All contracts of pyproject.toml are kept."""
    done = lint_imports(ROOT)
    assert 0 == done.returncode, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("protocol/framing.py", "import pop3frames.export.mailbox", "Floors"),
        ("server/maildrop.py", "from pop3frames.client import rows", "Floors"),
        ("export/accounts.py", "def lazily():\n    import socket", "socket"),
        ("frames/ledger.py", "import email.policy", "email"),
        ("parsing/labels.py", "import pyarrow", "pyarrow"),
        ("export/progress.py", "import ipywidgets", "ipywidgets"),
        ("export/report.py", "import pop3frames.widgets.visible", "Floors"),
    ],
)
def test_the_check_of_the_floors_can_fail(copy: Path, file: str, line: str, broken: str) -> None:
    """An import upwards, sideways, or of what a room must not know, also inside a function."""
    path = copy / "pop3frames" / file
    path.write_text(f"{path.read_text()}\n{line}\n")
    done = lint_imports(copy)
    assert 1 == done.returncode, done.stdout
    told = done.stdout.partition("Broken contracts")[2]
    assert broken in told
    assert f"pop3frames.{file.removesuffix('.py').replace('/', '.')} -> " in told


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_stays_small_and_its_functions_too(path: Path) -> None:
    """Past that, a second thing is hiding in it."""
    source = path.read_text()
    assert source.count("\n") <= MOST_LINES
    functions = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno + 1 > MOST_LINES_OF_A_FUNCTION]
    assert [] == long


def test_no_file_is_called_after_nothing() -> None:
    """A name says what belongs in a file."""
    assert set() == {path.stem for path in FILES} & {"utils", "helpers", "common", "consts", "types"}


def test_the_rooms_have_no_door_of_their_own() -> None:
    """The public door is only pop3frames/__init__.py: the others are empty."""
    doors = [path for path in FILES if path.name == "__init__.py" and path.parent != PACKAGE]
    assert [] == [path for path in doors if path.read_text()]
