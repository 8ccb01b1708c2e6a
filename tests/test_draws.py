"""Orders are drawn by weight, follow from the seed, and the seed from what is compared."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evalkit.stats.draws import draw_order, gate_seed, history_weights

weight_lists = st.lists(st.floats(0.01, 100), max_size=30)


@given(weight_lists, st.integers(0, 2**64 - 1))
def test_an_order_has_every_question_once_and_follows_from_the_seed(
    weights: list[float], seed: int
) -> None:
    order = draw_order(weights, seed)
    assert sorted(order) == list(range(len(weights)))
    assert draw_order(weights, seed) == order


@given(weight_lists.filter(bool), st.floats(0.01, 100), st.integers(0, 99))
def test_only_the_ratios_of_weights_matter(weights: list[float], factor: float, seed: int) -> None:
    equal = [1.0] * len(weights)
    assert draw_order([factor] * len(weights), seed) == draw_order(equal, seed)


def test_the_order_is_the_same_everywhere() -> None:
    """Else a gate could not be resumed with another version of Python."""
    assert draw_order([1, 1, 4, 1, 1, 4, 1, 1], seed=20_260_101) == PINNED


PINNED = (2, 0, 5, 7, 1, 3, 6, 4)


def test_each_order_comes_as_often_as_drawing_one_by_one_has_it() -> None:
    weights, draws = (1.0, 4.0, 2.0), 20_000
    found = Counter(draw_order(weights, seed) for seed in range(draws))
    chances = {
        (a, b, c): weights[a] / 7 * weights[b] / (weights[b] + weights[c])
        for a, b, c in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    }
    expected = [draws * chance for chance in chances.values()]
    assert stats.chisquare([found[order] for order in chances], expected).pvalue > 0.001


@pytest.mark.parametrize("weight", [0, -1, math.inf, math.nan])
def test_nothing_is_drawn_by_such_weights(weight: float) -> None:
    with pytest.raises(ValueError, match=f"weight = {weight}: expected more than 0 and finite"):
        draw_order([1, weight], 0)


def test_the_seed_has_64_bits_of_what_is_compared() -> None:
    terms = {"suite": "s", "baseline": "b", "candidate": "c"}
    seeds = {
        gate_seed(**terms, delta=0.02, alpha=0.05),
        gate_seed(**terms, delta=0.03, alpha=0.05),
        gate_seed(**terms, delta=0.02, alpha=0.01),
        *(gate_seed(**{**terms, key: "x"}, delta=0.02, alpha=0.05) for key in terms),
        gate_seed(suite="sb", baseline="", candidate="c", delta=0.02, alpha=0.05),
    }
    assert len(seeds) == 7
    assert all(0 <= seed < 2**64 for seed in seeds)
    # printf '["s", "b", "c", 0.02, 0.05]' | sha256sum
    assert gate_seed(**terms, delta=0.02, alpha=0.05) == 0x4DE627EA7F589610


@pytest.mark.parametrize(
    ("baseline", "earlier", "weights"),
    [
        ([1, 1, 0, 0], [], [1, 1, 1, 1]),
        ([1, 1, 0, 0], [[1, 1, 0, 0]], [1, 1, 1, 1]),
        ([1, 1, 0, 0], [[0, 1, 0, 0]], [4, 1, 1, 1]),
        (
            [1, 1, 0, 0, 1, 1, 0],
            [[0, 1, 0, 0, 1, 1, 0], [1, 1, 1, 0, 1, 1, 0]],
            [4, 1, 4, *[1] * 4],
        ),
        # More than 30 % of the questions, exactly 30 %, and all of them.
        ([1] * 10, [[0] * 4 + [1] * 6], [1] * 10),
        ([1] * 10, [[0] * 3 + [1] * 7], [4] * 3 + [1] * 7),
        ([1, 1], [[0, 0]], [1, 1]),
        # Fractional scores differ from half a question on, rounding aside.
        ([0.6, 0.6, 1, 1], [[0.1, 0.2, 1, 1]], [4, 1, 1, 1]),
        # The ninth latest run does not count.
        ([1, 1, 0, 0], [[0, 1, 0, 0], *[[1, 1, 0, 0]] * 8], [1, 1, 1, 1]),
        ([1, 1, 0, 0], [[0, 1, 0, 0], *[[1, 1, 0, 0]] * 7], [4, 1, 1, 1]),
    ],
)
def test_volatile_questions_are_drawn_rather(
    baseline: list[float], earlier: list[list[float]], weights: list[float]
) -> None:
    assert list(history_weights(baseline, earlier)) == weights


def test_an_earlier_run_has_as_many_questions() -> None:
    with pytest.raises(ValueError, match="3 scores in an earlier run: expected 2"):
        history_weights([1, 0], [[1, 0, 1]])
