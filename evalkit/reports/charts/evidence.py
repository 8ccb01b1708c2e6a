"""How a gate came to its verdict: the wealth of its two bettors, question after question."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.reports.charts.axes import (
    AXIS_HEIGHT,
    nice_ticks,
    number_ticks,
    scale_across,
    scale_up,
)
from evalkit.reports.charts.chart import Chart, sentences, slug
from evalkit.reports.charts.lettering import measure, name_in_sentence, one_line
from evalkit.reports.charts.page import (
    EDGE,
    SMALL,
    WIDTH,
    add_panel,
    draw_line,
    new_figure,
    write,
)
from evalkit.reports.gate import describe_verdict, percent, points
from evalkit.stats.verdicts import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evalkit.gate_records import GateRecord
    from evalkit.reports.charts.themes import Theme

HEIGHT = 2.7
"""Inches of the panel."""

MOST_PARTS = 400
"""Stretches of questions, of each of which the lowest and the highest wealth are drawn."""

LOWEST, HIGHEST = math.log(1e-3), math.log(1e5)
"""Of what is drawn, as logarithms; beyond, the lines run along the edge."""


def chart_evidence(record: GateRecord) -> Chart | None:
    """The evidence of a gate against its bounds; None: it has used no answer.

    Args:
        record: of a gate that was just held, or computed again by `replay_run`, which gives the
            recorded scores to the pure gate.
    """
    passing, failing = record.trace
    if not len(passing):
        return None
    terms = record.plan.terms
    fail = terms.margin if terms.fail_margin is None else terms.fail_margin
    decided = find_decision(record)

    def draw(theme: Theme) -> Figure:
        return draw_evidence(theme, record, decided)

    beyond = [*passing, *failing]
    return Chart(
        name=slug("gate", record.plan.id),
        title=describe_gate(record, decided),
        caption=sentences(
            describe_verdict(shorten_names(record)),
            f"Each line is the wealth of a bettor that starts with 1: one gains if the drop is at "
            f"most {points(terms.margin)} points, the other if it is more than {points(fail)}. "
            f"{describe_bounds(record)}",
            f"n = {record.used:,} of {record.plan.size:,} questions, baseline "
            f"{name_in_sentence(record.plan.baseline)}.",
            "What goes beyond the edge is drawn along it."
            if min(beyond) < LOWEST or max(beyond) > HIGHEST
            else "",
        ),
        alt=(
            f"Wealth after {record.used:,} questions: {render_wealth(record.pass_evidence)} of "
            f"{math.exp(record.pass_limit):,.4g} for no regression, "
            f"{render_wealth(record.fail_evidence)} of {math.exp(record.fail_limit):,.4g} for "
            "regressed."
        ),
        draw=draw,
    )


def shorten_names(record: GateRecord) -> GateRecord:
    """The same with names and messages that are no longer than a caption has room for."""
    plan = replace(record.plan, suite=name_in_sentence(record.plan.suite))
    return replace(record, plan=plan, reason=one_line(record.reason))


def describe_gate(record: GateRecord, decided: int | None) -> str:
    """The verdict in a few words, and after how many questions it fell."""
    plan, suite = record.plan, name_in_sentence(record.plan.suite)
    terms = plan.terms
    fail = points(terms.margin if terms.fail_margin is None else terms.fail_margin)
    used, full, verdict = decided or record.used, "", record.verdict
    if record.full is not None and verdict is not Verdict.INVALID:
        used, verdict = record.used, record.full.verdict
        full = " (full run, for questions like these)"
    after = f"after {used:,} of {plan.size:,} questions"
    match verdict:
        case Verdict.REGRESSED:
            return f"Regressed: accuracy on {suite} fell by more than {fail} points, {after}{full}"
        case Verdict.NO_REGRESSION:
            return f"No regression beyond {points(terms.margin)} points on {suite}, {after}{full}"
        case Verdict.INCONCLUSIVE:
            return f"Inconclusive on {suite} {after}{full}"
        case Verdict.INVALID:
            return f"Invalid: a request failed for good on {suite}, {after}"
        case _:
            return f"No verdict yet on {suite} {after}"


def describe_bounds(record: GateRecord) -> str:
    """What the bounds are, and why that of a regression may be the higher one."""
    terms = record.plan.terms
    alpha, bound = percent(terms.alpha), f"{math.exp(record.pass_limit):,.4g}"
    words = f"One that reaches {bound} has shown it at an error of {alpha}"
    if terms.suites > 1:
        words = (
            f"At {bound} the first has shown it at an error of {alpha}, at "
            f"{math.exp(record.fail_limit):,.4g} the second, as one of {terms.suites} suites"
        )
    return f"{words}, valid at every question (betting, without replacement)."


def render_wealth(evidence: float) -> str:
    """A wealth from its logarithm.

    Example:
        >>> render_wealth(0.0), render_wealth(-10.0), render_wealth(3.0)
        ('1', 'less than 0.001', '20.1')
    """
    if evidence < LOWEST:
        return "less than 0.001"
    return (
        f"more than {math.exp(HIGHEST):,.0f}"
        if evidence > HIGHEST
        else (f"{math.exp(evidence):,.3g}")
    )


def find_decision(record: GateRecord) -> int | None:
    """After which question the gate's own verdict fell; None: it has none that a question told.

    Where all questions were asked all the same, it is the first at which a bound was reached; a
    verdict that was certain before that is not found.
    """
    if record.verdict not in (Verdict.REGRESSED, Verdict.NO_REGRESSION):
        return None
    if not record.asks_all:
        return record.used
    is_pass = record.verdict is Verdict.NO_REGRESSION
    trace = record.trace[0 if is_pass else 1]
    limit = record.pass_limit if is_pass else record.fail_limit
    # The trace is rounded.
    return next((place for place, each in enumerate(trace, 1) if each >= limit - 1e-4), None)


def thin_out(trace: Sequence[float]) -> tuple[list[int], list[float]]:
    """So many points of a line that none of its peaks is lost, from (0, 0) on.

    Example:
        >>> thin_out([0.5, 0.75])
        ([0, 1, 2], [0.0, 0.5, 0.75])
    """
    step = max(1, len(trace) // MOST_PARTS)
    places = {0, len(trace) - 1}
    for start in range(0, len(trace), step):
        part = range(start, min(start + step, len(trace)))
        places |= {min(part, key=trace.__getitem__), max(part, key=trace.__getitem__)}
    kept = sorted(places)
    return [0, *(place + 1 for place in kept)], [0.0, *(trace[place] for place in kept)]


def draw_evidence(theme: Theme, record: GateRecord, decided: int | None) -> Figure:
    """Draw both lines with their bounds; the vertical axis is logarithmic."""
    names = ("no regression", "regressed")
    left = EDGE + 0.75
    right = EDGE + 0.1 + max(measure(name, SMALL, bold=True) for name in names)
    top = EDGE + 0.2
    figure = new_figure(theme, top + HEIGHT + AXIS_HEIGHT)
    width = WIDTH - left - right
    panel = add_panel(figure, left, top, width, HEIGHT)
    lines = [thin_out(trace) for trace in record.trace]
    limits = record.pass_limit, record.fail_limit
    seen = [each for _, line in lines for each in line]
    low = max(LOWEST, min(-1.0, *seen)) - 0.15
    high = min(HIGHEST, max(*limits, *seen)) + 0.5
    last = len(record.trace[0])
    panel.set_xlim(0, last)
    panel.set_ylim(low, high)
    ticks = nice_ticks(0, last)
    scale_across(
        panel, theme, [tick for tick in ticks if tick == int(tick)],
        [label for tick, label in zip(ticks, number_ticks(ticks), strict=True)
         if tick == int(tick)], "questions used",
    )  # fmt: skip
    powers = [10.0**power for power in range(-3, 6) if low <= power * math.log(10) <= high]
    scale_up(
        panel, theme, list(map(math.log, powers)), [f"{power:,g}" for power in powers],
        "wealth, logarithmic",
    )  # fmt: skip
    colours, dashes = (theme.accent, theme.second), ("-", (0, (5, 1.5)))
    ends = []
    for (x, y), colour, dash in zip(lines, colours, dashes, strict=True):
        clipped = [min(high, max(low, each)) for each in y]
        draw_line(panel, x, clipped, color=colour, linestyle=dash, linewidth=1.6, zorder=3)
        ends.append(clipped[-1])
    draw_bounds(panel, theme, limits, last, width)
    gap = SMALL * 1.3 / 72 * (high - low) / HEIGHT
    for place, name, colour in zip(spread_apart(ends, gap), names, colours, strict=True):
        write(
            panel, 1 + 0.06 / width, place, name, colour=colour, size=SMALL, bold=True, across=True
        )
    if decided is not None:
        draw_decision(panel, theme, decided, (low, high), last)
    return figure


def draw_bounds(
    panel: Axes, theme: Theme, limits: tuple[float, float], last: int, width: float
) -> None:
    """Draw the bounds; where both are one, it is one line."""
    both = dict.fromkeys(limits)
    words = (
        {limits[0]: "no regression", limits[1]: "regressed"}
        if len(both) > 1
        else {limits[0]: "bound"}
    )
    for limit in both:
        draw_line(
            panel, [0, last], [limit, limit], color=theme.ink, linestyle=(0, (1, 1.5)),
            linewidth=1.2, zorder=2,
        )  # fmt: skip
        said = words[limit] if len(both) == 1 else f"bound of {words[limit]}"
        write(
            panel, 0.06 / width, limit, f"{said}: {math.exp(limit):,.4g}", colour=theme.ink,
            size=SMALL, level="bottom", across=True,
        )  # fmt: skip


def draw_decision(
    panel: Axes, theme: Theme, decided: int, ends: tuple[float, float], last: int
) -> None:
    """Mark the question at which the verdict fell."""
    low, high = ends
    draw_line(panel, [decided, decided], [low, high], color=theme.ink, linewidth=1.0, zorder=2)
    is_right = decided > last / 2
    write(
        panel, decided, high + 0.02 * (high - low), f"verdict at question {decided:,}",
        colour=theme.ink, size=SMALL, side="right" if is_right else "left", level="bottom",
    )  # fmt: skip


def spread_apart(places: Sequence[float], gap: float) -> list[float]:
    """Two places moved apart so that words at them don't touch.

    Example:
        >>> spread_apart([1.0, 1.0], 2.0), spread_apart([5.0, 1.0], 2.0)
        ([2.0, 0.0], [5.0, 1.0])
    """
    first, second = places
    lacking = gap - abs(first - second)
    if lacking <= 0:
        return [first, second]
    up = lacking / 2 if first >= second else -lacking / 2
    return [first + up, second - up]
