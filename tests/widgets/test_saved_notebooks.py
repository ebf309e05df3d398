"""What a saved notebook holds of a mailbox that was explored in it: nothing. Run by nbclient.

The canaries are made here and reach the kernel by its environment, or the search would find them in a cell.
The pages' part is played with real comm messages, buffers included.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from lab.spellings import found
from nbclient import NotebookClient
from nbconvert import HTMLExporter, PythonExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

NAMES = ("password", "wrong", "sender", "subject", "body", "attachment")

OPEN = """
import json, os
from pop3frames import EmbeddedServer, explore

canaries = json.loads(os.environ.pop("CANARIES"))
lines = [
    "From: {sender} <{sender}@example.org>", "Subject: {subject}", "MIME-Version: 1.0",
    "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "{body}", "--b",
    "Content-Disposition: attachment; filename={attachment}.txt", "", "{body}", "--b--", "",
]
mails = ["\\r\\n".join(lines).format(**canaries), "From: ann@example.org\\r\\n\\r\\ntwo\\r\\n"]
server = EmbeddedServer([mail.encode() for mail in mails], password=canaries["password"]).start()
explorer = explore()
form, mailbox = explorer.connecting.form, explorer.mailbox
form.hostname, form.encryption, form.port, form.username = "127.0.0.1", "none", server.port, "user"
mailbox.dataset = "mail"
explorer
"""
IDS = """
def comms():
    ids = {"secret": explorer.connecting.secret, "list": explorer.list, "preview": explorer.preview}
    deleting = explorer.deleting
    ids |= {"notice": explorer.notice, "review": deleting._review, "delete": deleting._delete}
    told = {name: widget.model_id for name, widget in ids.items()}
    print(json.dumps({"version": explorer.list.listing.version, **told}))
comms()
"""
REFUSED = 'mailbox.jobs.wait(20); assert "refused the login" in mailbox.jobs.error; comms()'
LISTED = "mailbox.jobs.wait(20); assert len(mailbox.rows) == 2, mailbox.jobs.error; comms()"
LOOKED = """
mailbox.jobs.wait(20)
assert canaries["body"].encode() in mailbox.look.raw
assert explorer.marked == {mailbox.rows[0].uidl}
comms()
"""
REVIEWED = "mailbox.jobs.wait(20); assert len(explorer.deleting.removal.plan.going) == 1; comms()"
DELETED = """
mailbox.jobs.wait(20)
assert len(explorer.report.confirmed) == 1 == len(mailbox.rows)
explorer.exporting.storing.export().wait(20)
assert len(explorer.dataframe) == 2
assert canaries["subject"] in set(explorer.dataframe["subject"])
"""
SHOWN = [
    f"explorer{part}"
    for part in ("", ".connecting", ".list", ".preview", ".deleting", ".exporting", ".notice")
]
PAGES: dict[
    int, list[tuple[str, dict[str, Any], list[bytes | str]]]
] = {  # what a page says behind which cell
    1: [
        ("list", {"kind": "ready"}, []),
        ("preview", {"kind": "ready"}, []),
        ("notice", {"kind": "ready"}, []),
        ("secret", {"kind": "ready"}, []),
        ("secret", {"kind": "typed", "entered": True}, ["{wrong}"]),
    ],
    2: [("secret", {"kind": "typed", "entered": True}, ["{password}"])],
    3: [
        ("list", {"kind": "selection", "turn": 1, "version": 0, "active": 0}, [b"\1"]),
        ("list", {"kind": "toggle", "version": 0, "marked": True}, [b"\1"]),
    ],
    4: [("review", {"event": "click"}, [])],
    5: [("delete", {"event": "click"}, [])],
}


@pytest.fixture(scope="module")
def canaries() -> dict[str, str]:
    """What must not be found."""
    return {name: f"{name}-{secrets.token_hex(8)}" for name in NAMES}


def explored(
    canaries: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch, *, state: bool, **options: Any
) -> NotebookNode:
    """A notebook in which a mailbox was explored by hand, as nbclient saves it."""
    monkeypatch.setenv("CANARIES", json.dumps(canaries))
    cells = [OPEN, IDS, REFUSED, LISTED, LOOKED, REVIEWED, DELETED, *SHOWN]
    notebook = new_notebook(cells=[new_code_cell(each) for each in cells])
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=60, resources=resources, store_widget_state=state, **options)

    def play(cell: NotebookNode, cell_index: int, **_: Any) -> None:
        told = json.loads(cell.outputs[-1].text) if cell_index in PAGES else {}
        for name, content, buffers in PAGES.get(cell_index, ()):
            said = {key: told["version"] if key == "version" else value for key, value in content.items()}
            octets = [each.format(**canaries).encode() if isinstance(each, str) else each for each in buffers]
            data = {"comm_id": told[name], "data": {"method": "custom", "content": said}}
            message = client.kc.session.msg("comm_msg", data)
            client.kc.session.send(client.kc.shell_channel.socket, message, buffers=octets)

    client.on_cell_executed = play
    client.execute()
    return notebook


@pytest.fixture(scope="module", params=[True, False], ids=["with widget state", "without"])
def saved(
    request: pytest.FixtureRequest, canaries: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NotebookNode]:
    """The notebook, saved with the state of widgets and without."""
    with pytest.MonkeyPatch.context() as patch:
        yield explored(canaries, tmp_path_factory.mktemp("explored"), patch, state=request.param)


def test_a_saved_notebook_holds_nothing_of_mail_and_login(
    saved: NotebookNode, canaries: dict[str, str]
) -> None:
    """Passwords, also a refused one; sender, subject, body, attachment: raw or encoded, in the whole file."""
    assert found(canaries.values(), nbformat.writes(saved).encode()) == []


@pytest.mark.parametrize("exporter", [HTMLExporter, PythonExporter])
def test_nor_does_what_it_is_converted_to(
    exporter: type, saved: NotebookNode, canaries: dict[str, str]
) -> None:
    """A page, and a script."""
    written, _ = exporter().from_notebook_node(saved)
    assert "explorer" in written
    assert found(canaries.values(), written.encode()) == []


def test_nor_does_the_log_of_a_kernel_that_is_being_debugged(
    canaries: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It writes down the content of every message: what is typed travels beside it."""
    explored(canaries, tmp_path, monkeypatch, state=False, extra_arguments=["--debug"])
    logged = capfd.readouterr().err
    assert "MESSAGE TYPE:comm_msg" in logged
    assert found(canaries.values(), logged.encode()) == []


def test_what_a_reader_without_a_kernel_sees_is_one_constant_line(saved: NotebookNode) -> None:
    """In nbviewer, on GitHub, in a PDF: what it was, and what to do."""
    texts = [cell.outputs[0].data["text/plain"] for cell in saved.cells[-len(SHOWN) :]]
    assert texts[0].startswith("MailboxExplorer: run the cell")
    assert all(": run the cell to" in text and len(text) <= 110 for text in texts)
    assert len(set(texts)) == len(SHOWN)


def test_the_search_finds_what_other_widgets_leave_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A positive control: of ipywidgets' own fields the one is in the state, the other in the repr too."""
    hidden, shown = secrets.token_hex(8), secrets.token_hex(8)
    monkeypatch.setenv("HIDDEN", hidden)
    monkeypatch.setenv("SHOWN", shown)
    code = "import os, ipywidgets; ipywidgets.{}(value=os.environ['{}'])"
    fields = [("Password", "HIDDEN"), ("Text", "SHOWN")]
    notebook = new_notebook(cells=[new_code_cell(code.format(*each)) for each in fields])
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert found([hidden, shown], nbformat.writes(notebook).encode()) == [hidden, shown]
    del notebook.metadata["widgets"]
    assert found([hidden, shown], nbformat.writes(notebook).encode()) == [shown]
