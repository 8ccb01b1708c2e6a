"""The scores of the tool that asked, beside what evalkit makes of the same replies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evalkit.answers import Answer
from evalkit.questions import Question
from evalkit.responses import Response
from evalkit.results import Run
from evalkit.runs.folder import JOURNAL
from evalkit.runs.journal import JournalReader, SourceNote
from evalkit.scores import Score, score_question

MOST_LISTED = 100_000
"""Differences that `--json` lists of a run; a log of millions must not fill the memory. CSV files
are written one row after the other, and have all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreDifference:
    """A reply that the two score differently."""

    question_id: str
    """The source's."""
    question: Question
    """As evalkit has it, with an id of its own."""
    sample_index: int
    answer: Answer
    """What evalkit makes of the reply, with the choice by its position in the set's own order."""
    correct: bool
    score: float
    """The source's: 1 is right, 0 wrong."""
    source_answer: str | None
    """What the source took the reply for; None: it does not say."""
    reply: str


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
    differences: tuple[ScoreDifference, ...]
    """Those that differ, in the order of the log; the first of them, where they are very many."""

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`."""
        return {
            "mean": self.mean,
            "scored": self.scored,
            "compared": self.compared,
            "differing": self.differing,
            "differences": [
                {
                    "question_id": each.question_id,
                    "id": each.question.id,
                    "sample": each.sample_index,
                    "outcome": each.answer.outcome.value,
                    "choice": each.answer.choice,
                    "correct": each.correct,
                    "source_score": each.score,
                    "source_answer": each.source_answer,
                }
                for each in self.differences
            ],
        }


def compare_source_scores(run: Run, *, most: int = MOST_LISTED) -> SourceScores | None:
    """Hold the scores of the tool that asked against evalkit's own.

    Args:
        run: an imported one.
        most: so many are kept of the replies that the two score differently; all are counted.

    Returns:
        None: evalkit itself asked.

    Raises:
        RunError: the journal can't be read.

    Example:
        >>> compare_source_scores(load_run("results/...")).differing  # doctest: +SKIP
        2
    """
    if run.manifest.identity.origin is None:
        return None
    total, scored, compared, differing = 0.0, 0, 0, 0
    differences: list[ScoreDifference] = []
    for source, theirs, ours in score_twice(run):
        total, scored = total + theirs, scored + 1
        if ours is None:
            continue
        compared += 1
        if float(bool(ours.correct)) != theirs:
            differing += 1
            if len(differences) < most:
                differences.append(describe(source, theirs, ours))
    return SourceScores(
        mean=total / scored if scored else None,
        scored=scored,
        compared=compared,
        differing=differing,
        differences=tuple(differences),
    )


def list_differences(run: Run) -> Iterator[ScoreDifference]:
    """All replies that the two score differently, however many, one after the other.

    Raises:
        RunError: the journal can't be read.
    """
    for source, theirs, ours in score_twice(run):
        if ours is not None and float(bool(ours.correct)) != theirs:
            yield describe(source, theirs, ours)


def score_twice(run: Run) -> Iterator[tuple[SourceNote, float, Score | None]]:
    """The replies that the source scored, each with that score and evalkit's.

    Evalkit's is None where nothing but the source's score tells right from wrong.
    """
    identity = run.manifest.identity
    if identity.origin is None:
        return
    is_told = identity.origin.evidence != "scores"
    by_id = {question.id: question for question in run.questions} if is_told else {}
    for row in JournalReader(run.folder / JOURNAL):
        if row.source is None or row.source.score is None or not row.is_response:
            continue
        question = by_id.get(row.question_id)
        ours = None
        if question is not None:
            ours = score_question(question, row, run.manifest.prompt, several=identity.several)
        yield row.source, row.source.score, ours


def source_scores_to_dict(run: Run) -> dict[str, Any]:
    """The facts of `--json` about an imported run; nothing about one that evalkit asked."""
    found = compare_source_scores(run)
    return {} if found is None else {"source_scores": found.to_dict()}


def describe(source: SourceNote, theirs: float, ours: Score) -> ScoreDifference:
    """One reply that the two score differently."""
    assert ours.row is not None
    assert isinstance(ours.row.result, Response)
    return ScoreDifference(
        question_id=source.id,
        question=ours.question,
        sample_index=ours.row.sample_index,
        answer=ours.answer,
        correct=bool(ours.correct),
        score=theirs,
        source_answer=source.answer,
        reply=ours.row.result.text or ours.row.result.tool_input or "",
    )
