"""The sheets that people read through: few columns, rendered, with intervals in brackets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from evalkit.reports.comparison_sheets import PAIR, list_comparison_sheets
from evalkit.reports.import_sheets import list_import_sheets
from evalkit.reports.report import Report
from evalkit.reports.run_sheets import list_run_sheets
from evalkit.reports.sheets import Kind, Sheet, Value, render_value
from evalkit.reports.tables import clean
from evalkit.reports.wording import first_words

FLIPS_OF_PAIR, FLIPS = 20, 100
"""Flipped questions that are shown of each pair, and in all."""

WIDTH_OF_QUESTION = 80
"""Characters of a question or a reply that are shown."""

SHORTENED = ("question", "reply", "source_id", "source_answer")
"""Columns whose texts may be long."""

INTERVAL = "interval"
"""Stands for the columns `low` and `high`."""

COLUMNS = {
    "summary": (
        *("run", "benchmark", "name", "way", "n", "clusters", "accuracy", INTERVAL),
        *(
            "partial_credit",
            "chance",
            "chance_corrected",
            "rerun_error",
            "macro",
            "macro_error",
            "cost",
        ),
    ),
    "outcomes": (
        *("run", "correct", "wrong", "unparsed", "refused", "truncated", "failed", "not_asked"),
        *("if_unreadable_wrong", "if_unreadable_right"),
    ),
    "groups": ("run", "name", "group", "n", "accuracy", INTERVAL),
    "positions": ("run", "name", "position", "n", "accuracy", INTERVAL),
    "averages": None,
    "places": ("benchmark", "name", "accuracy", "best", "worst", "tied_with"),
    "comparison": (
        *("benchmark", "baseline", "candidate", "n", "difference", INTERVAL, "losses", "gains"),
        *("flips", "p_value", "test", "adjusted_p", "detectable", "readable_difference"),
        *("readable_p", "verdict"),
    ),
    "subjects": (
        *("baseline", "candidate", "group", "n", "baseline_accuracy", "candidate_accuracy"),
        *("difference", INTERVAL, "p_value", "adjusted_p", "found"),
    ),
    "flips": (
        *("candidate", "kind", "question_id", "question", "right"),
        *("baseline_picked", "candidate_picked"),
    ),
    "gates": (
        *("suite", "verdict", "used", "asked", "questions", "losses", "gains", "drop", INTERVAL),
        *("margin", "alpha", "pass_p", "fail_p", "seed"),
    ),
    "differences": (
        *("run", "source_id", "question", "right", "outcome", "choice"),
        *("source_score", "source_answer", "reply"),
    ),
}
"""By the name of a sheet; None: all. A column in which nothing is defined is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefSheet:
    """A table of texts."""

    name: str
    head: str
    title: str
    heads: tuple[str, ...]
    is_number: tuple[bool, ...]
    """Of each column, whether it belongs to the right."""
    rows: tuple[tuple[str, ...], ...]
    """Without control characters; not escaped for any format."""


def list_brief_sheets(report: Report) -> Iterator[BriefSheet]:
    """What a page shows, in its order."""
    runs = {sheet.name: sheet for sheet in list_run_sheets(report)}
    yield brief(runs["summary"])
    yield brief(
        replace(
            runs["summary"],
            name="outcomes",
            head="Replies",
            title="What came of the requests, and the accuracy if unreadable replies were all "
            "wrong or all right",
        )
    )
    for sheet in list_comparison_sheets(report):
        yield brief(sheet)
    for name in ("groups", "positions"):
        if name in runs:
            yield brief(runs[name])
    for sheet in list_import_sheets(report):
        yield brief(sheet)


def brief(sheet: Sheet) -> BriefSheet:
    """A sheet as people read it."""
    name, title = sheet.name, sheet.title
    columns = {column.name: place for place, column in enumerate(sheet.columns)}
    names = COLUMNS[name] or tuple(fold(columns))
    shown = [each for each in names if is_defined(sheet, columns.get(each, columns.get("low")))]
    rows = choose_flips(sheet.rows) if name == "flips" else sheet.rows
    title += name_units([sheet.columns[columns[each]].kind for each in shown if each in columns])
    if len(rows) < len(sheet.rows):
        title += f"; {len(rows)} of {len(sheet.rows):,} shown here"
    return BriefSheet(
        name=name,
        head=sheet.head,
        title=title,
        heads=tuple(
            "Interval" if each == INTERVAL else clean(sheet.columns[columns[each]].title)
            for each in shown
        ),
        is_number=tuple(
            each == INTERVAL or sheet.columns[columns[each]].is_number for each in shown
        ),
        rows=tuple(tuple(render_cell(sheet, row, columns, each) for each in shown) for row in rows),
    )


def choose_flips(rows: Sequence[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
    """The first flipped questions of each pair."""
    seen: Counter[tuple[Value, ...]] = Counter()
    kept = []
    for row in rows:
        pair = row[: len(PAIR)]
        seen[pair] += 1
        if seen[pair] <= FLIPS_OF_PAIR:
            kept.append(row)
    return kept[:FLIPS]


def name_units(kinds: Sequence[Kind]) -> str:
    """In what the fractions of a sheet are shown."""
    units = []
    if Kind.SHARE in kinds:
        units.append("shares in percent")
    if Kind.DIFFERENCE in kinds or Kind.POINTS in kinds:
        units.append("differences and errors in points")
    return f" ({', '.join(units)})" if units else ""


def fold(names: Sequence[str] | dict[str, int]) -> Iterator[str]:
    """Names of columns with the ends of the interval as one, its level and method left out."""
    for name in names:
        if name == "low":
            yield INTERVAL
        elif name not in ("high", "level", "method"):
            yield name


def is_defined(sheet: Sheet, place: int | None) -> bool:
    """Whether anything stands in a column."""
    return place is not None and any(row[place] is not None for row in sheet.rows)


def render_cell(sheet: Sheet, row: tuple[Value, ...], columns: dict[str, int], name: str) -> str:
    """A cell without control characters."""
    if name == INTERVAL:
        low, high = (row[columns[end]] for end in ("low", "high"))
        if low is None or high is None:
            return "-"
        # Ends have no sign of their own: a bracket says that they are an interval.
        kind = Kind.POINTS
        return f"[{render_value(low, kind)}, {render_value(high, kind)}]"
    place = columns[name]
    text = render_value(row[place], sheet.columns[place].kind)
    return first_words(text, WIDTH_OF_QUESTION) if name in SHORTENED else clean(text)
