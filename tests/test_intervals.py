"""Intervals equal published numbers, and keep the laws that every interval of a share has."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evalkit.stats.intervals import (
    Interval,
    clopper_pearson_interval,
    jeffreys_interval,
    mean_interval,
    wilson_interval,
)

GOLDEN = Path(__file__).resolve().parents[2] / "shared" / "data" / "golden_stats.csv"

levels = st.floats(0.01, 0.999)
shares = st.floats(0, 1)
counts = st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
fractional_counts = st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.floats(0, n), st.just(n)))
score_lists = st.lists(shares, min_size=2, max_size=40)
rounded_scores = st.lists(st.sampled_from([i / 20 for i in range(21)]), min_size=2, max_size=40)


@dataclass(frozen=True, kw_only=True)
class Golden:
    """One row of the golden values."""

    case: str
    function: str
    inputs: dict[str, Any]
    output: str
    expected: float
    tolerance: float


def read_golden(*functions: str) -> list[Golden]:
    """The rows of some functions; none where the file is not there, as in a plain checkout."""
    if not GOLDEN.is_file():
        return []
    with GOLDEN.open(encoding="utf-8", newline="") as file:
        return [
            Golden(
                case=f"{row['case_id']} {row['output']}",
                function=row["function"],
                inputs=json.loads(row["inputs"]),
                output=row["output"],
                expected=float(row["expected"]),
                tolerance=float(row["abs_tol"]),
            )
            for row in csv.DictReader(file)
            if row["function"] in functions
        ]


def wilson_of(inputs: dict[str, Any]) -> dict[str, float]:
    """The outputs that golden values have for `wilson_ci`."""
    interval = wilson_interval(inputs["k"], inputs["n"], level=inputs["level"])
    return {"lower": interval.low, "upper": interval.high}


def mean_t_of(inputs: dict[str, Any]) -> dict[str, float]:
    """The outputs that golden values have for `mean_t_ci`.

    Scores from -1 to 1, as differences have them, are mapped to 0 to 1 and back: the t interval
    of a mean moves with its scores.
    """
    scores, level = inputs["y"], inputs["level"]
    base, width = (0.0, 1.0) if min(scores) >= 0 else (-1.0, 2.0)
    interval = mean_interval([(score - base) / width for score in scores], level=level)
    mean, low, high = (
        base + width * value for value in (interval.estimate, interval.low, interval.high)
    )
    quantile = float(stats.t.ppf((1 + level) / 2, len(scores) - 1))
    return {"mean": mean, "lower": low, "upper": high, "se": (high - low) / (2 * quantile)}


GOLDEN_FUNCTIONS: dict[str, Callable[[dict[str, Any]], dict[str, float]]] = {
    "wilson_ci": wilson_of,
    "mean_t_ci": mean_t_of,
}


@pytest.mark.skipif(not GOLDEN.is_file(), reason=f"the golden values are not here: {GOLDEN}")
def test_every_golden_value_is_met() -> None:
    rows = read_golden(*GOLDEN_FUNCTIONS)
    assert {row.function for row in rows} == set(GOLDEN_FUNCTIONS)
    for row in rows:
        value = GOLDEN_FUNCTIONS[row.function](row.inputs)[row.output]
        assert value == pytest.approx(row.expected, abs=row.tolerance, rel=0), row.case


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        # Newcombe (1998), Stat. Med. 17, 857-872, table I: his four examples, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_numbers(
    correct: int, total: int, low: float, high: float
) -> None:
    interval = wilson_interval(correct, total)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


@given(counts, levels)
def test_wilson_is_scipys(count: tuple[int, int], level: float) -> None:
    correct, total = count
    ours = wilson_interval(correct, total, level=level)
    theirs = stats.binomtest(correct, total).proportion_ci(level, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(counts, levels)
def test_clopper_pearson_is_scipys(count: tuple[int, int], level: float) -> None:
    correct, total = count
    ours = clopper_pearson_interval(correct, total, level=level)
    theirs = stats.binomtest(correct, total).proportion_ci(level, method="exact")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(counts, levels)
def test_jeffreys_has_equal_tails_but_at_the_ends(count: tuple[int, int], level: float) -> None:
    correct, total = count
    ours = jeffreys_interval(correct, total, level=level)
    theirs = stats.beta.interval(level, correct + 0.5, total - correct + 0.5)
    if correct > 0:
        assert ours.low == pytest.approx(theirs[0], abs=1e-9)
    if correct < total:
        assert ours.high == pytest.approx(theirs[1], abs=1e-9)


@pytest.mark.parametrize("build", [clopper_pearson_interval, jeffreys_interval])
@given(count=counts, level=st.floats(0.5, 0.999))
def test_the_other_intervals_hold_their_estimate_and_mirror(
    build: Callable[..., Interval], count: tuple[int, int], level: float
) -> None:
    correct, total = count
    interval = build(correct, total, level=level)
    wrong = build(total - correct, total, level=level)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    assert (wrong.low, wrong.high) == pytest.approx((1 - interval.high, 1 - interval.low), abs=1e-9)
    assert (interval.estimate, interval.n, interval.level) == (correct / total, total, level)
    assert (interval.low == 0, interval.high == 1) == (correct == 0, correct == total)


def test_the_other_intervals_are_named() -> None:
    assert clopper_pearson_interval(1, 2).method == "Clopper-Pearson"
    assert jeffreys_interval(1, 2).method == "Jeffreys"


@pytest.mark.parametrize("n", [5, 30])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.5])
def test_clopper_pearson_covers_at_least_as_often_as_it_says(n: int, share: float) -> None:
    held = sum(
        float(stats.binom.pmf(correct, n, share))
        for correct in range(n + 1)
        if clopper_pearson_interval(correct, n).contains(share)
    )
    assert held >= 0.95


@given(rounded_scores.filter(lambda scores: len(set(scores)) > 1), levels)
def test_the_interval_of_a_mean_is_scipys_t(scores: list[float], level: float) -> None:
    mean, error = math.fsum(scores) / len(scores), stats.sem(scores)
    low, high = stats.t.interval(level, len(scores) - 1, mean, error)
    ours = mean_interval(scores, level=level)
    assert ours.method == "t"
    assert (ours.low, ours.high) == pytest.approx((max(0.0, low), min(1.0, high)), abs=1e-9)


@given(fractional_counts, levels)
def test_wilson_holds_its_estimate_within_0_and_1(count: tuple[float, int], level: float) -> None:
    correct, total = count
    interval = wilson_interval(correct, total, level=level)
    assert interval.estimate == correct / total
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    assert (interval.n, interval.level, interval.method) == (total, level, "Wilson")


@given(score_lists, levels)
def test_the_interval_of_a_mean_holds_it_within_0_and_1(scores: list[float], level: float) -> None:
    interval = mean_interval(scores, level=level)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    assert (interval.n, interval.level) == (len(scores), level)


@given(st.fractions(0, 1, max_denominator=50), st.integers(1, 10**4), st.integers(2, 50), levels)
def test_wilson_narrows_as_questions_are_added(
    share: Fraction, multiple: int, factor: int, level: float
) -> None:
    few = multiple * share.denominator
    narrow = wilson_interval(int(share * few * factor), few * factor, level=level)
    wide = wilson_interval(int(share * few), few, level=level)
    assert wide.low <= narrow.low + 1e-12
    assert narrow.high - 1e-12 <= wide.high
    assert narrow.high - narrow.low < wide.high - wide.low


@given(counts, levels)
def test_wilson_of_wrong_answers_mirrors_that_of_right_ones(
    count: tuple[int, int], level: float
) -> None:
    correct, total = count
    right = wilson_interval(correct, total, level=level)
    wrong = wilson_interval(total - correct, total, level=level)
    assert (wrong.low, wrong.high) == pytest.approx((1 - right.high, 1 - right.low), abs=1e-9)


@given(score_lists, levels)
def test_the_interval_of_a_mean_is_mirrored_with_its_scores(
    scores: list[float], level: float
) -> None:
    straight = mean_interval(scores, level=level)
    mirrored = mean_interval([1 - score for score in scores], level=level)
    if straight.method == mirrored.method:
        ends = (1 - straight.high, 1 - straight.low)
        assert (mirrored.low, mirrored.high) == pytest.approx(ends, abs=1e-9)


@given(counts, st.tuples(levels, levels))
def test_more_confidence_takes_a_wider_interval(
    count: tuple[int, int], pair: tuple[float, float]
) -> None:
    narrow, wide = (wilson_interval(*count, level=level) for level in sorted(pair))
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high


@given(st.integers(1, 10**9), levels)
def test_wilson_ends_at_exactly_0_and_1(total: int, level: float) -> None:
    assert wilson_interval(0, total, level=level).low == 0
    assert wilson_interval(total, total, level=level).high == 1


@given(shares, st.integers(2, 40), levels)
def test_equal_scores_get_wilsons_interval(score: float, n: int, level: float) -> None:
    interval = mean_interval([score] * n, level=level)
    assert interval.method == "Wilson"
    assert interval.estimate == pytest.approx(score)
    assert interval.low < interval.high


def test_the_interval_of_a_mean_is_cut_at_0_and_1() -> None:
    assert mean_interval([0.0, 0.0, 0.1]).low == 0
    assert mean_interval([1.0, 1.0, 0.9]).high == 1
    assert mean_interval([0.0, 0.0, 0.1]).method == "t"


def test_an_interval_contains_its_ends_and_nothing_beyond() -> None:
    interval = Interval(estimate=0.5, low=0.4, high=0.6, n=9, level=0.95, method="Wilson")
    inside = [interval.contains(value) for value in (0.4, 0.5, 0.6)]
    outside = [interval.contains(value) for value in (0.39, 0.61, math.nan)]
    assert (inside, outside) == ([True] * 3, [False] * 3)


@pytest.mark.parametrize(
    ("correct", "total", "level", "message"),
    [
        (0, 0, 0.95, "total = 0: expected at least 1"),
        (0, -3, 0.95, "total = -3: expected at least 1"),
        (-1, 10, 0.95, "correct = -1: expected 0 to 10"),
        (11, 10, 0.95, "correct = 11: expected 0 to 10"),
        (math.nan, 10, 0.95, "correct = nan: expected 0 to 10"),
        (5, 10, 0.0, "level = 0.0: expected a fraction between 0 and 1"),
        (5, 10, 1.0, "level = 1.0: expected a fraction between 0 and 1"),
        (5, 10, 95, "level = 95: expected a fraction between 0 and 1"),
        (5, 10, math.nan, "level = nan: expected a fraction between 0 and 1"),
    ],
)
@pytest.mark.parametrize("build", [wilson_interval, clopper_pearson_interval, jeffreys_interval])
def test_an_interval_of_a_share_refuses_what_makes_no_sense(
    build: Callable[..., Interval], correct: float, total: int, level: float, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        build(correct, total, level=level)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("scores", "level", "message"),
    [
        ([], 0.95, "0 scores: expected at least 2"),
        ([0.5], 0.95, "1 scores: expected at least 2"),
        ([0.5, 1.1], 0.95, "a score lies outside 0 to 1"),
        ([-0.1, 0.5], 0.95, "a score lies outside 0 to 1"),
        ([0.5, math.nan], 0.95, "a score lies outside 0 to 1"),
        ([0.2, 0.5], 1.5, "level = 1.5: expected a fraction between 0 and 1"),
        ([0.5, 0.5], 0.0, "level = 0.0: expected a fraction between 0 and 1"),
    ],
)
def test_the_interval_of_a_mean_refuses_what_makes_no_sense(
    scores: list[float], level: float, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        mean_interval(scores, level=level)
    assert str(caught.value) == message
