"""Bins hold what they should, gaps are as defined, and chance is told from bad calibration."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from evalkit.stats.intervals import wilson_interval
from evalkit.stats.reliability import (
    Reliability,
    equal_mass_edges,
    equal_width_edges,
    measure_reliability,
)

Picks = list[tuple[float, int]]
confidences = st.floats(0, 1) | st.sampled_from([place / 20 for place in range(21)])
picks = st.lists(st.tuples(confidences, st.integers(0, 1)), min_size=1, max_size=60)
"""Confidences, and whether the picks were right."""


def measure(picks: Picks, edges: tuple[float, ...]) -> Reliability:
    stated, correct = [share for share, _ in picks], [right for _, right in picks]
    return measure_reliability(stated, correct, edges, draws=5)


def in_bins(picks: Picks, edges: tuple[float, ...]) -> list[Picks]:
    """By definition: above the lower edge, up to the upper one; the outer bins take the rest."""
    bins = []
    for place in range(len(edges) - 1):
        low = -math.inf if place == 0 else edges[place]
        high = math.inf if place == len(edges) - 2 else edges[place + 1]
        bins.append([pick for pick in picks if low < pick[0] <= high])
    return [members for members in bins if members]


@given(picks, st.integers(1, 12), st.booleans())
def test_bins_and_gaps_are_as_defined(picks: Picks, bins: int, is_equal_mass: bool) -> None:
    edges = equal_width_edges(bins)
    if is_equal_mass:
        edges = equal_mass_edges([share for share, _ in picks], bins)
    found = measure(picks, edges)
    members = in_bins(picks, edges)
    gaps = []
    for each, own in zip(found.bins, members, strict=True):
        right = sum(right for _, right in own)
        assert each.n == len(own)
        assert each.confidence == pytest.approx(sum(share for share, _ in own) / len(own))
        assert each.accuracy == wilson_interval(right, len(own))
        gaps.append(abs(right / len(own) - each.confidence))
    sizes = [len(own) for own in members]
    assert found.ece == pytest.approx(np.average(gaps, weights=sizes), abs=1e-12)
    assert found.mce == pytest.approx(max(gaps), abs=1e-12)


@given(st.lists(st.tuples(st.floats(0.001, 1), st.integers(0, 1)), min_size=20, max_size=60))
def test_bins_of_equal_width_are_scikit_learns(picks: Picks) -> None:
    stated, correct = [share for share, _ in picks], [right for _, right in picks]
    accuracies, means = calibration_curve(correct, stated, n_bins=10, pos_label=1)
    found = measure(picks, equal_width_edges(10))
    assert [each.accuracy.estimate for each in found.bins] == pytest.approx(list(accuracies))
    assert [each.confidence for each in found.bins] == pytest.approx(list(means))


@given(st.lists(st.floats(0, 1), min_size=20, max_size=200, unique=True), st.integers(1, 10))
def test_bins_of_equal_mass_hold_about_as_many(stated: list[float], bins: int) -> None:
    found = measure([(share, 1) for share in stated], equal_mass_edges(stated, bins))
    sizes = [each.n for each in found.bins]
    assert max(sizes) - min(sizes) <= 2
    assert len(sizes) == bins


@given(picks)
def test_the_order_of_questions_does_not_matter(picks: Picks) -> None:
    edges = equal_width_edges(7)
    straight, turned = measure(picks, edges), measure(picks[::-1], edges)
    assert straight.ece == pytest.approx(turned.ece)


def draw(n: int, seed: int, *, shift: float = 0.0) -> tuple[list[float], list[int]]:
    """Confidences of a model that is right as often as they say, or less often by a shift."""
    rng = random.Random(seed)
    stated = [rng.uniform(0.3, 1) for _ in range(n)]
    return stated, [int(rng.random() < share - shift) for share in stated]


@pytest.mark.parametrize(("n", "points"), [(100, 10), (1000, 3)])
def test_a_perfect_model_has_a_gap_too(n: int, points: int) -> None:
    """About as many points as published for so many questions."""
    stated, correct = draw(n, 1)
    found = measure_reliability(stated, correct, equal_mass_edges(stated))
    assert 100 * found.perfect_ece == pytest.approx(points, abs=1.2)
    assert found.perfect_ece < found.perfect_ece_high


def test_a_perfect_model_is_rarely_found_out_and_an_overconfident_one_is() -> None:
    beyond = 0
    for seed in range(200):
        stated, correct = draw(200, seed)
        found = measure_reliability(stated, correct, equal_mass_edges(stated), seed=seed)
        beyond += found.is_beyond_chance
    assert beyond / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)
    stated, correct = draw(1000, 1, shift=0.1)
    assert measure_reliability(stated, correct, equal_mass_edges(stated)).is_beyond_chance


def test_the_same_seed_draws_the_same_perfect_models() -> None:
    stated, correct = draw(50, 1)
    edges = equal_width_edges()
    one, same = (measure_reliability(stated, correct, edges, seed=7) for _ in range(2))
    other = measure_reliability(stated, correct, edges, seed=8)
    assert one == same
    assert one.perfect_ece != other.perfect_ece


@pytest.mark.parametrize(
    ("samples", "is_coarse"), [(None, False), (10, True), (19, True), (20, False)]
)
def test_few_votes_are_coarse(samples: int | None, is_coarse: bool) -> None:
    found = measure_reliability([0.5], [1], equal_width_edges(), samples=samples)
    assert found.is_coarse is is_coarse
    assert found.samples == samples


@pytest.mark.parametrize(
    ("edges", "options", "message"),
    [
        ((0.0, 1.0), {"samples": 9}, "samples = 9: expected at least 10"),
        ((0.0, 1.0), {"draws": 0}, "draws = 0: expected at least 1"),
        ((0.0,), {}, "edges = (0.0,): expected at least 2, ascending"),
        ((1.0, 0.0), {}, "edges = (1.0, 0.0): expected at least 2, ascending"),
    ],
)
def test_what_makes_no_sense_is_refused(
    edges: tuple[float, ...], options: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        measure_reliability([0.5], [1], edges, **options)
    assert str(caught.value) == message


def test_there_are_bins_and_confidences() -> None:
    with pytest.raises(ValueError, match="bins = 0: expected at least 1"):
        equal_width_edges(0)
    with pytest.raises(ValueError, match="bins = 0: expected at least 1"):
        equal_mass_edges([0.5], 0)
    with pytest.raises(ValueError, match="0 confidences: expected at least 1"):
        equal_mass_edges([])
