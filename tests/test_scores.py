"""Replies are judged and counted by the rules of section 1 of the statistics."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.answers import Answer, Outcome
from evalkit.prompts import PromptFormat
from evalkit.questions import Question
from evalkit.requests import Way
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.runs.journal import JournalRow
from evalkit.scores import (
    Score,
    Summary,
    score_question,
    score_questions,
    summarize,
    summarize_groups,
)
from evalkit.stats.intervals import mean_interval, wilson_interval

FORM = PromptFormat()
REPLIED = [Outcome.ANSWERED, Outcome.UNPARSED, Outcome.REFUSED, Outcome.TRUNCATED]
MISSING = [Outcome.FAILED, Outcome.NOT_ASKED]


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


some_scores = st.lists(
    st.tuples(st.sampled_from(list(Outcome)), st.booleans(), st.integers(2, 10)), min_size=1
).map(
    lambda kinds: [
        build_score(outcome, is_right=is_right, number=number, choices=choices)
        for number, (outcome, is_right, choices) in enumerate(kinds)
    ]
)


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


def test_any_of_several_right_choices_is_correct() -> None:
    question = build_question(right=(1, 3))
    judged = {
        letter: score_question(question, build_row(text=letter), FORM).correct for letter in "ABCD"
    }
    assert judged == {"A": False, "B": True, "C": False, "D": True}


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


def test_every_outcome_is_counted_and_the_accuracy_is_over_the_replies() -> None:
    counts = {
        "correct": 7,
        "wrong": 5,
        "unparsed": 3,
        "refused": 2,
        "truncated": 1,
        "failed": 4,
        "not_asked": 6,
    }
    summary = summarize(build_scores(**counts))
    assert {name: getattr(summary, name) for name in counts} == counts
    assert (summary.name, summary.questions, summary.replied) == ("all", 28, 18)
    assert summary.accuracy == wilson_interval(7, 18)


def test_sensitivity_bounds_count_unreadable_replies_as_wrong_and_as_right() -> None:
    scores = build_scores(correct=6, wrong=4, unparsed=1, refused=2, truncated=3, failed=9)
    assert summarize(scores).sensitivity == (6 / 16, 12 / 16)


def test_bounds_of_an_incomplete_run_count_missing_replies_as_wrong_and_as_right() -> None:
    summary = summarize(build_scores(correct=6, wrong=2, unparsed=1, failed=3, not_asked=8))
    assert not summary.is_complete
    assert summary.missing == (6 / 20, 17 / 20)
    complete = summarize(build_scores(correct=6, wrong=2, unparsed=1))
    assert complete.is_complete
    assert complete.missing == (6 / 9, 6 / 9)


@given(some_scores, st.lists(st.sampled_from(MISSING), min_size=1, max_size=30))
def test_missing_replies_are_never_wrong(scores: list[Score], missing: list[Outcome]) -> None:
    """They move neither accuracy nor sensitivity, and make the run incomplete."""
    more = [build_score(outcome, number=1000 + i) for i, outcome in enumerate(missing)]
    before, after = summarize(scores), summarize([*scores, *more])
    assert after.accuracy == before.accuracy
    assert after.sensitivity == before.sensitivity
    assert (after.wrong, after.replied) == (before.wrong, before.replied)
    assert not after.is_complete


@given(some_scores)
def test_the_counts_add_up_and_the_bounds_hold_the_accuracy(scores: list[Score]) -> None:
    summary = summarize(scores)
    outcomes = Counter(score.answer.outcome for score in scores)
    assert summary.correct + summary.wrong == outcomes[Outcome.ANSWERED]
    assert summary.replied == sum(outcomes[outcome] for outcome in REPLIED)
    assert summary.is_complete == (summary.replied == len(scores))
    low, high = summary.missing
    assert 0 <= low <= high <= 1
    if summary.accuracy is not None:
        assert summary.sensitivity is not None
        assert summary.sensitivity[0] == summary.accuracy.estimate <= summary.sensitivity[1] <= 1
        assert low <= summary.accuracy.estimate <= high


@given(some_scores, st.randoms(use_true_random=False))
def test_the_order_of_the_scores_does_not_matter(scores: list[Score], rng: random.Random) -> None:
    shuffled = summarize(rng.sample(scores, len(scores)))
    plain = summarize(scores)
    assert replace(shuffled, chance=plain.chance) == plain
    assert shuffled.chance == pytest.approx(plain.chance)


def test_what_no_reply_defines_is_none() -> None:
    summary = summarize(build_scores(failed=2, not_asked=1))
    undefined = (
        summary.accuracy,
        summary.sensitivity,
        summary.is_above_chance,
        summary.holds_chance,
    )
    assert undefined == (None, None, None, None)
    assert summary.format_decides is False
    assert summary.missing == (0, 1)


@pytest.mark.parametrize(
    ("choices", "chance"), [((4, 4), 1 / 4), ((2, 4), 3 / 8), ((2, 3, 6), 1 / 3), ((26,), 1 / 26)]
)
def test_chance_is_the_mean_of_one_over_the_choices(choices: Sequence[int], chance: float) -> None:
    scores = [
        build_score(Outcome.NOT_ASKED, number=number, choices=count)
        for number, count in enumerate(choices)
    ]
    assert summarize(scores).chance == pytest.approx(chance)


@pytest.mark.parametrize(
    ("rights", "share"),
    [
        (((0,), (1,), (1,), (3,)), 2 / 4),
        (((2,),), 1),
        (((0, 1), (1, 2)), 1),
        (((0,), (1,), (2,), (3,)), 1 / 4),
    ],
)
def test_always_picking_the_most_frequent_position(
    rights: Sequence[tuple[int, ...]], share: float
) -> None:
    scores = [
        Score(
            question=build_question(f"q{number}", right=right),
            answer=Answer(outcome=Outcome.NOT_ASKED),
        )
        for number, right in enumerate(rights)
    ]
    assert summarize(scores).most_frequent == share


@pytest.mark.parametrize(
    ("share", "corrected"), [(0.25, 0.0), (1.0, 1.0), (0.625, 0.5), (0.0, -1 / 3)]
)
def test_chance_corrected_accuracy_is_0_for_guessing_and_1_for_perfect(
    share: float, corrected: float
) -> None:
    assert summarize(build_scores(correct=1)).correct_for_chance(share) == pytest.approx(corrected)


def test_the_interval_is_corrected_for_chance_by_its_ends() -> None:
    summary = summarize(build_scores(correct=10, wrong=10))
    assert summary.accuracy is not None
    ends = [summary.correct_for_chance(end) for end in (summary.accuracy.low, 0.5)]
    assert ends == pytest.approx([(summary.accuracy.low - 0.25) / 0.75, 1 / 3])


def test_where_guessing_is_always_right_nothing_can_be_corrected_for_it() -> None:
    certain = replace(summarize(build_scores(correct=1)), chance=1.0)
    assert certain.correct_for_chance(1.0) is None


@pytest.mark.parametrize(
    ("correct", "wrong", "is_above", "holds"),
    [(80, 20, True, False), (25, 75, False, True), (5, 95, False, False), (30, 70, False, True)],
)
def test_a_score_is_compared_with_chance_by_its_interval(
    correct: int, wrong: int, is_above: bool, holds: bool
) -> None:
    summary = summarize(build_scores(correct=correct, wrong=wrong))
    assert (summary.is_above_chance, summary.holds_chance) == (is_above, holds)


@pytest.mark.parametrize(
    ("unparsed", "refused", "truncated", "decides"),
    [(0, 0, 0, False), (10, 0, 0, False), (30, 0, 0, True), (10, 10, 10, True)],
)
def test_the_format_decides_where_the_bounds_are_wider_than_the_interval(
    unparsed: int, refused: int, truncated: int, decides: bool
) -> None:
    rest = 100 - unparsed - refused - truncated
    scores = build_scores(
        correct=rest // 2,
        wrong=rest - rest // 2,
        unparsed=unparsed,
        refused=refused,
        truncated=truncated,
    )
    assert summarize(scores).format_decides is decides


def test_groups_are_summarized_by_name_and_questions_without_one_are_left_out() -> None:
    names = ["zoo", "art", None, "zoo", "art", "zoo"]
    questions = [build_question(f"q{i}", group=name) for i, name in enumerate(names)]
    rows = [build_row(question.id, "B" if i else "C") for i, question in enumerate(questions)]
    groups = summarize_groups(score_questions(questions, rows, FORM))
    counted = [(group.name, group.questions, group.correct) for group in groups]
    assert counted == [("art", 2, 2), ("zoo", 3, 2)]


def test_a_set_without_groups_has_no_groups() -> None:
    assert summarize_groups(build_scores(correct=3)) == ()


def test_there_is_nothing_to_say_about_no_scores() -> None:
    with pytest.raises(ValueError, match="no scores to summarize"):
        summarize([])


def test_a_summary_can_be_named() -> None:
    summary: Summary = summarize(build_scores(correct=1), "physics")
    assert summary.name == "physics"


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
    scores = score_questions([build_question()], reversed(rows), FORM, samples=4)
    assert [score.correct for score in scores] == [True, False, True, None]
    assert [score.sample_index for score in scores] == [0, 1, 2, 3]
    summary = summarize(scores)
    assert (summary.questions, summary.samples, summary.asked) == (1, 4, 1)
    assert (summary.correct, summary.not_asked, summary.is_complete) == (2, 1, False)
    # One question is one observation, however many responses it got.
    assert summary.accuracy is not None
    assert (summary.accuracy.n, summary.accuracy.estimate) == (1, 2 / 3)
    assert summary.accuracy.high - summary.accuracy.low > 0.5


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=2, max_size=20))
def test_the_interval_of_samples_is_that_of_the_questions_means(table: list[list[bool]]) -> None:
    questions = [build_question(f"q{number}") for number in range(len(table))]
    rows = [
        replace(build_row(question.id, "B" if right else "A"), sample_index=index)
        for question, rights in zip(questions, table, strict=True)
        for index, right in enumerate(rights)
    ]
    random.Random(0).shuffle(rows)
    accuracy = summarize(score_questions(questions, rows, FORM, samples=3)).accuracy
    shares = [sum(rights) / 3 for rights in table]
    assert accuracy is not None
    assert accuracy.n == len(table)
    assert accuracy.estimate == pytest.approx(sum(shares) / len(shares))
    if set(shares) <= {0.0, 1.0}:
        assert accuracy == wilson_interval(int(sum(shares)), len(shares))
    else:
        assert accuracy == mean_interval(shares)
