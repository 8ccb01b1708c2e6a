"""Colours of charts for light and dark screens and for paper.

Hues are those of Okabe and Ito (2008), "Color Universal Design", which people with any kind of
colour blindness tell apart. Nothing is told by hue alone: lines differ in their dashes, outcomes in
their order, lightness and hatching.
"""

from __future__ import annotations

from dataclasses import dataclass

Colour = str
"""As #rrggbb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours of a chart."""

    name: str
    paper: Colour
    ink: Colour
    """Of words and axes."""
    muted: Colour
    """Of words that matter less."""
    grid: Colour
    accent: Colour
    """Of what the chart is about."""
    second: Colour
    """Of what stands against it."""
    weak: Colour
    """Of what is shown beside it without being found to differ."""
    band: Colour
    """Of an area behind the dots."""
    low: Colour
    """Of the smallest number in a cell."""
    high: Colour
    """Of the largest."""
    outcomes: tuple[Colour, ...]
    """Correct, wrong, unparsed, refused, truncated, failed, not asked."""


LIGHT = Theme(
    name="light",
    paper="#ffffff",
    ink="#1c1e21",
    muted="#5b6168",
    grid="#e2e5e9",
    accent="#0072b2",
    second="#d55e00",
    weak="#7a828c",
    band="#fbeedd",
    low="#eef4fa",
    high="#08519c",
    outcomes=("#0072b2", "#f3b23c", "#e9b9d3", "#ee9a6a", "#a6d8f2", "#8a9098", "#ffffff"),
)

DARK = Theme(
    name="dark",
    paper="#16181c",
    ink="#e9ebee",
    muted="#a7aeb8",
    grid="#343840",
    accent="#56b4e9",
    second="#f0934e",
    weak="#939aa5",
    band="#352b20",
    low="#22303d",
    high="#8fd0f7",
    outcomes=("#3d9ad1", "#835705", "#8d5877", "#a14d1d", "#35586c", "#6b727c", "#16181c"),
)

PRINT = Theme(
    name="print",
    paper="#ffffff",
    ink="#000000",
    muted="#404040",
    grid="#d9d9d9",
    accent="#00507d",
    second="#b04a00",
    weak="#6e6e6e",
    band="#ececec",
    low="#ffffff",
    high="#1f3b57",
    outcomes=("#00507d", "#bdbdbd", "#f2f2f2", "#f2f2f2", "#f2f2f2", "#7f7f7f", "#ffffff"),
)

THEMES = {theme.name: theme for theme in (LIGHT, DARK, PRINT)}

HATCHES = ("", "", "///", "---", "xxx", "|||", "")
"""Of the outcomes, in their order. Lines only: dots would make files large."""


def blend(theme: Theme, share: float) -> Colour:
    """The colour of a cell.

    Args:
        theme: whose smallest and largest colour to mix.
        share: 0 for the smallest, 1 for the largest.

    Example:
        >>> blend(PRINT, 0), blend(PRINT, 1), blend(PRINT, 0.5)
        ('#ffffff', '#1f3b57', '#8f9dab')
    """
    pairs = zip(split(theme.low), split(theme.high), strict=True)
    return "#" + "".join(f"{round(one + share * (other - one)):02x}" for one, other in pairs)


def contrast_with(colour: Colour) -> Colour:
    """Black or white, whichever is easier to read on a colour.

    Source: relative luminance of the Web Content Accessibility Guidelines 2.1.

    Example:
        >>> contrast_with("#ffffff"), contrast_with("#08519c")
        ('#000000', '#ffffff')
    """
    # Where both contrast alike: (L + 0.05) / 0.05 = 1.05 / (L + 0.05).
    return "#000000" if measure_luminance(colour) > 0.179 else "#ffffff"


def measure_luminance(colour: Colour) -> float:
    """How light a colour is to the eye, 0 to 1."""
    parts = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in split(colour))
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def split(colour: Colour) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
