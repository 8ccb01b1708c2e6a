"""Whether a run is as often right as its confidence says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.errors import UsageError
from evalkit.reports.charts.axes import (
    AXIS_HEIGHT,
    nice_ticks,
    number_ticks,
    scale_across,
    scale_up,
)
from evalkit.reports.charts.chart import Chart, count_ends, list_spoken, sentences, slug
from evalkit.reports.charts.lettering import name_in_sentence
from evalkit.reports.charts.page import (
    EDGE,
    SMALL,
    WIDTH,
    add_panel,
    draw_dot,
    draw_line,
    new_figure,
    write,
)
from evalkit.reports.tables import percent
from evalkit.reports.wording import bracket, points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from evalkit.confidence import Calibration
    from evalkit.reports.charts.themes import Theme
    from evalkit.results import Run
    from evalkit.stats.reliability import Reliability

SIDE = 3.2
"""Inches of the square."""


def chart_reliability(name: str, run: Run) -> Chart | None:
    """Confidence against accuracy; None: the run tells of no confidence, or of too coarse a one.

    Args:
        name: of the run, which no other has.
        run: with several answers to each question.
    """
    try:
        found = run.calibration()
    except UsageError:
        return None
    if found.reliability is None:
        return None
    return build_chart(name, run.manifest.identity.run_id, found, found.reliability)


def build_chart(name: str, run_id: str, found: Calibration, table: Reliability) -> Chart:
    """The chart of a table of bins."""
    brier = found.brier
    ends = ""
    if brier.interval is not None:
        ends = (
            f" [{brier.interval.low:.3f}, {brier.interval.high:.3f}] ({brier.interval.method}, "
            f"{100 * brier.interval.level:.4g} %)"
        )
    beyond = "more than" if table.is_beyond_chance else "within"

    def draw(theme: Theme) -> Figure:
        return draw_bins(theme, table)

    return Chart(
        name=slug("reliability", run_id),
        title=(
            f"{name_in_sentence(name)}: confidence and accuracy are {points(table.ece)} points "
            f"apart on average, {beyond} what a perfectly calibrated model would show"
        ),
        caption=sentences(
            f"Confidence: {found.source}. Dots: picks in bins of "
            f"{count_ends([each.n for each in table.bins], 'question')} of {found.n:,}, with the "
            "95 % Wilson interval; on the dashed line they would be as often right as they are "
            "sure.",
            f"Brier score over all choices {brier.mean:.3f}{ends}, n = {brier.n:,}.",
            f"ECE {points(table.ece)} points; of a perfectly calibrated model "
            f"{points(table.perfect_ece)} on average, above {points(table.perfect_ece_high)} in "
            "1 of 20 cases; not to be compared with that of another number of answers.",
        ),
        alt="Confidence and accuracy of the bins in percent: "
        + list_spoken(
            [
                f"{percent(each.confidence)} and {percent(each.accuracy.estimate)} "
                f"{bracket(each.accuracy)}"
                for each in table.bins
            ]
        ),
        draw=draw,
    )


def draw_bins(theme: Theme, table: Reliability) -> Figure:
    """Draw the bins, and beside them their sizes."""
    left, top = EDGE + 0.7, EDGE
    figure = new_figure(theme, top + SIDE + AXIS_HEIGHT)
    panel = add_panel(figure, left, top, SIDE, SIDE)
    seen = [each.confidence for each in table.bins]
    seen += [end for each in table.bins for end in (each.accuracy.low, each.accuracy.high)]
    low = max(0.0, min(seen) - 0.03)
    panel.set_xlim(100 * low, 100)
    panel.set_ylim(100 * low, 100)
    ticks = nice_ticks(100 * low, 100, most=6)
    scale_across(panel, theme, ticks, number_ticks(ticks), "confidence in percent")
    scale_up(panel, theme, ticks, number_ticks(ticks), "right in percent")
    draw_line(
        panel, [100 * low, 100], [100 * low, 100], color=theme.muted, linestyle=(0, (3, 2)),
        zorder=1,
    )  # fmt: skip
    for each in table.bins:
        x = 100 * each.confidence
        draw_line(
            panel, [x, x], [100 * each.accuracy.low, 100 * each.accuracy.high],
            color=theme.accent, linewidth=1.8, zorder=3,
        )  # fmt: skip
        draw_dot(panel, x, 100 * each.accuracy.estimate, theme.accent, theme, size=5.0)
    draw_table(figure, theme, table, left + SIDE + 0.35)
    return figure


def draw_table(figure: Figure, theme: Theme, table: Reliability, left: float) -> None:
    """Say the numbers of the bins beside the square, the surest on top as in it."""
    rows = table.bins[::-1]
    step = 0.22
    panel = add_panel(figure, left, EDGE + 0.02, WIDTH - left - EDGE, step * (len(rows) + 1))
    panel.set_xlim(0, WIDTH - left - EDGE)
    panel.set_ylim(len(rows) + 0.5, -0.5)
    ends = (0.75, 1.3, 2.45)
    for x, head in zip(ends, ("confidence", "n", "right"), strict=True):
        write(panel, x, 0, head, colour=theme.muted, size=SMALL, side="right")
    for place, each in enumerate(rows, 1):
        cells = (
            percent(each.confidence),
            f"{each.n:,}",
            f"{percent(each.accuracy.estimate)} {bracket(each.accuracy)}",
        )
        for x, words in zip(ends, cells, strict=True):
            write(panel, x, place, words, colour=theme.ink, size=SMALL, side="right")
