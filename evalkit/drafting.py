"""A proposed definition tried on its file, and amended by what is found there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evalkit.drafts import Draft, load_draft
from evalkit.linting.check import lint_draft
from evalkit.proposals import Given, propose_definition


def draft_benchmark(path: Path, given: Given | None = None) -> Draft:
    """Propose a definition for a file and read its questions by it.

    Where the right choice stands at one and the same position, a seeded order is proposed; what the
    definition says of the numbers of questions and choices is counted.

    Args:
        path: a file of questions.
        given: what is known of it.

    Raises:
        UsageError: there is no column of a name that was given.
        BenchmarkError: it is not clear which columns make up a question, or the file can't be
            read.
        MissingExtraError: the library for a format is not installed.
    """
    draft = load_draft(propose_definition(path, given))
    fields = draft.definition.fields
    if any(doubt.check == "same-position" for doubt in lint_draft(draft).doubts):
        shuffled = replace(draft.definition, fields=replace(fields, shuffle_seed=0))
        draft = load_draft(shuffled)
    sizes = {len(question.choices) for question in draft.question_set.questions}
    definition = replace(
        draft.definition,
        questions=len(draft.question_set.questions) or None,
        choices=sizes.pop() if len(sizes) == 1 else None,
    )
    return replace(draft, definition=definition)
