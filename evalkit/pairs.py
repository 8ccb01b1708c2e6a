"""The same questions scored twice: how large the difference is, and whether it is chance."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.results import interval_to_dict
from evalkit.stats.intervals import Interval
from evalkit.stats.multiplicity import holm
from evalkit.stats.paired import (
    mcnemar_midp,
    mean_difference_interval,
    mean_difference_test,
    tango_interval,
)
from evalkit.stats.power import minimum_detectable_difference

ALPHA = 0.05
"""The chance of any false finding among comparisons that are made together."""

POWER = 0.8
"""How often the smallest difference that is called detectable would be found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """The mean difference between two scores of each question, candidate - baseline."""

    n: int
    """Questions that have both scores."""
    interval: Interval | None
    """Of the mean difference, a fraction in [-1, 1]; None if there are no such questions."""
    gains: int
    """Questions that the candidate has the higher score on."""
    losses: int
    """Questions that the baseline has the higher score on."""
    p_value: float
    """Two-sided, of no difference."""
    test: str
    """The name of the p-value."""
    adjusted_p: float
    """By Holm's method over all the comparisons that it is one of."""
    detectable: float | None
    """About the smallest difference, a fraction, that so many questions would have shown with 80 %
    power; None if there are no questions."""

    @property
    def is_clear(self) -> bool:
        """Whether the difference is beyond chance, by its interval and as one of several."""
        if self.interval is None or self.interval.contains(0):
            return False
        return self.adjusted_p <= ALPHA


def pair_scores(
    baseline: Mapping[str, float | None], candidate: Mapping[str, float | None]
) -> list[tuple[float, float]]:
    """The scores of the questions that have one in both runs, in the order of the baseline."""
    return [
        (ours, theirs)
        for name, ours in baseline.items()
        if ours is not None and (theirs := candidate.get(name)) is not None
    ]


def compare_scores(
    pairs: Sequence[tuple[float, float]], *, is_repeated: bool, family: int = 1
) -> PairedDifference:
    """Compare the scores of the same questions.

    Args:
        pairs: the scores of each question, fractions, the baseline's first.
        is_repeated: whether questions have several responses each, so that scores are means.
        family: how many comparisons are made at once, of which this is one.
    """
    differences = [candidate - baseline for baseline, candidate in pairs]
    n, total = len(differences), math.fsum(differences)
    gains = sum(difference > 0 for difference in differences)
    losses = sum(difference < 0 for difference in differences)
    interval: Interval | None = None
    if is_repeated and n > 1:
        interval = mean_difference_interval(differences)
    elif is_repeated and n:
        interval = tango_interval(max(total, 0.0), max(-total, 0.0), n)
    elif n:
        interval = tango_interval(gains, losses, n)
    is_tested_by_mean = is_repeated and n > 0
    p = mean_difference_test(differences) if is_tested_by_mean else mcnemar_midp(gains, losses)
    return PairedDifference(
        n=n,
        interval=interval,
        gains=gains,
        losses=losses,
        p_value=p,
        test="t-test p" if is_repeated else "McNemar mid-p",
        adjusted_p=p,
        detectable=find_detectable(differences, family) if n else None,
    )


def find_detectable(differences: Sequence[float], family: int) -> float:
    """About the smallest difference that questions with so many flips would have shown.

    Args:
        differences: one for each question, at least one.
        family: how many comparisons share the chance of a false finding.

    Returns:
        A fraction. Where there were too few flips for any difference to be found, what would have
        been found if all flips had gone one way, which takes the fewest.
    """
    flips = statistics.fmean(difference * difference for difference in differences)
    most = minimum_detectable_difference(len(differences), 1, power=POWER, alpha=ALPHA / family)
    assert most is not None, "where every question flips, any difference can be"
    # It grows with the root of the flips, and no difference is larger than these.
    return most * max(math.sqrt(flips), most)


def adjust(found: Sequence[PairedDifference]) -> list[PairedDifference]:
    """Fill in the p-values that hold for all comparisons together."""
    adjusted = holm([each.p_value for each in found])
    return [replace(each, adjusted_p=p) for each, p in zip(found, adjusted, strict=True)]


def paired_to_dict(found: PairedDifference) -> dict[str, Any]:
    """A paired difference as JSON."""
    interval = found.interval
    return {
        "n": found.n,
        "difference": None if interval is None else interval_to_dict(interval),
        "gains": found.gains,
        "losses": found.losses,
        "test": found.test,
        "p_value": found.p_value,
        "adjusted_p_value": found.adjusted_p,
        "detectable": found.detectable,
        "clear": found.is_clear,
    }
