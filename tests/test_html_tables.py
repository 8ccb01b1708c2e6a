"""Sheets as tables: what people want to see first, and all of it."""

from __future__ import annotations

import pytest

from evalkit.reports.html.tables import MOST_ROWS, SHORT, build_table, render_cell
from evalkit.reports.sheets import Column, Kind, Sheet, Value


def sheet_of(*rows: tuple[Value, ...], name: str = "other", **columns: Kind) -> Sheet:
    """A sheet with these columns."""
    return Sheet(
        name=name,
        head="Head",
        title="Title",
        columns=tuple(Column(name=each, title=each, kind=kind) for each, kind in columns.items()),
        rows=rows,
    )


def test_columns_for_people_are_shown_and_the_others_at_the_press_of_a_button() -> None:
    sheet = sheet_of(
        ("m", 0.5, 0.95), name="groups", name_=Kind.TEXT, n=Kind.COUNT, level=Kind.SHARE
    )
    table = build_table(sheet)
    assert [heading.classes for heading in table.headings] == [
        "name extra",
        "number",
        "number extra",
    ]
    assert table.has_extra
    assert not build_table(sheet_of(("a",), x=Kind.TEXT)).has_extra


def test_a_column_in_which_nothing_is_defined_is_left_out() -> None:
    table = build_table(sheet_of((None, 1), (None, None), a=Kind.SHARE, b=Kind.COUNT))
    assert [heading.title for heading in table.headings] == ["b"]
    assert table.rows == (("1",), ("-",))


@pytest.mark.parametrize(("names", "is_shown"), [(("exam", "exam"), False), (("exam", "x"), True)])
def test_the_benchmark_is_told_where_there_are_several(
    names: tuple[str, str], is_shown: bool
) -> None:
    table = build_table(sheet_of(*((name,) for name in names), benchmark=Kind.TEXT))
    assert ("extra" not in table.headings[0].classes) is is_shown


@pytest.mark.parametrize(("length", "classes"), [(SHORT, "name"), (SHORT + 1, "words")])
def test_long_texts_get_room_and_short_ones_stay_on_a_line(length: int, classes: str) -> None:
    assert build_table(sheet_of(("x" * length,), a=Kind.TEXT)).headings[0].classes == classes


def test_a_sheet_with_very_many_rows_is_cut_and_says_so() -> None:
    table = build_table(sheet_of(*((number,) for number in range(MOST_ROWS + 1)), n=Kind.COUNT))
    assert (len(table.rows), table.total) == (MOST_ROWS, MOST_ROWS + 1)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (-0.02, Kind.DIFFERENCE, "−2.0"),
        (0.02, Kind.DIFFERENCE, "+2.0"),
        (None, Kind.COUNT, "-"),
        ("-x", Kind.TEXT, "-x"),
        (True, Kind.FLAG, "yes"),
        (0.0001, Kind.P_VALUE, "<0.001"),
    ],
)
def test_a_cell_has_a_minus_sign_where_it_is_a_number(value: Value, kind: Kind, text: str) -> None:
    assert render_cell(value, kind) == text


def test_no_control_character_comes_through() -> None:
    table = build_table(sheet_of(("a\x00\u202eb\ud800",), a=Kind.TEXT))
    assert table.rows == (("a\ufffd\ufffdb\ufffd",),)
