"""Questions of several tools are paired by what they say, and refused where they say otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.comparisons import compare
from evalkit.errors import UsageError
from evalkit.importers.folders import import_log
from evalkit.importers.logged import LogOptions
from evalkit.pairing import digest_content, group_runs, label_runs, name_questions
from evalkit.questions import Question, reorder
from evalkit.results import Run
from evalkit.runs.manifest import Origin
from tests.runs_in_memory import judged_run
from tests.test_importers import GENERATED, INSPECT, PICKED, write_lines

ORIGIN = Origin(tool="mine", version="1", digest="ab" * 32)
ANT = Question(id="ant", stem="Latin for ant?", choices=("Apis", "Formica", "Vespa"), right=(1,))


def table(path: Path, rows: list[tuple[str, list[str], str, str]], **options: Any) -> Run:
    """A run imported from rows of stem, choices, right letter and prediction."""
    lines = [
        {"id": n, "question": stem, "choices": choices, "answer": right, "predicted": said}
        for n, (stem, choices, right, said) in enumerate(rows)
    ]
    log = write_lines(path / f"{options.get('benchmark', 'log')}.jsonl", lines)
    [run] = import_log(log, results=path / "results", options=LogOptions(**options))
    return run


@given(st.permutations(range(3)), st.sampled_from([" ", "\n", "  "]))
def test_neither_order_nor_white_space_makes_another_question(order: Any, space: str) -> None:
    other = replace(reorder(ANT, tuple(order)), id="x", stem=ANT.stem.replace(" ", space))
    assert digest_content(other) == digest_content(ANT)


@pytest.mark.parametrize(
    "change",
    [{"stem": "Latin for bee?"}, {"right": (0,)}, {"choices": ("Apis", "Formica", "Musca")}],
)
def test_other_words_make_another_question(change: dict[str, Any]) -> None:
    assert digest_content(replace(ANT, **change)) != digest_content(ANT)


def test_runs_of_evalkit_are_paired_by_their_ids() -> None:
    runs = [judged_run("a", ["correct", "wrong"]), judged_run("b", ["wrong", "wrong"])]
    assert name_questions(runs) == [["q0", "q1"], ["q0", "q1"]]


def test_a_question_that_a_set_holds_twice_is_paired_twice(tmp_path: Path) -> None:
    rows = [("Which is true?", ["a", "b"], "A", "A"), ("Which is true?", ["a", "b"], "A", "B")]
    runs = [table(tmp_path, rows, benchmark=name) for name in ("one", "two")]
    first, second = name_questions(runs)
    assert first == second
    assert len(set(first)) == 2


def test_an_imported_run_takes_the_ids_of_evalkit_s_own(tmp_path: Path) -> None:
    own = judged_run("a", ["correct", "wrong", "correct"])
    choices = ["b", "a", "d", "c"]  # in another order than evalkit's
    rows = [(f"What of q{n}?", choices, "B", said) for n, said in enumerate("BAA")]
    log = table(tmp_path, rows, benchmark="other")
    [pair] = compare([own, log]).pairs
    assert (pair.accuracy.n, pair.accuracy.losses, pair.accuracy.gains) == (3, 1, 0)
    [flip] = pair.flips
    assert (flip.question.id, flip.right, flip.baseline, flip.candidate) == ("q2", "A", "A", "B")


def test_logs_of_different_tools_pair_whatever_they_call_the_questions(tmp_path: Path) -> None:
    runs = [
        run
        for path in (INSPECT / "plain.eval", INSPECT / "epochs.json", GENERATED, PICKED)
        for run in import_log(path, results=tmp_path)
    ]
    assert label_runs(runs) == ["everyday"] * 4
    comparison = compare(runs)
    assert [pair.accuracy.n for pair in comparison.pairs] == [10, 10, 10]


def test_benchmarks_without_a_question_in_common_stay_apart(tmp_path: Path) -> None:
    first = table(tmp_path, [("Up?", ["a", "b"], "A", "A")], benchmark="up")
    second = table(tmp_path, [("Down?", ["a", "b"], "A", "A")], benchmark="down")
    assert group_runs([first, second]) == {"up": [0], "down": [1]}
    with pytest.raises(UsageError, match="a different benchmark each"):
        compare([first, second])


@pytest.mark.parametrize(
    ("other", "part"),
    [
        (("Up?", ["a", "c"], "A", "A"), "choices"),
        (("Up?", ["a", "b"], "B", "A"), "right choice"),
    ],
)
def test_the_same_stem_with_another_answer_is_refused(
    other: tuple[str, list[str], str, str], part: str, tmp_path: Path
) -> None:
    same = ("Left?", ["a", "b"], "A", "A")
    first = table(tmp_path, [("Up?", ["a", "b"], "A", "A"), same], benchmark="one")
    second = table(tmp_path, [other, same], benchmark="two")
    with pytest.raises(UsageError, match=rf"differ in their {part}: 'Up\?'"):
        compare([first, second])


def test_a_stem_that_is_shared_by_several_questions_tells_nothing(tmp_path: Path) -> None:
    rows = [
        ("Which?", ["a", "b"], "A", "A"),
        ("Which?", ["c", "d"], "A", "A"),
        ("Left?", ["a", "b"], "A", "A"),
    ]
    first = table(tmp_path, rows, benchmark="one")
    second = table(tmp_path, [rows[2], ("Which?", ["e", "f"], "A", "A")], benchmark="two")
    [compared] = compare([first, second]).benchmarks
    assert compared.n == 1
    assert [run.left_out for run in compared.runs] == [2, 1]


def test_what_was_imported_can_be_no_baseline_of_a_gate(tmp_path: Path) -> None:
    from evalkit.candidates import settings_of

    [run] = import_log(INSPECT / "plain.eval", results=tmp_path)
    with pytest.raises(UsageError, match=r"asked by inspect_ai 0.3.285, whose prompt"):
        settings_of(run)


def test_an_origin_tells_two_runs_apart() -> None:
    own = judged_run("a", ["correct"])
    imported = judged_run("a", ["correct"], origin=ORIGIN)
    assert own.manifest.identity.run_id != imported.manifest.identity.run_id
    assert json.dumps(imported.manifest.to_json())
