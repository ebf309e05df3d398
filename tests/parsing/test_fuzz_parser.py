"""Short rounds of the fuzz harness: by chance, and guided by coverage where atheris is installed."""

from __future__ import annotations

import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from parsing.fuzz_parser import MUTATORS, check, mutated
from parsing.hostile_mails import FAMILIES
from parsing.mails import HTML, PICTURE, TEXT, mail, multipart

SEEDS = [
    multipart(
        TEXT, HTML, PICTURE, fields=("From: Ann <a@b.example>", "Date: Mon, 1 Jan 2024 10:20:30 +0000")
    ),
    multipart(
        multipart(TEXT, HTML, subtype="alternative", boundary="i"),
        PICTURE,
        fields=("Subject: =?utf-8?q?=C3=A9?=",),
    ),
    mail("Content-Type: text/plain; charset=iso-2022-jp", body="日本".encode("iso2022_jp")),
    mail("Content-Disposition: attachment; filename*=utf-8''%C3%A9; filename=\"a\"", body="x"),
    *[family(5) for family in FAMILIES],
]


@pytest.mark.parametrize("seed", range(4))
def test_mutated_mails_keep_every_promise(seed: int) -> None:
    """A row from the own core, all strings UTF-8, sizes that agree."""
    draw = random.Random(seed)
    for _ in range(500):
        check(mutated(draw.choice(SEEDS), draw))


@pytest.mark.parametrize("mutator", MUTATORS, ids=lambda mutator: mutator.__name__)
def test_each_mutator_takes_any_bytes(mutator: object) -> None:
    """The empty mail too."""
    for data in (b"", b"a", SEEDS[0]):
        check(mutator(data, random.Random(1)))  # type: ignore[operator]


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed")
def test_a_coverage_guided_run_finds_nothing(tmp_path: Path) -> None:
    """Ten thousand runs from the seeds; docs/fuzzing.md says how to make it ten million."""
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    for number, seed in enumerate(SEEDS):
        (seeds / str(number)).write_bytes(seed[:4096])
    harness = Path(__file__).with_name("fuzz_parser.py")

    done = subprocess.run(
        [sys.executable, harness, seeds, "-runs=10000", "-seed=1", "-max_len=4096"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done 10000 runs" in done.stderr
