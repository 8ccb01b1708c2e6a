"""All charts that there are to runs, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.reports.charts.accuracies import chart_accuracies
from evalkit.reports.charts.chart import Chart
from evalkit.reports.charts.costs import chart_costs
from evalkit.reports.charts.differences import chart_differences, chart_pair
from evalkit.reports.charts.evidence import chart_evidence
from evalkit.reports.charts.heat_map import chart_benchmarks, chart_subjects
from evalkit.reports.charts.letters import chart_letters
from evalkit.reports.charts.outcomes import chart_outcomes, name_runs
from evalkit.reports.charts.reliability import chart_reliability

if TYPE_CHECKING:
    from evalkit.comparisons import Comparison
    from evalkit.gate_records import GateRecord
    from evalkit.results import Run

MOST_OF_A_KIND = 8
"""Charts of single runs, pairs or benchmarks; the caption of the last says how many there are."""


def list_charts(
    runs: Sequence[Run],
    comparison: Comparison | None = None,
    gates: Sequence[GateRecord] = (),
) -> tuple[Chart, ...]:
    """The charts of runs, of their comparison and of gates, what matters most first.

    Nothing is drawn yet, and matplotlib is not needed yet.

    Args:
        runs: of one or several benchmarks.
        comparison: of these runs; None: they were not compared.
        gates: as held, or computed again by `replay_run`.

    Returns:
        Charts of which no two have the same name; those that have nothing to show are not there.
    """
    named = list(zip(name_runs(runs), runs, strict=True)) if runs else []
    benchmarks: dict[str, list[Run]] = {}
    for run in runs:
        benchmarks.setdefault(run.manifest.identity.benchmark, []).append(run)
    groups = list(benchmarks.values())
    found: list[Chart | None] = [chart_evidence(record) for record in gates]
    found.append(chart_accuracies(runs) if runs else None)
    if comparison is not None:
        found.append(chart_differences(comparison))
        found += cut(list(list_pairs(comparison)))
    found.append(chart_benchmarks(runs) if runs else None)
    found += cut([chart_subjects(group) for group in groups])
    found.append(chart_outcomes(runs))
    found += cut([chart_costs(group) for group in groups])
    found += cut([chart_letters(name, run) for name, run in named])
    found += cut([chart_reliability(name, run) for name, run in named])
    return tuple(number_names([chart for chart in found if chart is not None]))


def list_pairs(comparison: Comparison) -> Iterator[Chart]:
    """Pairs with what can be seen of each alone: its subjects, or that it is the only one."""
    is_alone = len(comparison.pairs) == 1
    for each in comparison.benchmarks:
        for pair in each.pairs:
            if pair.subjects or is_alone:
                yield chart_pair(pair, each.benchmark)


def cut(charts: Sequence[Chart | None]) -> list[Chart]:
    """Not too many charts of one kind; if there are more, the last one says so."""
    known = [chart for chart in charts if chart is not None]
    kept = known[:MOST_OF_A_KIND]
    if len(kept) < len(known):
        notice = f"Charts of this kind are drawn for the first {len(kept)} of {len(known)}."
        kept[-1] = replace(kept[-1], caption=f"{kept[-1].caption} {notice}")
    return kept


def number_names(charts: Sequence[Chart]) -> Iterator[Chart]:
    """The charts with names of their own."""
    seen: dict[str, int] = {}
    for chart in charts:
        seen[chart.name] = number = seen.get(chart.name, 0) + 1
        yield chart if number == 1 else replace(chart, name=f"{chart.name}-{number}")
