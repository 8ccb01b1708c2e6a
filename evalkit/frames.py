"""A run as tables of pandas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from evalkit.prompts import PromptFormat, build_labels, name_places
from evalkit.questions import Question
from evalkit.responses import RequestFailure
from evalkit.runs.manifest import Manifest
from evalkit.scores import Score
from evalkit.tallies import USAGE_FIELDS, Tally

if TYPE_CHECKING:
    import pandas

COLUMNS = (
    *("question_id", "order", "sample", "group", "benchmark", "model", "way", "outcome"),
    *("choice", "right", "shown_right", "correct", "partial", "text"),
    *("stop_reason", "refusal_category", "model_served", *USAGE_FIELDS),
    *("failure", "attempts", "seconds", "request_id", "message_id"),
)


def tabulate_scores(scores: Sequence[Score], manifest: Manifest) -> pandas.DataFrame:
    """One row for each response or failure; see `evalkit.Run.to_dataframe`."""
    return tabulate_rows(list_rows(scores, manifest))


def tabulate_rows(rows: Iterable[dict[str, Any]]) -> pandas.DataFrame:
    """Rows as `list_rows` gives them, with the types of their columns."""
    import pandas

    types = dict.fromkeys(COLUMNS, "string")
    types |= dict.fromkeys((*USAGE_FIELDS, "attempts", "sample"), "Int64")
    types |= {"correct": "boolean", "partial": "Float64", "seconds": "float64"}
    return pandas.DataFrame(rows, columns=list(types), dtype=object).astype(types)


def list_rows(scores: Sequence[Score], manifest: Manifest) -> Iterator[dict[str, Any]]:
    """The cells of each response or failure below those of `COLUMNS` that it has."""
    return (build_row(score, manifest) for score in scores if score.row is not None)


def build_row(score: Score, manifest: Manifest) -> dict[str, Any]:
    """One response as a row of the table."""
    row, question, identity = score.row, score.question, manifest.identity
    assert row is not None
    labels = build_labels(len(question.choices), manifest.prompt.labels)
    choice, order = score.answer.choice, score.order
    picked = (choice,) if isinstance(choice, int) else choice
    shown = [right if order is None else order.index(right) for right in question.right]
    facts: dict[str, Any] = {
        "question_id": question.id,
        "order": None if order is None else "".join(labels[place] for place in order),
        "sample": score.sample_index,
        "group": question.group,
        "benchmark": identity.benchmark,
        "model": identity.model,
        "way": row.way,
        "outcome": score.answer.outcome.value,
        "choice": None if picked is None else name_places(picked, labels),
        "right": name_places(question.right, labels),
        "shown_right": name_places(sorted(shown), labels),
        "correct": score.correct,
        "partial": score.partial,
        "attempts": row.attempts,
        "seconds": row.seconds,
        "request_id": row.result.request_id,
    }
    if isinstance(row.result, RequestFailure):
        return {**facts, "failure": row.result.kind}
    return {
        **facts,
        "text": row.result.text or row.result.tool_input or "",
        "stop_reason": row.result.stop_reason,
        "refusal_category": row.result.refusal_category,
        "model_served": row.result.model,
        "message_id": row.result.message_id,
        **{name: getattr(row.result.usage, name) for name in USAGE_FIELDS},
    }


def tabulate_confusion(
    questions: Sequence[Question], tally: Tally, form: PromptFormat
) -> pandas.DataFrame:
    """Right labels against picked ones, as they were shown; see `evalkit.Run.confusion`."""
    import pandas
    from sklearn.metrics import confusion_matrix

    most = max(len(question.choices) for question in questions)
    labels = list(build_labels(most, form.labels))
    pairs = [
        (labels[shown[0]], labels[shown[1]])
        for number, question in enumerate(questions)
        for shown in tally.shown_of(number, question)
        if shown is not None and shown[1] is not None
    ]
    # scikit-learn takes no empty lists.
    counts = confusion_matrix(*zip(*pairs, strict=True), labels=labels) if pairs else 0
    return pandas.DataFrame(
        counts,
        index=pandas.Index(labels, name="right"),
        columns=pandas.Index(labels, name="picked"),
    )
