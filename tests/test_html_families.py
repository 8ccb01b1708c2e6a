"""Runs that share their questions, and which questions are looked at first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit.importers.folders import import_log
from evalkit.questions import Question
from evalkit.reports.html.families import (
    ABSENT,
    Interest,
    find_families,
    judge_question,
    rank_questions,
)
from evalkit.reports.report import build_report
from evalkit.scores import FIRST_ANSWER, list_bits
from tests.runs_in_memory import judged_run
from tests.written_runs import respond, write_run


def test_compared_runs_share_their_questions_and_others_have_their_own() -> None:
    runs = [
        judged_run("a", {"q0": "correct", "q1": "wrong"}),
        judged_run("b", {"q1": "correct", "q2": "wrong"}),
        judged_run("a", ["correct"], benchmark="other"),
    ]
    first, second = find_families(build_report(runs))
    assert (first.benchmark, first.places, len(first)) == ("sums", (0, 1), 3)
    assert [first.find_question(place).id for place in range(3)] == ["q0", "q1", "q2"]
    assert [list(numbers) for numbers in first.numbers] == [[0, 1, ABSENT], [ABSENT, 0, 1]]
    assert first.find_codes(2)[0] is None
    assert (second.benchmark, second.places) == ("other", (2,))


def test_runs_that_are_not_compared_share_what_a_digest_says_is_the_same() -> None:
    # Nobody replied, so that there is nothing to compare.
    runs = [judged_run(name, ["failed"], samples=1) for name in "ab"]
    report = build_report([*runs, judged_run("c", ["failed", "failed"])])
    assert report.comparison is None
    assert [family.places for family in find_families(report)] == [(0, 1), (2,)]


def test_a_text_is_taken_from_a_run_that_keeps_it(tmp_path: Path) -> None:
    question = Question(id="q", stem="What?", choices=("a", "b"), right=(0,))
    silent = Question(id="q", stem="", choices=("", ""), right=(0,))
    paths = [
        write_run(
            tmp_path,
            [each],
            lambda *_: respond("A"),
            model=model,
            keep_text=keeps,
            question_digest="0" * 64,
        )
        for each, model, keeps in ((silent, "a", False), (question, "b", True))
    ]
    [family] = find_families(build_report(paths))
    assert family.find_question(0).stem == "What?"


@pytest.mark.parametrize("imported_first", [False, True])
def test_questions_of_an_imported_run_are_those_that_say_the_same(
    imported_first: bool, tmp_path: Path
) -> None:
    asked = [
        Question(id=f"q{n}", stem=f"{n}?", choices=("a", "b", "c"), right=(0, 1)) for n in range(2)
    ]
    said = respond('{"answers": ["A", "B"]}')
    own = write_run(tmp_path, asked, lambda *_: said, way="structured", several=True)
    log = tmp_path / "log.jsonl"
    rows = [
        {"id": n, "question": f"{n}?", "choices": ["c", "b", "a"], "answer": "B, C", "pred": pred}
        for n, pred in enumerate(("B, C", "A, C"))
    ]
    log.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    [imported] = import_log(log, results=tmp_path / "imported")
    runs = [imported.path, own] if imported_first else [own, imported.path]
    [family] = find_families(build_report(runs))
    assert [family.find_question(place).id for place in range(len(family))] == ["q0", "q1"]
    answers = [family.find_codes(place)[1 - imported_first] for place in range(2)]
    assert [list_bits(codes[0] - FIRST_ANSWER) for codes in answers if codes] == [(0, 1), (0, 2)]
    assert [judge_question(family, n) for n in range(2)] == [Interest.RIGHT, Interest.FLIPPED]


@pytest.mark.parametrize(
    ("outcomes", "interest"),
    [
        (("correct", "correct"), Interest.RIGHT),
        (("correct", "wrong"), Interest.FLIPPED),
        (("wrong", "wrong"), Interest.NOT_RIGHT),
        (("refused", "wrong"), Interest.NOT_RIGHT),
        (("correct", "unparsed"), Interest.FLIPPED),
        (("correct", "failed"), Interest.NOT_RIGHT),
        (("failed", "not_asked"), Interest.NOT_RIGHT),
    ],
)
def test_a_question_is_worth_a_look_if(outcomes: tuple[str, str], interest: Interest) -> None:
    runs = [
        judged_run(name, [outcome, "correct"]) for name, outcome in zip("ab", outcomes, strict=True)
    ]
    [family] = find_families(build_report(runs))
    assert judge_question(family, 0) is interest
    assert judge_question(family, 1) is Interest.RIGHT


def test_flipped_questions_come_first_and_the_seed_draws_among_the_rest() -> None:
    first = ["correct"] * 100 + ["wrong"] * 20
    second = ["correct"] * 90 + ["wrong"] * 30
    families = list(find_families(build_report([judged_run("a", first), judged_run("b", second)])))
    ranked = rank_questions(families, 0)
    kinds = [interest for interest, _, _ in ranked]
    assert kinds == [Interest.FLIPPED] * 10 + [Interest.NOT_RIGHT] * 20 + [Interest.RIGHT] * 90
    places = [place for _, _, place in ranked]
    assert sorted(places) == list(range(120))
    assert places[30:] != sorted(places[30:])
    assert ranked == rank_questions(families, 0)
    assert ranked != rank_questions(families, 1)
