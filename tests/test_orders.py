"""Orders are fair and follow from the seed, and what they change is counted."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.orders import draw_orders, order_effect, rotations

picks = st.none() | st.integers(0, 3)
questions = st.integers(1, 5).flatmap(
    lambda orders: st.lists(
        st.tuples(st.lists(picks, min_size=orders, max_size=orders), st.integers(0, 3)),
        min_size=1,
        max_size=8,
    )
)
"""What was picked in each order, and what is right."""


@given(st.integers(1, 12))
def test_rotations_put_every_choice_at_every_position_once(choices: int) -> None:
    orders = rotations(choices)
    assert orders[0] == tuple(range(choices))
    assert len(orders) == choices
    for line in (*orders, *zip(*orders, strict=True)):
        assert sorted(line) == list(range(choices))


@given(st.integers(1, 12), st.data(), st.integers(0, 2**64))
def test_a_seed_draws_the_same_orders_again(choices: int, data: st.DataObject, seed: int) -> None:
    count = data.draw(st.integers(1, choices))
    drawn = draw_orders(rotations(choices), count, seed)
    assert drawn == draw_orders(rotations(choices), count, seed)
    assert len(set(drawn)) == count
    assert set(drawn) <= set(rotations(choices))


def test_every_order_is_drawn_as_often() -> None:
    drawn = Counter(order for seed in range(4000) for order in draw_orders(rotations(4), 2, seed))
    assert all(count == pytest.approx(2000, abs=150) for count in drawn.values())
    assert len(drawn) == 4


@given(questions)
def test_effects_are_as_defined(questions: list[tuple[list[int | None], int]]) -> None:
    picked, right = [picks for picks, _ in questions], [{right} for _, right in questions]
    effect = order_effect(picked, right)
    answers = [pick == key for picks, key in questions for pick in picks]
    assert effect.accuracy == pytest.approx(sum(answers) / len(answers))
    all_right = sum(picks == [key] * len(picks) for picks, key in questions)
    assert effect.all_right == pytest.approx(all_right / len(questions))
    steady = sum(picks == picks[:1] * len(picks) for picks, _ in questions)
    assert effect.flips == pytest.approx(1 - steady / len(questions))
    assert (effect.questions, effect.orders) == (len(questions), len(picked[0]))


@given(questions)
def test_all_right_is_at_most_the_accuracy_and_the_steady_share(
    questions: list[tuple[list[int | None], int]],
) -> None:
    effect = order_effect([picks for picks, _ in questions], [{right} for _, right in questions])
    assert effect.all_right <= min(effect.accuracy, 1 - effect.flips) + 1e-12


@pytest.mark.parametrize(
    ("picked", "all_right", "flips"),
    [
        ([[0, 0, 0]], 1, 0),
        ([[0, 1, 0]], 0, 1),
        ([[1, 1, 1]], 0, 0),
        ([[None, None, None]], 0, 0),
        ([[0, None, 0]], 0, 1),
        ([[0, 3, 0]], 1, 1),
    ],
)
def test_effects_of_examples(picked: Any, all_right: float, flips: float) -> None:
    """Of a question on which 0 and 3 are right."""
    effect = order_effect(picked, [{0, 3}])
    assert (effect.all_right, effect.flips) == (all_right, flips)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="choices = 0: expected at least 1"):
        rotations(0)
    with pytest.raises(ValueError, match="count = 0: expected 1 to 4"):
        draw_orders(rotations(4), 0, 1)
    with pytest.raises(ValueError, match="count = 5: expected 1 to 4"):
        draw_orders(rotations(4), 5, 1)


@pytest.mark.parametrize(
    ("picked", "right", "message"),
    [
        ([], [], "0 questions: expected at least 1"),
        ([[0]], [{0}, {1}], "2 keys for 1 questions: expected as many"),
        ([[0, 1], [0]], [{0}, {1}], "1 orders of a question: expected 2"),
        ([[]], [{0}], "0 orders of a question: expected 1"),
    ],
)
def test_effects_refuse_what_makes_no_sense(picked: Any, right: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        order_effect(picked, right)
    assert str(caught.value) == message


def test_all_orders_can_be_drawn_from_too() -> None:
    from itertools import permutations

    orders = tuple(permutations(range(4)))
    assert len(set(draw_orders(orders, 24, 3))) == math.factorial(4)
