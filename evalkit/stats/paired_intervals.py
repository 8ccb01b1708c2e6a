"""Other intervals of a paired difference, beside Tango's: both are wider when flips are few."""

from __future__ import annotations

import math
import statistics

from evalkit.stats.intervals import Interval, check_level, wilson_interval


def newcombe_interval(
    *, both_right: int, losses: int, gains: int, both_wrong: int, confidence: float = 0.95
) -> Interval:
    """The interval of a paired difference from those of the two shares: square and add.

    Args:
        both_right: questions that both have right, at least 0.
        losses: questions that only the baseline has right, at least 0.
        gains: questions that only the candidate has right, at least 0.
        both_wrong: questions that neither has right, at least 0; at least one question in all.
        confidence: a fraction in (0, 1).

    Returns:
        Candidate - baseline with bounds in [-1, 1].

    Raises:
        ValueError: an argument is outside its range.

    Source:
        Newcombe (1998), Stat. Med. 17, 2635-2650, method 10.

    Example:
        >>> interval = newcombe_interval(both_right=59, losses=16, gains=6, both_wrong=80)
        >>> round(interval.low, 3), round(interval.high, 3)
        (-0.119, -0.005)
    """
    counts = {"both_right": both_right, "losses": losses, "gains": gains, "both_wrong": both_wrong}
    for name, count in counts.items():
        if not count >= 0:
            raise ValueError(f"{name} = {count}: expected at least 0")
    n = sum(counts.values())
    if n < 1:
        raise ValueError(f"n = {n}: expected at least 1")
    candidate = wilson_interval(both_right + gains, n, level=confidence)
    baseline = wilson_interval(both_right + losses, n, level=confidence)
    correlation = _correlation(both_right, losses, gains, both_wrong)
    difference = candidate.estimate - baseline.estimate
    down = _together(
        candidate.estimate - candidate.low, baseline.high - baseline.estimate, correlation
    )
    up = _together(
        baseline.estimate - baseline.low, candidate.high - candidate.estimate, correlation
    )
    return Interval(
        estimate=difference,
        low=max(-1.0, difference - down),
        high=min(1.0, difference + up),
        n=n,
        level=confidence,
        method="Newcombe",
    )


def bonett_price_interval(gains: int, losses: int, n: int, *, confidence: float = 0.95) -> Interval:
    """The interval of a paired difference with one more gain and one more loss than there were.

    Args:
        gains: questions that only the candidate has right, at least 0.
        losses: questions that only the baseline has right, at least 0.
        n: questions that both answered, at least 1 and at least gains + losses.
        confidence: a fraction in (0, 1).

    Returns:
        Candidate - baseline with bounds in [-1, 1]. Its middle lies nearer to 0 than the estimate.

    Raises:
        ValueError: an argument is outside its range.

    Source:
        Bonett and Price (2012), J. Educ. Behav. Stat. 37, 479-488.

    Example:
        >>> interval = bonett_price_interval(6, 16, 161)
        >>> round(interval.low, 3), round(interval.high, 3)
        (-0.119, -0.003)
    """
    if n < 1:
        raise ValueError(f"n = {n}: expected at least 1")
    for name, count in (("gains", gains), ("losses", losses)):
        if not count >= 0:
            raise ValueError(f"{name} = {count}: expected at least 0")
    if gains + losses > n:
        raise ValueError(f"gains + losses = {gains + losses}: expected at most n = {n}")
    check_level(confidence)
    gained, lost = (gains + 1) / (n + 2), (losses + 1) / (n + 2)
    middle = gained - lost
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    half = z * math.sqrt((gained + lost - middle * middle) / (n + 2))
    return Interval(
        estimate=(gains - losses) / n,
        low=max(-1.0, middle - half),
        high=min(1.0, middle + half),
        n=n,
        level=confidence,
        method="Bonett-Price",
    )


def _correlation(both_right: int, losses: int, gains: int, both_wrong: int) -> float:
    """Of being right in the two runs, with Newcombe's correction for continuity; 0 if undefined."""
    margins = (
        (both_right + losses) * (both_right + gains) * (gains + both_wrong) * (losses + both_wrong)
    )
    if margins == 0:
        return 0.0
    excess: float = both_right * both_wrong - losses * gains
    if excess >= 0:
        excess = max(0.0, excess - (both_right + losses + gains + both_wrong) / 2)
    return excess / math.sqrt(margins)


def _together(one: float, other: float, correlation: float) -> float:
    """The length of two distances that are correlated."""
    # Not below 0, but for rounding, as the correlation is at most 1.
    return math.sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))
