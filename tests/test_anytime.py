"""The interval of a drop is what its definition says, agrees with the verdict, and covers."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.betting import Bettor
from evalkit.stats.draws import draw_order
from evalkit.stats.intervals import Interval
from evalkit.stats.outlook import look_ahead
from evalkit.stats.sequential import Gate, GateTerms
from evalkit.stats.verdicts import Verdict
from tests.test_sequential import Case, binary_cases, cases, fractional_cases, terms


def interval_of(gate: Gate) -> Interval:
    interval = gate.drop_interval()
    assert interval is not None
    return interval


def totals_left(case: Case, answered: int) -> tuple[float, float]:
    """The lowest and highest total difference that is still possible."""
    pairs = list(zip(case.baseline, case.candidate, strict=True))
    total = sum(theirs - ours for ours, theirs in pairs[:answered])
    left = [ours for ours, _ in pairs[answered:]]
    return total - sum(left), total + sum(1 - ours for ours in left)


def is_kept(case: Case, answered: int, alpha: float, total: float) -> bool:
    """Whether neither side ever spoke against a total, tried step by step."""
    n, outlook = len(case.baseline), look_ahead(case.baseline, case.weights)
    passing, failing, so_far = Bettor(), Bettor(), 0.0
    for place in range(answered):
        left, difference = n - place, case.candidate[place] - case.baseline[place]
        mean, x = (total - so_far) / left, difference * outlook.ratios[place]
        passing.settle(x - mean, worst=mean - outlook.worst[place], scale=n / left)
        failing.settle(mean - x, worst=outlook.best[place] - mean, scale=n / left)
        so_far += difference
    return max(passing.highest, failing.highest) < math.log(1 / alpha)


def answer(case: Case, answered: int, alpha: float) -> Gate:
    gate = case.gate(GateTerms(alpha=alpha))
    for score in case.candidate[:answered]:
        gate.update(score)
    return gate


@given(binary_cases, st.integers(1, 60), st.sampled_from([0.05, 0.2, 0.45]))
def test_it_holds_every_total_that_neither_side_spoke_against(
    case: Case, answered: int, alpha: float
) -> None:
    answered, n = min(answered, len(case.baseline)), len(case.baseline)
    low, high = map(round, totals_left(case, answered))
    kept = [t for t in range(low, high + 1) if is_kept(case, answered, alpha, t)]
    interval = interval_of(answer(case, answered, alpha))
    if kept:
        assert kept == list(range(kept[0], kept[-1] + 1)), "they leave no gaps"
        ends = (0 - kept[-1]) / n, (0 - kept[0]) / n
        assert (interval.low, interval.high) == pytest.approx(ends)


@given(fractional_cases, st.integers(1, 60), st.sampled_from([0.05, 0.2, 0.45]))
def test_its_ends_are_where_a_side_spoke_against_fractional_totals(
    case: Case, answered: int, alpha: float
) -> None:
    answered, n = min(answered, len(case.baseline)), len(case.baseline)
    low, high = totals_left(case, answered)
    interval = interval_of(answer(case, answered, alpha))
    least, most, width = -interval.high * n, -interval.low * n, high - low
    if case.is_binary or most - least < 1e-3:
        return
    inside = [least + share * (most - least) for share in (1e-6, 0.3, 0.5, 1 - 1e-6)]
    outside = [end for end in (least - 1e-6, most + 1e-6) if low < end < high]
    kept = [is_kept(case, answered, alpha, total) for total in inside]
    if any(kept):
        assert all(kept)
        assert not any(is_kept(case, answered, alpha, total) for total in outside)
    assert most - least <= width + 1e-9


@given(cases, terms)
def test_it_agrees_with_the_verdict(case: Case, terms: GateTerms) -> None:
    gate = case.gate(terms)
    for score in case.candidate:
        if gate.update(score):
            break
    interval = interval_of(gate)
    assert -1 - 1e-9 <= interval.low <= interval.estimate <= interval.high <= 1 + 1e-9
    assert (interval.n, interval.method) == (gate.used, "betting")
    margin = terms.margin if terms.fail_margin is None else terms.fail_margin
    if gate.verdict is Verdict.NO_REGRESSION:
        assert interval.high <= terms.margin + 1e-9
    elif gate.verdict is Verdict.REGRESSED:
        assert interval.low >= margin - 1e-9
        assert not gate.is_binary or interval.low > margin + 1e-9
    else:
        assert interval.high >= terms.margin - 1e-9
        assert interval.low <= margin + 1e-9


@given(cases)
def test_once_all_are_answered_it_is_the_count(case: Case) -> None:
    gate = case.gate(GateTerms())
    for score in case.candidate:
        gate.update(score)
    drop = (sum(case.baseline) - sum(case.candidate)) / len(case.baseline)
    interval = interval_of(gate)
    assert (interval.low, interval.estimate, interval.high) == pytest.approx((drop,) * 3)


def test_its_level_counts_both_errors() -> None:
    gate = Gate([1, 0], GateTerms(alpha=0.05), order=[0, 1])
    assert gate.drop_interval() is None
    gate.update(1)
    assert interval_of(gate).level == 0.9
    joint = Gate([1, 0], GateTerms(alpha=0.05, suites=5), order=[0, 1])
    joint.update(1)
    assert interval_of(joint).level == pytest.approx(0.94)


@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_it_covers_the_drop_wherever_a_gate_stops(weight: float) -> None:
    """It misses in at most a tenth of gates, with losses drawn sooner too."""
    n, truth, gates = 200, 0.04, 400
    baseline, candidate = [1] * 170 + [0] * 30, [0] * 14 + [1] * 162 + [0] * 24
    weights = [weight if place < 14 else 1.0 for place in range(n)]
    assert (sum(baseline) - sum(candidate)) / n == truth
    rng, missed = random.Random(3), 0
    for seed in range(gates):
        order = draw_order(weights, seed)
        # Some stop at a budget that has nothing to do with the answers, others at the verdict.
        terms = GateTerms(margin=0.02, budget=rng.choice([20, 60, 120, None]))
        gate = Gate(baseline, terms, order=order, weights=weights)
        for place in order:
            if gate.update(candidate[place]):
                break
        interval = interval_of(gate)
        missed += not interval.low - 1e-9 <= truth <= interval.high + 1e-9
    assert missed / gates <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / gates)


def test_evidence_that_contradicts_itself_leaves_an_interval() -> None:
    """All gains come first, then all losses: hardly any order is as unlikely."""
    baseline, candidate = [0] * 60 + [1] * 60, [1] * 60 + [0] * 60
    gate = Gate(baseline, GateTerms(alpha=0.4), order=range(120))
    for score in candidate[:110]:
        gate.update(score)
        interval = interval_of(gate)
        assert interval.low <= interval.estimate <= interval.high
