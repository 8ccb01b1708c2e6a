"""Runs as sheets: their scores, the groups of these, and the positions of right choices."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.reports.report import Report
from evalkit.reports.sheets import Column, Kind, Sheet, Value
from evalkit.reports.wording import name_methods
from evalkit.results import Run
from evalkit.stats.estimates import Estimate
from evalkit.stats.intervals import Interval
from evalkit.summaries import Summary

RUN = (
    Column(name="run", title="Run"),
    Column(name="benchmark", title="Benchmark"),
    Column(name="model", title="Model"),
    Column(name="name", title="Name"),
)
ACCURACY = (
    Column(name="n", title="n", kind=Kind.COUNT),
    Column(name="accuracy", title="Accuracy", kind=Kind.SHARE),
    Column(name="low", title="From", kind=Kind.SHARE),
    Column(name="high", title="To", kind=Kind.SHARE),
    Column(name="level", title="Level", kind=Kind.SHARE),
    Column(name="method", title="Interval"),
    Column(name="clusters", title="Clusters", kind=Kind.COUNT),
)
OUTCOMES = ("correct", "wrong", "unparsed", "refused", "truncated", "failed", "not_asked")
COUNTS = (
    *(
        Column(name=name, title=name.replace("_", " ").capitalize(), kind=Kind.COUNT)
        for name in OUTCOMES
    ),
    Column(name="if_unreadable_wrong", title="Unreadable wrong", kind=Kind.SHARE),
    Column(name="if_unreadable_right", title="Unreadable right", kind=Kind.SHARE),
    Column(name="chance", title="Chance", kind=Kind.SHARE),
    Column(name="chance_corrected", title="Corrected", kind=Kind.SHARE),
    Column(name="rerun_error", title="Re-run SE", kind=Kind.POINTS),
    Column(name="partial_credit", title="Partial credit", kind=Kind.SHARE),
)
CIRCUMSTANCES = (
    Column(name="macro", title="Macro", kind=Kind.SHARE),
    Column(name="macro_error", title="Macro SE", kind=Kind.POINTS),
    Column(name="complete", title="Complete", kind=Kind.FLAG),
    Column(name="way", title="Way"),
    Column(name="shots", title="Shots", kind=Kind.COUNT),
    Column(name="samples", title="Samples", kind=Kind.COUNT),
    Column(name="orders", title="Orders"),
    Column(name="served", title="Model served"),
    Column(name="endpoint", title="Endpoint"),
    Column(name="cost", title="Dollars", kind=Kind.NUMBER),
    Column(name="run_id", title="Run id"),
)


def list_run(name: str, run: Run, number: int) -> tuple[Value, ...]:
    """The cells below `RUN`."""
    identity = run.manifest.identity
    return f"({number})", identity.benchmark, identity.model, name


def list_interval(interval: Interval | None) -> tuple[Value, ...]:
    """The ends, level and method of an interval."""
    if interval is None:
        return None, None, None, None
    return interval.low, interval.high, interval.level, interval.method


def list_accuracy(summary: Summary) -> tuple[Value, ...]:
    """The cells below `ACCURACY`."""
    clusters = None if summary.estimate is None else summary.estimate.clusters
    return summary.asked, summary.mean, *list_interval(summary.accuracy), clusters


def list_counts(summary: Summary) -> tuple[Value, ...]:
    """The cells below `COUNTS`."""
    found = summary.repetition
    return (
        *(getattr(summary, name) for name in OUTCOMES),
        *(summary.sensitivity or (None, None)),
        summary.chance,
        None if summary.mean is None else summary.correct_for_chance(summary.mean),
        None if found is None else found.rerun_error,
        None if summary.partial is None else summary.partial.mean,
    )


def list_circumstances(run: Run) -> tuple[Value, ...]:
    """The cells below `CIRCUMSTANCES`."""
    identity, means = run.manifest.identity, run.means
    return (
        None if means is None else means.macro,
        None if means is None else means.macro_error,
        run.is_complete,
        identity.asked,
        identity.shots,
        identity.samples,
        None if identity.orders is None else str(identity.orders),
        ", ".join(run.models_served()) or None,
        identity.endpoint,
        run.cost,
        identity.run_id,
    )


def sheet_summary(report: Report) -> Sheet:
    """One row a run: its score and what stands behind it."""
    methods = name_methods(run.summary.accuracy for run in report.runs)
    return Sheet(
        name="summary",
        head="Accuracy",
        title=f"Accuracy, with the 95 % {methods} interval",
        columns=(*RUN, *ACCURACY, *COUNTS, *CIRCUMSTANCES),
        rows=tuple(
            (
                *list_run(name, run, number),
                *list_accuracy(run.summary),
                *list_counts(run.summary),
                *list_circumstances(run),
            )
            for number, (name, run) in enumerate(zip(report.names, report.runs, strict=True), 1)
        ),
    )


def sheet_groups(report: Report) -> Sheet:
    """One row a run and group, after one a run over all its questions."""
    methods = name_methods(run.summary.accuracy for run in report.runs)
    rows: list[tuple[Value, ...]] = []
    for number, (name, run) in enumerate(zip(report.names, report.runs, strict=True), 1):
        groups = run.groups if len(run.groups) > 1 else ()
        for group, summary in ((None, run.summary), *((each.name, each) for each in groups)):
            rows.append(
                (
                    *list_run(name, run, number),
                    group,
                    *list_accuracy(summary),
                    *list_counts(summary),
                )
            )
    return Sheet(
        name="groups",
        head="Groups",
        title=f"Accuracy by group, with the 95 % {methods} interval; no group: all questions",
        columns=(*RUN, Column(name="group", title="Group"), *ACCURACY, *COUNTS),
        rows=tuple(rows),
    )


def sheet_positions(report: Report) -> Sheet:
    """One row a run and position at which right choices were shown, where orders were tried."""
    rows = [
        (*list_run(name, run, number), place + 1, *list_estimate(estimate))
        for number, (name, run) in enumerate(zip(report.names, report.runs, strict=True), 1)
        if run.summary.orders is not None
        for place, estimate in run.summary.orders.by_place
    ]
    return Sheet(
        name="positions",
        head="Positions",
        title="Accuracy by the position, from 1, at which the right choice was shown",
        columns=(*RUN, Column(name="position", title="Position", kind=Kind.COUNT), *ACCURACY),
        rows=tuple(rows),
    )


def list_estimate(estimate: Estimate) -> tuple[Value, ...]:
    """The cells below `ACCURACY` of a mean."""
    return estimate.n, estimate.mean, *list_interval(estimate.interval), estimate.clusters


def list_run_sheets(report: Report) -> Iterator[Sheet]:
    """The sheets of runs that have rows."""
    yield sheet_summary(report)
    groups = sheet_groups(report)
    if len(groups.rows) > len(report.runs):
        yield groups
    positions = sheet_positions(report)
    if positions.rows:
        yield positions
