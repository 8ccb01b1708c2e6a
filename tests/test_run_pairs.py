"""Two runs: the numbers are those of the statistics, and swapping the runs turns their signs."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.alignment import align_runs
from evalkit.pairs import Methods
from evalkit.prompts import PromptFormat
from evalkit.questions import Question
from evalkit.results import Run
from evalkit.run_pairs import (
    PairOptions,
    RunPair,
    compare_pair,
    score_runs,
    standard_error,
)
from evalkit.stats.clustered import clustered_mean
from evalkit.stats.intervals import wilson_interval
from evalkit.stats.multiplicity import benjamini_hochberg
from evalkit.stats.paired import mcnemar_midp, tango_interval
from tests.runs_in_memory import judged_run

ANSWERS = ("correct", "wrong", "unparsed", "refused", "truncated")
REPLIES = st.lists(st.tuples(*[st.sampled_from(ANSWERS)] * 2), min_size=1, max_size=40)


def pair_of(first: Run, second: Run, **changes: Any) -> RunPair:
    """Compare two runs."""
    facts: dict[str, Any] = {
        "methods": Methods(),
        "family": 1,
        "margin": None,
        "verdicts": 1,
        "flips": None,
    }
    runs = [first, second]
    sheet = align_runs(runs)
    scored = score_runs(runs, sheet, (1, 2), ("a", "b"))
    return compare_pair(sheet, scored, (0, 1), PairOptions(**facts | changes))


def runs_of(replies: Sequence[tuple[str, str]], **changes: Any) -> tuple[Run, Run]:
    """Two runs of these replies."""
    first, second = (list(column) for column in zip(*replies, strict=True))
    return judged_run("a", first, **changes), judged_run("b", second, **changes)


@given(REPLIES)
def test_a_difference_is_that_of_right_answers_and_of_readable_ones(
    replies: list[tuple[str, str]],
) -> None:
    pair = pair_of(*runs_of(replies))
    for found, kinds in (
        (pair.accuracy, ("correct",)),
        (pair.readable, ("correct", "wrong")),
    ):
        gains = sum(a not in kinds and b in kinds for a, b in replies)
        losses = sum(a in kinds and b not in kinds for a, b in replies)
        assert (found.gains, found.losses, found.n) == (gains, losses, len(replies))
        assert found.interval == tango_interval(gains, losses, len(replies))
        assert found.p_value == mcnemar_midp(gains, losses)
    right = [sum(word == "correct" for word in column) for column in zip(*replies, strict=True)]
    scores = [pair.baseline.score, pair.candidate.score]
    assert scores == [wilson_interval(count, len(replies)) for count in right]


def by_threes(question: Question) -> Question:
    return replace(question, cluster=f"passage {int(question.id[1:]) // 3}")


@pytest.mark.parametrize("shape", [lambda question: question, by_threes])
@given(replies=REPLIES, margin=st.sampled_from([0.02, 0.2]))
def test_swapped_runs_turn_every_sign(
    shape: Callable[[Question], Question], replies: list[tuple[str, str]], margin: float
) -> None:
    first, second = runs_of(replies, shape=shape)
    there, back = pair_of(first, second, margin=margin), pair_of(second, first, margin=margin)
    for one, other in ((there.accuracy, back.accuracy), (there.readable, back.readable)):
        assert (one.gains, one.losses) == (other.losses, other.gains)
        assert one.p_value == pytest.approx(other.p_value)
        assert one.detectable == pytest.approx(other.detectable)
        assert (one.interval is None) == (other.interval is None)
        if one.interval is not None and other.interval is not None:
            assert one.interval.estimate == pytest.approx(-other.interval.estimate)
            assert one.interval.low == pytest.approx(-other.interval.high)
    assert there.baseline.mean == back.candidate.mean
    turned = {"loss": "gain", "gain": "loss"}
    assert sorted((f.question.id, f.kind, f.baseline, f.candidate) for f in there.flips) == sorted(
        (f.question.id, turned[f.kind], f.candidate, f.baseline) for f in back.flips
    )


@given(REPLIES, st.randoms())
def test_the_order_of_rows_does_not_matter(
    replies: list[tuple[str, str]], chance: random.Random
) -> None:
    named = [(f"q{number}", *pair) for number, pair in enumerate(replies)]
    mixed = chance.sample(named, len(named))
    one, other = (
        pair_of(
            judged_run("a", {name: a for name, a, _ in rows}),
            judged_run("b", {name: b for name, _, b in rows}),
        )
        for rows in (named, mixed)
    )
    assert one.accuracy == other.accuracy
    assert one.readable == other.readable
    assert (one.baseline.score, one.candidate.score) == (
        other.baseline.score,
        other.candidate.score,
    )


def test_questions_that_flipped_are_named_with_both_picks() -> None:
    pair = pair_of(*runs_of([("correct", "wrong"), ("refused", "correct"), ("wrong", "unparsed"),
                             ("correct", "truncated"), ("correct", "correct")]))  # fmt: skip
    found = [(f.kind, f.question.id, f.right, f.baseline, f.candidate) for f in pair.flips]
    assert found == [
        ("loss", "q0", "A", "A", "B"),
        ("loss", "q3", "A", "A", "truncated"),
        ("gain", "q1", "A", "refused", "A"),
    ]


def test_picks_have_the_labels_of_the_baseline() -> None:
    digits = judged_run("a", ["correct"], prompt=PromptFormat(labels="digits"))
    [flip] = pair_of(digits, judged_run("b", ["wrong"])).flips
    assert (flip.right, flip.baseline, flip.candidate) == ("1", "1", "2")


def test_several_responses_are_counted() -> None:
    first = judged_run("a", ["correct", "correct"] * 2, samples=2)
    second = judged_run("b", ["correct", "refused", "correct", "correct"], samples=2)
    [flip] = pair_of(first, second).flips
    assert (flip.baseline, flip.candidate) == ("2 A", "1 A, 1 refused")


@pytest.mark.parametrize(
    ("losses", "gains", "most", "expected"),
    [
        (9, 9, None, (9, 9)),
        (9, 9, 4, (2, 2)),
        (9, 9, 5, (3, 2)),
        (9, 1, 6, (5, 1)),
        (1, 9, 6, (1, 5)),
        (2, 2, 20, (2, 2)),
        (2, 2, 0, (0, 0)),
    ],
)
def test_losses_and_gains_share_the_room(
    losses: int, gains: int, most: int | None, expected: tuple[int, int]
) -> None:
    replies = [("correct", "wrong")] * losses + [("wrong", "correct")] * gains
    kinds = [flip.kind for flip in pair_of(*runs_of(replies), flips=most).flips]
    assert (kinds.count("loss"), kinds.count("gain")) == expected
    assert kinds == sorted(kinds, reverse=True)


# Subjects


def by_subject(question: Question) -> Question:
    names = ("animals", "plants", None)
    return replace(question, group=names[int(question.id[1:]) % 3])


def test_subjects_are_explored_with_their_own_adjustment() -> None:
    replies = [("correct", "wrong" if number % 3 == 0 else "correct") for number in range(30)]
    pair = pair_of(*runs_of(replies, shape=by_subject))
    animals, plants = pair.subjects
    assert (animals.name, animals.baseline, animals.candidate) == ("animals", 1.0, 0.0)
    assert (plants.name, plants.difference.n, plants.difference.losses) == ("plants", 10, 0)
    p_values = [mcnemar_midp(0, 10), mcnemar_midp(0, 0)]
    assert [each.difference.p_value for each in pair.subjects] == p_values
    adjusted = [each.difference.adjusted_p for each in pair.subjects]
    assert adjusted == list(benjamini_hochberg(p_values))
    assert [each.is_found for each in pair.subjects] == [True, False]


def test_one_subject_is_not_explored() -> None:
    def named(question: Question) -> Question:
        return replace(question, group="animals")

    assert pair_of(*runs_of([("correct", "wrong")] * 9, shape=named)).subjects == ()


def test_a_subject_with_one_passage_has_no_p_value_and_spoils_no_others() -> None:
    def shape(question: Question) -> Question:
        number = int(question.id[1:])
        group = "one passage" if number < 5 else "several"
        return replace(question, group=group, cluster=str(min(number // 5, 4)))

    replies = [("correct", "wrong" if number % 2 else "correct") for number in range(30)]
    one, several = pair_of(*runs_of(replies, shape=shape)).subjects
    assert (one.difference.p_value, one.is_found) == (None, False)
    assert several.difference.adjusted_p == several.difference.p_value is not None


# On this set


@pytest.mark.parametrize(
    ("changes", "is_whole"),
    [
        ({}, True),
        ({"limit": 3}, False),
        ({"limit": 4}, True),
        ({"samples": 3}, False),
    ],
)
def test_a_difference_on_the_set_is_a_count_if_all_of_it_was_answered_once(
    changes: dict[str, Any], is_whole: bool
) -> None:
    outcomes = ["correct"] * (3 * changes.get("samples", 1))
    pair = pair_of(judged_run("a", outcomes, **changes), judged_run("b", ["wrong"] * 3))
    assert pair.is_whole_set is is_whole


def test_a_missing_reply_leaves_no_count() -> None:
    assert not pair_of(*runs_of([("correct", "correct"), ("failed", "wrong")])).is_whole_set


# What else was different


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({}, {}, []),
        ({"way": "tool"}, {}, ["way: tool and prefill"]),
        ({"shots": 5}, {}, ["worked examples: 5 and 0"]),
        ({"api_version": "2026-10-21"}, {}, ["API version: 2026-10-21 and 2023-06-01"]),
        ({"question_digest": "f" * 64}, {}, []),
        ({"limit": 2, "seed": 1}, {"limit": 2, "seed": 2}, ["seed of the sample: 1 and 2"]),
        ({"limit": 2, "seed": 1}, {"seed": 2}, []),
        ({"benchmark_version": "2"}, {}, ["version of the benchmark: 2 and 1"]),
    ],
)
def test_what_was_asked_differently_is_kept(
    first: dict[str, Any], second: dict[str, Any], expected: list[str]
) -> None:
    one, other = judged_run("a", ["correct"], **first), judged_run("b", ["correct"], **second)
    assert [str(each) for each in pair_of(one, other).differences] == expected


def test_other_worked_examples_may_stand_behind_another_digest() -> None:
    runs = [judged_run(n, ["correct"], shots=5, question_digest=n * 64) for n in ("a", "b")]
    [difference] = pair_of(*runs).differences
    assert difference.name == "questions"


# One score


def test_a_standard_error_takes_account_of_clusters() -> None:
    assert standard_error(np.array([0.5, 1.0, 0.25, 0.5]), None) == pytest.approx(0.1572882)
    scores, clusters = [1.0, 0.0, 1.0, 1.0], np.array([0, 0, 1, 1])
    assert standard_error(np.array(scores), clusters) == clustered_mean(scores, clusters).error


@pytest.mark.parametrize(("scores", "clusters"), [([1.0], None), ([1.0, 0.0], (0, 0))])
def test_what_has_no_spread_has_no_standard_error(
    scores: list[float], clusters: tuple[int, ...] | None
) -> None:
    numbered = None if clusters is None else np.array(clusters)
    assert standard_error(np.array(scores), numbered) is None
