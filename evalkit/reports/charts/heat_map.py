"""Runs against benchmarks, or against the subjects of one: the accuracy in every cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.contestants import name_contestants
from evalkit.reports.charts.cells import Cell, draw_cells
from evalkit.reports.charts.chart import Chart, count_ends, list_spoken, sentences, slug
from evalkit.reports.charts.lettering import measure, name_in_sentence, one_line, shorten_all
from evalkit.reports.charts.page import (
    EDGE,
    NORMAL,
    SMALL,
    TINY,
    WIDTH,
    add_panel,
    new_figure,
    write,
)
from evalkit.reports.charts.rows import MOST_ROWS, WIDEST_LABEL
from evalkit.reports.tables import percent
from evalkit.reports.wording import several

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from evalkit.reports.charts.themes import Theme
    from evalkit.results import Run
    from evalkit.summaries import Summary

MOST_CELLS = 300
"""Of a chart: more numbers are no longer read, and make the file large."""

MOST_COLUMNS = 20

WIDEST_HEAD = 1.5
"""Inches for the names of columns where they are turned."""

ROOMY, TIGHT = 0.45, 0.22
"""Inches of a cell that has room for a decimal, and of one that has none for 100."""

ROW = 0.25
"""Height of a row in inches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What stands in the cells."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Summary | None, ...], ...]
    """Row by row; None: the run was not asked that."""


def chart_benchmarks(runs: Sequence[Run]) -> Chart | None:
    """Runs against benchmarks; None: there is one benchmark, or nobody was asked two of them."""
    found: dict[str, dict[str, Summary]] = {}
    for name, run in zip(name_contestants(runs), runs, strict=True):
        benchmark = run.manifest.identity.benchmark
        found.setdefault(benchmark, {})[name] = run.summary
    if len(found) < 2:
        return None
    whole = build_grid(found)
    if all(
        sum(each is not None for each in column) < 2 for column in zip(*whole.cells, strict=True)
    ):
        return None
    grid, notice = cut(whole, "benchmarks")
    return build_chart(
        grid,
        name="benchmarks",
        title=describe_leaders(whole, "benchmarks"),
        what="benchmark",
        notice=notice,
    )


def chart_subjects(runs: Sequence[Run]) -> Chart | None:
    """Runs against the subjects of their benchmark; None: it has one subject.

    Args:
        runs: of one benchmark, at least one.
    """
    found: dict[str, dict[str, Summary]] = {}
    for name, run in zip(name_contestants(runs), runs, strict=True):
        for group in run.groups:
            found.setdefault(group.name, {})[name] = group
    if len(found) < 2:
        return None
    benchmark = runs[0].manifest.identity.benchmark
    whole = build_grid(dict(sorted(found.items())))
    grid, notice = cut(whole, "subjects")
    return build_chart(
        grid,
        name=slug("subjects", benchmark),
        title=f"{name_in_sentence(benchmark)}: {describe_leaders(whole, 'subjects')}",
        what="subject",
        notice=notice,
    )


def build_grid(found: dict[str, dict[str, Summary]]) -> Grid:
    """The cells of summaries by row and column."""
    columns = tuple(dict.fromkeys(name for row in found.values() for name in row))
    return Grid(
        rows=tuple(found),
        columns=columns,
        cells=tuple(tuple(row.get(name) for name in columns) for row in found.values()),
    )


def cut(grid: Grid, what: str) -> tuple[Grid, str]:
    """A grid of not too many cells, and what was left out of it."""
    kept = min(len(grid.columns), MOST_COLUMNS)
    notice = f"The first {kept} of {len(grid.columns)} runs." if kept < len(grid.columns) else ""
    places = range(len(grid.rows))
    most = max(1, min(MOST_ROWS, MOST_CELLS // kept))
    if len(grid.rows) > most:
        widest = sorted(places, key=lambda place: -spread(grid.cells[place][:kept]))[:most]
        places = sorted(widest)  # type: ignore[assignment]
        why = "in which runs are farthest apart" if kept > 1 else "by name"
        notice = sentences(notice, f"The {most} of {len(grid.rows)} {what} {why}.")
    return (
        Grid(
            rows=tuple(grid.rows[place] for place in places),
            columns=grid.columns[:kept],
            cells=tuple(grid.cells[place][:kept] for place in places),
        ),
        notice,
    )


def spread(row: Sequence[Summary | None]) -> float:
    """How far the accuracies in a row are apart."""
    means = means_of(row)
    return max(means) - min(means) if means else 0.0


def means_of(row: Sequence[Summary | None]) -> list[float]:
    """The accuracies in a row that are known."""
    return [each.mean for each in row if each is not None and each.mean is not None]


def describe_leaders(grid: Grid, what: str) -> str:
    """Which run has the highest accuracy in most rows."""
    if len(grid.columns) == 1:
        known = [
            (mean, name)
            for name, row in zip(grid.rows, grid.cells, strict=True)
            for mean in means_of(row)
        ]
        if not known:
            return f"no reply in {len(grid.rows)} {what}"
        (low, worst), (high, best) = min(known), max(known)
        return (
            f"the accuracy is between {percent(low)} % ({name_in_sentence(worst)}) and "
            f"{percent(high)} % ({name_in_sentence(best)})"
        )
    wins = dict.fromkeys(grid.columns, 0)
    for row in grid.cells:
        means = means_of(row)
        for name, each in zip(grid.columns, row, strict=True):
            wins[name] += each is not None and bool(means) and each.mean == max(means)
    most = max(wins.values())
    leaders = [name_in_sentence(name) for name, won in wins.items() if won == most]
    if most == 0 or len(leaders) > 3:
        return f"no run has the highest accuracy in most of {len(grid.rows)} {what}"
    verb = "has" if len(leaders) == 1 else "each have"
    return f"{several(leaders)} {verb} the highest accuracy in {most} of {len(grid.rows)} {what}"


def build_chart(grid: Grid, *, name: str, title: str, what: str, notice: str) -> Chart:
    """The chart of a grid."""
    sizes = [each.asked for row in grid.cells for each in row if each is not None and each.asked]

    def draw(theme: Theme) -> Figure:
        return draw_grid(theme, grid)

    return Chart(
        name=name,
        title=title[:1].upper() + title[1:] if what == "benchmark" else title,
        caption=sentences(
            f"Accuracy in percent; the stronger the colour, the higher. n = "
            f"{count_ends(sizes or [0], 'question')} in a cell.",
            "Cells have no intervals here: with few questions, much of what they differ by is "
            "chance.",
            f"Bold: the highest of its {what}." if len(grid.columns) > 1 else "",
            notice,
        ),
        alt="Accuracies in percent: "
        + list_spoken(
            [
                f"{name_in_sentence(row)}: "
                + ", ".join(
                    f"{name_in_sentence(column)} {percent(each.mean)}"
                    for column, each in zip(grid.columns, cells, strict=True)
                    if each is not None
                )
                for row, cells in zip(grid.rows, grid.cells, strict=True)
            ]
        ),
        draw=draw,
    )


def draw_grid(theme: Theme, grid: Grid) -> Figure:
    """Draw the cells with the names of rows before them and those of columns above."""
    labels = shorten_all(grid.rows, WIDEST_LABEL, NORMAL)
    left = EDGE + max(measure(label, NORMAL) for label in labels) + 0.1
    room, count = WIDTH - left - EDGE, len(grid.columns)
    cell = min(2.2, room / count)
    heads = shorten_all(grid.columns, cell - 0.08, SMALL)
    top = EDGE + 0.24
    is_turned = heads != [one_line(name) for name in grid.columns]
    if is_turned:
        heads = shorten_all(grid.columns, WIDEST_HEAD, SMALL)
        longest = max(measure(head, SMALL) for head in heads) / math.sqrt(2)
        top = EDGE + 0.14 + longest
        # The last head goes beyond its column.
        cell = min(2.2, (room - longest) / count)
    height = ROW * len(grid.rows)
    figure = new_figure(theme, top + height + EDGE)
    panel = add_panel(figure, left, top, cell * len(grid.columns), height)
    known = [mean for row in grid.cells for mean in means_of(row)] or [0.0]
    size = NORMAL if cell > ROOMY else SMALL if cell > TIGHT else TINY
    cells = [build_cells(row, cell) for row in grid.cells]
    draw_cells(panel, theme, cells, (min(known), max(known)), size=size)
    for place, label in enumerate(labels):
        write(panel, -0.5 - 0.08 / cell, place, label, colour=theme.ink, side="right")
    for place, head in enumerate(heads):
        write(
            panel, place, -0.5 - 0.07 / ROW, head, colour=theme.ink, size=SMALL,
            side="left" if is_turned else "center", level="bottom",
            turned=45 if is_turned else 0,
        )  # fmt: skip
    return figure


def build_cells(row: Sequence[Summary | None], inches: float) -> list[Cell | None]:
    """The numbers of a row, of several the highest in bold; whole percents in narrow cells."""
    means = means_of(row)
    return [
        None
        if each is None or each.mean is None
        else Cell(
            share=each.mean,
            words=percent(each.mean) if inches > ROOMY else f"{100 * each.mean:.0f}",
            is_bold=len(row) > 1 and each.mean == max(means),
        )
        for each in row
    ]
