"""What is said of senders, and of whom nothing is said."""

from __future__ import annotations

import pytest

from pop3frames.widgets.spoofing import Mailbox, doubts, mailbox


def said(author: str, *reply_to: str) -> list[str]:
    """The doubts about one author."""
    return doubts([mailbox(author)], [mailbox(each) for each in reply_to])


@pytest.mark.parametrize(
    "author",
    [
        "Ann Carter <ann@example.org>",
        "ann@example.org",
        "ann@example.org <ann@example.org>",
        "Ann@Example.org <ann@example.org>",
        "山田 健二 <kenji@example.jp>",
        "Yamada 健二 (営業部) <kenji@example.jp>",
        "Смирнова Ольга <olga@example.ru>",
        "Olga Смирнова <olga@example.ru>",
        "حداد نور <noor@example.org>",
        "Zoë 👩‍👩‍👧 <zoe@example.org>",
    ],
)
def test_ordinary_names_of_the_world_raise_no_doubt(author: str) -> None:
    """Also two alphabets in two words, and joiners within an emoji; answers to the same domain."""
    domain = author.rpartition("@")[2].strip(">")
    assert [] == said(author, f"Desk <desk@{domain}>")


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        (
            "security@bank.example <x@evil.example>",
            "The name looks like another address: security@bank.example",
        ),
        (
            "Bank (security＠bank.example) <x@evil.example>",
            "The name looks like another address: security@bank.example",
        ),
        ("PayPаl <x@evil.example>", "The name mixes letters of alphabets that look alike."),
        ("Bank <bаnk@x.example>", "The address mixes letters of alphabets that look alike."),
        ("Bank <x@xn--bnk-5cd.example>", "The domain is in international letters: xn--bnk-5cd.example"),
        ("Bank <x@bänk.example>", "The domain is in international letters: xn--bnk-qla.example"),
        ("Ann\u202egro.knab <x@evil.example>", "The name holds characters that cannot be seen: U+202E"),
        ("A\u200bnn\x01 <x@evil.example>", "The name holds characters that cannot be seen: U+200B, U+0001"),
        ("𝗕𝗮𝗻𝗸 <x@evil.example>", "The name is written with letters that imitate others."),
        ("Nobody", "The mail names no address of an author."),
    ],
)
def test_what_may_deceive_is_said(author: str, expected: str) -> None:
    """One sentence for each, with nothing else."""
    assert [expected] == said(author)


def test_answers_to_another_domain_are_said() -> None:
    """With the address they would go to; several authors and none too."""
    assert ["Answers would go to another domain: x@evil.example"] == said("a@b.example", "x@evil.example")
    assert ["The mail names 2 authors."] == doubts([Mailbox("", "a@b.c"), Mailbox("", "d@b.c")], [])
    assert ["The mail names no address of an author."] == doubts([], [])


def test_a_name_of_any_length_is_looked_at_in_little_time() -> None:
    """Sixteen thousand characters of one kind: the test ends, and only the beginning counts."""
    for piece in ("a", " ", "<", "@", "\u202e", "a@", "\ufdfa"):
        doubts([mailbox(piece * 16_000), Mailbox(piece * 16_000, piece * 16_000)], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ann <a@b>", ("Ann", "a@b")),
        ("a@b", ("", "a@b")),
        ("Ann", ("Ann", "")),
        ("A <x@y> <a@b>", ("A <x@y>", "a@b")),
        ("<a@b>", ("", "a@b")),
        ("", ("", "")),
    ],
)
def test_a_mailbox_in_its_two_pieces(text: str, expected: tuple[str, str]) -> None:
    """As columns write it."""
    assert expected == mailbox(text)
