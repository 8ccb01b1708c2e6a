"""Who is measured at what: contenders ask the same questions, and are checked before they count."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench_measure import Counter, Spent, spend
from tests.bench_questions import write_questions

WARM_UP_QUESTIONS = 20
"""Asked once by each contender before the rest, so that no one compiles or reads a cold disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A program that asks the questions of a file."""

    name: str
    loop: str | None = None
    """The HTTP client of a bare loop; None: evalkit."""

    def command(self, questions: Path, base_url: str, connections: int, folder: Path) -> list[str]:
        """The command line, as users type it."""
        if self.loop is not None:
            arguments = (self.loop, str(questions), base_url, str(connections))
            return [sys.executable, "-m", "tests.bench_loops", *arguments]
        return [
            *(sys.executable, "-m", "evalkit", "run", str(questions), "--model", "m"),
            *("--base-url", base_url, "--concurrency", str(connections)),
            *("--results", str(folder / "results"), "--quiet"),
        ]

    def read_outcomes(self, spent: Spent, folder: Path) -> dict[str, int]:
        """How many questions ended how; of a loop, only how many were right."""
        if self.loop is not None:
            return {"correct": int(spent.out)}
        [path] = (folder / "results").iterdir()
        outcomes: dict[str, int]
        try:
            outcomes = json.loads((path / "summary.json").read_text(encoding="utf-8"))["outcomes"]
        except FileNotFoundError:  # the run is incomplete
            # Not before, since it would make this process larger than its children.
            import evalkit

            outcomes = evalkit.load_run(path).to_dict()["outcomes"]
        return outcomes


EVALKIT = Contender(name="evalkit")
AIOHTTP = Contender(name="aiohttp loop", loop="aiohttp")
HTTPX = Contender(name="httpx loop", loop="httpx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to measure."""

    contender: Contender
    questions: int
    connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a case took: medians over the rounds, and what the upstream counted in the last one."""

    contender: str
    questions: int
    connections: int
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: float
    outcomes: Mapping[str, int]
    counts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Further:
    """What each question takes beyond those of the smaller file: the start is left out."""

    contender: str
    connections: int
    cpu_seconds: float
    peak_bytes: float


class Bench:
    """Runs contenders in a folder against one upstream.

    Args:
        folder: for question files and results.
        counter: of the upstream.
        knows_letters: whether it answers as `bench_questions.letter_of` says.
    """

    def __init__(self, folder: Path, counter: Counter, *, knows_letters: bool) -> None:
        self.folder, self.counter, self.knows_letters = folder, counter, knows_letters
        self.right: dict[int, int] = {}
        """By the number of questions, how many are answered rightly."""
        self.runs = 0

    def write_file(self, count: int) -> Path:
        """A file of so many questions, written once."""
        path = self.folder / f"q{count}.jsonl"
        if not path.exists():
            right = write_questions(path, count)
            if self.knows_letters:
                self.right[count] = right
        return path

    def run(self, case: Case, *, end_after_seconds: float | None = None) -> tuple[Spent, Path]:
        """Let a contender ask all questions; what it took, and the folder it has written to.

        Args:
            case: who asks what.
            end_after_seconds: from the first request on, when the contender is ended.
        """
        path = self.write_file(case.questions)
        self.runs += 1
        folder = self.folder / f"run{self.runs}"
        folder.mkdir()
        command = case.contender.command(path, self.counter.base_url, case.connections, folder)
        self.counter.reset()
        if end_after_seconds is None:
            return spend(command, folder), folder
        spent = spend(command, folder, end_when=lambda: self.elapsed_seconds >= end_after_seconds)
        return spent, folder

    @property
    def elapsed_seconds(self) -> float:
        """How long ago the first request came, by the upstream's clock; 0 before it."""
        return float(self.counter.read()["elapsed_s"])

    def run_checked(self, case: Case) -> tuple[Spent, Mapping[str, int]]:
        """Let a contender ask all questions; what it took, and how they ended.

        Raises:
            SystemExit: it failed, or its answers are not the right ones.
        """
        spent, folder = self.run(case)
        if spent.code != 0:
            error = (folder / "err").read_text(encoding="utf-8")
            sys.exit(f"{case.contender.name} ended with code {spent.code}:\n{error}")
        outcomes = case.contender.read_outcomes(spent, folder)
        # Another server's letters are its own, but the same for all contenders.
        right = self.right.setdefault(case.questions, outcomes["correct"])
        if outcomes["correct"] != right:
            sys.exit(
                f"{case.contender.name} has {outcomes['correct']} of {case.questions} questions "
                f"right: expected {right}"
            )
        return spent, outcomes

    def measure(self, cases: Sequence[Case], rounds: int) -> list[Measured]:
        """Measure all cases, one after another, in so many rounds."""
        for contender in {case.contender.name: case.contender for case in cases}.values():
            self.run_checked(Case(contender=contender, questions=WARM_UP_QUESTIONS, connections=2))
        spent: dict[Case, list[Spent]] = {case: [] for case in cases}
        seen: dict[Case, tuple[Mapping[str, int], Mapping[str, Any]]] = {}
        for number in range(1, rounds + 1):
            for case in cases:
                note(f"round {number} of {rounds}: {describe(case)}")
                took, outcomes = self.run_checked(case)
                spent[case].append(took)
                seen[case] = outcomes, self.counter.read()
        return [
            Measured(
                contender=case.contender.name,
                questions=case.questions,
                connections=case.connections,
                cpu_seconds=median(took.cpu_seconds for took in spent[case]),
                wall_seconds=median(took.wall_seconds for took in spent[case]),
                peak_bytes=median(took.peak_bytes for took in spent[case]),
                outcomes=seen[case][0],
                counts=seen[case][1],
            )
            for case in cases
        ]


def compare_sizes(measured: Sequence[Measured], smaller: int, larger: int) -> Iterator[Further]:
    """What each further question takes, for each contender that has asked both files."""
    for many in measured:
        for few in measured:
            of_same = (few.contender, few.connections) == (many.contender, many.connections)
            if of_same and (few.questions, many.questions) == (smaller, larger):
                more = larger - smaller
                yield Further(
                    contender=many.contender,
                    connections=many.connections,
                    cpu_seconds=(many.cpu_seconds - few.cpu_seconds) / more,
                    peak_bytes=(many.peak_bytes - few.peak_bytes) / more,
                )


def describe(case: Case) -> str:
    """A case in words."""
    return f"{case.contender.name}, {case.questions:,} questions, {case.connections:,} connections"


def note(text: str) -> None:
    """Say what goes on, where it doesn't mix with results."""
    print(text, file=sys.stderr, flush=True)
