"""What the tests of this room share: ways to cut bytes into pieces, and bytes that look like POP3."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import strategies as st


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(marks)]


@pytest.fixture(scope="session")
def cut() -> Callable[[bytes, list[int]], list[bytes]]:
    """`cut(data, [3, 7])`: the same bytes in pieces, cut at these places, as a network might."""
    return _cut


@pytest.fixture(scope="session")
def places() -> st.SearchStrategy[list[int]]:
    """Where to cut."""
    return st.lists(st.integers(0, 10_000), max_size=12)


@pytest.fixture(scope="session")
def wirelike() -> st.SearchStrategy[bytes]:
    """Bytes made of what framing and status lines are made of, so that they collide often."""
    tokens = [b"\r\n", b"\r", b"\n", b".", b"..", b"x", b"+OK", b"-ERR", b"+ ", b" ", b"1", b"\0", b"\xff"]
    return st.lists(st.sampled_from([*tokens, b"\r\n.\r\n", b"\r\n", b"+OK\r\n"]), max_size=30).map(b"".join)
