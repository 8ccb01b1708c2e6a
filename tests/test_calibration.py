"""Proper scores equal those of scikit-learn, and votes are made as good as probabilities."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from evalkit.stats.calibration import (
    brier_interval,
    brier_of_choices,
    brier_top,
    fair_brier,
    log_loss,
    vote_excess,
)

picks = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=2, max_size=30)
"""Confidences, and whether the picks were right."""
weights = st.lists(st.floats(0.01, 1), min_size=4, max_size=4)
questions = st.lists(st.tuples(weights, st.integers(0, 3)), min_size=2, max_size=20).map(
    lambda rows: [([share / math.fsum(row) for share in row], place) for row, place in rows]
)
"""Probabilities of four choices, and which is right."""


@given(picks)
def test_the_brier_score_of_picks_is_scikit_learns(picks: list[tuple[float, int]]) -> None:
    confidences, correct = [stated for stated, _ in picks], [right for _, right in picks]
    expected = metrics.brier_score_loss(correct, confidences, pos_label=1)
    assert brier_top(confidences, correct) == pytest.approx(expected)


@given(questions)
def test_scores_of_all_choices_are_scikit_learns(questions: list[tuple[list[float], int]]) -> None:
    probabilities, right = [row for row, _ in questions], [place for _, place in questions]
    loss = metrics.log_loss(right, probabilities, labels=[0, 1, 2, 3])
    assert log_loss(probabilities, right) == pytest.approx(loss)
    squares = [
        sum((share - (choice == place)) ** 2 for choice, share in enumerate(row))
        for row, place in questions
    ]
    assert brier_of_choices(probabilities, right) == pytest.approx(statistics.fmean(squares))


@given(questions)
def test_the_order_of_questions_does_not_matter(questions: list[tuple[list[float], int]]) -> None:
    probabilities, right = [row for row, _ in questions], [place for _, place in questions]
    turned = brier_of_choices(probabilities[::-1], right[::-1])
    assert brier_of_choices(probabilities, right) == pytest.approx(turned)
    assert log_loss(probabilities, right) == pytest.approx(
        log_loss(probabilities[::-1], right[::-1])
    )


def test_the_best_and_worst_scores() -> None:
    assert brier_of_choices([[1.0, 0.0]], [0]) == 0
    assert brier_of_choices([[1.0, 0.0]], [1]) == 2
    assert (brier_top([1.0], [1]), brier_top([1.0], [0])) == (0, 1)
    assert log_loss([[1.0, 0.0]], [0]) == 0


def test_questions_may_have_different_numbers_of_choices() -> None:
    assert brier_of_choices([[0.5, 0.5], [0.2, 0.3, 0.5]], [0, 2]) == pytest.approx(0.44)
    assert log_loss([[0.5, 0.5], [0.2, 0.3, 0.5]], [0, 2]) == pytest.approx(math.log(2))


@given(picks, st.floats(0.5, 0.99))
def test_the_interval_holds_the_brier_score(picks: list[tuple[float, int]], level: float) -> None:
    confidences, correct = [stated for stated, _ in picks], [right for _, right in picks]
    interval = brier_interval(confidences, correct, level=level)
    assert interval.estimate == pytest.approx(brier_top(confidences, correct))
    assert 0 <= interval.low <= interval.estimate + 1e-12
    assert interval.estimate - 1e-12 <= interval.high <= 1


@pytest.mark.parametrize("samples", [2, 5, 20])
@pytest.mark.parametrize("share", [0.5, 0.8, 1.0])
def test_votes_less_their_excess_score_like_the_probabilities_behind_them(
    samples: int, share: float
) -> None:
    """On average over all numbers of votes that a question may get, for either right choice."""
    for right in (0, 1):
        mean = 0.0
        for votes in range(samples + 1):
            shares = [votes / samples, 1 - votes / samples]
            fair = brier_of_choices([shares], [right]) - vote_excess([shares], samples)
            mean += float(stats.binom.pmf(votes, samples, share)) * fair
        assert mean == pytest.approx(brier_of_choices([[share, 1 - share]], [right]))


@given(st.lists(st.integers(0, 20), min_size=2, max_size=6), st.data())
def test_one_question_has_its_score_less_its_excess(votes: list[int], data: st.DataObject) -> None:
    votes[0] += 2
    right, samples = data.draw(st.integers(0, len(votes) - 1)), sum(votes)
    shares = [count / samples for count in votes]
    fair = brier_of_choices([shares], [right]) - vote_excess([shares], samples)
    assert fair_brier(votes, right) == pytest.approx(fair, abs=1e-12)
    assert 0 <= fair_brier(votes, right) <= 2


@pytest.mark.parametrize(
    ("confidences", "correct", "message"),
    [
        ([], [], "0 confidences: expected at least 1"),
        ([0.5], [1, 0], "2 outcomes of 1 picks: expected as many"),
        ([1.5], [1], "confidence = 1.5: expected 0 to 1"),
        ([math.nan], [1], "confidence = nan: expected 0 to 1"),
        ([0.5], [0.5], "correct = 0.5: expected 0 or 1"),
    ],
)
def test_picks_that_make_no_sense_are_refused(
    confidences: list[float], correct: list[float], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        brier_top(confidences, correct)
    assert str(caught.value) == message


@pytest.mark.parametrize("score", [brier_of_choices, log_loss])
@pytest.mark.parametrize(
    ("probabilities", "right", "message"),
    [
        ([], [], "0 questions: expected at least 1"),
        ([[1.0]], [0, 0], "2 keys for 1 questions: expected as many"),
        ([[1.5, -0.5]], [0], "probability = 1.5: expected 0 to 1"),
        ([[0.5, 0.25]], [0], "sum of probabilities = 0.75: expected 1"),
        ([[0.5, 0.5]], [2], "right = 2: expected 0 to 1"),
        ([[0.5, 0.5]], [-1], "right = -1: expected 0 to 1"),
    ],
)
def test_probabilities_that_make_no_sense_are_refused(
    score: Any, probabilities: list[list[float]], right: list[int], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        score(probabilities, right)
    assert str(caught.value) == message


def test_a_vote_share_of_0_is_no_probability_of_0() -> None:
    with pytest.raises(ValueError, match="probability = 0 of a right choice"):
        log_loss([[1.0, 0.0]], [1])


@pytest.mark.parametrize(
    ("votes", "right", "message"),
    [
        ([1, 0], 0, "votes = (1, 0): expected at least 2 in all"),
        ([3, -1], 0, "votes = (3, -1): expected at least 2 in all"),
        ([2, 0], 2, "right = 2: expected 0 to 1"),
        ([2, 0], -1, "right = -1: expected 0 to 1"),
    ],
)
def test_counts_of_votes_that_make_no_sense_are_refused(
    votes: list[int], right: int, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        fair_brier(votes, right)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("shares", "samples", "message"),
    [
        ([], 5, "0 questions: expected at least 1"),
        ([[0.5, 0.5]], 1, "samples = 1: expected at least 2"),
        ([[0.5, 1.5]], 5, "share = 1.5: expected 0 to 1"),
    ],
)
def test_votes_that_make_no_sense_are_refused(
    shares: list[list[float]], samples: int, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        vote_excess(shares, samples)
    assert str(caught.value) == message
