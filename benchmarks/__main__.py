"""`make bench`: races against other programs on this machine, in one run. Figures are ratios of medians.

Machines differ and are noisy: read the ratios, CPU time beside wall time, and the spread.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import bench_dataset, bench_download, race

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    results = {
        "whole processes": race.run(),
        "downloads": bench_download.run(),
        "dataset": bench_dataset.run(),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "race.json"
    path.write_text(json.dumps(results, indent=2))
    print(f"\nall figures: {path}")


if __name__ == "__main__":
    main()
