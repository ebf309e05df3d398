"""On which line a table or key of a TOML text begins, whatever stands around it."""

from __future__ import annotations

import random

import pytest

from pop3frames.export.tomllines import Mistake, TomlLines

TEXT = '''\
# [[account]] in a comment
title = """
[[account]]
port = 1
"""   # and one more: """

[defaults]
tags = [
  "[[account]]",
  'x = 1',
]
inline = { a = 1, b = ["]", "}"] }
dotted.deep.key = 3

[[account]]
name = 'one'

[[ account ]] # another
"name" = "two"
text = \'\'\'
port = 995\'\'\'
port = 995
[account.more]
x = 1
'''


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        (("title",), 2),
        (("defaults",), 7),
        (("defaults", "tags"), 8),
        (("defaults", "tags", 1), 8),
        (("defaults", "inline", "b"), 12),
        (("defaults", "dotted", "deep", "key"), 13),
        (("account",), 15),
        (("account", 0, "name"), 16),
        (("account", 1), 18),
        (("account", 1, "name"), 19),
        (("account", 1, "text"), 20),
        (("account", 1, "port"), 22),
        (("account", 1, "more", "x"), 24),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_key_is_found_where_its_statement_begins(
    steps: tuple[str | int, ...], line: int, ends: str
) -> None:
    """Strings that look like TOML, arrays over lines, inline tables and quoted keys lead nowhere else."""
    assert line == TomlLines(TEXT.replace("\n", ends)).line(steps)


@pytest.mark.parametrize("seed", range(5))
def test_every_key_of_a_random_text_is_found(seed: int) -> None:
    """Statements of one to four lines, with comments and empty lines between them."""
    chance = random.Random(seed)
    values = ["1", '"""\na = 1\n\n"""', "[\n1,\n# ]\n2]", "'''\n'''", "{ a = '{' }", '"a\\n#"']
    lines, expected = [""], {}
    for number in range(60):
        lines += chance.choices(["", "# key-0 = 1", "   "], k=chance.randrange(3))
        expected[f"key-{number}"] = len(lines) + 1
        lines += f"key-{number} = {chance.choice(values)}".split("\n")
    text = TomlLines("\n".join(lines))
    assert expected == {key: text.line((key,)) for key in expected}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a = 1\nb = \nc = 3", 2, "Invalid value"),
        ("a = 1\n\nb = '''\nnever\nended\n", 3, ""),
        ("a = 1\n[[b\n", 2, ""),
        ("a = 1\na = 2\n", 2, "overwrite"),
        ("x = " + "[" * 5000, 1, ""),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(text: str, line: int, said: str) -> None:
    """An open string is told where it begins, which is where to look."""
    mistake = TomlLines(text).document()
    assert isinstance(mistake, Mistake)
    assert line == mistake.line
    assert said in mistake.meaning
    assert "at line" not in mistake.meaning
