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
from evalkit.stats.paired import mcnemar_exact, mcnemar_midp
from evalkit.stats.power import (
    exact_power_of_drop,
    minimum_detectable_difference,
    power_of_difference,
    questions_for_margin,
    questions_in_clusters,
    questions_needed,
    questions_on_this_set,
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
    if variance > 1e-9:  # scipy gives up on shifts beyond a billion
        z = difference / math.sqrt(variance / n)
        squared = z * z if abs(z) > 1e-9 else 0.0  # nor does it take hardly any shift
        chance = stats.ncx2.sf(stats.norm.isf(alpha / 2) ** 2, 1, squared) if squared else alpha
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


@given(
    st.integers(1, 40),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0.001, 0.5) | st.sampled_from([0.5, 0.25, 0.125, 0.0625]),
)
def test_exact_power_counts_out_all_results(n: int, flip: float, part: float, alpha: float) -> None:
    p_loss = flip * part
    p_gain = flip - p_loss
    slow = sum(
        float(stats.multinomial.pmf([losses, gains, n - losses - gains], n, chances))
        for losses in range(n + 1)
        for gains in range(min(losses, n - losses + 1))
        if mcnemar_exact(gains, losses) <= alpha
        for chances in [[p_loss, p_gain, 1 - p_loss - p_gain]]
    )
    assert exact_power_of_drop(n, p_loss, p_gain, alpha=alpha) == pytest.approx(slow, abs=1e-9)


def test_exact_power_is_near_the_approximation_for_many_questions() -> None:
    exact = exact_power_of_drop(5000, 0.04, 0.028)
    assert exact == pytest.approx(power_of_difference(-0.012, 0.068, 5000), abs=0.02)


def test_without_losses_no_drop_is_found() -> None:
    assert exact_power_of_drop(100, 0, 0.5) == 0
    assert exact_power_of_drop(100, 1, 0) == 1


@pytest.mark.parametrize(
    ("n", "p_loss", "p_gain", "alpha", "message"),
    [
        (0, 0.1, 0.1, 0.05, "n = 0: expected at least 1"),
        (10, -0.1, 0.1, 0.05, "p_loss = -0.1: expected 0 to 1"),
        (10, 0.1, 1.5, 0.05, "p_gain = 1.5: expected 0 to 1"),
        (10, 0.75, 0.75, 0.05, "sum = 1.5: expected 0 to 1"),
        (10, 0.1, 0.1, 1, "alpha = 1: expected a fraction between 0 and 1"),
    ],
)
def test_exact_power_refuses_what_makes_no_sense(
    n: int, p_loss: float, p_gain: float, alpha: float, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        exact_power_of_drop(n, p_loss, p_gain, alpha=alpha)
    assert str(caught.value) == message


def test_clusters_take_more_questions() -> None:
    assert questions_in_clusters(100, 1) == 100
    assert questions_in_clusters(100, 1.1) == 110
    assert questions_in_clusters(100, 2.001) == 201
    with pytest.raises(ValueError, match="design_effect = 0: expected more than 0 and finite"):
        questions_in_clusters(100, 0)
    with pytest.raises(ValueError, match="n = 0"):
        questions_in_clusters(0, 2)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_part_of_the_set_tells_as_much_of_it(n: int, total: int) -> None:
    """Its variance, by the finite population correction, is at most that of n from anywhere."""
    part = questions_on_this_set(n, total)
    assert 1 <= part <= min(n, total)
    assert (1 - part / total) / part <= 1 / n * (1 + 1e-6)
    if part > 1:
        assert (1 - (part - 1) / total) / (part - 1) > 1 / n * (1 - 1e-6)


def test_a_set_has_questions() -> None:
    with pytest.raises(ValueError, match="total = 0: expected at least 1"):
        questions_on_this_set(10, 0)
