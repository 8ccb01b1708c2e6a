"""Paired differences take the interval and the test that the kind of scores asks for."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.pairs import (
    Differences,
    IntervalName,
    Methods,
    PairedDifference,
    adjust,
    compare_scores,
    find_detectable,
    pair_scores,
    paired_to_dict,
)
from evalkit.stats.clustered import (
    clustered_difference_interval,
    clustered_difference_test,
    clustered_mean,
)
from evalkit.stats.intervals import Interval
from evalkit.stats.multiplicity import holm
from evalkit.stats.paired import (
    mcnemar_exact,
    mcnemar_midp,
    mean_difference_interval,
    mean_difference_test,
    tango_interval,
)
from evalkit.stats.paired_intervals import bonett_price_interval, newcombe_interval
from evalkit.stats.power import minimum_detectable_difference, power_of_difference

Pairs = list[tuple[float, float]]

judged = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1)
shares = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
repeated = st.lists(st.tuples(shares, shares), min_size=2)


def build_pairs(gains: int, losses: int, same: int) -> Pairs:
    """So many questions of each kind, judged right or wrong."""
    return [(0.0, 1.0)] * gains + [(1.0, 0.0)] * losses + [(1.0, 1.0)] * same


def compare(pairs: Pairs, *, is_repeated: bool = False, family: int = 1) -> PairedDifference:
    """Compare pairs of (baseline, candidate)."""
    columns = [[pair[side] for pair in pairs] for side in (0, 1)]
    return compare_scores(Differences(*columns, is_repeated=is_repeated), family=family)


@given(judged)
def test_one_response_a_question_gets_tango_and_mcnemar(pairs: Pairs) -> None:
    gains, losses = pairs.count((0.0, 1.0)), pairs.count((1.0, 0.0))
    found = compare(pairs, is_repeated=False)
    assert (found.gains, found.losses, found.n) == (gains, losses, len(pairs))
    assert found.interval == tango_interval(gains, losses, len(pairs))
    assert found.p_value == found.adjusted_p == mcnemar_midp(gains, losses)


@given(repeated)
def test_several_responses_a_question_get_t(pairs: Pairs) -> None:
    differences = [candidate - baseline for baseline, candidate in pairs]
    found = compare(pairs, is_repeated=True)
    assert found.interval == mean_difference_interval(differences)
    assert found.p_value == mean_difference_test(differences)
    assert found.gains == sum(candidate > baseline for baseline, candidate in pairs)


@given(judged | repeated, st.booleans())
def test_swapped_sides_swap_gains_and_losses(pairs: Pairs, is_repeated: bool) -> None:
    there = compare(pairs, is_repeated=is_repeated)
    back = compare([(second, first) for first, second in pairs], is_repeated=is_repeated)
    assert (there.gains, there.losses) == (back.losses, back.gains)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.detectable == pytest.approx(back.detectable)


def test_one_question_with_several_responses_says_next_to_nothing() -> None:
    found = compare([(0.25, 0.75)], is_repeated=True)
    assert found.interval == tango_interval(0.5, 0.0, 1)
    assert (found.n, found.gains, found.is_clear) == (1, 1, False)


@pytest.mark.parametrize("is_repeated", [False, True])
def test_without_questions_there_is_no_interval(is_repeated: bool) -> None:
    found = compare([], is_repeated=is_repeated)
    assert (found.n, found.interval, found.p_value, found.detectable) == (0, None, 1.0, None)
    assert not found.is_clear
    assert paired_to_dict(found)["difference"] is None


def test_only_questions_with_both_scores_are_paired() -> None:
    baseline = {"a": 1.0, "b": None, "c": 0.0, "d": 1.0}
    candidate = {"d": 0.0, "c": None, "b": 1.0, "a": 1.0}
    assert pair_scores(baseline, candidate) == (["a", "d"], [1.0, 1.0], [1.0, 0.0])


@given(st.integers(20, 2000), st.floats(0.01, 1), st.integers(1, 4))
def test_what_can_be_found_is_found_with_80_percent_power(
    n: int, share: float, family: int
) -> None:
    flips = max(1, round(share * n))
    differences = [1.0] * flips + [0.0] * (n - flips)
    size = find_detectable(Differences([0.0] * n, differences), family)
    assert size is not None
    known = minimum_detectable_difference(n, flips / n, alpha=0.05 / family)
    if known is None:
        # Too few flips: so many more that all of them go one way, and just suffice.
        assert size > flips / n
        power = power_of_difference(size, size, n, alpha=0.05 / family)
        assert power == pytest.approx(0.8)
    else:
        assert size == pytest.approx(known)


def test_without_flips_there_is_still_a_smallest_difference() -> None:
    size = find_detectable(Differences([0.0] * 80, [0.0] * 80), 1)
    assert size == pytest.approx(7.849 / (80 + 7.849), rel=1e-3)


def test_a_difference_is_clear_by_its_interval_and_as_one_of_several() -> None:
    found = compare(build_pairs(gains=12, losses=3, same=65), is_repeated=False)
    assert found.p_value == pytest.approx(0.0213, abs=1e-4)
    assert found.is_clear
    one, *_ = adjust([found, *[compare(build_pairs(2, 2, 76), is_repeated=False)] * 3])
    assert one.interval == found.interval
    assert not one.is_clear, "one of four may well look like this"
    assert not replace(found, adjusted_p=0.01, interval=around_zero(found.interval)).is_clear


def around_zero(interval: Interval | None) -> Interval:
    """An interval moved so that it begins at zero."""
    assert interval is not None
    return replace(interval, low=0.0)


def test_adjusted_p_values_are_holms() -> None:
    found = [compare(build_pairs(g, 3, 20), is_repeated=False) for g in (3, 9, 14)]
    adjusted = adjust(found)
    assert tuple(each.adjusted_p for each in adjusted) == holm([p_of(each) for each in found])
    assert adjust([]) == []


def p_of(found: PairedDifference) -> float:
    """The p-value, which is there."""
    assert found.p_value is not None
    return found.p_value


# Questions in clusters, and other statistics by request


IN_PAIRS = [place // 2 for place in range(30)]


def test_questions_in_clusters_get_cr2_and_its_t_test() -> None:
    baseline, candidate = [1.0] * 30, [float(place % 7 > 0) for place in range(30)]
    found = compare_scores(Differences(baseline, candidate, clusters=IN_PAIRS))
    mean = clustered_mean([b - a for a, b in zip(baseline, candidate, strict=True)], IN_PAIRS)
    assert found.interval == clustered_difference_interval(mean)
    assert (found.p_value, found.test) == (clustered_difference_test(mean), "CR2 t-test p")
    assert (found.clusters, found.design_effect) == (15, mean.design_effect)
    assert (found.gains, found.losses, found.flips) == (0, 5, 5 / 30)


def test_clusters_of_one_question_each_are_none() -> None:
    scores = [1.0] * 10, [0.0] * 3 + [1.0] * 7
    assert compare_scores(Differences(*scores, clusters=range(10))) == compare_scores(
        Differences(*scores)
    )


def test_one_cluster_tells_nothing_and_spoils_no_other_comparison() -> None:
    alone = compare_scores(Differences([1.0] * 5, [0.0] * 5, clusters=["a"] * 5))
    assert (alone.interval, alone.p_value, alone.detectable) == (None, None, None)
    assert (alone.losses, alone.clusters, alone.is_clear) == (5, 1, False)
    assert alone.estimate is None
    found = compare(build_pairs(2, 9, 40), is_repeated=False)
    assert adjust([alone, found]) == [alone, found]


@given(st.lists(st.tuples(shares, shares, st.sampled_from("abc")), min_size=2))
def test_what_a_clustered_set_shows_grows_with_its_design_effect(
    rows: list[tuple[float, float, str]],
) -> None:
    before, after, clusters = (list(column) for column in zip(*rows, strict=True))
    plain = Differences(before, after, is_repeated=True)
    grouped = Differences(before, after, is_repeated=True, clusters=clusters)
    plainly, by_cluster = (find_detectable(each, 1) for each in (plain, grouped))
    if grouped.mean is not None and (effect := grouped.mean.design_effect):
        assert plainly is not None
        assert by_cluster is not None
        assert (by_cluster >= plainly - 1e-9) == (round(len(rows) / effect) <= len(rows))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tango", tango_interval(6, 16, 161)),
        ("bonett-price", bonett_price_interval(6, 16, 161)),
        ("newcombe", newcombe_interval(both_right=59, losses=16, gains=6, both_wrong=80)),
    ],
)
def test_an_interval_can_be_chosen(name: IntervalName, expected: Interval) -> None:
    pairs = build_pairs(gains=6, losses=16, same=59) + [(0.0, 0.0)] * 80
    columns = [[pair[side] for pair in pairs] for side in (0, 1)]
    found = compare_scores(Differences(*columns, methods=Methods(interval=name)))
    assert found.interval == expected


def test_the_exact_test_can_be_chosen() -> None:
    found = compare_scores(Differences([1.0] * 9, [0.0] * 9, methods=Methods(exact=True)))
    assert (found.p_value, found.test) == (mcnemar_exact(0, 9), "McNemar exact p")


@pytest.mark.parametrize("is_repeated", [False, True])
def test_an_interval_can_have_another_level(is_repeated: bool) -> None:
    found = Differences([1.0] * 9, [0.0] * 3 + [1.0] * 6, is_repeated=is_repeated)
    wide, narrow = found.interval(), found.interval(0.9)
    assert wide is not None
    assert narrow is not None
    assert (wide.level, narrow.level) == (0.95, 0.9)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_facts_as_json() -> None:
    found = compare(build_pairs(gains=12, losses=3, same=65), is_repeated=False)
    facts = paired_to_dict(found)
    assert (facts["n"], facts["gains"], facts["losses"]) == (80, 12, 3)
    assert facts["difference"]["estimate"] == 9 / 80
    assert facts["difference"]["method"] == "Tango"
    assert (facts["test"], facts["clear"]) == ("McNemar mid-p", True)
    assert math.isclose(facts["p_value"], mcnemar_midp(12, 3))
