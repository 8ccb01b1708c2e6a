"""Repeated answers: the question stays the unit, and chance is told from unlike questions."""

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
from evalkit.stats.means import (
    Variances,
    agreement,
    majority_credit,
    repeated_interval,
    split_variance,
)
from tests.test_intervals import GOLDEN, read_golden

levels = st.floats(0.01, 0.999)
repeated = st.integers(2, 20).flatmap(
    lambda k: st.tuples(st.lists(st.integers(0, k), min_size=2, max_size=30), st.just(k))
)
"""Correct answers to each question, and answers to each."""
choices = st.one_of(st.none(), st.integers(0, 4))
answers = st.lists(choices, min_size=2, max_size=12)


def mean_t_of(inputs: dict[str, Any]) -> dict[str, float]:
    """The outputs that golden values have for `mean_t_ci`: scores with three decimals."""
    correct, level = [round(1000 * score) for score in inputs["y"]], inputs["level"]
    interval = repeated_interval(correct, 1000, confidence=level)
    quantile = float(stats.t.ppf((1 + level) / 2, len(correct) - 1))
    return {
        "mean": interval.estimate,
        "se": (interval.high - interval.low) / (2 * quantile),
        "lower": interval.low,
        "upper": interval.high,
    }


@pytest.mark.skipif(not GOLDEN.is_file(), reason=f"the golden values are not here: {GOLDEN}")
def test_every_golden_value_of_a_score_is_met() -> None:
    """Those of differences, from -1 to 1, are met in test_paired."""
    rows = [row for row in read_golden("mean_t_ci") if min(row.inputs["y"]) >= 0]
    assert len({row.case.split()[0] for row in rows}) == 2
    for row in rows:
        value = mean_t_of(row.inputs)[row.output]
        assert value == pytest.approx(row.expected, abs=row.tolerance, rel=0), row.case


@given(repeated, levels)
def test_the_interval_holds_the_accuracy(data: tuple[list[int], int], level: float) -> None:
    correct, samples = data
    interval = repeated_interval(correct, samples, confidence=level)
    assert interval.estimate == pytest.approx(sum(correct) / (samples * len(correct)))
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    assert (interval.n, interval.level) == (len(correct), level)


@given(repeated, st.integers(2, 5), levels)
def test_further_questions_narrow_it_but_further_answers_alike_do_not(
    data: tuple[list[int], int], factor: int, level: float
) -> None:
    correct, samples = data
    plain = repeated_interval(correct, samples, confidence=level)
    wider_set = repeated_interval(correct * factor, samples, confidence=level)
    same_shares = [count * factor for count in correct]
    more_answers = repeated_interval(same_shares, samples * factor, confidence=level)
    assert wider_set.high - wider_set.low <= plain.high - plain.low + 1e-12
    assert (more_answers.low, more_answers.high) == pytest.approx((plain.low, plain.high))


def test_fractional_shares_get_the_t_interval() -> None:
    assert repeated_interval([1, 3, 0], 4) == mean_interval([0.25, 0.75, 0.0])
    assert repeated_interval([1, 3, 0], 4).method == "t"


@pytest.mark.parametrize(
    ("correct", "samples", "right"),
    [([1, 0, 1, 1], 1, 3), ([5, 0, 5, 5], 5, 3), ([0], 4, 0), ([4, 4], 4, 2), ([2, 2], 4, 1)],
)
def test_shares_of_0_and_1_get_wilsons_interval_and_equal_ones_too(
    correct: list[int], samples: int, right: int
) -> None:
    assert repeated_interval(correct, samples) == wilson_interval(right, len(correct))


@given(repeated)
def test_the_variance_within_is_that_of_single_answers(data: tuple[list[int], int]) -> None:
    correct, samples = data
    variances = split_variance(correct, samples)
    slow = [statistics.variance([1] * count + [0] * (samples - count)) for count in correct]
    assert variances is not None
    assert variances.within == pytest.approx(statistics.fmean(slow), abs=1e-12)
    assert 0 <= variances.within <= 0.5
    assert (variances.questions, variances.samples) == (len(correct), samples)


@given(repeated)
def test_both_variances_add_up_to_that_of_the_shares(data: tuple[list[int], int]) -> None:
    correct, samples = data
    variances = split_variance(correct, samples)
    assert variances is not None
    total = statistics.variance([count / samples for count in correct]) / len(correct)
    squared = variances.standard_error(samples) ** 2
    assert squared >= total - 1e-12
    if variances.between > 0:
        assert squared == pytest.approx(total, abs=1e-12)


@given(repeated, st.integers(1, 50))
def test_further_answers_lower_the_error_to_that_of_the_questions(
    data: tuple[list[int], int], samples: int
) -> None:
    variances = split_variance(*data)
    assert variances is not None
    floor = math.sqrt(variances.between / variances.questions)
    error = variances.standard_error(samples)
    assert floor <= variances.standard_error(samples + 1) <= error
    assert variances.rerun_error <= variances.standard_error(variances.samples) + 1e-12


def test_the_error_of_a_rerun_is_what_reruns_scatter_by() -> None:
    chances, samples = [0.1, 0.5, 0.9, 1.0, 0.3, 0.7], 4
    draw = random.Random(5)
    scores, squares = [], []
    for _ in range(4000):
        correct = [sum(draw.random() < p for _ in range(samples)) for p in chances]
        variances = split_variance(correct, samples)
        assert variances is not None
        scores.append(sum(correct) / (samples * len(chances)))
        squares.append(variances.rerun_error**2)
    # 4,000 runs tell a variance to 2.2 % (one sigma); the true one is known as well.
    true = sum(p * (1 - p) for p in chances) / samples / len(chances) ** 2
    assert statistics.variance(scores) == pytest.approx(true, rel=0.1)
    assert statistics.fmean(squares) == pytest.approx(true, rel=0.03)


def test_variances_of_a_worked_example() -> None:
    # Two questions always right or wrong, two right every other time: within 2 * 0.25 / 2,
    # the variance of the shares 1/6, of which chance explains 0.125.
    variances = split_variance([2, 0, 1, 1], 2)
    assert variances is not None
    assert variances.within == 0.25
    assert variances.between == pytest.approx(1 / 6 - 0.125)
    assert variances.rerun_error == pytest.approx(math.sqrt(0.25 / 8))


@given(repeated)
def test_flips_are_the_disagreeing_pairs_of_answers(data: tuple[list[int], int]) -> None:
    correct, samples = data
    variances = split_variance(correct, samples)
    assert variances is not None
    pairs = [
        one != other
        for count in correct
        for one, other in itertools.combinations([1] * count + [0] * (samples - count), 2)
    ]
    assert variances.flips == pytest.approx(statistics.fmean(pairs), abs=1e-12)


@given(repeated)
def test_a_further_answer_gains_what_it_takes_off_the_error(data: tuple[list[int], int]) -> None:
    variances = split_variance(*data)
    assert variances is not None
    assert variances.gain >= 0
    error = variances.standard_error(variances.samples)
    assert error - variances.gain == pytest.approx(variances.standard_error(data[1] + 1))


def test_further_answers_are_worth_it_where_chance_is_larger_than_the_questions_differ() -> None:
    noisy = Variances(within=0.2, between=0.1, questions=10, samples=5)
    settled = Variances(within=0.05, between=0.1, questions=10, samples=5)
    assert (noisy.favours_answers, settled.favours_answers) == (True, False)


def test_no_variance_between_is_below_0() -> None:
    variances = split_variance([2, 2, 2], 4)
    assert variances is not None
    assert variances.between == 0
    assert variances.within == pytest.approx(1 / 3)


def test_one_answer_a_question_tells_no_scatter() -> None:
    assert split_variance([1, 0, 1], 1) is None


@given(st.lists(answers, min_size=1, max_size=10))
def test_agreement_is_the_share_of_agreeing_pairs(questions: list[list[int | None]]) -> None:
    def share_of_pairs(answers: list[int | None]) -> float:
        pairs = list(itertools.combinations(answers, 2))
        return sum(one is not None and one == other for one, other in pairs) / len(pairs)

    slow = statistics.fmean(share_of_pairs(answers) for answers in questions)
    assert agreement(questions) == pytest.approx(slow, abs=1e-12)


@pytest.mark.parametrize(
    ("questions", "expected"),
    [
        ([[1, 1, 1], [3, 3]], 1),
        ([[0, 1], [2, 3]], 0),
        ([[0, 0, 1, 1]], 1 / 3),
        ([[None, None]], 0),
        ([[2, 2], [2, None]], 0.5),
    ],
)
def test_agreement_of_examples(questions: list[list[int | None]], expected: float) -> None:
    assert agreement(questions) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("choices", "right", "credit"),
    [
        ([2], {2}, 1),
        ([2, 2, 1], {2}, 1),
        ([2, 2, 1], {1}, 0),
        ([2, 1], {1}, 1 / 2),
        ([2, 1, 0], {1}, 1 / 3),
        ([2, 1, 0], {0, 1}, 2 / 3),
        ([None, None, 1], {1}, 1),
        ([None, None], {1}, 0),
    ],
)
def test_the_majority_takes_the_credit_and_ties_share_it(
    choices: list[int | None], right: set[int], credit: float
) -> None:
    assert majority_credit(choices, right) == pytest.approx(credit)


@given(answers, st.randoms(use_true_random=False))
def test_the_order_of_answers_does_not_matter(
    choices: list[int | None], order: random.Random
) -> None:
    shuffled = order.sample(choices, len(choices))
    assert majority_credit(shuffled, {1}) == majority_credit(choices, {1})
    assert agreement([shuffled]) == agreement([choices])


@given(answers.filter(lambda choices: any(choice is not None for choice in choices)))
def test_the_credits_of_all_choices_add_up_to_one(choices: list[int | None]) -> None:
    credits = [majority_credit(choices, {choice}) for choice in range(5)]
    assert math.fsum(credits) == pytest.approx(1)


@pytest.mark.parametrize(
    ("correct", "samples", "level", "message"),
    [
        ([1, 1], 0, 0.95, "samples = 0: expected at least 1"),
        ([1, 6], 5, 0.95, "correct = 6: expected 0 to 5"),
        ([-1, 1], 5, 0.95, "correct = -1: expected 0 to 5"),
        ([], 5, 0.95, "total = 0: expected at least 1"),
        ([1], 5, 0.95, "1 scores: expected at least 2"),
        ([1, 2], 5, 95, "level = 95: expected a fraction between 0 and 1"),
        ([5, 0], 5, 95, "level = 95: expected a fraction between 0 and 1"),
    ],
)
def test_the_interval_refuses_what_makes_no_sense(
    correct: list[int], samples: int, level: float, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        repeated_interval(correct, samples, confidence=level)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("correct", "samples", "message"),
    [
        ([1, 1], 0, "samples = 0: expected at least 1"),
        ([1, 6], 5, "correct = 6: expected 0 to 5"),
        ([3], 5, "1 questions: expected at least 2"),
        ([], 1, "0 questions: expected at least 2"),
    ],
)
def test_the_variances_refuse_what_makes_no_sense(
    correct: list[int], samples: int, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        split_variance(correct, samples)
    assert str(caught.value) == message


def test_an_error_takes_at_least_one_answer() -> None:
    variances = Variances(within=0.1, between=0.1, questions=10, samples=5)
    with pytest.raises(ValueError, match="samples = 0: expected at least 1"):
        variances.standard_error(0)


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ([], "0 questions: expected at least 1"),
        ([[1, 1], [1]], "1 answers to a question: expected at least 2"),
    ],
)
def test_agreement_takes_two_answers_a_question(
    questions: list[list[int | None]], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        agreement(questions)
    assert str(caught.value) == message


def test_a_majority_takes_answers() -> None:
    with pytest.raises(ValueError, match="0 answers: expected at least 1"):
        majority_credit([], {1})
