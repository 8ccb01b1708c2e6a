"""Intervals for one score."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its confidence interval; all numbers are fractions."""

    estimate: float
    low: float
    high: float
    n: int
    """Questions behind it."""
    level: float
    """Confidence, two-sided, such as 0.95."""
    method: str
    clusters: int | None = None
    """Clusters that the questions come in, where the interval takes account of them."""

    def contains(self, value: float) -> bool:
        """Whether a value lies within the interval, its ends included."""
        return self.low <= value <= self.high


def wilson_interval(correct: float, total: int, *, level: float = 0.95) -> Interval:
    """The score interval of a proportion, which covers at every n.

    Args:
        correct: questions answered correctly, 0 <= correct <= total; may be fractional.
        total: questions, at least 1.
        level: confidence, a fraction in (0, 1).

    Returns:
        Bounds as fractions in [0, 1]; exactly 0 if none is correct, exactly 1 if all are.

    Raises:
        ValueError: an argument is outside its range.

    Source:
        Wilson (1927), J. Amer. Stat. Assoc. 22, 209-212, without continuity correction.

    Example:
        >>> interval = wilson_interval(84, 100)
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.756, 0.899)
    """
    _check_proportion(correct, total, level)
    z = statistics.NormalDist().inv_cdf((1 + level) / 2)
    share = correct / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = (
        z
        / (1 + z * z / total)
        * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    )
    return Interval(
        estimate=share,
        # Near 0 and 1, rounding may put an end on the wrong side of the share.
        low=0.0 if correct == 0 else min(share, max(0.0, centre - half)),
        high=1.0 if correct == total else max(share, min(1.0, centre + half)),
        n=total,
        level=level,
        method="Wilson",
    )


def clopper_pearson_interval(correct: int, total: int, *, level: float = 0.95) -> Interval:
    """The exact interval of a proportion: it covers at least as often as said, and is wider.

    Args:
        correct: questions answered correctly, 0 <= correct <= total.
        total: questions, at least 1.
        level: confidence, a fraction in (0, 1).

    Returns:
        Bounds as fractions in [0, 1]; exactly 0 if none is correct, exactly 1 if all are.

    Raises:
        ValueError: an argument is outside its range.

    Source:
        Clopper and Pearson (1934), Biometrika 26, 404-413.

    Example:
        >>> interval = clopper_pearson_interval(84, 100)
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.753, 0.906)
    """
    _check_proportion(correct, total, level)
    from scipy.special import betaincinv

    tail, wrong = (1 - level) / 2, total - correct
    return Interval(
        estimate=correct / total,
        low=float(betaincinv(correct, wrong + 1, tail)) if correct else 0.0,
        high=float(betaincinv(correct + 1, wrong, 1 - tail)) if wrong else 1.0,
        n=total,
        level=level,
        method="Clopper-Pearson",
    )


def jeffreys_interval(correct: float, total: int, *, level: float = 0.95) -> Interval:
    """The interval of a proportion by Jeffreys' prior, equal-tailed.

    Args:
        correct: questions answered correctly, 0 <= correct <= total; may be fractional.
        total: questions, at least 1.
        level: confidence, a fraction in (0, 1).

    Returns:
        Bounds as fractions in [0, 1]; exactly 0 if none is correct, exactly 1 if all are.

    Raises:
        ValueError: an argument is outside its range.

    Source:
        Brown, Cai, DasGupta (2001), Stat. Sci. 16, 101-133, section 4.1, which also puts the ends
        to 0 and 1.

    Example:
        >>> interval = jeffreys_interval(84, 100)
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.759, 0.902)
    """
    _check_proportion(correct, total, level)
    from scipy.special import betaincinv

    tail, shape = (1 - level) / 2, (correct + 0.5, total - correct + 0.5)
    return Interval(
        estimate=correct / total,
        low=0.0 if correct == 0 else float(betaincinv(*shape, tail)),
        high=1.0 if correct == total else float(betaincinv(*shape, 1 - tail)),
        n=total,
        level=level,
        method="Jeffreys",
    )


def mean_interval(scores: Sequence[float], *, level: float = 0.95) -> Interval:
    """The interval of the mean of question scores that are not all 0 or 1.

    Args:
        scores: one number in [0, 1] for each question, at least two.
        level: confidence, a fraction in (0, 1).

    Returns:
        mean +- t * s / sqrt(n), clipped to [0, 1]; Wilson's interval if all scores are equal.

    Raises:
        ValueError: fewer than two scores, one outside [0, 1], or a level outside (0, 1).

    Example:
        >>> interval = mean_interval([0.2, 0.4, 0.6, 0.8])
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.089, 0.911)
    """
    if len(scores) < 2:
        raise ValueError(f"{len(scores)} scores: expected at least 2")
    if not all(0 <= score <= 1 for score in scores):
        raise ValueError("a score lies outside 0 to 1")
    check_level(level)
    n, mean = len(scores), statistics.fmean(scores)
    spread = statistics.stdev(scores)
    if spread == 0:
        return wilson_interval(min(math.fsum(scores), n), n, level=level)
    from scipy.special import stdtrit

    half = float(stdtrit(n - 1, (1 + level) / 2)) * spread / math.sqrt(n)
    return Interval(
        estimate=mean,
        low=max(0.0, mean - half),
        high=min(1.0, mean + half),
        n=n,
        level=level,
        method="t",
    )


def check_level(level: float) -> None:
    """Refuse a confidence that is no fraction, such as 95.

    Raises:
        ValueError: it is 0 or less, or 1 or more.
    """
    if not 0 < level < 1:
        raise ValueError(f"level = {level}: expected a fraction between 0 and 1")


def _check_proportion(correct: float, total: int, level: float) -> None:
    if total < 1:
        raise ValueError(f"total = {total}: expected at least 1")
    if not 0 <= correct <= total:
        raise ValueError(f"correct = {correct}: expected 0 to {total}")
    check_level(level)
