"""Paired differences equal published numbers and slow definitions, and keep their laws."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from evalkit.stats.paired import (
    mcnemar_drop,
    mcnemar_exact,
    mcnemar_midp,
    mean_difference_interval,
    mean_difference_test,
    tango_interval,
    tango_margin_test,
)
from tests.test_intervals import GOLDEN, read_golden

levels = st.floats(0.01, 0.999)
flip_counts = st.tuples(st.integers(0, 300), st.integers(0, 300))
small_counts = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 400))
"""Gains, losses, and questions on which both agree."""
pairs = small_counts.filter(lambda counts: sum(counts) > 0)
mixed_pairs = st.tuples(*[st.integers(1, 200)] * 3)
fractional_pairs = st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(2, 1000))
differences = st.lists(st.floats(-1, 1), min_size=2, max_size=40)
rounded_differences = st.lists(
    st.sampled_from([i / 10 for i in range(-10, 11)]), min_size=2, max_size=40
)


def tango_of(inputs: dict[str, Any]) -> dict[str, float]:
    """The outputs that golden values have for `tango_ci`."""
    gains, losses = inputs["gains"], inputs["losses"]
    n = gains + losses + inputs["both_right"] + inputs["both_wrong"]
    interval = tango_interval(gains, losses, n, confidence=inputs["level"])
    return {"lower": interval.low, "upper": interval.high}


def mcnemar_exact_of(inputs: dict[str, Any]) -> dict[str, float]:
    """The outputs that golden values have for `mcnemar_exact`."""
    counts = inputs["gains"], inputs["losses"]
    return {"p_two_sided": mcnemar_exact(*counts), "p_drop": mcnemar_drop(*counts)}


def mcnemar_midp_of(inputs: dict[str, Any]) -> dict[str, float]:
    """The output that golden values have for `mcnemar_midp`."""
    return {"p_two_sided": mcnemar_midp(inputs["gains"], inputs["losses"])}


def mean_t_of(inputs: dict[str, Any]) -> dict[str, float]:
    """The outputs that golden values have for `mean_t_ci`."""
    scores, level = inputs["y"], inputs["level"]
    interval = mean_difference_interval(scores, confidence=level)
    half = (interval.high - interval.low) / 2
    error = half / float(stats.t.ppf((1 + level) / 2, len(scores) - 1))
    ends = {"lower": interval.low, "upper": interval.high}
    return {"mean": interval.estimate, "se": error, **ends}


def power_of_the_exact_test(inputs: dict[str, Any]) -> dict[str, float]:
    """The chance that the two-sided test finds a drop, by all numbers of gains and losses."""
    p_flip = inputs["p_loss"] + inputs["p_gain"]
    power = 0.0
    for flips in range(inputs["n"] + 1):
        rejecting = [
            losses
            for losses in range(flips // 2 + 1, flips + 1)
            if mcnemar_exact(flips - losses, losses) <= inputs["alpha"]
        ]
        if rejecting:
            beyond = stats.binom.sf(rejecting[0] - 1, flips, inputs["p_loss"] / p_flip)
            power += float(stats.binom.pmf(flips, inputs["n"], p_flip) * beyond)
    return {"power_drop": power}


GOLDEN_FUNCTIONS: dict[str, Callable[[dict[str, Any]], dict[str, float]]] = {
    "tango_ci": tango_of,
    "mcnemar_exact": mcnemar_exact_of,
    "mcnemar_midp": mcnemar_midp_of,
    "mean_t_ci": mean_t_of,
    "power_mcnemar_exact": power_of_the_exact_test,
}


@pytest.mark.skipif(not GOLDEN.is_file(), reason=f"the golden values are not here: {GOLDEN}")
@pytest.mark.parametrize("function", GOLDEN_FUNCTIONS)
def test_every_golden_value_is_met(function: str) -> None:
    rows = read_golden(function)
    assert rows
    for row in rows:
        value = GOLDEN_FUNCTIONS[function](row.inputs)[row.output]
        assert value == pytest.approx(row.expected, abs=row.tolerance, rel=0), row.case


def exact_tails(gains: int, losses: int) -> tuple[Fraction, Fraction]:
    """The chance of a result as far from even as this one in either direction, and of this one."""
    flips = gains + losses
    chances = [Fraction(math.comb(flips, heads), 2**flips) for heads in range(flips + 1)]
    gap = abs(gains - losses)
    tails = sum(chance for heads, chance in enumerate(chances) if abs(flips - 2 * heads) >= gap)
    return Fraction(tails), chances[gains]


@given(flip_counts)
def test_the_exact_test_counts_all_results_as_far_from_even(counts: tuple[int, int]) -> None:
    tails, _ = exact_tails(*counts)
    assert mcnemar_exact(*counts) == pytest.approx(float(tails), rel=1e-9)


@given(flip_counts)
def test_mid_p_counts_the_result_itself_by_half(counts: tuple[int, int]) -> None:
    tails, itself = exact_tails(*counts)
    gains, losses = counts
    # Half of the result and half of its mirror image, which is itself if the counts are equal.
    half = itself / 2 if gains == losses else itself
    expected = float(tails - half) if gains + losses else 1.0
    assert mcnemar_midp(*counts) == pytest.approx(expected, rel=1e-9)


@given(flip_counts)
def test_the_drop_test_counts_all_results_with_as_many_losses(counts: tuple[int, int]) -> None:
    gains, losses = counts
    tail = sum(math.comb(gains + losses, heads) for heads in range(losses, gains + losses + 1))
    expected = float(Fraction(tail, 2 ** (gains + losses)))
    assert mcnemar_drop(gains, losses) == pytest.approx(expected, rel=1e-9)


@given(flip_counts)
def test_swapped_sides_are_as_different(counts: tuple[int, int]) -> None:
    gains, losses = counts
    assert mcnemar_exact(gains, losses) == mcnemar_exact(losses, gains)
    assert mcnemar_midp(gains, losses) == mcnemar_midp(losses, gains)


@given(flip_counts)
def test_p_values_are_fractions_and_mid_p_is_the_smaller(counts: tuple[int, int]) -> None:
    assert 0 < mcnemar_midp(*counts) <= mcnemar_exact(*counts) <= 1
    assert 0 < mcnemar_drop(*counts) <= 1


def test_without_flips_nothing_speaks_for_a_difference() -> None:
    assert (mcnemar_midp(0, 0), mcnemar_exact(0, 0), mcnemar_drop(0, 0)) == (1, 1, 1)


def score_of(difference: float, gains: int, losses: int, n: int) -> float:
    """Tango's statistic from its definition: the likelihood is maximized numerically.

    The chance of a loss is where the likelihood of all counts, given the difference, is level.
    """
    same = n - gains - losses
    least, most = max(0.0, -difference), (1 - difference) / 2

    def slope(loss: float) -> float:
        rest = 1 - 2 * loss - difference
        return gains / (loss + difference) + losses / loss - 2 * same / rest

    margin = (most - least) * 1e-12
    loss = float(optimize.brentq(slope, least + margin, most - margin, xtol=1e-16))
    variance = n * (2 * loss + difference - difference**2)
    return (gains - losses - n * difference) / math.sqrt(variance)


@given(mixed_pairs, st.floats(0.5, 0.999))
def test_tangos_ends_are_where_the_score_is_z(counts: tuple[int, ...], level: float) -> None:
    gains, losses, _ = counts
    n = sum(counts)
    interval = tango_interval(gains, losses, n, confidence=level)
    z = statistics.NormalDist().inv_cdf((1 + level) / 2)
    assert score_of(interval.low, gains, losses, n) == pytest.approx(z, abs=1e-5)
    assert score_of(interval.high, gains, losses, n) == pytest.approx(-z, abs=1e-5)


@given(mixed_pairs, st.floats(0.001, 0.999))
def test_the_test_of_a_margin_is_the_tail_of_its_score(
    counts: tuple[int, ...], delta: float
) -> None:
    gains, losses, _ = counts
    score = score_of(-delta, gains, losses, sum(counts))
    expected = float(stats.norm.sf(score))
    assert tango_margin_test(gains, losses, sum(counts), delta) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("delta", [0, 1, -0.1, math.nan])
def test_the_test_of_a_margin_takes_one(delta: float) -> None:
    with pytest.raises(ValueError, match=f"delta = {delta}: expected a fraction between 0 and 1"):
        tango_margin_test(1, 2, 10, delta)


@given(st.integers(1, 10**9), levels)
def test_without_flips_tango_has_a_closed_form(n: int, level: float) -> None:
    z = statistics.NormalDist().inv_cdf((1 + level) / 2)
    interval = tango_interval(0, 0, n, confidence=level)
    assert interval.estimate == 0
    assert interval.high == pytest.approx(z * z / (n + z * z), rel=1e-6)
    assert interval.low == -interval.high


@given(st.integers(1, 10**9), levels)
def test_where_all_flips_go_one_way_tango_ends_there(n: int, level: float) -> None:
    gained = tango_interval(n, 0, n, confidence=level)
    lost = tango_interval(0, n, n, confidence=level)
    assert (gained.estimate, gained.high) == (1, 1)
    assert (lost.estimate, lost.low) == (-1, -1)
    assert -1 < gained.low < 1
    assert lost.high == -gained.low


@given(pairs, levels)
def test_tango_holds_the_difference_within_its_range(
    counts: tuple[int, int, int], level: float
) -> None:
    gains, losses, _ = counts
    n = sum(counts)
    interval = tango_interval(gains, losses, n, confidence=level)
    assert interval.estimate == (gains - losses) / n
    assert -1 <= interval.low <= interval.estimate <= interval.high <= 1
    assert interval.low < interval.high
    assert (interval.n, interval.level, interval.method) == (n, level, "Tango")


@given(fractional_pairs, levels)
def test_tango_takes_fractional_counts(pair: tuple[float, float, int], level: float) -> None:
    gains, losses, n = pair
    interval = tango_interval(gains, losses, n, confidence=level)
    assert -1 <= interval.low <= interval.estimate <= interval.high <= 1


@given(pairs, levels)
def test_tango_flips_its_sign_with_the_sides(counts: tuple[int, int, int], level: float) -> None:
    gains, losses, _ = counts
    straight = tango_interval(gains, losses, sum(counts), confidence=level)
    swapped = tango_interval(losses, gains, sum(counts), confidence=level)
    turned = (-swapped.estimate, -swapped.high, -swapped.low)
    assert (straight.estimate, straight.low, straight.high) == turned


@given(pairs, st.integers(2, 50), levels)
def test_tango_narrows_as_questions_are_added(
    counts: tuple[int, int, int], factor: int, level: float
) -> None:
    gains, losses, _ = counts
    n = sum(counts)
    wide = tango_interval(gains, losses, n, confidence=level)
    narrow = tango_interval(gains * factor, losses * factor, n * factor, confidence=level)
    assert wide.low <= narrow.low + 1e-12
    assert narrow.high - 1e-12 <= wide.high
    assert narrow.high - narrow.low < wide.high - wide.low


@given(pairs, st.tuples(levels, levels))
def test_more_confidence_takes_a_wider_interval(
    counts: tuple[int, int, int], pair: tuple[float, float]
) -> None:
    gains, losses, _ = counts
    narrow, wide = (
        tango_interval(gains, losses, sum(counts), confidence=level) for level in sorted(pair)
    )
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high


@pytest.mark.parametrize(
    ("gains", "losses", "same"), [(1, 2, 17), (2, 6, 12), (0, 4, 16), (30, 20, 950)]
)
def test_tango_agrees_with_the_test_of_no_difference(gains: int, losses: int, same: int) -> None:
    """At no difference, its statistic is McNemar's without continuity correction."""
    z = abs(gains - losses) / math.sqrt(gains + losses)
    p = 2 * statistics.NormalDist().cdf(-z)
    n = gains + losses + same
    assert tango_interval(gains, losses, n, confidence=1 - p * 1.001).contains(0) is False
    assert tango_interval(gains, losses, n, confidence=1 - p * 0.999).contains(0) is True


@given(rounded_differences.filter(lambda values: len(set(values)) > 1), levels)
def test_the_interval_of_a_mean_difference_is_scipys_t(values: list[float], level: float) -> None:
    mean, error = math.fsum(values) / len(values), stats.sem(values)
    low, high = stats.t.interval(level, len(values) - 1, mean, error)
    ours = mean_difference_interval(values, confidence=level)
    assert ours.method == "t"
    assert (ours.low, ours.high) == pytest.approx((max(-1.0, low), min(1.0, high)), abs=1e-9)


@given(differences, levels)
def test_the_interval_of_a_mean_difference_holds_it(values: list[float], level: float) -> None:
    interval = mean_difference_interval(values, confidence=level)
    assert -1 <= interval.low <= interval.estimate <= interval.high <= 1
    assert interval.estimate == pytest.approx(statistics.fmean(values), abs=1e-12)
    assert (interval.n, interval.level) == (len(values), level)


@given(differences, levels)
def test_a_mean_difference_flips_its_sign_with_the_sides(values: list[float], level: float) -> None:
    straight = mean_difference_interval(values, confidence=level)
    swapped = mean_difference_interval([-value for value in values], confidence=level)
    assert straight.method == swapped.method
    assert (straight.low, straight.high) == pytest.approx((-swapped.high, -swapped.low), abs=1e-12)


@given(rounded_differences, st.integers(2, 5), levels)
def test_a_mean_difference_narrows_as_questions_are_added(
    values: list[float], factor: int, level: float
) -> None:
    wide = mean_difference_interval(values, confidence=level)
    narrow = mean_difference_interval(values * factor, confidence=level)
    assert wide.low <= narrow.low + 1e-12
    assert narrow.high - 1e-12 <= wide.high


@pytest.mark.parametrize(
    ("values", "gains", "losses"),
    [
        ([0.0, 0.0, 0.0], 0, 0),
        ([1.0, 1.0], 2, 0),
        ([-1.0, -1.0], 0, 2),
        ([-0.25, -0.25, -0.25, -0.25], 0, 1),
        # Equal but for rounding: the first two have the last bits of 0.1 wrong.
        ([0.3 - 0.2, 0.6 - 0.5, 0.1], 0.3, 0),
    ],
)
def test_equal_differences_get_tangos_interval(
    values: list[float], gains: float, losses: float
) -> None:
    interval = mean_difference_interval(values)
    expected = tango_interval(gains, losses, len(values))
    assert interval.method == "Tango"
    assert (interval.estimate, interval.low, interval.high) == pytest.approx(
        (expected.estimate, expected.low, expected.high), abs=1e-9
    )


@given(rounded_differences.filter(lambda values: len(set(values)) > 1))
def test_the_test_of_a_mean_difference_is_scipys_t(values: list[float]) -> None:
    expected = float(stats.ttest_1samp(values, 0).pvalue)
    assert mean_difference_test(values) == pytest.approx(expected, abs=1e-12)


@given(rounded_differences)
def test_the_interval_of_a_mean_difference_excludes_0_where_the_test_finds_one(
    values: list[float],
) -> None:
    p = mean_difference_test(values)
    if 0.001 < p < 0.99:
        assert not mean_difference_interval(values, confidence=1 - p * 1.001).contains(0)
        assert mean_difference_interval(values, confidence=1 - p * 0.999).contains(0)


def test_equal_differences_are_tested_by_their_sum() -> None:
    assert mean_difference_test([0.0, 0.0]) == 1
    assert mean_difference_test([0.5]) == pytest.approx(2 * stats.norm.sf(math.sqrt(0.5)))
    assert mean_difference_test([-1.0] * 4) == pytest.approx(2 * stats.norm.sf(2))


@pytest.mark.parametrize("values", [[], [0.5, 1.5], [float("nan")]])
def test_the_test_of_a_mean_difference_refuses_what_makes_no_sense(values: list[float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        mean_difference_test(values)


def test_the_interval_of_a_mean_difference_is_cut_at_its_range() -> None:
    low, high = mean_difference_interval([-1.0, -0.8]), mean_difference_interval([1.0, 0.8])
    assert (low.low, low.method) == (-1, "t")
    assert (high.high, high.method) == (1, "t")


@pytest.mark.parametrize("test", [mcnemar_midp, mcnemar_exact, mcnemar_drop])
@pytest.mark.parametrize(
    ("gains", "losses", "message"),
    [
        (-1, 3, "gains = -1: expected at least 0"),
        (3, -2, "losses = -2: expected at least 0"),
    ],
)
def test_mcnemar_refuses_what_makes_no_sense(
    test: Callable[[int, int], float], gains: int, losses: int, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        test(gains, losses)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("gains", "losses", "n", "level", "message"),
    [
        (0, 0, 0, 0.95, "n = 0: expected at least 1"),
        (0, 0, -3, 0.95, "n = -3: expected at least 1"),
        (-1, 0, 10, 0.95, "gains = -1: expected at least 0"),
        (math.nan, 0, 10, 0.95, "gains = nan: expected at least 0"),
        (0, -1, 10, 0.95, "losses = -1: expected at least 0"),
        (6, 5, 10, 0.95, "gains + losses = 11: expected at most n = 10"),
        (1, 2, 10, 95, "level = 95: expected a fraction between 0 and 1"),
    ],
)
def test_tango_refuses_what_makes_no_sense(
    gains: float, losses: float, n: int, level: float, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        tango_interval(gains, losses, n, confidence=level)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("values", "level", "message"),
    [
        ([], 0.95, "0 differences: expected at least 2"),
        ([0.5], 0.95, "1 differences: expected at least 2"),
        ([0.5, 1.1], 0.95, "difference = 1.1: expected -1 to 1"),
        ([-1.5, 0.5], 0.95, "difference = -1.5: expected -1 to 1"),
        ([0.5, math.nan], 0.95, "difference = nan: expected -1 to 1"),
        ([0.2, 0.5], 1.5, "level = 1.5: expected a fraction between 0 and 1"),
        ([0.5, 0.5], 0.0, "level = 0.0: expected a fraction between 0 and 1"),
    ],
)
def test_the_interval_of_a_mean_difference_refuses_what_makes_no_sense(
    values: list[float], level: float, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        mean_difference_interval(values, confidence=level)
    assert str(caught.value) == message
