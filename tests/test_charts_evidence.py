"""The chart of a gate shows its evidence, its bounds, and the question at which it ended."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.gate_records import FullVerdict, GateRecord, replay_run
from evalkit.gating import gate
from evalkit.reports.charts.chart import Chart
from evalkit.reports.charts.evidence import (
    HIGHEST,
    LOWEST,
    MOST_PARTS,
    chart_evidence,
    find_decision,
    thin_out,
)
from evalkit.reports.charts.themes import LIGHT
from evalkit.stats.intervals import Interval
from evalkit.stats.verdicts import Verdict
from evalkit.testing.messages_server import MessagesServer
from tests.charted_runs import held_gate
from tests.conftest import endpoint_of
from tests.drawn import check_words, panels, strokes, words
from tests.gate_runs import BRIEF, Answers, load_sums, make_run

LINES = (LIGHT.accent, LIGHT.second)
PASSED = held_gate(400)
REGRESSED = held_gate(400, drop=0.3, suite="worse")


def chart(record: GateRecord) -> Chart:
    """The chart of a gate."""
    found = chart_evidence(record)
    assert found is not None
    check_words(found)
    return found


def test_lines_are_the_evidence_after_each_question() -> None:
    [panel] = panels(chart(PASSED))
    drawn = strokes(panel, LINES)
    for (x, y), trace in zip(drawn, PASSED.trace, strict=True):
        assert (x[0], y[0]) == (0, 0)
        known = dict(enumerate(trace, 1))
        assert dict(zip(x[1:], y[1:], strict=True)) == pytest.approx(
            {place: known[int(place)] for place in x[1:]}
        )
        assert x[-1] == len(trace) == PASSED.used


def test_the_bound_is_one_over_alpha() -> None:
    [panel] = panels(chart(PASSED))
    assert ([0, PASSED.used], pytest.approx([math.log(20)] * 2)) in strokes(panel, [LIGHT.ink])
    assert "bound: 20" in words(panel)


def test_of_several_suites_a_regression_has_a_higher_bound() -> None:
    record = held_gate(400, drop=0.3, suites=3)
    [panel] = panels(chart(record))
    bounds = [y[0] for x, y in strokes(panel, [LIGHT.ink]) if x == [0, record.used]]
    assert bounds == pytest.approx([math.log(20), math.log(60)])
    assert {"bound of no regression: 20", "bound of regressed: 60"} <= set(words(panel))
    assert "as one of 3 suites" in chart(record).caption


@pytest.mark.parametrize("record", [PASSED, REGRESSED], ids=["passed", "regressed"])
def test_the_question_of_the_verdict_is_marked(record: GateRecord) -> None:
    [panel] = panels(chart(record))
    assert f"verdict at question {record.used:,}" in words(panel)
    upright = [x for x, _ in strokes(panel, [LIGHT.ink]) if x[0] == x[1]]
    assert upright == [[record.used, record.used]]


def test_titles_say_the_verdict_in_its_own_words() -> None:
    assert chart(PASSED).title == (
        f"No regression beyond 2.0 points on exam, after {PASSED.used} of 400 questions"
    )
    assert chart(REGRESSED).title == (
        "Regressed: accuracy on worse fell by more than 2.0 points, after "
        f"{REGRESSED.used} of 400 questions"
    )
    budget = held_gate(400, budget=30)
    assert chart(budget).title == "Inconclusive on exam after 30 of 400 questions"
    assert find_decision(budget) is None


def test_a_gate_under_way_has_a_chart_without_a_verdict() -> None:
    record = held_gate(400, answers=10)
    assert chart(record).title == "No verdict yet on exam after 10 of 400 questions"
    [panel] = panels(chart(record))
    assert not [text for text in words(panel) if text.startswith("verdict")]


def test_an_invalid_gate_says_so() -> None:
    record = replace(held_gate(400, answers=10), verdict=Verdict.INVALID, reason="question q1: no")
    assert chart(record).title == (
        "Invalid: a request failed for good on exam, after 10 of 400 questions"
    )


def test_a_gate_that_asks_all_marks_where_it_would_have_ended() -> None:
    early = held_gate(1000, drop=0.3)
    record = held_gate(1000, drop=0.3, asks_all=True)
    assert record.used == 1000
    assert find_decision(record) == early.used
    assert f"after {early.used} of 1,000 questions" in chart(record).title
    full = FullVerdict(
        verdict=Verdict.REGRESSED,
        interval=Interval(estimate=-0.2, low=-0.3, high=-0.1, n=1000, level=0.9, method="Tango"),
        drop=0.2,
        on_this_set=Verdict.REGRESSED,
    )
    assert chart(replace(record, full=full)).title.endswith(
        "after 1,000 of 1,000 questions (full run, for questions like these)"
    )


def test_wealth_beyond_the_edge_runs_along_it_and_the_caption_says_so() -> None:
    record = held_gate(1000, drop=0.3, asks_all=True)
    found = chart(record)
    assert max(map(max, record.trace)) > HIGHEST
    assert "What goes beyond the edge is drawn along it." in found.caption
    [panel] = panels(found)
    low, high = panel.get_ylim()
    assert low >= LOWEST - 0.5
    assert all(low <= value <= high for _, y in strokes(panel, LINES) for value in y)
    assert "beyond the edge" not in chart(PASSED).caption


def test_the_caption_gives_n_the_method_and_the_error() -> None:
    caption = chart(PASSED).caption
    assert f"{PASSED.used} of 400 questions used" in caption
    assert "One that reaches 20 has shown it at an error of 5 %, valid at every question" in caption
    assert "(betting, without replacement)" in caption


def test_long_names_and_messages_are_shortened() -> None:
    record = held_gate(100, answers=5, suite="x" * 1_000_000)
    broken = replace(record, verdict=Verdict.INVALID, reason="y\n" * 1_000_000)
    for found in (chart(record), chart(broken)):
        assert len(found.title + found.caption + found.alt) < 2000
    assert "y y" in chart(broken).caption


def test_long_lines_keep_their_peaks() -> None:
    trace = [math.sin(number) for number in range(20_000)]
    trace[7777], trace[12_345] = 9.0, -9.0
    x, y = thin_out(trace)
    assert len(x) < 3 * MOST_PARTS
    assert (max(y), min(y)) == (9.0, -9.0)
    assert x[y.index(9.0)] == 7778
    assert (x[-1], y[-1]) == (20_000, trace[-1])


def test_no_answer_is_no_chart() -> None:
    assert chart_evidence(held_gate(400, answers=0)) is None


def test_a_gate_computed_again_is_drawn_as_it_was_held(tmp_path: Path) -> None:
    wrong: dict[str, Collection[int]] = {"": range(0, 200, 10), "Be brief.": range(0, 200, 2)}
    with MessagesServer(answer=Answers(wrong=wrong)) as server:
        baseline = make_run(server, load_sums(tmp_path, 200), tmp_path / "results")
        result = gate(
            baseline,
            prompt=BRIEF,
            endpoint=endpoint_of(server),
            results=tmp_path / "results",
            progress=False,
        )
    [record] = result.gates
    [again] = replay_run(Path(record.folder))
    assert record.verdict is Verdict.REGRESSED
    [held], [replayed] = panels(chart(record)), panels(chart(again.record))
    assert strokes(held, LINES) == strokes(replayed, LINES)
    assert chart(again.record) == chart(record)
