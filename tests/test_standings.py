"""Places are ranges, and runs whose ranges meet are tied."""

from __future__ import annotations

from dataclasses import replace

from evalkit.comparisons import ComparisonOptions, compare
from tests.runs_in_memory import judged_run

PAIRWISE = ComparisonOptions(all_pairs=True)


def outcomes(right: int, n: int = 100) -> list[str]:
    return ["correct"] * right + ["wrong"] * (n - right)


def test_runs_are_ranked_by_the_pairs_that_differ() -> None:
    runs = [judged_run(name, outcomes(right)) for name, right in
            (("low", 40), ("best", 90), ("near", 88), ("middle", 70))]  # fmt: skip
    [found] = compare(runs, options=PAIRWISE).benchmarks
    standings = [
        (each.compared.name, each.ranks.best, each.ranks.worst, each.tied)
        for each in found.standings
    ]
    assert standings == [
        ("best", 1, 2, (3,)),
        ("near", 1, 2, (2,)),
        ("middle", 3, 3, ()),
        ("low", 4, 4, ()),
    ]


def test_against_a_baseline_nobody_is_ranked() -> None:
    runs = [judged_run(name, outcomes(90)) for name in "ab"]
    [found] = compare(runs).benchmarks
    assert found.standings == ()


def test_what_can_not_be_tested_tells_nobody_apart() -> None:
    runs = [
        judged_run(name, outcomes(right, 9), shape=lambda q: replace(q, cluster="one passage"))
        for name, right in (("a", 9), ("b", 0))
    ]
    [found] = compare(runs, options=PAIRWISE).benchmarks
    assert [(each.ranks.best, each.ranks.worst) for each in found.standings] == [(1, 2), (1, 2)]
