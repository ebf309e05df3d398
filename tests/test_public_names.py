"""The public door: the names of `pop3frames`, and how little opening it costs."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import pop3frames

HEAVY = ("pandas", "pyarrow", "numpy", "ipywidgets", "anywidget", "keyring", "tqdm", "click")


def isort_order(name: str) -> tuple[int, str]:
    """Ruff sorts __all__ as isort does: constants, classes, then the rest."""
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, name


def test_the_names_are_sorted_and_each_is_there_once() -> None:
    """So that two people who add one meet in the diff."""
    assert sorted(set(pop3frames.__all__), key=isort_order) == pop3frames.__all__


@pytest.mark.parametrize("name", pop3frames.__all__)
def test_every_name_can_be_imported_from_the_door(name: str) -> None:
    """And is the very object of its home, under its own name."""
    value = getattr(pop3frames, name)
    assert name == value.__name__
    assert value is getattr(import_module(value.__module__), name)
    assert value.__doc__


def test_every_exception_and_no_private_name_is_public() -> None:
    """Whoever catches one must be able to name it."""
    errors = import_module("pop3frames.errors")
    exceptions = {name for name, each in vars(errors).items() if isinstance(each, type) and "POP3" in name}
    assert exceptions == {name for name in pop3frames.__all__ if name.endswith("Error")}
    assert [] == [name for name in pop3frames.__all__ if name.startswith("_")]


def test_dir_lists_the_names() -> None:
    """That is what completes a name in a notebook."""
    assert sorted(pop3frames.__all__) == dir(pop3frames)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As with any module, so that hasattr and typing tools work."""
    with pytest.raises(AttributeError, match="module 'pop3frames' has no attribute 'IMAP4'"):
        pop3frames.IMAP4  # noqa: B018
    assert not hasattr(pop3frames, "os")


def test_names_that_type_checkers_see_are_those_that_are_there() -> None:
    """The imports for type checkers, the homes and __all__ say the same."""
    assert set(pop3frames.__all__) == set(pop3frames._HOMES)
    assert set(pop3frames.__all__) == {
        word.strip().rstrip(",")
        for line in _typing_block()
        for word in line.removeprefix("from ").split(" import ")[-1].strip("() ").split(",")
        if word.strip()
    }


def _typing_block() -> list[str]:
    source = (import_module("pathlib").Path(pop3frames.__file__)).read_text()
    block = source.partition("if TYPE_CHECKING:\n")[2].partition("\n\n")[0]
    return block.splitlines()


@pytest.mark.parametrize(
    "statement",
    [
        "import pop3frames",
        "from pop3frames import POP3ProtocolHandler, parse_message",
        "import pop3frames.cli.main",
    ],
)
def test_opening_the_door_loads_nothing_heavy(statement: str) -> None:
    """No table library for a name, a parsed mail, or the help of the command line."""
    program = f"{statement}\nimport sys\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    expected = "['click']" if "cli" in statement else "[]"
    assert expected == done.stdout.strip()
