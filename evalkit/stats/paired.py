"""Two runs on the same questions: is the candidate better, and by how much.

Right and wrong answers come as counts: `gains` are questions that only the candidate has right,
`losses` those that only the baseline has right. A difference is candidate minus baseline.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from evalkit.stats.intervals import Interval, check_level

ROUNDING = 1e-12
"""Differences closer than this are equal: 0.3 - 0.2 is not quite 0.2 - 0.1."""


def mcnemar_midp(gains: int, losses: int) -> float:
    """Two-sided p-value of no difference: McNemar's mid-p test, close to its nominal size.

    Args:
        gains: questions that only the candidate has right, at least 0.
        losses: questions that only the baseline has right, at least 0.

    Returns:
        A fraction in [0, 1]; 1 if nothing flipped.

    Raises:
        ValueError: a count is negative.

    Source:
        Fagerland, Lydersen, Laake (2013), BMC Med. Res. Meth. 13, 91.

    Example:
        >>> round(mcnemar_midp(6, 16), 4)
        0.0347
    """
    _check_counts(gains, losses)
    fewer, flips = min(gains, losses), gains + losses
    if flips == 0:
        return 1.0
    if gains == losses:
        return 1 - (_chance_of_at_most(fewer, flips) - _chance_of_at_most(fewer - 1, flips)) / 2
    # Twice the tail with half of its last term: nothing is subtracted, so small values are exact.
    return _chance_of_at_most(fewer, flips) + _chance_of_at_most(fewer - 1, flips)


def mcnemar_exact(gains: int, losses: int) -> float:
    """Two-sided p-value of no difference, with a guaranteed size: McNemar's exact test.

    Args:
        gains: questions that only the candidate has right, at least 0.
        losses: questions that only the baseline has right, at least 0.

    Returns:
        A fraction in [0, 1]; 1 if nothing flipped.

    Raises:
        ValueError: a count is negative.

    Source:
        McNemar (1947), Psychometrika 12, 153-157, with binomial probabilities.

    Example:
        >>> round(mcnemar_exact(6, 16), 4)
        0.0525
    """
    _check_counts(gains, losses)
    return min(1.0, 2 * _chance_of_at_most(min(gains, losses), gains + losses))


def mcnemar_drop(gains: int, losses: int) -> float:
    """One-sided p-value: how easily so many losses come about if the candidate is no worse.

    Args:
        gains: questions that only the candidate has right, at least 0.
        losses: questions that only the baseline has right, at least 0.

    Returns:
        A fraction in [0, 1] by the exact test, small if the candidate is worse; 1 without losses.

    Raises:
        ValueError: a count is negative.

    Example:
        >>> round(mcnemar_drop(6, 16), 4)
        0.0262
    """
    _check_counts(gains, losses)
    return _chance_of_at_most(gains, gains + losses)


def tango_interval(gains: float, losses: float, n: int, *, confidence: float = 0.95) -> Interval:
    """The score interval of a paired difference, which covers at every n and needs no flips.

    Args:
        gains: questions that only the candidate has right, at least 0; may be fractional.
        losses: questions that only the baseline has right, at least 0; may be fractional.
        n: questions that both answered, at least 1 and at least gains + losses.
        confidence: a fraction in (0, 1).

    Returns:
        Candidate - baseline with bounds in [-1, 1]; an end is exactly -1 or 1 if all were lost or
        gained.

    Raises:
        ValueError: an argument is outside its range.

    Source:
        Tango (1998), Stat. Med. 17, 891-908.

    Example:
        >>> interval = tango_interval(6, 16, 161)
        >>> round(interval.low, 3), round(interval.high, 3)
        (-0.124, -0.005)
    """
    _check_table(gains, losses, n)
    check_level(confidence)
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    return Interval(
        estimate=(gains - losses) / n,
        low=-_tango_upper(losses, gains, n, z),
        high=_tango_upper(gains, losses, n, z),
        n=n,
        level=confidence,
        method="Tango",
    )


def tango_margin_test(gains: float, losses: float, n: int, delta: float) -> float:
    """One-sided p-value: how easily so small a drop comes about if the true one is delta or more.

    Args:
        gains: questions that only the candidate has right, at least 0; may be fractional.
        losses: questions that only the baseline has right, at least 0; may be fractional.
        n: questions that both answered, at least 1 and at least gains + losses.
        delta: the margin, a fraction in (0, 1).

    Returns:
        A fraction in [0, 1], by Tango's score test: small if there is no drop beyond the margin,
        and 1 minus it is small if there is one.

    Raises:
        ValueError: an argument is outside its range.

    Source:
        Tango (1998), Stat. Med. 17, 891-908.

    Example:
        >>> round(tango_margin_test(20, 22, 1000, 0.02), 4)
        0.0049
    """
    _check_table(gains, losses, n)
    if not 0 < delta < 1:
        raise ValueError(f"delta = {delta}: expected a fraction between 0 and 1")
    score = (gains - losses + n * delta) / _tango_deviation(-delta, gains, losses, n)
    return statistics.NormalDist().cdf(-score)


def mean_difference_interval(differences: Sequence[float], *, confidence: float = 0.95) -> Interval:
    """The interval of the mean difference of question scores that are not all 0 or 1.

    Args:
        differences: candidate - baseline in [-1, 1], one number for each question, at least two.
        confidence: a fraction in (0, 1).

    Returns:
        mean +- t * s / sqrt(n), clipped to [-1, 1]. If all differences are equal, which leaves no
        spread to go by, Tango's interval with their sum as gains or losses.

    Raises:
        ValueError: fewer than two differences, one outside [-1, 1], or a confidence outside (0, 1).

    Example:
        >>> interval = mean_difference_interval([0.2, -0.4, 0.0, -0.2, -0.6])
        >>> round(interval.low, 3), round(interval.high, 3)
        (-0.593, 0.193)
    """
    n = len(differences)
    _check_differences(differences, least=2)
    check_level(confidence)
    if max(differences) - min(differences) <= ROUNDING:
        total = math.fsum(differences)
        return tango_interval(max(total, 0.0), max(-total, 0.0), n, confidence=confidence)
    from scipy.special import stdtrit

    mean = statistics.fmean(differences)
    error = _standard_error(differences)
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * error
    return Interval(
        estimate=mean,
        low=max(-1.0, mean - half),
        high=min(1.0, mean + half),
        n=n,
        level=confidence,
        method="t",
    )


def mean_difference_test(differences: Sequence[float]) -> float:
    """Two-sided p-value of no difference between question scores that are not all 0 or 1.

    Args:
        differences: candidate - baseline in [-1, 1], one number for each question, at least one.

    Returns:
        A fraction in [0, 1], by the t-test. If all differences are equal, which leaves no spread
        to go by, Tango's score test with their sum as gains or losses.

    Raises:
        ValueError: no difference, or one outside [-1, 1].

    Example:
        >>> round(mean_difference_test([0.2, -0.4, 0.0, -0.2, -0.6]), 3)
        0.23
    """
    n = len(differences)
    _check_differences(differences, least=1)
    if max(differences) - min(differences) <= ROUNDING:
        return 2 * statistics.NormalDist().cdf(-math.sqrt(abs(math.fsum(differences))))
    from scipy.special import stdtr

    mean, error = statistics.fmean(differences), _standard_error(differences)
    return 2 * float(stdtr(n - 1, -abs(mean) / error))


def _standard_error(differences: Sequence[float]) -> float:
    """Of the mean of at least two differences; numpy is ten times as fast as `statistics`."""
    import numpy as np

    return float(np.std(differences, ddof=1)) / math.sqrt(len(differences))


def _check_differences(differences: Sequence[float], *, least: int) -> None:
    if len(differences) < least:
        raise ValueError(f"{len(differences)} differences: expected at least {least}")
    import numpy as np

    found = np.asarray(differences, float)
    if outside := found[~(np.abs(found) <= 1)].tolist():
        raise ValueError(f"difference = {outside[0]}: expected -1 to 1")


def _check_counts(gains: float, losses: float) -> None:
    for name, count in (("gains", gains), ("losses", losses)):
        if not count >= 0:
            raise ValueError(f"{name} = {count}: expected at least 0")


def _check_table(gains: float, losses: float, n: int) -> None:
    if n < 1:
        raise ValueError(f"n = {n}: expected at least 1")
    _check_counts(gains, losses)
    if gains + losses > n:
        raise ValueError(f"gains + losses = {gains + losses}: expected at most n = {n}")


def _chance_of_at_most(heads: int, tosses: int) -> float:
    """The chance of at most so many heads in tosses of a fair coin."""
    from scipy.special import bdtr

    return float(bdtr(heads, tosses, 0.5)) if heads >= 0 else 0.0


def _tango_upper(gains: float, losses: float, n: int, z: float) -> float:
    """The largest difference that the counts do not reject, by bisection.

    The lower end is this one for the sides swapped, with the sign turned.
    """
    low, high = (gains - losses) / n, 1.0
    for _ in range(60):  # leaves 2 ** -59 of the widest bracket
        middle = (low + high) / 2
        if gains - losses - n * middle + z * _tango_deviation(middle, gains, losses, n) > 0:
            low = middle
        else:
            high = middle
    return low


def _tango_deviation(difference: float, gains: float, losses: float, n: int) -> float:
    """Standard deviation of gains - losses if the true difference is the given one.

    What that difference leaves open, the chance of a loss, is estimated by maximum likelihood: the
    larger root of a p^2 + b p + c. With the sides turned so that the difference is not negative,
    no step subtracts nearly equal numbers.
    """
    if difference < 0:
        return _tango_deviation(-difference, losses, gains, n)
    a = 2 * n
    b = (2 * n - gains + losses) * difference - gains - losses
    minus_c = losses * difference * (1 - difference)
    root = math.sqrt(b * b + 4 * a * minus_c)
    loss = (root - b) / (2 * a) if b <= 0 else 2 * minus_c / (b + root)
    return math.sqrt(n * (2 * loss + difference * (1 - difference)))
