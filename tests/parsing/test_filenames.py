"""File names from mail, made harmless."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3frames.parsing.filenames import safe_filename


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../../home/u/.bashrc", "bashrc"),
        ("/etc/passwd", "passwd"),
        (r"C:\TEMP\new.txt", "new.txt"),
        ("a\0b.txt", "ab.txt"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("LPT1.", "_LPT1"),
        ("console.txt", "console.txt"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ('a<b>:"c|d?e*', "a_b___c_d_e_"),
        ("name. . ", "name"),
        ("...", "attachment"),
        ("", "attachment"),
        ("e\u0301.txt", "é.txt"),
        ("x" * 300 + ".pdf", "x" * 146 + ".pdf"),
        ("é" * 100, "é" * 75),
    ],
)
def test_a_name_becomes(name: str, safe: str) -> None:
    """The last component, without what a file system or a reader could trip over."""
    assert safe_filename(name) == safe


@given(st.text(max_size=400))
def test_any_text_becomes_one_component_of_at_most_150_octets(name: str) -> None:
    """And doing it twice changes nothing."""
    safe = safe_filename(name)
    assert safe not in ("", ".", "..")
    assert not set(safe) & set('/\\\0<>:"|?*\r\n')
    assert not safe.startswith((".", " "))
    assert not safe.endswith((".", " "))
    assert len(safe.encode()) <= 150
    assert safe_filename(safe) == safe
