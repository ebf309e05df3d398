"""A plugin for the pytest that runs a notebook: writes what became of each cell as a line of JSON.

Loaded in that process only (`-p pop3frames.testing.cells`). It asks nbval's items for three attributes and
goes on without them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pop3frames.testing.checks import COLOURS, REPORT

_COMPARED = ("text/plain", "text/html", "text/markdown", "application/json")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """After each cell."""
    report = yield
    if call.when == "call" or report.outcome != "passed":
        told = {
            "cell": getattr(item, "cell_num", 0) + 1,
            "source": getattr(getattr(item, "cell", None), "source", ""),
            "outcome": report.outcome,
            "seconds": report.duration,
            "failure": _failure(item, report) if report.failed else None,
        }
        with Path(os.environ[REPORT]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")
    return report


def _failure(item: pytest.Item, report: pytest.TestReport) -> dict[str, str]:
    """Why, in a sentence; the stored and the new output where they differ, else the error."""
    told = COLOURS.sub("", report.longreprtext)
    outputs: list[Mapping[str, Any]] = getattr(item, "test_outputs", None) or []
    errors = [each for each in outputs if each.get("output_type") == "error"]
    if errors:
        trace = COLOURS.sub("", "\n".join(errors[-1]["traceback"]))
        kind = "it took too long" if "Timeout of" in told else "it raised an error"
        return {"reason": f"{kind}: {errors[-1]['ename']}: {errors[-1]['evalue']}", "error": trace}
    if "Cell outputs differ" not in told:
        line = next((line for line in told.splitlines() if re.match(r"Cell \d+: ", line)), told[:200])
        return {"reason": re.sub(r"^Cell \d+: ", "", line), "error": told}
    stored, new = _by_kind(item, item.cell.outputs), _by_kind(item, outputs)  # type: ignore[attr-defined]
    kinds = [kind for kind in {**stored, **new} if stored.get(kind) != new.get(kind)]
    # Once is enough: a table differs in its text and in its HTML.
    kind = next((each for each in ("stream", *_COMPARED) if each in kinds), kinds[0] if kinds else "output")
    return {
        "reason": "its output is not the one that is stored",
        "stored": stored.get(kind, ""),
        "new": new.get(kind, ""),
    }


def _by_kind(item: pytest.Item, outputs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """All texts of one kind, sanitized as they were for the comparison."""
    sanitized = getattr(item, "sanitize", lambda text: text)
    found: dict[str, list[str]] = {}
    for output in outputs:
        texts = {"stream": output["text"]} if "text" in output else dict(output.get("data", {}))
        for kind, text in texts.items():
            if kind == "stream" or kind in _COMPARED:
                found.setdefault(kind, []).append(str(sanitized(text)))
    return {kind: "\n".join(texts) for kind, texts in found.items()}
