"""Messages for the tests of this room: a factory for plain ones, a strategy for odd ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from pop3frames.message import COLUMNS, Attachment, Message

ANN = "ann@example.org"


def _message(number: int, **changes: Any) -> Message:
    plain = Message(
        message_id=number,
        pop_id=number,
        from_="Ann <ann@example.org>",
        to=["Bob <bob@example.org>", "Zoë <zoe@example.org>"],
        subject=f"Grüße {number}",
        text_body="text\n" * 20,
        received_at=1_700_000_000_000 + number,
        size=1000 + number,
        attachment_count=1,
        attachments=[Attachment("plan.pdf", "application/pdf", 77)],
        account=ANN,
        uidl=f"uid-{number:06d}",
        content_hash=hashlib.sha256(str(number).encode()).hexdigest(),
        fetched_at=1_700_000_000_000,
    )
    return replace(plain, **changes)


@pytest.fixture(scope="session")
def message() -> Callable[..., Message]:
    """`message(7, subject=None)`: mail number 7 of Ann's, with changes."""
    return _message


@pytest.fixture(scope="session")
def row_of() -> Callable[[Message], dict[str, Any]]:
    """The dict that a message's row must read back as; times are integers."""

    def row(message: Message) -> dict[str, Any]:
        values = {column.name: getattr(message, column.attribute) for column in COLUMNS}
        return values | {"attachments": [each.to_dict() for each in message.attachments]}

    return row


@pytest.fixture(scope="session")
def any_message() -> st.SearchStrategy[Message]:
    """Messages with every column null, empty or filled with anything that can be encoded."""
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    int64 = st.integers(-(2**63), 2**63 - 1)
    instant = st.none() | st.integers(-62_135_596_800_000, 253_402_300_799_999)  # years 1 to 9999
    attachment = st.builds(Attachment, text, text, int64)
    by_type = {
        "int64": int64,
        "bool": st.booleans(),
        "string": text,
        "binary": st.binary(max_size=30),
        "timestamp_ms": instant,
        "strings": st.lists(text, max_size=3),
        "attachments": st.lists(attachment, max_size=3),
    }
    return st.builds(
        Message,
        **{c.attribute: by_type[c.type] | st.none() if c.nullable else by_type[c.type] for c in COLUMNS},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a dataset may be made; it does not exist yet."""
    return tmp_path / "mail"
