"""Scores by question as lines of JSON, in the form in which lm-evaluation-harness logs samples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from evalkit.answers import name_pick
from evalkit.json_text import encode_json
from evalkit.prompts import build_labels, render_question
from evalkit.reports.report import Report
from evalkit.responses import Response
from evalkit.results import Run
from evalkit.scores import Score, share_correct

FILTER = "evalkit"
"""Of the tool's filters, evalkit's reading is one more."""

INVALID = "[invalid]"
"""What the tool's filters make of a reply in which they find nothing."""


def list_samples(report: Report) -> Iterator[bytes]:
    """A line for each question of each run.

    Beside the tool's own fields stand `task`, `model` and `outcomes`, since a file may hold several
    runs. `acc` is the share of correct replies; a question without a reply has null, for it is not
    wrong.
    """
    for run in report.runs:
        for number, (_, scores) in enumerate(groupby(run.scores, key=lambda s: s.question.id)):
            yield encode_json(describe_sample(run, number, list(scores))) + b"\n"


def describe_sample(run: Run, number: int, scores: Sequence[Score]) -> dict[str, Any]:
    """What came of one question."""
    question, form = scores[0].question, run.manifest.prompt
    labels = build_labels(len(question.choices), form.labels)
    target = name_pick(question.right, labels)
    doc = {
        "id": question.id,
        "question": question.stem,
        "choices": list(question.choices),
        "answer": target,
        "subject": question.group,
    }
    prompt = render_question(question, form)
    return {
        "doc_id": number,
        "doc": doc,
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {}}},
        "resps": [[text_of(score, labels) for score in scores]],
        "filtered_resps": [name_answer(score, labels) for score in scores],
        "filter": FILTER,
        "metrics": ["acc"],
        "doc_hash": digest(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": digest(prompt),
        "target_hash": digest(target),
        "acc": share_correct(scores),
        "task": run.manifest.identity.benchmark,
        "model": run.manifest.identity.model,
        "outcomes": [score.answer.outcome.value for score in scores],
    }


def text_of(score: Score, labels: Sequence[str]) -> str | None:
    """The reply, or what was read of it where that can't be told from the text; None: none came."""
    if score.row is None or not isinstance(score.row.result, Response):
        return None
    if score.row.reading is not None or score.order is not None:
        return name_answer(score, labels)
    return score.row.result.text or score.row.result.tool_input or ""


def name_answer(score: Score, labels: Sequence[str]) -> str:
    """The label that was picked, by the set's own order of the choices."""
    choice = score.answer.choice
    return INVALID if choice is None else name_pick(choice, labels)


def digest(text: str) -> str:
    """SHA-256 of a text, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
