"""The reliability diagram shows the bins of a run's calibration."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evalkit.reports.charts.reliability import chart_reliability
from evalkit.reports.charts.themes import LIGHT
from tests.charted_runs import liking_run
from tests.drawn import check_words, dots, panels, strokes, words
from tests.runs_in_memory import judged_run

RUN = liking_run("model-d", 120, samples=20)


def test_dots_are_the_bins_with_their_intervals() -> None:
    chart = chart_reliability("d", RUN)
    assert chart is not None
    check_words(chart)
    panel, table = panels(chart)
    found = RUN.calibration().reliability
    assert found is not None
    assert dots(panel) == [
        (pytest.approx(100 * each.confidence), pytest.approx(100 * each.accuracy.estimate))
        for each in found.bins
    ]
    assert [y for _, y in strokes(panel, [LIGHT.accent])] == [
        pytest.approx([100 * each.accuracy.low, 100 * each.accuracy.high]) for each in found.bins
    ]
    assert [int(text) for text in words(table) if text.isdigit()] == [
        each.n for each in found.bins[::-1]
    ]


def test_the_line_of_perfect_calibration_is_drawn() -> None:
    chart = chart_reliability("d", RUN)
    assert chart is not None
    panel, _ = panels(chart)
    [(x, y)] = strokes(panel, [LIGHT.muted])
    assert x == y
    assert x[1] == 100


def test_the_words_name_the_source_and_the_brier_score() -> None:
    chart = chart_reliability("d", RUN)
    found = RUN.calibration()
    assert chart is not None
    assert found.reliability is not None
    assert "Confidence: vote shares of 20 answers." in chart.caption
    assert f"Brier score over all choices {found.brier.mean:.3f} [" in chart.caption
    assert "(t, 95 %), n = 120." in chart.caption
    assert f"of a perfectly calibrated model {100 * found.reliability.perfect_ece:.1f}" in (
        chart.caption
    )
    assert chart.title == (
        f"d: confidence and accuracy are {100 * found.reliability.ece:.1f} points apart on "
        "average, more than what a perfectly calibrated model would show"
    )


def test_a_gap_within_chance_is_called_so() -> None:
    run = liking_run("steady", 12, samples=20)
    found = run.calibration().reliability
    assert found is not None
    assert not found.is_beyond_chance
    chart = chart_reliability("d", run)
    assert chart is not None
    assert chart.title.endswith("within what a perfectly calibrated model would show")


def test_questions_in_one_cluster_have_a_brier_score_without_an_interval() -> None:
    outcomes = ["correct", "wrong", "correct", "correct"] * 10
    run = judged_run(
        "a", outcomes, samples=10, shape=lambda question: replace(question, cluster="c")
    )
    chart = chart_reliability("a", run)
    assert chart is not None
    assert f"Brier score over all choices {run.calibration().brier.mean:.3f}, n = 4." in (
        chart.caption
    )


@pytest.mark.parametrize("samples", [1, 5])
def test_too_few_answers_tell_of_no_confidence(samples: int) -> None:
    assert chart_reliability("d", liking_run("d", 20, samples=samples)) is None
