"""The report of a gate: the sentences of the specification, and no word that says too much."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evalkit.gate_records import GateRecord, take_down
from evalkit.gates import GatePlan, GateWatch
from evalkit.gating import GateResult
from evalkit.reports.gate import describe_verdict, list_facts, render_gate, render_result
from evalkit.runs.gate_files import GateLot
from evalkit.stats.sequential import GateTerms
from evalkit.stats.verdicts import Verdict

FORBIDDEN = ("no difference", "equivalent", "identical", "significant", "p <")


def plan_of(
    baseline: list[float], *, weights: list[float] | None = None, **terms: float
) -> GatePlan:
    """A gate on questions with these scores."""
    weights = weights or [1.0] * len(baseline)
    return GatePlan(
        suite="facts",
        suite_digest="d",
        baseline="b" * 12,
        baseline_folder="results/b",
        baseline_samples=1,
        candidate="c" * 12,
        candidate_samples=1,
        terms=GateTerms(**terms),  # type: ignore[arg-type]
        lot=GateLot(
            ids=tuple(f"q{number}" for number in range(len(baseline))),
            scores=tuple(baseline),
            weights=tuple(weights),
        ),
        left_out=0,
        own_flips=None,
    )


def record_of(plan: GatePlan, flips: dict[int, int], *, most: int = 10**9) -> GateRecord:
    """A gate fed with the baseline's scores, but for flips at some places of its order."""
    watch = GateWatch(plan)
    while watch.gate.verdict is None and watch.gate.answered < most:
        place = watch.gate.answered
        score = watch.gate.baseline_score
        watch.gate.update(1 - score if place in flips else score)
    return take_down(GateRecord(plan=plan, folder="results/c", changed=("way: a and b",)), watch)


def mostly_right(n: int) -> list[float]:
    return [float(number % 5 != 0) for number in range(n)]


def test_a_regression_reads_like_this() -> None:
    plan = plan_of([1.0] * 400)
    record = record_of(plan, dict.fromkeys(range(400), 1))
    text = describe_verdict(record)
    assert text.startswith(
        f"Regressed: accuracy on facts fell by more than 2.0 points. {record.used} of 400 "
        f"questions used; {record.losses} losses, 0 gains; the drop is between "
    )
    assert text.endswith(
        "points (90 %, valid at any stopping time). Chance of this verdict when the drop is at "
        "most 2.0 points: at most 5 %."
    )
    assert record.drop is not None
    assert record.drop.low > 0.02


def test_a_pass_reads_like_this() -> None:
    assert describe_verdict(record_of(plan_of(mostly_right(1000)), {})) == (
        "No regression beyond 2.0 points on facts. 215 of 1,000 questions used; 0 losses, 0 gains; "
        "the drop is between -2.0 and 2.0 points (90 %, valid at any stopping time). Chance of "
        "this verdict when the drop is more than 2.0 points: at most 5 %."
    )


def test_a_fail_margin_is_what_a_regression_is_beyond() -> None:
    plan = plan_of([1.0] * 400, margin=0.05, fail_margin=0.0)
    text = describe_verdict(record_of(plan, dict.fromkeys(range(400), 1)))
    assert "fell by more than 0.0 points" in text
    assert text.endswith("when the drop is at most 0.0 points: at most 5 %.")


def test_of_several_suites_each_may_say_regressed_at_its_share_of_the_error() -> None:
    record = record_of(plan_of([1.0] * 400, suites=2), dict.fromkeys(range(400), 1))
    assert describe_verdict(record).endswith("at most 2.5 %.")
    assert "(92.5 %, valid at any stopping time)" in describe_verdict(record)
    assert any("alpha 0.05 (a regression at 0.05 / 2)" in fact for fact in list_facts(record))


def test_if_all_were_asked_the_drop_is_a_count() -> None:
    record = record_of(plan_of([1.0] * 4, margin=0.25), {0: 1})
    assert record.is_exhausted
    assert describe_verdict(record).startswith(
        "No regression beyond 25.0 points on facts. 1 loss, 0 gains; all 4 questions asked: the "
        "drop on this set is 25.0 points (a count, no sampling error)."
    )
    assert "Drop on this set: 25.0 points, a count" in list(list_facts(record))
    assert "valid at any" not in render_gate(record)


def test_a_budget_reads_like_this() -> None:
    text = describe_verdict(record_of(plan_of(mostly_right(1000), budget=100), {}))
    assert text.startswith(
        "Inconclusive after 100 of 1,000 questions (budget): 0 losses, 0 gains; the drop is between"
    )
    assert ", and the margin of 2.0 lies inside. About " in text


def test_a_gate_that_is_not_over_says_so() -> None:
    assert describe_verdict(record_of(plan_of(mostly_right(1000)), {}, most=10)).startswith(
        "No verdict yet. 10 of 1,000 questions used;"
    )
    none = describe_verdict(record_of(plan_of(mostly_right(1000)), {}, most=0))
    assert "the drop is not known yet" in none


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"spent": 0.5}, "Spent $0.5000"),
        ({"spent": 1.5, "lost": 2.0}, "Spent $1.50 and up to $2.00 for what was broken off"),
        (
            {"models_served": ("a", "b")},
            "Several models answered, which may be a change in the middle: a, b",
        ),
        ({"changed": ()}, "Changed since the baseline bbbbbbbbbbbb: nothing"),
        ({"folder": "a\x1bb"}, "Candidate: a�b"),
    ],
)
def test_circumstances_are_told(change: dict[str, object], fact: str) -> None:
    record = record_of(plan_of(mostly_right(100)), {})
    assert fact in list(list_facts(replace(record, **change)))  # type: ignore[arg-type]


def test_weights_and_noise_are_told() -> None:
    plan = replace(
        plan_of(mostly_right(100), weights=[4.0] * 20 + [1.0] * 80),
        left_out=3,
        own_flips=0.05,
        baseline_samples=5,
    )
    plan = replace(plan, lot=replace(plan.lot, history=("x", "y")))
    facts = list(list_facts(record_of(plan, {})))
    assert any(
        "20.0 % of the questions are volatile and weighted 4 : 1, by 2 earlier runs" in fact
        for fact in facts
    )
    assert "Left out, without a score in the baseline: 3 questions" in facts
    [noise] = [fact for fact in facts if fact.startswith("Noise floor")]
    assert noise.startswith("Noise floor: 2.8 points; the margin is below it")
    quiet = list(list_facts(record_of(replace(plan, own_flips=0.0), {})))
    assert "Noise floor: 0.0 points" in quiet


def test_several_gates_are_headed_and_summed_up() -> None:
    record = record_of(plan_of(mostly_right(1000)), {})
    worse = record_of(plan_of([1.0] * 400), dict.fromkeys(range(400), 1))
    text = render_result(GateResult(gates=(record, worse)))
    assert text.startswith("facts\nNo regression beyond 2.0 points on facts.")
    assert text.endswith("All 2 benchmarks together: Regressed.")
    assert "together" not in render_result(GateResult(gates=(record,)))


@pytest.mark.parametrize("verdicts", [(0, 1), (1, 0)])
def test_invalid_outweighs_all_and_a_gate_without_verdict_leaves_it_open(
    verdicts: tuple[int, int],
) -> None:
    passed = record_of(plan_of(mostly_right(1000)), {})
    open_one = record_of(plan_of(mostly_right(1000)), {}, most=5)
    invalid = replace(open_one, verdict=Verdict.INVALID)
    for other, verdict in ((open_one, None), (invalid, Verdict.INVALID), (passed, passed.verdict)):
        both = [passed, other]
        result = GateResult(gates=tuple(both[place] for place in verdicts))
        assert result.verdict is verdict


def test_no_line_is_longer_than_80_and_no_word_says_too_much() -> None:
    for flips in ({}, dict.fromkeys(range(400), 1)):
        for budget in (None, 20):
            plan = plan_of([1.0] * 400)
            plan = replace(plan, terms=GateTerms(budget=budget))
            text = render_gate(record_of(plan, flips))
            assert max(map(len, text.splitlines())) <= 80
            assert not any(word in text for word in FORBIDDEN)
            assert "\n%" not in text
