"""Charts of differences show those of the comparison, and what is said of them is true of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evalkit.comparisons import Comparison, ComparisonOptions, compare
from evalkit.reports.charts.chart import Chart
from evalkit.reports.charts.differences import chart_differences, chart_pair
from evalkit.reports.charts.rows import MOST_ROWS
from evalkit.reports.charts.themes import LIGHT
from evalkit.results import Run
from tests.charted_runs import graded_run
from tests.drawn import boxes, check_words, data, dots, is_hollow, panels, strokes, words
from tests.runs_in_memory import judged_run


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    return [graded_run("a", 0.6, 400), graded_run("b", 0.67, 400), graded_run("c", 0.61, 400)]


def pair_chart(comparison: Comparison) -> Chart:
    """The chart of the only pair."""
    [pair] = comparison.pairs
    found = chart_pair(pair, comparison.benchmarks[0].benchmark)
    check_words(found)
    return found


def counted(losses: int, gains: int, n: int = 100) -> list[Run]:
    """Two runs with so many losses and gains."""
    rest = n - losses - gains
    return [
        judged_run("a", ["correct"] * losses + ["wrong"] * gains + ["correct"] * rest),
        judged_run("b", ["wrong"] * losses + ["correct"] * gains + ["correct"] * rest),
    ]


def test_a_pair_is_drawn_over_all_questions_and_by_subject(runs: list[Run]) -> None:
    comparison = compare(runs[:2])
    [pair] = comparison.pairs
    [panel] = panels(pair_chart(comparison))
    subjects = sorted(each.candidate - each.baseline for each in pair.subjects)
    expected = [pair.candidate.mean - pair.baseline.mean, *subjects]
    assert [x for x, _ in dots(panel)] == pytest.approx([100 * each for each in expected])
    assert [y for _, y in dots(panel)] == list(range(6))


def test_bars_are_the_intervals_of_the_differences(runs: list[Run]) -> None:
    comparison = compare(runs[:2])
    [pair] = comparison.pairs
    [panel] = panels(pair_chart(comparison))
    drawn = [x for x, y in strokes(panel, [LIGHT.accent, LIGHT.weak]) if y[0] == y[1]]
    ordered = sorted(pair.subjects, key=lambda each: each.candidate - each.baseline)
    intervals = [pair.accuracy.interval, *(each.difference.interval for each in ordered)]
    ends = [[100 * each.low, 100 * each.high] for each in intervals if each is not None]
    assert drawn == [pytest.approx(each) for each in ends]
    assert len(ends) == 6


def test_subjects_that_are_found_are_marked_and_the_others_are_pale() -> None:
    outcomes = {"a": ["wrong", "correct", "wrong"] * 30, "b": ["correct"] * 89 + ["wrong"]}
    outcomes["b"][2::3] = ["wrong"] * 29 + ["correct"]
    pair = [
        judged_run(name, each, shape=lambda q: replace(q, group=f"s{int(q.id[1:]) % 3}"))
        for name, each in outcomes.items()
    ]
    [panel] = panels(pair_chart(compare(pair)))
    [found] = [text for text in words(panel) if text.endswith(" *")]
    assert found.startswith("+100.0 [")
    pale = [y[0] for line in panel.lines if line.get_color() == LIGHT.weak for _, y in [data(line)]]
    # Each has a bar and a dot; s0 comes last.
    assert sorted(pale) == [1, 1, 2, 2]


def test_zero_is_marked(runs: list[Run]) -> None:
    [panel] = panels(pair_chart(compare(runs[:2])))
    assert ([0, 0], [-0.5, 5.5]) in strokes(panel, [LIGHT.ink])


def test_the_margin_is_a_band_below_zero(runs: list[Run]) -> None:
    found = pair_chart(compare(runs[:2], options=ComparisonOptions(margin=0.03)))
    [panel] = panels(found)
    assert (-3.0, 3.0, LIGHT.band) in boxes(panel)
    assert "Shaded: drops within the margin of 3.0 points." in found.caption
    assert "The verdict stands on the 90 % Tango interval" in found.caption
    [plain] = panels(pair_chart(compare(runs[:2])))
    assert boxes(plain) == []


TITLES = {
    "above": (2, 20, None, "b is 18.0 points above a on sums {ends}"),
    "below": (20, 2, None, "b is 18.0 points below a on sums, difference -18.0 {ends}"),
    "chance": (5, 6, None, "b is 1.0 points above a on sums {ends}, which may be chance"),
    "none": (4, 4, None, "b and a are 0.0 points apart on sums {ends}"),
    "regressed": (
        20,
        2,
        0.02,
        "Regressed by more than 2.0 points: b is 18.0 points below a on sums, difference -18.0 "
        "{ends}",
    ),
    "passed": (
        2,
        20,
        0.02,
        "No regression beyond 2.0 points: b is 18.0 points above a on sums {ends}",
    ),
    "open": (
        5,
        6,
        0.02,
        "Inconclusive at a margin of 2.0 points: b is 1.0 points above a on sums {ends}, which "
        "may be chance",
    ),
}


@pytest.mark.parametrize("case", TITLES)
def test_the_title_of_a_pair_says_how_far_apart_it_is(case: str) -> None:
    losses, gains, margin, title = TITLES[case]
    comparison = compare(counted(losses, gains), options=ComparisonOptions(margin=margin))
    interval = comparison.pairs[0].accuracy.interval
    assert interval is not None
    ends = f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    assert pair_chart(comparison).title == title.format(ends=ends)


def test_a_difference_that_is_clear_only_alone_may_be_chance_among_several() -> None:
    first, second = counted(4, 13)
    others = [replace_name(second, name) for name in "cdefgh"]
    comparison = compare([first, second, *others])
    assert comparison.pairs[0].accuracy.interval is not None
    assert not comparison.pairs[0].accuracy.interval.contains(0)
    found = chart_pair(comparison.pairs[0], "sums")
    assert found.title.endswith(", which may be chance as one of several comparisons (Holm)")
    assert "p = 0.031 (McNemar mid-p), = 0.216 for all comparisons (Holm)." in found.caption


def replace_name(run: Run, name: str) -> Run:
    """The same run of another model."""
    identity = replace(run.manifest.identity, model=name)
    found = replace(
        run, manifest=replace(run.manifest, identity=identity), path=run.path.with_name(name)
    )
    vars(found).update(rows=run.rows, scores=run.scores)
    return found


def test_the_caption_gives_n_method_level_and_test(runs: list[Run]) -> None:
    caption = pair_chart(compare(runs[:2])).caption
    assert "95 % Tango interval for questions like these; n = 80 to 400 questions." in caption
    assert "p < 0.001 (McNemar mid-p)." in caption
    assert "at most about 1 in 10 is chance (Benjamini-Hochberg at 10 %)" in caption


def test_questions_in_one_cluster_leave_a_hollow_dot_without_an_interval() -> None:
    together = [
        judged_run(name, outcomes, shape=lambda question: replace(question, cluster="c"))
        for name, outcomes in {"a": ["correct"] * 3, "b": ["correct", "wrong", "wrong"]}.items()
    ]
    found = pair_chart(compare(together))
    assert found.title.endswith(
        "; all questions share one cluster, which leaves open whether that is chance"
    )
    [panel] = panels(found)
    assert dots(panel) == [(pytest.approx(-200 / 3), 0)]
    assert is_hollow(panel, 0)


def test_all_pairs_stand_together(runs: list[Run]) -> None:
    comparison = compare(runs)
    found = chart_differences(comparison)
    assert found is not None
    check_words(found)
    [panel] = panels(found)
    expected = [100 * (pair.candidate.mean - pair.baseline.mean) for pair in comparison.pairs]
    assert [x for x, _ in dots(panel)] == pytest.approx(expected)
    assert "exam, from a" in words(panel)
    assert found.title == "Of 2 differences, 1 is beyond chance: 1 above the baseline, 0 below"
    assert "p: McNemar mid-p, by Holm's method" in found.caption


def test_all_pairs_of_a_ranking_name_both_runs(runs: list[Run]) -> None:
    found = chart_differences(compare(runs, options=ComparisonOptions(all_pairs=True)))
    assert found is not None
    [panel] = panels(found)
    assert {"b - a", "c - a", "c - b"} <= set(words(panel))
    assert found.title == "Of 3 differences, 2 are beyond chance"


def test_verdicts_are_counted_where_a_margin_was_given(runs: list[Run]) -> None:
    found = chart_differences(compare(runs, options=ComparisonOptions(margin=0.02)))
    assert found is not None
    assert found.title == (
        "Of 2 comparisons, 0 say regressed, 1 no regression beyond the margin, 1 are inconclusive"
    )


def test_nothing_beyond_chance_is_said_so() -> None:
    first, second = counted(5, 6)
    found = chart_differences(compare([first, second, replace_name(second, "c")]))
    assert found is not None
    assert found.title == "Of 2 differences, none is shown to be beyond chance"


def test_what_may_be_chance_is_grey_and_the_caption_says_so(runs: list[Run]) -> None:
    found = chart_differences(compare(runs))
    assert found is not None
    [panel] = panels(found)
    assert [line.get_color() for line in panel.lines if data(line)[1] == [2.0]] == [LIGHT.weak]
    assert "Grey: may be chance, at 5 %." in found.caption
    assert "Grey" not in chart_of_all_clear().caption


def chart_of_all_clear() -> Chart:
    """Three runs that are far apart."""
    far = [judged_run(name, ["correct"] * n + ["wrong"] * (90 - n)) for name, n in FAR]
    found = chart_differences(compare(far))
    assert found is not None
    return found


FAR = (("a", 10), ("b", 40), ("c", 80))


def test_a_pair_that_may_be_chance_is_grey() -> None:
    [panel] = panels(pair_chart(compare(counted(5, 6))))
    assert {line.get_color() for line in panel.lines} == {LIGHT.weak, LIGHT.ink, LIGHT.grid}


def test_a_single_pair_is_left_to_its_own_chart(runs: list[Run]) -> None:
    assert chart_differences(compare(runs[:2])) is None


def test_of_too_many_subjects_the_lowest_and_the_highest_are_shown() -> None:
    subjects = [f"s{number:03}" for number in range(200)]
    pair = [graded_run(name, share, 1000, subjects=subjects) for name, share in AB]
    comparison = compare(pair)
    found = pair_chart(comparison)
    assert "Of 200 subjects, the 29 with the lowest and the 29 with the highest" in found.caption
    [panel] = panels(found)
    assert len(dots(panel)) == 59 < MOST_ROWS
    values = sorted(each.candidate - each.baseline for each in comparison.pairs[0].subjects)
    assert dots(panel)[1][0] == pytest.approx(100 * values[0])
    assert dots(panel)[-1][0] == pytest.approx(100 * values[-1])


AB = (("a", 0.6), ("b", 0.7))


def test_57_subjects_are_all_shown() -> None:
    subjects = [f"s{number:03}" for number in range(57)]
    pair = [graded_run(name, share, 570, subjects=subjects) for name, share in AB]
    [panel] = panels(pair_chart(compare(pair)))
    assert len(dots(panel)) == 58
