"""Charts within a page: for light and dark screens and for paper, as addresses that hold them."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from evalkit.reports.charts.chart import Chart
from evalkit.reports.charts.listing import list_charts
from evalkit.reports.charts.svg import render_svg
from evalkit.reports.charts.themes import DARK, LIGHT, PRINT, Theme
from evalkit.reports.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart with its words; the pictures are `data:` addresses."""

    name: str
    title: str
    caption: str
    alt: str
    light: str
    dark: str
    print: str


def draw_figures(report: Report) -> list[Figure]:
    """The charts of a report, what matters most first.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    charts = list_charts(report.runs, report.comparison, report.gates)
    return [draw_figure(chart) for chart in charts]


def draw_figure(chart: Chart) -> Figure:
    """One chart in all three themes."""
    return Figure(
        name=chart.name,
        title=chart.title,
        caption=chart.caption,
        alt=chart.alt,
        light=embed(chart, LIGHT),
        dark=embed(chart, DARK),
        print=embed(chart, PRINT),
    )


def embed(chart: Chart, theme: Theme) -> str:
    """A chart as an address.

    As a picture and not as a part of the page: whatever it holds can't run or load anything.
    """
    data = render_svg(chart, theme).encode("utf-8", "replace")
    return f"data:image/svg+xml;base64,{base64.b64encode(data).decode()}"
