"""A chart: what is seen in it, in words, and how it is drawn."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalkit.reports.charts.themes import Theme
from evalkit.reports.wording import count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SPOKEN, MOST_CHARACTERS = 24, 1500
"""Items, and characters of them, that a text for those who don't see a chart lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One question answered by a picture, with the words that belong to it.

    All words are one line of plain text, in which names from models and data sets are cleaned of
    control characters; whoever puts them into a page has to escape them.
    """

    name: str
    """Small letters, digits and hyphens: for a file or an id, unlike that of other charts."""
    title: str
    """What is seen, as a sentence."""
    caption: str
    """How many questions stand behind it, and by which method."""
    alt: str
    """Its main numbers, for those who don't see it."""
    draw: Callable[[Theme], Figure] = field(repr=False, compare=False)
    """Draws it without its words; raises MissingExtraError where matplotlib is not installed."""


def slug(*parts: str) -> str:
    """A name of small letters, digits and hyphens.

    Example:
        >>> slug("letters", "Modèle B/2")
        'letters-mod-le-b-2'
    """
    words = "-".join(parts).lower()
    return re.sub("[^a-z0-9]+", "-", words[:80]).strip("-")


def sentences(*parts: str) -> str:
    """Sentences that are not empty, one after the other."""
    return " ".join(part for part in parts if part)


def list_spoken(items: Sequence[str]) -> str:
    """Items for a text alternative, not more than one wants to hear.

    Example:
        >>> list_spoken(["a 1", "b 2"])
        'a 1; b 2.'
    """
    lengths = itertools.accumulate(map(len, items))
    kept = max(
        1, sum(length <= MOST_CHARACTERS for length in itertools.islice(lengths, MOST_SPOKEN))
    )
    more = len(items) - kept
    ending = f"; and {more} more" if more > 0 else ""
    return f"{'; '.join(items[:kept])}{ending}."


def count_ends(numbers: Sequence[int], one: str, several: str | None = None) -> str:
    """The smallest and the largest number of some things.

    Example:
        >>> count_ends([1000, 1000], "question"), count_ends([5, 1000, 20], "reply", "replies")
        ('1,000 questions', '5 to 1,000 replies')
    """
    low, high = min(numbers), max(numbers)
    return count(low, one, several) if low == high else f"{low:,} to {count(high, one, several)}"
