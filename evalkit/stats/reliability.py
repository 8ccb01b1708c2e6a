"""Whether a model is as often right as its confidence says, in bins of similar confidence.

The mean gap (ECE) of a perfectly calibrated model is above 0, and far above with few questions. So
it comes with what such a model would show: only an excess over that is a finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.stats.calibration import check_confidences
from evalkit.stats.intervals import Interval, wilson_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST_VOTES = 10
"""With fewer answers a question, shares of votes are too coarse for a gap to mean anything."""

GOOD_VOTES = 20
"""With fewer, they are coarse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Questions of similar confidence."""

    confidence: float
    """Mean confidence, a fraction."""
    accuracy: Interval
    """Share answered right, with Wilson's interval."""

    @property
    def n(self) -> int:
        """Questions in it."""
        return self.accuracy.n

    @property
    def gap(self) -> float:
        """Distance between accuracy and mean confidence."""
        return abs(self.accuracy.estimate - self.confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How confidence and accuracy compare over all bins; all numbers are fractions."""

    bins: tuple[ReliabilityBin, ...]
    """By ascending confidence, without empty ones."""
    ece: float
    """Mean gap over questions."""
    mce: float
    """Largest gap of a bin."""
    perfect_ece: float
    """Mean gap that a perfectly calibrated model of these confidences would show."""
    perfect_ece_high: float
    """What it would exceed in one of twenty cases."""
    samples: int | None
    """Answers a question that confidences are shares of; None for probabilities."""

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the mean gap is more than a perfect model would show."""
        return self.ece > self.perfect_ece_high

    @property
    def is_coarse(self) -> bool:
        """Whether confidences are shares of few votes, which makes the mean gap too large."""
        return self.samples is not None and self.samples < GOOD_VOTES


def equal_mass_edges(confidences: Sequence[float], bins: int = 10) -> tuple[float, ...]:
    """Edges of bins that hold about as many questions each.

    Args:
        confidences: at least one.
        bins: at least 1.

    Returns:
        One edge more than bins, ascending; some are equal where confidences are.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> equal_mass_edges([0.1, 0.2, 0.3, 0.6, 0.8], bins=2)
        (0.1, 0.3, 0.8)
    """
    import numpy as np

    _check_bins(bins)
    if not len(confidences):
        raise ValueError("0 confidences: expected at least 1")
    return tuple(np.quantile(confidences, np.linspace(0, 1, bins + 1)).tolist())


def equal_width_edges(bins: int = 10) -> tuple[float, ...]:
    """Edges of bins that are as wide as each other.

    Args:
        bins: at least 1.

    Returns:
        One edge more than bins, from 0 to 1.

    Raises:
        ValueError: there are no bins.

    Example:
        >>> equal_width_edges(4)
        (0.0, 0.25, 0.5, 0.75, 1.0)
    """
    import numpy as np

    _check_bins(bins)
    return tuple(np.linspace(0, 1, bins + 1).tolist())


def measure_reliability(
    confidences: Sequence[float],
    correct: Sequence[int],
    edges: Sequence[float],
    *,
    samples: int | None = None,
    draws: int = 200,
    seed: int = 0,
) -> Reliability:
    """Compare confidence and accuracy in bins.

    Args:
        confidences: of the pick of each question, in [0, 1]; at least one.
        correct: 1 for a right pick, 0 for a wrong one, in the same order.
        edges: ascending, at least two; a bin holds confidences above its lower edge, up to its
            upper one, and the outer bins all beyond.
        samples: answers a question if confidences are shares of votes, at least 10; None if they
            are probabilities. Mean gaps with different numbers of answers cannot be compared.
        draws: sets of outcomes drawn for a perfect model, at least 1.
        seed: of these draws.

    Raises:
        ValueError: an argument is outside its range, or there are too few votes.

    Source:
        Roelofs et al. (2022), arXiv:2012.08668, on equal mass and on the bias.

    Example:
        >>> stated, correct = [0.95, 0.9, 0.6, 0.55], [1, 0, 1, 0]
        >>> found = measure_reliability(stated, correct, equal_width_edges(2))
        >>> round(found.ece, 3), len(found.bins)
        (0.25, 1)
    """
    import numpy as np

    check_confidences(confidences, correct)
    if len(edges) < 2 or sorted(edges) != list(edges):
        raise ValueError(f"edges = {tuple(edges)}: expected at least 2, ascending")
    if samples is not None and samples < FEWEST_VOTES:
        raise ValueError(f"samples = {samples}: expected at least {FEWEST_VOTES}")
    if draws < 1:
        raise ValueError(f"draws = {draws}: expected at least 1")
    stated, outcomes = np.asarray(confidences, float), np.asarray(correct, float)
    places = np.searchsorted(np.asarray(edges[1:-1], float), stated)
    _, member, sizes = np.unique(places, return_inverse=True, return_counts=True)
    sums, rights = np.bincount(member, stated), np.bincount(member, outcomes)
    bins = tuple(
        ReliabilityBin(
            confidence=min(total / size, 1.0), accuracy=wilson_interval(round(right), size)
        )
        for total, right, size in zip(sums.tolist(), rights.tolist(), sizes.tolist(), strict=True)
    )
    perfect = _gaps_of_perfect_models(stated, member, sums, draws, seed)
    return Reliability(
        bins=bins,
        ece=sum(each.gap * each.n for each in bins) / len(stated),
        mce=max(each.gap for each in bins),
        perfect_ece=float(perfect.mean()),
        perfect_ece_high=float(np.quantile(perfect, 0.95)),
        samples=samples,
    )


def _gaps_of_perfect_models(
    stated: NDArray[np.float64],
    member: NDArray[np.intp],
    sums: NDArray[Any],
    draws: int,
    seed: int,
) -> NDArray[np.float64]:
    """The mean gap of each of several sets of outcomes that are as likely as was stated."""
    import numpy as np

    rng = np.random.default_rng(seed)
    gaps = []
    for _ in range(draws):
        outcomes = np.bincount(member, rng.random(len(stated)) < stated)
        gaps.append(np.abs(outcomes - sums).sum() / len(stated))
    return np.array(gaps)


def _check_bins(bins: int) -> None:
    if bins < 1:
        raise ValueError(f"bins = {bins}: expected at least 1")
