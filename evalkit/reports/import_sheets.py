"""The replies that evalkit and the tool that asked score differently, as a sheet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from evalkit.answers import name_pick
from evalkit.prompts import build_labels
from evalkit.reports.report import Report
from evalkit.reports.sheets import Column, Kind, Sheet, Value
from evalkit.reports.wording import first_words
from evalkit.source_scores import list_differences

MOST_ROWS = 1000
"""Rows for people; files for programs hold all of them."""

WIDTH = 200
"""Characters of a question or a reply in them."""

DIFFERENCE = (
    Column(name="run", title="Run"),
    Column(name="name", title="Name"),
    Column(name="source_id", title="Id in the log"),
    Column(name="question_id", title="Id"),
    Column(name="sample", title="Sample", kind=Kind.COUNT),
    Column(name="question", title="Question"),
    Column(name="right", title="Right"),
    Column(name="outcome", title="Outcome"),
    Column(name="choice", title="Picked"),
    Column(name="score", title="evalkit's score", kind=Kind.COUNT),
    Column(name="source_score", title="The tool's score", kind=Kind.NUMBER),
    Column(name="source_answer", title="The tool's reading"),
    Column(name="reply", title="Reply"),
)


def list_difference_rows(report: Report) -> Iterator[tuple[Value, ...]]:
    """The cells below `DIFFERENCE`, one row after the other; none of runs that evalkit asked."""
    for number, (name, run) in enumerate(zip(report.names, report.runs, strict=True), 1):
        for each in list_differences(run):
            labels = build_labels(len(each.question.choices), run.manifest.prompt.labels)
            choice = each.answer.choice
            yield (
                f"({number})",
                name,
                each.question_id,
                each.question.id,
                each.sample_index + 1,
                each.question.stem,
                name_pick(each.question.right, labels),
                each.answer.outcome.value,
                None if choice is None else name_pick(choice, labels),
                int(each.correct),
                each.score,
                each.source_answer,
                each.reply,
            )


def list_import_sheets(report: Report) -> Iterator[Sheet]:
    """The sheet for people, if there are any."""
    rows = list_difference_rows(report)
    shown = tuple(tuple(map(shorten, row)) for row in islice(rows, MOST_ROWS))
    left = sum(1 for _ in rows)
    title = "Replies that evalkit scores differently from the tool that asked"
    if left:
        title += (
            f": the first {MOST_ROWS:,} of {MOST_ROWS + left:,}; .xlsx and .csv (--rows "
            "differences) have all"
        )
    if shown:
        yield Sheet(
            name="differences",
            head="Scored differently",
            title=title,
            columns=DIFFERENCE,
            rows=shown,
        )


def shorten(value: Value) -> Value:
    """A cell in one line that people read through."""
    return first_words(value, WIDTH) if isinstance(value, str) else value
