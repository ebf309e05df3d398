"""The password's way from the page: sent once, a Secret at once, and in no state of any widget."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from pop3frames.client.credentials import Secret
from pop3frames.widgets.secretfield import SecretField


def from_page(field: SecretField, *buffers: Any, **content: Any) -> tuple[dict[str, Any], list[Any]]:
    """What a page sends, as the comm delivers it; the message after it was handled."""
    sent = list(buffers)
    field._handle_custom_msg(content, sent)
    return content, sent


def test_a_typed_password_arrives_as_a_secret_and_leaves_no_text() -> None:
    """Not in the state, not in the repr, and not in the message, which a kernel keeps until the next."""
    canary, got = secrets.token_hex(8), []
    field = SecretField()
    field.on_typed(lambda secret, entered: got.append((secret, entered)))
    message = from_page(field, memoryview(canary.encode()), kind="typed", entered=False)
    assert got == [(Secret(canary), False)]
    assert canary not in json.dumps(field.get_state(), default=repr)
    assert canary not in repr(field) + repr(vars(field)) + repr(message)
    assert [] == message[1]


def test_enter_in_an_empty_field_is_told_too() -> None:
    """Whoever typed the password before wants to go on with it."""
    got: list[tuple[Secret | None, bool]] = []
    field = SecretField()
    field.on_typed(lambda secret, entered: got.append((secret, entered)))
    from_page(field, b"", kind="typed", entered=True)
    assert got == [(None, True)]


@pytest.mark.parametrize("buffers", [[], [b"\xff"], [7], [b"x", b""]])
@pytest.mark.parametrize(
    "content",
    [{}, {"kind": "typed"}, {"kind": "typed", "secret": "x", "entered": "yes"}, {"kind": ["typed"]}],
)
def test_what_no_page_of_ours_sends_is_no_password(content: dict[str, Any], buffers: list[Any]) -> None:
    """Messages come from a web page: anything may be in them."""
    got: list[Secret | None] = []
    field = SecretField()
    field.on_typed(lambda secret, _: got.append(secret))
    from_page(field, *buffers, **content)
    assert [secret for secret in got if secret is not None] == []


def test_a_page_is_told_whether_one_is_held_and_never_which(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is opened later asks first."""
    sent: list[Any] = []
    field = SecretField()
    monkeypatch.setattr(field, "send", lambda content, buffers=None: sent.append(content))
    field.show_held(True)
    from_page(field, kind="ready")
    field.focus()
    assert sent == [{"kind": "held", "held": True}, {"kind": "held", "held": True}, {"kind": "focus"}]
