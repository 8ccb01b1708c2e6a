"""An id is found again in the file and on the line where it stood."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from evalkit.loaders.places import Places


@given(st.lists(st.lists(st.integers(1, 10**6), unique=True, max_size=5), max_size=5))
def test_every_id_is_found_where_it_was_noted(files: list[list[int]]) -> None:
    places = Places()
    expected: dict[str, str] = {}
    for number, lines in enumerate(files):
        path = Path(f"{number}.csv")
        for line in sorted(lines):
            name = f"id {len(expected)}"
            places.add(name, path, line)
            expected[name] = f"{path}:{line}"

    assert {name: places.find(name) for name in expected} == expected


def test_only_what_was_noted_is_known() -> None:
    places = Places()
    places.add("a", Path("q.csv"), 2)

    assert "a" in places
    assert "b" not in places
