"""Planning: what a comparison can find, and how many questions it takes."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

from evalkit.stats.intervals import check_level, wilson_interval

NORMAL = statistics.NormalDist()


def power_of_difference(difference: float, flips: float, n: int, *, alpha: float = 0.05) -> float:
    """The chance that a two-sided paired test of n questions finds a true difference.

    Args:
        difference: candidate - baseline, -flips to flips; its sign does not matter.
        flips: share of questions that only one of the two has right, in (0, 1].
        n: questions, at least 1.
        alpha: size of the test, a fraction in (0, 1).

    Returns:
        A fraction in [alpha, 1], both tails counted, by the normal approximation with the variance
        of one question's difference, flips - difference^2.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> round(power_of_difference(-0.02, 0.05, 1000), 3)
        0.811
    """
    _check_flips(flips)
    if not abs(difference) <= flips:
        raise ValueError(f"difference = {difference}: expected {-flips} to {flips}")
    _check_questions(n)
    _check_share("alpha", alpha)
    deviation = math.sqrt(flips - difference * difference)
    if deviation == 0:
        return 1.0  # every question flips the same way
    return _power(abs(difference) * math.sqrt(n) / deviation, alpha)


def questions_needed(
    difference: float, flips: float, *, power: float = 0.8, alpha: float = 0.05
) -> int:
    """The fewest questions with which a paired test finds a true difference often enough.

    Args:
        difference: candidate - baseline, -flips to flips, not 0; its sign does not matter.
        flips: share of questions that only one of the two has right, in (0, 1].
        power: the chance of finding it, a fraction in (alpha, 1).
        alpha: size of the two-sided test, a fraction in (0, 1).

    Returns:
        At least 1. Where all flips go one way, it is too few for the normal approximation.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> questions_needed(-0.02, 0.05)
        974
    """
    if difference == 0:
        raise ValueError(f"difference = {difference}: expected other than 0")
    _check_power(power, alpha)
    return _fewest(lambda n: power_of_difference(difference, flips, n, alpha=alpha) >= power)


def minimum_detectable_difference(
    n: int, flips: float, *, power: float = 0.8, alpha: float = 0.05
) -> float | None:
    """The smallest true difference that a paired test of n questions finds often enough.

    Args:
        n: questions, at least 1.
        flips: share of questions that only one of the two has right, in (0, 1].
        power: the chance of finding it, a fraction in (alpha, 1).
        alpha: size of the two-sided test, a fraction in (0, 1).

    Returns:
        A fraction in (0, flips]; None if no difference that so few flips can make would be found.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> round(minimum_detectable_difference(1000, 0.05), 4)
        0.0197
        >>> minimum_detectable_difference(20, 0.05) is None
        True
    """
    _check_questions(n)
    _check_flips(flips)
    _check_power(power, alpha)
    from scipy.optimize import brentq

    # The far tail only adds to the power, so the shift lies below the one-tailed solution.
    beyond = 1 + NORMAL.inv_cdf(1 - alpha / 2) + NORMAL.inv_cdf(power)
    shift = brentq(lambda at: _power(at, alpha) - power, 0, beyond, xtol=1e-14)
    ratio = float(shift) / math.sqrt(n)
    difference = ratio * math.sqrt(flips) / math.sqrt(1 + ratio * ratio)
    return difference if difference <= flips else None


def questions_for_margin(margin: float, accuracy: float = 0.5, *, confidence: float = 0.95) -> int:
    """The fewest questions whose Wilson interval reaches at most so far to either side.

    Args:
        margin: half the interval's width, a fraction in (0, 1).
        accuracy: the accuracy expected, a fraction in [0, 1]; 0.5 is the worst case.
        confidence: a fraction in (0, 1).

    Returns:
        At least 1.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> questions_for_margin(0.02), questions_for_margin(0.02, 0.9)
        (2398, 868)
    """
    _check_share("margin", margin)
    if not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy = {accuracy}: expected 0 to 1")
    check_level(confidence)

    def is_narrow(n: int) -> bool:
        interval = wilson_interval(accuracy * n, n, level=confidence)
        return (interval.high - interval.low) / 2 <= margin

    return _fewest(is_narrow)


def exact_power_of_drop(n: int, p_loss: float, p_gain: float, *, alpha: float = 0.05) -> float:
    """The chance that McNemar's exact test of n questions finds a true drop, counted out.

    For small suites, where the normal approximation is too hopeful.

    Args:
        n: questions, at least 1.
        p_loss: the chance that only the baseline has a question right, a fraction.
        p_gain: the chance that only the candidate has, a fraction; both together at most 1.
        alpha: size of the two-sided test, a fraction in (0, 1).

    Returns:
        A fraction in [0, 1]: the chance of a p-value of at most alpha with more losses than gains.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> round(exact_power_of_drop(100, 0.12, 0.04), 3)
        0.436
    """
    _check_questions(n)
    for name, chance in (("p_loss", p_loss), ("p_gain", p_gain), ("sum", p_loss + p_gain)):
        if not 0 <= chance <= 1:
            raise ValueError(f"{name} = {chance}: expected 0 to 1")
    _check_share("alpha", alpha)
    if p_loss == 0:
        return 0.0
    from scipy.special import bdtr, bdtrc

    flip, power, fewest = p_loss + p_gain, 0.0, 1
    for flips in range(1, n + 1):
        # The fewest losses that are significant never fall as flips are added.
        while fewest <= flips and 2 * bdtr(flips - fewest, flips, 0.5) > alpha:
            fewest += 1
        if fewest <= flips:
            # As many losses: more than fewest - 1.
            found = float(bdtrc(fewest - 1, flips, p_loss / flip))
            power += _chance_of_exactly(flips, n, flip) * found
    return min(1.0, power)


def questions_in_clusters(n: int, design_effect: float) -> int:
    """How many questions in clusters tell as much as some that have nothing to do with each other.

    Args:
        n: questions needed without clusters, at least 1.
        design_effect: by how much clusters inflate the variance, more than 0.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> questions_in_clusters(974, 1.8)
        1754
    """
    _check_questions(n)
    if not 0 < design_effect < math.inf:
        raise ValueError(f"design_effect = {design_effect}: expected more than 0 and finite")
    return math.ceil(n * design_effect - 1e-9)


def questions_on_this_set(n: int, total: int) -> int:
    """How many questions of a set tell as much of this very set as n do of questions like these.

    Args:
        n: questions needed for questions like these, at least 1.
        total: questions of the set, at least 1.

    Returns:
        At least 1, at most as many as the set has.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> questions_on_this_set(974, 1000), questions_on_this_set(974, 14042)
        (494, 911)
    """
    _check_questions(n)
    if total < 1:
        raise ValueError(f"total = {total}: expected at least 1")
    return math.ceil(n / (1 + n / total) - 1e-9)


def _chance_of_exactly(flips: int, n: int, flip: float) -> float:
    """The chance of so many flips among n questions, by logarithms as factorials are large."""
    if flip >= 1:
        return float(flips == n)
    ways = math.lgamma(n + 1) - math.lgamma(flips + 1) - math.lgamma(n - flips + 1)
    return math.exp(ways + flips * math.log(flip) + (n - flips) * math.log1p(-flip))


def _power(shift: float, alpha: float) -> float:
    """Power of a two-sided z-test whose statistic is centred at `shift` instead of 0."""
    z = NORMAL.inv_cdf(1 - alpha / 2)
    return NORMAL.cdf(shift - z) + NORMAL.cdf(-shift - z)


def _fewest(is_enough: Callable[[int], bool]) -> int:
    """The smallest count from 1 that is enough, where every larger one is enough too."""
    high = 1
    while not is_enough(high):
        high *= 2
    low = high // 2  # not enough, or 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _check_questions(n: int) -> None:
    if n < 1:
        raise ValueError(f"n = {n}: expected at least 1")


def _check_flips(flips: float) -> None:
    if not 0 < flips <= 1:
        raise ValueError(f"flips = {flips}: expected more than 0, at most 1")


def _check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} = {value}: expected a fraction between 0 and 1")


def _check_power(power: float, alpha: float) -> None:
    _check_share("alpha", alpha)
    if not alpha < power < 1:
        raise ValueError(f"power = {power}: expected more than alpha = {alpha}, less than 1")
