"""What a saved notebook holds of the widgets: no subject, no sender, no text, whichever way it was run."""

from __future__ import annotations

import base64
import json

import nbformat
import pytest
from nbclient import NotebookClient

# Built while running: else the search would find it in the source of the cell.
CELL = """
from pop3frames.message import Message
from pop3frames.widgets.messagelist import MessageList
from pop3frames.widgets.messagepreview import MessagePreview
canary = "can" + "ary-" * 2 + "of-"
row = Message(message_id=1, uidl=canary + "uidl", subject=canary + "subject", from_=f"{canary}name <a@x>")
raw = f"Subject: {row.subject}\\r\\nFrom: {row.from_}\\r\\n\\r\\n{canary}body\\r\\n".encode()
listed, preview = MessageList([row]), MessagePreview()
preview.show(row, raw)
for widget in (listed, preview):  # as when a page shows it: everything crosses the comm
    widget._handle_custom_msg({"kind": "ready"}, [])
    display(widget)
listed.marked, listed.selected, listed.active = {row.uidl}, [row.uidl], row.uidl
never_shown = MessageList([row])
assert listed.marked == {row.uidl}
"""
CANARY = b"canary-ary-of-"


@pytest.mark.parametrize("with_state", [True, False])
def test_a_saved_notebook_holds_nothing_of_a_mail(with_state: bool) -> None:
    """Run headless, with widget state and without: searched plain, in base64, UTF-16 and hex."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=60, store_widget_state=with_state).execute()
    saved = json.dumps(notebook).encode()
    assert with_state == (b"p3f-list" in saved)  # the script is in the state: there was something to search
    in_base64 = [base64.b64encode(bytes(shift) + CANARY)[4:-4] for shift in range(3)]
    for spelled in (CANARY, CANARY.decode().encode("utf-16-le"), CANARY.hex().encode(), *in_base64):
        assert spelled not in saved
    assert b"run the cell to see the messages" in saved
