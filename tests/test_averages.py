"""The mean over benchmarks has a standard error of its own."""

from __future__ import annotations

import math
import statistics

import pytest

from evalkit.averages import Average, error_of_mean
from evalkit.comparisons import compare
from evalkit.results import Run
from evalkit.stats.groups import grouped_means
from tests.runs_in_memory import judged_run


def run_on(benchmark: str, name: str, right: list[int]) -> Run:
    words = ["correct" if each else "wrong" for each in right]
    return judged_run(name, words, benchmark=benchmark)


SHORT = {"a": [1, 0, 1, 1, 0], "b": [1, 1, 0, 1, 0]}
LONG = {"a": [1] * 30 + [0] * 10, "b": [1] * 35 + [0] * 5}


def average(*runs: Run) -> dict[str, Average]:
    return {each.name: each for each in compare(runs).averages}


def both() -> list[Run]:
    return [run_on(bench, name, scores[name])
            for bench, scores in (("short", SHORT), ("long", LONG)) for name in "ab"]  # fmt: skip


def test_each_benchmark_counts_alike() -> None:
    found = average(*both())
    for name in "ab":
        means = grouped_means(SHORT[name] + LONG[name], ["s"] * 5 + ["l"] * 40)
        assert found[name].macro == means.macro_interval()
        assert found[name].scores == (statistics.fmean(SHORT[name]), statistics.fmean(LONG[name]))


def test_the_difference_is_paired() -> None:
    found = average(*both())
    assert found["a"].difference is None
    differences = [
        [b - a for a, b in zip(scores["a"], scores["b"], strict=True)] for scores in (SHORT, LONG)
    ]
    error = math.sqrt(sum(statistics.variance(d) / len(d) for d in differences)) / 2
    interval = found["b"].difference
    assert interval is not None
    assert interval.estimate == pytest.approx(statistics.fmean(map(statistics.fmean, differences)))
    assert interval.high - interval.low == pytest.approx(2 * 1.959964 * error)
    assert interval.n == 45


def test_whoever_was_not_asked_everything_has_no_mean() -> None:
    found = average(*both(), run_on("short", "c", [1, 1, 1, 1, 0]))
    assert found["c"].scores == (0.8, None)
    assert (found["c"].macro, found["c"].difference) == (None, None)
    assert found["b"].macro is not None


def test_another_baseline_leaves_no_difference_of_means() -> None:
    runs = [
        run_on("short", "c", [1, 1, 1, 1, 0]),
        *[run_on("short", name, SHORT[name]) for name in "ab"],
        *[run_on("long", name, LONG[name]) for name in "ab"],
    ]
    found = average(*runs)
    assert found["b"].macro is not None
    assert found["b"].difference is None


def test_without_a_flip_there_is_no_interval_of_the_difference() -> None:
    found = average(*[run_on(bench, name, [1, 0, 1]) for bench in ("x", "y") for name in "ab"])
    assert found["b"].macro == found["a"].macro is not None
    assert found["b"].difference is None


def test_one_question_leaves_no_standard_error() -> None:
    runs = [run_on("x", name, [1]) for name in "ab"] + [run_on("y", n, [1, 0, 1]) for n in "ab"]
    assert average(*runs)["a"].macro is None


def test_one_benchmark_has_no_averages() -> None:
    assert compare([run_on("x", name, [1, 0]) for name in "ab"]).averages == ()


@pytest.mark.parametrize(
    ("errors", "expected"), [([0.03, 0.04], 0.025), ([0.03], 0.03), ([0.03, None], None)]
)
def test_errors_of_independent_scores_add_up_by_their_squares(
    errors: list[float | None], expected: float | None
) -> None:
    assert error_of_mean(errors) == pytest.approx(expected)
