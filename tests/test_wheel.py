"""What ships works: the wheel, installed away from the checkout, has all its files and runs the demo."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.whl"))


def test_the_wheel_runs_the_demo_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Its own sample mailbox is inside: no file of the checkout is needed."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    where = "import pop3frames; print(pop3frames.__file__)"

    found = subprocess.run(
        [sys.executable, "-c", where],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    shown = subprocess.run(
        [sys.executable, "-m", "pop3frames", "demo"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert found.stdout.startswith(str(tmp_path / "site"))
    assert (0, "") == (shown.returncode, shown.stderr)
    assert "160 listed: 160 new, 0 known, 0 failed" in shown.stdout


def test_the_wheel_holds_the_package_its_licence_and_nothing_of_the_tests(wheel: Path) -> None:
    """Type marker, licence and the widgets' scripts are in; tests, notebooks and benchmarks are not."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert {"pop3frames/py.typed", "pop3frames/cli/main.py", "pop3frames/testing/sanitizers.cfg"} <= set(
        names
    )
    static = [path.name for path in (ROOT / "pop3frames" / "widgets" / "static").iterdir()]
    assert {f"pop3frames/widgets/static/{name}" for name in static} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert [] == [name for name in names if not name.startswith(("pop3frames/", "pop3frames-"))]


def test_the_ten_lines_of_the_docs_run_with_the_wheel_in_a_fresh_environment(
    wheel: Path, tmp_path: Path
) -> None:
    """Installed by pip, found by pytest through its entry point; the checkout is nowhere on the path.

    The packages it needs are lent from this environment, or the test would download them.
    """
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([python, *pip, wheel], check=True)
    [site] = environment.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    page = (ROOT / "docs" / "notebooks-in-ci.md").read_text()
    [example] = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def test_" in code]
    where = "\n\ndef test_where():\n    import pop3frames\n    print(pop3frames.__file__)\n"
    (tmp_path / "test_mine.py").write_text(example + where)

    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-s", "--strict-markers", "-p", "no:cacheprovider", "test_mine.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert len(example.splitlines()) <= 12
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    assert f"{site}/pop3frames/__init__.py" in done.stdout
