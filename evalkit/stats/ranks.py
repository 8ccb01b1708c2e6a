"""Many models on the same questions: which ranks each may have, and who is tied with whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRange:
    """The ranks that a model may have, from 1."""

    best: int
    """One more than the models that are clearly better."""
    worst: int
    """As many as there are models, less those that are clearly worse."""

    def overlaps(self, other: RankRange) -> bool:
        """Whether two models are tied."""
        return self.best <= other.worst and other.best <= self.worst


def rank_ranges(
    scores: Sequence[float], p_values: Sequence[float], *, alpha: float = 0.05
) -> tuple[RankRange, ...]:
    """Find the ranks of models from the comparisons of all pairs.

    Args:
        scores: one for each model, at least one model.
        p_values: of no difference, adjusted over all pairs, such as by Holm; in the order of
            itertools.combinations: 0 and 1, 0 and 2, ..., 1 and 2, ...
        alpha: pairs with at most this p-value differ clearly, a fraction in (0, 1).

    Returns:
        For each model, in the same order.

    Raises:
        ValueError: an argument is outside its range, or there are more or fewer p-values than
            pairs.

    Source:
        Mogstad, Romano, Shaikh, Wilhelm (2024), Rev. Econ. Stud. 91, 476-518, with Holm's method.

    Example:
        >>> [(each.best, each.worst) for each in rank_ranges([0.9, 0.8, 0.7], [0.2, 0.001, 0.3])]
        [(1, 2), (1, 3), (2, 3)]
    """
    models, pairs = len(scores), list(combinations(range(len(scores)), 2))
    if models < 1:
        raise ValueError("0 models: expected at least 1")
    if len(p_values) != len(pairs):
        raise ValueError(f"{len(p_values)} p-values: expected {len(pairs)}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha = {alpha}: expected a fraction between 0 and 1")
    better, worse = [0] * models, [0] * models
    for (one, other), p in zip(pairs, p_values, strict=True):
        if not 0 <= p <= 1:
            raise ValueError(f"p = {p}: expected 0 to 1")
        if p <= alpha and scores[one] != scores[other]:
            upper, lower = (one, other) if scores[one] > scores[other] else (other, one)
            worse[upper] += 1
            better[lower] += 1
    return tuple(
        RankRange(best=1 + better[model], worst=models - worse[model]) for model in range(models)
    )


def find_ties(ranges: Sequence[RankRange]) -> tuple[tuple[int, ...], ...]:
    """The positions of the models that each one is tied with, without itself.

    Example:
        >>> find_ties(rank_ranges([0.9, 0.8, 0.5], [0.2, 0.001, 0.001]))
        ((1,), (0,), ())
    """
    return tuple(
        tuple(place for place, other in enumerate(ranges) if other.overlaps(own) and place != model)
        for model, own in enumerate(ranges)
    )
