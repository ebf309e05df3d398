"""What README and CONTRIBUTING say is true: examples run, tables are derived, named files exist."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def python_examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_readme_has_python_examples_and_each_is_found() -> None:
    """A positive control for the tests below."""
    assert README.count("```python") == len(python_examples()) == 3


@pytest.mark.parametrize("number", range(3))
def test_a_python_example_of_the_readme_runs_when_pasted(number: int, tmp_path: Path) -> None:
    """In a fresh interpreter, in a folder that looks like a checkout after `make demo`."""
    shutil.copytree(ROOT / "data" / "mailbox", tmp_path / "data" / "mailbox")
    subprocess.run(
        [sys.executable, "-m", "pop3frames", "demo"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL
    )

    done = subprocess.run(
        [sys.executable, "-c", python_examples()[number]], cwd=tmp_path, capture_output=True, text=True
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_the_column_table_is_the_one_that_is_declared() -> None:
    """`python docs/columns.py` prints what belongs into the README."""
    table = runpy.run_path(str(ROOT / "docs" / "columns.py"))["table"]()

    assert table in README


def test_every_error_is_in_the_readme_with_its_fault() -> None:
    """The table of errors names each class below POP3Error, and whose fault it is."""
    from pop3frames import errors

    def below(cls: type[errors.POP3Error]) -> list[type[errors.POP3Error]]:
        return [each for sub in cls.__subclasses__() for each in (sub, *below(sub))]

    rows = dict(re.findall(r"^\| `(POP3\w+Error)` \| (\w+) \|", README, re.MULTILINE))

    assert {cls.__name__: cls.fault for cls in below(errors.POP3Error)} == rows


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_files_that_are_linked_or_named_exist(name: str) -> None:
    """Links, and code spans that look like paths of the package or of the project."""
    text = (ROOT / name).read_text()
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    spans = re.findall(r"`((?:[\w.]+/)+[\w.*]*)`", text)

    missing = [path for path in linked + spans if not list(ROOT.glob(path)) and not _in_package(path)]

    assert [] == missing


def _in_package(path: str) -> bool:
    return bool(list((ROOT / "pop3frames").glob(path)))


def test_the_words_of_the_readme_are_targets_of_the_makefile() -> None:
    """`make demo` and the others are there."""
    makefile = (ROOT / "Makefile").read_text()
    words = set(re.findall(r"`?make (\w+)", README))

    assert {"demo", "test", "check", "notebooks", "bench"} == words
    assert words <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
