"""A table whose cells are coloured by their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.reports.charts.page import NORMAL, SMALL, draw_box, write
from evalkit.reports.charts.themes import Theme, blend, contrast_with

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One number."""

    share: float
    """Which decides its colour, a fraction."""
    words: str
    """How it is written."""
    beneath: str = ""
    """Smaller, below it."""
    is_bold: bool = False


def draw_cells(
    panel: Axes,
    theme: Theme,
    rows: Sequence[Sequence[Cell | None]],
    ends: tuple[float, float],
    *,
    size: float = NORMAL,
) -> None:
    """Draw cells, the first row on top; a cell without a number is empty.

    Args:
        panel: whose numbers are set to the places of the cells.
        theme: the colours.
        rows: of as many cells each.
        ends: the shares that have the palest and the strongest colour.
        size: of the numbers, in points.
    """
    panel.set_xlim(-0.5, max(map(len, rows)) - 0.5)
    panel.set_ylim(len(rows) - 0.5, -0.5)
    low, high = ends
    for place, row in enumerate(rows):
        for column, cell in enumerate(row):
            if cell is None:
                write(panel, column, place, "-", colour=theme.muted, size=size, side="center")
                continue
            share = min(1.0, max(0.0, (cell.share - low) / (high - low))) if high > low else 0.5
            colour = blend(theme, share)
            draw_box(panel, column - 0.48, place - 0.48, 0.96, 0.96, colour=colour)
            ink = contrast_with(colour)
            shift = 0.16 if cell.beneath else 0.0
            write(
                panel, column, place - shift, cell.words, colour=ink, size=size, side="center",
                bold=cell.is_bold,
            )  # fmt: skip
            if cell.beneath:
                write(
                    panel, column, place + 0.22, cell.beneath, colour=ink,
                    size=min(size, SMALL) - 1, side="center",
                )  # fmt: skip
