"""A JSON list is read record by record, each with its line, whatever the layout of the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.benchmarks import load_benchmark
from evalkit.errors import BenchmarkError, QuestionSetError, RowProblem
from evalkit.loaders.json import read_json
from evalkit.loaders.records import Record, Row

RECORDS = st.lists(
    st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.text(), max_size=3)),
    max_size=6,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "q.json"


def read(path: Path, text: str, records: str | None = None) -> list[Row]:
    path.write_bytes(text.encode())
    return list(read_json(path, records=records))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('[{"a": 1}, {"a": 2}]', (1, 1)),
        ('\ufeff[{"a": 1},\n{"a": 2}]\n', (1, 2)),
        ('\n\n[\n  {\n    "a": 1\n  },\n\n  {\n    "a": 2\n  }\n]\n', (4, 8)),
        ('[\r\n{"a":\r\n1}\r\n,\r\n{"a":2}\r\n]', (2, 5)),
        ('{"a": 1}\n{"a": 2}\n', (1, 2)),
        ('\n\n{"a": 1}\n\n{"a": 2}', (3, 5)),
    ],
    ids=repr,
)
def test_each_record_has_the_line_on_which_it_starts(
    path: Path, text: str, lines: tuple[int, int]
) -> None:
    assert read(path, text) == [Record(lines[0], {"a": 1}), Record(lines[1], {"a": 2})]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ('[{"a": 1}, {"a": 2}]', [1, 2]),
        ('{"canary": "x", "rows": [{"a": 1}, {"a": 2}]}\n', [1, 2]),
        ('[{"a": 1},\n{"a": 2}]', [None, None]),
        ('{"a": 1}\n{"a": 2}\n', [None, None]),
    ],
)
def test_where_one_line_holds_all_records_they_are_numbered(
    path: Path, text: str, numbers: list[int | None]
) -> None:
    rows = read(path, text, "rows" if "rows" in text else None)
    assert [row.number for row in rows] == numbers


def test_a_record_of_one_long_line_is_named_by_its_number(path: Path) -> None:
    good = {"question": "Ant?", "choices": ["a", "b"], "answer": "A"}
    path.write_text(json.dumps([good, {**good, "answer": "C"}, "stray", good]), encoding="utf-8")
    with pytest.raises(QuestionSetError) as caught:
        load_benchmark(path)
    assert str(caught.value).splitlines()[1:] == [
        f"  {path}:1, record 2: answer = 'C': expected one of A, B",
        f"  {path}:1, record 3: row = 'stray': expected an object with named fields",
    ]


@given(RECORDS, st.none() | st.integers(0, 4), st.booleans())
def test_every_written_list_reads_back_with_its_lines(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[dict[str, Any]],
    indent: int | None,
    wrapped: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.json"
    outer: Any = {"note": [[]], "rows": records, "more": {}} if wrapped else records
    text = json.dumps(outer, indent=indent)

    rows = read(path, text, "rows" if wrapped else None)

    # json.dumps escapes every line break in a string: each one in the text is of the layout.
    expected: list[Row] = []
    head = json.dumps({"note": [[]]}, indent=indent).rstrip("\n}") + "," if wrapped else ""
    line = head.count("\n") + 1 + (1 if wrapped and indent is not None else 0)
    for record in records:
        line += indent is not None
        expected.append(Record(line, record))
        line += json.dumps(record, indent=indent).count("\n")
    assert rows == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"rows": [{"a": 1}]}',
        '{"canary": "\\"rows\\": [", "rows": [{"a": 1}], "x": 1}',
        '{"meta": {"rows": [{"a": 2}]}, "list": [[], {}], "rows": [{"a": 1}]}',
        '{"r\\u006fws"  :  [{"a": 1}]}',
        '  {"rows": [{"a": 1}]  , "cut off',
    ],
)
def test_the_list_of_an_object_is_found_by_its_key(path: Path, text: str) -> None:
    assert read(path, text, "rows") == [Record(1, {"a": 1})]


@pytest.mark.parametrize("text", ["[]", " [ ] \n", '{"rows": []}'], ids=repr)
def test_an_empty_list_has_no_rows(path: Path, text: str) -> None:
    assert read(path, text, "rows" if "rows" in text else None) == []


def test_an_item_that_is_no_object_is_a_problem_of_its_line(path: Path) -> None:
    """Some original MMLU-Pro files mix stray strings into the list."""
    first, problem, last = read(path, '[{"a": 1},\n"stray",\n{"a": 2}]')

    assert problem == RowProblem(
        path=path,
        line=2,
        field="row",
        value="'stray'",
        remedy="expected an object with named fields",
    )
    assert (first, last) == (Record(1, {"a": 1}), Record(3, {"a": 2}))


@pytest.mark.parametrize(
    ("text", "records", "complaint"),
    [
        ("", None, ": the file is empty"),
        ("\n \n", None, ": the file is empty"),
        ("[", None, ":1: not JSON: Expecting value"),
        ('[\n{"a": 1},', None, ":2: not JSON: Expecting value"),
        (
            '[\n{"a": 1}\n',
            None,
            ":3: not JSON: expected ',' or ']' after a record; is the file cut",
        ),
        ('[\n{"a": 1}\n{"a": 2}]', None, ":3: not JSON: expected ',' or ']' after a record"),
        ('[\n{"a": 1},\n{"a": \n\n2', None, ":3: not JSON: Expecting ',' delimiter: line 5"),
        ('[{"a": 1}]\n[{"a": 2}]', None, ":1: not JSON: '[{\"a\": 2}]' after the end of the list"),
        ("[" * 100_000, None, ":1: not JSON: nested too deeply"),
        ('{\n"rows": []\n}', None, ": neither a list nor JSON lines (Expecting property name enc"),
        ("question,A\nq,x\n", None, ": neither a list nor JSON lines (Expecting value at column 1"),
        ('{"rows": [], "note": 1}', "data", ": no list under the key 'data'; the keys are ['rows'"),
        ('{"rows": {"a": 1}}', "rows", ": no list under the key 'rows'; the keys are ['rows']"),
        ('[{"a": 1}]', "rows", ": no list under the key 'rows'; the keys are []"),
        ('{"note": \n\n oops, "rows": []}', "rows", ":3: not JSON: Expecting value"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_file_that_holds_no_list_is_refused_with_the_line(
    path: Path, text: str, records: str | None, complaint: str
) -> None:
    with pytest.raises(BenchmarkError) as caught:
        read(path, text, records)

    assert str(caught.value).startswith(f"{path}{complaint}")


def test_an_object_that_is_no_list_is_refused_with_the_remedy(path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"name the key of the list as `records`$"):
        read(path, '{\n  "questions": [\n  ]\n}')


@pytest.mark.parametrize("text", ['{"questions": [{"a": "b', '{\n  "questions": [\n'])
def test_an_object_without_an_end_may_have_been_cut_off(path: Path, text: str) -> None:
    with pytest.raises(BenchmarkError, match=r"; is the file cut off\?$"):
        read(path, text)
