"""JSON lines are read line by line; a broken line is a problem of that line alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evalkit.errors import RowProblem
from evalkit.loaders.jsonl import DECODER, decode, read_jsonl
from evalkit.loaders.records import Record, Row

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def read(path: Path, text: str) -> list[Row]:
    path.write_bytes(text.encode())
    return list(read_jsonl(path))


def test_each_line_is_a_record_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    text = '\ufeff{"a": 1}\r\n\r\n  {"a": 2}  \n \n{"a": 3}'

    assert read(tmp_path / "q.jsonl", text) == [
        Record(1, {"a": 1}),
        Record(3, {"a": 2}),
        Record(5, {"a": 3}),
    ]


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    """U+2028, U+0085 and others may stand inside a JSON string, where splitlines() would cut."""
    text = '{"a": "x\u2028y\u0085z"}\n{"a": "\x7f"}\n'

    assert read(tmp_path / "q.jsonl", text) == [
        Record(1, {"a": "x\u2028y\u0085z"}),
        Record(2, {"a": "\x7f"}),
    ]


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=6), st.booleans())
def test_every_written_file_reads_back(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, object]], ascii_only: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.jsonl"
    lines = [json.dumps(record, ensure_ascii=ascii_only) for record in records]

    assert read(path, "\n".join(lines)) == [
        Record(line, record) for line, record in enumerate(records, 1)
    ]


@pytest.mark.parametrize(
    ("line", "value", "remedy"),
    [
        ('{"a": 1', "'{\"a\": 1'", "not JSON: Expecting ',' delimiter at column 8"),
        ("{'a': 1}", "\"{'a': 1}\"", "not JSON: Expecting property name enclosed in double qu"),
        ('{"a": "b', '\'{"a": "b\'', "not JSON: Unterminated string starting at column 7"),
        ('\ufeff{"a": 1}', "'\\ufeff{\"a\": 1}'", "not JSON: Unexpected UTF-8 BOM"),
        ("question,A,B", "'question,A,B'", "not JSON: Expecting value at column 1"),
        ('["q", "x"]', "['q', 'x']", "expected an object with named fields"),
        ("7", "7", "expected an object with named fields"),
        ("null", "missing", "expected an object with named fields"),
        ("[" * 100_000, "'" + "[" * 56 + "...", "not JSON: nested too deeply"),
        ('{"a": ' + "1" * 5000 + "}", '\'{"a": ' + "1" * 50 + "...", "not JSON: Exceeds the limit"),
    ],
    ids=[
        "cut off",
        "open string",
        "single quotes",
        "byte order mark within the file",
        "csv",
        "list",
        "number",
        "null",
        "deep",
        "huge number",
    ],
)
def test_a_line_that_is_no_object_is_a_problem_and_the_others_are_read(
    tmp_path: Path, line: str, value: str, remedy: str
) -> None:
    path = tmp_path / "q.jsonl"
    first, problem, last = read(path, f'{{"a": 1}}\n{line}\n{{"a": 3}}\n')

    assert isinstance(problem, RowProblem)
    assert (problem.path, problem.line, problem.field) == (path, 2, "row")
    assert problem.value == value
    assert problem.remedy.startswith(remedy)
    assert (first, last) == (Record(1, {"a": 1}), Record(3, {"a": 3}))


@pytest.mark.parametrize("number", ["0.5", "1.0", "0.10", "1e5", "-2.50", "3.14159265358979323846"])
def test_a_number_with_a_decimal_point_stays_as_it_was_written(number: str) -> None:
    assert decode(f"[{number}]") == [number]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda values: st.lists(values) | st.dictionaries(st.text(), values),
        max_leaves=9,
    )
)
@example([2**63, 2**64, -(2**63) - 1, 10**30])
@example({"a": [{"b": 1.0}], "c": -0.0})
def test_the_fast_reader_says_what_the_slow_one_says(value: object) -> None:
    text = json.dumps(value)

    assert repr(decode(text)) == repr(DECODER.decode(text))


@pytest.mark.parametrize(
    "text",
    ["1.50", "[1e3]", '{"a": 1, "a": 2}', "-0", "1E400", "NaN", '"\\ud800"', "0.1" + "0" * 50],
)
def test_numbers_and_oddities_come_as_the_slow_reader_takes_them(text: str) -> None:
    assert repr(decode(text)) == repr(DECODER.decode(text))
