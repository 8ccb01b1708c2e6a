"""Parts tell of the whole what they should: nothing is left open once all were asked."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evalkit.stats.intervals import mean_interval, wilson_interval
from evalkit.stats.subsets import correct_for_part, part_error, part_interval, regression_interval

fifths = st.sampled_from([place / 5 for place in range(6)])
score_lists = st.lists(fifths, min_size=3, max_size=30)
pairs = st.lists(st.tuples(fifths, fifths), min_size=3, max_size=30)
"""Scores, and earlier scores of the same questions."""


def test_the_error_squared_is_on_average_the_variance_of_all_samples() -> None:
    population = [1, 0, 0.4, 1, 0.6, 0, 1]
    samples = list(itertools.combinations(population, 3))
    spread = statistics.pvariance(map(statistics.fmean, samples))
    squared = statistics.fmean(part_error(sample, 7) ** 2 for sample in samples)
    assert squared == pytest.approx(spread)


@given(score_lists, st.integers(0, 100), st.floats(0.01, 0.999))
def test_a_part_narrows_the_interval_by_how_much_of_the_set_it_is(
    scores: list[float], others: int, level: float
) -> None:
    n = len(scores)
    total = n + others
    interval = part_interval(scores, total, level=level)
    is_binary = all(score in (0, 1) for score in scores)
    whole = (
        wilson_interval(sum(scores), n, level=level)
        if is_binary
        else mean_interval(scores, level=level)
    )
    factor = math.sqrt(others / total)
    assert interval.high - interval.low == pytest.approx(factor * (whole.high - whole.low))
    assert whole.low - 1e-12 <= interval.low <= interval.estimate + 1e-12
    assert interval.estimate - 1e-12 <= interval.high <= whole.high + 1e-12
    assert (interval.n, interval.level, interval.method) == (n, level, whole.method)


@given(score_lists)
def test_once_all_were_asked_the_score_is_known(scores: list[float]) -> None:
    interval = part_interval(scores, len(scores))
    assert (interval.low, interval.high) == (interval.estimate, interval.estimate)
    assert part_error(scores, len(scores)) == 0


def test_an_interval_of_a_part_covers_the_whole() -> None:
    rng = random.Random(1)
    population = [1.0] * 160 + [0.0] * 40
    held = sum(part_interval(rng.sample(population, 80), 200).contains(0.8) for _ in range(2000))
    assert held / 2000 == pytest.approx(0.95, abs=0.025)


@given(pairs, fifths, st.integers(0, 100))
def test_the_regression_estimate_is_the_line_at_the_earlier_mean(
    pairs: list[tuple[float, float]], earlier_mean: float, others: int
) -> None:
    scores, earlier = [now for now, _ in pairs], [before for _, before in pairs]
    n = len(scores)
    interval = regression_interval(scores, earlier, earlier_mean=earlier_mean, total=n + others)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    if len(set(earlier)) > 1:
        line = stats.linregress(earlier, scores)
        estimate = line.intercept + line.slope * earlier_mean
        assert interval.estimate == pytest.approx(min(1, max(0, estimate)), abs=1e-9)
        residuals = [now - line.intercept - line.slope * b for now, b in pairs]
        error = math.sqrt(sum(r * r for r in residuals) / (n - 2) / n * others / (n + others))
        half = stats.t.ppf(0.975, n - 2) * error
        if sum(r * r for r in residuals) > 1e-9:
            assert interval.low == pytest.approx(min(1, max(0, estimate - half)), abs=1e-6)
            assert interval.high == pytest.approx(max(0, min(1, estimate + half)), abs=1e-6)


def test_earlier_runs_that_explain_everything_still_leave_room() -> None:
    scores = [1.0, 0.0, 1.0, 0.0, 1.0]
    interval = regression_interval(scores, scores, earlier_mean=0.7, total=10**9, level=0.95)
    half = 1.96**2 / (5 + 1.96**2)  # Tango's end without flips
    assert interval.estimate == pytest.approx(0.7)
    assert interval.low == pytest.approx(0.7 - half, abs=1e-4)


def test_earlier_runs_without_spread_tell_nothing() -> None:
    scores = [1.0, 0.0, 0.4, 0.6]
    interval = regression_interval(scores, [0.5] * 4, earlier_mean=0.9, total=100)
    assert interval.estimate == pytest.approx(0.5)


def test_earlier_runs_save_questions() -> None:
    """The estimate scatters less than the mean of as many questions, and its interval covers."""
    rng = random.Random(6)
    chances = [rng.choice([0.15, 0.5, 0.9, 0.95]) for _ in range(1000)]
    earlier = [statistics.fmean(rng.random() < p for _ in range(4)) for p in chances]
    scores = [float(rng.random() < p) for p in chances]
    truth, held, estimates, means = statistics.fmean(scores), 0, [], []
    for _ in range(600):
        part = rng.sample(range(1000), 100)
        mine = [scores[place] for place in part]
        interval = regression_interval(
            mine,
            [earlier[place] for place in part],
            earlier_mean=statistics.fmean(earlier),
            total=1000,
        )
        held += interval.contains(truth)
        estimates.append(interval.estimate)
        means.append(statistics.fmean(mine))
    assert held / 600 == pytest.approx(0.95, abs=0.035)
    assert statistics.variance(means) / statistics.variance(estimates) > 1.3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: correct_for_part(wilson_interval(5, 10), 9), "total = 9: expected at least 10"),
        (lambda: part_interval([1, 0], 1), "total = 1: expected at least 2"),
        (lambda: part_interval([], 1), "0 scores: expected at least 2"),
        (lambda: part_interval([0.5], 1), "1 scores: expected at least 2"),
        (lambda: part_error([1], 5), "1 scores: expected at least 2"),
        (lambda: part_error([1, 0], 1), "total = 1: expected at least 2"),
    ],
)
def test_parts_refuse_what_makes_no_sense(call: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("scores", "earlier", "options", "message"),
    [
        ([1, 0], [1, 0], {}, "2 scores: expected at least 3"),
        ([1, 0, 1], [1, 0], {}, "2 earlier scores for 3 questions: expected as many"),
        ([1, 0, 2], [1, 0, 1], {}, "score = 2: expected 0 to 1"),
        ([1, 0, 1], [1, 0, -1], {}, "score = -1: expected 0 to 1"),
        ([1, 0, 1], [1, 0, 1], {"earlier_mean": 60}, "score = 60: expected 0 to 1"),
        ([1, 0, 1], [1, 0, 1], {"total": 2}, "total = 2: expected at least 3"),
        ([1, 0, 1], [1, 0, 1], {"level": 95}, "level = 95: expected a fraction between 0 and 1"),
    ],
)
def test_the_regression_refuses_what_makes_no_sense(
    scores: list[float], earlier: list[float], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        regression_interval(scores, earlier, **{"earlier_mean": 0.6, "total": 10, **options})
    assert str(caught.value) == message
