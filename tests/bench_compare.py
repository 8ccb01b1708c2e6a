"""What comparing two runs costs, in seconds of processor time.

    python -m tests.bench_compare                   a million paired scores, best of 3 rounds

From the paired scores to both intervals, 57 subjects and 20 flips, then single statistics. Asking,
and reading the runs, are no part of it.
"""

from __future__ import annotations

import argparse
import random
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evalkit.alignment import ScoreSheet
from evalkit.pairs import Methods
from evalkit.questions import Question
from evalkit.run_pairs import PairOptions, RunPair, compare_pair, score_runs
from evalkit.stats.clustered import clustered_difference_interval, clustered_mean
from evalkit.stats.draws import draw_order
from evalkit.stats.groups import grouped_means
from evalkit.stats.kappa import cohen_kappa
from evalkit.stats.paired import mcnemar_midp, mean_difference_interval, tango_interval
from evalkit.stats.reliability import equal_mass_edges, measure_reliability
from tests.runs_in_memory import judged_run

SUBJECTS = 57
CLUSTER = 7
"""Questions that share a passage, where any do."""
STATISTICS: dict[str, Callable[[list[float]], object]] = {
    "Student's t": mean_difference_interval,
    "Tango": lambda values: tango_interval(*count_flips(values), len(values)),
    "McNemar mid-p": lambda values: mcnemar_midp(*count_flips(values)),
    "clusters": lambda values: clustered_difference_interval(
        clustered_mean(values, [place // CLUSTER for place in range(len(values))])
    ),
    "groups": lambda values: grouped_means(
        [value + 0.2 for value in values], [place % SUBJECTS for place in range(len(values))]
    ),
    "kappa": lambda values: cohen_kappa(values, values[::-1]),
    "order of a gate": lambda values: draw_order([1.0] * len(values), 1),
    "reliability": lambda values: measure_reliability(
        stated := [value * 2 + 0.5 for value in values],
        [1] * len(values),
        equal_mass_edges(stated),
    ),
}
"""Single functions, of the differences between two runs with five answers to each question."""

OPTIONS = PairOptions(methods=Methods(), family=1, margin=0.02, verdicts=1, flips=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A kind of scores."""

    name: str
    answers: int
    """To each question; with several, a score is a share."""
    in_clusters: bool


CASES = (
    Case(name="right or wrong", answers=1, in_clusters=False),
    Case(name="right or wrong, in clusters", answers=1, in_clusters=True),
    Case(name="shares", answers=5, in_clusters=False),
    Case(name="shares, in clusters", answers=5, in_clusters=True),
)


def draw_scores(case: Case, questions: int) -> ScoreSheet:
    """Two runs' scores, drawn at random."""
    chance = np.random.default_rng(1)
    subjects = [
        Question(id="q", stem="?", choices=("a", "b"), right=(0,), group=f"subject {number}")
        for number in range(SUBJECTS)
    ]
    before, after = (
        chance.integers(0, case.answers + 1, questions) / case.answers for _ in range(2)
    )
    return ScoreSheet(
        questions=tuple(subjects[number % SUBJECTS] for number in range(questions)),
        places=(array("q", bytes(8 * questions)),) * 2,
        correct=(before, after),
        readable=(np.ones(questions), (chance.random(questions) < 0.99).astype(float)),
        left_out=(0, 0),
        unanswered=0,
        clusters=np.arange(questions) // CLUSTER if case.in_clusters else None,
        is_repeated=case.answers > 1,
    )


def measure(case: Case, questions: int) -> tuple[float, RunPair]:
    """Compare once; the seconds, and what came of it."""
    sheet = draw_scores(case, questions)
    runs = [judged_run(name, ["correct"]) for name in "ab"]
    began = time.process_time()
    pair = compare_pair(sheet, score_runs(runs, sheet, (1, 2), "ab"), (0, 1), OPTIONS)
    return time.process_time() - began, pair


def draw_differences(questions: int) -> list[float]:
    """What two runs with five answers a question may differ by."""
    chance = random.Random(1)
    return [chance.choice([-0.2, 0.0, 0.0, 0.0, 0.2]) for _ in range(questions)]


def count_flips(differences: list[float]) -> tuple[int, int]:
    """Gains and losses."""
    return sum(each > 0 for each in differences), sum(each < 0 for each in differences)


def measure_statistic(name: str, differences: list[float]) -> float:
    """Compute one of `STATISTICS`; the seconds."""
    began = time.process_time()
    STATISTICS[name](differences)
    return time.process_time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(f"{args.questions:,} paired scores, best of {args.rounds}")
    for case in CASES:
        seconds = min(measure(case, args.questions)[0] for _ in range(args.rounds))
        print(f"{case.name:32}{seconds:6.2f} s")
    differences = draw_differences(args.questions)
    for name in STATISTICS:
        seconds = min(measure_statistic(name, differences) for _ in range(args.rounds))
        print(f"{name:32}{seconds:6.2f} s")


if __name__ == "__main__":
    main()
