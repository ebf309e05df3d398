"""A real JupyterLab on loopback and the installed Chromium, for tests of notebooks and widgets.

`jupyterlab(folder, private)` is the server, `lab_page(server)` a page in it. Lab's own commands are driven,
not its menus (`--LabApp.expose_app_in_browser`). Nothing is downloaded, and no file outside `folder` and
`private` is touched. What a notebook must show is not known here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page

START_SECONDS = 60
CELL_SECONDS = 60
PAGE_SECONDS = 20
# --no-sandbox: Chromium refuses to run as root with its own sandbox. The rest keeps it off the network.
_CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_QUIET = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}


def missing() -> str | None:
    """Why there can be no JupyterLab in a browser here; None when there can."""
    for module in ("jupyterlab", "playwright"):
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed (pip install 'pop3frames[test]')"
    return None if shutil.which("chromium") else "there is no program chromium (Debian: chromium)"


@dataclass(frozen=True)
class LabServer:
    """A running server: `url` without the token, the `folder` it serves, and what its log says so far."""

    url: str
    token: str
    folder: Path
    log_file: Path

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def jupyterlab(folder: Path, private: Path) -> Iterator[LabServer]:
    """JupyterLab over `folder`; its settings, kernels' files and log are in `private`."""
    url, token = f"http://127.0.0.1:{_free_port()}", secrets.token_hex(16)
    server = LabServer(url, token, folder, private / "jupyterlab.log")
    private.mkdir(parents=True, exist_ok=True)
    with server.log_file.open("wb") as log:
        process = subprocess.Popen(
            _command(folder, server.url),
            env=_environment(private, server.token),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await_answer(process, server)
        yield server
    finally:
        _end(process)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _command(folder: Path, url: str) -> list[str]:
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={url.rpartition(':')[2]}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.terminals_enabled=False",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
    ]


def _environment(private: Path, token: str) -> dict[str, str]:
    """The environment of the server: folders of its own, and no questions to the outside world."""
    settings = private / "settings"
    notification = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    notification.parent.mkdir(parents=True, exist_ok=True)
    notification.write_text(json.dumps(_QUIET))
    return {
        **os.environ,
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_DIR": str(private / "config"),
        "JUPYTER_DATA_DIR": str(private / "data"),
        "JUPYTER_RUNTIME_DIR": str(private / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(private / "workspaces"),
        "IPYTHONDIR": str(private / "ipython"),
    }


def _await_answer(process: subprocess.Popen[bytes], server: LabServer) -> None:
    request = urllib.request.Request(
        f"{server.url}/api/status", headers={"Authorization": f"token {server.token}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            opener.open(request, timeout=5).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab does not answer, its log says:\n{server.log()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, at which the server ends its kernels; what then still runs is killed, as a group."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(15)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def lab_page(server: LabServer) -> Iterator[LabPage]:
    """A page with JupyterLab ready in it, in a Chromium of its own.

    Playwright keeps an event loop running in this thread until the end: asyncio.run fails meanwhile.
    """
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PAGE_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=_CHROMIUM_FLAGS, timeout=PAGE_SECONDS * 1000
        )
        try:
            page = browser.new_page(viewport={"width": 1100, "height": 900})
            page.set_default_timeout(PAGE_SECONDS * 1000)
            lab = LabPage(page, server)
            page.on("pageerror", lambda error: lab.errors.append(f"page: {error}"))
            page.on("console", lab.note)
            page.goto(f"{server.url}/lab?reset&token={server.token}", timeout=START_SECONDS * 1000)
            page.wait_for_function("window.jupyterapp", timeout=START_SECONDS * 1000)
            page.evaluate("() => jupyterapp.restored")
            yield lab
        finally:
            browser.close()


@dataclass
class LabPage:
    """JupyterLab in a browser, with at most one notebook open.

    page     Playwright's, for clicks and keys; start locators at `visible`
    errors   every uncaught error and console error of the page so far: assert that it is empty
    """

    page: Page
    server: LabServer
    errors: list[str] = field(default_factory=list)

    visible = ".jp-NotebookPanel:not(.lm-mod-hidden)"

    def note(self, message: ConsoleMessage) -> None:
        """Keep a console error."""
        if message.type == "error":
            self.errors.append(f"console: {message.text} ({message.location.get('url')})")

    def open(self, path: str) -> None:
        """Open a notebook (its path in the server's folder) and wait for its kernel."""
        self.page.evaluate(
            "path => { jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'}); }", path
        )
        self.page.wait_for_function(
            "path => jupyterapp.shell.currentWidget?.context?.path === path"
            " && jupyterapp.shell.currentWidget.context.isReady",
            arg=path,
        )
        self.page.evaluate(
            """async () => {
                const panel = jupyterapp.shell.currentWidget;
                await panel.context.ready;
                await panel.sessionContext.ready;
                await panel.sessionContext.session.kernel.info;
            }"""
        )

    def run_all(self, seconds: float = CELL_SECONDS) -> None:
        """Run every cell and wait for the end, good or bad: `outputs()` says which."""
        self._run("jupyterapp.commands.execute('notebook:run-all-cells')", seconds)

    def run_cell(self, index: int, seconds: float = CELL_SECONDS) -> None:
        """Run one cell and wait for its end. A click into an output activates its cell, hence the index."""
        self.page.evaluate("i => { jupyterapp.shell.currentWidget.content.activeCellIndex = i; }", index)
        self._run("jupyterapp.commands.execute('notebook:run-cell')", seconds)

    def _run(self, command: str, seconds: float) -> None:
        ended = "() => { window.cellsEnded = true; }"
        self.page.evaluate(f"() => {{ window.cellsEnded = false; {command}.then({ended}, {ended}); }}")
        self.page.wait_for_function("window.cellsEnded", timeout=seconds * 1000)

    def cells(self) -> list[dict[str, Any]]:
        """Every cell as the page's model has it (nbformat's keys), whether it is in view or not."""
        cells: list[dict[str, Any]] = self.page.evaluate(
            "() => jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.toJSON())"
        )
        return cells

    def show(self, index: int) -> None:
        """Scroll a cell into view: others may be absent from the page."""
        self.page.evaluate(
            "async i => { await jupyterapp.shell.currentWidget.content.scrollToItem(i, 'center'); }", index
        )

    def printed(self, index: int) -> str:
        """Run one cell and give what it printed: how the Python side is asked."""
        self.run_cell(index)
        outputs = self.cells()[index]["outputs"]
        failed = ["\n".join(each["traceback"]) for each in outputs if each["output_type"] == "error"]
        assert not failed, failed[0]
        return "".join("".join(each["text"]) for each in outputs if each["output_type"] == "stream").strip()

    def use_theme(self, name: str) -> None:
        """Change to "JupyterLab Light" or "JupyterLab Dark"."""
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        self.page.wait_for_selector(f"body[data-jp-theme-name='{name}']", state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def reopen(self) -> None:
        """Save the notebook, close it, and open it again on the kernel that goes on running."""
        path = self.page.evaluate(
            """async () => {
                const panel = jupyterapp.shell.currentWidget;
                await panel.context.save();
                panel.dispose();
                return panel.context.path;
            }"""
        )
        self.open(path)

    def save(self) -> bytes:
        """Save the notebook, and give the file."""
        path = self.page.evaluate(
            """async () => {
                const context = jupyterapp.shell.currentWidget.context;
                await context.save();
                return context.path;
            }"""
        )
        return (self.server.folder / path).read_bytes()

    def save_widget_state(self, on: bool) -> None:
        """Set the menu's "Save Widget State Automatically"."""
        self.page.evaluate(
            """async on => {
                const name = '@jupyter-widgets/jupyterlab-manager:saveWidgetState';
                if (jupyterapp.commands.isToggled(name) !== on) await jupyterapp.commands.execute(name);
            }""",
            on,
        )

    def close(self) -> None:
        """End the kernel and close the notebook, unsaved."""
        self.page.evaluate(
            """async () => {
                const panel = jupyterapp.shell.currentWidget;
                await panel.sessionContext.shutdown();
                panel.context.model.dirty = false;
                panel.dispose();
            }"""
        )
