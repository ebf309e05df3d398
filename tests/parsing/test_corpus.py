"""Real odd mail: the parser against three others, column by column.

The corpus is no part of the project; POP3FRAMES_CORPUS names its folder, and without it these tests skip. A
difference is a bug or it is in corpus_differences.py with its reason.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any

import fast_mail_parser
import pytest
from parsing.corpus_differences import EXPLAINED, NO_OPINION
from parsing.fuzz_parser import check
from parsing.parsing_oracles import Columns, default_columns, rust_columns, stdlib_columns

from pop3frames.parsing.parser import parse_message

FOLDER = os.environ.get("POP3FRAMES_CORPUS", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="POP3FRAMES_CORPUS names no folder of mails")
TEXTS = ("subject", "message_id_header", "from_", "text_body", "html_body")
LISTS = ("to", "cc", "bcc")
DEFAULT_READS = ("subject", "from_", "to", "cc", "received_at", "text_body", "html_body", "attachments")


@pytest.fixture(scope="module")
def corpus() -> dict[str, bytes]:
    """Every mail of the corpus by its folder and name."""
    return {
        f"{path.parent.name}/{path.stem}": path.read_bytes() for path in sorted(Path(FOLDER).glob("*/*.eml"))
    }


def ours(raw: bytes) -> Columns:
    """The row, as the oracles' columns."""
    row = parse_message(raw)
    found: Columns = {name: getattr(row, name) for name in (*TEXTS, *LISTS, "received_at")}
    found["attachments"] = [(each.filename, each.content_type, each.size) for each in row.attachments]
    return found


def differences(mine: Columns, other: Columns) -> set[str]:
    """The columns that differ, but for blanks around them and what the other does not know."""
    other = {**mine, "received_at": None, **other}
    found = {name for name in TEXTS if (mine[name] or "").strip() != (other[name] or "").strip()}
    found |= {name for name in LISTS if mine[name] != other[name]}
    if other["received_at"] not in (None, mine["received_at"]):
        found.add("received_at")
    sizes = [each[2] for each in other["attachments"]]
    known = [
        (*each[:2], None if size is None else each[2])
        for each, size in zip(mine["attachments"], sizes, strict=False)
    ]
    if known != other["attachments"] or len(mine["attachments"]) != len(known):
        found.add("attachments")
    return found


def only_addresses(columns: Columns) -> Columns:
    """Without names and without addresses that have no domain: fast-mail-parser reads neither well."""

    def full(text: str) -> list[str]:
        return re.findall(r"[^\s<>,]+@[^\s<>,]+(?=>|$|, )", text)

    reduced: dict[str, Any] = {
        name: [address for each in columns[name] for address in full(each)[-1:]]
        for name in LISTS
        if name in columns
    }
    if "from_" in columns:
        reduced["from_"] = " ".join(full(columns["from_"] or "")[-1:])
    return {**columns, **reduced}


def test_no_mail_of_the_corpus_needs_a_fallback(
    corpus: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """And each keeps every promise of the fuzz harness."""
    with caplog.at_level(logging.WARNING):
        for raw in corpus.values():
            check(raw)
    assert caplog.text == ""


def test_every_difference_from_the_standard_library_is_explained(corpus: dict[str, bytes]) -> None:
    """compat32 with plain adapters."""
    found = set()
    for name, raw in corpus.items():
        try:
            other = stdlib_columns(raw)
        except RecursionError:
            continue
        found |= {(name, column) for column in differences(ours(raw), other)}
    assert found - EXPLAINED["stdlib"].keys() == set()
    assert EXPLAINED["stdlib"].keys() - found == set()


def test_every_difference_from_the_default_policy_is_explained(corpus: dict[str, bytes]) -> None:
    """Where it raises it has no opinion, and which columns these are is listed too."""
    found, silent = set(), set()
    for name, raw in corpus.items():
        other = default_columns(raw)
        silent |= {(name, column) for column in DEFAULT_READS if column not in other}
        found |= {(name, column) for column in differences(only_addresses(ours(raw)), only_addresses(other))}
    assert found - EXPLAINED["default"].keys() == set()
    assert EXPLAINED["default"].keys() - found == set()
    assert silent == NO_OPINION


def test_every_difference_from_fast_mail_parser_is_explained(corpus: dict[str, bytes]) -> None:
    """Where it does not give up."""
    found = set()
    for name, raw in corpus.items():
        try:
            other = rust_columns(raw)
        except fast_mail_parser.ParseError:
            continue
        found |= {(name, column) for column in differences(only_addresses(ours(raw)), only_addresses(other))}
    assert found - EXPLAINED["fast-mail-parser"].keys() == set()
    assert EXPLAINED["fast-mail-parser"].keys() - found == set()
