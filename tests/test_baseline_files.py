"""A baseline's file gives back what was written, whatever questions are called."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import RunError, RunFormatError
from evalkit.runs.baseline_files import Row, read_baseline_file, write_baseline_file

ROWS = st.lists(
    st.builds(
        Row,
        id=st.text(st.characters(), max_size=20),
        score=st.none() | st.floats(0, 1),
        content=st.none() | st.text("0123456789abcdef", min_size=12, max_size=12),
    ),
    max_size=20,
)


@given(rows=ROWS, facts=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5)))
def test_what_is_written_is_read(rows: list[Row], facts: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new" / "b.jsonl"
        write_baseline_file(path, facts, rows)
        assert read_baseline_file(path) == (facts, tuple(rows))
        assert path.read_bytes().isascii()


def test_a_score_that_was_edited_by_hand_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    write_baseline_file(path, {}, [Row(id="q", score=1.0, content=None)])
    path.write_text(path.read_text().replace('["q", 1,', '["q", 0,'))
    with pytest.raises(RunFormatError, match=r"was changed after it was written.*baseline set RUN"):
        read_baseline_file(path)


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"file can't be made: "):
        write_baseline_file(tmp_path / "file" / "b.jsonl", {}, [])
