"""Votes are counted as the statistics want them, and what they can't tell is said."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.answers import Outcome
from evalkit.calibration_json import calibration_to_dict, describe_calibration
from evalkit.confidence import Calibration, measure_calibration
from evalkit.errors import UsageError
from evalkit.orders import Design
from evalkit.questions import Question
from evalkit.reports.calibration import render_calibration
from evalkit.results import ClusterBy
from evalkit.scores import CODES, FIRST_ANSWER
from evalkit.stats.calibration import brier_interval, brier_of_choices, brier_top, vote_excess
from evalkit.stats.clustered import clustered_interval, clustered_mean
from evalkit.stats.estimates import estimate_mean
from evalkit.stats.means import majority_credit
from evalkit.stats.reliability import equal_mass_edges, measure_reliability
from tests.runs_in_memory import judged_run
from tests.test_position_bias import build_questions, build_tally

A, B, C = (FIRST_ANSWER + place for place in range(3))
UNPARSED, FAILED = CODES[Outcome.UNPARSED], CODES[Outcome.FAILED]

votes_on = st.lists(st.sampled_from([A, B, C, UNPARSED]), min_size=10, max_size=10)


def measure(
    rights: Sequence[int], votes: Sequence[Sequence[int]], clusters: Sequence[int] | None = None
) -> Calibration:
    """The calibration of questions with three choices."""
    codes = [code for each in votes for code in each]
    tally = build_tally(codes, Design(samples=len(votes[0])))
    return measure_calibration(build_questions(rights), tally, clusters)


@given(st.lists(st.tuples(st.integers(0, 2), votes_on), min_size=1, max_size=12))
def test_scores_are_those_of_the_statistics(questions: list[tuple[int, list[int]]]) -> None:
    """An answer that names no choice is a vote for a fourth one, which is never right."""
    rights, votes = [right for right, _ in questions], [codes for _, codes in questions]
    found = measure(rights, votes)
    shares = [[codes.count(code) / 10 for code in (A, B, C, UNPARSED)] for codes in votes]
    fair = brier_of_choices(shares, rights) - vote_excess(shares, 10)
    assert found.brier.mean == pytest.approx(fair, abs=1e-12)
    assert found.even == pytest.approx(2 / 3)
    stated: list[float] = []
    correct: list[int] = []
    picked: list[int] = []
    for right, codes, (*named, _) in zip(rights, votes, shares, strict=True):
        if not any(named):
            stated, correct = [*stated, 1.0], [*correct, 0]
            continue
        leaders = [code for code in codes if code != UNPARSED]
        pick = max(leaders, key=lambda code: named[code - A])
        stated, correct = [*stated, max(named)], [*correct, int(pick - A == right)]
        picked.append(len(stated) - 1)
    assert found.brier_of_pick.mean == pytest.approx(brier_top(stated, correct))
    assert found.without_pick == len(votes) - len(picked)
    credit = [
        majority_credit([None if code == UNPARSED else code - A for code in codes], {right})
        for right, codes in questions
    ]
    assert found.majority == estimate_mean(credit)
    assert (found.n, found.left_out, found.samples) == (len(votes), 0, 10)
    assert found.unread == sum(codes.count(UNPARSED) for codes in votes)
    stated, correct = [stated[at] for at in picked], [correct[at] for at in picked]
    expected = None
    if picked:
        expected = measure_reliability(stated, correct, equal_mass_edges(stated), samples=10)
    assert found.reliability == expected
    assert len(json.dumps(calibration_to_dict(found))) > 0


def test_intervals_are_those_of_question_scores() -> None:
    votes = [[A] * 4 + [B], [A] * 3 + [B, C], [B] * 5, [A, A, B, B, B]]
    found = measure([0, 0, 0, 0], votes)
    stated, correct = [0.8, 0.6, 1.0, 0.6], [1, 1, 0, 0]
    assert found.brier_of_pick.interval == brier_interval(stated, correct)
    # By hand: pairs of votes that are both wrong, and those for the same wrong choice.
    halves = [0.0, 2 / 20 / 2, 2 / 2, (6 + 6) / 20 / 2]
    expected = estimate_mean(halves).interval
    interval = found.brier.interval
    assert interval is not None
    assert expected is not None
    assert interval.high == pytest.approx(min(2.0, 2 * expected.high))
    assert interval.estimate == pytest.approx((0.1 + 2 + 0.6) / 4)
    assert interval.method == "t"


def test_questions_in_clusters_stand_or_fall_together() -> None:
    votes = [[A] * 5, [A] * 4 + [B], [B] * 5, [B] * 4 + [C]]
    found = measure([0, 0, 0, 0], votes, clusters=[0, 0, 1, 1])
    squares = [0.0, (0.8 - 1) ** 2, 1.0, 0.8**2]
    together = clustered_mean(squares, [0, 0, 1, 1])
    assert found.brier_of_pick.interval == clustered_interval(together)
    for score in (found.brier, found.brier_of_pick, found.majority):
        assert score.clusters == 2


def test_unreadable_answers_lower_the_confidence() -> None:
    sure, unsure = measure([0], [[A] * 10]), measure([0], [[A] * 6 + [UNPARSED] * 4])
    assert (sure.brier.mean, sure.brier_of_pick.mean) == (0, 0)
    assert unsure.brier_of_pick.mean == pytest.approx((0.6 - 1) ** 2)
    assert unsure.brier.mean == pytest.approx(2 * 4 * 3 / (10 * 9))
    assert (unsure.unread, unsure.majority.mean) == (4, 1)
    assert unsure.reliability is not None
    [only] = unsure.reliability.bins
    assert only.confidence == pytest.approx(0.6)


def test_a_question_without_a_pick_scores_like_being_sure_of_a_wrong_choice() -> None:
    nothing, wrong = measure([0], [[UNPARSED] * 10]), measure([0], [[B] * 10])
    assert nothing.brier == wrong.brier
    assert nothing.brier_of_pick == wrong.brier_of_pick
    assert (nothing.brier.mean, nothing.brier_of_pick.mean) == (2, 1)
    assert (nothing.without_pick, nothing.majority.mean, nothing.reliability) == (1, 0, None)


@pytest.mark.parametrize(("votes", "is_right"), [([B, A, A, B], 0), ([A, B, B, A], 1)])
def test_of_choices_named_as_often_the_first_is_the_pick(votes: list[int], is_right: int) -> None:
    """Whichever stands first in the set: no position is favoured."""
    found = measure([0], [votes])
    assert (found.ties, found.majority.mean) == (1, 0.5)
    assert found.brier_of_pick.mean == (0.5 - is_right) ** 2
    assert measure([0], [[A, A, B, C]]).ties == 0


def test_questions_without_all_answers_are_left_out() -> None:
    found = measure([0, 0], [[A, A, FAILED], [B, B, B]])
    assert (found.n, found.left_out, found.brier.mean) == (1, 1, 2)
    with pytest.raises(UsageError, match="of no question did all 3 answers come"):
        measure([0], [[A, A, FAILED]])


def test_several_right_choices_are_one() -> None:
    question = Question(id="x", stem="?", choices=("a", "b", "c", "d"), right=(0, 1))
    tally = build_tally([A, B, A, B], Design(samples=4))
    found = measure_calibration([question], tally)
    assert (found.brier.mean, found.majority.mean, found.ties) == (0, 1, 1)
    assert found.even == pytest.approx(0.5**2 + 2 * 0.25**2)


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (Design(), "one answer a question: ask with --samples 20 and --temperature 1"),
        (Design(orders=1), "one answer a question"),
        (Design(orders="cyclic", samples=20), "several orders of the choices: they are no draws"),
        (Design(orders=2), "several orders of the choices"),
    ],
)
def test_what_is_no_vote_is_refused_with_the_reason(design: Design, message: str) -> None:
    tally = replace(build_tally([A] * 60, design), starts=array("Q", [0, 60]))
    with pytest.raises(UsageError, match=f"no confidence can be told from (answers to )?{message}"):
        measure_calibration(build_questions([0]), tally)


def test_votes_in_one_order_of_the_choices_count_by_content() -> None:
    tally = replace(build_tally([A] * 4, Design(orders=1, samples=4)), starts=array("Q", [0, 4]))
    assert measure_calibration(build_questions([0]), tally).brier.mean == 0


@pytest.mark.parametrize(
    ("samples", "has_bins", "is_warned"), [(9, False, False), (10, True, True), (20, True, False)]
)
def test_few_votes_have_no_ece_and_some_more_a_warning(
    samples: int, has_bins: bool, is_warned: bool
) -> None:
    run = judged_run("m", ["correct", *["wrong"] * (samples - 1)] * 2, samples=samples)
    found, text = run.calibration(), render_calibration("(1)", run)
    assert (found.reliability is not None) == has_bins == ("(1) ECE " in text)
    assert found.is_too_coarse is not has_bins
    assert ("no ECE and no bins: shares of 9 votes are too coarse" in text) is not has_bins
    assert (f"WARNING: shares of {samples} votes are coarse" in text) == is_warned
    assert (describe_calibration(run)["reliability"] is not None) == has_bins


def test_a_run_says_what_it_lacks() -> None:
    run = judged_run("m", ["correct"])
    with pytest.raises(UsageError) as caught:
        run.calibration()
    assert render_calibration("(2)", run) == f"(2) {caught.value}"
    assert describe_calibration(run) == {"missing": str(caught.value)}


@pytest.mark.parametrize(
    ("clustered_by", "clusters"), [("declared", 2), ("group", 3), ("none", None)]
)
def test_a_run_has_the_clusters_that_it_is_scored_by(
    clustered_by: ClusterBy, clusters: int | None
) -> None:
    def shape(question: Question) -> Question:
        number = int(question.id[1:])
        return replace(question, cluster=str(number // 3), group=f"g{number // 2}")

    outcomes = ["correct", "wrong", "correct", "correct"] * 6
    run = judged_run("m", outcomes, samples=4, shape=shape)
    found = replace(run, clustered_by=clustered_by).calibration()
    assert found.brier.clusters == clusters


TEXT = """\
(1) Confidence from vote shares of 20 answers: Brier scores on 4 questions, 0 is
perfect, with the 95 % t interval
Brier score                                Score        Interval
────────────────────────────────────────────────────────────────
All choices, 0 to 2; evenly likely: 0.750  1.053  [0.000, 2.000]
The pick alone, 0 to 1                     0.535  [0.000, 1.000]

(1) Picks by confidence, in bins of about as many questions: percent of the
votes and percent right, with the 95 % Wilson interval
Bin  n  Confidence  Right       Interval
────────────────────────────────────────
1    2        50.0  100.0  [34.2, 100.0]
2    1        80.0    0.0    [0.0, 79.3]

(1) maj@20 37.5 % [0.0, 100.0] (t): questions right by majority vote, where ties share the credit; \
no accuracy
"""


def test_the_report() -> None:
    votes = [
        ["correct"] * 10 + ["wrong"] * 10,
        ["correct"] * 10 + ["unparsed"] * 10,
        ["wrong"] * 16 + ["correct"] * 4,
        ["refused"] * 20,
        ["correct"] * 19 + ["failed"],
    ]
    run = judged_run("m", [word for each in votes for word in each], samples=20)
    text = render_calibration("(1)", run)
    assert text.startswith(TEXT)
    assert "(1) 1 question with several choices named most often: the pick is the one" in text
    assert "(1) 30 answers without a choice: votes for none" in text
    assert "(1) 1 question without any pick: scored like being sure of a wrong choice" in text
    assert "(1) 1 question left out: not all 20 answers came" in text
    assert "unanimous" not in text


def test_an_ece_stands_beside_that_of_a_perfect_model() -> None:
    """Sure of what is wrong, and as often right as it says."""
    wrong = judged_run("m", ["wrong"] * 20 * 40, samples=20)
    text = render_calibration("(1)", wrong)
    assert "(1) ECE 100.0 points, beyond what a model shows that is as often right" in text
    assert ": 0.0 on average, above 0.0 in 1 of 20 cases" in text
    assert "(1) all votes are unanimous, which tells nothing of confidence" in text
    fitting = [["correct"] * 12 + ["wrong"] * 8] * 3 + [["correct"] * 8 + ["wrong"] * 12] * 2
    run = judged_run("m", [word for each in fitting * 8 for word in each], samples=20)
    text = render_calibration("(1)", run)
    assert "(1) ECE 0.0 points, within what a model shows that is as often right" in text
    assert "which can't be compared with that of another number of answers" in text
    facts = describe_calibration(run)
    assert (facts["source"], facts["majority"]["name"]) == ("vote shares of 20 answers", "maj@20")
    assert facts["majority"]["mean"] == pytest.approx(0.6)
    assert facts["reliability"]["ece_of_perfect_model_95"] > 0.05
    assert [each["n"] for each in facts["reliability"]["bins"]] == [40]


def test_without_an_interval_none_is_shown_and_clusters_are_named() -> None:
    def in_one(question: Question) -> Question:
        return replace(question, cluster="x")

    run = judged_run("m", ["correct", "wrong"] * 20, samples=10, shape=in_one)
    text = render_calibration("(1)", run)
    assert "(1) maj@10 50.0 %: questions right by majority vote" in text
    assert "Brier scores and maj@10 are for 1 cluster of questions" in text
