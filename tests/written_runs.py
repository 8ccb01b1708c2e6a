"""Runs in folders that no model was asked for: every word of them can be chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evalkit.models.model import Price
from evalkit.orders import design_of
from evalkit.prompts import PromptFormat
from evalkit.questions import Order, Question, QuestionSet, digest_of
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.runs.folder import create_run_folder
from evalkit.runs.journal import JournalRow, encode_line
from evalkit.runs.manifest import Identity, Manifest

Result = Response | RequestFailure | None
"""None: not asked."""


def respond(text: str, **fields: Any) -> Response:
    """A response with ordinary circumstances."""
    plain: dict[str, Any] = {
        "stop_reason": "end_turn",
        "model": "served-1",
        "usage": Usage(input_tokens=40, output_tokens=3),
        "message_id": "msg_1",
        "request_id": "req_1",
    }
    return Response(text=text, **plain | fields)


def write_run(
    results: Path,
    questions: Sequence[Question],
    answer: Callable[[Question, Order | None, int], Result],
    *,
    model: str = "model-a",
    benchmark: str = "exam",
    form: PromptFormat | None = None,
    examples: Sequence[Question] = (),
    manifest: dict[str, Any] | None = None,
    **identity: Any,
) -> Path:
    """Write a run's folder.

    Args:
        results: the folder of all runs.
        questions: that were asked.
        answer: what came for a question in some order of its choices, and its sample.
        model: that was asked.
        benchmark: its name.
        form: how questions were written out.
        examples: the set's worked examples.
        manifest: what else is different in the manifest.
        identity: what else is different in the run's identity.
    """
    form = form or PromptFormat()
    question_set = QuestionSet(questions=tuple(questions), examples=tuple(examples))
    facts: dict[str, Any] = {
        "benchmark": benchmark,
        "benchmark_version": "1",
        "question_digest": question_set.digest,
        "model": model,
        "endpoint": "api.example",
        "way": "prefill",
        "prompt_digest": form.digest,
        "shots": 0,
        "parameters": {"max_tokens": 1, "temperature": 0.0},
        "api_version": "2023-06-01",
        "limit": None,
        "seed": 0,
    }
    known = Manifest(
        identity=Identity(**facts | identity),
        prompt=form,
        questions=len(questions),
        price=Price(input=1.0, output=5.0, cache_read=0.1),
        **(manifest or {}),
    )
    folder = create_run_folder(results, known, tuple(questions), tuple(examples))
    design = design_of(known.identity)
    with folder.journal_path.open("wb") as file:
        for question in questions:
            for order in design.list_orders(question):
                for sample in range(design.samples):
                    result = answer(question, order, sample)
                    if result is None:
                        continue
                    # No digest of the request: of texts with half characters there is none.
                    row = JournalRow(
                        request_id=digest_of(question.id, str(order), str(sample))[:40],
                        question_id=question.id, way=known.identity.way, result=result,
                        sample_index=sample, order=order, seconds=0.25, finished_at=1.79e9,
                    )  # fmt: skip
                    file.write(encode_line(row) + b"\n")
    return folder.path
