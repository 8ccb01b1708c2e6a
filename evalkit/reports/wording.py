"""Differences, p-values and counts as the words and figures of a report."""

from __future__ import annotations

import itertools
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from evalkit.reports.tables import MIN_WIDTH, clean

if TYPE_CHECKING:
    from evalkit.stats.intervals import Interval


def bracket(interval: Interval | None) -> str:
    """The ends of an interval in percent or points."""
    return "-" if interval is None else f"[{points(interval.low)}, {points(interval.high)}]"


def points(share: float, *, signed: bool = False) -> str:
    """A fraction in points with one decimal; what rounds to nothing has no sign.

    Example:
        >>> points(0.125, signed=True), points(-0.0001), points(-0.02)
        ('+12.5', '0.0', '-2.0')
    """
    text = f"{100 * share:+.1f}" if signed else f"{100 * share:.1f}"
    return "0.0" if float(text) == 0 else text


def render_p(p: float | None) -> str:
    """A p-value with three decimals.

    Example:
        >>> render_p(0.0347), render_p(0.00001), render_p(None)
        ('0.035', '<0.001', '-')
    """
    if p is None:
        return "-"
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def count(number: int, one: str, several: str | None = None) -> str:
    """A number of things.

    Example:
        >>> count(1, "loss", "losses"), count(0, "gain")
        ('1 loss', '0 gains')
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def any_of(names: Sequence[str]) -> str:
    """Names as a choice of one.

    Example:
        >>> any_of(["tool"]), any_of(["instructed", "structured", "tool"])
        ('tool', 'instructed, structured or tool')
    """
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def name_methods(intervals: Iterable[Interval | None]) -> str:
    """The methods of some intervals, each once."""
    methods = [interval.method for interval in intervals if interval is not None]
    return " or ".join(dict.fromkeys(methods)) or "Wilson"


def first_words(text: str, width: int) -> str:
    r"""The beginning of an untrusted text in one line, cut between words where it has such.

    Example:
        >>> first_words("How much\nis 100 + 7?", 14)
        'How much is ...'
    """
    line = clean(" ".join(text.split()))
    widths = itertools.accumulate(
        2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line
    )
    fitting = line[: sum(taken <= width for taken in widths)]
    if fitting == line:
        return line
    return f"{fitting.rpartition(' ')[0] or fitting} ..."


def several(names: Sequence[str]) -> str:
    """Names as a list.

    Example:
        >>> several(["(1)"]), several(["(1)", "(2)", "(3)"])
        ('(1)', '(1), (2) and (3)')
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def wrap(title: str) -> str:
    """A title in lines that a terminal of 80 columns shows whole."""
    return textwrap.fill(title, MIN_WIDTH, break_long_words=False)
