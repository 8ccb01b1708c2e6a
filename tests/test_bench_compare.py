"""The benchmark of comparing compares what it says."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench_compare import (
    CASES,
    CLUSTER,
    STATISTICS,
    SUBJECTS,
    Case,
    draw_differences,
    draw_scores,
    measure,
    measure_statistic,
)

QUESTIONS = 5_000


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_compares_all_of_its_questions(case: Case) -> None:
    seconds, pair = measure(case, QUESTIONS)
    assert seconds > 0
    assert (pair.accuracy.n, len(pair.subjects), len(pair.flips)) == (QUESTIONS, SUBJECTS, 20)
    clusters = -(-QUESTIONS // CLUSTER) if case.in_clusters else None
    assert pair.accuracy.clusters == clusters


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_scores_are_shares_where_questions_are_asked_several_times(case: Case) -> None:
    levels = np.unique(draw_scores(case, QUESTIONS).correct[0])
    assert len(levels) == case.answers + 1


@pytest.mark.parametrize("name", STATISTICS)
def test_a_statistic_takes_the_differences_that_are_drawn(name: str) -> None:
    differences = draw_differences(QUESTIONS)
    assert set(differences) == {-0.2, 0.0, 0.2}
    assert measure_statistic(name, differences) >= 0
