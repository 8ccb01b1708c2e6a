"""What the questions that a gate has not yet asked can still bring."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Sums and extremes over the questions from one position of the drawn order to its end.

    A payoff is a question's difference, times the mean weight of the questions left over its own
    weight: drawn by these weights, its mean is the mean difference over the questions left.
    """

    ratios: tuple[float, ...]
    """By position: mean weight of the questions left, over the weight of this one."""
    worst: tuple[float, ...]
    """By position: the lowest payoff that a question left could have; 0 or less."""
    best: tuple[float, ...]
    """By position: the highest payoff that a question left could have; 0 or more."""
    to_lose: tuple[float, ...]
    """By answers given, from 0: the sum of the baseline's scores of those left."""
    to_gain: tuple[float, ...]
    """By answers given, from 0: by how much all of those left could exceed the baseline."""


def look_ahead(baseline: Sequence[float], weights: Sequence[float]) -> Outlook:
    """Sum up what is left at every position, in one pass from the end.

    Args:
        baseline: the baseline's scores in drawn order, each in [0, 1].
        weights: the weights in drawn order, each more than 0.

    Example:
        >>> outlook = look_ahead([1, 0, 1], [1, 1, 1])
        >>> outlook.worst, outlook.best, outlook.to_lose
        ((-1.0, -1.0, -1.0), (1.0, 1.0, 0.0), (2, 1, 1, 0))
    """
    n = len(baseline)
    sums = _from_the_end(weights, operator.add)
    means = [total / (n - place) for place, total in enumerate(sums)]
    losses = [score / weight for score, weight in zip(baseline, weights, strict=True)]
    gains = [(1 - score) / weight for score, weight in zip(baseline, weights, strict=True)]
    return Outlook(
        ratios=tuple(mean / weight for mean, weight in zip(means, weights, strict=True)),
        worst=tuple(-m * w for m, w in zip(means, _from_the_end(losses, max), strict=True)),
        best=tuple(m * w for m, w in zip(means, _from_the_end(gains, max), strict=True)),
        to_lose=(*_from_the_end(baseline, operator.add), 0),
        to_gain=(*_from_the_end([1 - score for score in baseline], operator.add), 0),
    )


def _from_the_end(values: Sequence[float], combine: Callable[[float, float], float]) -> list[float]:
    """At each position, all values from there on combined."""
    return list(accumulate(reversed(values), combine))[::-1]
