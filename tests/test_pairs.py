"""Paired differences take the interval and the test that the kind of scores asks for."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.pairs import adjust, compare_scores, find_detectable, pair_scores, paired_to_dict
from evalkit.stats.intervals import Interval
from evalkit.stats.multiplicity import holm
from evalkit.stats.paired import (
    mcnemar_midp,
    mean_difference_interval,
    mean_difference_test,
    tango_interval,
)
from evalkit.stats.power import minimum_detectable_difference, power_of_difference

Pairs = list[tuple[float, float]]

judged = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1)
shares = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
repeated = st.lists(st.tuples(shares, shares), min_size=2)


def build_pairs(gains: int, losses: int, same: int) -> Pairs:
    """So many questions of each kind, judged right or wrong."""
    return [(0.0, 1.0)] * gains + [(1.0, 0.0)] * losses + [(1.0, 1.0)] * same


@given(judged)
def test_one_response_a_question_gets_tango_and_mcnemar(pairs: Pairs) -> None:
    gains, losses = pairs.count((0.0, 1.0)), pairs.count((1.0, 0.0))
    found = compare_scores(pairs, is_repeated=False)
    assert (found.gains, found.losses, found.n) == (gains, losses, len(pairs))
    assert found.interval == tango_interval(gains, losses, len(pairs))
    assert found.p_value == found.adjusted_p == mcnemar_midp(gains, losses)


@given(repeated)
def test_several_responses_a_question_get_t(pairs: Pairs) -> None:
    differences = [candidate - baseline for baseline, candidate in pairs]
    found = compare_scores(pairs, is_repeated=True)
    assert found.interval == mean_difference_interval(differences)
    assert found.p_value == mean_difference_test(differences)
    assert found.gains == sum(candidate > baseline for baseline, candidate in pairs)


@given(judged | repeated, st.booleans())
def test_swapped_sides_swap_gains_and_losses(pairs: Pairs, is_repeated: bool) -> None:
    there = compare_scores(pairs, is_repeated=is_repeated)
    back = compare_scores([(second, first) for first, second in pairs], is_repeated=is_repeated)
    assert (there.gains, there.losses) == (back.losses, back.gains)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.detectable == pytest.approx(back.detectable)


def test_one_question_with_several_responses_says_next_to_nothing() -> None:
    found = compare_scores([(0.25, 0.75)], is_repeated=True)
    assert found.interval == tango_interval(0.5, 0.0, 1)
    assert (found.n, found.gains, found.is_clear) == (1, 1, False)


@pytest.mark.parametrize("is_repeated", [False, True])
def test_without_questions_there_is_no_interval(is_repeated: bool) -> None:
    found = compare_scores([], is_repeated=is_repeated)
    assert (found.n, found.interval, found.p_value, found.detectable) == (0, None, 1.0, None)
    assert not found.is_clear
    assert paired_to_dict(found)["difference"] is None


def test_only_questions_with_both_scores_are_paired() -> None:
    baseline = {"a": 1.0, "b": None, "c": 0.0, "d": 1.0}
    candidate = {"d": 0.0, "c": None, "b": 1.0, "a": 1.0}
    assert pair_scores(baseline, candidate) == [(1.0, 1.0), (1.0, 0.0)]


@given(st.integers(20, 2000), st.floats(0.01, 1), st.integers(1, 4))
def test_what_can_be_found_is_found_with_80_percent_power(
    n: int, share: float, family: int
) -> None:
    flips = max(1, round(share * n))
    differences = [1.0] * flips + [0.0] * (n - flips)
    size = find_detectable(differences, family)
    known = minimum_detectable_difference(n, flips / n, alpha=0.05 / family)
    if known is None:
        # Too few flips: so many more that all of them go one way, and just suffice.
        assert size > flips / n
        power = power_of_difference(size, size, n, alpha=0.05 / family)
        assert power == pytest.approx(0.8)
    else:
        assert size == pytest.approx(known)


def test_without_flips_there_is_still_a_smallest_difference() -> None:
    size = find_detectable([0.0] * 80, 1)
    assert size == pytest.approx(7.849 / (80 + 7.849), rel=1e-3)


def test_a_difference_is_clear_by_its_interval_and_as_one_of_several() -> None:
    found = compare_scores(build_pairs(gains=12, losses=3, same=65), is_repeated=False)
    assert found.p_value == pytest.approx(0.0213, abs=1e-4)
    assert found.is_clear
    one, *_ = adjust([found, *[compare_scores(build_pairs(2, 2, 76), is_repeated=False)] * 3])
    assert one.interval == found.interval
    assert not one.is_clear, "one of four may well look like this"
    assert not replace(found, adjusted_p=0.01, interval=around_zero(found.interval)).is_clear


def around_zero(interval: Interval | None) -> Interval:
    """An interval moved so that it begins at zero."""
    assert interval is not None
    return replace(interval, low=0.0)


def test_adjusted_p_values_are_holms() -> None:
    found = [compare_scores(build_pairs(g, 3, 20), is_repeated=False) for g in (3, 9, 14)]
    adjusted = adjust(found)
    assert tuple(each.adjusted_p for each in adjusted) == holm([each.p_value for each in found])
    assert adjust([]) == []


def test_the_facts_as_json() -> None:
    found = compare_scores(build_pairs(gains=12, losses=3, same=65), is_repeated=False)
    facts = paired_to_dict(found)
    assert (facts["n"], facts["gains"], facts["losses"]) == (80, 12, 3)
    assert facts["difference"]["estimate"] == 9 / 80
    assert facts["difference"]["method"] == "Tango"
    assert (facts["test"], facts["clear"]) == ("McNemar mid-p", True)
    assert math.isclose(facts["p_value"], mcnemar_midp(12, 3))
