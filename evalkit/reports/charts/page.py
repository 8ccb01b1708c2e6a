"""A figure that is laid out in inches, and what is put on it.

What counts is set here and not left to matplotlib's settings, which a user may have changed and
which all threads share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from evalkit.reports.charts.lettering import drawable, font, require_matplotlib, wrap
from evalkit.reports.charts.themes import Colour, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

WIDTH = 7.2
"""Inches, of every chart: as wide as a page's text."""

EDGE = 0.12
"""Inches around everything."""

NORMAL, SMALL, TINY = 9.0, 8.0, 7.0
"""Points."""

TITLE, CAPTION = 11.0, 8.0
"""Points of the words around a chart."""

LINE = 1.35
"""Height of a line of text, as a multiple of its size."""

HALF_CAPITAL = 0.34
"""From the baseline to where a line of text looks centred, as a multiple of its size."""

Side = Literal["left", "center", "right"]
Level = Literal["baseline", "center", "top", "bottom"]


def new_figure(theme: Theme, height: float, width: float = WIDTH) -> Figure:
    """An empty figure.

    Args:
        theme: its colours.
        height: in inches.
        width: in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(width, height),
        dpi=72,
        facecolor=theme.paper,
        edgecolor=theme.paper,
        linewidth=0,
        frameon=True,
    )
    figure.set_layout_engine("none")
    return figure


def add_panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """An empty area of a figure, without axes; in inches from its upper left corner."""
    whole_width, whole_height = figure.get_size_inches()
    panel = figure.add_axes(
        (
            left / whole_width,
            1 - (top + height) / whole_height,
            width / whole_width,
            height / whole_height,
        )
    )
    panel.set_facecolor("none")
    panel.set_axis_off()
    panel.set_autoscale_on(False)
    panel.margins(0)
    return panel


def write(
    panel: Axes,
    x: float,
    y: float,
    words: str,
    *,
    colour: Colour,
    size: float = NORMAL,
    side: Side = "left",
    level: Level = "center",
    bold: bool = False,
    across: bool = False,
    beside: bool = False,
    turned: float = 0.0,
) -> Text:
    """Put a line of text on a panel; nothing in it is taken for a formula.

    Args:
        panel: where.
        x: its place in the panel's numbers.
        y: the same.
        words: one line, cleaned.
        colour: of the letters.
        size: in points.
        side: which end of the text is at x.
        level: which height of the text is at y.
        bold: whether it is bold.
        across: whether x is a share of the panel's width, and y in its numbers.
        beside: whether y is a share of the panel's height, and x in its numbers.
        turned: degrees, counter-clockwise.
    """
    from matplotlib.transforms import ScaledTranslation

    transform = panel.transData
    if across and beside:
        transform = panel.transAxes
    elif across:
        transform = panel.get_yaxis_transform()
    elif beside:
        transform = panel.get_xaxis_transform()
    if level == "center":
        # By digits and capitals: matplotlib's own centre is that of letters that go below the line.
        down = math.radians(turned)
        shift = HALF_CAPITAL * size / 72
        transform += ScaledTranslation(
            shift * math.sin(down), -shift * math.cos(down), panel.figure.dpi_scale_trans
        )
        level = "baseline"
    text = panel.text(
        x,
        y,
        drawable(words),
        color=colour,
        fontproperties=font(size, bold=bold),
        ha=side,
        va=level,
        rotation=turned,
        rotation_mode="anchor",
        transform=transform,
        parse_math=False,
        usetex=False,
        clip_on=False,
        zorder=5,
    )
    # For formats whose reader may have the letters that our font lacks.
    text.set_label(words)
    return text


def draw_line(panel: Axes, x: Sequence[float], y: Sequence[float], **style: Any) -> None:
    """A line in the panel's numbers, every property of which is set."""
    from matplotlib.lines import Line2D

    plain: dict[str, Any] = {
        "linewidth": 1.0,
        "linestyle": "-",
        "marker": "None",
        "solid_capstyle": "butt",
        "dash_capstyle": "butt",
        "solid_joinstyle": "round",
        "markeredgewidth": 1.2,
        "clip_on": False,
        "antialiased": True,
    }
    panel.add_artist(Line2D(x, y, transform=panel.transData, **plain | style))


def draw_dot(
    panel: Axes,
    x: float,
    y: float,
    colour: Colour,
    theme: Theme,
    *,
    filled: bool = True,
    shape: str = "o",
    size: float = 6.0,
) -> None:
    """A dot; a hollow one where less is known."""
    draw_line(
        panel,
        [x],
        [y],
        linestyle="None",
        marker=shape,
        markersize=size,
        color=colour,
        markerfacecolor=colour if filled else theme.paper,
        markeredgecolor=colour,
        zorder=4,
    )


def draw_box(
    panel: Axes,
    left: float,
    bottom: float,
    width: float,
    height: float,
    *,
    colour: Colour,
    edge: Colour | None = None,
    hatch: str = "",
    zorder: float = 1.0,
) -> None:
    """A filled rectangle in the panel's numbers."""
    from matplotlib.patches import Rectangle

    panel.add_artist(
        Rectangle(
            (left, bottom),
            width,
            height,
            facecolor=colour,
            edgecolor="none" if edge is None else edge,
            linewidth=0.0 if edge is None else 0.6,
            linestyle="-",
            hatch=hatch or None,
            zorder=zorder,
            clip_on=False,
            antialiased=True,
        )
    )


def frame(figure: Figure, theme: Theme, title: str, caption: str) -> None:
    """Make room above and below a figure for its words, and put them there.

    Args:
        figure: a chart.
        theme: its colours.
        title: what is seen.
        caption: what stands behind it.
    """
    width, height = figure.get_size_inches()
    above = wrap(title, width - 2 * EDGE, TITLE, bold=True)
    below = wrap(caption, width - 2 * EDGE, CAPTION)
    line_above, line_below = TITLE * LINE / 72, CAPTION * LINE / 72
    room_above = EDGE + len(above) * line_above + 0.04
    room_below = len(below) * line_below + EDGE
    whole = room_above + height + room_below
    for panel in figure.axes:
        x, y, wide, high = panel.get_position().bounds
        panel.set_position((x, (y * height + room_below) / whole, wide, high * height / whole))
    figure.set_size_inches(width, whole)
    words = add_panel(figure, 0, 0, width, whole)
    words.set_xlim(0, width)
    words.set_ylim(whole, 0)
    for number, line in enumerate(above):
        place = EDGE + (number + 0.8) * line_above
        write(words, EDGE, place, line, colour=theme.ink, size=TITLE, bold=True, level="baseline")
    for number, line in enumerate(below):
        place = room_above + height + (number + 0.8) * line_below
        write(words, EDGE, place, line, colour=theme.muted, size=CAPTION, level="baseline")
