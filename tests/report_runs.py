"""Runs to report on: three models, five subjects, and replies of every kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.questions import Question
from evalkit.reports.report import Report, build_report
from evalkit.responses import RequestFailure
from evalkit.results import Run
from evalkit.runs.journal import JournalRow
from evalkit.scores import Score
from tests.runs_in_memory import judged_run, run_of_scores

SUBJECTS = ("art", "biology", "chemistry", "history", "law")
MODELS = ("model-a", "model-b", "model-c")

N = 100
"""Questions of each run."""

NAME = 1000
"""Characters of a hostile text that go into names."""


def subject_of(question: Question) -> Question:
    """The question with its subject."""
    return replace(question, group=SUBJECTS[int(question.id.removeprefix("q")) % len(SUBJECTS)])


def outcome_of(number: int, skill: int) -> str:
    """What a model of some skill, in percent, makes of a question."""
    if number % 33 == 7:
        return ("unparsed", "refused", "truncated")[number % 3]
    return "correct" if number * 37 % 100 < skill else "wrong"


def run_of_model(place: int, benchmark: str = "exam", **changes: Any) -> Run:
    """A complete run of one of the models."""
    outcomes = [outcome_of(number + 7 * place, 40 + 22 * place) for number in range(N)]
    return judged_run(MODELS[place], outcomes, benchmark=benchmark, shape=subject_of, **changes)


def three_runs(benchmark: str = "exam") -> list[Run]:
    """One run of each model."""
    return [run_of_model(place, benchmark) for place in range(len(MODELS))]


def report_of_three(**changes: Any) -> Report:
    """A report about them."""
    return build_report(three_runs(), **changes)


def hostile_runs(text: str) -> list[Run]:
    """Two runs that hold a text in every field that comes from outside."""
    return [
        fill(
            judged_run(
                f"m{place}{text[:NAME]}", outcomes, benchmark=f"set{text[:NAME]}", shape=taint(text)
            ),
            text,
        )
        for place, outcomes in enumerate(
            (["correct", "wrong"] * 3, ["correct"] * 4 + ["failed"] * 2)
        )
    ]


def taint(text: str) -> Callable[[Question], Question]:
    """A way to put a text into a question."""

    def change(question: Question) -> Question:
        return replace(
            question,
            id=f"{question.id}{text[:NAME]}",
            stem=text or "?",
            choices=(text or "a", "b", f"c{text}", "d"),
            group=f"{text[:NAME]}{int(question.id.removeprefix('q')) % 2}",
        )

    return change


def fill(run: Run, text: str) -> Run:
    """The run with a text in its replies and failures."""
    scores = [
        replace(score, row=None if score.row is None else speak(score.row, text))
        for score in run.scores
    ]
    # Folders have names of their own, whatever the models' are.
    path = Path("results", run.manifest.identity.run_id)
    return run_of_scores(scores, run.manifest, path=path)


def speak(row: JournalRow, text: str) -> JournalRow:
    """A row whose reply or failure says a text."""
    result = row.result
    if isinstance(result, RequestFailure):
        return replace(row, result=replace(result, message=text))
    return replace(row, result=replace(result, text=text))


def scores_of(run: Run) -> list[Score]:
    """All that came."""
    return [score for score in run.scores if score.row is not None]
