"""Suites judged together fail if any fails, and pass only if all do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.intervals import Interval
from evalkit.stats.paired import tango_interval, tango_margin_test
from evalkit.stats.verdicts import Verdict, margin_verdict, overall_verdict

PASS, FAIL, OPEN, INVALID = (
    Verdict.NO_REGRESSION,
    Verdict.REGRESSED,
    Verdict.INCONCLUSIVE,
    Verdict.INVALID,
)


@pytest.mark.parametrize(
    ("verdicts", "overall"),
    [
        ([PASS], PASS),
        ([PASS, PASS], PASS),
        ([PASS, OPEN], OPEN),
        ([OPEN, PASS, FAIL], FAIL),
        ([FAIL, INVALID], INVALID),
    ],
)
def test_suites_are_judged_together(verdicts: list[Verdict], overall: Verdict) -> None:
    assert overall_verdict(verdicts) is overall


@given(st.lists(st.sampled_from(Verdict), min_size=1))
def test_the_order_of_suites_does_not_matter(verdicts: list[Verdict]) -> None:
    assert overall_verdict(reversed(verdicts)) is overall_verdict(verdicts)
    assert overall_verdict(verdicts * 2) is overall_verdict(verdicts)


def test_no_suites_have_no_verdict() -> None:
    with pytest.raises(ValueError, match="0 verdicts: expected at least 1"):
        overall_verdict([])


def difference(low: float, high: float) -> Interval:
    return Interval(estimate=(low + high) / 2, low=low, high=high, n=100, level=0.9, method="Tango")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.01, 0.01, PASS),
        (0.01, 0.02, PASS),
        (-0.02, 0.01, OPEN),
        (-0.05, 0.05, OPEN),
        (-0.05, -0.02, OPEN),
        (-0.05, -0.021, FAIL),
    ],
)
def test_a_verdict_takes_an_interval_on_one_side_of_the_margin(
    low: float, high: float, verdict: Verdict
) -> None:
    assert margin_verdict(difference(low, high), 0.02) is verdict


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 400), st.floats(0.005, 0.3))
def test_it_says_what_two_one_sided_tests_say(
    gains: int, losses: int, same: int, delta: float
) -> None:
    n = gains + losses + same
    p = tango_margin_test(gains, losses, n, delta)
    verdict = margin_verdict(tango_interval(gains, losses, n, confidence=0.9), delta)
    if min(abs(p - 0.05), abs(p - 0.95)) > 1e-6:
        assert verdict is (PASS if p < 0.05 else FAIL if p > 0.95 else OPEN)


@pytest.mark.parametrize("delta", [-0.01, 1, float("nan")])
def test_a_margin_is_a_fraction(delta: float) -> None:
    with pytest.raises(ValueError, match=f"delta = {delta}: expected 0 to less than 1"):
        margin_verdict(difference(-0.1, 0.1), delta)
