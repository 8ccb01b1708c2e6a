"""Axes of a panel: round numbers, grid lines at them, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalkit.reports.charts.page import SMALL, draw_line, write
from evalkit.reports.charts.themes import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXIS_HEIGHT = 0.46
"""Inches that a horizontal axis takes below its panel."""


def scale_across(
    panel: Axes, theme: Theme, ticks: Sequence[float], labels: Sequence[str], words: str
) -> None:
    """Grid lines at numbers of the horizontal axis, with the numbers and their meaning below.

    Args:
        panel: with its limits set.
        theme: the colours.
        ticks: where.
        labels: the numbers in words.
        words: what they are.
    """
    bottom, top = panel.get_ylim()
    height = panel.get_position().height * panel.get_figure().get_figheight()  # type: ignore[union-attr]
    for tick, label in zip(ticks, labels, strict=True):
        draw_line(panel, [tick, tick], [bottom, top], color=theme.grid, linewidth=0.8, zorder=0)
        write(
            panel, tick, -0.05 / height, label, colour=theme.muted, size=SMALL, side="center",
            level="top", beside=True,
        )  # fmt: skip
    write(
        panel, 0.5, -0.24 / height, words, colour=theme.muted, size=SMALL, side="center",
        level="top", across=True, beside=True,
    )  # fmt: skip


def scale_up(
    panel: Axes, theme: Theme, ticks: Sequence[float], labels: Sequence[str], words: str
) -> None:
    """Grid lines at numbers of the vertical axis, with the numbers and their meaning beside."""
    left, right = panel.get_xlim()
    width = panel.get_position().width * panel.get_figure().get_figwidth()  # type: ignore[union-attr]
    for tick, label in zip(ticks, labels, strict=True):
        draw_line(panel, [left, right], [tick, tick], color=theme.grid, linewidth=0.8, zorder=0)
        write(
            panel, -0.06 / width, tick, label, colour=theme.muted, size=SMALL, side="right",
            across=True,
        )  # fmt: skip
    write(
        panel, -0.52 / width, 0.5, words, colour=theme.muted, size=SMALL, side="center",
        level="bottom", across=True, beside=True, turned=90,
    )  # fmt: skip


def nice_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers from low to high, at least one, and seldom more than so many.

    Example:
        >>> nice_ticks(0.13, 0.86), nice_ticks(-3.2, 7.9)
        ([0.2, 0.4, 0.6, 0.8], [-2.0, 0.0, 2.0, 4.0, 6.0])
    """
    finest = 10.0 ** math.floor(math.log10(high - low)) / 10
    steps = [factor * finest for factor in (1, 2, 5, 10, 20, 50, 100)]
    step = next(step for step in steps if (high - low) / step <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)] or [low]


def number_ticks(ticks: Sequence[float]) -> list[str]:
    """Numbers in words, all with as many digits.

    Example:
        >>> number_ticks([-2.5, 0, 2.5]), number_ticks([20, 40])
        (['-2.5', '0.0', '2.5'], ['20', '40'])
    """
    digits = next(
        (n for n in range(6) if all(abs(round(tick, n) - tick) < 1e-9 for tick in ticks)), 6
    )
    return [f"{tick + 0.0:,.{digits}f}" for tick in ticks]
