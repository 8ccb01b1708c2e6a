"""The interval of a drop that stays valid whenever a gate is stopped."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.stats.betting import BETS, FLOOR, LARGEST_LOSS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HALVINGS = 40
"""They leave a trillionth of what is possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The answers given so far, in order, with what was possible before each of them."""

    size: int
    """Questions of the set."""
    differences: Sequence[float]
    """Candidate - baseline."""
    payoffs: Sequence[float]
    """Differences weighted so that their mean is that of the questions left."""
    worst: Sequence[float]
    """The lowest payoff possible."""
    best: Sequence[float]
    """The highest payoff possible."""
    to_lose: float
    """By how much the total can still fall, after these answers."""
    to_gain: float
    """By how much it can still rise."""


def bound_total(
    course: Course, pass_limit: float, fail_limit: float, *, is_whole: bool
) -> tuple[float, float]:
    """Bound the total difference over the whole set by what neither side ever spoke against.

    Each total that is still possible could be tested as a gate tests its thresholds, over all the
    answers given, and kept unless the evidence against it ever reached its limit. Against a lower
    total, the evidence of the passing side is never less, nor that of the failing side against a
    higher one, so that bisection finds both ends.

    Args:
        course: at least one answer.
        pass_limit: logarithm of the wealth that shows the total to be higher.
        fail_limit: logarithm of the wealth that shows it to be lower.
        is_whole: whether totals are whole numbers.

    Returns:
        The lowest and highest total kept. If none is, which has a chance of at most both errors
        together, the range from the highest not shown too high to the lowest not shown too low.
    """
    total = math.fsum(course.differences)
    low, high = total - course.to_lose, total + course.to_gain
    above, below = _wealths_against(course)
    find = _first_kept_whole if is_whole else _first_kept
    least = find(lambda at: _ever_reaches(above(at), pass_limit), low, high)
    most = find(lambda at: _ever_reaches(below(at), fail_limit), high, low)
    return min(least, most), max(least, most)


def trace_evidence(
    course: Course, pass_total: float, fail_total: float
) -> tuple[list[float], list[float]]:
    """The evidence of both sides after each answer, all at once.

    Args:
        course: at least one answer.
        pass_total: the total that the passing side bets against.
        fail_total: the one that the failing side bets against.

    Returns:
        Logarithms of their wealth, the passing side's first.
    """
    above, below = _wealths_against(course)
    return _evidence(above(pass_total)).tolist(), _evidence(below(fail_total)).tolist()


def _first_kept_whole(is_refused: Callable[[float], bool], start: float, end: float) -> float:
    """The first whole number from start to end that is not refused; the end if all are."""
    first, last = round(start), round(end)
    way = 1 if first <= last else -1
    refused, kept = -1, abs(last - first)  # as steps from the first
    while kept - refused > 1:
        middle = (refused + kept) // 2
        if is_refused(first + way * middle):
            refused = middle
        else:
            kept = middle
    return float(first + way * kept)


def _first_kept(is_refused: Callable[[float], bool], start: float, end: float) -> float:
    """The last number from start to end that is still refused, or the start."""
    if not is_refused(start):
        return start
    refused, kept = start, end
    for _ in range(HALVINGS):
        middle = (refused + kept) / 2
        if is_refused(middle):
            refused = middle
        else:
            kept = middle
    return refused


def _wealths_against(
    course: Course,
) -> tuple[Callable[[float], NDArray[np.float64]], Callable[[float], NDArray[np.float64]]]:
    """The wealths of whoever bets that the total is higher, or lower, than a given one.

    The answers stay the same for every total, so they are prepared once.
    """
    import numpy as np

    differences, payoffs, worst, best = (
        np.asarray(values, float)
        for values in (course.differences, course.payoffs, course.worst, course.best)
    )
    left = course.size - np.arange(len(differences))
    before = np.concatenate(([0.0], np.cumsum(differences)[:-1]))
    stakes = np.outer(BETS, course.size / left)

    def above(total: float) -> NDArray[np.float64]:
        means = (total - before) / left
        return _wealths_after_each(payoffs - means, means - worst, stakes)

    def below(total: float) -> NDArray[np.float64]:
        means = (total - before) / left
        return _wealths_after_each(means - payoffs, best - means, stakes)

    return above, below


def _wealths_after_each(
    gains: NDArray[np.float64], costs: NDArray[np.float64], stakes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What a bettor's wealths would have been after each answer, one row a bet."""
    import numpy as np

    wealths = np.minimum(stakes, LARGEST_LOSS / np.maximum(costs, FLOOR))
    wealths *= gains
    np.log1p(wealths, out=wealths)
    return np.cumsum(wealths, axis=1, out=wealths)


def _evidence(wealths: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of the mean wealth after each answer."""
    import numpy as np

    tops = wealths.max(axis=0)
    evidence: NDArray[np.float64] = tops + np.log(np.exp(wealths - tops).mean(axis=0))
    return evidence


def _ever_reaches(wealths: NDArray[np.float64], limit: float) -> bool:
    """Whether the evidence was ever as high as a limit.

    A mean is no more than the largest, and no less than its share: mostly, that is enough to know.
    """
    highest = float(wealths.max())
    if highest < limit or highest - math.log(len(wealths)) >= limit:
        return highest >= limit
    some = wealths[:, wealths.max(axis=0) >= limit]
    return float(_evidence(some).max()) >= limit
