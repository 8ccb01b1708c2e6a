"""Planned sizes equal published numbers, find what they promise, and promise no more."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from evalkit.stats.intervals import wilson_interval
from evalkit.stats.paired import mcnemar_midp
from evalkit.stats.power import (
    minimum_detectable_difference,
    power_of_difference,
    questions_for_margin,
    questions_needed,
)
from tests.test_intervals import GOLDEN, read_golden

sizes = st.integers(1, 10**6)
alphas = st.floats(0.001, 0.3)
powers = st.floats(0.4, 0.99)
flip_shares = st.floats(0.01, 1)
differences = flip_shares.flatmap(lambda q: st.tuples(st.floats(-q, q), st.just(q)))
"""A difference, and the share of flips that it needs at least."""
found_differences = differences.filter(lambda pair: abs(pair[0]) > 0.002)


def power_of(inputs: dict[str, Any]) -> dict[str, float]:
    """The output that golden values have for `power_paired`."""
    effect, flips, n, alpha = (inputs[key] for key in ("effect", "discordance", "n", "alpha"))
    return {"power": power_of_difference(effect, flips, n, alpha=alpha)}


def questions_of(inputs: dict[str, Any]) -> dict[str, float]:
    """The output that golden values have for `n_paired`."""
    wanted = {key: inputs[key] for key in ("power", "alpha")}
    return {"n_ceil": questions_needed(inputs["effect"], inputs["discordance"], **wanted)}


def difference_of(inputs: dict[str, Any]) -> dict[str, float]:
    """The output that golden values have for `mde_paired`."""
    wanted = {key: inputs[key] for key in ("power", "alpha")}
    difference = minimum_detectable_difference(inputs["n"], inputs["discordance"], **wanted)
    assert difference is not None
    return {"mde": difference}


GOLDEN_FUNCTIONS: dict[str, Callable[[dict[str, Any]], dict[str, float]]] = {
    "power_paired": power_of,
    "n_paired": questions_of,
    "mde_paired": difference_of,
}


@pytest.mark.skipif(not GOLDEN.is_file(), reason=f"the golden values are not here: {GOLDEN}")
@pytest.mark.parametrize("function", GOLDEN_FUNCTIONS)
def test_every_golden_value_is_met(function: str) -> None:
    rows = read_golden(function)
    assert rows
    for row in rows:
        value = GOLDEN_FUNCTIONS[function](row.inputs)[row.output]
        assert value == pytest.approx(row.expected, abs=row.tolerance, rel=0), row.case


@given(differences, sizes, alphas)
def test_power_is_the_chance_that_a_normal_statistic_is_significant(
    pair: tuple[float, float], n: int, alpha: float
) -> None:
    difference, flips = pair
    power = power_of_difference(difference, flips, n, alpha=alpha)
    variance = flips - difference**2
    if variance > 0:
        z = difference / math.sqrt(variance / n)
        chance = stats.ncx2.sf(stats.norm.isf(alpha / 2) ** 2, 1, z * z) if z else alpha
        assert power == pytest.approx(chance, abs=1e-7)
    assert alpha - 1e-12 <= power <= 1
    assert power == power_of_difference(-difference, flips, n, alpha=alpha)


def test_power_is_near_that_of_mid_p_counted_out() -> None:
    """All numbers of gains and losses of 400 questions, with a drop of 4 points at 8 % flips."""
    n, p_gain, p_loss = 400, 0.02, 0.06
    exact = sum(
        float(stats.multinomial.pmf([gains, losses, n - gains - losses], n, [p_gain, p_loss, 0.92]))
        for gains in range(30)
        for losses in range(70)
        if mcnemar_midp(gains, losses) <= 0.05
    )
    assert power_of_difference(p_gain - p_loss, 0.08, n) == pytest.approx(exact, abs=0.02)


def test_without_a_difference_the_power_is_the_size_of_the_test() -> None:
    assert power_of_difference(0, 0.1, 1000, alpha=0.05) == pytest.approx(0.05)


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_flip_of_every_question_is_always_found(difference: int) -> None:
    assert power_of_difference(difference, 1, 1) == 1
    assert questions_needed(difference, 1) == 1


@given(found_differences, powers, alphas)
def test_so_many_questions_are_enough_but_not_one_fewer(
    pair: tuple[float, float], power: float, alpha: float
) -> None:
    difference, flips = pair
    n = questions_needed(difference, flips, power=power, alpha=alpha)
    assert power_of_difference(difference, flips, n, alpha=alpha) >= power
    if n > 1:
        assert power_of_difference(difference, flips, n - 1, alpha=alpha) < power


@given(sizes, flip_shares, powers, alphas)
@example(20, 0.05, 0.8, 0.05)
def test_the_smallest_difference_found_is_found_just_often_enough(
    n: int, flips: float, power: float, alpha: float
) -> None:
    difference = minimum_detectable_difference(n, flips, power=power, alpha=alpha)
    if difference is None:
        assert power_of_difference(flips, flips, n, alpha=alpha) < power + 1e-9
    else:
        assert 0 < difference <= flips
        found = power_of_difference(difference, flips, n, alpha=alpha)
        assert found == pytest.approx(power, abs=1e-9)


@given(st.integers(300, 10**6), st.floats(0.05, 0.95), st.integers(2, 10))
def test_more_questions_find_smaller_differences(n: int, flips: float, factor: int) -> None:
    few = minimum_detectable_difference(n, flips)
    many = minimum_detectable_difference(n * factor, flips)
    assert few is not None
    assert many is not None
    assert many < few


@given(st.floats(0.001, 0.6), st.floats(0, 1), st.floats(0.5, 0.999))
def test_a_margin_is_kept_by_so_many_questions_but_not_by_one_fewer(
    margin: float, accuracy: float, level: float
) -> None:
    def half_width(n: int) -> float:
        interval = wilson_interval(accuracy * n, n, level=level)
        return (interval.high - interval.low) / 2

    n = questions_for_margin(margin, accuracy, confidence=level)
    assert half_width(n) <= margin
    if n > 1:
        assert half_width(n - 1) > margin


@given(st.floats(0.01, 0.4), st.floats(0, 1))
def test_an_accuracy_of_one_half_takes_the_most_questions(margin: float, accuracy: float) -> None:
    assert questions_for_margin(margin, accuracy) <= questions_for_margin(margin)


@pytest.mark.parametrize(
    ("margin", "accuracy", "level", "n"),
    [
        # At 0.5 the half-width is z / (2 sqrt(n + z^2)), so n = z^2 (1 / (4 margin^2) - 1).
        (0.01, 0.5, 0.95, 9600),
        (0.02, 0.5, 0.95, 2398),
        (0.05, 0.5, 0.95, 381),
        (0.05, 0.5, 0.99, 657),
        (0.05, 1.0, 0.95, 35),
        (0.99, 0.5, 0.95, 1),
    ],
)
def test_questions_for_a_margin(margin: float, accuracy: float, level: float, n: int) -> None:
    assert questions_for_margin(margin, accuracy, confidence=level) == n


@pytest.mark.parametrize(
    ("difference", "flips", "n", "alpha", "message"),
    [
        (0.0, 0.0, 100, 0.05, "flips = 0.0: expected more than 0, at most 1"),
        (0.0, 1.1, 100, 0.05, "flips = 1.1: expected more than 0, at most 1"),
        (0.0, math.nan, 100, 0.05, "flips = nan: expected more than 0, at most 1"),
        (0.2, 0.1, 100, 0.05, "difference = 0.2: expected -0.1 to 0.1"),
        (-0.2, 0.1, 100, 0.05, "difference = -0.2: expected -0.1 to 0.1"),
        (math.nan, 0.1, 100, 0.05, "difference = nan: expected -0.1 to 0.1"),
        (0.05, 0.1, 0, 0.05, "n = 0: expected at least 1"),
        (0.05, 0.1, 100, 5, "alpha = 5: expected a fraction between 0 and 1"),
    ],
)
def test_power_refuses_what_makes_no_sense(
    difference: float, flips: float, n: int, alpha: float, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        power_of_difference(difference, flips, n, alpha=alpha)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("difference", "power", "alpha", "message"),
    [
        (0.0, 0.8, 0.05, "difference = 0.0: expected other than 0"),
        (0.2, 0.8, 0.05, "difference = 0.2: expected -0.1 to 0.1"),
        (0.05, 1.0, 0.05, "power = 1.0: expected more than alpha = 0.05, less than 1"),
        (0.05, 0.05, 0.05, "power = 0.05: expected more than alpha = 0.05, less than 1"),
        (0.05, 0.8, 0.0, "alpha = 0.0: expected a fraction between 0 and 1"),
    ],
)
def test_the_number_of_questions_refuses_what_makes_no_sense(
    difference: float, power: float, alpha: float, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        questions_needed(difference, 0.1, power=power, alpha=alpha)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("n", "flips", "power", "alpha", "message"),
    [
        (0, 0.1, 0.8, 0.05, "n = 0: expected at least 1"),
        (100, 0.0, 0.8, 0.05, "flips = 0.0: expected more than 0, at most 1"),
        (100, 0.1, 80, 0.05, "power = 80: expected more than alpha = 0.05, less than 1"),
        (100, 0.1, 0.8, 1.0, "alpha = 1.0: expected a fraction between 0 and 1"),
    ],
)
def test_the_smallest_difference_refuses_what_makes_no_sense(
    n: int, flips: float, power: float, alpha: float, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        minimum_detectable_difference(n, flips, power=power, alpha=alpha)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("margin", "accuracy", "level", "message"),
    [
        (0.0, 0.5, 0.95, "margin = 0.0: expected a fraction between 0 and 1"),
        (2, 0.5, 0.95, "margin = 2: expected a fraction between 0 and 1"),
        (0.02, 50, 0.95, "accuracy = 50: expected 0 to 1"),
        (0.02, math.nan, 0.95, "accuracy = nan: expected 0 to 1"),
        (0.02, 0.5, 95, "level = 95: expected a fraction between 0 and 1"),
    ],
)
def test_the_margin_refuses_what_makes_no_sense(
    margin: float, accuracy: float, level: float, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        questions_for_margin(margin, accuracy, confidence=level)
    assert str(caught.value) == message
