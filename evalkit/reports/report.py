"""A report: some runs, what they come to side by side, and the gates that they passed through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.comparisons import Comparison, ComparisonOptions, compare, load_each
from evalkit.contestants import name_contestants
from evalkit.errors import UsageError
from evalkit.gate_records import GateRecord, replay_run
from evalkit.results import Run
from evalkit.runs.gate_files import list_records


@dataclass(frozen=True, kw_only=True)
class Report:
    """Runs to be shown to people, with everything that is said about them.

    All numbers are computed from the runs' journals.
    """

    title: str
    runs: tuple[Run, ...]
    """At least one; they are numbered from 1, as in the comparison."""
    names: tuple[str, ...]
    """One for each run: the model, and what else tells it from the others of its benchmark."""
    comparison: Comparison | None
    """None: no two runs are of one benchmark, or they can't be compared."""
    not_compared: str
    """Why runs of one benchmark are not compared; empty if they are."""
    gates: tuple[GateRecord, ...]
    """Those that are recorded in the runs' folders."""

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The names of the benchmarks, each once."""
        return tuple(dict.fromkeys(run.manifest.identity.benchmark for run in self.runs))


def build_report(
    runs: Sequence[Run | Path | str],
    *,
    baseline: Run | Path | str | None = None,
    margin: float | None = None,
    title: str | None = None,
) -> Report:
    """Put together what is to be said of some runs; no model is asked.

    Args:
        runs: at least one; folders are read.
        baseline: what the others are compared with; one of the runs, or one more. None: the first
            if there is a margin or one other, else each run is compared with each other.
        margin: the largest drop that is no regression, a fraction in (0, 0.5); None: no verdict.
        title: None: the names of the benchmarks.

    Raises:
        UsageError: there is no run, the margin is none, or runs that were to be judged by it
            can't be compared.
        RunFormatError: a folder can't be read as a run.

    Example:
        >>> build_report(["results/a", "results/b"]).comparison.verdict  # doctest: +SKIP
    """
    chosen = load_each([*([] if baseline is None else [baseline]), *runs])
    if not chosen:
        raise UsageError("a report takes at least one run")
    is_ranked = baseline is None and margin is None and len(chosen) > 2
    options = ComparisonOptions(margin=margin, all_pairs=is_ranked, incomplete=True, flips=None)
    comparison, not_compared = None, ""
    benchmarks = [run.manifest.identity.benchmark for run in chosen]
    if len(set(benchmarks)) < len(benchmarks):
        try:
            comparison = compare(chosen, options=options)
        except UsageError as error:
            if margin is not None:  # a verdict was asked for
                raise
            not_compared = str(error)
    elif margin is not None:
        raise UsageError("a margin is one between two runs of the same benchmark: name two")
    names = dict(zip(map(id, chosen), name_contestants(chosen), strict=True))
    ordered = order_runs(chosen, comparison)
    return Report(
        title=title or ", ".join(dict.fromkeys(benchmarks)),
        runs=tuple(ordered),
        names=tuple(names[id(run)] for run in ordered),
        comparison=comparison,
        not_compared=not_compared,
        gates=tuple(found for run in ordered for found in replay_gates(run)),
    )


def order_runs(runs: Sequence[Run], comparison: Comparison | None) -> list[Run]:
    """Runs in the order in which a comparison numbers them, then those that are not compared."""
    compared = () if comparison is None else comparison.benchmarks
    first = [each.run for found in compared for each in found.runs]
    return first + [run for run in runs if all(run is not each for each in first)]


def replay_gates(run: Run) -> tuple[GateRecord, ...]:
    """The gates in a run's folder, computed again from its journal."""
    if not list_records(run.path):
        return ()
    return tuple(each.record for each in replay_run(run.path))
