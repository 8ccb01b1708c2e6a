"""Averages over groups have the errors of stratified samples, and no error where none is known."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.groups import grouped_means
from evalkit.stats.intervals import wilson_interval

fifths = st.sampled_from([place / 5 for place in range(6)])
groups = st.lists(st.lists(fifths, min_size=2, max_size=8), min_size=1, max_size=6)


def flat(groups: list[list[float]]) -> tuple[list[float], list[int]]:
    scores = [score for group in groups for score in group]
    return scores, [place for place, group in enumerate(groups) for _ in group]


@given(groups)
def test_equal_groups_have_one_mean_and_one_error(groups: list[list[float]]) -> None:
    equal = [group[:2] for group in groups]
    means = grouped_means(*flat(equal))
    assert means.micro == pytest.approx(means.macro)
    assert means.micro_error == pytest.approx(means.macro_error)


@given(groups)
def test_each_mean_weighs_as_it_says(groups: list[list[float]]) -> None:
    scores, labels = flat(groups)
    means = grouped_means(scores, labels)
    assert means.micro == pytest.approx(statistics.fmean(scores))
    assert means.macro == pytest.approx(statistics.fmean(map(statistics.fmean, groups)))
    assert means.sizes == tuple(map(len, groups))


@given(groups, st.floats(0.01, 0.999))
def test_an_interval_holds_its_mean(groups: list[list[float]], level: float) -> None:
    means = grouped_means(*flat(groups))
    interval = means.macro_interval(confidence=level)
    assert interval is not None
    assert interval.estimate == means.macro
    assert -1e-12 <= interval.low <= interval.estimate + 1e-12
    assert interval.estimate - 1e-12 <= interval.high <= 1
    assert (interval.n, interval.level) == (sum(map(len, groups)), level)


@given(groups)
def test_the_order_of_questions_does_not_matter(groups: list[list[float]]) -> None:
    scores, labels = flat(groups)
    straight, turned = grouped_means(scores, labels), grouped_means(scores[::-1], labels[::-1])
    assert straight.macro == pytest.approx(turned.macro)
    assert straight.macro_error == pytest.approx(turned.macro_error)


def test_the_errors_squared_are_on_average_the_variances_of_drawing_anew() -> None:
    rng = np.random.default_rng(2)
    labels = [0] * 9 + [1] * 4 + [2] * 3
    chances = np.array([0.9, 0.5, 0.2])[labels]
    drawn = [grouped_means(list(map(float, rng.random(16) < chances)), labels) for _ in range(3000)]
    macro_errors = [each.macro_error or 0 for each in drawn]
    micro_errors = [each.micro_error or 0 for each in drawn]
    for means, errors in (
        ([each.macro for each in drawn], macro_errors),
        ([each.micro for each in drawn], micro_errors),
    ):
        squared = statistics.fmean(error**2 for error in errors)
        assert squared == pytest.approx(statistics.variance(means), rel=0.1)


def test_a_group_of_one_question_leaves_no_error() -> None:
    means = grouped_means([1, 0, 1], ["a", "a", "b"])
    assert (means.macro, means.macro_error, means.micro_error) == (0.75, None, None)
    assert means.macro_interval() is None


def test_groups_without_any_spread_get_wilsons_interval() -> None:
    means = grouped_means([1.0] * 12, ["a"] * 4 + ["b"] * 8)
    interval = means.macro_interval()
    assert interval is not None
    # Two groups weigh as one question each would at 4 / (1/4 + 1/8) = 10.7 questions.
    expected = wilson_interval(10, 10)
    assert (interval.low, interval.high, interval.n) == (expected.low, 1, 12)
    assert interval.method == "Wilson"


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([], [], "0 scores: expected at least 1"),
        ([1], ["a", "b"], "2 groups for 1 scores: expected as many"),
        ([1, 2], ["a", "b"], "score = 2: expected 0 to 1"),
        ([1, math.nan], ["a", "b"], "score = nan: expected 0 to 1"),
    ],
)
def test_means_refuse_what_makes_no_sense(
    scores: list[float], labels: list[str], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        grouped_means(scores, labels)
    assert str(caught.value) == message


def test_an_interval_takes_a_fraction_as_its_level() -> None:
    with pytest.raises(ValueError, match="level = 95"):
        grouped_means([1, 0], "aa").macro_interval(confidence=95)
