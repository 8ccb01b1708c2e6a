"""What comparing two runs costs, in seconds of processor time.

    python -m tests.bench_compare                   a million paired scores, best of 3 rounds

From the paired scores to both intervals, 57 subjects and 20 flips. Asking, and reading the runs,
are no part of it.
"""

from __future__ import annotations

import argparse
import time
from array import array
from dataclasses import dataclass

import numpy as np

from evalkit.alignment import ScoreSheet
from evalkit.pairs import Methods
from evalkit.questions import Question
from evalkit.run_pairs import PairOptions, RunPair, compare_pair, score_runs
from tests.runs_in_memory import judged_run

SUBJECTS = 57
CLUSTER = 7
"""Questions that share a passage, where any do."""
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


if __name__ == "__main__":
    main()
