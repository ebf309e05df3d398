"""The line that says what goes on: by messages, so that no saved notebook holds a word of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pop3frames.errors import POP3UsageError
from pop3frames.export.progress import Progress
from pop3frames.widgets.jobs import Jobs
from pop3frames.widgets.notice import Notice


@pytest.fixture
def notice() -> Notice:
    return Notice()


@pytest.fixture
def sent(notice: Notice, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the page was told."""
    messages: list[Any] = []
    monkeypatch.setattr(notice, "send", lambda content, buffers=None: messages.append(content))
    return messages


def test_words_travel_by_messages_only(notice: Notice, sent: list[Any]) -> None:
    """Also to a page that is opened later, and not in the state."""
    notice.say("CANARY", "info", ["LINE"])
    notice._handle_custom_msg({"kind": "ready"}, [])
    told = {"kind": "notice", "text": "CANARY", "tone": "info", "lines": ["LINE"], "pace": None}
    assert sent == [told, told]
    state = json.dumps(notice.get_state(), default=repr) + repr(notice)
    assert "CANARY" not in state
    assert "LINE" not in state


def test_it_follows_jobs_from_their_beginning_to_their_end(notice: Notice, sent: list[Any]) -> None:
    """Name and share while one runs; status behind it; an error first of all."""
    jobs = Jobs()
    notice.follow(jobs)
    jobs.start("exporting", lambda job: job.tell(Progress(1, 2, 50, 100))).wait(10)
    paces = [message["pace"] for message in sent if message["pace"]]
    assert {"name": "exporting", "share": None, "words": ""} in paces
    assert 0.5 in [pace["share"] for pace in paces]
    jobs.status = "done"
    assert (sent[-1]["text"], sent[-1]["tone"], sent[-1]["pace"]) == ("done", "info", None)
    with jobs.told():
        raise POP3UsageError("nothing is marked")
    assert (sent[-1]["text"], sent[-1]["tone"]) == ("Nothing is marked.", "error")


def test_a_page_can_cancel_and_nothing_else(notice: Notice) -> None:
    """What it sends is hostile until understood."""
    jobs = Jobs()
    notice.follow(jobs)
    for content in ({}, {"kind": "commit"}, ["cancel"], {"kind": None}):
        notice._handle_custom_msg(content, [])
    started = jobs.start("exporting", lambda job: job._cancelled.wait(10))
    notice._handle_custom_msg({"kind": "cancel"}, [])
    assert started.wait(10) is True
