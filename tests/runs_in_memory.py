"""Runs without a folder, for tests of what is said about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evalkit.responses import Response
from evalkit.results import Run
from evalkit.runs.journal import JournalRow
from evalkit.runs.manifest import Manifest
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
