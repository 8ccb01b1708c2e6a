"""Several benchmarks, each counting alike: the mean of a contestant's scores on them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.results import Run, interval_to_dict
from evalkit.run_pairs import ComparedRun, RunPair
from evalkit.runs.manifest import Identity
from evalkit.standings import BenchmarkComparison
from evalkit.stats.estimates import Estimate
from evalkit.stats.groups import GroupedMeans
from evalkit.stats.intervals import Interval

Z = statistics.NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """A contestant over several benchmarks."""

    name: str
    scores: tuple[float | None, ...]
    """On each benchmark, as a fraction; None where it was not asked."""
    macro: Interval | None
    """The mean of the benchmarks' scores with a standard error of its own; None if one is missing,
    or if one has no standard error."""
    difference: Interval | None
    """Of that mean from the baseline's, paired by question; None for the baseline, where `macro`
    is None, and if not a question flipped."""

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`."""
        return {
            "name": self.name,
            "scores": list(self.scores),
            "macro": None if self.macro is None else interval_to_dict(self.macro),
            "difference": None if self.difference is None else interval_to_dict(self.difference),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteScore:
    """One model asked all benchmarks of a suite in one way."""

    suite: str
    model: str
    asked: Identity
    """How it was asked; what concerns a single benchmark in it is that of the first."""
    runs: tuple[Run, ...]
    """In the order of the suite; those that came to nothing are not there."""
    lacking: tuple[str, ...]
    """The benchmarks of which there is no run, or not a single reply."""
    macro: Interval | None
    """The mean of the benchmarks' accuracies, each counting alike, with its own interval; None if
    one is lacking, or has no standard error."""
    error: float | None
    """The standard error of that mean."""

    @property
    def is_complete(self) -> bool:
        """Whether every question of every benchmark got a reply."""
        return not self.lacking and all(run.is_complete for run in self.runs)

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`."""
        return {
            "suite": self.suite,
            "model": self.model,
            "way": self.asked.way,
            "run_ids": [run.manifest.identity.run_id for run in self.runs],
            "lacking": list(self.lacking),
            "complete": self.is_complete,
            "macro": None if self.macro is None else interval_to_dict(self.macro),
            "standard_error": self.error,
        }


def average_suite(suite: str, benchmarks: Sequence[str], runs: Sequence[Run]) -> list[SuiteScore]:
    """Average every model over the benchmarks of a suite, for each way in which it was asked.

    Args:
        suite: its name.
        benchmarks: the names that runs have for its benchmarks, in order.
        runs: of these benchmarks, and maybe of others.
    """
    found: dict[tuple[object, ...], dict[str, Run]] = {}
    for run in runs:
        identity = run.manifest.identity
        if identity.benchmark in benchmarks:
            how = (identity.way, identity.shots, identity.samples, identity.orders)
            found.setdefault((identity.model, *how), {}).setdefault(identity.benchmark, run)
    return [score_suite(suite, benchmarks, members) for members in found.values()]


def score_suite(suite: str, benchmarks: Sequence[str], members: Mapping[str, Run]) -> SuiteScore:
    """Average the runs of one model in one way."""
    runs = [members[name] for name in benchmarks if name in members]
    estimates = [run.summary.estimate for run in runs]
    known = [estimate for estimate in estimates if estimate is not None]
    lacking = tuple(
        name for name in benchmarks if name not in members or members[name].summary.estimate is None
    )
    return SuiteScore(
        suite=suite,
        model=runs[0].manifest.identity.model,
        asked=runs[0].manifest.identity,
        runs=tuple(runs),
        lacking=lacking,
        macro=None if lacking else average_scores(known, [each.n for each in known]),
        error=None if lacking else error_of_mean([each.error for each in known]),
    )


def average_contestants(benchmarks: Sequence[BenchmarkComparison]) -> tuple[Average, ...]:
    """Average everybody over benchmarks, in the order in which they appear.

    Args:
        benchmarks: at least two.
    """
    names = dict.fromkeys(compared.name for each in benchmarks for compared in each.runs)
    return tuple(average_contestant(name, benchmarks) for name in names)


def average_contestant(name: str, benchmarks: Sequence[BenchmarkComparison]) -> Average:
    """Average one contestant."""
    found = [
        next((compared for compared in each.runs if compared.name == name), None)
        for each in benchmarks
    ]
    everywhere = [compared for compared in found if compared is not None]
    is_complete = len(everywhere) == len(benchmarks)
    baselines = {each.runs[0].name for each in benchmarks}
    pairs = [
        pair
        for each in benchmarks
        for pair in each.pairs
        if pair.candidate.name == name and pair.baseline is each.runs[0]
    ]
    is_paired = is_complete and len(pairs) == len(benchmarks) and len(baselines) == 1
    return Average(
        name=name,
        scores=tuple(None if compared is None else compared.mean for compared in found),
        macro=average_scores(everywhere, [each.n for each in benchmarks]) if is_complete else None,
        difference=average_differences(pairs) if is_paired else None,
    )


def average_scores(
    scored: Sequence[ComparedRun] | Sequence[Estimate], sizes: Sequence[int]
) -> Interval | None:
    """The mean of the scores on some benchmarks; None if one has no standard error."""
    error = error_of_mean([compared.error for compared in scored])
    if error is None:
        return None
    macro = statistics.fmean(compared.mean for compared in scored)
    means = GroupedMeans(
        micro=macro, micro_error=None, macro=macro, macro_error=error, sizes=tuple(sizes)
    )
    return means.macro_interval()


def average_differences(pairs: Sequence[RunPair]) -> Interval | None:
    """The mean of the differences on some benchmarks; None without a standard error above 0."""
    error = error_of_mean([pair.error for pair in pairs])
    if not error:
        return None
    difference = statistics.fmean(pair.candidate.mean - pair.baseline.mean for pair in pairs)
    return Interval(
        estimate=difference,
        low=max(-1.0, difference - Z * error),
        high=min(1.0, difference + Z * error),
        n=sum(pair.accuracy.n for pair in pairs),
        level=0.95,
        method="macro",
    )


def error_of_mean(errors: Sequence[float | None]) -> float | None:
    """The standard error of the mean of independent estimates; None if one is not known."""
    known = [error for error in errors if error is not None]
    if len(known) < len(errors):
        return None
    return math.sqrt(math.fsum(error * error for error in known)) / len(known)
