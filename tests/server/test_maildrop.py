"""The mailbox against a model of plain lists: numbers, marks, the lock, unique-ids."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pop3frames.server.maildrop import Maildrop, MaildropSession, StoredMessage, canonical, top

RAW = st.sampled_from([b"", b"a\r\n", b"b\r\n", b"c", b"Subject: x\r\n\r\n.\r\n", b"x\ny"])
LINES = st.lists(st.sampled_from([b"", b".", b"x", b"\r", b"Subject: y", b"a\nb", b"\0"]), max_size=12)


class MaildropMachine(RuleBasedStateMachine):
    """One mailbox and its sessions beside a list of (octets, unique-id) and a set of marked numbers."""

    maildrop: Maildrop
    session: MaildropSession | None = None

    @initialize(mails=st.lists(RAW, max_size=5))
    def begin(self, mails: list[bytes]) -> None:
        self.maildrop = Maildrop(mails)
        self.held = list(self.maildrop.messages)
        assert [message.raw for message in self.held] == [canonical(mail) for mail in mails]

    @rule(mail=RAW)
    def deliver(self, mail: bytes) -> None:
        self.maildrop.add(mail)
        self.held.append(self.maildrop.messages[-1])
        assert self.held[-1].raw == canonical(mail)

    @precondition(lambda self: self.session is None)
    @rule()
    def open(self) -> None:
        self.session = self.maildrop.open()
        assert self.session is not None
        self.seen, self.marked = list(self.held), set[int]()

    @precondition(lambda self: self.session)
    @rule()
    def a_second_session_is_refused(self) -> None:
        assert self.maildrop.open() is None

    @precondition(lambda self: self.session)
    @rule(number=st.integers(-1, 9))
    def mark(self, number: int) -> None:
        assert self.session is not None
        there = 1 <= number <= len(self.seen) and number not in self.marked
        assert self.session.mark(number) is there
        self.marked |= {number} if there else set()

    @precondition(lambda self: self.session)
    @rule()
    def reset(self) -> None:
        assert self.session is not None
        self.session.reset()
        self.marked.clear()

    @precondition(lambda self: self.session)
    @rule()
    def update(self) -> None:
        """Only now are the marked ones gone, and only they; what came meanwhile stays."""
        assert self.session is not None
        self.session.update()
        self.session.close()
        gone = {self.seen[number - 1].uidl for number in self.marked}
        self.held = [message for message in self.held if message.uidl not in gone]
        self.session = None

    @precondition(lambda self: self.session)
    @rule()
    def close(self) -> None:
        assert self.session is not None
        self.session.close()
        self.session.update()
        self.session = None

    @invariant()
    def the_mailbox_is_what_the_model_says(self) -> None:
        assert self.maildrop.messages == self.held
        assert len(self.maildrop) == len(self.held)

    @invariant()
    def unique_ids_are_unique(self) -> None:
        assert len({message.uidl for message in self.held}) == len(self.held)

    @invariant()
    def numbers_never_move(self) -> None:
        """A session shows the moment it was opened, less what it marked."""
        if self.session is not None:
            expected = [(n, message) for n, message in enumerate(self.seen, 1) if n not in self.marked]
            assert self.session.items() == expected
            shown = {n: self.session.get(n) for n in range(-1, len(self.seen) + 2)}
            assert {n: message for n, message in shown.items() if message} == dict(expected)


TestMaildrop = MaildropMachine.TestCase
TestMaildrop.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@settings(deadline=None)
@given(st.lists(RAW, max_size=8))
def test_unique_ids_survive_a_restart(mails: list[bytes]) -> None:
    """Equal mails in equal order have equal ids, all different and of the form of RFC 1939 section 7."""
    ids = [message.uidl for message in Maildrop(mails).messages]

    assert ids == [message.uidl for message in Maildrop(mails).messages]
    assert len(ids) == len(set(ids))
    assert all(1 <= len(each) <= 70 and all("!" <= ch <= "~" for ch in each) for each in ids)


def test_an_id_is_not_given_to_another_mail_when_its_twin_was_deleted() -> None:
    """Two equal mails: whichever goes, the other keeps its id, and a third gets a new one."""
    maildrop = Maildrop([b"twin\r\n", b"twin\r\n"])
    first, second = maildrop.messages
    session = maildrop.open()
    assert session is not None
    session.mark(1)
    session.update()
    maildrop.add(b"twin\r\n")

    assert maildrop.messages[0] == second
    assert maildrop.messages[1].uidl not in (first.uidl, second.uidl)


def test_a_given_unique_id_is_kept() -> None:
    """Also where mails without one stand beside it."""
    maildrop = Maildrop([StoredMessage(b"x\n", "given"), b"y\r\n"])

    assert StoredMessage(b"x\r\n", "given") == maildrop.messages[0]
    assert "given" != maildrop.messages[1].uidl


@pytest.mark.parametrize(
    ("raw", "wire"),
    [
        (b"", b""),
        (b"a", b"a\r\n"),
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\nc", b"a\r\nb\r\nc\r\n"),
        (b"a\rb\r\n", b"a\rb\r\n"),
        (b"a\r\r\nb\n", b"a\r\r\nb\r\n"),
        (b"a\r", b"a\r\r\n"),
        (b"\n\n", b"\r\n\r\n"),
    ],
)
def test_a_mail_is_kept_as_it_goes_over_the_wire(raw: bytes, wire: bytes) -> None:
    """Bare LF becomes CRLF, the last line is ended, a bare CR stays."""
    assert wire == canonical(raw)


@settings(deadline=None)
@given(st.binary())
def test_what_is_canonical_stays_as_it_is(raw: bytes) -> None:
    """Twice is once; every LF has its CR, and nothing but line ends was changed."""
    wire = canonical(raw)

    assert wire == canonical(wire)
    assert wire.count(b"\n") == wire.count(b"\r\n")
    assert wire.replace(b"\r\n", b"\n").removesuffix(b"\n") == raw.replace(b"\r\n", b"\n").removesuffix(b"\n")


def _top_by_the_book(raw: bytes, count: int) -> bytes:
    """RFC 1939 section 7 with a list of lines: the header, the blank line, so many lines of the body."""
    lines = raw.split(b"\r\n")[:-1]
    blank = lines.index(b"") if b"" in lines else len(lines)
    return b"".join(line + b"\r\n" for line in lines[: blank + 1 + count])


@settings(deadline=None)
@given(LINES, st.integers(0, 14))
def test_top_is_the_header_the_blank_line_and_so_many_lines(lines: list[bytes], count: int) -> None:
    """More than there are gives all; a mail without a header has an empty one."""
    raw = b"".join(line + b"\r\n" for line in lines)

    assert _top_by_the_book(raw, count) == top(raw, count)
