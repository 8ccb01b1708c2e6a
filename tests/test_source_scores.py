"""The scores of the tool that asked are held against evalkit's, reply by reply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.importers.folders import import_log
from evalkit.results import Run
from evalkit.source_scores import (
    compare_source_scores,
    list_differences,
    source_scores_to_dict,
)
from tests.runs_in_memory import judged_run
from tests.test_importers import rows_of, write_lines


def imported(tmp_path: Path, *answers: dict[str, Any]) -> Run:
    [run] = import_log(
        write_lines(tmp_path / "x.jsonl", rows_of(*answers)), results=tmp_path / "results"
    )
    return run


def test_a_run_that_evalkit_asked_has_no_other_scores() -> None:
    run = judged_run("a", ["correct"])
    assert compare_source_scores(run) is None
    assert source_scores_to_dict(run) == {}
    assert list(list_differences(run)) == []


def test_each_reply_that_is_scored_differently_is_found(tmp_path: Path) -> None:
    run = imported(
        tmp_path,
        {"predicted": "B", "score": 0},  # right
        {"predicted": "no idea", "score": 1},
        {"predicted": "B", "score": 1},
    )
    found = compare_source_scores(run)
    assert found is not None
    assert (found.scored, found.compared, found.differing) == (3, 3, 2)
    assert found.mean == pytest.approx(2 / 3)
    first, second = found.differences
    assert (first.question_id, first.correct, first.score) == ("q1", True, 0.0)
    assert (second.question_id, second.correct, second.answer.outcome) == ("q2", False, "unparsed")
    few = compare_source_scores(run, most=1)
    assert few is not None
    assert (few.differing, few.differences) == (2, (first,))
    assert list(list_differences(run)) == [first, second]
    assert [each.reply for each in found.differences] == ["B", "no idea"]


def test_a_reply_without_a_score_and_a_failure_are_not_compared(tmp_path: Path) -> None:
    run = imported(
        tmp_path,
        {"predicted": "B", "score": None},
        {"predicted": "", "score": 0},
        {"predicted": "B", "score": 1},
    )
    found = compare_source_scores(run)
    assert found is not None
    assert (found.scored, found.compared, found.differing) == (1, 1, 0)


def test_scores_alone_have_nothing_to_be_held_against(tmp_path: Path) -> None:
    found = compare_source_scores(imported(tmp_path, {"score": 1}, {"score": 0}, {"score": 1}))
    assert found is not None
    assert (found.scored, found.compared, found.differing) == (3, 0, 0)


def test_runs_of_scores_alone_know_no_letters_and_no_chance(tmp_path: Path) -> None:
    from evalkit.reports.text import list_notes

    run = imported(tmp_path, {"score": 1}, {"score": 0}, {"score": 1})
    assert run.position_bias() is None
    notes = " ".join(list_notes(run))
    assert "can't be told from chance" not in notes
    assert "letters mean nothing" in notes
