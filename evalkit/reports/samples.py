"""Scores by question as lines of JSON, in the form in which lm-evaluation-harness logs samples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
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

OWN = "evalkit"
"""The tool that asked, if it was no other."""

INVALID = "[invalid]"
"""What the tool's filters make of a reply in which they find nothing."""


def list_samples(run: Run) -> Iterator[bytes]:
    """A line for each question of a run.

    Beside the tool's own fields stand `task`, `model`, `outcomes`, and who asked, so that
    `evalkit import` makes the same run of them. `acc` is the share of correct replies by evalkit's
    reading; a question without a reply has null, for it is not wrong. The score of the tool that
    asked is in `source_scores`, a reply at a time.
    """
    for number, (_, scores) in enumerate(groupby(run.scores, key=lambda s: s.question.id)):
        yield encode_json(describe_sample(run, number, list(scores))) + b"\n"


def name_files(report: Report, path: Path) -> list[Path]:
    """The files of a report's runs, one each, as the tool has them.

    Several have their run's number in the name: ids of questions are numbers within a file.
    """
    if len(report.runs) == 1:
        return [path]
    numbers = range(1, len(report.runs) + 1)
    return [path.with_name(f"{path.stem}-{number}{path.suffix}") for number in numbers]


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
        "run": run.manifest.identity.run_id,
        "right": list(question.right),
        "outcomes": [score.answer.outcome.value for score in scores],
        "picked": [list_picked(score) for score in scores],
        **describe_source(run, scores),
    }


def describe_source(run: Run, scores: Sequence[Score]) -> dict[str, Any]:
    """Who asked, and what of each reply."""
    identity, manifest = run.manifest.identity, run.manifest
    asked: dict[str, Any] = {
        "benchmark_version": identity.benchmark_version,
        "way": identity.way,
        "several": identity.several,
        "shots": identity.shots,
    }
    origin = identity.origin
    if origin is None:
        return {"asked_by": {"tool": OWN, "version": manifest.evalkit_version, **asked}}
    asked |= {"part": origin.part, "score": origin.score, "evidence": origin.evidence}
    notes = [None if score.row is None else score.row.source for score in scores]
    return {
        "asked_by": {"tool": origin.tool, "version": origin.version, **asked},
        "source_id": next((note.id for note in notes if note is not None), None),
        "source_scores": [None if note is None else note.score for note in notes],
        "source_answers": [None if note is None else note.answer for note in notes],
    }


def list_picked(score: Score) -> list[int] | None:
    """What was picked by its position in the set's own order, from 0; None: nothing."""
    choice = score.answer.choice
    return [choice] if isinstance(choice, int) else None if choice is None else list(choice)


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
