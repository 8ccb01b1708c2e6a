"""The chart of accuracies shows those of the runs, best first, and claims no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evalkit.reports.charts.accuracies import chart_accuracies
from evalkit.reports.charts.chart import Chart
from evalkit.reports.charts.rows import MOST_ROWS
from evalkit.reports.charts.themes import LIGHT
from evalkit.results import Run
from tests.charted_runs import graded_run
from tests.drawn import check_words, dots, is_hollow, panels, strokes, words
from tests.runs_in_memory import judged_run


def chart(*runs: Run) -> Chart:
    """The chart of runs that have one."""
    found = chart_accuracies(runs)
    assert found is not None
    check_words(found)
    return found


def in_one_cluster(name: str) -> Run:
    """A run whose questions share one cluster."""
    outcomes = ["correct", "correct", "wrong"]
    return judged_run(name, outcomes, shape=lambda question: replace(question, cluster="c"))


def test_dots_are_the_accuracies_of_the_runs_best_first() -> None:
    runs = [graded_run("a", 0.5), graded_run("b", 0.8), graded_run("c", 0.6)]
    [panel] = panels(chart(*runs))
    best_first = sorted((run.summary.mean or 0.0 for run in runs), reverse=True)
    # The heading of the benchmark is on top.
    assert dots(panel) == [
        (pytest.approx(100 * mean), place) for place, mean in enumerate(best_first, 1)
    ]


def test_bars_are_the_intervals_of_the_runs() -> None:
    run = graded_run("a", 0.5)
    [panel] = panels(chart(run))
    interval = run.summary.accuracy
    assert interval is not None
    [(x, y)] = strokes(panel, [LIGHT.accent])
    assert x == pytest.approx([100 * interval.low, 100 * interval.high])
    assert y == [1, 1]


def test_guessing_is_marked_across_each_row() -> None:
    [panel] = panels(chart(graded_run("a", 0.5), graded_run("b", 0.8)))
    dashed = strokes(panel, [LIGHT.muted])
    assert [x for x, _ in dashed] == [[25.0, 25.0]] * 2
    assert [y for _, y in dashed] == [[0.5, 1.5], [1.5, 2.5]]
    assert "guessing 25.0" in words(panel)


def test_numbers_stand_behind_the_rows() -> None:
    run = judged_run("a", ["correct"] * 8 + ["wrong"] * 2)
    [panel] = panels(chart(run))
    assert "80.0 [49.0, 94.3]  n = 10" in words(panel)


TITLES = {
    "one run": ([("a", 8)], "a is right on 80.0 % [49.0, 94.3] of sums"),
    "two runs": (
        [("a", 5), ("b", 8)],
        "b has the highest accuracy on sums: 80.0 % [49.0, 94.3]",
    ),
    "a draw": (
        [("a", 8), ("b", 8), ("c", 2)],
        "2 runs share the highest accuracy on sums: 80.0 % [49.0, 94.3]",
    ),
}


@pytest.mark.parametrize("case", TITLES)
def test_the_title_says_who_is_right_most_often(case: str) -> None:
    scores, title = TITLES[case]
    runs = [judged_run(name, ["correct"] * n + ["wrong"] * (10 - n)) for name, n in scores]
    assert chart(*runs).title == title


def test_the_title_counts_benchmarks_where_there_are_several() -> None:
    runs = [
        judged_run(name, ["correct"] * right + ["wrong"] * (10 - right), benchmark=benchmark)
        for benchmark, rights in {"sums": (5, 8), "roots": (9, 2), "logs": (1, 4)}.items()
        for name, right in zip("ab", rights, strict=True)
    ]
    assert chart(*runs).title == "b has the highest accuracy on 2 of 3 benchmarks"
    [panel] = panels(chart(*runs))
    assert [y for _, y in dots(panel)] == [1, 2, 4, 5, 7, 8]


def test_where_many_lead_on_one_benchmark_each_none_is_named() -> None:
    runs = [
        judged_run(name, ["correct"] if name == best else ["wrong"], benchmark=f"on {best}")
        for best in "abcd"
        for name in "abcd"
    ]
    assert chart(*runs).title == "No run has the highest accuracy on more than 1 of 4 benchmarks"
    assert chart(*runs[:8]).title == "a and b each have the highest accuracy on 1 of 2 benchmarks"


def test_the_caption_gives_n_method_and_level() -> None:
    found = chart(graded_run("a", 0.5, 100), graded_run("b", 0.5, 300))
    start = "Bars: 95 % Wilson interval for questions like these; n = 100 to 300 questions."
    assert found.caption.startswith(start)
    assert "not by whether their intervals overlap" in found.caption


def test_the_caption_names_clusters() -> None:
    run = judged_run(
        "a",
        ["correct", "wrong"] * 10,
        shape=lambda question: replace(question, cluster=question.id[:2]),
    )
    assert "95 % CR2 interval for questions like these; n = 20 questions in 10 clusters." in (
        chart(run).caption
    )


def test_a_run_in_one_cluster_is_a_hollow_dot_without_a_bar() -> None:
    [panel] = panels(chart(in_one_cluster("a")))
    assert dots(panel) == [(pytest.approx(200 / 3), 1)]
    assert is_hollow(panel, 0)
    assert strokes(panel, [LIGHT.accent]) == []
    assert "No intervals: all questions share one cluster." in chart(in_one_cluster("a")).caption


def test_the_caption_counts_what_is_left_out_or_incomplete() -> None:
    silent = judged_run("silent", ["failed"] * 3)
    short = judged_run("short", ["correct", "not_asked"])
    found = chart(graded_run("a", 0.5), silent, short)
    assert "Left out, without a reply: 1 run." in found.caption
    assert "Incomplete, some replies are missing: 1 run." in found.caption
    [panel] = panels(found)
    assert len(dots(panel)) == 2


def test_runs_without_a_reply_have_no_chart() -> None:
    assert chart_accuracies([judged_run("silent", ["failed"])]) is None


def test_what_is_said_aloud_gives_the_numbers() -> None:
    found = chart(judged_run("a", ["correct"] * 8 + ["wrong"] * 2))
    assert found.alt == "Accuracies in percent: a on sums 80.0 [49.0, 94.3]."


def test_too_many_rows_are_cut_with_a_notice() -> None:
    runs = [judged_run(f"m{number}", ["correct", "wrong"]) for number in range(MOST_ROWS + 9)]
    found = chart(*runs)
    assert f"The first {MOST_ROWS} of {MOST_ROWS + 10} rows are shown." in found.caption
    [panel] = panels(found)
    assert len(dots(panel)) == MOST_ROWS - 1


@pytest.mark.parametrize("share", [0, 1])
def test_accuracies_at_the_ends_stay_within_the_panel(share: int) -> None:
    [panel] = panels(chart(judged_run("a", ["correct" if share else "wrong"])))
    low, high = panel.get_xlim()
    [(x, _)] = dots(panel)
    assert low <= x <= high
    assert 0 <= low < high <= 100
