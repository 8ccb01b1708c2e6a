"""A preference for letters is found by rotations, and taken out."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from evalkit.stats.orders import rotations
from evalkit.stats.priors import draw_for_prior, letter_prior, question_prior, take_out_prior

shares = st.integers(2, 5).flatmap(
    lambda size: st.tuples(
        *[st.lists(st.floats(0.05, 1), min_size=size, max_size=size).map(scaled)] * 2
    )
)
"""What a model thinks of the choices, and of the letters."""


def scaled(weights: list[float]) -> list[float]:
    return [weight / math.fsum(weights) for weight in weights]


@given(shares)
def test_a_preference_that_multiplies_what_a_model_thinks_is_found_and_taken_out(
    pair: tuple[list[float], list[float]],
) -> None:
    beliefs, prior = pair
    orders = rotations(len(beliefs))
    rotated = [
        scaled([prior[place] * beliefs[choice] for place, choice in enumerate(order)])
        for order in orders
    ]
    assert question_prior(rotated) == pytest.approx(prior)
    for order, seen in zip(orders, rotated, strict=True):
        expected = [beliefs[choice] for choice in order]
        assert take_out_prior(seen, prior) == pytest.approx(expected)


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=3, max_size=3))
def test_one_question_tells_the_softmax_of_mean_logarithms(rotated: list[list[float]]) -> None:
    means = [sum(math.log(row[letter]) for row in rotated) / 3 for letter in range(3)]
    assert question_prior(rotated) == pytest.approx(list(special.softmax(means)))


def test_a_model_without_preferences_is_left_alone() -> None:
    assert take_out_prior([0.7, 0.2, 0.1, 0.0], [0.25] * 4) == pytest.approx([0.7, 0.2, 0.1, 0.0])


def test_the_prior_is_the_mean_of_what_questions_tell() -> None:
    assert letter_prior([[0.5, 0.5], [0.7, 0.3], [0.9, 0.1]]) == pytest.approx([0.7, 0.3])


@pytest.mark.parametrize(
    ("questions", "count"), [(0, 0), (10, 10), (50, 50), (999, 50), (1001, 51), (14_042, 703)]
)
def test_one_question_in_twenty_is_drawn_but_at_least_fifty(questions: int, count: int) -> None:
    drawn = draw_for_prior(questions, seed=3)
    assert len(set(drawn)) == len(drawn) == count
    assert list(drawn) == sorted(drawn)
    assert drawn == draw_for_prior(questions, seed=3)
    assert set(drawn) <= set(range(questions))


def test_every_question_may_be_drawn() -> None:
    drawn = [place for seed in range(400) for place in draw_for_prior(200, seed)]
    counts = [drawn.count(place) for place in range(200)]
    assert min(counts) > 50
    assert max(counts) < 150
    assert draw_for_prior(200, 1) != draw_for_prior(200, random.Random(1).randrange(2, 99))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw_for_prior(-1, 0), "questions = -1: expected at least 0"),
        (lambda: question_prior([]), "as many rotations as letters, at least 1"),
        (lambda: question_prior([[0.5, 0.5]]), "as many rotations as letters, at least 1"),
        (lambda: question_prior([[1.0, 0.0], [0.5, 0.5]]), "probability = 0.0: expected more than"),
        (lambda: letter_prior([]), "expected at least 1, all with as many letters"),
        (lambda: letter_prior([[1.0], [0.5, 0.5]]), "expected at least 1, all with as many"),
        (lambda: take_out_prior([0.5, 0.5], [1.0]), "1 letters in the prior: expected 2"),
        (lambda: take_out_prior([0.5, 0.5], [1.0, 0.0]), "probability = 0.0: expected more than 0"),
        (lambda: take_out_prior([1.5, 0.5], [0.5, 0.5]), "probability = 1.5: expected 0 to 1"),
        (lambda: take_out_prior([0, 0], [0.5, 0.5]), "probabilities: expected at least one above"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)
