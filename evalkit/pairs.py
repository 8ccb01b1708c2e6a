"""The same questions scored twice: how large the difference is, and whether it is chance."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from evalkit.results import interval_to_dict
from evalkit.stats.clustered import (
    ClusteredMean,
    clustered_difference_interval,
    clustered_difference_test,
    clustered_mean,
    number_clusters,
)
from evalkit.stats.intervals import Interval
from evalkit.stats.multiplicity import holm
from evalkit.stats.paired import (
    mcnemar_exact,
    mcnemar_midp,
    mean_difference_interval,
    mean_difference_test,
    tango_interval,
)
from evalkit.stats.paired_intervals import bonett_price_interval, newcombe_interval
from evalkit.stats.power import minimum_detectable_difference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALPHA = 0.05
"""The chance of any false finding among comparisons that are made together."""

POWER = 0.8
"""How often the smallest difference that is called detectable would be found."""

EQUAL = 1e-12
"""Scores closer than this are the same: means of fractions are not exact."""

IntervalName = Literal["tango", "newcombe", "bonett-price"]
"""How the interval of a paired difference is computed where each question is asked once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Methods:
    """Which statistics to use where every question is right or wrong and stands alone.

    Questions in clusters, and those with several responses, have one interval and one test.
    """

    interval: IntervalName = "tango"
    exact: bool = False
    """McNemar's exact test, whose size is guaranteed, in place of its mid-p version."""


DEFAULT = Methods()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """The mean difference between two scores of each question, candidate - baseline."""

    n: int
    """Questions that have both scores."""
    interval: Interval | None
    """Of the mean difference, a fraction in [-1, 1]; None if there are no such questions, or if
    all share one cluster."""
    gains: int
    """Questions that the candidate has the higher score on."""
    losses: int
    """Questions that the baseline has the higher score on."""
    p_value: float | None
    """Two-sided, of no difference; None if all questions share one cluster."""
    test: str
    """The name of the p-value."""
    adjusted_p: float | None
    """By Holm's method over all the comparisons that it is one of."""
    detectable: float | None
    """About the smallest difference, a fraction, that so many questions would have shown with 80 %
    power; None if there are no questions, or if all share one cluster."""
    clusters: int | None = None
    """Clusters that the questions come in, if any share one."""
    design_effect: float | None = None
    """By how much the clusters inflate the variance; None without them, or if nothing varies."""
    is_rough: bool = False
    """Whether there are so few clusters that the interval is a rough guide."""

    @property
    def estimate(self) -> float | None:
        """The mean difference, a fraction; None if there is no interval."""
        return None if self.interval is None else self.interval.estimate

    @property
    def flips(self) -> float | None:
        """The share of questions whose scores are not the same; None if there are no questions."""
        return (self.gains + self.losses) / self.n if self.n else None

    @property
    def is_clear(self) -> bool:
        """Whether the difference is beyond chance, by its interval and as one of several."""
        if self.interval is None or self.interval.contains(0) or self.adjusted_p is None:
            return False
        return self.adjusted_p <= ALPHA


class Differences:
    """Two scores of each question, from which intervals of any level can be made.

    Args:
        baseline: one score for each question, a fraction.
        candidate: of the same questions in the same order.
        is_repeated: whether questions have several responses each, so that scores are means.
        clusters: what each question belongs to; None: each stands alone.
        methods: the statistics to use.
    """

    def __init__(
        self,
        baseline: Sequence[float] | NDArray[np.float64],
        candidate: Sequence[float] | NDArray[np.float64],
        *,
        is_repeated: bool = False,
        clusters: Sequence[Hashable] | NDArray[np.int64] | None = None,
        methods: Methods = DEFAULT,
    ) -> None:
        import numpy as np

        before, after = np.asarray(baseline, float), np.asarray(candidate, float)
        self._values = after - before
        self.values: list[float] = self._values.tolist()
        self.n = len(self.values)
        self.gains = int(np.count_nonzero(self._values > EQUAL))
        self.losses = int(np.count_nonzero(self._values < -EQUAL))
        self.right_before = round(float(before.sum()))
        """Questions that the baseline has right, where each is right or wrong."""
        self.is_repeated, self.methods = is_repeated, methods
        numbered = None if clusters is None else number_clusters(clusters)
        count = 0 if numbered is None else int(numbered.max(initial=-1)) + 1
        self.clusters = None if count == self.n else numbered
        self.cluster_count = None if self.clusters is None else count
        """How many clusters there are, if any holds several questions."""

    @cached_property
    def mean(self) -> ClusteredMean | None:
        """Of questions in clusters; None if they are in none, or all in one."""
        if self.clusters is None or self.cluster_count == 1:
            return None
        return clustered_mean(self._values, self.clusters)

    @property
    def is_undefined(self) -> bool:
        """Whether nothing can be said: no questions, or all in one cluster."""
        return self.n == 0 or (self.clusters is not None and self.mean is None)

    def find_gains(self) -> list[int]:
        """The positions of the questions that the candidate has the higher score on."""
        places: list[int] = (self._values > EQUAL).nonzero()[0].tolist()
        return places

    def find_losses(self) -> list[int]:
        """The positions of the questions that the baseline has the higher score on."""
        places: list[int] = (self._values < -EQUAL).nonzero()[0].tolist()
        return places

    def interval(self, confidence: float = 0.95) -> Interval | None:
        """The interval of the mean difference; None if there can't be one.

        Args:
            confidence: a fraction in (0, 1).
        """
        if self.is_undefined:
            return None
        if self.mean is not None:
            return clustered_difference_interval(self.mean, confidence=confidence)
        if not self.is_repeated:
            return self._interval_of_counts(confidence)
        if self.n > 1:
            return mean_difference_interval(self.values, confidence=confidence)
        total = math.fsum(self.values)
        return tango_interval(max(total, 0.0), max(-total, 0.0), self.n, confidence=confidence)

    def test(self) -> float | None:
        """The p-value of no difference; None if there can't be one."""
        if self.clusters is not None:
            return None if self.mean is None else clustered_difference_test(self.mean)
        if self.is_repeated and self.n:
            return mean_difference_test(self.values)
        mcnemar = mcnemar_exact if self.methods.exact else mcnemar_midp
        return mcnemar(self.gains, self.losses)

    @property
    def test_name(self) -> str:
        """What the p-value is called."""
        if self.clusters is not None:
            return "CR2 t-test p"
        if self.is_repeated:
            return "t-test p"
        return "McNemar exact p" if self.methods.exact else "McNemar mid-p"

    @property
    def spread(self) -> float:
        """The mean square of the differences, which is the share of flips for right and wrong."""
        return math.fsum((self._values * self._values).tolist()) / self.n

    def _interval_of_counts(self, confidence: float) -> Interval:
        """Of questions that are right or wrong."""
        gains, losses, n = self.gains, self.losses, self.n
        if self.methods.interval == "tango":
            return tango_interval(gains, losses, n, confidence=confidence)
        if self.methods.interval == "bonett-price":
            return bonett_price_interval(gains, losses, n, confidence=confidence)
        return newcombe_interval(
            both_right=self.right_before - losses,
            losses=losses,
            gains=gains,
            both_wrong=n - self.right_before - gains,
            confidence=confidence,
        )


def pair_scores(
    baseline: Mapping[str, float | None], candidate: Mapping[str, float | None]
) -> tuple[list[str], list[float], list[float]]:
    """The questions that have a score in both runs, in the order of the baseline, and the scores.

    Example:
        >>> pair_scores({"x": 1.0, "y": None, "z": 0.5}, {"x": 0.0, "y": 1.0})
        (['x'], [1.0], [0.0])
    """
    both = [
        (name, ours, theirs)
        for name, ours in baseline.items()
        if ours is not None and (theirs := candidate.get(name)) is not None
    ]
    return (
        [name for name, _, _ in both],
        [ours for _, ours, _ in both],
        [theirs for _, _, theirs in both],
    )


def compare_scores(differences: Differences, *, family: int = 1) -> PairedDifference:
    """Compare the scores of the same questions.

    Args:
        differences: the scores of each question.
        family: how many comparisons are made at once, of which this is one.
    """
    p, mean = differences.test(), differences.mean
    return PairedDifference(
        n=differences.n,
        interval=differences.interval(),
        gains=differences.gains,
        losses=differences.losses,
        p_value=p,
        test=differences.test_name,
        adjusted_p=p,
        detectable=find_detectable(differences, family),
        clusters=differences.cluster_count,
        design_effect=None if mean is None else mean.design_effect,
        is_rough=mean is not None and mean.is_rough,
    )


def find_detectable(differences: Differences, family: int) -> float | None:
    """About the smallest difference that questions with so many flips would have shown.

    Args:
        differences: one for each question.
        family: how many comparisons share the chance of a false finding.

    Returns:
        A fraction; None if there are no questions, or if all share one cluster. Where there were
        too few flips for any difference to be found, what would have been found if all flips had
        gone one way, which takes the fewest.
    """
    if differences.is_undefined:
        return None
    n = differences.n
    if differences.mean is not None:
        # Where nothing varies, a cluster tells no more than one question.
        effect = differences.mean.design_effect or n / differences.mean.clusters
        n = max(1, round(n / effect))
    most = minimum_detectable_difference(n, 1, power=POWER, alpha=ALPHA / family)
    assert most is not None, "where every question flips, any difference can be"
    # It grows with the root of the flips, and no difference is larger than these.
    return most * max(math.sqrt(differences.spread), most)


def adjust(found: Sequence[PairedDifference]) -> list[PairedDifference]:
    """Fill in the p-values that hold for all comparisons together; those without one stay so."""
    tested = [each for each in found if each.p_value is not None]
    adjusted = iter(holm([each.p_value for each in tested if each.p_value is not None]))
    return [
        each if each.p_value is None else replace(each, adjusted_p=next(adjusted)) for each in found
    ]


def paired_to_dict(found: PairedDifference) -> dict[str, Any]:
    """A paired difference as JSON."""
    interval = found.interval
    return {
        "n": found.n,
        "clusters": found.clusters,
        "design_effect": found.design_effect,
        "difference": None if interval is None else interval_to_dict(interval),
        "gains": found.gains,
        "losses": found.losses,
        "flips": found.flips,
        "test": found.test,
        "p_value": found.p_value,
        "adjusted_p_value": found.adjusted_p,
        "detectable": found.detectable,
        "clear": found.is_clear,
    }
