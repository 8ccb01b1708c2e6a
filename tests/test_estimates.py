"""A mean is estimated by the method that suits its scores."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.clustered import clustered_interval, clustered_mean
from evalkit.stats.estimates import estimate_mean, stretch
from evalkit.stats.intervals import mean_interval, wilson_interval

SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=20)


@given(SCORES)
def test_scores_that_stand_for_themselves_have_wilsons_or_students_interval(
    scores: list[float],
) -> None:
    found = estimate_mean(scores)
    is_plain = set(scores) <= {0.0, 1.0}
    expected = wilson_interval(sum(scores), len(scores)) if is_plain else mean_interval(scores)
    assert found.interval == expected
    assert found.mean == pytest.approx(sum(scores) / len(scores))
    assert found.n == len(scores)
    assert found.error == pytest.approx(statistics.stdev(scores) / math.sqrt(len(scores)))
    assert (found.clusters, found.df, found.design_effect) == (None, None, None)
    assert not found.is_rough
    assert estimate_mean(scores, range(len(scores))) == found


@given(SCORES, st.data())
def test_scores_that_share_clusters_have_the_interval_of_clusters(
    scores: list[float], data: st.DataObject
) -> None:
    n = len(scores) + 1
    clusters = [0, 0, 1, *data.draw(st.lists(st.integers(0, 9), min_size=n - 3, max_size=n - 3))]
    found, mean = estimate_mean([*scores, 1.0], clusters), clustered_mean([*scores, 1.0], clusters)
    assert found.interval == clustered_interval(mean)
    assert (found.mean, found.error, found.df) == (mean.estimate, mean.error, mean.df)
    assert (found.clusters, found.design_effect) == (len(set(clusters)), mean.design_effect)
    assert found.is_rough is (mean.df < 5)


def test_one_cluster_leaves_the_mean_alone() -> None:
    found = estimate_mean([1, 0, 0.5], "aaa")
    assert (found.mean, found.n, found.clusters) == (0.5, 3, 1)
    assert (found.interval, found.error, found.df) == (None, None, None)
    assert not found.is_rough


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_one_score_has_an_interval_and_no_error(score: float) -> None:
    found = estimate_mean([score], ["a"])
    assert (found.interval, found.error) == (wilson_interval(score, 1), None)


@given(SCORES, st.booleans())
def test_an_estimate_is_stretched_as_a_whole(scores: list[float], is_clustered: bool) -> None:
    clusters = [0] * len(scores) if is_clustered else None
    plain = estimate_mean(scores, clusters)
    found = stretch(plain, 2)
    assert (found.mean, found.n, found.clusters) == (2 * plain.mean, plain.n, plain.clusters)
    if plain.interval is None or plain.error is None:
        assert (found.interval, found.error) == (None, None)
        return
    assert found.error == 2 * plain.error
    assert found.interval is not None
    ends = (plain.interval.estimate, plain.interval.low, plain.interval.high)
    stretched = (found.interval.estimate, found.interval.low, found.interval.high)
    assert stretched == tuple(2 * end for end in ends)
    assert (found.interval.n, found.interval.method) == (plain.n, plain.interval.method)


def test_no_scores_have_no_mean() -> None:
    with pytest.raises(ValueError, match="0 scores: expected at least 1"):
        estimate_mean([])
