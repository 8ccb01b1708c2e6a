"""Replies are judged and counted by the rules of section 1 of the statistics."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score

from evalkit.answers import Answer, Outcome
from evalkit.counts import summarize
from evalkit.orders import Design
from evalkit.prompts import PromptFormat
from evalkit.questions import Order, Question
from evalkit.requests import Way
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.runs.journal import JournalRow
from evalkit.scores import (
    FIRST_ANSWER,
    Score,
    encode_answer,
    list_bits,
    score_question,
    score_questions,
)

FORM = PromptFormat()


def build_question(
    name: str = "q", *, choices: int = 4, right: tuple[int, ...] = (1,), group: str | None = None
) -> Question:
    """A question whose choices are fruit 1, fruit 2 and so on."""
    texts = tuple(f"fruit {number}" for number in range(1, choices + 1))
    return Question(id=name, stem=f"Which {name}?", choices=texts, right=right, group=group)


def build_row(
    question: str = "q",
    text: str = "B",
    *,
    stop_reason: str | None = "end_turn",
    way: Way = "instructed",
) -> JournalRow:
    """A reply."""
    response = Response(text=text, stop_reason=stop_reason, model="m", usage=Usage())
    return JournalRow(request_id=f"r-{question}", question_id=question, way=way, result=response)


def build_failure(question: str = "q") -> JournalRow:
    """A request that got no reply."""
    failure = RequestFailure(kind="server", message="Internal server error", status=500)
    return JournalRow(
        request_id=f"r-{question}", question_id=question, way="instructed", result=failure
    )


def build_score(
    outcome: Outcome, *, is_right: bool = True, number: int = 0, choices: int = 4
) -> Score:
    """A question with an outcome."""
    question = build_question(f"q{number}", choices=choices)
    choice = None if outcome is not Outcome.ANSWERED else (1 if is_right else 0)
    return Score(question=question, answer=Answer(outcome=outcome, choice=choice))


def build_scores(
    *,
    correct: int = 0,
    wrong: int = 0,
    unparsed: int = 0,
    refused: int = 0,
    truncated: int = 0,
    failed: int = 0,
    not_asked: int = 0,
) -> list[Score]:
    """So many questions of each outcome."""
    kinds = [
        *[(Outcome.ANSWERED, True)] * correct,
        *[(Outcome.ANSWERED, False)] * wrong,
        *[(Outcome.UNPARSED, False)] * unparsed,
        *[(Outcome.REFUSED, False)] * refused,
        *[(Outcome.TRUNCATED, False)] * truncated,
        *[(Outcome.FAILED, False)] * failed,
        *[(Outcome.NOT_ASKED, False)] * not_asked,
    ]
    return [
        build_score(outcome, is_right=is_right, number=number)
        for number, (outcome, is_right) in enumerate(kinds)
    ]


@pytest.mark.parametrize(
    ("row", "outcome", "is_correct"),
    [
        (build_row(text="B"), Outcome.ANSWERED, True),
        (build_row(text="The answer is (B)."), Outcome.ANSWERED, True),
        (build_row(text="C"), Outcome.ANSWERED, False),
        (build_row(text="I do not know."), Outcome.UNPARSED, False),
        (build_row(text=""), Outcome.UNPARSED, False),
        (build_row(text="", stop_reason="refusal"), Outcome.REFUSED, False),
        (build_row(text="Let me think", stop_reason="max_tokens"), Outcome.TRUNCATED, False),
        (build_row(text="B)", way="prefill", stop_reason="max_tokens"), Outcome.ANSWERED, True),
        (build_row(text="", way="prefill", stop_reason="max_tokens"), Outcome.UNPARSED, False),
        (build_failure(), Outcome.FAILED, None),
        (None, Outcome.NOT_ASKED, None),
    ],
)
def test_a_reply_is_judged_as_what_it_is(
    row: JournalRow | None, outcome: Outcome, is_correct: bool | None
) -> None:
    score = score_question(build_question(), row, FORM)
    assert (score.answer.outcome, score.correct, score.row) == (outcome, is_correct, row)


def test_one_letter_is_never_all_of_several_right_choices() -> None:
    question = build_question(right=(1, 3))
    judged = {score_question(question, build_row(text=letter), FORM).correct for letter in "ABCD"}
    assert judged == {False}


@pytest.mark.parametrize(
    ("said", "outcome", "is_correct", "partial"),
    [
        ('{"answers": ["B", "D"]}', Outcome.ANSWERED, True, 1),
        ('{"answers": ["D", "B"]}', Outcome.ANSWERED, True, 1),
        ('{"answers": ["B"]}', Outcome.ANSWERED, False, 1 / 2),
        ('{"answers": ["B", "C"]}', Outcome.ANSWERED, False, 1 / 3),
        ('{"answers": ["A", "B", "C", "D"]}', Outcome.ANSWERED, False, 1 / 2),
        ('{"answers": ["A", "C"]}', Outcome.ANSWERED, False, 0),
        ('{"answers": ["B", "B"]}', Outcome.UNPARSED, False, 0),
        ('{"answers": []}', Outcome.UNPARSED, False, 0),
    ],
)
@pytest.mark.parametrize("order", [None, (3, 2, 1, 0)])
def test_a_set_is_correct_if_it_is_all_that_is_right_and_else_earns_its_overlap(
    said: str, outcome: Outcome, is_correct: bool, partial: float, order: Order | None
) -> None:
    if order is not None:
        said = said.translate(str.maketrans("ABCD", "DCBA"))
    row = replace(build_row(text=said, way="structured"), order=order)
    question = build_question(right=(1, 3))
    score = score_question(question, row, FORM, order=order, several=True)
    assert (score.answer.outcome, score.correct) == (outcome, is_correct)
    assert score.partial == partial


def test_partial_credit_is_for_sets_that_came() -> None:
    question = build_question(right=(1, 3))
    assert score_question(question, build_row(text="B"), FORM).partial is None
    assert score_question(question, build_failure(), FORM, several=True).partial is None
    assert score_question(question, None, FORM, several=True).partial is None


sets_of_choices = st.sets(st.integers(0, 25), min_size=1).map(lambda found: tuple(sorted(found)))


@given(picked=sets_of_choices, right=sets_of_choices)
def test_partial_credit_is_the_jaccard_index_and_1_for_what_is_right_alone(
    picked: tuple[int, ...], right: tuple[int, ...]
) -> None:
    choices = tuple(f"choice {number}" for number in range(26))
    question = Question(id="q", stem="?", choices=choices, right=right)
    answer = Answer(outcome=Outcome.ANSWERED, choice=picked)
    score = Score(question=question, answer=answer, several=True)
    places = range(26)
    expected = jaccard_score([place in right for place in places], [i in picked for i in places])
    assert score.partial == pytest.approx(expected)
    assert (score.partial == 1) is score.correct is (picked == right)
    assert list_bits(encode_answer(answer) - FIRST_ANSWER) == picked


def test_a_reply_is_read_with_the_labels_it_was_asked_with() -> None:
    digits = PromptFormat(labels="digits")
    assert score_question(build_question(), build_row(text="2"), digits).correct is True
    assert score_question(build_question(), build_row(text="2"), FORM).correct is False


def test_scores_come_in_the_order_of_the_questions_whatever_the_order_of_the_rows() -> None:
    questions = [build_question(name) for name in "abcd"]
    rows = [build_row("c", "C"), build_failure("b"), build_row("a", "B"), build_row("x", "B")]
    expected = score_questions(questions, rows, FORM)
    assert [score.question.id for score in expected] == ["a", "b", "c", "d"]
    assert [score.correct for score in expected] == [True, None, False, None]
    for seed in range(10):
        shuffled = random.Random(seed).sample(rows, len(rows))
        assert score_questions(questions, shuffled, FORM) == expected


# Replies asked for twice, and several of them


def test_of_a_reply_that_was_cut_the_second_counts_wherever_it_stands() -> None:
    cut = build_row(text="", stop_reason="max_tokens")
    second = replace(build_row(text="B"), request_id="r-again", is_retake=True)
    for rows in ([cut, second], [second, cut]):
        [score] = score_questions([build_question()], rows, FORM)
        assert (score.correct, score.row) == (True, second)


def test_a_second_that_failed_is_missing_and_one_that_was_refused_leaves_the_first() -> None:
    cut = build_row(text="", stop_reason="max_tokens")
    failed = replace(build_failure(), is_retake=True)
    [score] = score_questions([build_question()], [cut, failed], FORM)
    assert score.answer.outcome is Outcome.FAILED
    reason = RequestFailure(kind="invalid_request", message="max_tokens: 64 > 16", status=400)
    [score] = score_questions([build_question()], [replace(failed, result=reason), cut], FORM)
    assert (score.answer.outcome, score.row) == (Outcome.TRUNCATED, cut)


def test_what_was_read_stands_for_words_that_were_not_kept() -> None:
    reading = Answer(outcome=Outcome.ANSWERED, choice=1)
    row = replace(build_row(text=""), reading=reading, is_bound=False)
    score = score_question(build_question(), row, FORM)
    assert (score.answer, score.correct, score.is_bound) == (reading, True, False)


def test_each_sample_finds_its_row() -> None:
    rows = [replace(build_row(text=text), sample_index=i) for i, text in enumerate("BAB")]
    scores = score_questions([build_question()], reversed(rows), FORM, Design(samples=4))
    assert [score.correct for score in scores] == [True, False, True, None]
    assert [score.sample_index for score in scores] == [0, 1, 2, 3]
    summary = summarize(scores)
    assert (summary.questions, summary.samples, summary.asked) == (1, 4, 1)
    assert (summary.correct, summary.not_asked, summary.is_complete) == (2, 1, False)
    # One question is one observation, however many responses it got.
    assert summary.accuracy is not None
    assert (summary.accuracy.n, summary.accuracy.estimate) == (1, 2 / 3)
    assert summary.accuracy.high - summary.accuracy.low > 0.5


@pytest.mark.parametrize(
    ("text", "choice"),
    [("A", 2), ("C", 1), ("The answer is (B).", 0), ("It is fruit 3.", 2), ("no idea", None)],
)
def test_a_reply_is_read_as_the_choices_were_shown(text: str, choice: int | None) -> None:
    """Letters mean what stood under them; the answer names the choice of the set's own order."""
    row = replace(build_row(text=text), order=(2, 0, 1))
    score = score_question(build_question(choices=3), row, FORM, order=row.order)
    assert (score.answer.choice, score.order) == (choice, (2, 0, 1))
    assert score.correct is (choice == 1)
