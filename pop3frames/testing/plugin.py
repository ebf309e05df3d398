"""The pytest plugin: fixtures that give a test a POP3 server over recorded mail, its account, its dataset.

pytest loads this file in every run, of every project that has pop3frames installed: nothing heavy is imported
before a fixture is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pop3frames.errors import POP3UsageError, counted
from pop3frames.testing.environment import server_environment, variables_set
from pop3frames.testing.mailboxes import account_of, served

if TYPE_CHECKING:
    from pop3frames.export.accounts import Account
    from pop3frames.frames.dataset import Dataset
    from pop3frames.server.embedded import EmbeddedServer

_OPTION = "pop3_mailbox"
_MARKER = (
    f"{_OPTION}(source=None, **options): what the fixture pop3_server serves to this test, a path relative "
    "to the test's file or the mails themselves, and options of EmbeddedServer"
)
_SERVED: pytest.StashKey[EmbeddedServer] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options: which mailbox, and whether child processes are told of it."""
    group = parser.getgroup("pop3frames", "POP3 servers over recorded mail")
    group.addoption(
        "--pop3-mailbox",
        metavar="PATH",
        help="What the fixture pop3_server serves: .eml files, an mbox, a snapshot or a dataset.",
    )
    group.addoption(
        "--pop3-environment",
        action="store_true",
        help="Serve it for the whole run, named by POP3FRAMES_HOST, POP3FRAMES_PORT and so on: "
        "for notebooks that call account_from_environment().",
    )
    parser.addini(_OPTION, "The same as --pop3-mailbox, relative to the folder of this file.")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; with --pop3-environment start the server and set the variables."""
    config.addinivalue_line("markers", _MARKER)
    if not config.getoption("pop3_environment") or os.environ.get("PYTEST_XDIST_WORKER"):
        return  # the workers of xdist inherit the variables
    whole_run = ExitStack()
    try:
        server = config.stash[_SERVED] = whole_run.enter_context(served(_configured(config)))
    except POP3UsageError as exc:
        raise pytest.UsageError(str(exc)) from exc
    whole_run.enter_context(variables_set(server_environment(server)))
    config.add_cleanup(whole_run.close)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which mailbox notebooks read, where one is served to them."""
    server = config.stash.get(_SERVED, None)
    return None if server is None else f"pop3frames: {counted(len(server.maildrop))} served to notebooks"


@pytest.fixture
def pop3_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """A POP3 server on loopback for this test alone: what the test deletes is there again for the next.

    It serves what `@pytest.mark.pop3_mailbox(...)` says, else the option --pop3-mailbox, else the ini option
    `pop3_mailbox`, else a sample mailbox of 160 mails.
    """
    marker = request.node.get_closest_marker(_OPTION)
    source, options = _marked(marker, request.path.parent) if marker else (None, {})
    try:
        server = served(_configured(request.config) if source is None else source, **options)
    except POP3UsageError as exc:
        pytest.fail(str(exc), pytrace=False)
    with server:
        yield server


@pytest.fixture
def pop3_account(pop3_server: EmbeddedServer) -> Account:
    """The `Account` of that server's user."""
    return account_of(pop3_server)


@pytest.fixture
def pop3_dataset(pop3_account: Account, tmp_path: Path) -> Dataset:
    """A `Dataset` with all its mail, original bytes included, in this test's temporary folder."""
    from pop3frames.export.mailbox import export_mailbox
    from pop3frames.frames.dataset import Dataset

    dataset = Dataset(tmp_path / "pop3-dataset")
    report = export_mailbox(pop3_account, dataset, keep_raw=True, progress=False)
    if report.failed:
        pytest.fail(f"pop3_dataset is not whole: {report}", pytrace=False)
    return dataset


def _marked(marker: pytest.Mark, folder: Path) -> tuple[Any, dict[str, Any]]:
    if len(marker.args) > 1:
        pytest.fail(f"@pytest.mark.{_OPTION} takes one source, the rest by name", pytrace=False)
    source = marker.args[0] if marker.args else marker.kwargs.get("source")
    options = {name: value for name, value in marker.kwargs.items() if name != "source"}
    return folder / source if isinstance(source, str | Path) else source, options


def _configured(config: pytest.Config) -> Path | None:
    """The mailbox of the command line, relative to where pytest was called, or of the ini file."""
    given: str | None = config.getoption(_OPTION)
    if given:
        return config.invocation_params.dir / given
    named: str = config.getini(_OPTION)
    if not named:
        return None
    return (config.inipath.parent if config.inipath else config.rootpath) / named
