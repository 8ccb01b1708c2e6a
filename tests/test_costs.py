"""A gate's cost is about what was simulated, and its noise floor is where unchanged models fail."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.costs import expected_questions, noise_floor

TABLE = [
    (1000, 0.01, 0.0, 0.69),
    (1000, 0.01, 0.02, 0.70),
    (1000, 0.01, 0.05, 0.18),
    (1000, 0.02, 0.0, 0.44),
    (1000, 0.02, 0.01, 0.69),
    (1000, 0.02, 0.05, 0.25),
    (14042, 0.01, 0.0, 0.19),
    (14042, 0.01, 0.02, 0.19),
    (14042, 0.01, 0.05, 0.014),
    (14042, 0.02, 0.0, 0.07),
    (14042, 0.02, 0.01, 0.19),
    (14042, 0.02, 0.05, 0.024),
]
"""Questions, margin, drop, and the mean share used in simulations with 5 % flips."""


@pytest.mark.parametrize(("n", "delta", "drop", "share"), TABLE)
def test_the_cost_is_near_that_of_simulated_gates(
    n: int, delta: float, drop: float, share: float
) -> None:
    used = expected_questions(n, delta=delta, drop=drop, flips=0.05)
    assert used / n == pytest.approx(share, rel=0.27)


@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1))
def test_no_gate_takes_more_than_all_questions(
    n: int, delta: float, flips: float, part: float
) -> None:
    used = expected_questions(n, delta=delta, drop=part * flips, flips=flips)
    assert 0 < used <= n


def test_a_drop_at_the_margin_takes_all_questions() -> None:
    assert expected_questions(1000, delta=0.02, drop=0.02, flips=0.05) == 1000


@pytest.mark.parametrize(
    ("flips", "n", "floor"),
    [(0.05, 1000, 0.012), (0.1, 1000, 0.016), (0.05, 14000, 0.003), (0.1, 14000, 0.004)],
)
def test_the_noise_floor_is_so_many_points(flips: float, n: int, floor: float) -> None:
    assert round(noise_floor(flips, n), 3) == floor


def test_a_baseline_of_five_answers_has_40_percent_less_noise() -> None:
    ratio = noise_floor(0.05, 1000, baseline_samples=5) / noise_floor(0.05, 1000)
    assert ratio**2 == pytest.approx(0.6)
    assert noise_floor(0.05, 1000, baseline_samples=5) == pytest.approx(
        noise_floor(0.05, 1000, candidate_samples=5)
    )


@pytest.mark.parametrize(("ours", "theirs"), [(1, 1), (5, 1), (2, 3)])
def test_an_unchanged_model_drops_by_more_than_the_floor_as_often_as_said(
    ours: int, theirs: int
) -> None:
    """400 questions, a fifth of which are answered right half of the time."""
    rng, n, runs = random.Random(7), 400, 2000
    floor = noise_floor(0.2 / 2, n, baseline_samples=ours, candidate_samples=theirs)
    beyond = 0
    for _ in range(runs):
        baseline = heads(rng, 80 * ours) / ours
        beyond += (baseline - heads(rng, 80 * theirs) / theirs) / n > floor
    assert beyond / runs == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / runs))


def heads(rng: random.Random, tosses: int) -> int:
    return rng.getrandbits(tosses).bit_count()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 0}, "n = 0: expected at least 1"),
        ({"delta": 2.0}, "delta = 2.0: expected 0 to 1"),
        ({"flips": -0.1}, "flips = -0.1: expected 0 to 1"),
        ({"drop": 0.2}, "drop = 0.2: expected -0.1 to 0.1"),
        ({"drop": math.nan}, "drop = nan: expected -0.1 to 0.1"),
        ({"alpha": 0.5}, "alpha = 0.5: expected more than 0, less than 0.5"),
    ],
)
def test_the_cost_refuses_what_makes_no_sense(change: dict[str, float], message: str) -> None:
    given: dict[str, float] = {"delta": 0.02, "drop": 0.0, "flips": 0.1, **change}
    n = int(given.pop("n", 100))
    with pytest.raises(ValueError) as caught:
        expected_questions(n, **given)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("flips", "n", "samples", "message"),
    [
        (1.5, 10, (1, 1), "flips = 1.5: expected 0 to 1"),
        (0.1, 0, (1, 1), "n = 0: expected at least 1"),
        (0.1, 10, (0, 1), "baseline_samples = 0: expected at least 1"),
        (0.1, 10, (1, -1), "candidate_samples = -1: expected at least 1"),
    ],
)
def test_the_noise_floor_refuses_what_makes_no_sense(
    flips: float, n: int, samples: tuple[int, int], message: str
) -> None:
    ours, theirs = samples
    with pytest.raises(ValueError) as caught:
        noise_floor(flips, n, baseline_samples=ours, candidate_samples=theirs)
    assert str(caught.value) == message
