"""The heat map has every accuracy in its cell, and cuts what no page has room for."""

from __future__ import annotations

from dataclasses import replace

from evalkit.questions import Question
from evalkit.reports.charts.chart import Chart
from evalkit.reports.charts.heat_map import MOST_CELLS, chart_benchmarks, chart_subjects
from evalkit.reports.charts.rows import MOST_ROWS
from evalkit.reports.charts.themes import DARK, LIGHT, PRINT, THEMES, measure_luminance
from evalkit.results import Run
from tests.charted_runs import SUBJECTS, graded_run
from tests.drawn import boxes, check_words, panels, words
from tests.runs_in_memory import judged_run


def subjects(*runs: Run) -> Chart:
    """The chart of runs of one benchmark."""
    found = chart_subjects(runs)
    assert found is not None
    check_words(found)
    return found


def cells(chart: Chart) -> dict[tuple[float, float], tuple[str, bool]]:
    """The numbers by column and row, and whether they are bold."""
    [panel] = panels(chart)
    found = {}
    for text in panel.texts:
        x, y = text.get_position()
        if x >= 0 and y >= 0:
            found[x, y] = str(text.get_label()), text.get_fontweight() == "bold"
    return found


def test_every_cell_is_the_accuracy_of_a_run_in_a_subject() -> None:
    runs = [graded_run("a", 0.5), graded_run("b", 0.8)]
    found = cells(subjects(*runs))
    assert len(found) == 10
    for column, run in enumerate(runs):
        for row, group in enumerate(run.groups):
            assert group.mean is not None
            assert found[column, row][0] == f"{100 * group.mean:.1f}"


def test_the_highest_of_a_subject_is_bold() -> None:
    runs = [graded_run("a", 0.5), graded_run("b", 0.8)]
    found = cells(subjects(*runs))
    assert all(not found[0, row][1] and found[1, row][1] for row in range(5))
    assert subjects(*runs).title == "exam: b has the highest accuracy in 5 of 5 subjects"


def test_rows_and_columns_are_named() -> None:
    [panel] = panels(subjects(graded_run("a", 0.5), graded_run("b", 0.8)))
    assert {"a", "b", *SUBJECTS} <= set(words(panel))


def test_one_run_has_no_highest() -> None:
    run = graded_run("a", 0.5)
    found = subjects(run)
    assert not any(is_bold for _, is_bold in cells(found).values())
    assert "Bold" not in found.caption
    means = {group.name: group.mean or 0.0 for group in run.groups}
    low, high = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    assert found.title == (
        f"exam: the accuracy is between {100 * means[low]:.1f} % ({low}) and "
        f"{100 * means[high]:.1f} % ({high})"
    )


def test_benchmarks_are_rows_and_what_was_not_asked_is_empty() -> None:
    outcomes = ["correct", "wrong"]
    runs = [
        judged_run("a", outcomes, benchmark="one"),
        judged_run("b", ["correct", "correct"], benchmark="one"),
        judged_run("a", ["wrong", "wrong"], benchmark="two"),
    ]
    found = chart_benchmarks(runs)
    assert found is not None
    check_words(found)
    numbers = {place: text for place, (text, _) in cells(found).items()}
    assert numbers == {(0, 0): "50.0", (1, 0): "100.0", (0, 1): "0.0", (1, 1): "-"}


def test_one_benchmark_or_one_subject_is_no_table() -> None:
    assert chart_benchmarks([graded_run("a", 0.5), graded_run("b", 0.5)]) is None
    assert chart_subjects([graded_run("a", 0.5, subjects=["one"])]) is None
    two = [judged_run("a", ["correct"], benchmark="one"), judged_run("b", ["wrong"], benchmark="x")]
    assert chart_benchmarks(two) is None


def test_the_caption_gives_n_and_says_that_cells_have_no_intervals() -> None:
    found = subjects(graded_run("a", 0.5, 203))
    assert "n = 40 to 41 questions in a cell." in found.caption
    assert "Cells have no intervals here" in found.caption


def test_higher_accuracies_have_the_stronger_colour() -> None:
    for theme in THEMES.values():
        [panel] = panels(subjects(graded_run("a", 0.2), graded_run("b", 0.9)), theme)
        colours = [colour for _, _, colour in boxes(panel)]
        against_paper = [
            abs(measure_luminance(colour) - measure_luminance(theme.paper)) for colour in colours
        ]
        assert max(against_paper[::2]) < min(against_paper[1::2])


def test_of_too_many_subjects_those_farthest_apart_are_shown() -> None:
    many = [f"s{number:03}" for number in range(100)]
    runs = [graded_run(name, share, 500, subjects=many) for name, share in (("a", 0.4), ("b", 0.7))]
    found = subjects(*runs)
    assert f"The {MOST_ROWS} of 100 subjects in which runs are farthest apart." in found.caption
    assert found.title.endswith(" of 100 subjects")
    assert len(cells(found)) == 2 * MOST_ROWS
    apart = {
        one.name: abs((one.mean or 0) - (other.mean or 0))
        for one, other in zip(runs[0].groups, runs[1].groups, strict=True)
    }
    [panel] = panels(found)
    shown = set(words(panel)) & set(apart)
    assert min(apart[name] for name in shown) >= max(apart[n] for n in set(many) - shown)


def test_many_runs_are_cut_and_their_names_turned() -> None:
    runs = [graded_run(f"a-model-with-a-name-{number}", 0.5, 50) for number in range(25)]
    found = subjects(*runs)
    assert "The first 20 of 25 runs." in found.caption
    assert len(cells(found)) == 100 < MOST_CELLS
    [panel] = panels(found)
    assert {text.get_rotation() for text in panel.texts} == {0, 45}


def test_a_run_without_replies_has_empty_cells() -> None:
    run = graded_run("a", 0.5, 3, subjects=["x", "y"])
    silent = judged_run("b", ["failed"] * 3, benchmark="exam", shape=in_two_subjects)
    assert {text for (x, _), (text, _) in cells(subjects(run, silent)).items() if x == 1} == {"-"}
    alone = subjects(silent)
    assert alone.title == "exam: no reply in 2 subjects"
    assert "n = 0 questions in a cell." in alone.caption


def in_two_subjects(question: Question) -> Question:
    """A question of x or y."""
    return replace(question, group="xy"[int(question.id[1:]) % 2])


def test_where_each_leads_somewhere_none_is_named() -> None:
    names = "abcd"
    runs = [
        judged_run(
            name,
            ["correct" if other == name else "wrong" for other in names],
            shape=lambda question: replace(question, group=question.id),
        )
        for name in names
    ]
    assert subjects(*runs).title == "sums: no run has the highest accuracy in most of 4 subjects"


def test_colours_of_themes_differ() -> None:
    assert len({theme.low for theme in (LIGHT, DARK, PRINT)}) == 3
