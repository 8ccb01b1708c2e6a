"""Files are read by their format, one after the other, each with the subject of its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import BenchmarkError
from evalkit.loaders.records import Record
from evalkit.loaders.source import FileFormat, Source, find_format, find_group, read_rows

ROW = {"question": "Which?", "answer": "A"}
TEXTS: dict[FileFormat, str] = {
    "csv": "question,answer\nWhich?,A\n",
    "jsonl": '{"question": "Which?", "answer": "A"}\n',
    "json": '[{"question": "Which?", "answer": "A"}]\n',
}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("q.csv", "csv"),
        ("Q.CSV", "csv"),
        ("q.jsonl", "jsonl"),
        ("q.ndjson", "jsonl"),
        ("q.json", "json"),
        ("q.test.json", "json"),
    ],
)
def test_the_ending_of_a_file_tells_its_format(tmp_path: Path, name: str, form: FileFormat) -> None:
    path = tmp_path / name
    path.write_text(TEXTS[form])
    [placed] = read_rows([path], Source(files=(name,)))

    assert find_format(path) == form
    assert isinstance(placed.row, Record)
    assert placed.row.values == ROW


def test_a_tsv_file_is_a_table_split_at_tabs(tmp_path: Path) -> None:
    path = tmp_path / "q.tsv"
    path.write_text("question\tanswer\nWhich?\tA\n")
    [placed] = read_rows([path], Source(files=("q.tsv",)))

    assert isinstance(placed.row, Record)
    assert placed.row.values == ROW


@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
def test_a_format_that_is_given_wins_over_the_ending(tmp_path: Path, form: FileFormat) -> None:
    """AQuA's `dev.json` holds JSON lines."""
    path = tmp_path / "q.data"
    path.write_text(TEXTS[form])
    [placed] = read_rows([path], Source(files=("q.data",), format=form))

    assert isinstance(placed.row, Record)
    assert placed.row.values == ROW


@pytest.mark.parametrize("name", ["q.docx", "q", "q.gz", "csv"])
def test_an_ending_that_is_not_known_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(BenchmarkError) as caught:
        find_format(Path(name))

    assert str(caught.value).startswith(f"{name}: unknown ending {Path(name).suffix!r}; known are")
    assert ".csv, .tsv, .jsonl, .ndjson, .json" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "pattern", "group"),
    [
        ("college_computer_science_test.csv", "(.+)_test", "college computer science"),
        ("algebra_dev.csv", "(.+)_(?:test|dev)", "algebra"),
        ("2024-algebra.csv", r"\d+-(.+)", "algebra"),
        ("algebra.v2.csv", "(.+)", "algebra.v2"),
        ("algebra.csv", None, None),
    ],
)
def test_a_pattern_takes_the_subject_from_the_name_of_a_file(
    name: str, pattern: str | None, group: str | None
) -> None:
    assert find_group(Path(name), pattern) == group


@pytest.mark.parametrize("pattern", ["(.+)_test", "(?:(x)_)?algebra", "(.*)algebra", "(alge)"])
def test_a_name_that_holds_no_subject_is_refused_and_not_left_without_one(pattern: str) -> None:
    with pytest.raises(BenchmarkError) as caught:
        find_group(Path("algebra.csv"), pattern)

    assert str(caught.value) == (
        f"algebra.csv: its name holds no subject by group_from_file = {pattern!r}; "
        "change the pattern"
    )


def test_rows_come_file_by_file_with_path_line_and_subject(tmp_path: Path) -> None:
    source = Source(
        files=("*.csv",), columns=("question", "answer"), delimiter="|", group_from_file="(.)"
    )
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(f"{name}1|A\n\n{name}2|B\n")
    rows = list(read_rows([tmp_path / "a.csv", tmp_path / "b.csv"], source))

    assert [
        (placed.path.name, placed.row.line, placed.group, placed.row.values["question"])
        for placed in rows
        if isinstance(placed.row, Record)
    ] == [
        ("a.csv", 1, "a", "a1"),
        ("a.csv", 3, "a", "a2"),
        ("b.csv", 1, "b", "b1"),
        ("b.csv", 3, "b", "b2"),
    ]


def test_the_list_of_an_object_is_read_by_its_key(tmp_path: Path) -> None:
    path = tmp_path / "q.json"
    path.write_text(f'{{"canary": "x", "examples": {TEXTS["json"]}}}')
    [placed] = read_rows([path], Source(files=("q.json",), records="examples"))

    assert isinstance(placed.row, Record)
    assert placed.row.values == ROW
