"""All charts of a report come in reading order, each with a name of its own, none in excess."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from evalkit.benchmarks import Benchmark
from evalkit.comparisons import compare
from evalkit.reports.charts.listing import MOST_OF_A_KIND, list_charts
from evalkit.reports.charts.svg import render_svg
from evalkit.results import load_run
from evalkit.testing.messages_replies import by_model
from evalkit.testing.messages_server import MessagesServer
from tests.charted_runs import graded_run, held_gate, liking_run
from tests.conftest import sums_answers
from tests.drawn import check_words
from tests.gate_runs import HAIKU, make_run
from tests.runs_in_memory import judged_run


def kinds(*names: str) -> list[str]:
    """The first word of each name."""
    return [name.partition("-")[0] for name in names]


def test_charts_come_in_reading_order() -> None:
    runs = [graded_run("a", 0.5, cost=1.0), graded_run("b", 0.8, cost=2.0), graded_run("c", 0.6)]
    charts = list_charts(runs, compare(runs), [held_gate()])
    assert kinds(*(chart.name for chart in charts)) == [
        *("gate", "accuracies", "differences", "difference", "difference"),
        *("subjects", "outcomes", "costs", "letters", "letters", "letters"),
    ]
    for chart in charts:
        check_words(chart)


def test_a_single_pair_has_one_chart_of_its_difference() -> None:
    runs = [judged_run("a", ["correct", "wrong"]), judged_run("b", ["correct", "correct"])]
    charts = list_charts(runs, compare(runs))
    assert kinds(*(chart.name for chart in charts)) == [
        *("accuracies", "difference", "outcomes", "letters", "letters")
    ]


def test_pairs_without_subjects_stand_in_one_chart() -> None:
    runs = [judged_run(name, ["correct", "wrong"]) for name in "abc"]
    charts = list_charts(runs, compare(runs))
    assert kinds(*(chart.name for chart in charts))[:3] == ["accuracies", "differences", "outcomes"]


def test_confidence_is_drawn_where_there_is_any() -> None:
    charts = list_charts([liking_run("d", 60, samples=20)])
    assert kinds(*(chart.name for chart in charts))[-1] == "reliability"


def test_names_differ_even_where_everything_else_is_alike() -> None:
    gates = [held_gate(), held_gate(), held_gate()]
    runs = [judged_run("a", ["correct"]), judged_run("a", ["correct"])]
    names = [chart.name for chart in list_charts(runs, None, gates)]
    assert len(names) == len(set(names))
    assert all(name == name.lower() and name.replace("-", "").isalnum() for name in names)


def test_of_many_runs_some_charts_are_left_out_and_the_last_says_so() -> None:
    runs = [judged_run(f"m{number}", ["correct", "wrong"]) for number in range(20)]
    charts = [chart for chart in list_charts(runs) if chart.name.startswith("letters")]
    assert len(charts) == MOST_OF_A_KIND
    notice = f"Charts of this kind are drawn for the first {MOST_OF_A_KIND} of 20."
    assert [notice in chart.caption for chart in charts] == [False] * 7 + [True]


def test_nothing_has_no_charts() -> None:
    assert list_charts([]) == ()


def test_runs_without_replies_have_bars_of_outcomes_alone() -> None:
    charts = list_charts([judged_run("a", ["failed", "not_asked"])])
    assert [chart.name for chart in charts] == ["outcomes"]


def test_runs_read_back_from_their_folders_have_the_same_charts(
    sums: Benchmark, tmp_path: Path
) -> None:
    answers = {
        HAIKU: sums_answers(wrong_share=0.2),
        "claude-opus-4-5": sums_answers(wrong_share=0.1),
        "claude-sonnet-4-5": sums_answers(wrong_share=0.6),
    }
    with MessagesServer(answer=by_model(answers)) as server:
        runs = [make_run(server, sums, tmp_path, model=model) for model in answers]
    charts = list_charts(runs, compare(runs))
    read = [load_run(run.path) for run in runs]
    again = list_charts(read, compare(read))
    assert again == charts
    assert "costs-sums" in [chart.name for chart in charts]
    assert list(map(render_svg, again)) == list(map(render_svg, charts))


def test_listing_needs_no_matplotlib() -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None; "
        "from tests.charted_runs import graded_run, held_gate; "
        "from evalkit.reports.charts.listing import list_charts; "
        "runs = [graded_run('a', 0.5), graded_run('b', 0.6)]; "
        "print(len(list_charts(runs, None, [held_gate()])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert int(done.stdout) == 6
