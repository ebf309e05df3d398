"""What became of checked notebooks: lines for a person, JUnit XML for a CI."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from pop3frames.errors import counted
from pop3frames.testing.checks import CellResult, Failure, NotebookResult

_SOURCE_LINES, _DIFF_LINES, _ERROR_LINES = 4, 40, 20
_WIDEST = 160
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def for_people(result: NotebookResult) -> Iterator[str]:
    """A line for the notebook, and for each cell that failed what it is, what was stored and what came."""
    how = "" if result.strictness == "strict" else ", lax"
    verdict = "ok" if result else "FAILED"
    cells = counted(len(result.cells), "cell")
    yield f"{verdict:8}{result.path} ({cells}{how}, {result.seconds:.1f} s)"
    for cell in result.failed:
        assert cell.failure is not None, "a cell fails for a reason"
        yield f"    In [{cell.cell}]: {_shown(cell.failure.reason)}"
        yield from _indented(cell.source.splitlines(), _SOURCE_LINES, "        | ")
        yield from _indented(_difference(cell.failure), _DIFF_LINES, "        ")
    if result.trouble:
        yield from _indented(result.trouble.splitlines(), _ERROR_LINES, "    ")


def _difference(failure: Failure) -> list[str]:
    """The lines that differ, those around them, and which is which; or the end of the traceback."""
    if failure.error:
        return failure.error.splitlines()[-_ERROR_LINES:]
    stored, new = failure.stored.splitlines(), failure.new.splitlines()
    lines = difflib.unified_diff(stored, new, "stored", "new", n=1, lineterm="")
    shown = [line for line in lines if not line.startswith("@@")]
    return shown or ["(in the number or the kind of its outputs, or in a line end)"]


def _indented(lines: Sequence[str], most: int, indent: str) -> Iterator[str]:
    for line in lines[:most]:
        yield f"{indent}{_shown(line)}"
    if len(lines) > most:
        yield f"{indent}... and {len(lines) - most} lines more"


def _shown(line: str) -> str:
    """Outputs hold text of mails: no control character reaches a terminal."""
    shown = "".join(ch if ch.isprintable() else ascii(ch)[1:-1] for ch in line.expandtabs(4))
    return shown if len(shown) <= _WIDEST else shown[: _WIDEST - 1] + "…"


def write_junit(path: Path, results: Iterable[NotebookResult]) -> None:
    """A suite for each notebook, a case for each cell."""
    suites = ElementTree.Element("testsuites", name="pop3frames check-notebooks")
    for result in results:
        suite = ElementTree.SubElement(
            suites,
            "testsuite",
            name=str(result.path),
            tests=str(len(result.cells) + bool(result.trouble)),
            failures=str(len(result.failed)),
            errors=str(int(bool(result.trouble))),
            skipped=str(sum(cell.outcome == "skipped" for cell in result.cells)),
            time=f"{result.seconds:.3f}",
        )
        for cell in result.cells:
            _case(suite, result, cell)
        if result.trouble:
            case = ElementTree.SubElement(suite, "testcase", classname=str(result.path), name="notebook")
            ElementTree.SubElement(case, "error", message=_xml(result.trouble.splitlines()[0]))
    ElementTree.indent(suites)
    path.write_bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True))


def _case(suite: ElementTree.Element, result: NotebookResult, cell: CellResult) -> None:
    name = f"In [{cell.cell}]"
    case = ElementTree.SubElement(
        suite, "testcase", classname=str(result.path), name=name, time=f"{cell.seconds:.3f}"
    )
    if cell.failure is not None:
        failure = ElementTree.SubElement(case, "failure", message=_xml(cell.failure.reason))
        failure.text = _xml("\n".join([cell.source, "", *_difference(cell.failure)]))
    elif cell.outcome == "skipped":
        ElementTree.SubElement(case, "skipped")


def _xml(text: str) -> str:
    """XML 1.0 section 2.2 has no way to write most control characters."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
