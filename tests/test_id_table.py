"""A table of ids says what a dict would say, in a fifth of the memory."""

from __future__ import annotations

import pickle
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import id_table
from evalkit.id_table import IdTable

ENTRIES = st.lists(st.tuples(st.text(max_size=3), st.integers(0, 2**32 - 1)), max_size=60)


@given(entries=ENTRIES, asked=st.lists(st.text(max_size=3)), few=st.sampled_from([0, 5, 1000]))
def test_it_says_what_a_dict_says(
    entries: list[tuple[str, int]], asked: list[str], few: int
) -> None:
    """Also beyond the number from which digests are kept, and while it grows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_table, "FEW", few)
        patch.setattr(id_table, "FIRST_SLOTS", 4)
        table = IdTable()
        for name, number in entries:
            table.add(name, number)
    known = dict(entries)
    assert len(table) == len(known)
    for name in (*known, *asked):
        assert table.get(name) == known.get(name)
        assert (name in table) == (name in known)


@given(names=st.lists(st.text(max_size=2), max_size=60), few=st.sampled_from([0, 5, 1000]))
def test_it_tells_a_new_id_from_a_known_one_and_leaves_that_as_it_is(
    names: list[str], few: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_table, "FEW", few)
        patch.setattr(id_table, "FIRST_SLOTS", 4)
        table, known = IdTable(), dict[str, int]()
        for number, name in enumerate(names):
            assert table.add_new(name, number) is (name not in known)
            known.setdefault(name, number)
    assert len(table) == len(known)
    assert {name: table.get(name) for name in known} == known


def test_half_a_sign_is_an_id_too() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_table, "FEW", 0)
        table = IdTable()
        table.add("\ud83d", 3)
    assert (table.get("\ud83d"), table.get("\ud83e")) == (3, None)


def test_many_ids_take_little_room() -> None:
    count = 200_000
    tracemalloc.start()
    try:
        table = IdTable()
        for number in range(count):
            table.add(f"{number:040x}", number)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / count < 45
    assert [table.get(f"{number:040x}") for number in (0, 77_777, count)] == [0, 77_777, None]


def test_it_goes_to_another_process() -> None:
    table = IdTable()
    table.add("ant", 7)
    assert pickle.loads(pickle.dumps(table)).get("ant") == 7
