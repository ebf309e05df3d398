"""docs/speed.png: how long each program takes, from the last full run (or the one named).

python -m benchmarks.plot [RESULTS.json]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from benchmarks.programs import OURS

PICTURE = Path(__file__).parent.parent / "docs" / "speed.png"
OUR_COLOUR, THEIR_COLOUR = "#2f6f9f", "#c9ced3"


def plot(races: dict[str, dict[str, dict[str, float]]]) -> None:
    """One panel for each mailbox that everybody raced on, plain; seconds on a logarithmic axis."""
    shown = {title: table for title, table in races.items() if len(table) > 4 and "TLS" not in title}
    rows = (len(shown) + 1) // 2
    figure, panels = plt.subplots(rows, 2, figsize=(10, 2.6 * rows), squeeze=False)
    for panel, (title, table) in zip(panels.flat, shown.items(), strict=False):
        names = sorted(table, key=lambda name: -table[name]["wall"])
        walls = [table[name]["wall"] for name in names]
        colours = [OUR_COLOUR if name.startswith("pop3frames") else THEIR_COLOUR for name in names]
        bars = panel.barh(names, walls, color=colours, height=0.7)
        panel.bar_label(bars, [f"{wall:.2g} s" for wall in walls], padding=3, fontsize=8)
        panel.set_xscale("log")
        panel.set_xlim(right=max(walls) * 3)
        panel.set_title(title, fontsize=10, loc="left")
        panel.tick_params(labelsize=8)
        panel.xaxis.set_visible(False)
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        for label in panel.get_yticklabels():
            label.set_fontweight("bold" if label.get_text() == OURS else "normal")
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "results" / "full.json"
    results: dict[str, Any] = json.loads(Path(path).read_text())
    plot(results["races"])
    print(PICTURE)


if __name__ == "__main__":
    main()
