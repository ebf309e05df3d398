"""Notebooks as checks: what turns one red, what does not, and what a person reads then."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from pop3frames.cli.main import main
from pop3frames.errors import POP3UsageError
from pop3frames.testing.checks import CellResult, Checks, Failure, NotebookResult, notebooks
from pop3frames.testing.reports import for_people, write_junit

ROOT = Path(__file__).resolve().parents[2]
FIRST = ROOT / "notebooks" / "01_from_mailbox_to_dataframe.ipynb"

Cell = tuple[str, str | None]  # its source, and what it is stored to have printed


def notebook(
    path: Path, cells: Sequence[Cell], tags: dict[int, list[str]] | None = None, **told: Any
) -> Path:
    """A notebook that was run, with these cells and outputs; `tags` by number from 1."""
    made = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "execution_count": number,
            "metadata": {"tags": (tags or {}).get(number, [])},
            "source": source,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": text}] if text else [],
        }
        for number, (source, text) in enumerate(cells, 1)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": made, "metadata": {"kernelspec": kernel} | told, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(whole))
    return path


def noise(n: int) -> str:
    """Lines that differ from run to run, made of one number of five digits."""
    return (
        f"2026-01-02 03:04:05.0{n} {n}.5 s 0.{n} s\n"
        f"127.0.0.1:{n} localhost, port {n} /tmp/x{n}/y /home/u{n}/mail <object at 0x7f{n}>\n"
        f"IPY_MODEL_{n:032d}\n"
    )


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> NotebookResult:
    """A notebook with a cell of every kind, checked strictly."""
    cells: list[Cell] = [
        ("print('the same')", "the same\n"),
        ("print('one\\ntwo\\nthree')", "one\n2\nthree\n"),
        (f"print({noise(54321)!r}, end='')", noise(12345)),
        ("1 / 0", None),
        ("print('differs')", "and is not compared\n"),
        ("raise ValueError", "is skipped\n"),
        ("print('\\x1b[31mred\\x00', end='')", "plain"),
        ("print('2026-01-02 03:04:05')", "2026-01-02 03:04:06\n"),
        ("print('a mouse')", "a rat\n"),
    ]  # fmt: skip
    tags = {5: ["nbval-ignore-output"], 6: ["nbval-skip"]}
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "more.cfg").write_text("[our own]\nregex: mouse|rat\nreplace: RODENT\n")
    return Checks(sanitizers=(folder / "more.cfg",)).check(notebook(folder / "mixed.ipynb", cells, tags))


def test_every_cell_is_accounted_for(mixed: NotebookResult) -> None:
    """By the number that stands beside it in the notebook."""
    outcomes = ["passed", "failed", "passed", "failed", "passed", "skipped", "failed", "failed", "passed"]
    assert list(enumerate(outcomes, 1)) == [(each.cell, each.outcome) for each in mixed.cells]
    assert not mixed
    assert "" == mixed.trouble


def test_what_differs_from_run_to_run_is_not_compared(mixed: NotebookResult) -> None:
    """Moments with fractions, durations, ports, folders, addresses, ids of widgets; and what one adds."""
    assert ("passed", "passed") == (mixed.cells[2].outcome, mixed.cells[8].outcome)


def test_a_date_of_a_mail_is_compared(mixed: NotebookResult) -> None:
    """It has no fraction of a second: a changed one is a changed mail."""
    assert mixed.cells[7].failure is not None
    assert ("2026-01-02 03:04:06", "2026-01-02 03:04:05") == (
        mixed.cells[7].failure.stored.strip(),
        mixed.cells[7].failure.new.strip(),
    )


def test_a_person_reads_which_cell_and_what_differs(mixed: NotebookResult) -> None:
    """The notebook, the cell as it is numbered, its source, the difference; no words of pytest or nbval."""
    lines = list(for_people(mixed))
    assert lines[0].startswith("FAILED  ")
    assert lines[0].partition(" (")[2].startswith("9 cells, ")
    shown = "\n".join(lines)
    assert "    In [2]: its output is not the one that is stored\n        | print('one\\ntwo" in shown
    assert (
        "        --- stored\n        +++ new\n         one\n        -2\n        +two\n         three" in shown
    )
    assert "    In [4]: it raised an error: ZeroDivisionError: division by zero\n        | 1 / 0" in shown
    for word in ("pytest", "nbval", "mismatch", "<<<<", "In [1]", "In [5]"):
        assert word not in shown.partition("\n")[2]
    assert shown.replace("\n", "").isprintable()


def test_junit_has_a_case_for_each_cell(mixed: NotebookResult, tmp_path: Path) -> None:
    """And is XML whatever the cells printed."""
    write_junit(tmp_path / "junit.xml", [mixed])
    [suite] = ElementTree.parse(tmp_path / "junit.xml").getroot()
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert {"tests": "9", "failures": "4", "errors": "0", "skipped": "1"} == counts
    cases = {case.get("name"): case for case in suite}
    assert [f"In [{n}]" for n in range(1, 10)] == list(cases)
    failure = cases["In [2]"].find("failure")
    assert failure is not None
    assert "+two" in (failure.text or "")


def test_lax_compares_what_is_marked_and_a_cell_may_take_only_so_long(tmp_path: Path) -> None:
    """Errors and time-outs count always; a notebook says itself that it is lax, whatever the command says."""
    cells: list[Cell] = [
        ("print(1)", "2\n"),
        ("# NBVAL_CHECK_OUTPUT\nprint(1)", "2\n"),
        ("1 / 0", None),
        ("while True: pass", None),
    ]
    path = notebook(tmp_path / "a.ipynb", cells, pop3frames={"check": "lax"})
    result = Checks(cell_seconds=1).check(path)
    assert ["passed", "failed", "failed", "failed"] == [each.outcome for each in result.cells]
    assert ", lax" in next(for_people(result))
    assert result.cells[3].failure is not None
    assert "it took too long" in result.cells[3].failure.reason


def test_a_kernel_that_dies_is_no_success(tmp_path: Path) -> None:
    """Nor are the cells that could not run after it."""
    cells: list[Cell] = [("import os; os._exit(3)", None), ("print(1)", "1\n")]
    result = Checks(cell_seconds=1).check(notebook(tmp_path / "a.ipynb", cells))
    assert not result
    assert "passed" not in [each.outcome for each in result.cells]


# A notebook about mail, and a mail that is changed


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a mailbox and a notebook that reads whatever mailbox the environment names."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "data" / "mailbox", folder / "mail")
    source = (
        "from pop3frames import account_from_environment\n"
        "mails = account_from_environment().handler().fetch_messages()\n"
        "print(len(mails), mails[3]['subject'], mails[3]['from'])"
    )
    notebook(folder / "mine.ipynb", [(source, None)])
    return folder


@pytest.fixture
def run(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`run("check-notebooks", ...)` in this process, in the project."""
    monkeypatch.chdir(project)
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def test_a_deliberate_change_to_one_mail_turns_a_notebook_red(
    run: Callable[..., Result], project: Path
) -> None:
    """Stored by --update, green while the mail is the same, red when it is not, and the line says why."""
    words = ("check-notebooks", "mine.ipynb", "--mailbox", "mail")
    updated = run(*words, "--update")
    assert (0, "updated   mine.ipynb\n") == (updated.exit_code, updated.output)
    assert (0, "as it was mine.ipynb\n") == ((again := run(*words, "--update")).exit_code, again.output)
    green = run(*words, "--junit", "green.xml")
    assert 0 == green.exit_code, green.output
    assert "ok      mine.ipynb (1 cell," in green.output
    assert green.output.endswith("1 notebook: 1 ok, 0 failed\n")

    mail = project / "mail" / "mail-004-re-kickoff-invitation.eml"
    before = mail.read_bytes()
    mail.write_bytes(before.replace(b"kick-off", b"lift-off"))
    assert before != mail.read_bytes()
    red = run(*words, "--junit", "red.xml")
    mail.write_bytes(before)
    assert 4 == red.exit_code
    assert "FAILED  mine.ipynb" in red.output
    [changed] = [line for line in red.output.splitlines() if line.startswith("        +160")]
    assert "lift-off" in changed
    [suite] = ElementTree.parse(project / "red.xml").getroot()
    assert "1" == suite.get("failures")


def test_our_own_notebook_turns_red_with_a_changed_mail(tmp_path: Path) -> None:
    """The first of the gallery, as it is committed, beside a mailbox in which one word is another."""
    (tmp_path / "notebooks").mkdir()
    shutil.copy(FIRST, tmp_path / "notebooks")
    shutil.copytree(ROOT / "data" / "mailbox", tmp_path / "data" / "mailbox")
    mail = tmp_path / "data" / "mailbox" / "mail-001-new-year-order-book.eml"
    mail.write_bytes(mail.read_bytes().replace(b"Subject: ", b"Subject: Other "))
    result = Checks().check(tmp_path / "notebooks" / FIRST.name)
    assert [each for each in result.failed if each.failure and "Other" in each.failure.new]


def test_a_notebook_that_raises_is_not_stored(run: Callable[..., Result], project: Path) -> None:
    """Its file is as it was, and the error is named."""
    path = notebook(project / "broken.ipynb", [("print(1)", None), ("1 / 0", None)])
    before = path.read_bytes()
    done = run("check-notebooks", "broken.ipynb", "--update")
    path.unlink()
    assert 1 == done.exit_code
    assert (
        "broken.ipynb was left as it is: ZeroDivisionError: division by zero (----> 1 1 / 0)" in done.output
    )
    assert before
    assert "Traceback" not in done.output


# What cannot be checked


def test_folders_are_searched_and_checkpoints_left_out(tmp_path: Path) -> None:
    """In order, each once."""
    for name in ("b.ipynb", "below/a.ipynb", ".ipynb_checkpoints/b.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = notebooks([tmp_path, tmp_path / "b.ipynb"])
    assert ["b.ipynb", "below/a.ipynb"] == [str(each.relative_to(tmp_path)) for each in found]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is no notebook of format 4"),
        ("[]", "is no notebook of format 4"),
        ('{"worksheets": []}', "is no notebook of format 4"),
        ('{"cells": [], "metadata": {"pop3frames": {"check": "sometimes"}}}', 'not "strict" or "lax"'),
    ],
)
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: str, said: str) -> None:
    """By its name."""
    path = tmp_path / "a.ipynb"
    path.write_text(content)
    with pytest.raises(POP3UsageError, match=rf"a\.ipynb.*{said}"):
        Checks().check(path)


def test_paths_without_notebooks_are_refused(tmp_path: Path) -> None:
    """A check of nothing must not be green."""
    with pytest.raises(POP3UsageError, match="there is no notebook at"):
        notebooks([tmp_path / "nowhere.ipynb"])
    with pytest.raises(POP3UsageError, match=r"there is no notebook \(\*\.ipynb\)"):
        notebooks([tmp_path])


def test_a_notebook_without_code_is_no_success(tmp_path: Path) -> None:
    """Nothing was checked."""
    result = Checks().check(notebook(tmp_path / "a.ipynb", []))
    assert not result
    assert "no code cell" in "\n".join(for_people(result))


def test_a_package_that_is_missing_is_named_with_its_extra(tmp_path: Path) -> None:
    """In an interpreter that cannot find nbval."""
    code = (
        "import importlib.util as u, sys\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'nbval' else find(name, *a)\n"
        "from pop3frames.cli.main import main\n"
        "main(['check-notebooks', sys.argv[1]])"
    )
    words = [sys.executable, "-c", code, str(FIRST)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (1, "") == (done.returncode, done.stdout)
    assert "Error: to check notebooks takes nbval: pip install 'pop3frames[checks]'\n" == done.stderr


def test_long_differences_are_cut_for_people() -> None:
    """A whole table would bury the next cell."""
    failure = Failure("differs", stored="a\n" * 500, new="b\n" * 500)
    cell = CellResult(1, "x\n" * 50, "failed", 0.1, failure)
    lines = list(for_people(NotebookResult(Path("a.ipynb"), "strict", (cell,))))
    assert len(lines) < 60
    assert "        ... and 962 lines more" == lines[-1]
