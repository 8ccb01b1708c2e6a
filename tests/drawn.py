"""What stands on a figure, read back from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from evalkit.reports.charts.chart import Chart
from evalkit.reports.charts.themes import LIGHT, Theme

FORBIDDEN = ("no difference", "equivalent", "identical", "significant", "p <0", "p <.")


def panels(chart: Chart, theme: Theme = LIGHT) -> list[Axes]:
    """The panels of a chart, as it is drawn."""
    figure = chart.draw(theme)
    # Lays out all texts, with warnings being errors.
    figure.draw_without_rendering()
    return figure.axes


def data(line: Line2D) -> tuple[list[float], list[float]]:
    """The places of a line in the numbers of its panel."""
    x: Any = line.get_xdata()
    y: Any = line.get_ydata()
    return [float(each) for each in x], [float(each) for each in y]


def dots(panel: Axes) -> list[tuple[Any, Any]]:
    """Where dots stand."""
    return [
        (x[0], y[0])
        for line in panel.lines
        if str(line.get_marker()) != "None"
        for x, y in [data(line)]
    ]


def is_hollow(panel: Axes, number: int) -> bool:
    """Whether a dot, counted from 0, is filled with nothing but paper."""
    found = [line for line in panel.lines if str(line.get_marker()) != "None"]
    return found[number].get_markerfacecolor() != found[number].get_color()


def strokes(panel: Axes, colours: Sequence[str]) -> list[tuple[Any, Any]]:
    """The lines of some colours."""
    return [
        data(line)
        for line in panel.lines
        if line.get_color() in colours and str(line.get_marker()) == "None"
    ]


def boxes(panel: Axes) -> list[tuple[float, float, str]]:
    """The left end, the width and the colour of filled rectangles."""
    return [
        (each.get_x(), each.get_width(), to_hex(each.get_facecolor()))
        for each in panel.patches
        if isinstance(each, Rectangle)
    ]


def to_hex(colour: Any) -> str:
    """A colour as #rrggbb."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour[:3])


def words(figure: Figure | Axes | Sequence[Axes]) -> list[str]:
    """The texts, as they are."""
    if isinstance(figure, Axes):
        return [str(text.get_label()) for text in figure.texts]
    axes = figure.axes if isinstance(figure, Figure) else figure
    return [each for panel in axes for each in words(panel)]


def check_words(chart: Chart) -> None:
    """Whether the words of a chart are fit to be printed."""
    for text in (chart.title, chart.caption, chart.alt):
        assert text == text.strip() != ""
        assert "\n" not in text
        assert "  n =" not in chart.caption
        assert not [each for each in FORBIDDEN if each in text.lower()]
    assert not chart.title.endswith(".")
    assert chart.caption.endswith(".")
    assert "None" not in chart.title + chart.caption + chart.alt
    assert "nan" not in chart.title.lower().split()
