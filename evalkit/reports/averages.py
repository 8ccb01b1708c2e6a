"""Scores on several benchmarks, and their means, as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evalkit.reports.tables import clean, find_width, new_table, percent, render_table
from evalkit.reports.text import describe_way
from evalkit.reports.wording import bracket, points, several, wrap

if TYPE_CHECKING:
    from rich.table import Table

    from evalkit.averages import Average, SuiteScore
    from evalkit.comparisons import Comparison

WIDTH_OF_NAME, WIDTH_OF_SCORE = 30, 12
"""Columns of text that a name and a score may take."""


def build_averages(comparison: Comparison) -> Iterator[Table]:
    """One row a contestant: its score on each benchmark, and the mean of these."""
    names = [each.benchmark for each in comparison.benchmarks]
    beside = max(1, (find_width() - WIDTH_OF_NAME) // (WIDTH_OF_SCORE + 2))
    for start in range(0, len(names), beside):
        table = new_table(
            "Accuracy in percent by benchmark",
            left=("Run",),
            right=tuple(map(clean, names[start : start + beside])),
        )
        for each in comparison.averages:
            scores = each.scores[start : start + beside]
            table.add_row(clean(each.name), *map(percent, scores))
        yield table
    yield build_means(comparison.averages, len(names))


def render_suites(scores: Sequence[SuiteScore]) -> str:
    """One row for each suite, model and way: the mean of the benchmarks' accuracies."""
    table = new_table(
        wrap(
            "Mean accuracy of a suite in percent, each benchmark counting alike, with its own "
            "standard error and 95 % interval"
        ),
        left=("Suite", "Model", "Way"),
        right=("Benchmarks", "Questions", "Mean", "SE", "Interval"),
    )
    for each in scores:
        table.add_row(
            clean(each.suite),
            clean(each.model),
            describe_way(each.asked),
            str(len(each.runs)),
            f"{sum(run.summary.asked for run in each.runs):,}",
            percent(None if each.macro is None else each.macro.estimate),
            "-" if each.error is None else points(each.error),
            bracket(each.macro),
        )
    notes = [note for each in scores for note in note_gaps(each)]
    return render_table(table) + "".join(f"{note}\n" for note in notes)


def note_gaps(score: SuiteScore) -> Iterator[str]:
    """What keeps the mean of a suite from being one over all its questions."""
    who = f"{clean(score.suite)}, {clean(score.model)}"
    if score.lacking:
        yield f"{who}: nothing came of {clean(several(score.lacking))}"
    elif not score.is_complete:
        yield f"{who}: incomplete, some questions have no reply"


def build_means(averages: Sequence[Average], benchmarks: int) -> Table:
    """One row a contestant: the mean over benchmarks."""
    table = new_table(
        wrap(
            f"Mean over {benchmarks} benchmarks, each counting alike, with its own 95 % interval; "
            "difference from the baseline in points, paired by question"
        ),
        left=("Run",),
        right=("Mean", "Interval", "Difference", "Interval"),
    )
    for each in averages:
        table.add_row(
            clean(each.name),
            percent(None if each.macro is None else each.macro.estimate),
            bracket(each.macro),
            "-" if each.difference is None else points(each.difference.estimate, signed=True),
            bracket(each.difference),
        )
    return table
