"""Runs without a folder, for tests of what is said about them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.answers import Answer, Outcome
from evalkit.prompts import PromptFormat
from evalkit.questions import Question, QuestionSet
from evalkit.requests import Way
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.results import Run
from evalkit.runs.journal import JournalRow
from evalkit.runs.manifest import Identity, Manifest
from evalkit.scores import Score
from evalkit.tallies import tally_rows


def run_of_scores(
    scores: Sequence[Score],
    manifest: Manifest,
    *,
    path: Path = Path("results/x"),
    garbled_lines: tuple[int, ...] = (),
) -> Run:
    """A run of these scores, whatever the words of their replies are."""
    rows = tuple(row_of_score(score) for score in scores if score.row is not None)
    questions = tuple({score.question.id: score.question for score in scores}.values())
    run = Run(
        path=path,
        manifest=manifest,
        questions=questions,
        tally=tally_rows(rows, manifest, questions),
        garbled_lines=garbled_lines,
    )
    # What is read from the folder when it is first used.
    vars(run).update(rows=rows, scores=tuple(scores))
    return run


def row_of_score(score: Score) -> JournalRow:
    """The row of a score, with its answer as what was read."""
    assert score.row is not None
    is_read = isinstance(score.row.result, Response)
    return replace(score.row, reading=score.answer) if is_read else score.row


def judged_run(
    name: str,
    outcomes: Mapping[str, str] | Sequence[str],
    *,
    benchmark: str = "sums",
    way: Way = "prefill",
    samples: int = 1,
    shape: Callable[[Question], Question] = lambda question: question,
    prompt: PromptFormat | None = None,
    evalkit_version: str = "1.0",
    **identity: Any,
) -> Run:
    """A run whose questions have four choices, of which the first is right.

    Args:
        name: of its model and its folder.
        outcomes: "correct", "wrong" or the name of another outcome for each response; by question,
            or in order, then the questions are q0, q1, ...
        benchmark: its name.
        way: how it was asked.
        samples: responses to each question, one after the other.
        shape: what to make of each question, such as to give it a subject.
        prompt: None: the plain one.
        evalkit_version: that asked.
        identity: what else is different about it.
    """
    if not isinstance(outcomes, Mapping):
        outcomes = {
            f"q{number}": " ".join(outcomes[number * samples : (number + 1) * samples])
            for number in range(len(outcomes) // samples)
        }
    scores = []
    for key, words in outcomes.items():
        question = shape(
            Question(id=key, stem=f"What of {key}?", choices=("a", "b", "c", "d"), right=(0,))
        )
        for sample, word in enumerate(words.split()):
            picked = {"correct": 0, "wrong": 1}.get(word)
            outcome = Outcome.ANSWERED if picked is not None else Outcome(word)
            result: Response | RequestFailure = Response(
                text="", stop_reason=None, model=identity.get("model", name), usage=Usage()
            )
            if outcome is Outcome.FAILED:
                result = RequestFailure(kind="overloaded", message="Overloaded (status 529)")
            row = JournalRow(
                request_id=f"{key}-{sample}", question_id=question.id, way=way, result=result,
                sample_index=sample,
            )  # fmt: skip
            scores.append(
                Score(
                    question=question,
                    answer=Answer(outcome=outcome, choice=picked),
                    row=None if outcome is Outcome.NOT_ASKED else row,
                    sample_index=sample,
                )
            )
    questions = tuple({score.question.id: score.question for score in scores}.values())
    form = prompt or PromptFormat()
    facts: dict[str, Any] = {
        "benchmark": benchmark,
        "benchmark_version": "1",
        "question_digest": QuestionSet(questions=questions).digest,
        "model": name,
        "endpoint": "api.example",
        "way": way,
        "prompt_digest": form.digest,
        "shots": 0,
        "parameters": {"max_tokens": 1, "temperature": 0.0},
        "api_version": "2023-06-01",
        "limit": None,
        "seed": 0,
        "samples": samples,
    }
    manifest = Manifest(
        identity=Identity(**facts | identity),
        prompt=form,
        questions=len(questions),
        evalkit_version=evalkit_version,
    )
    # A folder's name can't hold everything that a model's may.
    folder = re.sub("[\0\ud800]", "", f"{benchmark}-{name}")
    return run_of_scores(scores, manifest, path=Path("results", folder))
