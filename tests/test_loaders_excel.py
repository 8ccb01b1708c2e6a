"""Excel files are read as the tables that they look like, and no cell changes its text."""

from __future__ import annotations

import datetime
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import load_benchmark
from evalkit.errors import BenchmarkError, EvalkitError, MissingExtraError, QuestionSetError
from evalkit.loaders.excel import read_excel
from evalkit.loaders.records import Record

openpyxl = pytest.importorskip("openpyxl")

HEADER = ("Question", "A", "B", "Answer")


def write_book(path: Path, *sheets: list[tuple[Any, ...]]) -> Path:
    """A workbook with these sheets."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"Sheet {number}")
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def records(path: Path, **options: Any) -> list[tuple[int, dict[str, object]]]:
    found = list(read_excel(path, **options))
    assert all(isinstance(row, Record) for row in found)
    return [(row.line, dict(row.values)) for row in found if isinstance(row, Record)]


def test_the_first_row_names_the_columns_and_empty_rows_are_passed_over(tmp_path: Path) -> None:
    rows = [(), HEADER, ("1?", "x", "y", "A"), (None, " "), ("2?", "x", None, "B"), ("3?", "x")]
    path = write_book(tmp_path / "s.xlsx", rows)

    assert records(path) == [
        (3, {"Question": "1?", "A": "x", "B": "y", "Answer": "A"}),
        (5, {"Question": "2?", "A": "x", "B": None, "Answer": "B"}),
        (6, {"Question": "3?", "A": "x", "B": None, "Answer": None}),
    ]


def test_the_first_sheet_that_has_rows_is_read_and_no_other(tmp_path: Path) -> None:
    path = write_book(tmp_path / "s.xlsx", [], [("a",), ("1",)], [("b",), ("2",)])

    assert records(path) == [(2, {"a": "1"})]


def test_names_can_be_given_to_a_sheet_without_header(tmp_path: Path) -> None:
    path = write_book(tmp_path / "s.xlsx", [("x", "y")])

    assert records(path, columns=("a", "b")) == [(1, {"a": "x", "b": "y"})]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (12, 12),
        (3.0, 3),
        (0.1, "0.1"),
        (1e-7, "1e-07"),
        (True, "true"),
        ("007", "007"),
        ("None", "None"),
        (" x ", " x "),
    ],
)
def test_numbers_become_what_is_shown_and_texts_stay(
    tmp_path: Path, cell: object, expected: object
) -> None:
    path = write_book(tmp_path / "s.xlsx", [("a",), (cell,)])

    assert records(path) == [(2, {"a": expected})]


def test_a_choice_that_became_a_date_is_a_problem_of_its_row(tmp_path: Path) -> None:
    date = datetime.datetime(2026, 2, 1)
    path = write_book(tmp_path / "s.xlsx", [HEADER, ("1?", date, "y", "B"), ("2?", "x", "y", "A")])
    with pytest.raises(QuestionSetError, match=r"s\.xlsx:2: A = datetime.*: expected text"):
        load_benchmark(path)


def test_a_workbook_is_a_benchmark(tmp_path: Path) -> None:
    path = write_book(tmp_path / "s.xlsx", [HEADER, ("1 + 1?", 2, 3, "A"), ("0.5?", 0.5, 1, "B")])
    questions = load_benchmark(path).question_set.questions

    assert [(q.stem, q.choices, q.right) for q in questions] == [
        ("1 + 1?", ("2", "3"), (0,)),
        ("0.5?", ("0.5", "1"), (1,)),
    ]


def test_a_header_that_names_a_column_twice_is_refused(tmp_path: Path) -> None:
    path = write_book(tmp_path / "s.xlsx", [("a", "a")])
    with pytest.raises(BenchmarkError, match="the header names 'a' more than once"):
        records(path)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip", b"\xd0\xcf\x11\xe0"])
def test_a_file_that_is_no_workbook_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "s.xlsx"
    path.write_bytes(data)
    with pytest.raises(BenchmarkError, match=r"can't be read as Excel .*save it as \.xlsx"):
        records(path)


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="no such file"):
        records(tmp_path / "s.xlsx")


def test_damage_anywhere_in_a_workbook_is_an_error_of_ours(tmp_path: Path) -> None:
    """Each part of the zip in turn is cut, emptied or turned to nonsense."""
    whole = write_book(tmp_path / "whole.xlsx", [HEADER, ("1?", "x", "y", "A")])
    with zipfile.ZipFile(whole) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name, data in parts.items():
        for damaged in (b"", data[: len(data) // 2], b"<a>", None):
            path = tmp_path / "damaged.xlsx"
            with zipfile.ZipFile(path, "w") as archive:
                for other, content in parts.items():
                    if other != name:
                        archive.writestr(other, content)
                    elif damaged is not None:
                        archive.writestr(other, damaged)
            try:
                list(read_excel(path))
            except EvalkitError as error:
                assert "\n" not in str(error)


def test_without_the_library_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_book(tmp_path / "s.xlsx", [HEADER])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match=r"an Excel file needs an extra: .*\[excel\]"):
        records(path)
