"""The scores of the tool that asked, beside what evalkit makes of the same replies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evalkit.answers import Answer
from evalkit.results import Run
from evalkit.runs.folder import JOURNAL
from evalkit.runs.journal import JournalReader, JournalRow
from evalkit.scores import score_question

MOST_EXAMPLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreDifference:
    """A reply that the two score differently."""

    question_id: str
    """The source's."""
    sample_index: int
    answer: Answer
    """What evalkit makes of the reply, with the choice by its position in the set's own order."""
    correct: bool
    score: float
    """The source's: 1 is right, 0 wrong."""
    source_answer: str | None
    """What the source took the reply for; None: it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScores:
    """How the scores of another tool compare with evalkit's."""

    mean: float | None
    """Of the source's scores, over the replies that have one; None: none has."""
    scored: int
    """Replies that the source scored."""
    compared: int
    """Replies of which evalkit has a reading of its own too."""
    differing: int
    examples: tuple[ScoreDifference, ...]
    """The first of those that differ, in the order of the log."""

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`."""
        return {
            "mean": self.mean,
            "scored": self.scored,
            "compared": self.compared,
            "differing": self.differing,
            "examples": [
                {
                    "question_id": each.question_id,
                    "sample": each.sample_index,
                    "outcome": each.answer.outcome.value,
                    "choice": each.answer.choice,
                    "correct": each.correct,
                    "source_score": each.score,
                    "source_answer": each.source_answer,
                }
                for each in self.examples
            ],
        }


def compare_source_scores(run: Run, *, most: int = MOST_EXAMPLES) -> SourceScores | None:
    """Hold the scores of the tool that asked against evalkit's own.

    Args:
        run: an imported one.
        most: so many examples are kept of replies that the two score differently.

    Returns:
        None: evalkit itself asked.

    Raises:
        RunError: the journal can't be read.

    Example:
        >>> compare_source_scores(load_run("results/...")).differing  # doctest: +SKIP
        2
    """
    origin = run.manifest.identity.origin
    if origin is None:
        return None
    by_id = {question.id: question for question in run.questions}
    several = run.manifest.identity.several
    total, scored, compared, differing = 0.0, 0, 0, 0
    examples: list[ScoreDifference] = []
    for row in JournalReader(run.folder / JOURNAL):
        if row.source is None or row.source.score is None or not row.is_response:
            continue
        total, scored = total + row.source.score, scored + 1
        question = by_id.get(row.question_id)
        if question is None or origin.evidence == "scores":
            continue
        compared += 1
        ours = score_question(question, row, run.manifest.prompt, several=several)
        answer, correct = ours.answer, bool(ours.correct)
        if float(correct) == row.source.score:
            continue
        differing += 1
        if len(examples) < most:
            examples.append(describe(row, answer, correct))
    return SourceScores(
        mean=total / scored if scored else None,
        scored=scored,
        compared=compared,
        differing=differing,
        examples=tuple(examples),
    )


def source_scores_to_dict(run: Run) -> dict[str, Any]:
    """The facts of `--json` about an imported run; nothing about one that evalkit asked."""
    found = compare_source_scores(run)
    return {} if found is None else {"source_scores": found.to_dict()}


def describe(row: JournalRow, answer: Answer, correct: bool) -> ScoreDifference:
    """One reply that the two score differently."""
    assert row.source is not None
    assert row.source.score is not None
    return ScoreDifference(
        question_id=row.source.id,
        sample_index=row.sample_index,
        answer=answer,
        correct=correct,
        score=row.source.score,
        source_answer=row.source.answer,
    )
