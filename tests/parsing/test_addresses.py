"""Address fields: every shape of RFC 5322 and the nonsense beside it."""

from __future__ import annotations

import pytest
from parsing.mails import mail

from pop3frames.parsing.addresses import addresses
from pop3frames.parsing.limits import DEFAULT_LIMITS, Limits, Notes
from pop3frames.parsing.parser import parse_message


@pytest.mark.parametrize(
    ("value", "listed"),
    [
        ("a@b.example", ["a@b.example"]),
        ("<a@b.example>", ["a@b.example"]),
        ("Ann Lee <a@b.example>", ["Ann Lee <a@b.example>"]),
        ('"Lee, Ann" <a@b.example>, c@d.example', ["Lee, Ann <a@b.example>", "c@d.example"]),
        (r'"Ann \"A\" Lee" <a@b.example>', ['Ann "A" Lee <a@b.example>']),
        ("John Q. Public <j@x.example>,", ["John Q. Public <j@x.example>"]),
        ("a@b.example (Ann Lee)", ["Ann Lee <a@b.example>"]),
        ("Ann (the boss) Lee <a@b.example>", ["Ann Lee <a@b.example>"]),
        (r"a@b.example (Ann (the \) boss))", ["Ann (the ) boss) <a@b.example>"]),
        (
            "team: a@b.example, Bob <c@d.example>; e@f.example",
            ["a@b.example", "Bob <c@d.example>", "e@f.example"],
        ),
        ("undisclosed-recipients:;", []),
        ("Undisclosed recipients:", []),
        ("<@a.example,@b.example:c@d.example>", ["c@d.example"]),
        ("Ann <a @ b . example>, a . b @ c.example", ["Ann <a@b.example>", "a.b@c.example"]),
        ("Ann <a(x)@b.example(y)>", ["Ann <a@b.example>"]),
        ("boss@bank.example <evil@x.example>", ["boss@bank.example <evil@x.example>"]),
        ("root, <root>, Ann <root>", ["root", "root", "Ann <root>"]),
        ("total nonsense, a@b.example", ["total nonsense", "a@b.example"]),
        ("a@b.example c@d.example", ["a@b.example c@d.example"]),
        ("<>, a@b.example", ["a@b.example"]),
        ("Mailer Daemon <>", ["Mailer Daemon"]),
        (", ,, a@b.example,", ["a@b.example"]),
        ("a@b.example; c@d.example", ["a@b.example", "c@d.example"]),
        ("Ann <a@b.example> <c@d.example>", ["Ann <a@b.example>", "c@d.example"]),
        ("Ann <a@b.example, Bob <c@d.example>", ["Ann <a@b.example>", "Bob <c@d.example>"]),
        ('Ann "Lee <a@b.example>, c@d.example', ['Ann "Lee <a@b.example>', "c@d.example"]),
        ("Ann (Lee <a@b.example>, c@d.example", ["Ann (Lee <a@b.example>", "c@d.example"]),
        ('"a b"@c.example', ['"a b"@c.example']),
        ("jürgen@bücher.example", ["jürgen@bücher.example"]),
        ("a@xn--bcher-kva.example", ["a@xn--bcher-kva.example"]),
        ("=?utf-8?q?Lee=2C_J=C3=BCrgen?= <a@b.example>", ["Lee, Jürgen <a@b.example>"]),
        ("=?utf-8?q?Lee,_J=C3=BCrgen?= <a@b.example>", ["Lee, Jürgen <a@b.example>"]),
        ('"=?utf-8?q?J=C3=BCrgen?=" <a@b.example>', ["Jürgen <a@b.example>"]),
        ("=?utf-8?q?evil=40x=2Eexample?= <a@b.example>", ["evil@x.example <a@b.example>"]),
        ("a: x@y.example;, b: ;, c@d.example", ["x@y.example", "c@d.example"]),
        ('"Team: A": a@b.example, c@d.example;', ["a@b.example", "c@d.example"]),
        ("=?utf-8?q?Gr=C3=BC=3A?=: a@b.example;", ["a@b.example"]),
        ("a: ;(all of them)", []),
        ("(a (b (c) d) e) a@b.example", ["a (b (c) d) e <a@b.example>"]),
        ("(Ann) a@b.example, (Bob) c@d.example", ["Ann <a@b.example>", "Bob <c@d.example>"]),
        ("a@b.example (=?utf-8?q?J=C3=BCrgen?=)", ["Jürgen <a@b.example>"]),
        ('"a@b"@c.example', ['"a@b"@c.example']),
        ('<"a,b"@c.example>', ['"a,b"@c.example']),
        (r'"a\"b"@c.example', [r'"a\"b"@c.example']),
        ('Ann <"a>b"@c.example>', ['Ann <"a>b"@c.example>']),
        ("=?utf-8?q?Lee?= =?utf-8?q?=2C_Ann?= <a@b.example>", ["Lee, Ann <a@b.example>"]),
        ("Ann <@a.example , @b.example : a@b.example>", ["Ann <a@b.example>"]),
        (
            "Ann <a@[IPv6:2001:db8::1]>, b@[192.0.2.1]",
            ["Ann <a@[IPv6:2001:db8::1]>", "b@[192.0.2.1]"],
        ),
        ('"Ann" "Lee" <a@b.example>', ["Ann Lee <a@b.example>"]),
        ('"" <a@b.example>', ["a@b.example"]),
        ("<a@b.example> Ann", ["Ann <a@b.example>"]),
        ("Ann <a@b.example>Bob <c@d.example>", ["Ann <a@b.example>", "Bob <c@d.example>"]),
        ("Ann <<a@b.example>>", ["Ann <a@b.example>"]),
    ],
)
def test_an_address_field_is_read_as(value: str, listed: list[str]) -> None:
    """The canonical form is 'Name <address>', or the address alone."""
    assert addresses(value.encode(), DEFAULT_LIMITS, set()) == listed


def test_the_slow_scan_agrees_with_the_fast_path() -> None:
    """A comment in front sends the same list through the scan."""
    value = b'Ann Lee <a@b.example>, "Lee, B." <b@b.example>, c@d.example, =?utf-8?q?=C3=A9,?= <e@f.example>'
    fast = addresses(value, DEFAULT_LIMITS, set())
    assert fast == addresses(b"()," + value, DEFAULT_LIMITS, set())
    assert len(fast) == 4


def test_from_is_one_string_and_recipients_are_lists() -> None:
    """Several authors are joined by a comma."""
    row = parse_message(
        mail("From: A <a@x.example>, b@x.example", "Cc: c@x.example, D <d@x.example>", "Bcc: e")
    )
    assert row.from_ == "A <a@x.example>, b@x.example"
    assert (row.to, row.cc, row.bcc) == ([], ["c@x.example", "D <d@x.example>"], ["e"])


def test_a_control_character_never_stays_in_an_address() -> None:
    """Nor in a name."""
    assert addresses(b"A\0nn\x1b <a\x07@b.example>", DEFAULT_LIMITS, set()) == ["Ann <a@b.example>"]


@pytest.mark.parametrize("value", [b"a@b.example, " * 5, b"A (x) <a@b.example>, " * 5, b"()," * 100])
def test_a_list_beyond_the_limit_is_cut_and_flagged(value: bytes) -> None:
    """On the fast path, in the scan, and where no address is found at all."""
    notes: Notes = set()
    assert len(addresses(value, Limits(addresses=3), notes)) <= 3
    assert notes == {"limit:addresses"}


@pytest.mark.parametrize("opener", ["(", '"', "<", "\\", ":", "=?", '"\\', "<(", "a@ "])
def test_a_thousand_openers_neither_raise_nor_empty_the_list(opener: str) -> None:
    """Where the standard library recurses."""
    assert addresses(f"a@b.example, {opener * 1000}".encode(), DEFAULT_LIMITS, set())[0] == "a@b.example"
