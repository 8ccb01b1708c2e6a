"""The other paired intervals are as published, and keep the laws of a difference."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.intervals import Interval, wilson_interval
from evalkit.stats.paired_intervals import bonett_price_interval, newcombe_interval

levels = st.floats(0.01, 0.999)
tables = st.tuples(*[st.integers(0, 60)] * 4).filter(lambda counts: sum(counts) > 0)
"""Both right, losses, gains, both wrong."""


def newcombe(table: tuple[int, ...], level: float = 0.95) -> Interval:
    names = ("both_right", "losses", "gains", "both_wrong")
    return newcombe_interval(**dict(zip(names, table, strict=True)), confidence=level)


def bonett_price(table: tuple[int, ...], level: float = 0.95) -> Interval:
    return bonett_price_interval(table[2], table[1], sum(table), confidence=level)


@given(tables, levels)
def test_newcombe_squares_and_adds_wilsons_distances(table: tuple[int, ...], level: float) -> None:
    e, f, g, h = table
    n = e + f + g + h
    ours, theirs = wilson_interval(e + g, n, level=level), wilson_interval(e + f, n, level=level)
    p1, l1, u1 = ours.estimate, ours.low, ours.high
    p2, l2, u2 = theirs.estimate, theirs.low, theirs.high
    excess = e * h - f * g
    a = excess - n / 2 if excess > n / 2 else 0 if excess >= 0 else excess
    margins = (e + f) * (g + h) * (e + g) * (f + h)
    phi = a / math.sqrt(margins) if margins else 0.0
    down = (p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2
    up = (p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2
    interval = newcombe(table, level)
    low = max(-1.0, p1 - p2 - math.sqrt(max(down, 0)))
    high = min(1.0, p1 - p2 + math.sqrt(max(up, 0)))
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-9)


@given(tables, levels)
def test_bonett_price_is_walds_interval_with_a_gain_and_a_loss_more(
    table: tuple[int, ...], level: float
) -> None:
    differences = [0] * (table[0] + table[3]) + [-1] * (table[1] + 1) + [1] * (table[2] + 1)
    error = statistics.pstdev(differences) / math.sqrt(len(differences))
    half = statistics.NormalDist().inv_cdf((1 + level) / 2) * error
    mean = statistics.fmean(differences)
    interval = bonett_price(table, level)
    ends = max(-1.0, mean - half), min(1.0, mean + half)
    assert (interval.low, interval.high) == pytest.approx(ends, abs=1e-9)


@pytest.mark.parametrize("build", [newcombe, bonett_price])
@given(table=tables, level=st.floats(0.7, 0.999))
def test_it_holds_the_difference_within_its_range(
    build: Any, table: tuple[int, ...], level: float
) -> None:
    interval = build(table, level)
    assert interval.estimate == pytest.approx((table[2] - table[1]) / sum(table))
    assert -1 <= interval.low <= interval.estimate + 1e-12
    assert interval.estimate - 1e-12 <= interval.high <= 1
    assert (interval.n, interval.level) == (sum(table), level)


@pytest.mark.parametrize("build", [newcombe, bonett_price])
@given(table=tables, level=levels)
def test_swapping_the_runs_flips_the_sign(build: Any, table: tuple[int, ...], level: float) -> None:
    straight, swapped = build(table, level), build((table[0], table[2], table[1], table[3]), level)
    turned = -swapped.high, -swapped.low
    assert (straight.low, straight.high) == pytest.approx(turned, abs=1e-9)


def test_methods_are_named() -> None:
    assert newcombe((1, 2, 3, 4)).method == "Newcombe"
    assert bonett_price((1, 2, 3, 4)).method == "Bonett-Price"


@pytest.mark.parametrize(
    ("table", "level", "message"),
    [
        ((0, 0, 0, 0), 0.95, "n = 0: expected at least 1"),
        ((-1, 2, 3, 4), 0.95, "both_right = -1: expected at least 0"),
        ((1, -2, 3, 4), 0.95, "losses = -2: expected at least 0"),
        ((1, 2, 3, 4), 95, "level = 95: expected a fraction between 0 and 1"),
    ],
)
def test_newcombe_refuses_what_makes_no_sense(
    table: tuple[int, ...], level: float, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        newcombe(table, level)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("gains", "losses", "n", "level", "message"),
    [
        (0, 0, 0, 0.95, "n = 0: expected at least 1"),
        (-1, 0, 10, 0.95, "gains = -1: expected at least 0"),
        (0, -1, 10, 0.95, "losses = -1: expected at least 0"),
        (6, 5, 10, 0.95, "gains + losses = 11: expected at most n = 10"),
        (1, 2, 10, 95, "level = 95: expected a fraction between 0 and 1"),
    ],
)
def test_bonett_price_refuses_what_makes_no_sense(
    gains: int, losses: int, n: int, level: float, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        bonett_price_interval(gains, losses, n, confidence=level)
    assert str(caught.value) == message
