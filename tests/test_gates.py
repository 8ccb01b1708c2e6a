"""A gate takes scores in its order, however they arrive, and weighs questions beforehand."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.answers import Answer, Outcome
from evalkit.baselines import baseline_of, find_own_flips
from evalkit.errors import UsageError
from evalkit.gates import GateWatch, draw_up, estimate_flips, pair_questions
from evalkit.questions import Question
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.results import Run
from evalkit.runs.gate_files import GateLot, lot_path, read_lot, write_lot
from evalkit.runs.journal import JournalRow
from evalkit.scores import Score
from evalkit.stats.costs import expected_questions, noise_floor
from evalkit.stats.draws import draw_order
from evalkit.stats.sequential import Gate, GateTerms
from evalkit.stats.verdicts import Verdict
from tests.runs_in_memory import run_of_scores
from tests.test_gate import plan_of
from tests.test_manifest import IDENTITY, MANIFEST


def question_of(number: int) -> Question:
    return Question(id=f"q{number}", stem=f"{number}?", choices=("a", "b"), right=(0,))


def score_of(number: int, is_right: bool | None, sample: int = 0) -> Score:
    """A response on disk; None: the request failed."""
    result: Response | RequestFailure = Response(
        text="A" if is_right else "B", stop_reason="end_turn", model="m", usage=Usage()
    )
    answer = Answer(outcome=Outcome.ANSWERED, choice=0 if is_right else 1)
    if is_right is None:
        result = RequestFailure(kind="server", message="broken", status=500)
        answer = Answer(outcome=Outcome.FAILED)
    row = JournalRow(
        request_id=f"r{number}-{sample}",
        question_id=f"q{number}",
        way="prefill",
        sample_index=sample,
        result=result,
    )
    return Score(question=question_of(number), answer=answer, row=row, sample_index=sample)


def run_with(right: Sequence[Sequence[bool | None]]) -> Run:
    """A run with these responses to its questions."""
    samples = len(right[0])
    made = replace(MANIFEST, identity=replace(MANIFEST.identity, samples=samples))
    scores = [
        score_of(number, is_right, sample)
        for number, row in enumerate(right)
        for sample, is_right in enumerate(row)
    ]
    return run_of_scores(scores, made)


# Pairing


def test_questions_without_a_score_in_the_baseline_are_left_out() -> None:
    baseline = run_with([[True], [None], [False]])
    pairing = pair_questions(baseline_of(baseline), [question_of(n) for n in range(4)], IDENTITY)
    assert (pairing.ids, pairing.scores) == (("q0", "q2"), (1.0, 0.0))
    assert pairing.left_out == 2


def test_a_question_that_has_changed_is_invalid() -> None:
    baseline = run_with([[True], [False]])
    changed = replace(question_of(1), right=(1,))
    with pytest.raises(UsageError, match=r"^invalid: 1 questions are not those of .* q1 for one"):
        pair_questions(baseline_of(baseline), [question_of(0), changed], IDENTITY)


def test_without_a_common_question_there_is_no_gate() -> None:
    with pytest.raises(UsageError, match="has a score of none of everyday's questions"):
        pair_questions(baseline_of(run_with([[None]])), [question_of(0)], IDENTITY)


def test_the_digest_of_a_pairing_tells_questions_apart() -> None:
    questions = [question_of(n) for n in range(3)]
    whole = pair_questions(baseline_of(run_with([[True], [False], [True]])), questions, IDENTITY)
    part = pair_questions(baseline_of(run_with([[True], [False], [None]])), questions, IDENTITY)
    changed = replace(IDENTITY, question_digest="ef" * 32)
    other = pair_questions(baseline_of(run_with([[True], [False], [True]])), questions, changed)
    assert len({each.suite_digest for each in (whole, part, other)}) == 3


# Weights and flips


def test_earlier_runs_weigh_what_they_scored_differently() -> None:
    baseline = run_with([[True]] * 9 + [[False]])
    pairing = pair_questions(baseline_of(baseline), [question_of(n) for n in range(10)], IDENTITY)
    earlier = run_with([[True]] * 10)
    lot = draw_up(pairing, baseline_of(baseline), [earlier])
    assert lot.weights == (1.0,) * 9 + (4.0,)
    assert (lot.volatile, lot.flips_from) == (1, "earlier runs")
    assert lot.flips == pytest.approx(0.1)
    alone = draw_up(pairing, baseline_of(baseline), [])
    assert (alone.volatile, alone.flips, alone.flips_from) == (0, 0.05, "assumed")


def test_a_baseline_of_several_answers_tells_its_own_flips() -> None:
    baseline = run_with([[True, False]] * 2 + [[True, True]] * 8)
    # Of a question with one right answer of two, two answers differ for sure.
    assert find_own_flips(baseline) == pytest.approx(0.2)
    _, source = estimate_flips([0.5] * 2 + [1.0] * 8, [], baseline_of(baseline))
    assert source == "the baseline's own answers"
    assert find_own_flips(run_with([[True]] * 3)) is None
    assert find_own_flips(run_with([[True, None], [True, True]])) is None


# The plan


def test_the_order_is_that_of_seed_and_weights() -> None:
    plan = plan_of([1.0, 0.0, 1.0, 1.0], weights=[1.0, 4.0, 1.0, 1.0])
    assert plan.open().order == draw_order([1.0, 4.0, 1.0, 1.0], plan.seed)


@pytest.mark.parametrize(
    "change",
    [
        {"suite_digest": "e"},
        {"baseline": "e"},
        {"candidate": "e"},
        {"terms": GateTerms(margin=0.03)},
        {"terms": GateTerms(alpha=0.1)},
    ],
)
def test_another_comparison_has_another_seed_and_id(change: dict[str, object]) -> None:
    plan = plan_of([1.0] * 4)
    other = replace(plan, **change)  # type: ignore[arg-type]
    assert other.seed != plan.seed
    assert other.id != plan.id


@pytest.mark.parametrize("terms", [{"budget": 3}, {"fail_margin": 0.0}, {"suites": 2}])
def test_other_terms_are_another_gate_in_the_same_order(terms: dict[str, Any]) -> None:
    plan, other = plan_of([1.0] * 4), plan_of([1.0] * 4, **terms)
    assert other.seed == plan.seed
    assert other.id != plan.id


def test_scores_that_are_fractions_make_no_binary_gate() -> None:
    assert plan_of([1.0, 0.0]).is_binary
    assert not plan_of([1.0, 0.5]).is_binary
    assert not replace(plan_of([1.0, 0.0]), candidate_samples=3).is_binary


def test_what_is_expected_and_the_noise_floor_are_those_of_the_statistics() -> None:
    plan = replace(plan_of([1.0] * 1000), own_flips=0.1, baseline_samples=5)
    assert plan.expected == expected_questions(1000, delta=0.02, drop=0.0, flips=0.05)
    assert plan_of([1.0] * 1000, budget=100).expected == 100
    assert plan.noise_floor == noise_floor(0.1, 1000, baseline_samples=5)
    assert not plan.is_too_noisy
    assert replace(plan, terms=GateTerms(margin=0.01)).is_too_noisy
    assert replace(plan, terms=GateTerms(margin=0.02, fail_margin=0.0)).is_too_noisy
    assert not plan_of([1.0] * 1000, margin=0.0).is_too_noisy


# The watch


def feed_pure(plan_scores: Sequence[float], right: Sequence[bool], gate: Gate) -> Gate:
    for place in gate.order:
        if gate.update(float(right[place])) is not None:
            break
    return gate


@given(
    right=st.lists(st.booleans(), min_size=1, max_size=40),
    seed=st.integers(0, 1000),
    group=st.integers(1, 7),
    delta=st.sampled_from([0.0, 0.02, 0.1, 0.3]),
)
def test_scores_in_any_order_give_the_verdict_of_the_drawn_order(
    right: list[bool], seed: int, group: int, delta: float
) -> None:
    baseline = [float(number % 4 != 0) for number in range(len(right))]
    plan = plan_of(baseline, margin=delta)
    watch = GateWatch(plan)
    expected = feed_pure(baseline, right, plan.open())
    arrivals = [score_of(number, is_right) for number, is_right in enumerate(right)]
    random.Random(seed).shuffle(arrivals)
    for start in range(0, len(arrivals), group):
        watch.take(arrivals[start : start + group])
    assert (watch.verdict, watch.gate.used) == (expected.verdict, expected.used)
    assert watch.gate.answered == expected.used, "what comes after the verdict is not used"
    assert watch.is_clear.is_set()


def test_a_score_before_its_turn_waits() -> None:
    watch = GateWatch(plan_of([1.0] * 10))
    second, first = watch.ids[1], watch.ids[0]
    watch.take([score_of(int(second[1:]), True)])
    assert watch.gate.answered == 0
    watch.take([score_of(int(first[1:]), True)])
    assert watch.gate.answered == 2


def test_a_question_counts_when_all_its_responses_are_there() -> None:
    plan = replace(plan_of([1.0] * 4, margin=0.0), candidate_samples=3)
    watch = GateWatch(plan, lambda question: 3)
    number = int(watch.ids[0][1:])
    watch.take([score_of(number, True, 0), score_of(number, False, 2)])
    assert watch.gate.answered == 0
    watch.take([score_of(number, True, 1)])
    assert watch.gate.answered == 1
    assert watch.gate.losses == 1


def test_other_questions_than_those_of_the_gate_are_nothing_to_it() -> None:
    watch = GateWatch(plan_of([1.0] * 3))
    watch.take([score_of(77, False), score_of(78, None)])
    assert (watch.gate.answered, watch.failures) == (0, {})


def test_a_failure_ends_the_asking_and_is_invalid_unless_there_is_a_verdict_before_it() -> None:
    watch = GateWatch(plan_of([1.0] * 300, margin=0.3))
    by_id = {name: question_of(int(name[1:])) for name in watch.ids}
    asking = watch.list_questions(by_id)
    assert next(asking).id == watch.ids[0]
    far = watch.ids[250]
    watch.take([score_of(int(far[1:]), None)])
    assert list(asking) == []
    before = watch.verdict
    watch.take([score_of(int(name[1:]), True) for name in watch.ids[:200]])
    assert (before, watch.verdict) == (Verdict.INVALID, Verdict.NO_REGRESSION)


def test_a_reply_that_was_cut_and_cannot_be_had_longer_counts_as_wrong() -> None:
    watch = GateWatch(plan_of([1.0] * 4, margin=0.0))
    failed = score_of(int(watch.ids[0][1:]), None)
    assert failed.row is not None
    assert isinstance(failed.row.result, RequestFailure)
    result = replace(failed.row.result, kind="invalid_request")
    row = replace(failed.row, is_retake=True, result=result)
    watch.take([replace(failed, row=row)])
    assert (watch.failures, watch.gate.losses) == ({}, 1)


def test_no_more_than_the_budget_is_asked() -> None:
    watch = GateWatch(plan_of([1.0] * 20, budget=5))
    by_id = {name: question_of(int(name[1:])) for name in watch.ids}
    assert [question.id for question in watch.list_questions(by_id)] == watch.ids[:5]


def test_who_asks_for_all_gets_all_and_the_first_verdict_stays() -> None:
    plan = plan_of([1.0] * 30, margin=0.3)
    watch = GateWatch(plan, asks_all=True)
    by_id = {f"q{number}": question_of(number) for number in range(32)}
    asked = [question.id for question in watch.list_questions(by_id)]
    assert asked == [*watch.ids, "q30", "q31"]
    verdicts = []
    for name in watch.ids:
        watch.take([score_of(int(name[1:]), True)])
        verdicts.append((watch.verdict, watch.gate.verdict))
    assert verdicts[28] == (None, Verdict.NO_REGRESSION)
    assert verdicts[29] == (Verdict.NO_REGRESSION, Verdict.NO_REGRESSION)
    assert watch.gate.answered == 30
    assert (watch.gate.used or 0) < 30
    assert not watch.is_clear.is_set()


def test_what_a_bar_shows_is_the_evidence_against_its_limits() -> None:
    watch = GateWatch(plan_of([1.0] * 1000))
    number = int(watch.ids[0][1:])
    watch.take([score_of(number, False)])
    assert watch.describe() == (
        "used 1 of about 474 (of 1,000), losses 1, gains 0, evidence of a pass -0.4 / 3.0, of a "
        "fail 0.3 / 3.0"
    )


# What is written


def test_a_lot_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    lot = replace(plan_of([1.0, 0.5, 0.1], weights=[1.0, 4.0, 1.0]).lot, history=("x",), flips=0.1)
    assert read_lot(tmp_path, 7) is None
    write_lot(tmp_path, 7, lot)
    assert read_lot(tmp_path, 7) == lot
    first = lot_path(tmp_path, 7).read_bytes()
    write_lot(tmp_path, 7, lot)
    assert lot_path(tmp_path, 7).read_bytes() == first
    assert read_lot(tmp_path, 8) is None


def test_lots_that_differ_have_other_digests() -> None:
    lot = plan_of([1.0, 0.5]).lot
    others: list[GateLot] = [
        replace(lot, history=("x",)),
        replace(lot, ids=lot.ids[::-1]),
        replace(lot, scores=(1.0, 0.25)),
    ]
    assert len({each.digest for each in (lot, *others)}) == 4
    assert not math.isnan(lot.flips)
