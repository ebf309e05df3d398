"""Notebooks as checks: each runs in a fresh kernel, and its outputs must be those that are stored in it.

nbval compares, in a pytest of its own for each notebook; which pytest that is and what it said stays here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pop3frames.errors import POP3UsageError, printable
from pop3frames.testing.environment import server_environment, variables_set
from pop3frames.testing.mailboxes import served

Strictness = Literal["strict", "lax"]

CELL_SECONDS = 60.0
REPORT = "POP3FRAMES_CELL_REPORT"  # the variable that names the file into which `cells.py` writes
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
SANITIZERS = Path(__file__).with_name("sanitizers.cfg")
_NEEDED = ("nbval", "pytest", "nbclient")
_SPARE_SECONDS = 120  # for pytest and a kernel to start and end, beside the cells


@dataclass(frozen=True)
class Failure:
    """Why a cell failed: `stored` and `new` output where they differ, else the `error`."""

    reason: str
    stored: str = ""
    new: str = ""
    error: str = ""


@dataclass(frozen=True)
class CellResult:
    """One code cell, numbered from 1 as `In [1]` is in a notebook that was run from top to bottom."""

    cell: int
    source: str
    outcome: Literal["passed", "failed", "skipped"]
    seconds: float
    failure: Failure | None = None


@dataclass(frozen=True)
class NotebookResult:
    """One notebook. `trouble` says why nothing could be checked."""

    path: Path
    strictness: Strictness
    cells: tuple[CellResult, ...] = ()
    trouble: str = ""

    @property
    def failed(self) -> list[CellResult]:
        """The cells that failed, in their order."""
        return [cell for cell in self.cells if cell.outcome == "failed"]

    @property
    def seconds(self) -> float:
        """What its cells took."""
        return sum(cell.seconds for cell in self.cells)

    def __bool__(self) -> bool:
        return not self.failed and not self.trouble


@dataclass(frozen=True, kw_only=True)
class Checks:
    """How notebooks are checked.

    strictness    "strict": every output is compared; "lax": only errors count, and cells marked
                  NBVAL_CHECK_OUTPUT. A notebook's own metadata {"pop3frames": {"check": "lax"}} wins
    cell_seconds  the longest a cell may take
    mailbox       served to each notebook anew, named by POP3FRAMES_HOST and so on; None: the variables stay
    sanitizers    further files in nbval's format, beside ours
    """

    strictness: Strictness = "strict"
    cell_seconds: float = CELL_SECONDS
    mailbox: Path | None = None
    sanitizers: tuple[Path, ...] = field(default=())

    def check(self, path: Path) -> NotebookResult:
        """Run one notebook and compare. Raises POP3UsageError when it cannot be: see `require`."""
        require()
        notebook = _read(path)
        strictness = _strictness(notebook, self.strictness, path)
        cells = sum(cell.get("cell_type") == "code" for cell in notebook["cells"])
        if not cells:
            return NotebookResult(path, strictness, trouble="it has no code cell: there is nothing to check")
        with self._environment() as environment, tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "cells"
            report.touch()
            words = self._command(path, strictness, Path(folder))
            try:
                ran = subprocess.run(  # noqa: S603  (this interpreter's pytest, on a file the caller named)
                    words,
                    env={**environment, REPORT: str(report)},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=self.cell_seconds * (cells + 1) + _SPARE_SECONDS,
                )
            except subprocess.TimeoutExpired:
                return NotebookResult(path, strictness, _results(report), "it did not come to an end")
            results = _results(report)
        trouble = "" if ran.returncode in (0, 1) and len(results) == cells else _last_words(ran)
        return NotebookResult(path, strictness, results, trouble)

    def update(self, path: Path) -> bool:
        """Run the notebook and store its outputs; whether they are new. An error changes nothing."""
        require()
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

        from pop3frames.testing.storing import store

        _read(path)
        with self._environment() as environment, variables_set(environment):
            try:
                return store(path, self.cell_seconds)
            except CellExecutionError as exc:
                lines = COLOURS.sub("", str(exc)).splitlines()
                where = [f" ({line.strip()})" for line in lines if re.match(r"-+> \d", line)][:1]
                reason = printable(f"{exc.ename}: {COLOURS.sub('', exc.evalue)}{''.join(where)}")
                raise POP3UsageError(f"{path} was left as it is: {reason}") from exc
            except (CellTimeoutError, DeadKernelError) as exc:
                reason = printable(str(exc).partition("\n")[0])
                raise POP3UsageError(f"{path} was left as it is: {reason}") from exc

    @contextlib.contextmanager
    def _environment(self) -> Iterator[dict[str, str]]:
        if self.mailbox is None:
            yield dict(os.environ)
            return
        with served(self.mailbox) as server:
            yield os.environ | server_environment(server)

    def _command(self, path: Path, strictness: Strictness, folder: Path) -> list[str]:
        config, patterns = folder / "pytest.ini", folder / "sanitizers.cfg"
        config.write_text("[pytest]\n")  # or the settings of the project around would count
        texts = [file.read_text(encoding="utf-8") for file in (SANITIZERS, *self.sanitizers)]
        patterns.write_text("\n".join(texts), encoding="utf-8")
        return [
            *(sys.executable, "-m", "pytest", str(path.absolute()), "-c", str(config)),
            *("--rootdir", str(path.absolute().parent), "--noconftest", "--color=no", "-q"),
            # Nor the plugins that happen to be installed: some shuffle tests.
            *("--disable-plugin-autoload", "-p", "nbval.plugin", "-p", "pop3frames.testing.cells"),
            *("-p", "no:cacheprovider", "-p", "no:warnings"),
            *("--nbval" if strictness == "strict" else "--nbval-lax", "--nbval-current-env"),
            f"--nbval-cell-timeout={self.cell_seconds}",
            f"--nbval-sanitize-with={patterns}",
        ]


def require() -> None:
    """Raises POP3UsageError, with what to install, when a package for checking notebooks is missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise POP3UsageError(
            f"to check notebooks takes {' and '.join(missing)}: pip install 'pop3frames[checks]'"
        )


def notebooks(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The notebooks that are named, and those in the folders that are; checkpoints are none.

    Raises POP3UsageError for a path that is not there, and when there is no notebook at all.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += (each for each in sorted(path.rglob("*.ipynb")) if not _hidden(each.relative_to(path)))
        elif path.is_file():
            found.append(path)
        else:
            raise POP3UsageError(f"there is no notebook at {path}")
    if not found:
        raise POP3UsageError("there is no notebook (*.ipynb) in these folders")
    return list(dict.fromkeys(found))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _read(path: Path) -> dict[str, Any]:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(notebook["cells"], list):
            raise TypeError("cells must be a list")
        return dict(notebook)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise POP3UsageError(f"{path} is no notebook of format 4") from exc


def _strictness(notebook: Mapping[str, Any], default: Strictness, path: Path) -> Strictness:
    said = (notebook.get("metadata") or {}).get("pop3frames", {}).get("check", default)
    if said not in ("strict", "lax"):
        raise POP3UsageError(f'{path}: its metadata says "check": {json.dumps(said)}, not "strict" or "lax"')
    return "lax" if said == "lax" else "strict"


def _results(report: Path) -> tuple[CellResult, ...]:
    told = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    return tuple(
        CellResult(**each | {"failure": Failure(**each["failure"]) if each["failure"] else None})
        for each in told
    )


def _last_words(ran: subprocess.CompletedProcess[str]) -> str:
    """What pytest said when it could not do its work."""
    lines = [line for line in (ran.stdout + ran.stderr).splitlines() if line.strip()]
    return "pytest could not check it:\n" + "\n".join(lines[-15:])
