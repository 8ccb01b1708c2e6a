"""A verdict is what the interval of 90 % says of the margin, and nothing more."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.judgements import judge
from evalkit.pairs import Differences
from evalkit.stats.clustered import clustered_mean
from evalkit.stats.paired import tango_interval
from evalkit.stats.power import questions_in_clusters
from evalkit.stats.verdicts import Verdict


def flipped(gains: int, losses: int, n: int) -> Differences:
    """So many gains and losses among questions that both have right otherwise."""
    baseline = [0.0] * gains + [1.0] * (n - gains)
    candidate = [1.0] * gains + [0.0] * losses + [1.0] * (n - gains - losses)
    return Differences(baseline, candidate)


@pytest.mark.parametrize(
    ("gains", "losses", "verdict"),
    [
        (20, 22, Verdict.NO_REGRESSION),
        (7, 60, Verdict.REGRESSED),
        (10, 28, Verdict.INCONCLUSIVE),
        (0, 0, Verdict.NO_REGRESSION),
    ],
)
def test_a_margin_of_two_points_on_a_thousand_questions(
    gains: int, losses: int, verdict: Verdict
) -> None:
    found = judge(flipped(gains, losses, 1000), 0.02, 1)
    assert found.verdict is verdict
    assert found.interval == tango_interval(gains, losses, 1000, confidence=0.9)


@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from([0.01, 0.02, 0.05]))
def test_better_is_never_judged_worse(gains: int, losses: int, margin: float) -> None:
    ranks = [Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.NO_REGRESSION]
    fewer, more = (
        ranks.index(judge(flipped(gains + extra, losses, 200), margin, 1).verdict)
        for extra in (0, 5)
    )
    assert fewer <= more


def test_of_many_verdicts_regressed_needs_more_evidence_and_no_regression_does_not() -> None:
    near = flipped(10, 48, 1000)
    alone, among = judge(near, 0.02, 1), judge(near, 0.02, 20)
    assert (alone.verdict, among.verdict) == (Verdict.REGRESSED, Verdict.INCONCLUSIVE)
    assert among.interval is not None
    assert among.interval.level == pytest.approx(1 - 0.1 / 20)
    assert among.interval.low < -0.02 < among.interval.high
    passed = judge(flipped(20, 22, 1000), 0.02, 20)
    assert passed.verdict is Verdict.NO_REGRESSION
    assert passed.interval is not None
    assert passed.interval.level == pytest.approx(0.9)


def test_what_would_decide_is_more_than_there_was() -> None:
    few = flipped(2, 4, 100)
    found = judge(few, 0.05, 1)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.needed is not None
    times = math.ceil(found.needed / 100)
    assert times > 1
    # With as many flips in each hundred, so many questions decide.
    decided = judge(flipped(2 * times * 2, 4 * times * 2, 100 * times * 2), 0.05, 1)
    assert decided.verdict is Verdict.NO_REGRESSION


def test_a_drop_of_just_the_margin_is_never_decided() -> None:
    assert judge(flipped(3, 5, 100), 0.02, 1).needed is None


def test_without_a_flip_nothing_is_known_of_how_many_it_takes() -> None:
    found = judge(flipped(0, 0, 20), 0.02, 1)
    assert (found.verdict, found.needed) == (Verdict.INCONCLUSIVE, None)


def test_clusters_take_as_many_more_questions_as_their_effect_says() -> None:
    scores = [1.0] * 60, [float(place // 3 != 1) for place in range(60)]
    clusters = [place // 3 for place in range(60)]
    plain = judge(Differences(*scores), 0.08, 1)
    grouped = judge(Differences(*scores, clusters=clusters), 0.08, 1)
    effect = clustered_mean(Differences(*scores).values, clusters).design_effect
    assert plain.needed is not None
    assert effect is not None
    assert grouped.needed == questions_in_clusters(plain.needed, effect)


def test_one_cluster_allows_no_verdict() -> None:
    found = judge(Differences([1.0] * 9, [0.0] * 9, clusters=["a"] * 9), 0.02, 1)
    assert (found.verdict, found.interval, found.needed) == (Verdict.INCONCLUSIVE, None, None)
