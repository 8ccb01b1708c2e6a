"""The mean of question scores with what is known of its error."""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from evalkit.stats.clustered import FEW, clustered_interval, clustered_mean
from evalkit.stats.intervals import Interval, mean_interval, wilson_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over questions; all numbers but the degrees of freedom are fractions."""

    mean: float
    n: int
    """Questions."""
    interval: Interval | None
    """None: all questions share one cluster, so that the scatter between clusters is not known."""
    error: float | None
    """Standard error on questions like these; None with a single question or cluster."""
    clusters: int | None = None
    """How many clusters the questions come in; None: each stands for itself."""
    df: float | None = None
    """Degrees of freedom, with at least two clusters."""
    design_effect: float | None = None
    """By how much the clusters inflate the variance; None too where all scores are equal."""

    @property
    def is_rough(self) -> bool:
        """Whether there are so few clusters that the interval is a rough guide."""
        return self.df is not None and self.df < FEW


def estimate_mean(scores: Sequence[float], clusters: Sequence[Hashable] | None = None) -> Estimate:
    """Estimate the mean of question scores by the method that suits them.

    Args:
        scores: one in [0, 1] for each question, at least one.
        clusters: what each question belongs to, in the same order; None: no two belong together.

    Returns:
        With the CR2 interval where two questions share a cluster; else with Wilson's where all
        scores are 0 or 1, and Student's t where they are not, all at 95 %.

    Raises:
        ValueError: there are no scores, one is outside its range, or lengths differ.

    Example:
        >>> plain = estimate_mean([1, 1, 0, 0, 1, 0])
        >>> plain.interval.method, round(plain.error, 3)
        ('Wilson', 0.224)
        >>> clustered = estimate_mean([1, 1, 0, 0, 1, 0], ["a", "a", "b", "b", "c", "c"])
        >>> clustered.interval.method, clustered.clusters, round(clustered.error, 3)
        ('CR2', 3, 0.289)
    """
    if not scores:
        raise ValueError("0 scores: expected at least 1")
    if clusters is not None and (count := len(set(clusters))) < len(scores):
        return _estimate_clustered(scores, clusters, count)
    n, mean = len(scores), statistics.fmean(scores)
    if set(scores) <= {0.0, 1.0}:
        interval = wilson_interval(math.fsum(scores), n)
        error = math.sqrt(mean * (1 - mean) / (n - 1)) if n > 1 else None
    elif n == 1:
        interval, error = wilson_interval(mean, n), None
    else:
        interval, error = mean_interval(scores), statistics.stdev(scores) / math.sqrt(n)
    return Estimate(mean=mean, n=n, interval=interval, error=error)


def stretch(estimate: Estimate, factor: float) -> Estimate:
    """The same estimate of scores that are so many times as large.

    Args:
        estimate: of scores in [0, 1].
        factor: above 0.

    Example:
        >>> stretch(estimate_mean([0.5, 0.25, 0.75]), 2).mean
        1.0
    """
    interval, error = estimate.interval, estimate.error
    return replace(
        estimate,
        mean=factor * estimate.mean,
        interval=None
        if interval is None
        else replace(
            interval,
            estimate=factor * interval.estimate,
            low=factor * interval.low,
            high=factor * interval.high,
        ),
        error=None if error is None else factor * error,
    )


def _estimate_clustered(
    scores: Sequence[float], clusters: Sequence[Hashable], count: int
) -> Estimate:
    if count == 1:
        mean = statistics.fmean(scores)
        return Estimate(mean=mean, n=len(scores), interval=None, error=None, clusters=1)
    found = clustered_mean(scores, clusters)
    return Estimate(
        mean=found.estimate,
        n=found.questions,
        interval=clustered_interval(found),
        error=found.error,
        clusters=found.clusters,
        df=found.df,
        design_effect=found.design_effect,
    )
