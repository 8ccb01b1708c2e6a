"""Rows of Parquet files come as the rows of other formats do: nested, in order, numbers as text."""

from __future__ import annotations

import datetime
import gzip
import sys
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.benchmarks import load_benchmark
from evalkit.errors import BenchmarkError, MissingExtraError
from evalkit.loaders.parquet import count_rows, read_parquet
from evalkit.loaders.records import Record
from tests.parquet_files import PICTURE, arc_rows, write_arc, write_parquet


def read(path: Path, columns: tuple[str, ...] | None = None) -> list[dict[str, Any]]:
    """The values of all rows."""
    rows = list(read_parquet(path, columns=columns))
    assert [row.line for row in rows] == list(range(1, len(rows) + 1))
    return [dict(row.values) for row in rows if isinstance(row, Record)]


def save(folder: Path, data: bytes, name: str = "q.parquet") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_nested_rows_of_several_row_groups_come_in_order(tmp_path: Path) -> None:
    assert read(save(tmp_path, write_arc(8))) == arc_rows(8)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (pa.float64(), 1.5, "1.5"),
        (pa.float64(), float("nan"), None),
        (pa.list_(pa.float32()), [0.5, None], ["0.5", None]),
        (pa.struct([("x", pa.list_(pa.float64()))]), {"x": [2.0]}, {"x": ["2.0"]}),
        (pa.int8(), 3, 3),
        (pa.bool_(), True, True),
        (pa.decimal128(5, 2), Decimal("1.50"), "1.50"),
        (pa.date32(), datetime.date(2026, 1, 2), "2026-01-02"),
        (pa.dictionary(pa.int8(), pa.string()), "red", "red"),
        (pa.large_string(), "red", "red"),
        (pa.large_list(pa.string()), ["a", "b"], ["a", "b"]),
        (pa.list_(pa.list_(pa.string())), [["a"], []], [["a"], []]),
        (pa.list_(pa.struct([("text", pa.string())])), [{"text": "a"}], [{"text": "a"}]),
        (pa.list_(pa.string(), 2), ["a", "b"], ["a", "b"]),
        (PICTURE, {"bytes": b"x", "path": None}, {"bytes": b"x", "path": None}),
    ],
    ids=str,
)
def test_values_come_in_the_forms_that_json_has(
    tmp_path: Path, kind: pa.DataType, value: object, expected: object
) -> None:
    """A number with a decimal point keeps its text, as in other formats."""
    rows: list[dict[str, Any]] = [{"x": value}, {"x": None}, {"x": value}]
    path = save(tmp_path, write_parquet(rows, pa.schema([("x", kind)]), rows_a_group=2))

    assert read(path) == [{"x": expected}, {"x": None}, {"x": expected}]


@given(
    lists=st.lists(
        st.none() | st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]))),
        min_size=1,
        max_size=9,
    )
)
def test_lists_come_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, lists: list[Any]
) -> None:
    rows = [{"x": one, "s": {"a": one}} for one in lists]
    kind = pa.list_(pa.string())
    schema = pa.schema([("x", kind), ("s", pa.struct([("a", kind)]))])
    path = save(tmp_path_factory.mktemp("p"), write_parquet(rows, schema, rows_a_group=2))

    assert read(path) == rows


def test_only_the_columns_that_are_needed_are_read(tmp_path: Path) -> None:
    rows = [{"a": "1", "b": {"c": "2", "d": "3"}, "e": "4", "x.y": "5"}]
    path = save(tmp_path, write_parquet(rows))

    assert read(path, ("a", "b.c", "x.y", "none")) == [
        {"a": "1", "b": {"c": "2", "d": "3"}, "x.y": "5"}
    ]
    assert read(path, ("none",)) == [{}]


def test_a_file_within_an_archive_or_packed_by_gzip_is_read(tmp_path: Path) -> None:
    data = write_arc(4)
    packed = save(tmp_path, gzip.compress(data), "q.parquet.gz")
    with zipfile.ZipFile(tmp_path / "sets.zip", "w") as archive:
        archive.writestr("arc/q.parquet", data)

    assert read(packed) == read(tmp_path / "sets.zip" / "arc" / "q.parquet") == arc_rows(4)


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"question,answer\n", b"PAR1" + bytes(99) + b"PAR1"]
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BenchmarkError, match=r"q\.parquet: no readable Parquet file: "):
        read(save(tmp_path, data))


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.table([pa.array(["x"]), pa.array(["y"])], names=["a", "a"])
    pq.write_table(table, tmp_path / "q.parquet")
    with pytest.raises(BenchmarkError, match="two columns are called 'a'; rename one"):
        read(tmp_path / "q.parquet")


def test_without_pyarrow_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, write_arc(1))
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    for read_it in (lambda: list(read_parquet(path)), lambda: count_rows(path)):
        with pytest.raises(MissingExtraError) as caught:
            read_it()
        assert str(caught.value) == (
            "reading Parquet files needs an extra: pip install 'evalkit-mcq[hub]'"
        )


def test_a_file_without_definition_is_guessed_and_loaded(tmp_path: Path) -> None:
    loaded = load_benchmark(save(tmp_path, write_arc(5))).question_set

    assert [question.right_texts for question in loaded.questions] == [
        (str(number + 1),) for number in range(5)
    ]
