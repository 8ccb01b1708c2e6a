"""Clustered means equal the general matrix formulas, and keep the laws of every mean."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evalkit.stats.clustered import (
    ClusteredMean,
    clustered_difference_interval,
    clustered_difference_test,
    clustered_interval,
    clustered_mean,
)
from evalkit.stats.intervals import mean_interval, wilson_interval
from evalkit.stats.paired import mean_difference_interval, mean_difference_test, tango_interval

levels = st.floats(0.01, 0.999)
fifths = st.sampled_from([place / 5 for place in range(6)])
rows = st.lists(st.tuples(fifths, st.integers(0, 6)), min_size=2, max_size=30).filter(
    lambda rows: len({cluster for _, cluster in rows}) > 1
)
"""Scores and clusters, at least two of these."""
unequal_scores = st.lists(fifths, min_size=2, max_size=30).filter(lambda list_: len(set(list_)) > 1)


def mean_of(rows: list[tuple[float, int]]) -> ClusteredMean:
    return clustered_mean([score for score, _ in rows], [cluster for _, cluster in rows])


def general_cr2(rows: list[tuple[float, int]]) -> tuple[float, float]:
    """CR2 and Satterthwaite's degrees of freedom by matrices, for a regression on a constant."""
    scores = np.array([score for score, _ in rows])
    labels = np.array([cluster for _, cluster in rows])
    n = len(scores)
    residual_maker = np.eye(n) - np.ones((n, n)) / n
    residuals = residual_maker @ scores
    variance, vectors = 0.0, []
    for label in set(labels.tolist()):
        own = labels == label
        values, turns = np.linalg.eigh(residual_maker[np.ix_(own, own)])
        adjusted = turns @ np.diag(values**-0.5) @ turns.T @ np.ones(own.sum()) / n
        variance += float(adjusted @ residuals[own]) ** 2
        vectors.append(residual_maker[:, own] @ adjusted)
    products = np.array([[one @ other for other in vectors] for one in vectors])
    return math.sqrt(variance), float(np.trace(products) ** 2 / np.sum(products**2))


@given(rows)
def test_error_and_degrees_of_freedom_are_those_of_the_general_formulas(
    rows: list[tuple[float, int]],
) -> None:
    mean = mean_of(rows)
    error, df = general_cr2(rows)
    assert mean.error == pytest.approx(error, abs=1e-8)
    assert mean.df == pytest.approx(df, rel=1e-9)
    assert mean.estimate == pytest.approx(statistics.fmean(score for score, _ in rows))
    assert (mean.questions, mean.clusters) == (len(rows), len({cluster for _, cluster in rows}))


@given(st.lists(st.tuples(fifths, fifths, fifths), min_size=2, max_size=12))
def test_equal_clusters_are_as_good_as_their_means(groups: list[tuple[float, ...]]) -> None:
    scores = [score for group in groups for score in group]
    mean = clustered_mean(scores, [place // 3 for place in range(len(scores))])
    means = [statistics.fmean(group) for group in groups]
    assert mean.df == pytest.approx(len(groups) - 1)
    assert mean.error == pytest.approx(stats.sem(means), abs=1e-8)


@given(
    st.lists(fifths, min_size=2, max_size=30).filter(lambda scores: len(set(scores)) > 1), levels
)
def test_clusters_of_one_question_change_nothing(scores: list[float], level: float) -> None:
    mean = clustered_mean(scores, range(len(scores)))
    plain = mean_interval(scores, level=level)
    interval = clustered_interval(mean, confidence=level)
    assert (interval.low, interval.high) == pytest.approx((plain.low, plain.high), abs=1e-9)
    assert mean.design_effect == pytest.approx(1)
    differences = [score - 0.4 for score in scores]
    mean = clustered_mean(differences, range(len(scores)))
    plain = mean_difference_interval(differences, confidence=level)
    interval = clustered_difference_interval(mean, confidence=level)
    assert (interval.low, interval.high) == pytest.approx((plain.low, plain.high), abs=1e-9)
    assert clustered_difference_test(mean) == pytest.approx(mean_difference_test(differences))


@given(rows, levels)
def test_an_interval_holds_its_mean_within_its_range(
    rows: list[tuple[float, int]], level: float
) -> None:
    interval = clustered_interval(mean_of(rows), confidence=level)
    assert -1e-12 <= interval.low <= interval.estimate + 1e-12
    assert interval.estimate - 1e-12 <= interval.high <= 1
    assert (interval.n, interval.level) == (len(rows), level)


@given(rows, levels)
def test_swapping_the_runs_flips_the_sign(rows: list[tuple[float, int]], level: float) -> None:
    straight = mean_of([(score - 0.4, cluster) for score, cluster in rows])
    swapped = mean_of([(0.4 - score, cluster) for score, cluster in rows])
    one = clustered_difference_interval(straight, confidence=level)
    other = clustered_difference_interval(swapped, confidence=level)
    assert (one.low, one.estimate, one.high) == pytest.approx(
        (-other.high, -other.estimate, -other.low), abs=1e-9
    )
    p_values = clustered_difference_test(straight), clustered_difference_test(swapped)
    assert p_values[0] == pytest.approx(p_values[1])


@given(rows.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_the_order_of_questions_does_not_matter(
    pair: tuple[list[tuple[float, int]], list[tuple[float, int]]],
) -> None:
    straight, shuffled = map(mean_of, pair)
    for one, other in zip(
        (straight.estimate, straight.error, straight.df, straight.plain_error),
        (shuffled.estimate, shuffled.error, shuffled.df, shuffled.plain_error),
        strict=True,
    ):
        assert one == pytest.approx(other, abs=1e-9)


@given(rows)
def test_the_interval_of_a_difference_excludes_0_where_the_test_finds_one(
    rows: list[tuple[float, int]],
) -> None:
    mean = mean_of([(score - 0.4, cluster) for score, cluster in rows])
    p = clustered_difference_test(mean)
    if 0.001 < p < 0.99 and mean.error:
        assert not clustered_difference_interval(mean, confidence=1 - p * 1.001).contains(0)
        assert clustered_difference_interval(mean, confidence=1 - p * 0.999).contains(0)


def test_clusters_that_do_not_differ_count_as_one_question_each() -> None:
    mean = clustered_mean([0.1, 0.7, 0.4, 0.2, 0.6], ["a", "a", "b", "c", "c"])
    wilson = wilson_interval(1.2, 3)
    interval = clustered_interval(mean)
    assert mean.error == 0
    assert (interval.low, interval.high) == pytest.approx((wilson.low, wilson.high))
    assert (interval.n, interval.method, interval.clusters) == (5, "Wilson on clusters", 3)
    mean = clustered_mean([-0.1, -0.7, -0.4, -0.2, -0.6], ["a", "a", "b", "c", "c"])
    tango = tango_interval(0, 1.2, 3)
    interval = clustered_difference_interval(mean)
    assert (interval.low, interval.high) == pytest.approx((tango.low, tango.high))
    assert (interval.n, interval.method, interval.clusters) == (5, "Tango on clusters", 3)
    assert clustered_difference_test(mean) == pytest.approx(2 * stats.norm.sf(math.sqrt(1.2)))
    assert clustered_difference_test(clustered_mean([0, 0], "ab")) == 1


@given(rows)
def test_the_plain_sandwich_is_given_for_comparison(rows: list[tuple[float, int]]) -> None:
    mean = mean_of(rows)
    centre = statistics.fmean(score for score, _ in rows)
    sums: dict[int, float] = {}
    for score, cluster in rows:
        sums[cluster] = sums.get(cluster, 0.0) + score - centre
    plain = math.sqrt(sum(total**2 for total in sums.values())) / len(rows)
    assert mean.error_cr0 == pytest.approx(plain, abs=1e-8)
    assert mean.error_cr1 == pytest.approx(plain * math.sqrt(len(sums) / (len(sums) - 1)), abs=1e-8)
    assert mean.error_cr0 <= mean.error_cr1 + 1e-12


def test_questions_that_fall_together_count_for_less() -> None:
    mean = clustered_mean([1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0], "aaabbbcccddd")
    assert mean.design_effect == pytest.approx(11 / 3)
    assert mean.is_rough
    assert clustered_mean([0.5] * 4, "aabb").design_effect is None
    many = clustered_mean([0, 1] * 6, range(12))
    assert not many.is_rough


def test_the_interval_covers_with_few_clusters_of_unequal_sizes() -> None:
    """Ten clusters, of which one holds a third of the questions: 95 %, give or take chance."""
    rng, sizes, runs, held = np.random.default_rng(5), [20, *[5] * 9], 1500, 0
    members = np.repeat(np.arange(10), sizes)
    for _ in range(runs):
        chances = rng.beta(3, 2, size=10)
        scores = (rng.random(len(members)) < chances[members]).astype(float)
        mean = clustered_mean(scores.tolist(), members.tolist())
        held += clustered_interval(mean).contains(0.6)
    assert 0.92 <= held / runs <= 0.985


@pytest.mark.parametrize(
    ("values", "clusters", "message"),
    [
        ([1, 0], ["a", "a"], "1 clusters: expected at least 2"),
        ([], [], "0 clusters: expected at least 2"),
        ([1, 0], ["a"], "1 clusters for 2 values: expected as many"),
        ([1, -1.5], ["a", "b"], "value = -1.5: expected -1 to 1"),
        ([1, math.nan], ["a", "b"], "value = nan: expected -1 to 1"),
    ],
)
def test_a_mean_refuses_what_makes_no_sense(
    values: list[float], clusters: list[str], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        clustered_mean(values, clusters)
    assert str(caught.value) == message


def test_intervals_refuse_what_makes_no_sense() -> None:
    mean = clustered_mean([-1, 0], "ab")
    with pytest.raises(ValueError, match=r"mean = -0\.5: expected 0 to 1"):
        clustered_interval(mean)
    with pytest.raises(ValueError, match="level = 95: expected a fraction between 0 and 1"):
        clustered_difference_interval(mean, confidence=95)
