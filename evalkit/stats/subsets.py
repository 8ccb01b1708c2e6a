"""Part of a suite, drawn at random: what it tells of the whole."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

from evalkit.stats.intervals import Interval, check_level, mean_interval, wilson_interval
from evalkit.stats.paired import tango_interval


def correct_for_part(interval: Interval, total: int) -> Interval:
    """Narrow an interval, as what was asked of a finite set is known.

    Args:
        interval: of the mean of some questions, drawn at random from the set.
        total: questions of the set, at least as many as were asked.

    Returns:
        Both ends sqrt(1 - n/N) as far from the estimate: the estimate itself if all were asked.

    Raises:
        ValueError: the set is smaller than its part.

    Source:
        Cochran (1977), Sampling Techniques, chapter 2: the finite population correction.

    Example:
        >>> whole = correct_for_part(wilson_interval(84, 100), total=200)
        >>> round(whole.low, 3), round(whole.high, 3)
        (0.78, 0.882)
    """
    if total < interval.n:
        raise ValueError(f"total = {total}: expected at least {interval.n}")
    factor = math.sqrt(1 - interval.n / total)
    return replace(
        interval,
        low=interval.estimate - factor * (interval.estimate - interval.low),
        high=interval.estimate + factor * (interval.high - interval.estimate),
    )


def part_interval(scores: Sequence[float], total: int, *, level: float = 0.95) -> Interval:
    """The interval of a whole set's score, from that of a random part.

    Args:
        scores: one in [0, 1] for each question asked; at least one, two if any is fractional.
        total: questions of the set, at least as many.
        level: confidence, a fraction in (0, 1).

    Returns:
        Wilson's interval if all scores are 0 or 1, else that of the mean; narrowed by the finite
        population correction.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> interval = part_interval([0.2, 0.4, 0.6, 0.8], total=16)
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.144, 0.856)
    """
    if scores and all(score in (0, 1) for score in scores):
        whole = wilson_interval(sum(scores), len(scores), level=level)
    else:
        whole = mean_interval(scores, level=level)
    return correct_for_part(whole, total)


def part_error(scores: Sequence[float], total: int) -> float:
    """The standard error of a whole set's score, from that of a random part.

    Args:
        scores: one in [0, 1] for each question asked, at least two.
        total: questions of the set, at least as many.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> round(part_error([1, 0, 1, 1], total=16), 3)
        0.217
    """
    n = len(scores)
    if n < 2:
        raise ValueError(f"{n} scores: expected at least 2")
    if total < n:
        raise ValueError(f"total = {total}: expected at least {n}")
    return statistics.stdev(scores) / math.sqrt(n) * math.sqrt(1 - n / total)


def regression_interval(
    scores: Sequence[float],
    earlier: Sequence[float],
    *,
    earlier_mean: float,
    total: int,
    level: float = 0.95,
) -> Interval:
    """The interval of a whole set's score, from a random part and from earlier runs on the set.

    Earlier runs tell which questions are hard, so that the part can be weighed against the whole.
    Expect to need about 1.5 times fewer questions, not 100 times.

    Args:
        scores: one in [0, 1] for each question asked, at least three.
        earlier: the mean score of earlier complete runs on each of these questions, fractions.
        earlier_mean: the mean of these over the whole set.
        total: questions of the set, at least as many as were asked.
        level: confidence, a fraction in (0, 1).

    Returns:
        mean(scores) + slope * (earlier_mean - mean(earlier)), clipped to [0, 1], with the
        interval by t with n - 2 degrees of freedom and the finite population correction. If the
        earlier scores explain every score, which leaves no spread to go by, Tango's interval
        around it, as of a difference of which no flip was seen.

    Raises:
        ValueError: an argument is outside its range, or lengths differ.

    Source:
        Cochran (1977), Sampling Techniques, chapter 7.

    Example:
        >>> interval = regression_interval(
        ...     [1, 1, 0, 0, 1], [0.9, 0.8, 0.1, 0.3, 0.6], earlier_mean=0.6, total=100
        ... )
        >>> round(interval.estimate, 3), round(interval.low, 3), round(interval.high, 3)
        (0.69, 0.353, 1.0)
    """
    n = len(scores)
    if n < 3:
        raise ValueError(f"{n} scores: expected at least 3")
    if len(earlier) != n:
        raise ValueError(f"{len(earlier)} earlier scores for {n} questions: expected as many")
    for score in (*scores, *earlier, earlier_mean):
        if not 0 <= score <= 1:
            raise ValueError(f"score = {score}: expected 0 to 1")
    if total < n:
        raise ValueError(f"total = {total}: expected at least {n}")
    check_level(level)
    from scipy.special import stdtrit

    mean, centre = statistics.fmean(scores), statistics.fmean(earlier)
    spread = math.fsum((before - centre) ** 2 for before in earlier)
    products = (
        (before - centre) * (now - mean) for before, now in zip(earlier, scores, strict=True)
    )
    slope = math.fsum(products) / spread if spread > 1e-12 else 0.0
    residuals = [
        now - mean - slope * (before - centre) for before, now in zip(earlier, scores, strict=True)
    ]
    variance = math.fsum(residual**2 for residual in residuals) / (n - 2)
    if variance > 1e-12:
        half = float(stdtrit(n - 2, (1 + level) / 2)) * math.sqrt(variance / n)
    else:
        half = tango_interval(0, 0, n, confidence=level).high
    half *= math.sqrt(1 - n / total)
    estimate = mean + slope * (earlier_mean - centre)
    return Interval(
        estimate=min(1.0, max(0.0, estimate)),
        low=min(1.0, max(0.0, estimate - half)),
        high=max(0.0, min(1.0, estimate + half)),
        n=n,
        level=level,
        method="regression",
    )
