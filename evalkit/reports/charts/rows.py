"""Rows of dots with their intervals, a name before each and its numbers behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.reports.charts.axes import (
    AXIS_HEIGHT,
    nice_ticks,
    number_ticks,
    scale_across,
)
from evalkit.reports.charts.lettering import measure, shorten, shorten_all
from evalkit.reports.charts.page import (
    EDGE,
    NORMAL,
    SMALL,
    WIDTH,
    add_panel,
    draw_box,
    draw_dot,
    draw_line,
    new_figure,
    write,
)
from evalkit.reports.charts.themes import Theme
from evalkit.reports.wording import bracket, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evalkit.stats.intervals import Interval

MOST_ROWS = 60
"""Of a chart: more are no longer read, and no longer fit a page."""

ROW = 0.24
"""Height of a row in inches."""

WIDEST_LABEL = 2.3
"""Inches for names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the chart."""

    label: str
    """Untrusted."""
    value: float | None = None
    """A fraction; None: a heading."""
    interval: Interval | None = None
    """None: there is none, and the dot is hollow."""
    words: str = ""
    """What stands behind the row."""
    reference: float | None = None
    """Where a dashed line crosses the row."""
    is_main: bool = False
    """Whether it is what the others are parts of."""
    is_weak: bool = False
    """Whether it is only shown beside the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The axis below the rows."""

    words: str
    zero: bool = False
    """Whether a line marks 0."""
    margin: float | None = None
    """The largest drop that is no regression, drawn as a band below 0."""
    lowest: float = -1.0
    """What no number can be below, a fraction."""
    highest: float = 1.0


def render_value(value: float, interval: Interval | None, *, signed: bool = False) -> str:
    """A number with its interval, in percent or points.

    Example:
        >>> render_value(0.125, None, signed=True)
        '+12.5'
    """
    words = points(value, signed=signed)
    return words if interval is None else f"{words} {bracket(interval)}"


def find_range(rows: Sequence[Row], scale: Scale) -> tuple[float, float]:
    """The ends of the axis as fractions, with a little room."""
    seen = [0.0] if scale.zero else []
    for row in rows:
        seen += [] if row.value is None else [row.value]
        seen += [] if row.reference is None else [row.reference]
        seen += [] if row.interval is None else [row.interval.low, row.interval.high]
    if scale.margin is not None:
        seen.append(-scale.margin)
    low, high = min(seen), max(seen)
    room = max(0.01, 0.04 * (high - low))
    return max(scale.lowest, low - room), min(scale.highest, high + room)


def draw_rows(theme: Theme, rows: Sequence[Row], scale: Scale) -> Figure:
    """Draw rows below each other, the first one on top."""
    right = EDGE + max(measure(row.words, SMALL) for row in rows) + 0.14
    labels = label_rows(rows, WIDTH - EDGE - right)
    left = EDGE + 0.16
    left += max(
        measure(label, NORMAL, bold=row.is_main)
        for row, label in zip(rows, labels, strict=True)
        if row.value is not None
    )
    top, height = EDGE, ROW * len(rows)
    figure = new_figure(theme, top + height + AXIS_HEIGHT)
    panel = add_panel(figure, left, top, WIDTH - left - right, height)
    low, high = find_range(rows, scale)
    panel.set_xlim(100 * low, 100 * high)
    panel.set_ylim(len(rows) - 0.5, -0.5)
    ticks = nice_ticks(100 * low, 100 * high)
    scale_across(panel, theme, ticks, number_ticks(ticks), scale.words)
    draw_lines(panel, theme, scale, len(rows))
    width = WIDTH - left - right
    start, offset, behind = (EDGE - left) / width, 0.16 / width, 1 + 0.14 / width
    for place, (row, label) in enumerate(zip(rows, labels, strict=True)):
        is_heading = row.value is None
        colour = theme.muted if row.is_weak and not is_heading else theme.ink
        write(
            panel, start if is_heading else -offset, place, label, colour=colour,
            side="left" if is_heading else "right", bold=row.is_main or is_heading, across=True,
        )  # fmt: skip
        write(
            panel, behind, place, row.words, colour=theme.muted if is_heading else colour,
            size=SMALL, across=True,
        )  # fmt: skip
        draw_row(panel, theme, place, row)
        if is_heading:
            # No line runs through it.
            ends = panel.get_xlim()
            draw_box(
                panel, ends[0], place - 0.5, ends[1] - ends[0], 1, colour=theme.paper,
                edge=theme.paper, zorder=2,
            )  # fmt: skip
    return figure


def label_rows(rows: Sequence[Row], widest: float) -> list[str]:
    """What stands before the rows, cut to the room there is.

    Args:
        rows: of the chart.
        widest: inches for a heading, which has no dot beside it.
    """
    names = shorten_all([row.label for row in rows if row.value is not None], WIDEST_LABEL, NORMAL)
    cut = iter(names)
    return [
        shorten(row.label, widest, NORMAL, bold=True) if row.value is None else next(cut)
        for row in rows
    ]


def draw_lines(panel: Axes, theme: Theme, scale: Scale, count: int) -> None:
    """The line at 0, and the band of drops that are within the margin."""
    if scale.margin is not None:
        margin = 100 * scale.margin
        draw_box(panel, -margin, -0.5, margin, count, colour=theme.band, zorder=-1)
        draw_line(
            panel, [-margin, -margin], [-0.5, count - 0.5], color=theme.second, linestyle="--",
            linewidth=1.0, zorder=1,
        )  # fmt: skip
    if scale.zero:
        draw_line(panel, [0, 0], [-0.5, count - 0.5], color=theme.ink, zorder=1)


def draw_row(panel: Axes, theme: Theme, place: float, row: Row) -> None:
    """The dot of a row, its interval, and the dashed line that crosses it."""
    if row.reference is not None:
        at = 100 * row.reference
        draw_line(
            panel, [at, at], [place - 0.5, place + 0.5], color=theme.muted, linestyle=(0, (3, 2)),
            zorder=1,
        )  # fmt: skip
    if row.value is None:
        return
    colour = theme.weak if row.is_weak else theme.accent
    if row.interval is not None:
        draw_line(
            panel, [100 * row.interval.low, 100 * row.interval.high], [place, place],
            color=colour, linewidth=2.6 if row.is_main else 1.8, zorder=3,
        )  # fmt: skip
    draw_dot(
        panel, 100 * row.value, place, colour, theme, filled=row.interval is not None,
        shape="D" if row.is_main else "o", size=6.0 if row.is_main else 5.0,
    )  # fmt: skip
