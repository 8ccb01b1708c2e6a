"""A table is read as the text that it holds, row by row, each with the line on which it starts."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import BenchmarkError, QuestionSetError, RowProblem
from evalkit.loaders.csv import read_csv, read_first_rows
from evalkit.loaders.records import Record, Row, shorten

# csv.writer of Python 3.11 puts no quotes around a lone carriage return: no reader takes it back.
CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\r"), max_size=8
) | st.sampled_from(
    ["None", "NA", "007", "1.0", 'a "b"', "a\nb", "a\r\nb", ",", ";", "\t", "'", " "]
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "q.csv"


def read(path: Path, text: str | bytes, *columns: str, delimiter: str | None = None) -> list[Row]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_csv(path, columns=columns, delimiter=delimiter))


def values(rows: list[Row]) -> list[tuple[object, ...]]:
    return [tuple(row.values.values()) for row in rows if isinstance(row, Record)]


def places(rows: list[Row]) -> list[tuple[int, str]]:
    """(line, "row" or the remedy) of each row."""
    return [(row.line, "row" if isinstance(row, Record) else row.remedy) for row in rows]


@pytest.mark.parametrize(
    "text",
    [
        "question,A,B\nq,x,y\n",
        "question,A,B\nq,x,y",
        "question,A,B\r\nq,x,y\r\n",
        "question,A,B\rq,x,y\r",
        "\ufeffquestion,A,B\nq,x,y\n",
        "question;A;B\nq;x;y\n",
        "question\tA\tB\nq\tx\ty\n",
        '"question","A","B"\n"q","x","y"\n',
        " question , A , B \nq,x,y\n",
        "\n\nquestion,A,B\n\nq,x,y\n\n\n",
        '"question";"A";"B"\n"q";x;y\n',
        "question,A,B\n,,\nq,x,y\n , ,\n,,,,\n,\n",
    ],
    ids=repr,
)
def test_the_first_row_names_the_columns(path: Path, text: str) -> None:
    rows = read(path, text)

    assert [row.values for row in rows if isinstance(row, Record)] == [
        {"question": "q", "A": "x", "B": "y"}
    ]
    assert len(rows) == 1


def test_a_file_without_header_gets_its_names_from_the_definition(path: Path) -> None:
    assert values(read(path, "q,x\nr,y\n", "question", "A")) == [("q", "x"), ("r", "y")]


def test_no_cell_becomes_a_number_or_a_missing_value(path: Path) -> None:
    odd = ("None", "NA", "NaN", "null", "007", "1.0", "1e5", "TRUE", "", " ", "-", "#N/A")
    text = ",".join(f"c{i}" for i in range(len(odd))) + "\n" + ",".join(odd) + "\n"

    assert values(read(path, text)) == [odd]


def test_a_row_is_placed_on_the_line_on_which_it_starts(path: Path) -> None:
    text = (
        "question,A,B\n"
        '"two\nlines",x,y\n'  # 2 and 3
        "\n"
        "plain,x,y\n"  # 5
        '"three\r\nlines\r\nhere","x\ny",z\n'  # 6 to 9
        "short,x\n"  # 10
        ",,\n"
        "last,x,y"  # 12
    )

    assert places(read(path, text)) == [
        (2, "row"),
        (5, "row"),
        (6, "row"),
        (10, "2 cells where 3 are expected: check the quotes"),
        (12, "row"),
    ]


@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([",", ";", "\t", "|"]),
    st.booleans(),
)
def test_every_written_table_reads_back_with_its_lines(
    tmp_path_factory: pytest.TempPathFactory,
    table: list[list[str]],
    line_end: str,
    delimiter: str,
    quote_all: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.csv"
    written = io.StringIO(newline="")
    writer = csv.writer(
        written,
        delimiter=delimiter,
        lineterminator=line_end,
        quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL,
    )
    expected = []
    for cells in table:
        line = count_lines(written.getvalue())
        writer.writerow(cells)
        if any(cell.strip() for cell in cells):
            expected.append((line, tuple(cells)))

    rows = read(path, written.getvalue(), "a", "b", "c", delimiter=delimiter)

    assert [(r.line, tuple(r.values.values())) for r in rows if isinstance(r, Record)] == expected
    assert len(rows) == len(expected)


def count_lines(text: str) -> int:
    """The number of the line that begins after a text."""
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1


@pytest.mark.parametrize(
    ("row", "value", "remedy"),
    [
        ("q,x", "['q', 'x']", "2 cells where 3 are expected: check the quotes"),
        ("q,x,y,z", "['q', 'x', 'y', 'z']", "4 cells where 3 are expected: check the quotes"),
        ('q, "x, 1",y', """['q', ' "x', ' 1"', 'y']""", "4 cells where 3 are expected: check th"),
        ('"q" oh,x,y', """'"q" oh,x,y'""", "',' expected after '\"': close each quote, and write"),
    ],
)
def test_a_row_of_other_shape_is_a_problem_and_the_others_are_read(
    path: Path, row: str, value: str, remedy: str
) -> None:
    first, problem, last = read(path, f"question,A,B\nf,x,y\n{row}\nl,x,y\n")

    assert isinstance(problem, RowProblem)
    assert (problem.path, problem.line, problem.field) == (path, 3, "row")
    assert problem.value == value
    assert problem.remedy.startswith(remedy)
    assert (first.line, last.line) == (2, 4)


def test_a_quote_that_is_never_closed_does_not_swallow_the_rows_below_in_silence(
    path: Path,
) -> None:
    rows = read(path, 'question,A,B,note\nq,x,y,"open\nr,x,y,note\ns,x,y,note\n')

    assert places(rows) == [
        (
            2,
            "unexpected end of data: close each quote, and write a quote within quotes twice",
        )
    ]
    assert isinstance(rows[0], RowProblem)
    assert rows[0].value == "'q,x,y,\"open'"


def test_a_quote_that_is_closed_too_late_costs_no_row_below(path: Path) -> None:
    rows = read(path, 'question,A,B\nq,"x,y\nr,"x",y\ns,x,y\n')

    assert [line for line, _ in places(rows)] == [2, 4]
    assert isinstance(rows[0], RowProblem)


@given(st.lists(st.sampled_from(['"', ",", "\n", "\r", "\r\n", "\u2028", "x", " "]), max_size=25))
def test_any_text_is_cut_where_the_csv_module_cuts_it(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    """The same rows and the same refusals, though only one row is in memory at a time."""
    text = "".join(parts)
    rows = read(tmp_path_factory.getbasetemp() / "any.csv", text, "a", "b", delimiter=",")

    assert [(r.line, r.values if isinstance(r, Record) else r.value) for r in rows] == [
        (line, dict(zip("ab", found, strict=True)) if is_row else found)
        for line, is_row, found in cut_whole(text)
    ]


def cut_whole(text: str) -> list[tuple[int, bool, Any]]:
    """Line, whether it is a row of two cells, and what stands there."""
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, strict=True)
    found: list[tuple[int, bool, Any]] = []
    while True:
        start = reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return found
        except csv.Error:
            found.append((start + 1, False, repr(lines[start].strip())))
        else:
            if any(cell.strip() for cell in cells):
                is_row = len(cells) == 2
                found.append((start + 1, is_row, cells if is_row else shorten(cells)))


@pytest.mark.parametrize(
    ("text", "delimiter", "cells"),
    [
        ("a;b,c;d\n", None, ("a", "b,c", "d")),
        ("a,b;c,d\n", None, ("a", "b;c", "d")),
        ("a\tb,c\td\n", None, ("a", "b,c", "d")),
        ('"1,2,3,4";b;c\n', None, ("1,2,3,4", "b", "c")),
        ('"one; two;\nthree; four;",b,c\n', None, ("one; two;\nthree; four;", "b", "c")),
        ("\n \n\na;b,c;d\n,,,,", None, ("a", "b,c", "d")),
        ('a;"b\n,,,,,";d\n,,,,', None, ("a", "b\n,,,,,", "d")),
        ("a|b,c|d\n", "|", ("a", "b,c", "d")),
        ("a b,c d\n", " ", ("a", "b,c", "d")),
    ],
)
def test_the_first_row_shows_what_separates_cells_outside_quotes(
    path: Path, text: str, delimiter: str | None, cells: tuple[str, ...]
) -> None:
    assert values(read(path, text, "a", "b", "c", delimiter=delimiter)) == [cells]


@pytest.mark.parametrize("name", ["q.tsv", "Q.TSV"])
def test_a_tsv_file_is_split_at_tabs_whatever_else_it_holds(tmp_path: Path, name: str) -> None:
    rows = read(tmp_path / name, "question, in full\tA, B, C\nWhy, oh, why?\tx, y\n")

    assert values(rows) == [("Why, oh, why?", "x, y")]


def test_a_cell_may_be_longer_than_the_csv_module_takes_by_itself(path: Path) -> None:
    long = "x" * 200_000

    assert values(read(path, f"question,A\n{long},y\n")) == [(long, "y")]


@pytest.mark.parametrize("text", ["", "\n", "\ufeff", "\r\n\r\n"], ids=repr)
def test_an_empty_file_is_refused(path: Path, text: str) -> None:
    with pytest.raises(BenchmarkError, match=r"q\.csv: the file is empty$"):
        read(path, text)


def test_a_column_that_is_named_twice_is_refused_with_its_line(path: Path) -> None:
    with pytest.raises(BenchmarkError) as caught:
        read(path, "\nquestion,A, A \nq,x,y\n")

    assert str(caught.value) == f"{path}:2: the header names 'A' more than once; rename one"


def test_columns_without_a_name_may_be_several(path: Path) -> None:
    assert read(path, "question;A;;\nq;x;;\n") == [Record(2, {"question": "q", "A": "x", "": ""})]


def test_a_header_that_cannot_be_split_is_a_problem_of_its_row(path: Path) -> None:
    with pytest.raises(QuestionSetError, match=r"q\.csv:1: row = .*close each quote"):
        read(path, '"question" oh,A\nq,x\n')


def test_the_first_rows_are_read_without_those_that_cannot_be_split(path: Path) -> None:
    path.write_text('q,x\n"r" r,x\ns,x\nt,x\n')

    assert read_first_rows(path, 3) == [("q", "x"), ("s", "x")]
