"""What README and CONTRIBUTING say is true: examples run, tables are derived, named files exist."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [
    "README.md",
    "docs/attachments.md",
    "docs/bug-reports.md",
    "docs/columns.md",
    "docs/connecting.md",
    "docs/dataset.md",
    "docs/deleting.md",
    "docs/doctor.md",
    "docs/many-accounts.md",
    "docs/explorer.md",
    "docs/from-imap-or-poplib.md",
    "docs/how-it-works.md",
    "docs/index.md",
    "docs/notebooks-in-ci.md",
    "docs/schedule.md",
]


def examples() -> list[tuple[str, str]]:
    """Page and code of every Python example."""
    return [
        (page, code)
        for page in PAGES
        for code in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    ]


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """For each page a folder that looks like a checkout after `make demo`: one page prunes its dataset."""
    fresh = tmp_path_factory.mktemp("fresh")
    shutil.copytree(ROOT / "data" / "mailbox", fresh / "data" / "mailbox")
    subprocess.run(
        [sys.executable, "-m", "pop3frames", "demo"], cwd=fresh, check=True, stdout=subprocess.DEVNULL
    )

    @cache
    def of(page: str) -> Path:
        folder = tmp_path_factory.mktemp("checkout")
        shutil.copytree(fresh, folder, dirs_exist_ok=True)
        return folder

    return of


def test_every_page_has_examples_and_each_is_found() -> None:
    """A positive control for the next test."""
    counted = {page: (ROOT / page).read_text().count("```python") for page in PAGES}

    assert counted == {page: sum(page == each for each, _ in examples()) for page in PAGES}
    assert 0 not in counted.values()


@pytest.mark.parametrize(("page", "code"), examples())
def test_an_example_runs_when_pasted(page: str, code: str, checkouts: Callable[[str], Path]) -> None:
    """In a fresh interpreter, behind the examples before it on its page, without a word on stderr."""
    done = subprocess.run([sys.executable, "-c", code], cwd=checkouts(page), capture_output=True, text=True)

    assert (0, "") == (done.returncode, done.stderr), page


def test_the_column_table_is_the_one_that_is_declared() -> None:
    """`python docs/columns.py` prints what belongs into the README."""
    table = runpy.run_path(str(ROOT / "docs" / "columns.py"))["table"]()

    assert table in README
    assert [] == re.findall(r"(?<!\\)<", table)  # a page would take <address> for a tag, and hide it


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

    assert {"demo", "test", "check", "notebooks", "docs", "bench", "faults"} == words
    assert words <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))


def test_tests_that_are_named_as_proof_are_there() -> None:
    """Every file in the table of promises exists; a name without a folder is beside the one before it."""
    page = (ROOT / "docs" / "how-it-works.md").read_text()
    named = re.findall(r"`((?:tests/[\w./]+/)?(?:test_\w+\.py)|tests/\w+/)`", page)
    missing, folder = [], ROOT
    for name in named:
        path = ROOT / name if name.startswith("tests/") else folder / name
        folder = path if path.is_dir() else path.parent
        missing += [name] if not path.exists() else []

    assert [] == missing
    assert len(named) > 15
