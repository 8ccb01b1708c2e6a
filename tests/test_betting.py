"""Wealth is paid out as defined, is fair under the claim bet against, and never vanishes."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.betting import BETS, Bettor

answers = st.lists(
    st.tuples(st.floats(-1, 1), st.floats(0, 1), st.floats(1, 1000)), min_size=1, max_size=30
).map(lambda rows: [(gain, max(-gain, more), scale) for gain, more, scale in rows])
"""Gains, the worst that each could have been, and scales."""


def wealths_of(answers: list[tuple[float, float, float]]) -> list[float]:
    """The mean wealth after each answer, with wealths multiplied as they are."""
    parts = [1.0] * len(BETS)
    means = []
    for gain, worst, scale in answers:
        stakes = [min(bet * scale, 0.9 / max(worst, 1e-12)) for bet in BETS]
        parts = [part * (1 + stake * gain) for part, stake in zip(parts, stakes, strict=True)]
        means.append(statistics.fmean(parts))
    return means


@given(answers)
def test_wealth_is_multiplied_by_each_answer(answers: list[tuple[float, float, float]]) -> None:
    bettor = Bettor()
    for gain, worst, scale in answers:
        bettor.settle(gain, worst=worst, scale=scale)
    means = wealths_of(answers)
    assert math.exp(bettor.evidence) == pytest.approx(means[-1], rel=1e-9)
    highest = max(1.0, *means)
    assert bettor.p_value == pytest.approx(1 / highest, rel=1e-9)
    assert bettor.highest == pytest.approx(math.log(highest), abs=1e-9)


def test_before_any_answer_there_is_no_evidence() -> None:
    assert (Bettor().evidence, Bettor().highest, Bettor().p_value) == (0, 0, 1)


@given(st.integers(1, 3), st.integers(1, 5))
def test_under_the_claim_wealth_stays_the_same_on_average(ones: int, zeros: int) -> None:
    """All orders of some answers, 1 or -1, whose total is bet to be higher than it is."""
    scores = [1] * ones + [-1] * zeros
    wealths = []
    for order in itertools.permutations(scores):
        bettor = Bettor()
        for place, score in enumerate(order):
            left = len(order) - place
            mean = sum(order[place:]) / left
            bettor.settle(score - mean, worst=mean + 1, scale=len(order) / left)
        wealths.append(math.exp(bettor.evidence))
    assert statistics.fmean(wealths) == pytest.approx(1)


def test_a_long_losing_streak_neither_ends_the_wealth_nor_overflows() -> None:
    bettor = Bettor()
    for _ in range(10_000):
        bettor.settle(-1.0, worst=1.0, scale=1.0)
    assert -3000 < bettor.evidence < 0
    for _ in range(10_000):
        bettor.settle(1.0, worst=0.0, scale=1e9)
    assert math.isfinite(bettor.evidence)
    assert bettor.p_value == 0
