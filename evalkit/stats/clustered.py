"""Questions that stand or fall together, such as those about one passage: they count for less.

The standard error is CR2 and the degrees of freedom are Satterthwaite's, both in closed form: with
nothing but a mean to estimate, the general formulas of Bell and McCaffrey reduce to these. They
hold from about five clusters on, of unequal sizes too.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evalkit.stats.intervals import Interval, check_level, wilson_interval
from evalkit.stats.paired import tango_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROUNDING = 1e-9
"""Sums of residuals smaller than this are zero: sums of fractions are not exact."""

FEW = 5.0
"""With fewer degrees of freedom, an interval is a rough guide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredMean:
    """A mean of values in clusters, and how uncertain it is on clusters like these."""

    estimate: float
    error: float
    """Standard error, CR2; 0 if the clusters do not differ at all."""
    error_cr0: float
    """The plain sandwich, which is too small with few clusters: for comparison only."""
    plain_error: float
    """Standard error had the questions nothing to do with each other."""
    df: float
    """Degrees of freedom, one less than the clusters if all are of one size."""
    questions: int
    clusters: int

    @property
    def error_cr1(self) -> float:
        """The sandwich with a factor for few clusters, as other tools print it."""
        return self.error_cr0 * math.sqrt(self.clusters / (self.clusters - 1))

    @property
    def design_effect(self) -> float | None:
        """By how much the clusters inflate the variance; None if all values are equal."""
        return (self.error / self.plain_error) ** 2 if self.plain_error else None

    @property
    def is_rough(self) -> bool:
        """Whether there are so few clusters that the interval is a rough guide."""
        return self.df < FEW


def number_clusters(clusters: Sequence[Hashable] | NDArray[Any]) -> NDArray[np.int64]:
    """Number clusters from 0; an array is numbered much faster than names are.

    Example:
        >>> number_clusters(["b", "a", "b"]).tolist()
        [0, 1, 0]
    """
    import numpy as np

    if isinstance(clusters, np.ndarray):
        return np.unique(clusters, return_inverse=True)[1].astype(np.int64)
    numbers: dict[Hashable, int] = {}
    named = (numbers.setdefault(cluster, len(numbers)) for cluster in clusters)
    return np.fromiter(named, np.int64, len(clusters))


def clustered_mean(
    values: Sequence[float] | NDArray[np.float64], clusters: Sequence[Hashable] | NDArray[Any]
) -> ClusteredMean:
    """The mean of question scores, or of differences between them, whose questions share clusters.

    Args:
        values: one for each question, each in [-1, 1].
        clusters: what each question belongs to, in the same order; at least two different ones.

    Returns:
        The mean over questions with its standard error and degrees of freedom.

    Raises:
        ValueError: a value is outside its range, lengths differ, or there is one cluster only,
            from which the scatter between clusters cannot be known.

    Source:
        Bell and McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky and Tipton (2018),
        J. Bus. Econ. Stat. 36, 672-683.

    Example:
        >>> mean = clustered_mean([1, 1, 0, 0, 1, 0], ["a", "a", "b", "b", "c", "c"])
        >>> mean.clusters, round(mean.error, 3), round(mean.df, 3)
        (3, 0.289, 2.0)
    """
    import numpy as np

    if len(values) != len(clusters):
        raise ValueError(f"{len(clusters)} clusters for {len(values)} values: expected as many")
    member = number_clusters(clusters)
    count = int(member.max(initial=-1)) + 1
    if count < 2:
        raise ValueError(f"{count} clusters: expected at least 2")
    scores = np.asarray(values, float)
    if outside := scores[~(np.abs(scores) <= 1)].tolist():
        raise ValueError(f"value = {outside[0]}: expected -1 to 1")
    mean = math.fsum(scores.tolist()) / len(scores)
    residuals = scores - mean
    shares = np.bincount(member) / len(scores)
    sums = np.bincount(member, weights=residuals)
    sums[np.abs(sums) <= ROUNDING] = 0.0
    parts = shares**2 / (1 - shares)
    df = 1 / (np.sum(shares**2) + np.sum(parts) ** 2 - np.sum(parts**2))
    return ClusteredMean(
        estimate=mean,
        error=float(np.sqrt(np.sum(sums**2 / (1 - shares)))) / len(scores),
        error_cr0=float(np.sqrt(np.sum(sums**2))) / len(scores),
        plain_error=float(np.sqrt(np.sum(residuals**2) / (len(scores) - 1) / len(scores))),
        df=float(df),
        questions=len(scores),
        clusters=count,
    )


def clustered_interval(mean: ClusteredMean, *, confidence: float = 0.95) -> Interval:
    """The interval of a mean of scores in clusters.

    Args:
        mean: of scores in [0, 1].
        confidence: a fraction in (0, 1).

    Returns:
        mean +- t * CR2, clipped to [0, 1]. If the clusters do not differ at all, Wilson's interval
        with each cluster as one question.

    Raises:
        ValueError: the mean or the confidence is outside its range.

    Example:
        >>> mean = clustered_mean([1, 1, 0, 0, 1, 0], ["a", "a", "b", "b", "c", "c"])
        >>> interval = clustered_interval(mean, confidence=0.5)
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.264, 0.736)
    """
    check_level(confidence)
    if not 0 <= mean.estimate <= 1:
        raise ValueError(f"mean = {mean.estimate}: expected 0 to 1")
    if mean.error == 0:
        right = min(mean.estimate * mean.clusters, mean.clusters)
        interval = wilson_interval(right, mean.clusters, level=confidence)
        return replace(
            interval, n=mean.questions, method="Wilson on clusters", clusters=mean.clusters
        )
    return _t_interval(mean, confidence, lowest=0.0)


def clustered_difference_interval(mean: ClusteredMean, *, confidence: float = 0.95) -> Interval:
    """The interval of a mean difference between two runs on questions in clusters.

    Args:
        mean: of differences, candidate - baseline, in [-1, 1].
        confidence: a fraction in (0, 1).

    Returns:
        mean +- t * CR2, clipped to [-1, 1]. If the clusters do not differ at all, Tango's interval
        with each cluster as one question and their sum as gains or losses.

    Raises:
        ValueError: the confidence is outside its range.

    Example:
        >>> mean = clustered_mean([0, -1, 0, 0, 1, 0], ["a", "a", "b", "b", "c", "c"])
        >>> interval = clustered_difference_interval(mean, confidence=0.5)
        >>> round(interval.low, 3), round(interval.high, 3)
        (-0.236, 0.236)
    """
    check_level(confidence)
    if mean.error == 0:
        total = mean.estimate * mean.clusters
        interval = tango_interval(
            max(total, 0.0), max(-total, 0.0), mean.clusters, confidence=confidence
        )
        return replace(
            interval, n=mean.questions, method="Tango on clusters", clusters=mean.clusters
        )
    return _t_interval(mean, confidence, lowest=-1.0)


def clustered_difference_test(mean: ClusteredMean) -> float:
    """Two-sided p-value of no difference between two runs on questions in clusters.

    Args:
        mean: of differences, candidate - baseline.

    Returns:
        A fraction in [0, 1], by the t-test. If the clusters do not differ at all, Tango's score
        test with each cluster as one question.

    Example:
        >>> mean = clustered_mean([0, -1, -1, -1, -1, 0], ["a", "a", "b", "b", "c", "c"])
        >>> round(clustered_difference_test(mean), 3)
        0.057
    """
    from scipy.special import ndtr, stdtr

    if mean.error == 0:
        return 2 * float(ndtr(-math.sqrt(abs(mean.estimate) * mean.clusters)))
    return 2 * float(stdtr(mean.df, -abs(mean.estimate) / mean.error))


def _t_interval(mean: ClusteredMean, confidence: float, *, lowest: float) -> Interval:
    from scipy.special import stdtrit

    half = float(stdtrit(mean.df, (1 + confidence) / 2)) * mean.error
    return Interval(
        estimate=mean.estimate,
        low=max(lowest, mean.estimate - half),
        high=min(1.0, mean.estimate + half),
        n=mean.questions,
        level=confidence,
        method="CR2",
        clusters=mean.clusters,
    )
