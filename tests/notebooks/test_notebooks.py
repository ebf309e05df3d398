"""Every notebook keeps its promises in a fresh kernel, and is stored as a reader should find it."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from urllib.parse import quote

import nbformat
import pytest
from lab.spellings import found
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook, new_output

from pop3frames.testing.checks import Checks
from pop3frames.testing.reports import for_people
from pop3frames.testing.storing import LIVE_VIEW, clean, read, run

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
WITH_OUTPUTS_OF_ONE_RUN = [path for path in NOTEBOOKS if '"nbval-ignore-output"' in path.read_text("utf-8")]
# A path from the root of a file system or a home; a host with the port it happened to get.
OF_A_MACHINE = re.compile(
    r"(?<![\w./:])(?:~|[A-Za-z]:)?[\\/](?:[\w.-]+[\\/])+[\w.-]*|127\.0\.0\.1:\d+|localhost:\d+"
)
LITERAL_PASSWORD = re.compile(
    r"""(?i)(?:Secret\(|(?:password|secret|token)["']?\s*[=:])\s*["'](?!env:)[^"']+["']"""
)
# The password of every user of every embedded server of the kernel, whatever the notebook calls it.
REVEAL = """
import gc, json, pop3frames
servers = [each for each in gc.get_objects() if type(each) is pop3frames.EmbeddedServer]
print(json.dumps([user.password for server in servers for user in server.users.values()]))
"""

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def _code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _texts(notebook: nbformat.NotebookNode) -> str:
    """Sources and outputs as text, without pictures and without HTML (its closing tags look like paths)."""
    kept = [cell.source for cell in notebook.cells]
    for cell in _code(notebook):
        for output in cell.outputs:
            kept += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
            kept += output.get("traceback", [])
    return "\n".join(kept)


def test_there_are_notebooks_each_with_a_number_of_its_own() -> None:
    """01 first, in the order of reading, and each in the table of the README."""
    numbers = [path.name[:3] for path in NOTEBOOKS]
    assert "01_" == numbers[0]
    assert len(set(numbers)) == len(numbers)
    assert [each for each in numbers if not re.fullmatch(r"\d\d_", each)] == []
    readme = (FOLDER / "README.md").read_text()
    assert [path.stem for path in NOTEBOOKS] == re.findall(
        r"^\| \[(\w+)\]\(\1\.ipynb\)", readme, re.MULTILINE
    )


@each_notebook
def test_a_notebook_is_named_as_its_title_says(path: Path) -> None:
    """A number, then the words of the title that stands in its first cell."""
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    title = first.source.splitlines()[0]
    assert title.startswith("# ")
    assert "_".join(re.findall(r"[a-z0-9]+", title.lower())) == path.stem[3:]


@each_notebook
def test_a_notebook_shows_what_is_stored_in_a_fresh_kernel(path: Path) -> None:
    """No cell fails and each shows what is stored, so no password either: that is another in each run."""
    result = Checks(mailbox=FOLDER.parent / "data" / "mailbox").check(path)
    assert result, "\n".join(for_people(result))
    assert "strict" == result.strictness


@pytest.mark.parametrize("path", WITH_OUTPUTS_OF_ONE_RUN, ids=lambda path: path.stem)
def test_a_notebook_with_widgets_gives_no_password_away(path: Path) -> None:
    """Where outputs are not compared: no password of its servers is in the file, widgets included."""
    notebook = read(path)
    notebook.cells.append(new_code_cell(REVEAL))
    ran = run(notebook, FOLDER, widget_state=True)
    passwords = json.loads(ran.cells.pop().outputs[-1].text)
    assert passwords
    assert found(passwords, nbformat.writes(ran).encode()) == []


def test_the_notebooks_with_widgets_are_among_those_searched_for_passwords() -> None:
    """A progress bar, an explorer: outputs that nobody compares."""
    assert {"01", "02"} <= {path.name[:2] for path in WITH_OUTPUTS_OF_ONE_RUN}


@each_notebook
def test_a_notebook_ends_with_assertions_and_one_line_of_success(path: Path) -> None:
    """The last cell checks what was promised and says so, in the stored file too."""
    last = read(path).cells[-1]
    assert last.cell_type == "code"
    assert re.search(r"^assert ", last.source, flags=re.MULTILINE)
    assert [(output.output_type, output.name) for output in last.outputs] == [("stream", "stdout")]
    assert last.outputs[0].text.count("\n") == 1


@each_notebook
def test_a_notebook_is_stored_executed_and_clean(path: Path) -> None:
    """Run from top to bottom, with outputs, without errors, warnings, live views and odd metadata."""
    stored = read(path)
    nbformat.validate(stored)
    assert [cell.execution_count for cell in _code(stored)] == list(range(1, len(_code(stored)) + 1))
    outputs = [output for cell in _code(stored) for output in cell.outputs]
    assert any("text/html" in output.get("data", {}) for output in outputs)
    assert [output for output in outputs if output.output_type == "error"] == []
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert clean(read(path)) == stored
    assert "widgets" not in stored.metadata


@each_notebook
def test_a_notebook_names_nothing_of_the_machine_it_ran_on(path: Path) -> None:
    """No absolute path and no port in what is read."""
    assert OF_A_MACHINE.findall(_texts(read(path))) == []
    assert str(FOLDER.parent) not in path.read_text(encoding="utf-8")


@each_notebook
def test_a_notebook_shows_no_literal_password(path: Path) -> None:
    """Passwords come from the embedded server or by reference: nobody learns to type one into a cell."""
    assert LITERAL_PASSWORD.findall(_texts(read(path))) == []


def test_an_error_in_a_cell_is_an_error_of_the_run(tmp_path: Path) -> None:
    """The check above can fail: a false assertion ends the run."""
    with pytest.raises(CellExecutionError):
        run(new_notebook(cells=[new_code_cell("assert not 'true'")]), tmp_path)


def test_storing_takes_out_live_views_and_metadata() -> None:
    """What only a running kernel can show is no output of a stored notebook; tags and tables stay."""
    live = new_output("display_data", data={LIVE_VIEW: {"model_id": "0"}, "text/plain": "bar"})
    table = new_output("display_data", data={"text/plain": "table"})
    cell = new_code_cell("...", outputs=[live, table], metadata={"tags": ["kept"], "execution": {"a": "b"}})
    stored = clean(new_notebook(cells=[cell], metadata={"widgets": {"state": {}}}))
    assert stored.cells[0].outputs == [table]
    assert stored.cells[0].metadata == {"tags": ["kept"]}
    assert sorted(stored.metadata) == ["kernelspec", "language_info"]


@pytest.mark.parametrize(
    "text", ["/tmp/tmpab12/mail", "PosixPath('/home/ines/mail')", r"C:\Users\ines\mail", "127.0.0.1:41361"]
)
def test_paths_and_ports_of_a_machine_are_recognised(text: str) -> None:
    """The pattern above can fail."""
    assert OF_A_MACHINE.search(text)


@pytest.mark.parametrize("text", ['Secret("hunter2")', "password='hunter2'", '"token": "abc"'])
def test_literal_passwords_are_recognised(text: str) -> None:
    """The pattern above can fail."""
    assert LITERAL_PASSWORD.search(text)


def test_a_secret_is_found_in_any_spelling() -> None:
    """Plain, URL-encoded, in UTF-16, and in base64 wherever it stands in the encoded text."""
    secret = "p-ss/word_é1234"
    written = [
        f"a {secret} b".encode(),
        quote(f"a {secret} b", safe="").encode(),
        f"a {secret} b".encode("utf-16"),
    ]
    written += [base64.b64encode(f"{before}{secret} and more".encode()) for before in ("", "a", "ab", "abc")]
    assert [found([secret, "another"], each) for each in written] == [[secret]] * 7
