"""Comparisons take runs that can be compared, and say what they do with the rest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import evalkit
from evalkit.comparisons import ComparisonOptions, compare
from evalkit.errors import RunFormatError, UsageError
from evalkit.results import Run
from evalkit.stats.multiplicity import holm
from evalkit.stats.verdicts import Verdict
from tests.runs_in_memory import judged_run


def outcomes(right: int, n: int = 100) -> list[str]:
    """So many right answers, the wrong ones first."""
    return ["wrong"] * (n - right) + ["correct"] * right


def three() -> list[Run]:
    return [judged_run(name, outcomes(right)) for name, right in (("a", 80), ("b", 70), ("c", 88))]


def test_each_candidate_is_compared_with_the_first_run() -> None:
    pairs = compare(three()).pairs
    assert [(p.baseline.name, p.candidate.name) for p in pairs] == [("a", "b"), ("a", "c")]
    assert [(p.accuracy.losses, p.accuracy.gains) for p in pairs] == [(10, 0), (0, 8)]
    p_values = [p.accuracy.p_value for p in pairs]
    assert None not in p_values
    adjusted = [p.accuracy.adjusted_p for p in pairs]
    assert adjusted == list(holm([p for p in p_values if p is not None]))


def test_another_baseline_is_put_first() -> None:
    runs = three()
    pairs = compare(runs, baseline=runs[2]).pairs
    assert [(p.baseline.name, p.candidate.name) for p in pairs] == [("c", "a"), ("c", "b")]
    assert compare(runs[:2], baseline=runs[2]).pairs[0].candidate.name == "a"


def test_all_pairs_are_compared_on_request() -> None:
    found = compare(three(), options=ComparisonOptions(all_pairs=True))
    names = [(p.baseline.name, p.candidate.name) for p in found.pairs]
    assert names == [("a", "b"), ("a", "c"), ("b", "c")]


def test_runs_are_grouped_by_benchmark_and_numbered_through() -> None:
    runs = [
        judged_run(name, outcomes(5, 9), benchmark=benchmark)
        for name in "ab"
        for benchmark in ("x", "y")
    ]
    found = compare(runs, baseline=runs[2])
    numbered = [(b.benchmark, [(r.number, r.name) for r in b.runs]) for b in found.benchmarks]
    assert numbered == [("x", [(1, "b"), (2, "a")]), ("y", [(3, "b"), (4, "a")])]


def test_a_run_alone_on_its_benchmark_is_left_out_and_named() -> None:
    lonely = judged_run("a", ["correct"], benchmark="y")
    found = compare([*three(), lonely])
    assert [each.benchmark for each in found.benchmarks] == ["sums"]
    assert found.alone == (lonely,)


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([], "at least two runs; there is none"),
        ([judged_run("a", ["correct"])] * 2, "at least two runs; there is results/sums-a"),
        (
            [judged_run("a", ["correct"], benchmark=name) for name in ("x", "y")],
            "of a different benchmark each: x, y",
        ),
        (
            [judged_run("a", ["correct"] * 9), judged_run("b", ["failed"] + ["correct"] * 8)],
            r"too many replies are missing for a comparison: results/sums-b \(11.1 %\)",
        ),
    ],
)
def test_what_can_not_be_compared_is_refused(runs: list[Run], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        compare(runs)


def test_half_a_percent_may_be_missing_and_more_on_request() -> None:
    whole = judged_run("a", outcomes(150, 200))
    one, two = (
        judged_run(f"b{missing}", ["failed"] * missing + ["correct"] * (200 - missing))
        for missing in (1, 2)
    )
    assert compare([whole, one]).benchmarks[0].unanswered == 1
    with pytest.raises(UsageError, match="missing"):
        compare([whole, two])
    found = compare([whole, two], options=ComparisonOptions(incomplete=True)).benchmarks[0]
    assert (found.n, found.unanswered, found.runs[1].missing) == (198, 2, 0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"margin": 2.0}, "margin 200: expected percentage points"),
        ({"margin": 0.0}, "margin 0: expected percentage points"),
        ({"margin": 0.02, "all_pairs": True}, "a margin is one of a candidate"),
        ({"flips": -1}, "flips -1: expected at least 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ComparisonOptions(**changes)


def test_no_folder_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunFormatError, match="nothing-here"):
        compare([judged_run("a", ["correct"]), tmp_path / "nothing-here"])


@pytest.mark.parametrize(
    ("rights", "verdict"),
    [
        ((500, 500), Verdict.NO_REGRESSION),
        ((500, 400), Verdict.REGRESSED),
        ((500, 488), Verdict.INCONCLUSIVE),
        ((500, 500, 488), Verdict.INCONCLUSIVE),
        ((500, 500, 400), Verdict.REGRESSED),
    ],
)
def test_the_verdict_is_that_of_all_candidates(rights: tuple[int, ...], verdict: Verdict) -> None:
    runs = [judged_run(str(n), outcomes(right, 600)) for n, right in enumerate(rights)]
    options = ComparisonOptions(margin=0.02)
    assert compare(runs, options=options).verdict is verdict
    assert compare(runs).verdict is None


def test_verdicts_of_several_candidates_share_their_error() -> None:
    found = compare(three(), options=ComparisonOptions(margin=0.02))
    assert [p.judgement.family for p in found.pairs if p.judgement is not None] == [2, 2]


def test_the_facts_as_json() -> None:
    found = compare(three(), options=ComparisonOptions(margin=0.02, flips=3))
    facts = json.loads(json.dumps(found.to_dict()))
    assert (facts["margin"], facts["verdict"]) == (0.02, "regressed")
    [sums] = facts["benchmarks"]
    assert [run["name"] for run in sums["runs"]] == ["a", "b", "c"]
    assert sums["runs"][1]["mean"] == sums["runs"][1]["score"]["estimate"] == 0.7
    worse, better = sums["pairs"]
    assert (worse["baseline"], worse["candidate"]) == (1, 2)
    assert worse["accuracy"]["difference"]["estimate"] == pytest.approx(-0.1)
    assert (worse["accuracy"]["flips"], worse["readable"]["flips"]) == (0.1, 0.0)
    assert worse["judgement"]["verdict"] == "regressed"
    assert better["judgement"]["questions_needed"] is None
    assert len(worse["flips"]) == 3
    assert worse["flips"][0] == {
        "id": "q20", "stem": "What of q20?", "kind": "loss", "right": "A", "baseline": "A",
        "candidate": "B",
    }  # fmt: skip
    ranked = compare(three(), options=ComparisonOptions(all_pairs=True)).to_dict()
    assert ranked["benchmarks"][0]["ranking"][0] == {
        "run": 3, "best": 1, "worst": 1, "tied_with": [],
    }  # fmt: skip


def test_averages_are_among_the_facts() -> None:
    runs = [
        judged_run(name, outcomes(right, 9), benchmark=benchmark)
        for name, right in (("a", 5), ("b", 6))
        for benchmark in ("x", "y")
    ]
    first, second = compare(runs).to_dict()["averages"]
    assert first["macro"]["estimate"] == pytest.approx(5 / 9)
    assert (first["difference"], second["scores"]) == (None, [6 / 9, 6 / 9])


def test_a_run_asked_again_is_compared_with_itself() -> None:
    first = judged_run("a", outcomes(80))
    again = replace(judged_run("a", outcomes(78)), path=Path("tuesday/a"))
    [pair] = compare([first, again]).pairs
    assert (pair.accuracy.losses, pair.differences) == (2, ())


def test_comparisons_are_offered_to_python() -> None:
    assert evalkit.compare is compare
    assert evalkit.ComparisonOptions is ComparisonOptions
