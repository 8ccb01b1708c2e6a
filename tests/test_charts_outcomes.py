"""Bars of outcomes hold every count: within its part, or below the bar."""

from __future__ import annotations

import pytest

from evalkit.reports.charts.chart import Chart
from evalkit.reports.charts.outcomes import arrange_key, chart_outcomes
from evalkit.reports.charts.themes import HATCHES, LIGHT, THEMES, measure_luminance
from evalkit.reports.text import OUTCOMES
from evalkit.results import Run
from tests.drawn import boxes, check_words, panels, words
from tests.runs_in_memory import judged_run

ALL = ["correct"] * 30 + ["wrong"] * 20 + ["unparsed"] * 15 + ["refused"] * 12 + ["truncated"] * 10
ALL += ["failed"] * 8 + ["not_asked"] * 5


def chart(*runs: Run) -> Chart:
    """The chart of runs."""
    found = chart_outcomes(runs)
    assert found is not None
    check_words(found)
    return found


def test_parts_are_shares_of_the_replies_wanted() -> None:
    panel, _ = panels(chart(judged_run("a", ALL)))
    parts = [box for box in boxes(panel) if box[1] >= 5]
    assert [width for _, width, _ in parts] == pytest.approx([30, 20, 15, 12, 10, 8, 5])
    assert [left for left, _, _ in parts] == pytest.approx([0, 30, 50, 65, 77, 87, 95])
    assert [colour for _, _, colour in parts] == list(LIGHT.outcomes)


def test_counts_stand_in_their_parts() -> None:
    panel, _ = panels(chart(judged_run("a", ALL)))
    assert {"30", "20", "15", "12", "10", "8", "5"} <= set(words(panel))


def test_counts_without_room_stand_below_the_bar() -> None:
    panel, _ = panels(chart(judged_run("a", ["correct"] * 997 + ["refused"] * 2 + ["failed"])))
    assert "2 refused, 1 failed" in words(panel)
    assert "997" in words(panel)


def test_the_key_names_what_occurs_and_nothing_else() -> None:
    _, key = panels(chart(judged_run("a", ["correct", "not_asked"])))
    assert words(key) == ["correct", "not asked"]


def test_the_title_names_the_run_with_most_replies_that_name_no_choice() -> None:
    runs = [judged_run("a", ["correct"] * 9 + ["refused"]), judged_run("b", ["wrong"] * 10)]
    assert chart(*runs).title == (
        "1 of 10 replies of a name no choice (10.0 %), the largest share of 2 runs"
    )
    assert chart(runs[1]).title == "Every reply names a choice"
    missing = judged_run("a", ["correct"] * 9 + ["failed"])
    assert chart(missing).title == "1 of 10 replies of a are missing (10.0 %)"
    both = judged_run("a", ["correct"] * 8 + ["failed", "refused"])
    assert chart(both).title == "2 of 10 replies of a name no choice or are missing (20.0 %)"


def test_the_caption_gives_n_and_says_that_it_is_a_count() -> None:
    found = chart(judged_run("a", ["correct"] * 40, samples=4), judged_run("b", ["wrong"] * 7))
    assert "n = 7 to 40 replies to 7 to 10 questions. A count, without an interval." in (
        found.caption
    )


def test_what_is_said_aloud_gives_all_counts() -> None:
    assert chart(judged_run("a", ALL)).alt == (
        "Counts of replies: a: 30 correct, 20 wrong, 15 unparsed, 12 refused, 10 truncated, "
        "8 failed, 5 not asked."
    )


def test_runs_of_several_benchmarks_are_named_with_theirs() -> None:
    runs = [judged_run("a", ["correct"], benchmark=name) for name in ("one", "two")]
    panel, _ = panels(chart(*runs))
    assert {"a on one", "a on two"} <= set(words(panel))


@pytest.mark.parametrize("name", THEMES)
def test_outcomes_differ_without_colour_too(name: str) -> None:
    """By their hatching, or by how light they are; side by side."""
    theme = THEMES[name]
    looks = list(zip(HATCHES, map(measure_luminance, theme.outcomes), strict=True))
    assert len(looks) == len(OUTCOMES)
    for number, (hatch, light) in enumerate(looks):
        for other_hatch, other_light in looks[:number]:
            ratio = (max(light, other_light) + 0.05) / (min(light, other_light) + 0.05)
            assert hatch != other_hatch or ratio > 1.7


def test_a_key_without_room_goes_on_in_a_further_line() -> None:
    lines = arrange_key(OUTCOMES, 3.0)
    assert [name for line in lines for _, name in line] == list(OUTCOMES)
    assert len(lines) > 1
    assert {line[0][0] for line in lines} == {0.0}


def test_no_run_is_no_chart() -> None:
    assert chart_outcomes([]) is None
