"""The gate keeps its promise: verdicts equal the count's in 95 % of gates, whenever they come."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.draws import draw_order
from evalkit.stats.sequential import Gate, GateTerms
from evalkit.stats.verdicts import Verdict
from tests.test_intervals import GOLDEN, read_golden

PASS, FAIL, OPEN = Verdict.NO_REGRESSION, Verdict.REGRESSED, Verdict.INCONCLUSIVE
BETS = (0.05, 0.1, 0.2, 0.4, 0.8)


def gate_of(inputs: dict[str, Any]) -> dict[str, float]:
    """The outputs that golden values have for `gate`: verdict -1 is `regressed`."""
    terms = GateTerms(
        margin=inputs["delta"], alpha=inputs["alpha"], fail_margin=inputs["fail_margin"]
    )
    n, answers = len(inputs["baseline"]), inputs["answers"]
    gate = Gate(
        inputs["baseline"],
        terms,
        order=range(n),
        weights=inputs["weight"],
        is_binary=inputs["binary"],
    )
    wealths = {}
    for place, score in enumerate(inputs["candidate"], start=1):
        gate.update(score)
        if place == answers:
            wealths = {
                f"log_wealth_pass_after_{answers}": gate.pass_evidence,
                f"log_wealth_fail_after_{answers}": gate.fail_evidence,
            }
    assert gate.verdict in (PASS, FAIL)
    assert gate.used is not None
    return {**wealths, "verdict": 1 if gate.verdict is PASS else -1, "questions_used": gate.used}


@pytest.mark.skipif(not GOLDEN.is_file(), reason=f"the golden values are not here: {GOLDEN}")
def test_every_golden_value_is_met() -> None:
    rows = read_golden("gate")
    assert len(rows) == 32
    for row in rows:
        value = gate_of(row.inputs)[row.output]
        assert value == pytest.approx(row.expected, abs=row.tolerance, rel=0), row.case


class Case:
    """Scores in drawn order, their weights, and terms."""

    def __init__(self, baseline: list[float], candidate: list[float], weights: list[float]) -> None:
        self.baseline, self.candidate, self.weights = baseline, candidate, weights

    def __repr__(self) -> str:
        return f"Case({self.baseline}, {self.candidate}, {self.weights})"

    @property
    def is_binary(self) -> bool:
        return all(score in (0, 1) for score in (*self.baseline, *self.candidate))

    def gate(self, terms: GateTerms) -> Gate:
        """A gate that has no answers yet."""
        return Gate(
            self.baseline,
            terms,
            order=range(len(self.baseline)),
            weights=self.weights,
            is_binary=self.is_binary,
        )


def cases_of(scores: st.SearchStrategy[float]) -> st.SearchStrategy[Case]:
    question = st.tuples(scores, scores, st.sampled_from([1.0, 1.0, 4.0]))
    return st.lists(question, min_size=1, max_size=60).map(
        lambda rows: Case(*(list(column) for column in zip(*rows, strict=True)))
    )


binary_cases = cases_of(st.sampled_from([0.0, 1.0, 1.0, 1.0]))
fractional_cases = cases_of(st.sampled_from([place / 5 for place in range(6)]))
cases = binary_cases | fractional_cases
terms = st.builds(
    lambda delta, part, alpha, budget: GateTerms(
        margin=delta,
        alpha=alpha,
        fail_margin=None if part is None else part * delta,
        budget=budget,
    ),
    st.sampled_from([0.0, 0.02, 0.05, 0.1, 0.3]),
    st.none() | st.sampled_from([0.0, 0.5]),
    st.sampled_from([0.05, 0.2, 0.45]),
    st.none() | st.integers(1, 60),
)


def slow_gate(case: Case, terms: GateTerms) -> tuple[Verdict | None, int, float, float]:
    """Verdict, answers used, and both evidences at the end, by the definition of every step."""
    baseline, weights, n = case.baseline, case.weights, len(case.baseline)
    fail_margin = terms.margin if terms.fail_margin is None else terms.fail_margin
    pass_total, fail_total = -terms.margin * n, -fail_margin * n
    if case.is_binary:
        pass_total = -(math.floor(terms.margin * n + 1e-9) + 1)
        fail_total = -math.floor(fail_margin * n + 1e-9)
    passing, failing, total = [1.0] * 5, [1.0] * 5, 0.0
    verdict, used = None, 0
    for t in range(n):
        left = range(t, n)
        mean_weight = sum(weights[j] for j in left) / len(left)
        difference = case.candidate[t] - baseline[t]
        x = difference * mean_weight / weights[t]
        low = min(-baseline[j] * mean_weight / weights[j] for j in left)
        high = max((1 - baseline[j]) * mean_weight / weights[j] for j in left)
        m = (pass_total - total) / len(left)
        stakes = [min(g * n / len(left), 0.9 / max(m - low, 1e-12)) for g in BETS]
        passing = [w * (1 + stake * (x - m)) for w, stake in zip(passing, stakes, strict=True)]
        m = (fail_total - total) / len(left)
        stakes = [min(g * n / len(left), 0.9 / max(high - m, 1e-12)) for g in BETS]
        failing = [w * (1 - stake * (x - m)) for w, stake in zip(failing, stakes, strict=True)]
        total += difference
        if verdict is None:
            rest = range(t + 1, n)
            if total - sum(baseline[j] for j in rest) > pass_total + 1e-9:
                verdict = PASS
            elif total + sum(1 - baseline[j] for j in rest) < fail_total - 1e-9:
                verdict = FAIL
            elif t + 1 == n or statistics.fmean(passing) >= 1 / terms.alpha:
                verdict = PASS
            elif statistics.fmean(failing) >= 1 / terms.alpha:
                verdict = FAIL
            elif t + 1 == terms.budget:
                verdict = OPEN
            used = t + 1
    return verdict, used, math.log(statistics.fmean(passing)), math.log(statistics.fmean(failing))


@given(cases, terms)
def test_a_gate_does_what_its_definition_says(case: Case, terms: GateTerms) -> None:
    gate = case.gate(terms)
    for score in case.candidate:
        gate.update(score)
    verdict, used, passing, failing = slow_gate(case, terms)
    assert (gate.verdict, gate.used) == (verdict, used)
    assert (gate.pass_evidence, gate.fail_evidence) == pytest.approx((passing, failing), abs=1e-8)


@given(cases, terms)
def test_a_verdict_stays_and_losses_and_gains_are_counted(case: Case, terms: GateTerms) -> None:
    gate = case.gate(terms)
    said = [gate.update(score) for score in case.candidate]
    assert gate.used is not None
    assert said == [None] * (gate.used - 1) + [gate.verdict] * (gate.answered - gate.used + 1)
    pairs = list(zip(case.baseline, case.candidate, strict=True))
    assert gate.losses == sum(ours > theirs for ours, theirs in pairs)
    assert gate.gains == sum(ours < theirs for ours, theirs in pairs)
    assert gate.answered == len(pairs)


@given(cases, terms, st.integers(0, 60))
def test_a_resumed_gate_goes_on_as_if_never_interrupted(
    case: Case, terms: GateTerms, interruption: int
) -> None:
    whole = case.gate(terms)
    for score in case.candidate:
        whole.update(score)
    recorded = case.candidate[:interruption]
    resumed = case.gate(terms)
    for score in [*recorded, *case.candidate[interruption:]]:
        resumed.update(score)
    assert (resumed.verdict, resumed.used) == (whole.verdict, whole.used)
    assert resumed.pass_evidence == whole.pass_evidence
    assert resumed.pass_p_value == whole.pass_p_value
    assert resumed.fail_p_value == whole.fail_p_value
    assert resumed.drop_interval() == whole.drop_interval()


@given(binary_cases, st.sampled_from([0.0, 0.02, 0.05, 0.1, 0.3]))
def test_exhausting_the_set_gives_the_verdict_of_the_count(case: Case, delta: float) -> None:
    """With so small an error, no evidence is ever enough."""
    gate = case.gate(GateTerms(margin=delta, alpha=1e-300))
    for score in case.candidate:
        gate.update(score)
    drop = gate.losses - gate.gains
    assert gate.verdict is (FAIL if drop > delta * len(case.baseline) + 1e-9 else PASS)


@pytest.mark.parametrize(
    ("drop", "verdict"), [(0.1, PASS), (0.1 + 1e-6, FAIL), (0.1 - 1e-6, PASS), (0.0, PASS)]
)
def test_a_fractional_drop_of_exactly_delta_is_no_regression(drop: float, verdict: Verdict) -> None:
    gate = Gate([0.5] * 3, GateTerms(margin=0.1, alpha=1e-300), order=range(3))
    for _ in range(3):
        gate.update(0.5 - drop)
    assert gate.verdict is verdict


def test_a_verdict_by_evidence_has_a_p_value_of_at_most_alpha() -> None:
    passed = Gate([1] * 1000, GateTerms(), order=range(1000))
    failed = Gate([1] * 1000, GateTerms(), order=range(1000))
    for _ in range(215):
        passed.update(1)
        failed.update(0)
    assert (passed.verdict, failed.verdict) == (PASS, FAIL)
    assert passed.pass_p_value <= 0.05 < passed.fail_p_value
    assert failed.fail_p_value <= 0.05 < failed.pass_p_value


@pytest.mark.parametrize(("n", "used"), [(200, 122), (1000, 215), (14_042, 275)])
def test_without_flips_the_verdict_comes_at_a_known_answer(n: int, used: int) -> None:
    gate = Gate([1] * n, GateTerms(margin=0.02), order=range(n))
    while gate.verdict is None:
        gate.update(1)
    assert (gate.verdict, gate.used) == (PASS, used)


def test_a_budget_ends_a_gate_without_a_verdict_on_the_drop() -> None:
    gate = Gate([1] * 100, GateTerms(budget=5), order=range(100))
    assert [gate.update(1) for _ in range(6)] == [None] * 4 + [OPEN] * 2
    assert (gate.used, gate.answered) == (5, 6)


def test_suites_judged_together_take_more_evidence_of_a_regression_only() -> None:
    def used(score: int, suites: int) -> int:
        gate = Gate([1] * 2000, GateTerms(suites=suites), order=range(2000))
        while gate.verdict is None:
            gate.update(score)
        assert gate.verdict is (PASS if score else FAIL)
        assert gate.used is not None
        return gate.used

    assert used(0, suites=1) < used(0, suites=10)
    assert used(1, suites=1) == used(1, suites=10)


def test_thresholds_are_whole_questions_where_scores_are() -> None:
    binary = Gate([1.0] * 300, GateTerms(margin=0.0233, fail_margin=0.01), order=range(300))
    fractional = Gate(
        [1.0] * 300, GateTerms(margin=0.02, fail_margin=0.01), order=range(300), is_binary=False
    )
    assert (binary.pass_total, binary.fail_total) == (-7, -3)
    assert (fractional.pass_total, fractional.fail_total) == (-6, -3)
    # 0.29 * 100 is a little less than 29.
    assert Gate([1] * 100, GateTerms(margin=0.29), order=range(100)).pass_total == -30


def test_a_gate_asks_in_its_order() -> None:
    baseline = [1.0, 0.0, 1.0, 0.0]
    gate = Gate(baseline, GateTerms(), order=[2, 3, 1, 0])
    asked = []
    for place in gate.order:
        asked.append(gate.baseline_score)
        gate.update(baseline[place])
    assert gate.order == (2, 3, 1, 0)
    assert asked == [1, 0, 0, 1]


class Judge(Protocol):
    """What a simulation needs of a gate."""

    def update(self, score: float) -> Verdict | None: ...


class PeekingTest:
    """A wrong gate: a z-test of the margin, looked at after every answer from the tenth on."""

    def __init__(self, baseline: Sequence[float], delta: float, order: Sequence[int]) -> None:
        self.baseline = [baseline[place] for place in order]
        self.delta = delta
        self.n = 0
        self.total = self.squares = 0.0

    def update(self, score: float) -> Verdict | None:
        difference = score - self.baseline[self.n]
        self.n += 1
        self.total += difference
        self.squares += difference**2
        mean = self.total / self.n
        if self.n == len(self.baseline):
            return FAIL if -mean > self.delta + 1e-9 else PASS
        spread = math.sqrt(self.squares / self.n - mean**2)
        if self.n < 10 or not spread:
            return None
        z = (mean + self.delta) / (spread / math.sqrt(self.n))
        return PASS if z > 1.645 else FAIL if z < -1.645 else None


Weigh = Callable[[list[int], list[int]], list[float]]
Build = Callable[[list[int], list[float], tuple[int, ...]], Judge]


def uniform(baseline: list[int], candidate: list[int]) -> list[float]:
    return [1.0] * len(baseline)


def losses_first(baseline: list[int], candidate: list[int]) -> list[float]:
    return [4.0 if ours > theirs else 1.0 for ours, theirs in zip(baseline, candidate, strict=True)]


def gains_first(baseline: list[int], candidate: list[int]) -> list[float]:
    return losses_first(candidate, baseline)


def true_gate(baseline: list[int], weights: list[float], order: tuple[int, ...]) -> Gate:
    return Gate(baseline, GateTerms(margin=0.02), order=order, weights=weights)


def weightless_gate(baseline: list[int], weights: list[float], order: tuple[int, ...]) -> Gate:
    """A wrong gate: drawn by weight, but judged as if it were not."""
    return Gate(baseline, GateTerms(margin=0.02), order=order)


def peeking_gate(baseline: list[int], weights: list[float], order: tuple[int, ...]) -> PeekingTest:
    return PeekingTest(baseline, 0.02, order)


def draw_verdicts(
    n: int, losses: int, gains: int, *, count: int, weigh: Weigh = uniform, build: Build = true_gate
) -> tuple[list[Verdict], list[int]]:
    """Verdicts, and answers used, of gates over one pair of runs with an accuracy of 80 %."""
    right = round(0.8 * n)
    baseline = [1] * right + [0] * (n - right)
    candidate = [0] * losses + [1] * (right - losses + gains) + [0] * (n - right - gains)
    weights = weigh(baseline, candidate)
    verdicts, used = [], []
    for seed in range(count):
        order = draw_order(weights, seed)
        judge = build(baseline, weights, order)
        for place, question in enumerate(order, start=1):
            if verdict := judge.update(candidate[question]):
                verdicts.append(verdict)
                used.append(place)
                break
    assert len(verdicts) == count
    return verdicts, used


def is_right_often_enough(verdicts: list[Verdict], truth: Verdict) -> bool:
    """Whether at most 5 % are wrong, but for chance: three standard errors."""
    count = len(verdicts)
    wrong = sum(verdict is not truth for verdict in verdicts)
    return wrong / count <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / count)


BOUNDARY = [(12, 6, PASS), (13, 6, FAIL)]
"""Losses, gains and the true verdict of 300 questions with 6 % flips: a net loss of 6, and 7."""


@pytest.mark.parametrize("weigh", [uniform, losses_first, gains_first])
@pytest.mark.parametrize(("losses", "gains", "truth"), BOUNDARY)
def test_at_the_boundary_a_verdict_is_wrong_in_at_most_5_percent(
    losses: int, gains: int, truth: Verdict, weigh: Weigh
) -> None:
    verdicts, _ = draw_verdicts(300, losses, gains, count=500, weigh=weigh)
    assert is_right_often_enough(verdicts, truth)


@pytest.mark.slow
@pytest.mark.parametrize("weigh", [uniform, losses_first, gains_first])
@pytest.mark.parametrize(
    ("n", "losses", "gains", "truth", "count"),
    [
        *((300, *row, 5000) for row in BOUNDARY),
        (1000, 35, 15, PASS, 1500),
        (1000, 36, 15, FAIL, 1500),
        (14_042, 490, 210, PASS, 200),
        (14_042, 491, 210, FAIL, 200),
    ],
)
def test_at_the_boundary_many_verdicts_are_wrong_in_at_most_5_percent(
    n: int, losses: int, gains: int, truth: Verdict, count: int, weigh: Weigh
) -> None:
    verdicts, _ = draw_verdicts(n, losses, gains, count=count, weigh=weigh)
    assert is_right_often_enough(verdicts, truth)


@pytest.mark.parametrize(
    ("build", "weigh", "losses", "gains", "truth"),
    [
        (peeking_gate, uniform, 12, 6, PASS),
        (peeking_gate, uniform, 13, 6, FAIL),
        (weightless_gate, losses_first, 12, 6, PASS),
        (weightless_gate, gains_first, 13, 6, FAIL),
    ],
)
def test_a_wrong_gate_does_not_get_through_these_simulations(
    build: Build, weigh: Weigh, losses: int, gains: int, truth: Verdict
) -> None:
    verdicts, _ = draw_verdicts(300, losses, gains, count=500, weigh=weigh, build=build)
    assert not is_right_often_enough(verdicts, truth)


MEAN_USE = [
    (1000, 0.02, 0, 0.44),
    (1000, 0.02, 10, 0.69),
    (1000, 0.02, 20, 0.97),
    (1000, 0.01, 0, 0.69),
    (1000, 0.02, 50, 0.25),
    (1000, 0.01, 10, 0.95),
    (1000, 0.01, 20, 0.70),
    (1000, 0.01, 50, 0.18),
    (14_042, 0.02, 0, 0.07),
    (14_042, 0.02, 140, 0.19),
    (14_042, 0.02, 281, 0.93),
    (14_042, 0.02, 702, 0.024),
    (14_042, 0.01, 0, 0.19),
    (14_042, 0.01, 281, 0.19),
    (14_042, 0.01, 702, 0.014),
]
"""Questions, margin, net loss, and the mean share of questions used with 5 % flips."""


@pytest.mark.slow
@pytest.mark.parametrize(("n", "delta", "net", "share"), MEAN_USE)
def test_a_gate_uses_as_many_questions_as_published(
    n: int, delta: float, net: int, share: float
) -> None:
    def build(baseline: list[int], weights: list[float], order: tuple[int, ...]) -> Gate:
        return Gate(baseline, GateTerms(margin=delta), order=order)

    flips = round(0.05 * n)
    losses = (flips + net) // 2
    count = 400 if n == 1000 else 150
    _, used = draw_verdicts(n, losses, losses - net, count=count, build=build)
    assert statistics.fmean(used) / n == pytest.approx(share, rel=0.1)


def test_the_estimate_is_right_on_average_though_gates_stop_early() -> None:
    """The plain drop of the questions answered is not: it exaggerates."""
    n, truth, estimates, plain = 400, 0.05, [], []
    baseline = [1] * n
    candidate = [0] * 20 + [1] * (n - 20)
    for seed in range(400):
        order = draw_order([1.0] * n, seed)
        gate = Gate(baseline, GateTerms(margin=0.02), order=order)
        for place in order:
            if gate.update(candidate[place]):
                break
        interval = gate.drop_interval()
        assert interval is not None
        estimates.append(interval.estimate)
        plain.append(gate.losses / gate.answered)
    error = statistics.stdev(estimates) / math.sqrt(len(estimates))
    assert abs(statistics.fmean(estimates) - truth) < abs(statistics.fmean(plain) - truth)
    assert statistics.fmean(estimates) == pytest.approx(truth, abs=0.005 + 3 * error)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margin": -0.01}, "margin = -0.01: expected 0 to less than 1"),
        ({"margin": 2}, "margin = 2: expected 0 to less than 1"),
        ({"margin": math.nan}, "margin = nan: expected 0 to less than 1"),
        ({"alpha": 0}, "alpha = 0: expected more than 0, less than 0.5"),
        ({"alpha": 0.5}, "alpha = 0.5: expected more than 0, less than 0.5"),
        ({"fail_margin": 0.03}, "fail_margin = 0.03: expected 0 to 0.02"),
        ({"fail_margin": -0.01}, "fail_margin = -0.01: expected 0 to 0.02"),
        ({"budget": 0}, "budget = 0: expected at least 1"),
        ({"suites": 0}, "suites = 0: expected at least 1"),
    ],
)
def test_terms_refuse_what_makes_no_sense(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        GateTerms(**change)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("baseline", "options", "message"),
    [
        ([], {"order": []}, "0 questions: expected at least 1"),
        ([1, 2], {"order": [0, 1]}, "baseline = 2: expected 0 to 1"),
        ([1, 0], {"order": [0, 0]}, "order: expected each of 0 to 1 once"),
        ([1, 0], {"order": [0]}, "order: expected each of 0 to 1 once"),
        ([1, 0], {"order": [0, 1], "weights": [1.0]}, "1 weights: expected 2"),
        ([1], {"order": [0], "weights": [0.0]}, "weight = 0.0: expected more than 0 and finite"),
        (
            [0.5],
            {"order": [0], "is_binary": True},
            "is_binary = True: a score of the baseline is other than 0 and 1",
        ),
    ],
)
def test_a_gate_refuses_what_makes_no_sense(
    baseline: list[float], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        Gate(baseline, GateTerms(), **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("is_binary", "score", "message"),
    [
        (True, 0.5, "score = 0.5: expected 0 or 1"),
        (True, 2, "score = 2: expected 0 or 1"),
        (False, 1.5, "score = 1.5: expected 0 to 1"),
        (False, math.nan, "score = nan: expected 0 to 1"),
    ],
)
def test_a_score_outside_its_range_changes_nothing(
    is_binary: bool, score: float, message: str
) -> None:
    gate = Gate([1, 0], GateTerms(), order=[0, 1], is_binary=is_binary)
    with pytest.raises(ValueError) as caught:
        gate.update(score)
    assert str(caught.value) == message
    assert gate.answered == 0


def test_no_more_scores_are_taken_than_there_are_questions() -> None:
    gate = Gate([1], GateTerms(), order=[0])
    gate.update(1)
    with pytest.raises(ValueError, match="2 scores: expected at most 1"):
        gate.update(1)
    with pytest.raises(IndexError):
        _ = gate.baseline_score


def test_an_answer_costs_next_to_nothing() -> None:
    """Under 10 microseconds on an idle machine; ten times that here, as others may be at work."""
    rng, n = random.Random(1), 20_000
    baseline = [int(rng.random() < 0.8) for _ in range(n)]
    candidate = [score if rng.random() > 0.05 else 1 - score for score in baseline]
    gate = Gate(baseline, GateTerms(), order=range(n))
    start = time.process_time()
    for score in candidate:
        gate.update(score)
    assert (time.process_time() - start) / n < 100e-6
