"""Sheets as tables of a page: what most people want to see, the rest at the press of a button."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evalkit.reports.sheets import Kind, Sheet, render_value
from evalkit.reports.tables import clean

MOST_ROWS = 1000
"""Rows of a table; files for programs hold all of them."""

SHORT = 32
"""Characters of a text up to which its line is not broken; a longer one gets room for as many."""

SHOWN: Mapping[str, str] = {
    "summary": (
        "run benchmark name n accuracy low high correct wrong unparsed refused truncated failed "
        "not_asked way cost"
    ),
    "groups": "benchmark name group n accuracy low high",
    "positions": "benchmark name position n accuracy low high",
    "comparison": (
        "benchmark baseline candidate n baseline_accuracy candidate_accuracy difference low high "
        "losses gains p_value adjusted_p verdict"
    ),
    "subjects": (
        "benchmark baseline candidate group n baseline_accuracy candidate_accuracy difference low "
        "high adjusted_p found"
    ),
    "gates": ("suite verdict used asked questions losses gains drop low high margin sentence"),
}
"""The columns for people of each sheet; of others all."""

WHEN_DIFFERENT = frozenset({"benchmark"})
"""Columns that say nothing where all rows have the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The head of a column."""

    title: str
    classes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A sheet as text, cell by cell."""

    name: str
    head: str
    title: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int
    """Rows of the sheet, of which not all may be here."""

    @property
    def has_extra(self) -> bool:
        """Whether there are columns that are hidden at first."""
        return any("extra" in heading.classes for heading in self.headings)


def build_table(sheet: Sheet) -> Table:
    """A sheet as a table; columns in which nothing is defined are left out.

    Args:
        sheet: with at least one row.
    """
    places = [
        place
        for place in range(len(sheet.columns))
        if any(row[place] is not None for row in sheet.rows)
    ]
    names = [column.name for column in sheet.columns]
    wanted = SHOWN[sheet.name].split() if sheet.name in SHOWN else names
    headings = []
    for place in places:
        column = sheet.columns[place]
        values = {row[place] for row in sheet.rows[:MOST_ROWS]}
        is_same = column.name in WHEN_DIFFERENT and len(values) == 1
        longest = max(len(value) if isinstance(value, str) else 0 for value in values)
        classes = [
            "number" if column.is_number else "name" if longest <= SHORT else "words",
            "" if column.name in wanted and not is_same else "extra",
        ]
        headings.append(Heading(title=clean(column.title), classes=" ".join(filter(None, classes))))
    kinds = [column.kind for column in sheet.columns]
    return Table(
        name=sheet.name,
        head=sheet.head,
        title=clean(sheet.title),
        headings=tuple(headings),
        rows=tuple(
            tuple(clean(render_cell(row[place], kinds[place])) for place in places)
            for row in sheet.rows[:MOST_ROWS]
        ),
        total=len(sheet.rows),
    )


def render_cell(value: str | float | bool | None, kind: Kind) -> str:
    """A cell for people, with a minus sign that is as wide as a plus."""
    text = render_value(value, kind)
    is_negative = kind not in (Kind.TEXT, Kind.FLAG) and text[:1] == "-" and len(text) > 1
    return f"\N{MINUS SIGN}{text[1:]}" if is_negative else text
