"""Runs meet on the questions that all of them have, and on no other."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.alignment import align_runs
from evalkit.errors import UsageError
from evalkit.images import refer_to_image
from evalkit.questions import Question
from tests.runs_in_memory import judged_run

OUTCOMES = ("correct", "wrong", "unparsed", "refused", "truncated", "failed", "not_asked")

some_outcomes = st.dictionaries(
    st.sampled_from([f"q{number}" for number in range(12)]),
    st.sampled_from(OUTCOMES),
    min_size=1,
)


@given(some_outcomes, some_outcomes)
def test_the_questions_compared_are_those_that_both_have_a_reply_to(
    first: dict[str, str], second: dict[str, str]
) -> None:
    runs = [judged_run("a", first), judged_run("b", second)]
    common = [name for name in first if name in second]
    answered = [n for n in common if not {first[n], second[n]} & {"failed", "not_asked"}]
    if not answered:
        with pytest.raises(UsageError):
            align_runs(runs)
        return
    sheet = align_runs(runs)
    assert [question.id for question in sheet.questions] == answered
    assert sheet.unanswered == len(common) - len(answered)
    assert sheet.left_out == (len(first) - len(common), len(second) - len(common))
    for outcomes, correct, readable in zip(
        (first, second), sheet.correct, sheet.readable, strict=True
    ):
        assert correct.tolist() == [float(outcomes[n] == "correct") for n in answered]
        assert readable.tolist() == [float(outcomes[n] in ("correct", "wrong")) for n in answered]


@given(st.lists(st.sampled_from(OUTCOMES[:5]), min_size=1, max_size=12), st.randoms())
def test_the_order_of_a_runs_questions_does_not_matter(
    outcomes: list[str], chance: random.Random
) -> None:
    asked = {f"q{number}": outcome for number, outcome in enumerate(outcomes)}
    mixed = list(asked.items())
    chance.shuffle(mixed)
    first = judged_run("a", asked)
    one, other = (align_runs([first, judged_run("b", each)]) for each in (asked, dict(mixed)))
    assert [q.id for q in one.questions] == [q.id for q in other.questions]
    assert one.correct[1].tolist() == other.correct[1].tolist()
    assert one.readable[1].tolist() == other.readable[1].tolist()


def test_of_several_responses_the_shares_count() -> None:
    outcomes = ["correct", "wrong", "correct", "refused", "failed", "correct"]
    sheet = align_runs([judged_run("a", outcomes, samples=2), judged_run("b", ["correct"] * 3)])
    assert sheet.correct[0].tolist() == [0.5, 0.5, 1.0]
    assert sheet.readable[0].tolist() == [1.0, 0.5, 1.0]
    assert sheet.is_repeated


PICTURE = refer_to_image("https://example.org/a.png")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"stem": "What else?"}, "stem"),
        ({"choices": ("d", "b", "c", "a")}, "choices"),
        ({"right": (1,)}, "right"),
        ({"group": "even"}, "group"),
        ({"images": (PICTURE,)}, "images"),
        ({"history": (("user", "Hi"), ("assistant", "Hello"))}, "history"),
        ({"stem": "What else?", "right": (1,)}, "stem and right"),
    ],
    ids=str,
)
def test_a_question_that_is_not_the_same_is_refused(change: dict[str, Any], named: str) -> None:
    def changed(question: Question) -> Question:
        return replace(question, **change) if question.id == "q1" else question

    runs = [
        judged_run("a", ["correct"] * 3),
        judged_run("b", ["correct"] * 3, shape=changed),
    ]
    with pytest.raises(
        UsageError,
        match=rf"question q1 is not the same in results/sums-a and results/sums-b \({named}\);",
    ):
        align_runs(runs)


def test_a_question_that_one_run_lacks_may_have_changed() -> None:
    def changed(question: Question) -> Question:
        return replace(question, stem="What else?") if question.id == "q1" else question

    first = judged_run("a", {"q0": "correct"})
    second = judged_run("b", {"q0": "correct", "q1": "correct"}, shape=changed)
    third = judged_run("c", {"q0": "correct", "q1": "correct"})
    assert [q.id for q in align_runs([first, second, third]).questions] == ["q0"]


def test_runs_without_a_common_question_are_refused() -> None:
    with pytest.raises(UsageError, match="no question in common: results/sums-a, results/sums-b"):
        align_runs([judged_run("a", {"q0": "correct"}), judged_run("b", {"q1": "correct"})])


def test_runs_without_a_common_reply_are_refused() -> None:
    runs = [judged_run("a", ["correct", "failed"]), judged_run("b", ["not_asked", "correct"])]
    with pytest.raises(UsageError, match="no question got a reply in every one"):
        align_runs(runs)


def test_runs_without_texts_meet_those_of_the_very_same_questions_only() -> None:
    whole, silent = (
        judged_run(name, ["correct", "wrong"], keep_text=keep)
        for name, keep in (("a", True), ("b", False))
    )
    assert len(align_runs([whole, silent]).questions) == 2
    other = judged_run("c", ["correct", "wrong"], keep_text=False, question_digest="f" * 64)
    with pytest.raises(UsageError, match="results/sums-c keeps no texts"):
        align_runs([whole, other])


def by_pairs(question: Question) -> Question:
    return replace(question, cluster=f"passage {int(question.id[1:]) // 2}")


def half_in_pairs(question: Question) -> Question:
    return by_pairs(question) if int(question.id[1:]) < 2 else question


def each_alone(question: Question) -> Question:
    return replace(question, cluster=question.id)


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [(by_pairs, 2), (half_in_pairs, 3), (each_alone, None), (lambda question: question, None)],
)
def test_questions_come_in_the_clusters_that_they_declare(
    shape: Callable[[Question], Question], sizes: int | None
) -> None:
    plain, shaped = judged_run("a", ["correct"] * 4), judged_run("b", ["wrong"] * 4, shape=shape)
    for runs in ([plain, shaped], [shaped, plain]):
        clusters = align_runs(runs).clusters
        assert (None if clusters is None else len(set(clusters.tolist()))) == sizes
