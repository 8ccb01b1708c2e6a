"""Rows that don't meet the conditions of a set are passed over, not counted, not complained of."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.loaders.definition import DefinitionError, parse_fields
from evalkit.loaders.fields import PlacedRow, build_question_set
from evalkit.loaders.filters import RowFilter
from evalkit.loaders.records import Record

COLUMNS = {"stem": "q", "choices": ["A", "B"], "answer": "answer"}


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        (RowFilter(column="x", allowed=("a", "b")), ["a", " b "]),
        (RowFilter(column="x", refused=("a", "b")), ["c", "", None, 1, True, []]),
        (RowFilter(column="x", allowed=("1",)), [1]),
        (RowFilter(column="x", allowed=("true",)), [True]),
        (RowFilter(column="x", allowed=("",)), ["", None]),
        (RowFilter(column="x", filled=True), ["a", " b ", "c", 1, True]),
        (RowFilter(column="x", filled=False), ["", None, []]),
    ],
)
def test_a_condition_takes_what_it_says(condition: RowFilter, taken: list[object]) -> None:
    values: list[object] = ["a", " b ", "c", "", None, 1, True, []]

    found = [value for value in values if condition.takes(Record(1, {"x": value}))]
    assert list(map(repr, found)) == list(map(repr, taken))


def test_a_path_leads_into_a_column() -> None:
    condition = RowFilter(column="meta.type", allowed=("choice",))

    assert condition.takes(Record(1, {"meta": {"type": "choice"}}))
    assert not condition.takes(Record(1, {"meta": {}}))


def test_rows_that_are_passed_over_may_be_of_any_kind() -> None:
    """Open questions have no choices, which would be a problem of their rows."""
    where = [
        {"column": "type", "is": "choice"},
        {"column": "year", "is_not": ["2019"]},
        {"column": "A", "filled": True},
    ]
    fields = parse_fields(COLUMNS | {"where": where})
    rows = [
        {"q": "1?", "A": "a", "B": "b", "answer": "A", "type": "choice", "year": 2020},
        {"q": "2?", "answer": "four", "type": "open", "year": 2020},
        {"q": "3?", "A": "a", "B": "b", "answer": "A", "type": "choice", "year": 2019},
    ]
    placed = [PlacedRow(Path("q.jsonl"), Record(line, row)) for line, row in enumerate(rows, 1)]

    found = build_question_set(placed, fields)

    assert [q.stem for q in found.questions] == ["1?"]
    assert found.filtered == 2
    assert {"type", "year"} < fields.columns


@pytest.mark.parametrize(
    "where",
    [3, "x", {"column": "x"}, {"is": "x"}, {"column": "x", "is": 3}, {"column": "x", "filled": 1}],
    ids=str,
)
def test_a_condition_of_another_form_is_refused(where: object) -> None:
    with pytest.raises(DefinitionError, match=r"columns\.where = .*: expected one of"):
        parse_fields(COLUMNS | {"where": where})
