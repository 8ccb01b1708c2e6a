"""What is left is summed up as its definition says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.outlook import look_ahead

questions = st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 10)), min_size=1, max_size=20)
"""Scores and weights."""


@given(questions)
def test_every_position_sums_up_the_questions_left(questions: list[tuple[float, float]]) -> None:
    scores, weights = [score for score, _ in questions], [weight for _, weight in questions]
    outlook = look_ahead(scores, weights)
    for place, (_, weight) in enumerate(questions):
        left = questions[place:]
        mean = sum(w for _, w in left) / len(left)
        assert outlook.ratios[place] == pytest.approx(mean / weight)
        assert outlook.worst[place] == pytest.approx(min(-b * mean / w for b, w in left))
        assert outlook.best[place] == pytest.approx(max((1 - b) * mean / w for b, w in left))
        assert outlook.to_lose[place] == pytest.approx(sum(b for b, _ in left))
        assert outlook.to_gain[place] == pytest.approx(sum(1 - b for b, _ in left))
    assert (outlook.to_lose[-1], outlook.to_gain[-1]) == (0, 0)


@given(questions, st.lists(st.floats(0, 1), min_size=20, max_size=20))
def test_the_mean_payoff_is_the_mean_difference(
    questions: list[tuple[float, float]], candidate: list[float]
) -> None:
    """Over the chances by which the next question is drawn."""
    scores, weights = [score for score, _ in questions], [weight for _, weight in questions]
    differences = [ours - theirs for ours, theirs in zip(candidate, scores, strict=False)]
    mean = 0.0
    for place, weight in enumerate(weights):
        # Each question in turn stands first.
        turned = look_ahead(scores[place:] + scores[:place], weights[place:] + weights[:place])
        mean += weight / sum(weights) * differences[place] * turned.ratios[0]
    assert mean == pytest.approx(sum(differences) / len(differences), abs=1e-9)
