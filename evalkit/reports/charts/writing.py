"""A chart as a file of its own, with its words."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import UsageError
from evalkit.reports.charts.page import frame
from evalkit.reports.charts.svg import render_svg
from evalkit.reports.charts.themes import PRINT, Theme
from evalkit.runs.folder import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from evalkit.reports.charts.chart import Chart

DOTS_PER_INCH = 200
"""Of a PNG."""

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

ENDINGS = (".svg", ".png", ".pdf")
"""Of the files that a chart can be."""


def write_chart(chart: Chart, path: Path, theme: Theme = PRINT) -> None:
    """Write a chart with its title and caption; it is there and complete, or not there.

    Args:
        chart: what to draw.
        path: where to, ending in .svg, .png or .pdf.
        theme: its colours.

    Raises:
        MissingExtraError: matplotlib is not installed.
        RunError: the file can't be written.
        UsageError: its name ends otherwise.
    """
    write_whole(path, render_chart(chart, path.suffix, theme))


def render_chart(chart: Chart, ending: str, theme: Theme = PRINT) -> bytes:
    """The bytes of a file: the same each time for the same chart.

    Args:
        chart: what to draw.
        ending: ".svg", ".png" or ".pdf", in small letters or capitals.
        theme: its colours.

    Raises:
        MissingExtraError: matplotlib is not installed.
        UsageError: it is another ending.
    """
    match ending.lower():
        case ".svg":
            return f"{DECLARATION}{render_svg(chart, theme, framed=True)}\n".encode()
        case ".png":
            return render_png(chart, theme)
        case ".pdf":
            return render_pdf(chart, theme)
    raise UsageError(
        f"a chart as {ending or 'a file without ending'}: expected {', '.join(ENDINGS)}"
    )


def render_png(chart: Chart, theme: Theme) -> bytes:
    """A picture of dots."""
    figure = draw_framed(chart, theme)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(DOTS_PER_INCH)
    file = io.BytesIO()
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(file, metadata={"Software": None, "Title": chart.title})
    return file.getvalue()


def render_pdf(chart: Chart, theme: Theme) -> bytes:
    """A page with the letters that it shows."""
    figure = draw_framed(chart, theme)
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    file = io.BytesIO()
    canvas: Any = FigureCanvasPdf(figure)
    canvas.print_pdf(file, metadata={"CreationDate": None, "Title": chart.title})
    return file.getvalue()


def draw_framed(chart: Chart, theme: Theme) -> Figure:
    """A chart with its words.

    Raises:
        MissingExtraError: matplotlib is not installed, which has to be told before it is used.
    """
    figure = chart.draw(theme)
    frame(figure, theme, chart.title, chart.caption)
    return figure
