"""Averages over groups of questions, such as subjects: each question alike, or each group alike."""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from evalkit.stats.intervals import Interval, check_level, wilson_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedMeans:
    """Two averages of the same scores, each with the standard error that belongs to it."""

    micro: float
    """Mean over questions."""
    micro_error: float | None
    """Standard error with as many questions of each group; None where `macro_error` is."""
    macro: float
    """Mean over groups."""
    macro_error: float | None
    """Standard error on the same groups; None if a group has one question, which has no spread."""
    sizes: tuple[int, ...]
    """Questions of each group, in the order of their first questions."""

    def macro_interval(self, *, confidence: float = 0.95) -> Interval | None:
        """The interval of the mean over groups.

        Args:
            confidence: a fraction in (0, 1).

        Returns:
            macro +- z * error, clipped to [0, 1]; None without an error. If no group has any
            spread, Wilson's interval with as many questions as would weigh the same.

        Raises:
            ValueError: the confidence is outside its range.
        """
        check_level(confidence)
        if self.macro_error is None:
            return None
        n = sum(self.sizes)
        if self.macro_error == 0:
            alike = len(self.sizes) ** 2 / sum(1 / size for size in self.sizes)
            total = max(1, math.floor(alike))
            wilson = wilson_interval(min(self.macro * total, total), total, level=confidence)
            low, high, method = wilson.low, wilson.high, "Wilson"
        else:
            half = statistics.NormalDist().inv_cdf((1 + confidence) / 2) * self.macro_error
            low, high, method = self.macro - half, self.macro + half, "macro"
        return Interval(
            estimate=self.macro,
            low=max(0.0, low),
            high=min(1.0, high),
            n=n,
            level=confidence,
            method=method,
        )


def grouped_means(scores: Sequence[float], groups: Sequence[Hashable]) -> GroupedMeans:
    """Average scores over questions and over groups.

    Args:
        scores: one in [0, 1] for each question, at least one.
        groups: the group of each question, in the same order.

    Raises:
        ValueError: there are no scores, one is outside its range, or lengths differ.

    Source:
        Cochran (1977), Sampling Techniques, chapter 5: stratified sampling.

    Example:
        >>> means = grouped_means([1, 1, 0, 0, 1, 0], ["a", "a", "a", "a", "b", "b"])
        >>> means.micro, means.macro, round(means.macro_error, 3)
        (0.5, 0.5, 0.289)
    """
    if len(scores) != len(groups):
        raise ValueError(f"{len(groups)} groups for {len(scores)} scores: expected as many")
    if not scores:
        raise ValueError("0 scores: expected at least 1")
    members: dict[Hashable, list[float]] = {}
    for score, group in zip(scores, groups, strict=True):
        if not 0 <= score <= 1:
            raise ValueError(f"score = {score}: expected 0 to 1")
        members.setdefault(group, []).append(score)
    sizes = tuple(map(len, members.values()))
    macro_error = micro_error = None
    if min(sizes) > 1:
        spreads = [statistics.variance(values) for values in members.values()]
        each = list(zip(sizes, spreads, strict=True))
        macro_error = math.sqrt(sum(spread / size for size, spread in each)) / len(sizes)
        micro_error = math.sqrt(sum(spread * size for size, spread in each)) / len(scores)
    return GroupedMeans(
        micro=statistics.fmean(scores),
        micro_error=micro_error,
        macro=statistics.fmean(statistics.fmean(values) for values in members.values()),
        macro_error=macro_error,
        sizes=sizes,
    )
