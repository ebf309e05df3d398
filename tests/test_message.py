"""The columns of a message: named once, in the documented order, spelled nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import pop3frames.message
from pop3frames.message import ATTACHMENT_COLUMNS, COLUMNS, DOCUMENTED_COLUMNS, Attachment, Column, Message

HOME = Path(pop3frames.message.__file__)
ALL_COLUMNS = COLUMNS + ATTACHMENT_COLUMNS
DOCUMENTED = (
    "messageId popId messageIdHeader from to cc bcc subject textBody htmlBody receivedAt size "
    "attachmentCount attachments isRead isStarred isDeleted isSpam isDraft isSent"
)


def _camel(attribute: str) -> str:
    first, *rest = attribute.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


@pytest.mark.parametrize("column", ALL_COLUMNS, ids=lambda column: column.attribute)
def test_a_column_is_named_like_its_attribute_in_camel_case(column: Column) -> None:
    """`message_id_header` is messageIdHeader; `from_` is from, which Python keeps for itself."""
    assert _camel(column.attribute) == column.name


def test_the_documented_dict_has_the_twenty_documented_keys_in_their_order() -> None:
    """Whatever else the dataclass holds."""
    assert DOCUMENTED.split() == list(Message(uidl="x", raw=b"y").to_dict())


def test_attachments_in_the_documented_dict_are_dicts_of_name_type_and_size() -> None:
    """Their bytes are not in it."""
    message = Message(attachments=[Attachment("a.pdf", "application/pdf", 7)])

    expected = [{"filename": "a.pdf", "contentType": "application/pdf", "size": 7}]
    assert expected == message.to_dict()["attachments"]


def test_every_field_is_a_column_and_the_documented_ones_come_first() -> None:
    """In the order of the dataclass, no name twice."""
    assert [field.name for field in fields(Message)] == [column.attribute for column in COLUMNS]
    assert COLUMNS[: len(DOCUMENTED_COLUMNS)] == DOCUMENTED_COLUMNS
    assert len(COLUMNS) == len({column.name for column in COLUMNS})


def test_a_column_may_be_null_exactly_where_its_attribute_may_be_none() -> None:
    """The six flags, the numbers and what a mail lists always have a value."""
    nullable = [column.attribute for column in COLUMNS if column.nullable]

    expected = "message_id_header from_ subject text_body html_body received_at uidl content_hash fetched_at"
    assert [*expected.split(), "parse_error", "raw", "attachment_hashes"] == nullable


def test_every_column_says_what_it_means() -> None:
    """In words that fit a cell of the README's table."""
    assert [] == [column.name for column in ALL_COLUMNS if not 10 < len(column.meaning) < 100]


def test_messages_do_not_share_their_lists() -> None:
    """Each has its own `to`, `cc`, `bcc` and `attachments`."""
    first, second = Message(), Message()
    for each in (first.to, first.cc, first.bcc, first.attachments):
        each.append("x")  # type: ignore[arg-type]

    assert Message() == second


def _spelled(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string and every name of a module with its line; docstrings are prose and left out."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.lineno, node.arg or ""


def _camel_names_in(source: str) -> list[tuple[int, str]]:
    names = {column.name for column in ALL_COLUMNS if column.name != column.name.lower()}
    words = re.compile(rf"\b({'|'.join(sorted(names))})\b")
    return [(line, found[1]) for line, text in _spelled(ast.parse(source)) if (found := words.search(text))]


def test_the_search_for_camel_case_names_finds_them() -> None:
    """As a whole string, inside one, in an f-string, as an attribute and as a keyword; not in prose."""
    source = '"""isRead."""\nx = ["isRead"]\ny = "to, isRead"\nz = f"{x}.isRead"\nx.isRead\nf(isRead=1)\n'

    assert [2, 3, 4, 5, 6] == sorted({line for line, _ in _camel_names_in(source)})


def test_no_other_file_of_the_package_spells_a_camel_case_column_name() -> None:
    """Everybody else looks the name up, so that a column is renamed in one place."""
    spelled = {
        str(path.relative_to(HOME.parent)): found
        for path in sorted(HOME.parent.rglob("*.py"))
        if path != HOME and (found := _camel_names_in(path.read_text(encoding="utf-8")))
    }
    assert {} == spelled
