"""The chart of costs shows dollars for 1,000 questions against accuracy, and who has no price."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from evalkit.reports.charts.chart import Chart
from evalkit.reports.charts.costs import MOST_POINTS, chart_costs, find_ticks
from evalkit.reports.charts.themes import LIGHT
from evalkit.results import Run
from tests.charted_runs import graded_run, priced
from tests.drawn import check_words, dots, panels, strokes, words
from tests.runs_in_memory import judged_run


def chart(*runs: Run) -> Chart:
    """The chart of runs."""
    found = chart_costs(runs)
    assert found is not None
    check_words(found)
    return found


def test_dots_are_cost_and_accuracy() -> None:
    runs = [graded_run("a", 0.5, 400, cost=0.8), graded_run("b", 0.8, 400, cost=1.2)]
    panel, _ = panels(chart(*runs))
    means = [100 * (run.summary.mean or 0.0) for run in runs]
    assert dots(panel) == [
        (pytest.approx(2.0), pytest.approx(means[0])),
        (pytest.approx(3.0), pytest.approx(means[1])),
    ]
    assert panel.get_xlim()[0] == 0
    assert "logarithmic" not in chart(*runs).caption


def test_costs_far_apart_have_a_logarithmic_axis() -> None:
    runs = [graded_run("a", 0.5, 400, cost=0.04), graded_run("b", 0.8, 400, cost=40.0)]
    panel, _ = panels(chart(*runs))
    assert [x for x, _ in dots(panel)] == pytest.approx([math.log10(0.1), math.log10(100)])
    assert "the axis is logarithmic." in chart(*runs).caption
    assert {"$0.10", "$1.00", "$10.00", "$100.00"} <= set(words(panel))


@pytest.mark.parametrize(("low", "high", "count"), [(-0.1, 0.9, 3), (-1.6, 1.6, 7), (-5, 5, 11)])
def test_amounts_on_a_logarithmic_axis_are_round(low: float, high: float, count: int) -> None:
    ticks = find_ticks(low, high)
    assert len(ticks) == count
    assert all(low <= tick <= high for tick in ticks)
    assert {f"{10**tick:.0e}"[0] for tick in ticks} <= {"1", "2", "3", "5"}


def test_intervals_are_those_of_the_runs() -> None:
    run = graded_run("a", 0.5, 400, cost=0.8)
    panel, _ = panels(chart(run))
    interval = run.summary.accuracy
    assert interval is not None
    [(_, y)] = strokes(panel, [LIGHT.accent])
    assert y == pytest.approx([100 * interval.low, 100 * interval.high])
    assert "95 % Wilson interval for questions like these; n = 400 questions." in chart(run).caption


def test_the_key_says_which_number_is_which_run() -> None:
    runs = [graded_run("dear", 0.5, 400, cost=2.0), graded_run("cheap", 0.8, 400, cost=0.4)]
    panel, key = panels(chart(*runs))
    said = words(key)
    assert said[:2] == ["1", "cheap"]
    assert said[3:5] == ["2", "dear"]
    assert said[2] == f"$1.00, {100 * (runs[1].summary.mean or 0):.1f} %"
    assert {"1", "2"} <= set(words(panel))


TITLES = {
    "one": (
        [("a", 0.5, 0.8)],
        "a is right on {a} of exam for $2.00 per 1,000 questions",
    ),
    "cheap is best": (
        [("a", 0.8, 0.4), ("b", 0.5, 2.0)],
        "a costs least on exam, $1.00 per 1,000 questions, and has the highest accuracy, {a}",
    ),
    "dear is best": (
        [("a", 0.8, 2.0), ("b", 0.5, 0.4)],
        "a has the highest accuracy on exam, {a}, for $5.00 per 1,000 questions; b costs least, "
        "$1.00, at {b}",
    ),
}


@pytest.mark.parametrize("case", TITLES)
def test_the_title_says_what_is_cheapest_and_what_is_best(case: str) -> None:
    rows, title = TITLES[case]
    runs = [graded_run(name, share, 400, cost=cost) for name, share, cost in rows]
    interval = runs[0].summary.accuracy
    assert interval is not None
    means = [f"{100 * (run.summary.mean or 0):.1f} %" for run in runs]
    best = f"{means[0]} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    assert chart(*runs).title == title.format(a=best, b=means[-1])


def test_runs_without_a_price_are_left_out_and_counted() -> None:
    runs = [graded_run("a", 0.5, cost=0.8), graded_run("b", 0.8), graded_run("c", 0.7)]
    found = chart(*runs)
    assert "Left out, without a price or a reply: 2 runs." in found.caption
    panel, _ = panels(found)
    assert len(dots(panel)) == 1


def test_a_run_in_one_cluster_has_a_dot_without_a_bar() -> None:
    outcomes = ["correct", "wrong"]
    together = judged_run("a", outcomes, shape=lambda question: replace(question, cluster="c"))
    found = chart(priced(together, 1.0))
    assert found.title == "a is right on 50.0 % of sums for $500.00 per 1,000 questions"
    panel, _ = panels(found)
    assert dots(panel) == [(500.0, 50.0)]
    assert strokes(panel, [LIGHT.accent]) == []


def test_without_any_price_there_is_no_chart() -> None:
    assert chart_costs([graded_run("a", 0.5)]) is None
    assert chart_costs([graded_run("a", 0.5, cost=0.0)]) is None


def test_a_run_that_cost_nothing_stands_at_zero() -> None:
    runs = [graded_run("free", 0.5, cost=0.0), graded_run("b", 0.8, cost=4.0)]
    panel, _ = panels(chart(*runs))
    assert dots(panel)[0][0] == 0


def test_the_cheapest_of_too_many_are_shown() -> None:
    runs = [graded_run(f"m{number}", 0.5, 20, cost=1.0 + number) for number in range(30)]
    found = chart(*runs)
    assert f"The {MOST_POINTS} cheapest of 30 runs are shown." in found.caption
    panel, _ = panels(found)
    assert len(dots(panel)) == MOST_POINTS
