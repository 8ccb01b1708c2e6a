"""What became of the replies wanted: right, wrong, and all that is neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalkit.contestants import name_contestants
from evalkit.reports.charts.axes import (
    AXIS_HEIGHT,
    scale_across,
)
from evalkit.reports.charts.chart import Chart, count_ends, list_spoken, sentences
from evalkit.reports.charts.lettering import measure, name_in_sentence, shorten, shorten_all
from evalkit.reports.charts.page import (
    EDGE,
    NORMAL,
    SMALL,
    TINY,
    WIDTH,
    add_panel,
    draw_box,
    new_figure,
    write,
)
from evalkit.reports.charts.rows import MOST_ROWS, WIDEST_LABEL
from evalkit.reports.charts.themes import HATCHES, Theme, contrast_with
from evalkit.reports.tables import percent
from evalkit.reports.text import OUTCOMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evalkit.results import Run

BAR = 0.22
"""Height of a bar in inches."""

ROW, ROW_OF_TWO = 0.3, 0.44
"""Height of a row, and of one with a line below its bar."""

UNREAD = ("unparsed", "refused", "truncated")


def chart_outcomes(runs: Sequence[Run]) -> Chart | None:
    """Counts of outcomes as parts of a bar for each run; None: there is no run."""
    if not runs:
        return None
    names = name_runs(runs)
    counts = [count_outcomes(run) for run in runs]
    kept = min(len(runs), MOST_ROWS)

    def draw(theme: Theme) -> Figure:
        return draw_bars(theme, names[:kept], counts[:kept])

    return Chart(
        name="outcomes",
        title=describe_readable(names, runs),
        caption=sentences(
            "Replies wanted, as shares of each run's; numbers are counts. n = "
            f"{count_ends([run.summary.wanted for run in runs], 'reply', 'replies')} to "
            f"{count_ends([run.summary.questions for run in runs], 'question')}. A count, without "
            "an interval.",
            "Unparsed, refused and truncated replies count as not correct.",
            f"The first {kept} of {len(runs)} runs are shown." if kept < len(runs) else "",
        ),
        alt="Counts of replies: "
        + list_spoken(
            [
                f"{name_in_sentence(name)}: "
                + ", ".join(f"{n:,} {word_outcome(what)}" for what, n in found.items() if n)
                for name, found in zip(names, counts, strict=True)
            ]
        ),
        draw=draw,
    )


def name_runs(runs: Sequence[Run]) -> list[str]:
    """Names of runs; those of several benchmarks with theirs."""
    names = name_contestants(runs)
    benchmarks = [run.manifest.identity.benchmark for run in runs]
    if len(set(benchmarks)) == 1:
        return names
    return [f"{name} on {where}" for name, where in zip(names, benchmarks, strict=True)]


def count_outcomes(run: Run) -> dict[str, int]:
    """How many replies had which outcome."""
    return {name: getattr(run.summary, name) for name in OUTCOMES}


def word_outcome(name: str) -> str:
    """An outcome in words."""
    return name.replace("_", " ")


def describe_readable(names: Sequence[str], runs: Sequence[Run]) -> str:
    """How many replies name a choice."""
    summaries = [run.summary for run in runs]
    lacking = [each.wanted - each.correct - each.wrong for each in summaries]
    if not any(lacking):
        return "Every reply names a choice"
    shares = [lack / each.wanted for lack, each in zip(lacking, summaries, strict=True)]
    worst = shares.index(max(shares))
    summary = summaries[worst]
    what = "name no choice or are missing"
    if summary.is_complete:
        what = "name no choice"
    elif lacking[worst] == summary.failed + summary.not_asked:
        what = "are missing"
    return (
        f"{lacking[worst]:,} of {summary.wanted:,} replies of {name_in_sentence(names[worst])} "
        f"{what} ({percent(shares[worst])} %)"
        + ("" if len(runs) == 1 else f", the largest share of {len(runs)} runs")
    )


def draw_bars(theme: Theme, names: Sequence[str], counts: Sequence[dict[str, int]]) -> Figure:
    """Draw a bar for each run, below a key of the outcomes that occur."""
    labels = shorten_all(names, WIDEST_LABEL, NORMAL)
    left = EDGE + max(measure(label, NORMAL) for label in labels) + 0.1
    width = WIDTH - left - EDGE - 0.1
    rests = [list_rest(found, width) for found in counts]
    row = ROW if not any(rests) else ROW_OF_TWO
    lines = arrange_key(
        [name for name in OUTCOMES if any(found[name] for found in counts)], WIDTH - 2 * EDGE
    )
    top = EDGE + 0.22 * len(lines) + 0.08
    height = row * len(names)
    figure = new_figure(theme, top + height + AXIS_HEIGHT)
    panel = add_panel(figure, left, top, width, height)
    panel.set_xlim(0, 100)
    panel.set_ylim(height, 0)
    ticks = [0, 25, 50, 75, 100]
    scale_across(panel, theme, ticks, list(map(str, ticks)), "percent of the replies wanted")
    for place, (label, found, rest) in enumerate(zip(labels, counts, rests, strict=True)):
        start = place * row + 0.04
        write(
            panel, -0.09 / width, start + BAR / 2, label, colour=theme.ink, side="right",
            across=True,
        )  # fmt: skip
        draw_bar(panel, theme, start, found, width)
        if rest:
            write(
                panel, 1, start + BAR + 0.08, shorten(", ".join(rest), width, TINY),
                colour=theme.muted, size=TINY, side="right", across=True,
            )  # fmt: skip
    draw_key(figure, theme, lines)
    return figure


def fits(number: int, share: float, inches: float) -> bool:
    """Whether a count has room within its part of a bar."""
    return share * inches > measure(f"{number:,}", SMALL) + 0.08


def list_rest(found: dict[str, int], inches: float) -> list[str]:
    """The counts that find no room within a bar; they stand below it."""
    wanted = sum(found.values())
    return [
        f"{number:,} {word_outcome(name)}"
        for name, number in found.items()
        if number and not fits(number, number / wanted, inches)
    ]


def draw_bar(panel: Axes, theme: Theme, top: float, found: dict[str, int], inches: float) -> None:
    """Draw one bar, with the counts that find room in it."""
    wanted, start = sum(found.values()), 0.0
    for number, name in enumerate(OUTCOMES):
        if not found[name]:
            continue
        share = found[name] / wanted
        colour = theme.outcomes[number]
        draw_box(
            panel, 100 * start, top, 100 * share, BAR, colour=colour, edge=theme.ink,
            hatch=HATCHES[number], zorder=2,
        )  # fmt: skip
        words = f"{found[name]:,}"
        if fits(found[name], share, inches):
            middle = 100 * (start + share / 2)
            if HATCHES[number]:
                half = 50 * (measure(words, SMALL) + 0.05) / inches
                draw_box(
                    panel, middle - half, top + 0.035, 2 * half, BAR - 0.07, colour=colour,
                    zorder=3,
                )  # fmt: skip
            write(
                panel, middle, top + BAR / 2, words, colour=contrast_with(colour), size=SMALL,
                side="center",
            )  # fmt: skip
        start += share


def arrange_key(seen: Sequence[str], inches: float) -> list[list[tuple[float, str]]]:
    """The outcomes in lines, each with where it begins."""
    lines: list[list[tuple[float, str]]] = [[]]
    at = 0.0
    for name in seen:
        wide = 0.3 + measure(word_outcome(name), SMALL) + 0.18
        if lines[-1] and at + wide > inches:
            lines.append([])
            at = 0.0
        lines[-1].append((at, name))
        at += wide
    return lines


def draw_key(figure: Figure, theme: Theme, lines: Sequence[Sequence[tuple[float, str]]]) -> None:
    """Say which part of a bar is what."""
    key = add_panel(figure, EDGE, EDGE, WIDTH - 2 * EDGE, 0.22 * len(lines))
    key.set_xlim(0, WIDTH - 2 * EDGE)
    key.set_ylim(len(lines) - 0.5, -0.5)
    for place, line in enumerate(lines):
        for at, name in line:
            number = OUTCOMES.index(name)
            draw_box(
                key, at, place - 0.3, 0.22, 0.6, colour=theme.outcomes[number], edge=theme.ink,
                hatch=HATCHES[number], zorder=2,
            )  # fmt: skip
            write(key, at + 0.28, place, word_outcome(name), colour=theme.ink, size=SMALL)
