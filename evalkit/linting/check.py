"""All checks of a question set, in one pass over its questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.benchmarks import load_definition
from evalkit.drafts import Draft, load_draft
from evalkit.errors import UsageError
from evalkit.linting.answers import AnswerKey, check_answers
from evalkit.linting.choices import CHOICE_CHECKS, REFERENCES
from evalkit.linting.doubts import LEVELS, Doubt, check_each
from evalkit.linting.sets import (
    Passages,
    check_columns,
    check_counts,
    check_duplicates,
    check_examples,
    check_filters,
    check_passages,
    check_rows,
    check_sizes,
    check_subjects,
)
from evalkit.linting.texts import TEXT_CHECKS
from evalkit.questions import Question

CHECKS = (
    *("unusable-rows", "rows-without-answer", "no-questions", "filtered-rows"),
    *("contradictions", "duplicates", "shared-passages", "examples-asked", "question-count"),
    *("same-position", "answer-balance", "answer-sequence", "longest-choice", "several-right"),
    *(check.name for check in (*CHOICE_CHECKS, REFERENCES, *TEXT_CHECKS)),
    *("answers-given-away", "unused-columns", "choice-counts", "small-subjects", "no-subject"),
)
"""The names of all checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintReport:
    """What was found in a question set.

    Example:
        >>> report = lint("everyday")
        >>> report.is_usable, report.questions
        (True, 300)
    """

    benchmark: str
    questions: int
    """Rows that are questions."""
    examples: int
    """Worked examples."""
    rows: int
    doubts: tuple[Doubt, ...]
    """Errors first, then warnings, then notes."""

    @property
    def is_usable(self) -> bool:
        """Whether a run could use the set."""
        return all(doubt.level != "error" for doubt in self.doubts)

    @property
    def has_warnings(self) -> bool:
        """Whether scores on the set would mislead."""
        return any(doubt.level == "warning" for doubt in self.doubts)

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`."""
        return {
            "benchmark": self.benchmark,
            "usable": self.is_usable,
            "questions": self.questions,
            "examples": self.examples,
            "rows": self.rows,
            "doubts": [doubt.to_dict() for doubt in self.doubts],
        }


def lint(
    name: str | Path, *, data_folder: Path | None = None, ignore: Sequence[str] = ()
) -> LintReport:
    """Look for what is doubtful about a benchmark's questions.

    Args:
        name: as for `load_benchmark`.
        data_folder: where published sets lie on this machine.
        ignore: names of checks that are not wanted.

    Raises:
        BenchmarkError: there is no such benchmark, or its files can't be read at all.
        UsageError: there is no check of a name.
    """
    draft = load_draft(load_definition(name), data_folder=data_folder)
    return lint_draft(draft, ignore=ignore)


def lint_draft(draft: Draft, *, ignore: Sequence[str] = ()) -> LintReport:
    """The same of questions that are read already.

    Raises:
        UsageError: there is no check of a name.
    """
    unknown = [name for name in ignore if name not in CHECKS]
    if unknown:
        raise UsageError(f"no check is named {unknown[0]!r}; there are {', '.join(CHECKS)}")
    doubts = [doubt for doubt in find_doubts(draft) if doubt.check not in ignore]
    return LintReport(
        benchmark=draft.definition.name,
        questions=len(draft.question_set.questions),
        examples=len(draft.question_set.examples),
        rows=draft.rows,
        doubts=tuple(sorted(doubts, key=lambda doubt: LEVELS.index(doubt.level))),
    )


def find_doubts(draft: Draft) -> list[Doubt]:
    """Everything that any check finds."""
    questions, fields = draft.question_set, draft.definition.fields
    doubts = list(check_rows(draft.problems, draft.rows))
    if not questions.questions and not doubts:
        doubts.append(NO_QUESTIONS)
    if questions.questions:
        doubts += check_duplicates(questions)
        doubts += check_examples(questions)
        doubts += check_questions(draft)
        doubts += check_counts(draft)
    doubts += check_columns(fields, draft.columns)
    doubts += check_filters(draft)
    return doubts


def check_questions(draft: Draft) -> list[Doubt]:
    """What one pass over the questions finds."""
    key, passages = AnswerKey(), Passages()
    subjects: Counter[str | None] = Counter()

    def watch(question: Question) -> None:
        key.add(question)
        passages.add(question)
        subjects[question.group] += 1

    is_shuffled = draft.definition.fields.shuffle_seed is not None
    references = replace(REFERENCES, level="warning") if is_shuffled else REFERENCES
    checks = (*CHOICE_CHECKS, references, *TEXT_CHECKS)
    found = check_each(draft.question_set.questions, checks, watch)
    return [
        *check_answers(key),
        *found,
        *check_passages(passages, len(draft.question_set.questions)),
        *check_sizes(key.sizes_of_all, draft.definition.choices),
        *check_subjects(subjects),
    ]


NO_QUESTIONS = Doubt(
    check="no-questions",
    level="error",
    count=0,
    total=0,
    says="there is no question in it",
    remedy="see whether these are the right files, and whether rows are marked as worked examples",
)
