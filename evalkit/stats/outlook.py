"""What the questions that a gate has not yet asked can still bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
        ((-1.0, -1.0, -1.0), (1.0, 1.0, 0.0), (2.0, 1.0, 1.0, 0.0))
    """
    import numpy as np

    scores, shares = np.asarray(baseline, float), np.asarray(weights, float)
    left = np.arange(len(scores), 0, -1)
    means = _from_the_end(np.add, shares) / left
    return Outlook(
        ratios=tuple((means / shares).tolist()),
        worst=tuple((-means * _from_the_end(np.maximum, scores / shares)).tolist()),
        best=tuple((means * _from_the_end(np.maximum, (1 - scores) / shares)).tolist()),
        to_lose=(*_from_the_end(np.add, scores).tolist(), 0.0),
        to_gain=(*_from_the_end(np.add, 1 - scores).tolist(), 0.0),
    )


def _from_the_end(combine: np.ufunc, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """At each position, all values from there on combined."""
    combined: NDArray[np.float64] = combine.accumulate(values[::-1])[::-1]
    return combined
