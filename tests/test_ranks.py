"""Ranks are as sure as the comparisons behind them."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.ranks import RankRange, find_ties, rank_ranges

contests = st.lists(st.sampled_from([0.5, 0.6, 0.7, 0.8]), min_size=1, max_size=7).flatmap(
    lambda scores: st.tuples(
        st.just(scores),
        st.lists(
            st.sampled_from([0.001, 0.05, 0.06, 1.0]),
            min_size=len(scores) * (len(scores) - 1) // 2,
            max_size=len(scores) * (len(scores) - 1) // 2,
        ),
    )
)
"""Scores, and p-values of all pairs."""


def test_ranges_of_an_example() -> None:
    """The first is better than the last two, and nothing else is clear."""
    ranges = rank_ranges([0.9, 0.85, 0.8, 0.8], [0.3, 0.01, 0.02, 0.2, 0.3, 1.0])
    assert [(each.best, each.worst) for each in ranges] == [(1, 2), (1, 4), (2, 4), (2, 4)]
    assert find_ties(ranges) == ((1, 2, 3), (0, 2, 3), (0, 1, 3), (0, 1, 2))


@given(contests)
def test_a_range_counts_the_models_clearly_better_and_worse(
    contest: tuple[list[float], list[float]],
) -> None:
    scores, p_values = contest
    found = dict(zip(combinations(range(len(scores)), 2), p_values, strict=True))
    for model, range_ in enumerate(rank_ranges(scores, p_values)):
        others = [other for other in range(len(scores)) if other != model]
        clear = [other for other in others if found[min(model, other), max(model, other)] <= 0.05]
        assert range_.best == 1 + sum(scores[other] > scores[model] for other in clear)
        assert range_.worst == len(scores) - sum(scores[other] < scores[model] for other in clear)
        assert 1 <= range_.best <= range_.worst <= len(scores)


@given(contests)
def test_nobody_is_tied_with_himself_and_ties_are_mutual(
    contest: tuple[list[float], list[float]],
) -> None:
    ties = find_ties(rank_ranges(*contest))
    assert all(model in ties[other] for model, tied in enumerate(ties) for other in tied)
    assert all(model not in tied for model, tied in enumerate(ties))


@given(contests)
def test_the_order_of_models_does_not_matter(contest: tuple[list[float], list[float]]) -> None:
    scores, p_values = contest
    models = len(scores)
    found = dict(zip(combinations(range(models), 2), p_values, strict=True))
    turned = [
        found[models - 1 - other, models - 1 - one] for one, other in combinations(range(models), 2)
    ]
    assert rank_ranges(scores[::-1], turned) == rank_ranges(scores, p_values)[::-1]


def test_ranges_that_touch_are_tied() -> None:
    one, other = RankRange(best=1, worst=2), RankRange(best=2, worst=3)
    assert one.overlaps(other)
    assert not one.overlaps(RankRange(best=3, worst=3))


@pytest.mark.parametrize(
    ("scores", "p_values", "alpha", "message"),
    [
        ([], [], 0.05, "0 models: expected at least 1"),
        ([0.5, 0.6], [], 0.05, "0 p-values: expected 1"),
        ([0.5, 0.6], [0.1, 0.2], 0.05, "2 p-values: expected 1"),
        ([0.5, 0.6], [1.5], 0.05, "p = 1.5: expected 0 to 1"),
        ([0.5, 0.6], [0.5], 5, "alpha = 5: expected a fraction between 0 and 1"),
    ],
)
def test_what_makes_no_sense_is_refused(
    scores: list[float], p_values: list[float], alpha: float, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        rank_ranges(scores, p_values, alpha=alpha)
    assert str(caught.value) == message
