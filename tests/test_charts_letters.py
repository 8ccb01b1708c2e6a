"""The chart of letters shows what was picked where what was right, and the accuracy beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.axes import Axes

from evalkit.benchmarks import Benchmark
from evalkit.reports.charts.chart import Chart
from evalkit.reports.charts.letters import MOST_LETTERS, chart_letters
from evalkit.reports.charts.themes import LIGHT
from evalkit.results import Run
from evalkit.testing.messages_server import MessagesServer
from tests.charted_runs import lettered_run, liking_run
from tests.conftest import sums_answers
from tests.drawn import check_words, dots, panels, strokes, words
from tests.gate_runs import make_run
from tests.runs_in_memory import judged_run

PICKS: list[tuple[int, int | None]] = [
    *[(0, 0)] * 6, *[(0, 1)] * 3, (0, None),
    *[(1, 1)] * 8, *[(1, 0)] * 2,
    *[(2, 1)] * 5, *[(2, 2)] * 5,
]  # fmt: skip
"""C is never picked where A or B is right."""


def chart(run: Run) -> Chart:
    """The chart of a run."""
    found = chart_letters("a", run)
    assert found is not None
    check_words(found)
    return found


def read_cells(table: Axes, count: int) -> tuple[list[list[str]], list[list[str]]]:
    """The upper and the lower numbers of a table, row by row."""
    upper = [[""] * count for _ in range(count)]
    lower = [[""] * count for _ in range(count)]
    for text in table.texts:
        x, y = text.get_position()
        if x >= 0 and y > -0.4:
            row, part = divmod(y + 0.5, 1)
            (upper if part < 0.5 else lower)[int(row)][int(x)] = str(text.get_label())
    return upper, lower


def test_cells_are_shares_of_their_row_with_counts() -> None:
    table, _ = panels(chart(lettered_run("a", PICKS, 3)))
    shares, counts = read_cells(table, 3)
    assert shares == [["67", "33", "0"], ["20", "80", "0"], ["0", "50", "50"]]
    assert counts == [["6", "3", "0"], ["2", "8", "0"], ["0", "5", "5"]]


def test_dots_are_the_accuracies_by_right_letter() -> None:
    run = lettered_run("a", PICKS, 3)
    _, panel = panels(chart(run))
    bias = run.position_bias()
    assert bias is not None
    recalls = [each for each in bias.recalls if each is not None]
    assert dots(panel) == [
        (pytest.approx(100 * each.mean), place) for place, each in enumerate(recalls)
    ]
    assert [x for x, _ in dots(panel)] == pytest.approx([60, 80, 50])
    bars = [x for x, _ in strokes(panel, [LIGHT.accent])]
    ends = [each.interval for each in recalls if each.interval is not None]
    assert bars == [pytest.approx([100 * each.low, 100 * each.high]) for each in ends]


def test_the_title_names_the_letter_picked_more_often_than_right() -> None:
    found = chart(lettered_run("a", PICKS, 3))
    assert found.title == (
        "a picks B in 55.2 % of its replies, where it is right in 34.5 %, which may be chance"
    )
    assert chart(lettered_run("a", 4 * PICKS, 3)).title == (
        "a picks B in 55.2 % of its replies, where it is right in 34.5 %"
    )


def test_without_any_liking_the_title_says_so() -> None:
    run = lettered_run("a", [(0, 0), (1, 1), (0, 1), (1, 0)], 2)
    assert chart(run).title == "a picks every letter as often as it is right"


def test_without_any_choice_the_title_says_so() -> None:
    assert chart(lettered_run("a", [(0, None)])).title == "a names no choice"


def test_the_caption_gives_n_method_and_test() -> None:
    caption = chart(lettered_run("a", PICKS, 3)).caption
    assert "n = 29 replies that name a choice" in caption
    assert "95 % Wilson interval for questions like these; n = 10 questions." in caption
    assert "Stuart-Maxwell test" in caption


def test_right_letters_in_order_are_told_of() -> None:
    caption = chart(lettered_run("a", PICKS, 3)).caption
    assert "The right letters are not in random order" in caption
    assert "The right letters" not in chart(liking_run("c")).caption


def test_of_several_answers_the_first_counts_and_the_caption_says_so() -> None:
    caption = chart(liking_run("c", 50, samples=4)).caption
    assert "n = 50 first replies that name a choice" in caption


def test_letters_are_cut_where_there_is_no_room() -> None:
    found = chart(liking_run("c", 2000, 26))
    assert f"The first {MOST_LETTERS} of 26 letters are shown." in found.caption
    table, panel = panels(found)
    assert len(dots(panel)) == MOST_LETTERS
    assert "Z" not in words(table)


def test_ten_choices_have_shares_without_counts() -> None:
    found = chart(liking_run("c", 400, 10))
    assert ", with counts" not in found.caption
    assert ", with counts" in chart(liking_run("c", 400, 4)).caption


def test_orders_count_all_replies_by_where_the_right_choice_was_shown(
    sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        run = make_run(server, sums, tmp_path, orders="cyclic")
    assert run.summary.orders is not None
    table, panel = panels(chart(run))
    expected = [100 * estimate.mean for _, estimate in run.summary.orders.by_place]
    assert [x for x, _ in dots(panel)] == pytest.approx(expected)
    _, counts = read_cells(table, 4)
    assert counts == [[str(number) for number in row] for row in run.confusion().to_numpy()]
    assert sum(int(number) for row in counts for number in row) == 4 * len(run.questions)


def test_questions_in_one_cluster_have_dots_without_bars() -> None:
    outcomes = ["correct", "wrong"]
    run = judged_run("a", outcomes, shape=lambda question: replace(question, cluster="c"))
    _, panel = panels(chart(run))
    assert dots(panel) == [(50.0, 0)]
    assert strokes(panel, [LIGHT.accent]) == []


def test_a_run_without_replies_has_no_chart() -> None:
    assert chart_letters("a", judged_run("a", ["failed"])) is None
