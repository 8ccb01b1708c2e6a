"""What being right costs: dollars for 1,000 questions against accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.contestants import name_contestants
from evalkit.reports.charts.accuracies import describe_intervals
from evalkit.reports.charts.axes import (
    AXIS_HEIGHT,
    nice_ticks,
    number_ticks,
    scale_across,
    scale_up,
)
from evalkit.reports.charts.chart import Chart, list_spoken, sentences, slug
from evalkit.reports.charts.lettering import measure, name_in_sentence, shorten_all
from evalkit.reports.charts.page import (
    EDGE,
    SMALL,
    TINY,
    WIDTH,
    add_panel,
    draw_dot,
    draw_line,
    new_figure,
    write,
)
from evalkit.reports.charts.rows import render_value
from evalkit.reports.charts.themes import contrast_with
from evalkit.reports.tables import percent
from evalkit.reports.wording import bracket, count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evalkit.reports.charts.themes import Theme
    from evalkit.results import Run
    from evalkit.stats.intervals import Interval

MOST_POINTS = 26

WIDE = 8.0
"""How many times as much the dearest has to cost as the cheapest for a logarithmic axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A run whose cost is known."""

    name: str
    cost: float
    """Dollars for 1,000 questions that got a reply."""
    mean: float
    """Accuracy, a fraction."""
    interval: Interval | None
    n: int


def chart_costs(runs: Sequence[Run]) -> Chart | None:
    """Cost against accuracy; None: of no run both are known, or none has cost anything.

    Args:
        runs: of one benchmark, at least one.
    """
    found = [
        Point(
            name=name,
            cost=1000 * run.cost / run.summary.asked,
            mean=run.summary.mean,
            interval=run.summary.accuracy,
            n=run.summary.asked,
        )
        for name, run in zip(name_contestants(runs), runs, strict=True)
        if run.cost is not None and run.summary.mean is not None
    ]
    if not any(point.cost for point in found):
        return None
    found.sort(key=lambda point: (point.cost, point.name))
    kept = found[:MOST_POINTS]
    unpriced = len(runs) - len(found)

    def draw(theme: Theme) -> Figure:
        return draw_points(theme, kept)

    benchmark = runs[0].manifest.identity.benchmark
    return Chart(
        name=slug("costs", benchmark),
        title=describe_costs(found, benchmark),
        caption=sentences(
            "Dollars for 1,000 questions that got a reply, at the prices in the runs' manifests"
            + ("; the axis is logarithmic." if is_wide(kept) else "."),
            describe_intervals(point.interval for point in found),
            f"Left out, without a price or a reply: {count(unpriced, 'run')}." if unpriced else "",
            f"The {len(kept)} cheapest of {len(found)} runs are shown."
            if len(kept) < len(found)
            else "",
        ),
        alt="Dollars for 1,000 questions and accuracy in percent: "
        + list_spoken(
            [
                f"{name_in_sentence(point.name)} {render_dollars(point.cost)}, "
                f"{render_value(point.mean, point.interval)}"
                for point in found
            ]
        ),
        draw=draw,
    )


def is_wide(points: Sequence[Point]) -> bool:
    """Whether costs are so far apart that a logarithmic axis shows them better."""
    costs = [point.cost for point in points]
    return min(costs) > 0 and max(costs) > WIDE * min(costs)


def describe_costs(found: Sequence[Point], benchmark: str) -> str:
    """Which run costs least, and which is right most often."""
    where = name_in_sentence(benchmark)
    cheap, best = found[0], max(found, key=lambda point: point.mean)
    ends = "" if best.interval is None else f" {bracket(best.interval)}"
    right = f"{percent(best.mean)} %{ends}"
    if len(found) == 1:
        return (
            f"{name_in_sentence(best.name)} is right on {right} of {where} for "
            f"{render_dollars(best.cost)} per 1,000 questions"
        )
    if cheap is best:
        return (
            f"{name_in_sentence(best.name)} costs least on {where}, {render_dollars(best.cost)} "
            f"per 1,000 questions, and has the highest accuracy, {right}"
        )
    return (
        f"{name_in_sentence(best.name)} has the highest accuracy on {where}, {right}, for "
        f"{render_dollars(best.cost)} per 1,000 questions; {name_in_sentence(cheap.name)} costs "
        f"least, {render_dollars(cheap.cost)}, at {percent(cheap.mean)} %"
    )


def draw_points(theme: Theme, points: Sequence[Point]) -> Figure:
    """Draw numbered points, and beside them who they are."""
    names = shorten_all([point.name for point in points], 1.75, SMALL)
    key = max(1.3, 0.26 + max(measure(name, SMALL) for name in names))
    left = EDGE + 0.7
    width = WIDTH - left - key - EDGE - 0.25
    height = max(2.6, 0.32 * len(points))
    figure = new_figure(theme, EDGE + height + AXIS_HEIGHT)
    panel = add_panel(figure, left, EDGE, width, height)
    wide = is_wide(points)
    costs = [math.log10(point.cost) if wide else point.cost for point in points]
    set_ends(panel, points, costs, starts_at_zero=not wide)
    ticks = find_ticks(*panel.get_xlim()) if wide else nice_ticks(*panel.get_xlim(), most=5)
    labels = (
        [render_dollars(10**tick) for tick in ticks]
        if wide
        else [f"${tick}" for tick in number_ticks(ticks)]
    )
    scale_across(panel, theme, ticks, labels, "dollars for 1,000 questions")
    marks = nice_ticks(*panel.get_ylim(), most=6)
    scale_up(panel, theme, marks, number_ticks(marks), "accuracy in percent")
    for number, (x, point) in enumerate(zip(costs, points, strict=True), 1):
        if point.interval is not None:
            draw_line(
                panel, [x, x], [100 * point.interval.low, 100 * point.interval.high],
                color=theme.accent, linewidth=1.8, zorder=3,
            )  # fmt: skip
        draw_dot(panel, x, 100 * point.mean, theme.accent, theme, size=11.0)
        write(
            panel, x, 100 * point.mean, str(number), colour=contrast_with(theme.accent),
            size=TINY, side="center", bold=True,
        )  # fmt: skip
    draw_names(figure, theme, points, names, (left + width + 0.25, key, height))
    return figure


def draw_names(
    figure: Figure,
    theme: Theme,
    points: Sequence[Point],
    names: Sequence[str],
    place: tuple[float, float, float],
) -> None:
    """Say which number is which run, with its numbers.

    Args:
        figure: where.
        theme: the colours.
        points: in their order.
        names: as short as they have to be.
        place: left, width and most height of the list, in inches.
    """
    left, width, most = place
    step = min(0.34, most / len(points))
    panel = add_panel(figure, left, EDGE, width, step * len(points))
    panel.set_xlim(0, width)
    panel.set_ylim(len(points) - 0.5, -0.5)
    for at, (point, name) in enumerate(zip(points, names, strict=True)):
        write(panel, 0.16, at - 0.2, str(at + 1), colour=theme.ink, size=SMALL, side="right",
              bold=True)  # fmt: skip
        write(panel, 0.24, at - 0.2, name, colour=theme.ink, size=SMALL)
        write(
            panel, 0.24, at + 0.2, f"{render_dollars(point.cost)}, {percent(point.mean)} %",
            colour=theme.muted, size=TINY,
        )  # fmt: skip


def set_ends(
    panel: Axes, points: Sequence[Point], costs: Sequence[float], *, starts_at_zero: bool
) -> None:
    """Set the ends of both axes with a little room around what is drawn."""
    low, high = min(costs), max(costs)
    room = 0.08 * (high - low) or 0.5
    panel.set_xlim(0.0 if starts_at_zero else low - room, high * 1.08 if starts_at_zero
                   else high + room)  # fmt: skip
    seen = [point.mean for point in points]
    for point in points:
        seen += [] if point.interval is None else [point.interval.low, point.interval.high]
    room = max(0.01, 0.08 * (max(seen) - min(seen)))
    panel.set_ylim(100 * max(-0.02, min(seen) - room), 100 * min(1.02, max(seen) + room))


def find_ticks(low: float, high: float) -> list[float]:
    """Round amounts on a logarithmic axis, as logarithms: at most eight.

    Example:
        >>> [round(10 ** tick, 3) for tick in find_ticks(-1.2, 0.8)]
        [0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
    """
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [
            math.log10(digit) + power
            for power in range(math.floor(low), math.ceil(high) + 1)
            for digit in digits
        ]
        found = [tick for tick in ticks if low <= tick <= high]
        if len(found) <= 7:
            break
    return found


def render_dollars(amount: float) -> str:
    """An amount with two digits at least.

    Example:
        >>> render_dollars(0.3), render_dollars(20.000000001), render_dollars(0.00321)
        ('$0.30', '$20.00', '$0.0032')
    """
    if amount == 0 or amount >= 0.1:
        return f"${amount:,.2f}"
    digits = 1 - math.floor(math.log10(amount))
    return f"${amount:.{digits}f}"
