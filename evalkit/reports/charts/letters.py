"""Which letters a run picks where which are right, and how often it is right there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.positions import ALPHA
from evalkit.prompts import build_labels
from evalkit.reports.charts.accuracies import describe_intervals
from evalkit.reports.charts.axes import (
    AXIS_HEIGHT,
    nice_ticks,
    number_ticks,
    scale_across,
)
from evalkit.reports.charts.cells import Cell, draw_cells
from evalkit.reports.charts.chart import Chart, list_spoken, sentences, slug
from evalkit.reports.charts.differences import say_p
from evalkit.reports.charts.lettering import measure, name_in_sentence, shorten
from evalkit.reports.charts.page import (
    EDGE,
    NORMAL,
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
from evalkit.reports.tables import percent
from evalkit.reports.wording import count, render_p

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from evalkit.positions import PositionBias
    from evalkit.reports.charts.themes import Theme
    from evalkit.results import Run
    from evalkit.stats.estimates import Estimate

MOST_LETTERS = 16
"""Rows and columns that a page has room for."""


ROOMY = 0.5
"""Inches of a cell that has room for a count below its share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A letter as the right one."""

    letter: str
    picked: tuple[int, ...]
    """By letter, the replies that name it."""
    accuracy: Estimate | None
    """None: it was never right."""

    @property
    def total(self) -> int:
        """Replies that name a choice."""
        return sum(self.picked)


def chart_letters(name: str, run: Run) -> Chart | None:
    """Picked against right letters, with the accuracy by right letter.

    None: no reply came, or answers are sets of choices.

    Args:
        name: of the run, which no other has.
        run: whose first replies to each question are looked at; with several orders of the
            choices, all replies.
    """
    bias = None if run.manifest.identity.several else run.position_bias()
    if bias is None:
        return None
    slots = list_slots(run, bias)
    kept = slots[:MOST_LETTERS]

    def draw(theme: Theme) -> Figure:
        return draw_slots(theme, kept, run.summary.chance)

    letters = [slot.letter for slot in slots]
    total = sum(slot.total for slot in slots)
    is_first = run.summary.orders is None and run.summary.samples > 1
    which = "first replies" if is_first else "replies"
    named = count(total, which.replace("replies", "reply"), which)
    return Chart(
        name=slug("letters", run.manifest.identity.run_id),
        title=describe_liking(name, slots, describe_doubt(bias, run)),
        caption=sentences(
            f"Left: of the {which} where a letter is right, the share that names each"
            + (", with counts" if find_cell(len(kept)) > ROOMY else "")
            + f"; n = {named} that name a choice. Right: accuracy where that letter is "
            "right; dashed: guessing.",
            describe_intervals(slot.accuracy.interval for slot in slots if slot.accuracy),
            describe_test(bias, run),
            f"The first {len(kept)} of {len(slots)} letters are shown."
            if len(kept) < len(slots)
            else "",
        ),
        alt=f"{name_in_sentence(name)}, by right letter: "
        + list_spoken(
            [
                f"{slot.letter}: accuracy "
                + render_value(slot.accuracy.mean, slot.accuracy.interval)
                + ", picked "
                + ", ".join(
                    f"{letter} {number:,}"
                    for letter, number in zip(letters, slot.picked, strict=True)
                    if number
                )
                for slot in slots
                if slot.accuracy is not None
            ]
        ),
        draw=draw,
    )


def list_slots(run: Run, bias: PositionBias) -> list[Slot]:
    """What came where each letter was right.

    With several orders of the choices, all replies count; else the first to each question.
    """
    orders = run.summary.orders
    if orders is None:
        table = bias.table
        return [
            Slot(letter=letter, picked=picked, accuracy=accuracy)
            for letter, picked, accuracy in zip(
                table.letters, table.counts, bias.recalls, strict=True
            )
        ]
    by_place = dict(orders.by_place)
    counts = run.confusion().to_numpy()
    labels = build_labels(len(counts), run.manifest.prompt.labels)
    return [
        Slot(letter=label, picked=tuple(map(int, row)), accuracy=by_place.get(place))
        for place, (label, row) in enumerate(zip(labels, counts, strict=True))
    ]


def describe_liking(name: str, slots: Sequence[Slot], doubt: str) -> str:
    """Which letter is picked more often than it is right.

    Args:
        name: of the run.
        slots: its letters.
        doubt: what has to be said of it.
    """
    total = sum(slot.total for slot in slots)
    if not total:
        return f"{name_in_sentence(name)} names no choice"
    picked = [sum(slot.picked[place] for slot in slots) for place in range(len(slots))]
    excess = [many - slot.total for many, slot in zip(picked, slots, strict=True)]
    most = excess.index(max(excess))
    letter = slots[most].letter
    if not excess[most]:
        return f"{name_in_sentence(name)} picks every letter as often as it is right"
    return (
        f"{name_in_sentence(name)} picks {letter} in {percent(picked[most] / total)} % of its "
        f"replies, where it is right in {percent(slots[most].total / total)} %{doubt}"
    )


def describe_doubt(bias: PositionBias, run: Run) -> str:
    """Whether letters picked may be those that are right, but for chance; tested in one order."""
    test = bias.homogeneity
    if test is None or run.summary.orders is not None or test.p_value < ALPHA:
        return ""
    return ", which may be chance"


def describe_test(bias: PositionBias, run: Run) -> str:
    """What is known of a liking for letters beyond chance."""
    if bias.homogeneity is None:
        return ""
    first = "" if run.summary.orders is None and run.summary.samples == 1 else ", first replies"
    test = bias.homogeneity
    words = (
        f"Picked as often as right? Stuart-Maxwell test {test.statistic:.1f}, df {test.df}, p "
        f"{say_p(render_p(test.p_value))}{first}."
    )
    if not bias.is_random:
        words += (
            " The right letters are not in random order: what looks like a liking for a letter may "
            "come of the questions."
        )
    return words


def find_cell(count: int) -> float:
    """How wide a cell of so many is, in inches."""
    return min(0.62, 3.6 / count)


def draw_slots(theme: Theme, slots: Sequence[Slot], chance: float) -> Figure:
    """Draw the table of letters, and beside each of its rows the accuracy."""
    count = len(slots)
    labels = [shorten(slot.letter, 0.6, NORMAL) for slot in slots]
    left = EDGE + 0.3 + max(measure(label, NORMAL) for label in labels)
    cell = find_cell(count)
    row = max(0.27, min(0.42, cell))
    words = [
        "" if slot.accuracy is None
        else f"{render_value(slot.accuracy.mean, slot.accuracy.interval)}  n = {slot.accuracy.n:,}"
        for slot in slots
    ]  # fmt: skip
    right = EDGE + 0.12 + max(measure(each, SMALL) for each in words)
    top = EDGE + 0.44
    figure = new_figure(theme, top + row * count + AXIS_HEIGHT)
    table = add_panel(figure, left, top, cell * count, row * count)
    size = NORMAL if cell > ROOMY else SMALL if cell > 0.36 else TINY
    rows = [
        [
            Cell(
                share=number / slot.total,
                words=f"{100 * number / slot.total:.0f}",
                beneath=f"{number:,}" if cell > ROOMY else "",
            )
            if slot.total
            else None
            for number in slot.picked[:count]
        ]
        for slot in slots
    ]
    draw_cells(table, theme, rows, (0.0, 1.0), size=size)
    for place, label in enumerate(labels):
        write(table, -0.5 - 0.07 / cell, place, label, colour=theme.ink, side="right")
        write(
            table, place, -0.5 - 0.06 / row, label, colour=theme.ink, side="center",
            level="bottom",
        )  # fmt: skip
    write(
        table, (count - 1) / 2, -0.5 - 0.26 / row, "picked, percent", colour=theme.muted,
        size=SMALL, side="center", level="bottom",
    )  # fmt: skip
    write(
        table, -0.5 - (left - EDGE - 0.12) / cell, (count - 1) / 2, "right", colour=theme.muted,
        size=SMALL, side="center", turned=90,
    )  # fmt: skip
    start = left + cell * count + 0.3
    draw_recalls(figure, theme, slots, words, chance, (start, top, WIDTH - start - right, row))
    return figure


def draw_recalls(
    figure: Figure,
    theme: Theme,
    slots: Sequence[Slot],
    words: Sequence[str],
    chance: float,
    place: tuple[float, float, float, float],
) -> None:
    """Draw the accuracies beside the rows of the table.

    Args:
        figure: where.
        theme: the colours.
        slots: of the rows.
        words: the numbers.
        chance: accuracy of guessing.
        place: left, top and width of the panel and the height of a row, in inches.
    """
    left, top, width, row = place
    panel = add_panel(figure, left, top, width, row * len(slots))
    known = [slot.accuracy for slot in slots if slot.accuracy is not None]
    seen = [chance, *(each.mean for each in known)]
    for each in known:
        seen += [] if each.interval is None else [each.interval.low, each.interval.high]
    room = max(0.01, 0.05 * (max(seen) - min(seen)))
    panel.set_xlim(100 * max(0.0, min(seen) - room), 100 * min(1.0, max(seen) + room))
    panel.set_ylim(len(slots) - 0.5, -0.5)
    ticks = nice_ticks(*panel.get_xlim(), most=5)
    scale_across(panel, theme, ticks, number_ticks(ticks), "accuracy in percent")
    draw_line(
        panel, [100 * chance] * 2, [-0.5, len(slots) - 0.5], color=theme.muted,
        linestyle=(0, (3, 2)), zorder=1,
    )  # fmt: skip
    for number, (slot, text) in enumerate(zip(slots, words, strict=True)):
        if slot.accuracy is None:
            continue
        interval = slot.accuracy.interval
        if interval is not None:
            draw_line(
                panel, [100 * interval.low, 100 * interval.high], [number, number],
                color=theme.accent, linewidth=1.8, zorder=3,
            )  # fmt: skip
        draw_dot(
            panel, 100 * slot.accuracy.mean, number, theme.accent, theme,
            filled=interval is not None, size=5.0,
        )  # fmt: skip
        write(panel, 1 + 0.12 / width, number, text, colour=theme.ink, size=SMALL, across=True)
