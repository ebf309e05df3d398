"""Marks by unique-id: the rules that make them, and the way back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3frames.errors import POP3UsageError
from pop3frames.message import Message
from pop3frames.widgets.marks import Marks, address_of, from_sender, larger_than, older_than, sizes_of


def row(uidl: str | None, size: int = 100, sender: str | None = None, year: int | None = None) -> Message:
    moment = None if year is None else int(datetime(year, 6, 1, tzinfo=UTC).timestamp() * 1000)
    return Message(uidl=uidl, size=size, from_=sender, received_at=moment)


ROWS = [
    row("a", 100, "Ann <ann@example.org>", 2020),
    row("b", 2000, "ANN@EXAMPLE.ORG", 2024),
    row("c", 3000, "Ann <bob@example.org>", None),
    row(None, 9000, "Ann <ann@example.org>", 2010),
]


def test_a_mark_keeps_the_size_that_was_seen_first() -> None:
    """Marked again after another listing, it still says what it was when somebody chose it."""
    marks = Marks()
    marks.mark({"a": 100})
    assert marks.mark({"a": 999, "b": 5}) == 1
    assert marks.marked == {"a": 100, "b": 5}
    assert (marks.uidls, marks.octets) == (frozenset("ab"), 105)


def test_undo_and_redo_walk_through_every_change() -> None:
    """Also through marks taken away, and a new change after an undo ends the old future."""
    marks = Marks()
    marks.mark({"a": 1, "b": 2})
    marks.unmark(["a"])
    marks.replace({"c": 3})
    assert marks.marked == {"c": 3}
    marks.undo()
    assert marks.marked == {"b": 2}
    marks.undo()
    assert marks.marked == {"a": 1, "b": 2}
    marks.redo()
    assert marks.marked == {"b": 2}
    assert (marks.can_undo, marks.can_redo) == (True, True)
    marks.mark({"d": 4})
    assert (marks.can_undo, marks.can_redo) == (True, False)
    marks.redo()
    assert marks.marked == {"b": 2, "d": 4}


def test_nothing_to_undo_is_no_error_and_no_change() -> None:
    """A key may be pressed once too often."""
    marks = Marks()
    marks.undo()
    marks.redo()
    marks.mark({})
    marks.unmark(["unknown"])
    assert (marks.marked, marks.can_undo, marks.can_redo) == ({}, False, False)


def test_marks_of_deleted_messages_do_not_come_back() -> None:
    """After a commit there is no way back to them."""
    marks = Marks()
    marks.mark({"a": 1, "b": 2})
    marks.forget(["a"])
    marks.undo()
    assert marks.marked == {"b": 2}


@given(st.lists(st.tuples(st.booleans(), st.sets(st.sampled_from("abcde"))), max_size=12))
def test_undoing_everything_ends_where_it_began(changes: list[tuple[bool, set[str]]]) -> None:
    """And redoing everything ends where it was, whatever the changes were."""
    marks = Marks()
    for is_mark, uidls in changes:
        if is_mark:
            marks.mark(dict.fromkeys(uidls, 7))
        else:
            marks.unmark(uidls)
    there = marks.marked
    while marks.can_undo:
        marks.undo()
    assert marks.marked == {}
    while marks.can_redo:
        marks.redo()
    assert marks.marked == there


def test_each_change_is_told_once_and_whole() -> None:
    """Whoever looks at marks never sees half a change."""
    marks, told = Marks(), []
    marks.observe(lambda change: told.append((change["new"], marks.can_undo)), "marked")
    marks.mark({"a": 1, "b": 2})
    marks.undo()
    assert told == [({"a": 1, "b": 2}, True), ({}, False)]


def test_the_rules_leave_out_what_has_no_unique_id_or_does_not_fit() -> None:
    """By sender: the address decides, not the name. By date: a mail without one stays."""
    assert sizes_of(ROWS) == {"a": 100, "b": 2000, "c": 3000}
    assert from_sender(ROWS, "Somebody else <Ann@Example.org>") == {"a": 100, "b": 2000}
    assert older_than(ROWS, datetime(2023, 1, 1, tzinfo=UTC)) == {"a": 100}
    assert larger_than(ROWS, 2000) == {"c": 3000}


def test_mail_without_a_sender_is_not_marked_as_from_nobody() -> None:
    """Else one click would mark every mail that has no From."""
    with pytest.raises(POP3UsageError, match="names no sender"):
        from_sender([row("a"), row("b")], "")


@pytest.mark.parametrize(
    ("author", "address"),
    [
        ("Ann <ann@example.org>", "ann@example.org"),
        ('"<x@y>" <Real@Example.org> ', "real@example.org"),
        ("ann@example.org", "ann@example.org"),
        (None, ""),
        ("Nobody <>", ""),
    ],
)
def test_the_address_is_what_stands_in_the_last_brackets(author: str | None, address: str) -> None:
    """A name may look like an address."""
    assert address_of(author) == address
