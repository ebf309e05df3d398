"""A set of strings in Arrow's memory is a set: whatever is added, in any pieces, also when hashes collide."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab import cpu

from pop3frames.frames.keys import KeySet

WORDS = st.lists(st.sampled_from(["a", "b", "c", "", "é", "🙂", "aa", "ab"]) | st.text("xyz", max_size=3))
HASHES: list[Callable[[str], int]] = [hash, len, lambda _: 0]


@pytest.mark.parametrize("hashed", HASHES, ids=["hash", "collisions", "one hash"])
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(WORDS, max_size=4), asked=WORDS)
def test_it_is_the_set_of_what_was_added(
    pieces: list[list[str]], asked: list[str], hashed: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where every string has the same hash; looked for one by one, or two at a time."""
    monkeypatch.setattr("pop3frames.frames.keys.hash", hashed, raising=False)
    monkeypatch.setattr("pop3frames.frames.keys._SOME", 2)
    keys, expected = KeySet(), set[str]()
    for piece in pieces:
        keys.update(piece)
        expected |= set(piece)
        assert expected == keys
        assert sorted(expected) == sorted(keys)
        assert [each in expected for each in asked] == [each in keys for each in asked]
        lacking, met = keys.sift(asked)
        assert [each not in expected for each in asked] == list(map(bool, lacking))
        assert len(expected & set(asked)) == met


def test_nulls_are_left_out_and_other_kinds_of_strings_are_taken() -> None:
    """As parts have them: pieces of a column, some of them slices, some of another writer's type."""
    column = pa.array(["a", None, "b", "c"])
    keys = KeySet(["a"])
    keys.add(
        [column.slice(1, 2), column.slice(0, 0), column.dictionary_encode(), column.cast("large_string")]
    )
    assert {"a", "b", "c"} == keys


def test_what_is_no_string_is_not_in_it() -> None:
    """None stands for a unique-id that there is not."""
    assert None not in KeySet(["None"])
    assert 7 not in KeySet(["7"])


def test_it_takes_less_than_twice_the_octets_of_its_strings() -> None:
    """A Python set of such strings takes four times them, and more."""
    keys = KeySet(f"{number:032x}" for number in range(50_000))
    held = keys._strings.nbytes + keys._hashes.nbytes + keys._order.nbytes
    assert held < 2 * 32 * 50_000


def test_looking_for_many_costs_in_proportion() -> None:
    """CPU time among 50,000 strings and among twice as many."""
    once, twice = ([f"{number:032x}" for number in range(n)] for n in (50_000, 100_000))
    assert cpu.growth(lambda: KeySet(once).sift(once), lambda: KeySet(twice).sift(twice)) < 3
