"""What a gate adds to the asking, in microseconds of processor time for each question.

    python -m tests.bench_gate                      a hundred thousand questions, best of 5 rounds

From the pairing with the baseline to the record on disk; the margin is so small that nearly all
questions are used. Asking, and reading the baseline, are no part of it.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalkit.baselines import baseline_of
from evalkit.gate_records import GateRecord, take_down
from evalkit.gates import GateWatch, draw_up, pair_questions, plan_gate
from evalkit.results import Run
from evalkit.runs.gate_files import write_lot
from evalkit.scores import Score
from evalkit.stats.sequential import GateTerms
from tests.test_gates import run_with, score_of
from tests.test_manifest import IDENTITY, MANIFEST

AT_ONCE = 20
"""Scores that come together, as in a twentieth of a second."""


class Watch:
    """Adds up processor time by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        """Measure a block."""
        began = time.process_time()
        yield
        self.seconds[name] = time.process_time() - began


def measure(baseline: Run, scores: list[Score], folder: Path) -> tuple[dict[str, float], int]:
    """Hold one gate; the seconds of its parts, and the questions it used."""
    watch, questions = Watch(), baseline.questions
    with watch.on("pairing and drawing"):
        known = baseline_of(baseline)
        pairing = pair_questions(known, questions, IDENTITY)
        lot = draw_up(pairing, known, [])
        plan = plan_gate(pairing, known, MANIFEST, GateTerms(margin=0.00002), lot)
    with watch.on("writing the order down"):
        write_lot(folder, plan.seed, lot)
        referee = GateWatch(plan)
        by_id = {question.id: question for question in questions}
    by_name = {score.question.id: score for score in scores}
    with watch.on("taking scores"):
        group: list[Score] = []
        for question in referee.list_questions(by_id):
            group.append(by_name[question.id])
            if len(group) == AT_ONCE:
                referee.take(group)
                group = []
    with watch.on("writing the record"):
        record = take_down(GateRecord(plan=plan, folder="x", changed=()), referee)
        record.write(folder)
    return watch.seconds, record.used


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    right = [number % 5 != 0 for number in range(args.questions)]
    baseline = run_with([[each] for each in right])
    scores = [score_of(number, each) for number, each in enumerate(right)]
    gc.collect()
    gc.freeze()  # what was made ready is not to be looked through again and again
    with tempfile.TemporaryDirectory() as folder:
        rounds = [measure(baseline, scores, Path(folder)) for _ in range(args.rounds)]
    parts, used = min(rounds, key=lambda each: sum(each[0].values()))
    print(f"{args.questions:,} questions, {used:,} used, best of {args.rounds}")
    for name, seconds in [*parts.items(), ("together", sum(parts.values()))]:
        print(f"{name:24}{1e6 * seconds / args.questions:6.2f} us a question")


if __name__ == "__main__":
    main()
